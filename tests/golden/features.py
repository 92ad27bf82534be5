"""Golden values of scikit-learn's imputers, scalers and encoders, for src/ml/features.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/features.py > tests/golden/features.json

Every case is fitted to the same few rows and applied to them and to rows that it has not seen.
Parameters have the names of stages/train.toml; `encoded` is what scikit-learn makes of the rows.
"""

import json
import warnings

import numpy as np
import sklearn
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

assert sklearn.__version__ == "1.9.1", sklearn.__version__

draw = np.random.Generator(np.random.PCG64(11))
N = 80
# Skewed, with repeated values (so that quantiles repeat) and holes.
NUMBERS = np.round(draw.lognormal(1.0, 1.0, N) - 1.0, 1)
NUMBERS[draw.random(N) < 0.15] = np.nan
NEW_NUMBERS = np.array([-50.0, -0.5, 0.0, 0.35, 1.0, 2.2, 7.77, 1e4, np.nan, NUMBERS[0]])
TREES = ["ash", "beech", "cedar", "elm", "fir", "oak"]
TEXTS = draw.choice(TREES, N, p=[0.35, 0.3, 0.15, 0.08, 0.06, 0.06])
TEXTS = TEXTS.astype(object)
TEXTS[draw.random(N) < 0.1] = None
NEW_TEXTS = np.array(["ash", "oak", "yew", None, "elm", "fir"], dtype=object)
LABELS = (draw.random(N) < np.where(TEXTS == "ash", 0.7, 0.3)).astype(int)
FOLDS = draw.integers(0, 4, N)


def plain(array):
    """Rows of numbers, null for NaN."""
    rows = np.asarray(array, dtype=float)
    return [[None if np.isnan(x) else float(x) for x in row] for row in rows]


def steps(params):
    made = []
    for step in params.get("scale", []):
        made.append(
            {
                "standard": StandardScaler(),
                "robust": RobustScaler(),
                "min_max": MinMaxScaler(),
                "log1p": FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x))),
                "quantile": QuantileTransformer(
                    n_quantiles=params.get("n_quantiles", 1000),
                    output_distribution=params.get("output_distribution", "uniform"),
                    subsample=None,
                ),
            }[step]
        )
    return made


def numeric(params):
    column, new = NUMBERS.reshape(-1, 1), NEW_NUMBERS.reshape(-1, 1)
    impute = params["impute"]
    made = steps(params)
    if impute != "none":
        made.insert(0, SimpleImputer(strategy=impute, fill_value=params.get("fill")))
    way = make_pipeline(*(made or [FunctionTransformer()])).fit(column)
    both = np.concatenate([column, new])
    encoded = way.transform(both)
    if params.get("indicator"):
        indicator = MissingIndicator(features="missing-only").fit(column)
        encoded = np.concatenate([encoded, indicator.transform(both)], axis=1)
    return {"params": params, "encoded": plain(encoded)}


NUMERIC = [
    dict(impute="median", scale=[]),
    dict(impute="mean", scale=[]),
    dict(impute="most_frequent", scale=[]),
    dict(impute="constant", fill=-3.0, scale=[]),
    dict(impute="none", scale=[]),
    dict(impute="median", scale=["standard"], indicator=True),
    dict(impute="none", scale=["standard"], indicator=True),
    dict(impute="mean", scale=["robust"]),
    dict(impute="none", scale=["robust"]),
    dict(impute="median", scale=["min_max"]),
    dict(impute="median", scale=["log1p"]),
    dict(impute="median", scale=["log1p", "standard"]),
    dict(impute="none", scale=["log1p", "min_max"]),
    dict(impute="median", scale=["quantile"]),
    dict(impute="median", scale=["quantile"], n_quantiles=7),
    dict(impute="none", scale=["quantile"], n_quantiles=10),
    dict(impute="median", scale=["quantile"], output_distribution="normal"),
    dict(impute="none", scale=["quantile"], n_quantiles=12, output_distribution="normal"),
    dict(impute="median", scale=["quantile", "standard"], n_quantiles=1),
]


