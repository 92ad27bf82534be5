"""Golden values of the population stability index, for src/ml/drift/psi.rs.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scipy==1.16.3 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/psi.py > tests/golden/psi.json
"""

import json

import numpy as np
import scipy
from scipy import stats

assert scipy.__version__ == "1.16.3", scipy.__version__


def case(reference, table):
    a, b = np.array(reference), np.array(table)
    kept = (a + b) > 0
    p, q = a[kept] / a.sum(), b[kept] / b.sum()
    p, q = np.where(p == 0, 1e-4, p), np.where(q == 0, 1e-4, q)
    psi = float(np.sum((q - p) * np.log(q / p)))
    scaled = psi / (1 / a.sum() + 1 / b.sum())
    return {
        "reference": a.tolist(),
        "table": b.tolist(),
        "psi": psi,
        "p_value": float(stats.chi2.sf(scaled, kept.sum() - 1)),
    }


def main():
    draw = np.random.Generator(np.random.PCG64(11))
    even = np.full(10, 0.1)
    tilted = np.linspace(1, 2, 10) / np.linspace(1, 2, 10).sum()
    cases = [
        case(draw.multinomial(n, even), draw.multinomial(m, shares))
        for n, m in [(1800, 250), (1800, 9000), (100, 100)]
        for shares in [even, tilted]
    ]
    cases.append(case([5, 0, 20, 0], [0, 3, 25, 0]))
    cases.append(case([900, 100], [800, 200]))
    print(json.dumps({"cases": cases}, indent=1))


if __name__ == "__main__":
    main()
