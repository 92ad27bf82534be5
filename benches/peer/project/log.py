"""The run in MLflow."""

import json

import mlflow

from columns import params

with open("metrics.json") as file:
    report = json.load(file)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("churn")
with mlflow.start_run() as run:
    mlflow.log_params({"seed": params()["seed"], "champion": report["champion"]})
    for variant, settings in params()["train"].items():
        mlflow.log_params({f"{variant}.{name}": value for name, value in settings.items()})
        told = report["variants"][variant]["test"]
        mlflow.log_metrics({f"{variant}.{name}": value for name, value in told.items()})
    mlflow.log_artifact("metrics.json")
with open("run.txt", "w") as file:
    file.write(run.info.run_id)
