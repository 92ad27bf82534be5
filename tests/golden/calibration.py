"""Golden values of scikit-learn's calibrators, for src/ml/calibration.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/calibration.py > tests/golden/calibration.json

Platt's line is scikit-learn's `_SigmoidCalibration` over log-odds, solved anew to the last digit,
because its L-BFGS stops where the gradient is 1e-6; both are written, and agree.
"""

import json
from math import fsum

import numpy as np
import sklearn
from scipy.special import expit, logit
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

assert sklearn.__version__ == "1.9.1", sklearn.__version__


def exact(scores, labels, start):
    n_positive = labels.sum()
    n_negative = len(labels) - n_positive
    targets = np.where(labels, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    line = np.array(start)
    for _ in range(20):
        p = expit(-(line[0] * scores + line[1]))
        gradient = np.array([fsum(scores * (targets - p)), fsum(targets - p)])
        curve = p * (1 - p)
        mixed = fsum(scores * curve)
        hessian = [[fsum(scores**2 * curve), mixed], [mixed, fsum(curve)]]
        line = line - np.linalg.solve(hessian, gradient)
    assert np.abs(gradient).max() < 1e-13 * len(labels), gradient
    return line.tolist()


def case(name, probabilities, labels, new):
    scores = logit(np.clip(probabilities, 1e-12, 1 - 1e-12))
    platt = _SigmoidCalibration().fit(scores, labels)
    a, b = exact(scores, labels, [platt.a_, platt.b_])
    assert abs(a - platt.a_) < 1e-4 and abs(b - platt.b_) < 1e-4, (a, b, platt.a_, platt.b_)
    steps = IsotonicRegression(out_of_bounds="clip").fit(probabilities, labels)
    new = np.array(new)
    new_scores = logit(np.clip(new, 1e-12, 1 - 1e-12))
    return {
        "name": name,
        "probabilities": probabilities.tolist(),
        "labels": labels.tolist(),
        "new": new.tolist(),
        "sigmoid": {"a": a, "b": b, "new": expit(-(a * new_scores + b)).tolist()},
        "sigmoid_of_lbfgs": [float(platt.a_), float(platt.b_)],
        "isotonic": {
            "x": steps.X_thresholds_.tolist(),
            "y": steps.y_thresholds_.tolist(),
            "new": steps.predict(new).tolist(),
        },
    }


def main():
    draw = np.random.Generator(np.random.PCG64(5))
    new = [0.0, 1e-15, 0.013, 0.25, 0.5, 0.625, 0.77, 0.999, 1.0]
    p = draw.random(250)
    true = expit(0.6 * logit(p) - 1.2)
    labels = (draw.random(250) < true).astype(int)
    coarse = np.round(p, 1)
    few = np.array([0.2, 0.4, 0.4, 0.9])
    cases = [
        case("too high and too sure", p, labels, new),
        case("many ties, 0 and 1 among them", coarse, (draw.random(250) < coarse).astype(int), new),
        case("ranked the wrong way round", p, (draw.random(250) < 1 - p).astype(int), new),
        case("four rows", few, np.array([0, 1, 0, 1]), new),
        case("few positives", p, (draw.random(250) < 0.06 * p).astype(int), new),
    ]
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
