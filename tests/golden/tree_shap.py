"""SHAP values of the package `shap` for trees of the model format, for src/ml/learn/shap.rs.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install shap==0.51.0 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/tree_shap.py > tests/golden/tree_shap.json

The trees are drawn: any shape, thresholds and covers, and missing values that go either way.
"""

import json

import numpy as np
import shap

assert shap.__version__ == "0.51.0", shap.__version__

WIDTH = 5


def grow(draw, nodes, depth, rows):
    """Adds a subtree in preorder and returns the index of its root."""
    at = len(nodes)
    node = dict(feature=None, right=None, threshold=None, left=False, rows=rows)
    node["value"] = round(float(draw.normal()), 6)
    nodes.append(node)
    if depth < 6 and rows >= 4 and draw.random() < 0.8:
        n_left = int(draw.integers(1, rows))
        node["feature"] = int(draw.integers(WIDTH))
        node["threshold"] = round(float(draw.normal()), 3)
        node["left"] = bool(draw.random() < 0.5)
        grow(draw, nodes, depth + 1, n_left)
        node["right"] = grow(draw, nodes, depth + 1, rows - n_left)
    return at


def of_shap(nodes):
    """The same tree as `shap` wants it; it sends a row left when its value is at most a threshold."""
    inner = [node["right"] is not None for node in nodes]
    left = [i + 1 if is_inner else -1 for i, is_inner in enumerate(inner)]
    right = [node["right"] if is_inner else -1 for node, is_inner in zip(nodes, inner)]
    default = [l if node["left"] else r for node, l, r in zip(nodes, left, right)]
    return {
        "children_left": np.array(left),
        "children_right": np.array(right),
        "children_default": np.array(default),
        "features": np.array([node["feature"] if is_inner else -2 for node, is_inner in zip(nodes, inner)]),
        "thresholds": np.array([node["threshold"] if is_inner else -2.0 for node, is_inner in zip(nodes, inner)]),
        "values": np.array([[node["value"]] for node in nodes]),
        "node_sample_weight": np.array([float(node["rows"]) for node in nodes]),
    }


def document(nodes):
    """The tree in the model format."""
    lists = {key: [node[key] for node in nodes] for key in ["feature", "right", "threshold", "value", "rows"]}
    return {**lists, "missing_left": [i for i, node in enumerate(nodes) if node["left"]]}


def main():
    draw = np.random.default_rng(7)
    cases = []
    while len(cases) < 8:
        nodes = []
        grow(draw, nodes, 0, 400)
        if len(nodes) < 9:
            continue
        rows = draw.normal(size=(6, WIDTH)).round(3)
        rows[draw.random(rows.shape) < 0.15] = np.nan
        explainer = shap.TreeExplainer({"trees": [of_shap(nodes)]}, feature_perturbation="tree_path_dependent")
        values = explainer.shap_values(rows, check_additivity=False)
        cases.append({
            "tree": document(nodes),
            "rows": [[None if np.isnan(x) else float(x) for x in row] for row in rows],
            "expected": float(np.ravel(explainer.expected_value)[0]),
            "values": [[float(x) for x in row] for row in values.reshape(len(rows), WIDTH)],
        })
    print(json.dumps({"width": WIDTH, "cases": cases}))


if __name__ == "__main__":
    main()
