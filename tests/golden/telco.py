"""What scikit-learn makes of the rows that `pipeline` split, for tests/it/real_data.rs.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install scikit-learn==1.9.1 pandas==3.1.1 pyarrow==26.0.1
    pipeline init telco.csv --target Churn && pipeline run --no-serve
    /tmp/golden/bin/python tests/golden/telco.py > tests/golden/telco.json

Run the last line where `pipeline` ran, with the path of this file. The sides are read from
`outputs/split`, so that both see the same rows; how many there are is kept, so that a changed split
is noticed. The features are made as a user of scikit-learn would: median, standardise, one-hot.
"""

import json

import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

assert sklearn.__version__ == "1.9.1", sklearn.__version__

train, test = (pd.read_parquet(f"outputs/split/{side}.parquet") for side in ["train", "test"])
features = train.columns.drop(["customerID", "Churn"])
numeric = [name for name in features if pd.api.types.is_numeric_dtype(train[name])]
categorical = [name for name in features if name not in numeric]
model = make_pipeline(
    ColumnTransformer([
        ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
        ("categorical", OneHotEncoder(handle_unknown="ignore"), categorical),
    ]),
    LogisticRegression(C=1.0, class_weight="balanced", max_iter=10_000, tol=1e-10),
)
model.fit(train[features], train["Churn"])
scores = model.predict_proba(test[features])[:, 1]
print(json.dumps({
    "roc_auc": roc_auc_score(test["Churn"] == "Yes", scores),
    "rows": {"train": len(train), "test": len(test)},
    "sklearn": sklearn.__version__,
}, indent=2, sort_keys=True))
