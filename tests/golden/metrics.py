"""Golden values of scikit-learn's metrics, for src/ml/metrics.rs.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/metrics.py > tests/golden/metrics.json
"""

import json

import numpy as np
import sklearn
from sklearn import metrics

assert sklearn.__version__ == "1.9.1", sklearn.__version__


def case(name, labels, scores, threshold):
    labels, scores = np.array(labels, dtype=int), np.array(scores, dtype=float)
    predicted = (scores >= threshold).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(labels, predicted, labels=[0, 1]).ravel().tolist()
    both = 0 < labels.sum() < len(labels)
    return {
        "name": name,
        "labels": labels.tolist(),
        "scores": scores.tolist(),
        "threshold": threshold,
        "roc_auc": float(metrics.roc_auc_score(labels, scores)) if both else None,
        "pr_auc": float(metrics.average_precision_score(labels, scores)) if labels.sum() else None,
        "log_loss": float(metrics.log_loss(labels, scores, labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(labels, scores, pos_label=1)),
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "precision": float(metrics.precision_score(labels, predicted)) if tp + fp else None,
        "recall": float(metrics.recall_score(labels, predicted)) if tp + fn else None,
        "f1": float(metrics.f1_score(labels, predicted)) if tp + fp + fn else None,
        "confusion": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
    }


def main():
    draw = np.random.Generator(np.random.PCG64(7))
    labels = (draw.random(300) < 0.2).astype(int)
    scores = np.clip(0.25 + 0.3 * labels + 0.2 * draw.standard_normal(300), 0, 1)
    cases = [
        case("drawn", labels, scores, 0.5),
        case("many ties", labels, np.round(scores, 1), 0.4),
        case("certain and wrong", [0, 1, 0, 1], [1.0, 0.0, 0.0, 1.0], 0.5),
        case("all scores equal", [0, 1, 1, 0, 0], [0.3] * 5, 0.3),
        case("nothing predicted positive", [0, 1, 0], [0.1, 0.2, 0.3], 0.9),
        case("only negatives", [0, 0, 0], [0.1, 0.6, 0.3], 0.5),
        case("only positives", [1, 1], [0.4, 0.8], 0.5),
    ]
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
