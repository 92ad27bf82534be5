"""What the columns are for, and how they become features."""

import pandas as pd
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TARGET, ID, SEGMENT = "churned", "customer_id", "plan_type"
CATEGORIES = ["plan_type", "contract_type", "payment_method", "region", "signup_channel"]
NUMBERS = [
    "tenure_months",
    "monthly_charges",
    "age",
    "device_4g",
    "data_gb_month",
    "voice_minutes_month",
    "topups_90d",
    "days_since_last_topup",
    "dropped_calls_30d",
    "support_calls_90d",
    "complaints_90d",
]
PAIRS = [
    ("tenure_months", "plan_type"),
    ("monthly_charges", "plan_type"),
    ("data_gb_month", "plan_type"),
    ("voice_minutes_month", "plan_type"),
    ("complaints_90d", "plan_type"),
    ("support_calls_90d", "plan_type"),
    ("dropped_calls_30d", "plan_type"),
    ("complaints_90d", "contract_type"),
]


def params():
    with open("params.yaml") as file:
        return yaml.safe_load(file)


def read(path):
    rows = pd.read_parquet(path)
    rows[NUMBERS] = rows[NUMBERS].astype(float)
    return rows


def features(rows):
    return rows[NUMBERS + CATEGORIES]


def with_pairs(rows):
    """A slope of its own for each value of a category, as in the variant `segments`."""
    rows = rows.copy()
    for number, category in PAIRS:
        for value in sorted(rows[category].dropna().unique()):
            rows[f"{number} {value}"] = rows[number].where(rows[category] == value, 0.0)
    silence = rows["days_since_last_topup"].fillna(0.0)
    rows["silence topups"] = silence * rows["topups_90d"]
    rows["silence tenure"] = silence * rows["tenure_months"]
    return rows


def encoder(numbers, scale=True, impute=True):
    steps = [SimpleImputer(strategy="median")] if impute else []
    steps += [StandardScaler()] if scale else []
    numeric = make_pipeline(*steps) if steps else "passthrough"
    categorical = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return ColumnTransformer([("numbers", numeric, numbers), ("categories", categorical, CATEGORIES)])
