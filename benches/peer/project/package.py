"""Everything that is needed to predict, in one directory."""

import json
import os
import shutil

from columns import features, read
import joblib

os.makedirs("package", exist_ok=True)
shutil.copy("champion.joblib", "package/model.joblib")
with open("metrics.json") as file:
    report = json.load(file)
with open("profile.json") as file:
    columns = json.load(file)["columns"]
rows = features(read("test.parquet")).head(20)
model = joblib.load("champion.joblib")
schema = {
    name: {key: columns[name][key] for key in ("min", "max", "frequencies") if key in columns[name]}
    for name in rows.columns
}
with open("package/package.json", "w") as file:
    known = {
        "champion": report["champion"],
        "threshold": report["variants"][report["champion"]]["threshold"],
        "schema": schema,
        "reference": [rows.to_dict("records"), model.predict_proba(rows)[:, 1].tolist()],
    }
    json.dump(known, file, default=str)
