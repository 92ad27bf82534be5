"""Asks the service through the client with which MLflow asks its own scoring server.

    mlflow_client.py HOST:PORT RECORDS.json    prints {"probability": [...], "prediction": [...]}
"""

import json
import sys

import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main(address, path):
    with open(path) as file:
        records = json.load(file)
    client = ScoringServerClient(*address.split(":"))
    client.wait_server_ready(timeout=10)
    assert "version" in json.loads(client.get_version())

    # A table goes as `dataframe_split`, a list as `inputs`, a text as it is.
    table = pd.DataFrame(records)
    answers = client.invoke(table).get_predictions()
    columns = {name: table[name].tolist() for name in table}
    for data in (records, json.dumps({"inputs": columns}), json.dumps({"dataframe_records": records})):
        again = client.invoke(data).get_predictions()
        assert answers.equals(again), (answers, again)

    labels = client.invoke(table, params={"predict_method": "predict"}).get_predictions()
    assert labels.iloc[:, 0].tolist() == answers["prediction"].tolist(), labels
    both = client.invoke(table, params={"predict_method": "predict_proba"}).get_predictions()
    assert both.iloc[:, 1].tolist() == answers["probability"].tolist(), both

    try:
        client.invoke(table.assign(age=10**6))
        raise SystemExit("a value out of range was taken")
    except Exception as error:
        assert "error code 400" in str(error) and "must be between" in str(error), error
    print(json.dumps({name: answers[name].tolist() for name in ("probability", "prediction")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
