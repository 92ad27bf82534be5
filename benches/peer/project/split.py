"""Three parts that no row shares, with the target's share in each."""

import pandas as pd
from sklearn.model_selection import train_test_split

from columns import TARGET, params

seed = params()["seed"]
rows = pd.read_csv("data/subscribers.csv")
train, rest = train_test_split(rows, train_size=0.6, stratify=rows[TARGET], random_state=seed)
validation, test = train_test_split(rest, train_size=0.5, stratify=rest[TARGET], random_state=seed)
train.to_parquet("train.parquet")
validation.to_parquet("validation.parquet")
test.to_parquet("test.parquet")
