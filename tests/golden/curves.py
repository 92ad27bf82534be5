"""Golden values of scikit-learn's curves, for src/ml/metrics/curves.rs.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/curves.py > tests/golden/curves.json
"""

import json

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

assert sklearn.__version__ == "1.9.1", sklearn.__version__


def finite(thresholds):
    return [float(t) if np.isfinite(t) else None for t in thresholds]


def case(name, labels, scores):
    labels, scores = np.array(labels, dtype=int), np.array(scores, dtype=float)
    fpr, tpr, thresholds = roc_curve(labels, scores)
    precision, recall, at = precision_recall_curve(labels, scores)
    observed, mean_score = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    # Gains from the definition: the mean over all orders of rows of equal score is the row's share
    # of its group's positives.
    group_mean = {s: labels[scores == s].mean() for s in scores}
    expected = np.array([group_mean[s] for s in np.sort(scores)[::-1]])
    contacted = [-(-len(labels) * k // 100) for k in range(1, 101)]
    return {
        "name": name,
        "labels": labels.tolist(),
        "scores": scores.tolist(),
        "roc": {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "threshold": finite(thresholds)},
        # From the highest threshold on, as the program has it.
        "precision_recall": {
            "precision": precision[::-1].tolist(),
            "recall": recall[::-1].tolist(),
            "threshold": [None, *at[::-1].tolist()],
        },
        "calibration": {"mean_score": mean_score.tolist(), "observed": observed.tolist()},
        "gain": [float(expected[:n].sum() / labels.sum()) for n in contacted],
        "contacted": contacted,
    }


def main():
    draw = np.random.Generator(np.random.PCG64(13))
    labels = (draw.random(180) < 0.25).astype(int)
    scores = np.clip(0.3 + 0.25 * labels + 0.2 * draw.standard_normal(180), 0, 1)
    cases = [
        case("drawn", labels, scores),
        case("many ties", labels, np.round(scores, 1)),
        case("all scores equal", [0, 1, 1, 0, 0], [0.3] * 5),
        case("separated", [0, 0, 1, 1, 0, 1, 1], [0.1, 0.2, 0.8, 0.9, 0.3, 0.7, 0.6]),
    ]
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
