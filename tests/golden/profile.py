"""Golden values of scipy, numpy and pandas, for src/ml: association, special, profile, drift.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install scipy==1.16.3 numpy==2.3.5 pandas==2.3.3
    /tmp/golden/bin/python tests/golden/profile.py > tests/golden/profile.json
"""

import json
import math
import warnings

import numpy as np
import pandas as pd
import scipy
from scipy import special, stats
from scipy.spatial import distance

assert scipy.__version__ == "1.16.3", scipy.__version__
assert pd.__version__ == "2.3.3", pd.__version__
warnings.filterwarnings("ignore")


def number(value):
    return float(value) if value is not None and math.isfinite(value) else None


def corrected(table):
    """Bergsma (2013), as ydata-profiling has it, without Yates' correction."""
    chi2 = stats.chi2_contingency(table, correction=False)[0]
    n, (r, k) = table.sum(), table.shape
    phi2 = max(0.0, chi2 / n - (k - 1) * (r - 1) / (n - 1))
    r, k = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    return math.sqrt(phi2 / (min(r, k) - 1))


def association(a, b):
    table = pd.crosstab(pd.Series(a), pd.Series(b)).to_numpy()
    has_both = min(table.shape) > 1
    return {
        "a": [float(value) for value in a],
        "b": [float(value) for value in b],
        "pearson": number(stats.pearsonr(a, b)[0]) if has_both else None,
        "spearman": number(stats.spearmanr(a, b)[0]) if has_both else None,
        "cramers_v": number(stats.contingency.association(table)) if has_both else None,
        "cramers_v_corrected": number(corrected(table)) if has_both else None,
    }


def tails():
    cases = []
    for degrees in [1, 2, 5, 19, 99, 400]:
        for x in [0.0, 0.01, 0.5, 1.0, 3.84, degrees * 0.9, degrees * 1.0, degrees * 1.5, 200.0]:
            tail = float(stats.chi2.sf(x, degrees))
            cases.append({"name": "chi2", "x": x, "degrees": degrees, "tail": tail})
    for x in [0.0, 0.05, 0.3, 0.5, 0.81, 0.82, 1.0, 1.36, 2.0, 4.0]:
        cases.append({"name": "kolmogorov", "x": x, "tail": float(special.kolmogorov(x))})
    return cases


def shape(values):
    series = pd.Series(values)
    return {
        "values": [float(value) for value in values],
        "sum": number(series.sum()),
        "variance": number(series.var()),
        "coefficient_of_variation": number(series.std() / series.mean()),
        "skewness": number(series.skew()) if series.nunique() > 1 else None,
        "kurtosis": number(series.kurt()) if series.nunique() > 1 else None,
        "median_absolute_deviation": number((series - series.median()).abs().median()),
        "interquartile_range": number(series.quantile(0.75) - series.quantile(0.25)),
    }


def drift(reference, table, edges):
    """Over the bins of the reference, with one below and one above."""
    reference, table = np.sort(reference), np.sort(table)

    def counts(values):
        inner = np.histogram(values, edges)[0]
        return np.array([(values < edges[0]).sum(), *inner, (values > edges[-1]).sum()])

    a, b = counts(reference), counts(table)
    p, q = a / a.sum(), b / b.sum()
    used = (a + b) > 0
    filled_p, filled_q = np.where(p == 0, 1e-4, p)[used], np.where(q == 0, 1e-4, q)[used]
    psi = float(((filled_q - filled_p) * np.log(filled_q / filled_p)).sum())
    n, m = int(a.sum()), int(b.sum())
    chi2 = stats.chi2_contingency(np.array([a[used], b[used]]), correction=False)
    low, high = min(table[0], edges[0]), max(table[-1], edges[-1])
    ends = np.array([low, *edges, high])
    middles = (ends[1:] + ends[:-1]) / 2
    ks = float(np.abs(np.cumsum(q) - np.cumsum(p)).max())
    return {
        "reference": [float(value) for value in reference],
        "table": [float(value) for value in table],
        "edges": [float(edge) for edge in edges],
        "counts": [int(count) for count in b],
        "psi": psi,
        "psi_p_value": float(stats.chi2.sf(psi * n * m / (n + m), used.sum() - 1)),
        "jensen_shannon": float(distance.jensenshannon(p, q)),
        "chi_square": float(chi2[0]),
        "chi_square_p_value": float(chi2[1]),
        "ks": ks,
        "ks_p_value": float(special.kolmogorov(ks * math.sqrt(n * m / (n + m)))),
        "wasserstein": float(
            stats.wasserstein_distance(middles, middles, p, q) / reference.std(ddof=1)
        ),
    }


def main():
    draw = np.random.Generator(np.random.PCG64(5))
    a = draw.integers(0, 6, 80)
    associations = [
        association(a, draw.integers(0, 4, 80)),
        association(a, (a + draw.integers(0, 3, 80)) // 2),
        association(a[:20], 9 - a[:20]),
        association(a, np.ones(80, dtype=int)),
        association(draw.integers(0, 2, 60), draw.integers(0, 2, 60)),
    ]
    shapes = [
        shape(draw.normal(3, 2, 200)),
        shape(draw.integers(-3, 4, 50)),
        shape(np.exp(draw.normal(0, 2, 100))),
        shape([1.5, 2.5]),
        shape([4.0, 4.0, 4.0]),
        shape([1.0, 2.0, 4.0]),
    ]
    drifts = []
    for shift, spread in [(0.0, 1.0), (0.3, 1.0), (0.0, 1.4), (6.0, 0.5)]:
        reference = draw.normal(0, 1, 500)
        edges = np.quantile(reference, np.linspace(0, 1, 11))
        drifts.append(drift(reference, draw.normal(shift, spread, 300), edges))
    golden = {"associations": associations, "tails": tails(), "shapes": shapes, "drifts": drifts}
    print(json.dumps(golden))


if __name__ == "__main__":
    main()
