"""Golden probabilities of scikit-learn's DecisionTreeClassifier, for src/ml/learn/forest.rs.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/tree.py > tests/golden/tree.json

The rows are those of logistic.py. There are fewer of them than bins, so binning loses nothing.
"""

import json

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from logistic import rows

CASES = [
    dict(max_depth=3, min_samples_leaf=5, min_samples_split=2, class_weight="none"),
    dict(max_depth=5, min_samples_leaf=5, min_samples_split=30, class_weight="none"),
    dict(max_depth=5, min_samples_leaf=15, min_samples_split=2, class_weight="balanced"),
]


def fit(x, y, case, seed):
    weight = None if case["class_weight"] == "none" else case["class_weight"]
    tree = DecisionTreeClassifier(**{**case, "class_weight": weight}, random_state=seed)
    return tree.fit(x, y).predict_proba(x)[:, 1]


def main():
    n, width = 240, 6
    x, y = rows(n, width)
    cases = []
    for case in CASES:
        probabilities = fit(x, y, case, 0)
        # scikit-learn breaks ties by chance: only cases without a tie that matters are golden.
        for seed in range(1, 20):
            assert np.allclose(probabilities, fit(x, y, case, seed), rtol=0, atol=1e-12), case
        cases.append({**case, "probabilities": [round(p, 14) for p in probabilities.tolist()]})
    print(json.dumps({"rows": n, "width": width, "cases": cases}))


if __name__ == "__main__":
    main()
