"""What FastAPI answers to bad records, by a Pydantic model made from the package's schema.

    fastapi_422.py SCHEMA.json BODIES.json    prints per body [status, [[type, loc], ...]]

The model is what a person would write for these fields by hand: strict, ranges as `ge` and `le`,
categories as a `Literal`, no other fields.
"""

import json
import sys
from typing import Annotated, Literal, Optional

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ConfigDict, Field, create_model


def annotation(field):
    kind = field["type"]
    if kind == "category":
        ty = Literal[tuple(field["categories"])]
    else:
        ty = {"integer": int, "number": float, "boolean": bool, "text": str}[kind]
        bounds = {k: field[name] for k, name in (("ge", "min"), ("le", "max")) if name in field}
        ty = Annotated[ty, Field(strict=True, **bounds)]
    return Optional[ty] if field["nullable"] else ty


def main(schema_path, bodies_path):
    with open(schema_path) as file:
        fields = json.load(file)["fields"]
    model = create_model(
        "Record",
        __config__=ConfigDict(extra="forbid"),
        **{field["name"]: (annotation(field), ...) for field in fields},
    )
    app = FastAPI()

    @app.post("/predict")
    def predict(record: model):
        return {}

    client = TestClient(app, raise_server_exceptions=False)
    with open(bodies_path) as file:
        bodies = json.load(file)
    answers = []
    for body in bodies:
        answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
        detail = answer.json().get("detail", []) if answer.status_code == 422 else []
        answers.append([answer.status_code, [[entry["type"], entry["loc"]] for entry in detail]])
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
