"""What each column adds to a prediction by the package `shap`, for src/ml/model/explanation.rs.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install shap==0.51.0 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/explanations.py > tests/golden/explanations.json

Models are drawn: a linear one, averaged trees and boosted trees, over two numbers and the three
categories of one column. `shap` explains the five encoded numbers; those of a column are added up.
"""

import json

import numpy as np
import shap

import tree_shap

assert shap.__version__ == "0.51.0", shap.__version__

PLANS = ["basic", "gold", "plus"]
SPANS = {"age": [0], "charge": [1], "plan": [2, 3, 4]}
NUMBERS = {"age": dict(impute=30.0, mean=30.0, scale=10.0), "charge": dict(impute=50.0, mean=50.0, scale=20.0)}


def features():
    numbers = [{"name": n, "kind": "numeric", "transform": {"number": t}} for n, t in NUMBERS.items()]
    plan = {"one_hot": {"impute": None, "categories": PLANS}}
    return numbers + [{"name": "plan", "kind": "categorical", "transform": plan}]


def encoded(row):
    numbers = [
        ((t["impute"] if row[n] is None else row[n]) - t["mean"]) / t["scale"] for n, t in NUMBERS.items()
    ]
    return numbers + [float(row["plan"] == plan) for plan in PLANS]


def rows(draw, n):
    def row():
        age = None if draw.random() < 0.15 else round(float(draw.normal(30, 10)), 2)
        return {"age": age, "charge": round(float(draw.normal(50, 20)), 2), "plan": str(draw.choice(PLANS))}

    return [row() for _ in range(n)]


def forest(draw, n, squash):
    trees = []
    while len(trees) < n:
        nodes = []
        tree_shap.grow(draw, nodes, 0, 400)
        if len(nodes) < 9:
            continue
        for node in nodes:
            node["value"] = round(float(squash(node["value"])), 6)
        trees.append(nodes)
    return trees


def of_trees(trees, matrix):
    explainer = shap.TreeExplainer(
        {"trees": [tree_shap.of_shap(nodes) for nodes in trees]}, feature_perturbation="tree_path_dependent"
    )
    values = explainer.shap_values(matrix, check_additivity=False).reshape(matrix.shape)
    return float(np.ravel(explainer.expected_value)[0]), values


def case(learner, predictor, base, values, given):
    document = {
        "format": "pipeline.model/1",
        "learner": learner,
        "target": "left",
        "classes": [False, True],
        "features": features(),
        "predictor": predictor,
        "training": {"rows": 400, "positives": 80},
    }
    parts = [{name: float(row[span].sum()) for name, span in SPANS.items()} for row in values]
    return {"model": document, "rows": given, "base": base, "contributions": parts}


def main():
    draw = np.random.default_rng(11)
    given = rows(draw, 12)
    matrix = np.array([encoded(row) for row in given])
    names = ["age", "charge"] + [f"plan={plan}" for plan in PLANS]

    coefficients, intercept = draw.normal(size=5).round(4), round(float(draw.normal()), 4)
    linear = shap.LinearExplainer((coefficients, intercept), np.zeros((1, 5)))
    document = [{"feature": n, "value": float(c)} for n, c in zip(names, coefficients)]
    cases = [
        case(
            "logistic_regression",
            {"linear": {"intercept": intercept, "coefficients": document}},
            float(linear.expected_value),
            linear.shap_values(matrix),
            given,
        )
    ]

    trees = forest(draw, 4, lambda value: 1 / (1 + np.exp(-value)))
    base, values = of_trees(trees, matrix)
    documents = [tree_shap.document(nodes) for nodes in trees]
    cases.append(case("random_forest", {"trees": documents}, base / 4, values / 4, given))

    trees = forest(draw, 5, lambda value: value)
    base, values = of_trees(trees, matrix)
    documents = [tree_shap.document(nodes) for nodes in trees]
    boosted = {"boosted": {"base": -0.7, "trees": documents}}
    cases.append(case("gradient_boosting", boosted, base - 0.7, values, given))
    print(json.dumps({"cases": cases}))


if __name__ == "__main__":
    main()
