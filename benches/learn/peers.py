"""What a learner of Python costs, for benches/learn: TOOL LEARNER TRAIN TEST.

Reads the rows that benches/learn/rows.rs wrote, fits and predicts with the settings of own.rs, and
prints processor seconds of all threads, seconds on the clock, ROC AUC and memory as JSON.
"""

import json
import resource
import sys
import time

import numpy as np

WIDTH = 20


def read(path):
    rows = np.fromfile(path, dtype="<f8").reshape(-1, WIDTH + 1)
    return np.ascontiguousarray(rows[:, :WIDTH]), rows[:, WIDTH].astype(int)


def make(tool, learner):
    if learner == "gradient_boosting":
        if tool == "lightgbm":
            from lightgbm import LGBMClassifier

            return LGBMClassifier(n_estimators=100, learning_rate=0.1, num_leaves=31, verbose=-1)
        if tool == "xgboost":
            from xgboost import XGBClassifier

            return XGBClassifier(
                n_estimators=100, learning_rate=0.1, max_leaves=31, max_depth=0, reg_lambda=0,
                grow_policy="lossguide", tree_method="hist", min_child_weight=1e-3,
            )
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(max_iter=100, early_stopping=False)
    if learner == "logistic_regression":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=1.0, max_iter=1000)
    if learner == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=-1)
    if learner == "extra_trees":
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(n_estimators=100, random_state=0, n_jobs=-1)
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=8, random_state=0)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(tool, learner, train, test):
    from sklearn.metrics import roc_auc_score

    x, y = read(train)
    x_test, y_test = read(test)
    model = make(tool, learner)
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    model.fit(x, y)
    fit_cpu, fit_wall = time.process_time() - cpu, time.perf_counter() - wall
    fit_mib = peak() - before
    cpu = time.process_time()
    probabilities = model.predict_proba(x_test)[:, 1]
    predict_cpu = time.process_time() - cpu
    auc = roc_auc_score(y_test, probabilities)
    print(json.dumps({
        "fit_cpu": fit_cpu, "fit_wall": fit_wall, "predict_cpu": predict_cpu,
        "auc": float(auc), "fit_mib": fit_mib,
    }))


main(*sys.argv[1:])
