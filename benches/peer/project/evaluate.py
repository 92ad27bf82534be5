"""How good each model is, overall and per plan; which one is best, and what it looks at."""

import json
import shutil

import joblib
import numpy as np
from sklearn import metrics
from sklearn.inspection import partial_dependence, permutation_importance

from columns import NUMBERS, SEGMENT, TARGET, features, params, read

VARIANTS = ["logistic", "segments", "tree", "forest", "boosting"]
settings = params()
random = np.random.default_rng(settings["seed"])
validation, test = read("validation.parquet"), read("test.parquet")


def scores(target, probability, threshold):
    said = probability >= threshold
    return {
        "roc_auc": metrics.roc_auc_score(target, probability),
        "pr_auc": metrics.average_precision_score(target, probability),
        "log_loss": metrics.log_loss(target, probability),
        "brier": metrics.brier_score_loss(target, probability),
        "accuracy": metrics.accuracy_score(target, said),
        "precision": metrics.precision_score(target, said, zero_division=0),
        "recall": metrics.recall_score(target, said),
        "f1": metrics.f1_score(target, said),
    }


def intervals(target, probability, threshold):
    drawn = []
    for _ in range(settings["resamples"]):
        rows = random.integers(0, len(target), len(target))
        drawn.append(list(scores(target[rows], probability[rows], threshold).values()))
    return np.quantile(drawn, [0.025, 0.975], axis=0).tolist()


report = {}
for variant in VARIANTS:
    model = joblib.load(f"models/{variant}.joblib")
    chosen = model.predict_proba(features(validation))[:, 1]
    known = validation[TARGET].to_numpy()
    precision, recall, thresholds = metrics.precision_recall_curve(known, chosen)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    threshold = thresholds[np.argmax(f1[:-1])]
    probability = model.predict_proba(features(test))[:, 1]
    target = test[TARGET].to_numpy()
    told = {
        "threshold": threshold,
        "validation": scores(known, chosen, threshold),
        "test": scores(target, probability, threshold),
        "intervals": intervals(target, probability, threshold),
        "segments": {},
    }
    for plan in sorted(test[SEGMENT].unique()):
        rows = (test[SEGMENT] == plan).to_numpy()
        told["segments"][plan] = {
            "test": scores(target[rows], probability[rows], threshold),
            "intervals": intervals(target[rows], probability[rows], threshold),
        }
    report[variant] = told
champion = max(VARIANTS, key=lambda variant: report[variant]["validation"]["roc_auc"])
shutil.copy(f"models/{champion}.joblib", "champion.joblib")
model = joblib.load("champion.joblib")
some = test.iloc[:: max(1, len(test) // 1000)].head(1000)
found = permutation_importance(
    model, features(some), some[TARGET], scoring="roc_auc", n_repeats=5, random_state=0
)
few = features(some.head(200))
dependence = {
    name: partial_dependence(model, few, [name], grid_resolution=10)["average"].tolist()
    for name in NUMBERS
}
with open("importance.json", "w") as file:
    means = dict(zip(few.columns, found.importances_mean.tolist()))
    json.dump({"permutation": means, "partial_dependence": dependence}, file)
with open("metrics.json", "w") as file:
    json.dump({"champion": champion, "variants": report}, file, default=float)
if report[champion]["test"]["roc_auc"] < 0.8:
    raise SystemExit("the champion is too bad")
