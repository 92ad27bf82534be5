"""Golden values of scikit-learn's elastic net, linear SVM and naive Bayes, for src/ml/learn.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/linear.py > tests/golden/linear.json

The rows come from the formula of logistic.py, with a fourth feature that does not repeat the third:
under an L1 penalty alone, coefficients of features that say the same are not unique.
"""

import json

import numpy as np
import sklearn
from logistic import rows, unit, weights
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.svm import LinearSVC

assert sklearn.__version__ == "1.9.1", sklearn.__version__

N, WIDTH = 600, 6

NETS = [
    dict(C=1.0, l1_ratio=0.5, class_weight="none", fit_intercept=True, weighted=False),
    dict(C=0.05, l1_ratio=0.5, class_weight="balanced", fit_intercept=True, weighted=False),
    dict(C=0.05, l1_ratio=1.0, class_weight="none", fit_intercept=True, weighted=False),
    dict(C=0.2, l1_ratio=0.9, class_weight="none", fit_intercept=True, weighted=True),
    dict(C=0.1, l1_ratio=0.3, class_weight="none", fit_intercept=False, weighted=False),
]

SVMS = [
    dict(C=1.0, class_weight="none", fit_intercept=True, intercept_scaling=1.0, weighted=False),
    dict(C=0.01, class_weight="balanced", fit_intercept=True, intercept_scaling=1, weighted=False),
    dict(C=10.0, class_weight="none", fit_intercept=True, intercept_scaling=20.0, weighted=True),
    dict(C=0.1, class_weight="none", fit_intercept=False, intercept_scaling=1.0, weighted=False),
]


def class_weight(case):
    return None if case["class_weight"] == "none" else case["class_weight"]


def net(x, y, case):
    model = LogisticRegression(
        C=case["C"],
        l1_ratio=case["l1_ratio"],
        class_weight=class_weight(case),
        fit_intercept=case["fit_intercept"],
        solver="saga",
        tol=1e-13,
        max_iter=200_000,
        random_state=0,
    )
    model.fit(x, y, sample_weight=weights(N) if case["weighted"] else None)
    assert violation(x, y, case, model) < 1e-8, case
    coefficients, intercept = model.coef_[0].tolist(), float(model.intercept_[0])
    return {**case, "coefficients": coefficients, "intercept": intercept}


def violation(x, y, case, model):
    """The largest entry of the least subgradient, per unit of weight: saga may stop early."""
    w = weights(N) if case["weighted"] else np.ones(N)
    if case["class_weight"] == "balanced":
        w = w * np.where(y == 1, N / (2 * y.sum()), N / (2 * (N - y.sum())))
    w = case["C"] * w
    coefficients = model.coef_[0]
    error = w * (expit(x @ coefficients + model.intercept_[0]) - y)
    ridge, lasso = 1 - case["l1_ratio"], case["l1_ratio"]
    gradient = x.T @ error + ridge * coefficients
    free = np.abs(gradient + lasso * np.sign(coefficients))
    entries = np.where(coefficients == 0, np.maximum(np.abs(gradient) - lasso, 0), free)
    intercept = abs(error.sum()) if case["fit_intercept"] else 0.0
    return max(entries.max(), intercept) / w.sum()


def platt(scores, labels, sample_weight, start):
    """Platt's line to the last digit, where L-BFGS stops at a gradient of 1e-6."""
    n_positive = sample_weight[labels == 1].sum()
    n_negative = sample_weight[labels == 0].sum()
    targets = np.where(labels, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    line = np.array(start)
    for _ in range(20):
        p = expit(-(line[0] * scores + line[1]))
        error = sample_weight * (targets - p)
        gradient = np.array([scores @ error, error.sum()])
        curve = sample_weight * p * (1 - p)
        mixed = scores @ curve
        hessian = [[scores**2 @ curve, mixed], [mixed, curve.sum()]]
        line = line - np.linalg.solve(hessian, gradient)
    return line.tolist()


def svm(x, y, case):
    def machine():
        return LinearSVC(
            C=case["C"],
            class_weight=class_weight(case),
            fit_intercept=case["fit_intercept"],
            intercept_scaling=case["intercept_scaling"],
            dual=False,
            tol=1e-13,
            max_iter=1_000_000,
        )

    sample_weight = weights(N) if case["weighted"] else np.ones(N)
    model = machine().fit(x, y, sample_weight=sample_weight)
    calibrated = CalibratedClassifierCV(machine(), cv=5, ensemble=False)
    calibrated.fit(x, y, sample_weight=sample_weight)
    line = calibrated.calibrated_classifiers_[0].calibrators[0]
    margins = np.zeros(N)
    for seen, unseen in StratifiedKFold(5).split(x, y):
        other = machine().fit(x[seen], y[seen], sample_weight=sample_weight[seen])
        margins[unseen] = other.decision_function(x[unseen])
    a, b = platt(margins, y, sample_weight, [line.a_, line.b_])
    assert abs(a - line.a_) < 1e-3 and abs(b - line.b_) < 1e-3, (a, b, line.a_, line.b_)
    intercept = float(model.intercept_[0]) if case["fit_intercept"] else 0.0
    return {
        **case,
        "coefficients": model.coef_[0].tolist(),
        "intercept": intercept,
        "a": a,
        "b": b,
        "sigmoid_of_lbfgs": [float(line.a_), float(line.b_)],
        "probabilities": calibrated.predict_proba(x[:20])[:, 1].tolist(),
    }


def codes():
    return np.array([[int(unit(i, 300 + j) * (3 + 2 * j)) for j in range(3)] for i in range(N)])


def bayes(x, y):
    gaussian = [
        {
            "var_smoothing": smoothing,
            "weighted": weighted,
            "probabilities": GaussianNB(var_smoothing=smoothing)
            .fit(x, y, sample_weight=weights(N) if weighted else None)
            .predict_proba(x[:20])[:, 1]
            .tolist(),
        }
        # Smoothed and weighted at once differs on purpose: see naive_bayes.rs.
        for smoothing, weighted in [(1e-9, False), (0.1, False), (0.0, True)]
    ]
    categorical = [
        {
            "alpha": alpha,
            "fit_prior": prior,
            "weighted": weighted,
            "probabilities": CategoricalNB(alpha=alpha, fit_prior=prior)
            .fit(codes(), y, sample_weight=weights(N) if weighted else None)
            .predict_proba(codes()[:20])[:, 1]
            .tolist(),
        }
        for alpha, prior, weighted in [(1.0, True, False), (0.3, False, False), (2.0, True, True)]
    ]
    return {"gaussian": gaussian, "categorical": categorical}


def main():
    x, y = rows(N, WIDTH)
    x[:, 3] = [unit(i, 202) * 4 - 2 for i in range(N)]
    golden = {
        "positives": int(y.sum()),
        "folds": [int(fold) for fold in folds(y[:37])],
        "elastic_net": [net(x, y, case) for case in NETS],
        "linear_svm": [svm(x, y, case) for case in SVMS],
        "naive_bayes": bayes(x, y),
    }
    print(json.dumps(golden, indent=1))


def folds(y):
    of_row = np.zeros(len(y), dtype=int)
    for fold, (_, unseen) in enumerate(StratifiedKFold(3).split(y, y)):
        of_row[unseen] = fold
    return of_row


if __name__ == "__main__":
    main()