def imputed(params):
    if params["impute"] == "none":
        return FunctionTransformer()
    fill = params.get("fill")
    return SimpleImputer(missing_values=None, strategy=params["impute"], fill_value=fill)


def categorical(params):
    column, new = TEXTS.reshape(-1, 1), NEW_TEXTS.reshape(-1, 1)
    first = imputed(params).fit(column)
    known = first.transform(column)
    rare = {name: params.get(name) for name in ["min_frequency", "max_categories"]}
    case = {"params": params}
    if params["encode"] == "one_hot":
        unknown = "infrequent_if_exist" if params.get("unseen") == "rare" else "ignore"
        encoder = OneHotEncoder(handle_unknown=unknown, sparse_output=False, **rare)
    elif params["encode"] == "ordinal":
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **rare)
    else:
        smooth = params.get("smooth", "auto")
        encoder = TargetEncoder(smooth=smooth, cv=PredefinedSplit(FOLDS))
        case["out_of_fold"] = plain(encoder.fit_transform(known, LABELS))
    if params["encode"] == "target":
        encoder.fit(known, LABELS)
    else:
        encoder.fit(known)
    case["encoded"] = plain(encoder.transform(first.transform(np.concatenate([column, new]))))
    return case


CATEGORICAL = [
    dict(encode="one_hot", impute="most_frequent"),
    dict(encode="one_hot", impute="constant", fill="missing"),
    dict(encode="one_hot", impute="most_frequent", min_frequency=6),
    dict(encode="one_hot", impute="most_frequent", min_frequency=0.1),
    dict(encode="one_hot", impute="most_frequent", min_frequency=0.1, unseen="rare"),
    dict(encode="one_hot", impute="most_frequent", unseen="rare"),
    dict(encode="one_hot", impute="most_frequent", max_categories=4),
    dict(encode="one_hot", impute="most_frequent", max_categories=5),
    dict(encode="one_hot", impute="most_frequent", max_categories=6),
    dict(encode="one_hot", impute="most_frequent", max_categories=7),
    dict(encode="one_hot", impute="constant", fill="missing", min_frequency=6, max_categories=3),
    dict(encode="one_hot", impute="most_frequent", max_categories=1),
    dict(encode="ordinal", impute="most_frequent"),
    dict(encode="ordinal", impute="most_frequent", min_frequency=6),
    dict(encode="ordinal", impute="constant", fill="missing", max_categories=3),
    dict(encode="target", impute="most_frequent"),
    dict(encode="target", impute="constant", fill="missing"),
    dict(encode="target", impute="most_frequent", smooth=0.0),
    dict(encode="target", impute="constant", fill="missing", smooth=12.5),
]


def product(scale):
    """The product of two columns as they are encoded."""
    other = np.arange(N, dtype=float) % 7
    pair = np.stack([NUMBERS, other], axis=1)
    way = make_pipeline(
        SimpleImputer(strategy="median"),
        *([StandardScaler()] if scale else []),
        PolynomialFeatures(degree=2, interaction_only=True, include_bias=False),
    )
    return {"scale": scale, "encoded": plain(way.fit_transform(pair)[:, 2:])}


def main():
    # That there are fewer rows than quantiles, and means of nothing, is the point of some cases.
    warnings.simplefilter("ignore")
    print(
        json.dumps(
            {
                "numbers": plain([NUMBERS])[0],
                "new_numbers": plain([NEW_NUMBERS])[0],
                "texts": TEXTS.tolist(),
                "new_texts": NEW_TEXTS.tolist(),
                "labels": LABELS.tolist(),
                "folds": FOLDS.tolist(),
                "numeric": [numeric(params) for params in NUMERIC],
                "categorical": [categorical(params) for params in CATEGORICAL],
                "products": [product([]), product(["standard"])],
            }
        )
    )


if __name__ == "__main__":
    main()
