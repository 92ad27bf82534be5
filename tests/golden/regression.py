"""Golden numbers of scikit-learn for regression: src/ml/metrics/regression.rs, src/ml/learn.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/regression.py > tests/golden/regression.json

The rows are those of logistic.py, with a number as the target. There are fewer of them than bins,
so binning loses nothing. Trees whose predictions depend on how scikit-learn breaks ties are none.
"""

import json

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from logistic import rows, unit, weights

assert sklearn.__version__ == "1.9.1", sklearn.__version__


def numbers(x):
    noise = np.array([unit(i, 300) for i in range(len(x))])
    return 1000 + 20 * x[:, 0] * x[:, 1] - 7 * x[:, 2] + 3 * x[:, 4] ** 2 + 5 * noise


def scored(actual, predicted):
    actual, predicted = np.array(actual, float), np.array(predicted, float)
    values = {
        "rmse": metrics.root_mean_squared_error(actual, predicted),
        "mae": metrics.mean_absolute_error(actual, predicted),
        "r2": metrics.r2_score(actual, predicted),
        "median_absolute_error": metrics.median_absolute_error(actual, predicted),
        "mape": metrics.mean_absolute_percentage_error(actual, predicted),
        "explained_variance": metrics.explained_variance_score(actual, predicted),
    }
    if (actual == 0).any():
        values["mape"] = None
    return {"actual": actual.tolist(), "predicted": predicted.tolist(), "values": values}


def stable(fit):
    first = fit(0)
    for seed in range(1, 10):
        assert np.allclose(first, fit(seed), rtol=0, atol=1e-9)
    return first.tolist()


def main():
    x, _ = rows(240, 6)
    y = numbers(x)
    weight = weights(len(x))
    trees, boosted, ridges = [], [], []
    for case in [
        dict(max_depth=3, min_samples_leaf=5, min_samples_split=2),
        dict(max_depth=6, min_samples_leaf=4, min_samples_split=30),
    ]:
        for weighted in [False, True]:
            w = weight if weighted else None
            fit = lambda s: DecisionTreeRegressor(**case, random_state=s).fit(x, y, w).predict(x)
            trees.append({**case, "weighted": weighted, "predictions": stable(fit)})
    for case in [
        dict(max_depth=2, min_samples_leaf=10, n_estimators=30, learning_rate=0.1),
        dict(max_depth=3, min_samples_leaf=5, n_estimators=10, learning_rate=0.3),
    ]:
        fit = lambda s: GradientBoostingRegressor(**case, random_state=s).fit(x, y).predict(x)
        boosted.append({**case, "predictions": stable(fit)})
    for alpha in [0.01, 1.0, 100.0]:
        for fit_intercept in [True, False]:
            for weighted in [False, True]:
                model = Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="cholesky", tol=1e-12)
                model.fit(x, y, weight if weighted else None)
                ridges.append({
                    "alpha": alpha, "fit_intercept": fit_intercept, "weighted": weighted,
                    "coefficients": model.coef_.tolist(), "intercept": float(model.intercept_),
                })
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(x, y)
    scores = [
        scored(y, tree.predict(x)),
        scored([3, -0.5, 2, 7], [2.5, 0.0, 2, 8]),
        scored([0, 1, 2, 3, 4], [0.5, 1, 1.5, 2, 10]),
        scored([1e9, 1e9 + 1, 1e9 + 2], [1e9 + 0.5, 1e9 + 1, 1e9 + 1.5]),
    ]
    print(json.dumps({
        "rows": len(x), "width": 6, "targets": y.tolist(), "trees": trees, "boosted": boosted,
        "ridges": ridges, "metrics": scores,
    }))


if __name__ == "__main__":
    main()
