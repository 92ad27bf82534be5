"""A FastAPI service as people write it: a pipeline of scikit-learn, loaded by joblib, asked with a
DataFrame for each request."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI

from record import Record

app = FastAPI()
model = joblib.load(os.environ["MODEL_DIR"] + "/model.joblib")


@app.get("/health")
def health():
    return {"status": "healthy"}


@app.post("/predict")
def predict(record: Record):
    probability = float(model.predict_proba(pd.DataFrame([record.model_dump()]))[0, 1])
    return {"prediction": int(probability > 0.5), "probability": probability}


@app.post("/predict/batch")
def predict_batch(records: list[Record]):
    rows = pd.DataFrame([record.model_dump() for record in records])
    probabilities = model.predict_proba(rows)[:, 1]
    return [{"prediction": int(p > 0.5), "probability": float(p)} for p in probabilities]
