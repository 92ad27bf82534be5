"""Golden values for intervals and comparisons, for src/ml/metrics (delong, mcnemar, holm, normal, interval).

DeLong is written here from its definition (the Mann-Whitney kernel over all pairs, then the sample
covariances of the structural components), not with ranks as in the program.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install \
        scikit-learn==1.9.1 numpy==2.3.5 scipy==1.16.3 statsmodels==0.15.0
    /tmp/golden/bin/python tests/golden/comparison.py > tests/golden/comparison.json
"""

import json

import numpy as np
import scipy
import statsmodels
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

assert np.__version__ == "2.3.5", np.__version__
assert scipy.__version__ == "1.16.3", scipy.__version__
assert statsmodels.__version__ == "0.15.0", statsmodels.__version__

LEVEL = 0.95


def components(labels, scores):
    """V10 per positive and V01 per negative row (DeLong et al. 1988, equations 4 and 5)."""
    x, y = scores[labels == 1], scores[labels == 0]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return kernel.mean(axis=1), kernel.mean(axis=0)


def delong(labels, a, b):
    labels, a, b = np.array(labels), np.array(a), np.array(b)
    (a10, a01), (b10, b01) = components(labels, a), components(labels, b)
    s10, s01 = np.cov(a10, b10), np.cov(a01, b01)
    s = s10 / len(a10) + s01 / len(a01)
    auc = [roc_auc_score(labels, a), roc_auc_score(labels, b)]
    z95 = norm.ppf(0.5 + LEVEL / 2)
    intervals = []
    for theta, variance in zip(auc, np.diag(s)):
        logit, se = np.log(theta / (1 - theta)), np.sqrt(variance) / (theta * (1 - theta))
        ends = [1 / (1 + np.exp(-(logit + sign * z95 * se))) for sign in (-1, 1)]
        intervals.append([float(end) for end in ends])
    difference = auc[1] - auc[0]
    error = np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    return {
        "auc": [float(x) for x in auc],
        "variance": [float(s[0, 0]), float(s[1, 1])],
        "intervals": intervals,
        "difference": float(difference),
        "difference_interval": [float(difference - z95 * error), float(difference + z95 * error)],
        "z": float(difference / error),
        "p": float(2 * norm.sf(abs(difference / error))),
    }


def delong_cases():
    draw = np.random.Generator(np.random.PCG64(11))
    labels = (draw.random(160) < 0.3).astype(int)
    a = labels + draw.standard_normal(160)
    b = 0.7 * a + 0.8 * labels + 0.6 * draw.standard_normal(160)
    a, b = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    cases = {
        "drawn": (labels, a, b),
        "many ties": (labels, np.round(a, 1), np.round(b, 1)),
        "nearly equal": (labels, a, np.clip(a + 2e-2 * draw.standard_normal(160), 0, 1)),
        "few": ([1, 0, 1, 0, 0, 1], [0.9, 0.2, 0.4, 0.5, 0.1, 0.8], [0.6, 0.6, 0.7, 0.3, 0.8, 0.2]),
    }
    out = []
    for name, (y, one, other) in cases.items():
        y, one, other = (np.array(x).tolist() for x in (y, one, other))
        found = delong(y, one, other)
        out.append({"name": name, "labels": y, "a": one, "b": other} | found)
    return out


def mcnemar_cases():
    # With as many rows on both sides statsmodels corrects 0 to 1; R and we do not, so none is here
    # among the large ones.
    pairs = [(0, 0), (0, 1), (3, 3), (2, 9), (12, 12), (0, 24), (10, 15), (11, 14), (23, 192), (600, 640)]
    out = []
    for only_a, only_b in pairs:
        exact = only_a + only_b < 25
        result = mcnemar([[5, only_a], [only_b, 7]], exact=exact, correction=True)
        p = 1.0 if only_a + only_b == 0 else float(result.pvalue)
        statistic = None if exact else float(result.statistic)
        out.append({"only_a": only_a, "only_b": only_b, "chi_squared": statistic, "p": p})
    return out


def holm_cases():
    cases = [[], [0.03], [0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.9], [0.02, 0.02, 0.02, 1.0, 0.0]]
    adjust = lambda p: multipletests(p, method="holm")[1].tolist() if p else []
    return [{"p": p, "adjusted": adjust(p)} for p in cases]


def quantile_cases():
    draw = np.random.Generator(np.random.PCG64(12))
    out = []
    for n in (1, 2, 7, 1000):
        values = np.sort(draw.standard_normal(n))
        at = [0.0, 0.025, 0.3, 0.5, 0.975, 1.0]
        out.append({"values": values.tolist(), "at": at, "quantiles": np.quantile(values, at).tolist()})
    return out


def main():
    levels = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999]
    z = [0.0, 0.1, 1.0, 1.96, 5.0, 9.0, 20.0]
    x = [0.0, 0.5, 3.84, 50.0]
    print(
        json.dumps(
            {
                "critical": [[level, float(norm.ppf(0.5 + level / 2))] for level in levels],
                "two_sided": [[value, float(2 * norm.sf(value))] for value in z],
                "chi_squared_tail": [[value, float(scipy.stats.chi2.sf(value, 1))] for value in x],
                "delong": delong_cases(),
                "mcnemar": mcnemar_cases(),
                "holm": holm_cases(),
                "quantiles": quantile_cases(),
            }
        )
    )


if __name__ == "__main__":
    main()
