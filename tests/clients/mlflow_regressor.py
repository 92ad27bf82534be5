"""Asks a service that predicts a number through MLflow's client of its own scoring server.

    mlflow_regressor.py HOST:PORT RECORDS.json    prints {"prediction": [...]}

scikit-learn's regressors answer with an array, which MLflow's server writes as a list of numbers: the
answer must be the same text.
"""

import io
import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server import predictions_to_json
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main(address, path):
    with open(path) as file:
        records = json.load(file)
    client = ScoringServerClient(*address.split(":"))
    client.wait_server_ready(timeout=10)
    table = pd.DataFrame(records)
    answer = client.invoke(table)
    numbers = answer.get_predictions("ndarray", dtype=np.float64)
    assert numbers.shape == (len(records),), numbers
    written = io.StringIO()
    predictions_to_json(numbers, written)
    assert json.loads(answer.to_json()) == json.loads(written.getvalue()), answer

    columns = {name: table[name].tolist() for name in table}
    for data in (records, json.dumps({"inputs": columns}), json.dumps({"dataframe_records": records})):
        assert client.invoke(data) == answer, data
    assert client.invoke(table, params={"predict_method": "predict"}) == answer
    for wrong, told in [
        (dict(data=table, params={"predict_method": "predict_proba"}), "no probabilities"),
        (dict(data=table.assign(age=10**6)), "must be between"),
    ]:
        try:
            client.invoke(**wrong)
            raise SystemExit(f"{wrong} was taken")
        except Exception as error:
            assert "error code 400" in str(error) and told in str(error), error
    print(json.dumps({"prediction": numbers.tolist()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
