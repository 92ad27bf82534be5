"""One model."""

import os
import sys

import joblib
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from columns import NUMBERS, TARGET, encoder, features, params, read, with_pairs

variant = sys.argv[1]
settings, seed = params()["train"][variant], params()["seed"]
rows = read("train.parquet")
inputs, target = features(rows), rows[TARGET]
weight = {"class_weight": "balanced"}
if variant == "logistic":
    model = make_pipeline(encoder(NUMBERS), LogisticRegression(max_iter=1000, **weight, **settings))
elif variant == "segments":
    known = set(inputs.columns)
    numbers = NUMBERS + [name for name in with_pairs(inputs.head(1000)) if name not in known]
    pairs = FunctionTransformer(with_pairs)
    learner = LogisticRegression(max_iter=1000, **weight, **settings)
    model = make_pipeline(pairs, encoder(numbers), learner)
elif variant == "tree":
    learner = DecisionTreeClassifier(random_state=seed, **weight, **settings)
    model = make_pipeline(encoder(NUMBERS, scale=False), learner)
elif variant == "forest":
    learner = RandomForestClassifier(random_state=seed, n_jobs=-1, **weight, **settings)
    model = make_pipeline(encoder(NUMBERS, scale=False), learner)
else:
    learner = HistGradientBoostingClassifier(
        random_state=seed, early_stopping=False, **weight, **settings
    )
    model = make_pipeline(encoder(NUMBERS, scale=False, impute=False), learner)
model.fit(inputs, target)
os.makedirs("models", exist_ok=True)
joblib.dump(model, f"models/{variant}.joblib")
