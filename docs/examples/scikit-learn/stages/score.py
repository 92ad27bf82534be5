"""Scores a model on rows that it has not seen."""

import json
import sys

import joblib
from sklearn.metrics import accuracy_score, f1_score

from table import read

path, test, metrics = sys.argv[1:]
model = joblib.load(path)
features, classes = read(test)
predicted = model.predict(features)
found = {
    "accuracy": accuracy_score(classes, predicted),
    "f1_macro": f1_score(classes, predicted, average="macro"),
    "n": len(classes),
}
with open(metrics, "w") as file:
    json.dump(found, file, indent=2, sort_keys=True)
    file.write("\n")
print(f"accuracy {found['accuracy']:.3f}")
