"""The same service by somebody who has measured: no pandas, no scikit-learn, answers by orjson, no
thread per request."""

import orjson
from fastapi import FastAPI, Response

from record import Record
from weights import Weights

app = FastAPI()
weights = Weights()


def json(answer):
    return Response(orjson.dumps(answer), media_type="application/json")


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.post("/predict")
async def predict(record: Record):
    probability = weights.probability(record.__dict__)
    return json({"prediction": int(probability > 0.5), "probability": probability})


@app.post("/predict/batch")
async def predict_batch(records: list[Record]):
    probabilities = [weights.probability(record.__dict__) for record in records]
    return json([{"prediction": int(p > 0.5), "probability": p} for p in probabilities])
