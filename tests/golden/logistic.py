"""Golden coefficients of scikit-learn's LogisticRegression, for src/ml/learn/logistic.rs.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/logistic.py > tests/golden/logistic.json

The rows come from a formula, so that the test can make them, too, and the file stays small.
"""

import json

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

assert sklearn.__version__ == "1.9.1", sklearn.__version__


def unit(i, j):
    """A number in [0, 1) from two integers: a multiplicative hash, the same in any language."""
    mixed = ((i * 31 + j + 1) * 2654435761) % 2**32
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) % 2**32
    return (mixed ^ (mixed >> 13)) % 10000 / 10000


def rows(n, width):
    x = np.array([[unit(i, j) * 4 - 2 for j in range(width)] for i in range(n)])
    x[:, 2] = (x[:, 2] > 0.5).astype(float)
    x[:, 3] = 1.0 - x[:, 2]
    score = 1.3 * x[:, 0] - 0.7 * x[:, 1] + 0.9 * x[:, 2] - 1.5
    y = np.array([unit(i, 100) < 1 / (1 + np.exp(-s)) for i, s in enumerate(score)])
    return x, y.astype(int)


def weights(n):
    return np.array([1 + i % 3 for i in range(n)], dtype=float)


CASES = [
    dict(C=1.0, class_weight="none", fit_intercept=True, weighted=False),
    dict(C=1.0, class_weight="balanced", fit_intercept=True, weighted=False),
    dict(C=0.01, class_weight="balanced", fit_intercept=True, weighted=False),
    dict(C=100.0, class_weight="none", fit_intercept=True, weighted=True),
    dict(C=1.0, class_weight="balanced", fit_intercept=True, weighted=True),
    dict(C=1.0, class_weight="none", fit_intercept=False, weighted=False),
]


def fit(x, y, case, solver):
    model = LogisticRegression(
        C=case["C"],
        class_weight=None if case["class_weight"] == "none" else case["class_weight"],
        fit_intercept=case["fit_intercept"],
        solver=solver,
        tol=1e-12,
        max_iter=10_000,
    )
    model.fit(x, y, sample_weight=weights(len(y)) if case["weighted"] else None)
    return model.coef_[0], float(model.intercept_[0])


def main():
    n, width = 600, 6
    x, y = rows(n, width)
    cases = []
    for case in CASES:
        coefficients, intercept = fit(x, y, case, "newton-cholesky")
        # lbfgs stops earlier, so it agrees less closely.
        again, intercept_again = fit(x, y, case, "lbfgs")
        assert np.allclose(coefficients, again, atol=1e-4), (coefficients, again)
        assert abs(intercept - intercept_again) < 1e-4, (intercept, intercept_again)
        cases.append({**case, "coefficients": coefficients.tolist(), "intercept": intercept})
    golden = {"rows": n, "width": width, "positives": int(y.sum()), "cases": cases}
    print(json.dumps(golden, indent=1))


if __name__ == "__main__":
    main()
