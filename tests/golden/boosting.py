"""Golden probabilities of LightGBM, for src/ml/learn/boosting.rs.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install lightgbm==4.7.0 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/boosting.py > tests/golden/boosting.json

The rows are those of logistic.py, with a column of category codes and a column with holes. There are
fewer of them than bins and a bin may hold a single row, so that binning loses nothing. Leaves are
limited by their curvature and not by their rows: LightGBM estimates how many rows a leaf has. There are few trees:
sums in single precision decide a near tie the other way sooner or later, and LightGBM does not try
a feature again below a node where it gained nothing.
"""

import json

import lightgbm
import numpy as np

from logistic import rows, unit

assert lightgbm.__version__ == "4.7.0", lightgbm.__version__

PLAIN = dict(
    num_leaves=7, max_depth=-1, min_child_weight=2.0, reg_alpha=0.0, reg_lambda=0.0,
    class_weight="none", categorical=False, monotone=0,
)
CASES = [
    {},
    dict(reg_alpha=0.1, reg_lambda=1.0),
    dict(max_depth=2),
    dict(class_weight="balanced"),
    dict(categorical=True, min_child_weight=0.5),
    dict(monotone=1, num_leaves=10),
]


def fit(x, y, case):
    """The fitted model of a case."""
    model = lightgbm.LGBMClassifier(
        n_estimators=10, learning_rate=0.1, num_leaves=case["num_leaves"],
        max_depth=case["max_depth"], min_child_samples=1,
        min_child_weight=case["min_child_weight"],
        reg_alpha=case["reg_alpha"], reg_lambda=case["reg_lambda"],
        class_weight=None if case["class_weight"] == "none" else "balanced",
        monotone_constraints=[0, case["monotone"], 0, 0, 0, 0],
        min_data_in_bin=1, max_bin=1023, enable_bundle=False, feature_pre_filter=False,
        deterministic=True, force_col_wise=True, n_jobs=1, verbose=-1,
    )
    categorical = [4] if case["categorical"] else "auto"
    return model.fit(x, y, categorical_feature=categorical)


def main():
    n, width = 240, 6
    x, y = rows(n, width)
    for i in range(n):
        x[i, 3] = unit(i, 202) * 4 - 2
        x[i, 4] = int(unit(i, 200) * 9.0)
        if unit(i, 201) < 0.2:
            x[i, 0] = np.nan
    cases = []
    for changes in CASES:
        case = {**PLAIN, **changes}
        model = fit(x, y, case)
        probabilities = [round(float(p), 12) for p in model.predict_proba(x)[:, 1]]
        cases.append({**case, "probabilities": probabilities})
    golden = {"rows": n, "width": width, "cases": cases}
    print(json.dumps(golden))


if __name__ == "__main__":
    main()
