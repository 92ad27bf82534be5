"""Fits scikit-learn's logistic regression to the example's table, as the servers beside this file
load it: a pipeline by joblib, the same weights as JSON for who does without, and for MLflow's
server a model of MLflow's. Arguments: the table, the directory to write to, and `mlflow`.
"""

import json
import sys

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

CATEGORIES = ["plan_type", "contract_type", "payment_method", "region", "signup_channel"]

table, out = sys.argv[1], sys.argv[2]
rows = pd.read_csv(table)
target = rows.pop("churned")
rows = rows.drop(columns="customer_id")
rows["device_4g"] = rows["device_4g"].astype(float)
numbers = [name for name in rows.columns if name not in CATEGORIES]
rows[numbers] = rows[numbers].astype(float)
numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
categorical = make_pipeline(
    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
)
columns = ColumnTransformer([("n", numeric, numbers), ("c", categorical, CATEGORIES)])
model = make_pipeline(columns, LogisticRegression(class_weight="balanced", max_iter=1000))
model.fit(rows, target)

if "mlflow" in sys.argv[3:]:
    import mlflow

    mlflow.sklearn.save_model(model, f"{out}/mlflow", input_example=rows.head(2))
else:
    weights = model[-1].coef_[0]
    scaler, encoder = columns.transformers_[0][1][-1], columns.transformers_[1][1][-1]
    encoder = model[0].named_transformers_["c"][-1]
    scaler = model[0].named_transformers_["n"][-1]
    medians = model[0].named_transformers_["n"][0].statistics_
    fitted = {
        "intercept": model[-1].intercept_[0],
        "numbers": [
            [name, median, mean, scale, weight]
            for name, median, mean, scale, weight in zip(
                numbers, medians, scaler.mean_, scaler.scale_, weights
            )
        ],
        "categories": {},
    }
    at = len(numbers)
    for name, values in zip(CATEGORIES, encoder.categories_):
        fitted["categories"][name] = dict(zip(values, weights[at : at + len(values)]))
        at += len(values)
    with open(f"{out}/weights.json", "w") as file:
        json.dump(fitted, file, default=float)
    joblib.dump(model, f"{out}/model.joblib")
