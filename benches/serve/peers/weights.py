"""A fitted logistic regression without scikit-learn: a dot product in plain Python."""

import json
import math
import os


class Weights:
    def __init__(self):
        with open(os.environ["MODEL_DIR"] + "/weights.json") as file:
            fitted = json.load(file)
        self.intercept = fitted["intercept"]
        self.numbers = [
            (name, median, mean, weight / scale)
            for name, median, mean, scale, weight in fitted["numbers"]
        ]
        self.categories = list(fitted["categories"].items())

    def probability(self, record):
        margin = self.intercept
        for name, median, mean, weight in self.numbers:
            value = record[name]
            margin += ((median if value is None else value) - mean) * weight
        for name, weights in self.categories:
            margin += weights.get(record[name], 0.0)
        return 1.0 / (1.0 + math.exp(-margin))
