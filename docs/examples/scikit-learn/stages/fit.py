"""Fits a logistic regression on scaled features."""

import os
import sys

import joblib
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from table import read

train, path = sys.argv[1:]
features, classes = read(train)
C = float(os.environ["C"])
model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
model.fit(features, classes)
joblib.dump(model, path)
print(f"fitted on {len(classes)} rows of {sorted(set(classes.tolist()))}")
