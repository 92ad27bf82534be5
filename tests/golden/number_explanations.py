"""What each column adds to a predicted number by the package `shap`, for src/ml/model/explanation.rs.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install shap==0.51.0 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/number_explanations.py > tests/golden/number_explanations.json

As explanations.py, of regressions: a line, averaged trees and boosted trees whose leaves are numbers
of any size and sign.
"""

import json

import numpy as np
import shap

from explanations import SPANS, encoded, features, forest, of_trees, rows
from tree_shap import document


def case(learner, predictor, base, values, given):
    model = {
        "format": "pipeline.regressor/1",
        "learner": learner,
        "target": "spent",
        "features": features(),
        "predictor": predictor,
        "training": {"rows": 400},
    }
    parts = [{name: float(row[span].sum()) for name, span in SPANS.items()} for row in values]
    return {"model": model, "rows": given, "base": base, "contributions": parts}


def main():
    draw = np.random.default_rng(13)
    given = rows(draw, 12)
    matrix = np.array([encoded(row) for row in given])

    coefficients, intercept = (300 * draw.normal(size=5)).round(2), 812.5
    linear = shap.LinearExplainer((coefficients, intercept), np.zeros((1, 5)))
    names = ["age", "charge", "plan=basic", "plan=gold", "plan=plus"]
    listed = [{"feature": n, "value": float(c)} for n, c in zip(names, coefficients)]
    line = {"linear": {"intercept": intercept, "coefficients": listed}}
    cases = [case("ridge", line, float(linear.expected_value), linear.shap_values(matrix), given)]

    trees = forest(draw, 4, lambda value: 1000 * value)
    base, values = of_trees(trees, matrix)
    averaged = {"trees": [document(nodes) for nodes in trees]}
    cases.append(case("random_forest", averaged, base / 4, values / 4, given))

    trees = forest(draw, 5, lambda value: -50 * value)
    base, values = of_trees(trees, matrix)
    boosted = {"boosted": {"base": 431.0, "trees": [document(nodes) for nodes in trees]}}
    cases.append(case("gradient_boosting", boosted, base + 431.0, values, given))
    print(json.dumps({"cases": cases}))


if __name__ == "__main__":
    main()
