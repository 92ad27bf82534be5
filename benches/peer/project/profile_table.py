"""What is in the table: statistics per column, correlations, duplicates."""

import json

import pandas as pd

rows = pd.read_csv("data/subscribers.csv")
report = {"rows": len(rows), "duplicates": int(rows.duplicated().sum()), "columns": {}}
for name in rows.columns:
    column = rows[name]
    told = {"missing": int(column.isna().sum()), "distinct": int(column.nunique())}
    if column.dtype.kind in "if":
        quantiles = column.quantile([0.05, 0.25, 0.5, 0.75, 0.95])
        counts, edges = pd.cut(column, 20, retbins=True)
        told |= {
            "mean": column.mean(),
            "std": column.std(),
            "min": column.min(),
            "max": column.max(),
            "skewness": column.skew(),
            "kurtosis": column.kurt(),
            "quantiles": quantiles.tolist(),
            "histogram": counts.value_counts(sort=False).tolist(),
            "edges": list(edges),
        }
    elif column.nunique() < 1000:
        told["frequencies"] = {str(k): int(n) for k, n in column.value_counts().items()}
    report["columns"][name] = told
numbers = rows.select_dtypes(["number", "bool"])
report["pearson"] = numbers.corr().to_dict()
report["spearman"] = numbers.corr(method="spearman").to_dict()
with open("profile.json", "w") as file:
    json.dump(report, file, default=float)
