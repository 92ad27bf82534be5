"""Golden values of scikit-learn's metrics with sample_weight, for src/ml/metrics/weighted.rs.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/weighted_metrics.py > tests/golden/weighted_metrics.json

Scores have ties, weights are eighths, zeros among them.
"""

import json

import numpy as np
import sklearn
from sklearn import metrics

assert sklearn.__version__ == "1.9.1", sklearn.__version__

draw = np.random.Generator(np.random.PCG64(12))


def classes(n, digits, threshold):
    labels = draw.random(n) < 0.35
    scores = np.round(np.clip(draw.normal(0.35 + 0.25 * labels, 0.2), 0.0, 1.0), digits)
    weights = draw.integers(0, 33, n) / 8
    decided = scores >= threshold
    kept = dict(sample_weight=weights)
    values = {
        "roc_auc": metrics.roc_auc_score(labels, scores, **kept),
        "pr_auc": metrics.average_precision_score(labels, scores, **kept),
        "log_loss": metrics.log_loss(labels, scores, **kept),
        "brier": metrics.brier_score_loss(labels, scores, **kept),
        "accuracy": metrics.accuracy_score(labels, decided, **kept),
        "precision": metrics.precision_score(labels, decided, **kept),
        "recall": metrics.recall_score(labels, decided, **kept),
        "f1": metrics.f1_score(labels, decided, **kept),
    }
    return {
        "labels": labels.tolist(),
        "scores": scores.tolist(),
        "decided": decided.tolist(),
        "weights": weights.tolist(),
        "values": {name: float(value) for name, value in values.items()},
    }


def numbers(n):
    actual = np.round(draw.lognormal(1.0, 0.7, n), 2) + 0.01
    predicted = np.round(actual + draw.normal(0.1, 1.0, n), 2)
    weights = draw.integers(0, 33, n) / 8
    kept = dict(sample_weight=weights)
    values = {
        "rmse": metrics.root_mean_squared_error(actual, predicted, **kept),
        "mae": metrics.mean_absolute_error(actual, predicted, **kept),
        "r2": metrics.r2_score(actual, predicted, **kept),
        "median_absolute_error": metrics.median_absolute_error(actual, predicted, **kept),
        "mape": metrics.mean_absolute_percentage_error(actual, predicted, **kept),
        "explained_variance": metrics.explained_variance_score(actual, predicted, **kept),
    }
    return {
        "actual": actual.tolist(),
        "predicted": predicted.tolist(),
        "weights": weights.tolist(),
        "values": {name: float(value) for name, value in values.items()},
    }


print(json.dumps({
    "classes": [classes(60, 1, 0.5), classes(80, 2, 0.4), classes(40, 6, 0.7)],
    "numbers": [numbers(50), numbers(51), numbers(12)],
}, indent=1))
