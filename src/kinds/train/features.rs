//! How columns become numbers, as it is declared: the parameter `features` of `train`.
//!
//! Read by `ml::features::FeatureParams`, which says what each of them does.

use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::ml::features::{DateFormat, DateParams, Since, Smooth};

const SCALES: Type = Type::Choice(&["standard", "robust", "quantile", "min_max", "log1p", "none"]);
const DISTRIBUTIONS: Type = Type::Choice(&["uniform", "normal"]);
const ENCODINGS: Type = Type::Choice(&["one_hot", "ordinal", "code", "target"]);
const UNSEEN: Type = Type::Choice(&["ignore", "rare", "error"]);
const QUANTILES: Type = Type::Int(1, 100_000);
const FREQUENCIES: Type = Type::Float(0.0, 1e9);
const CATEGORIES: Type = Type::Int(1, 1000);

const FILL: &str = "what `impute = \"constant\"` puts in";
const INDICATOR: &str = "true: a column that has missing values in training gets another, `NAME is missing`, of 0 and 1";

/// The transforms of all columns; `scale` is the learner's default for numbers, `encode` for texts.
pub(super) fn declare(scale: &'static str, encode: &'static str) -> Type {
    let doc = "pairs of columns, `[\"a\", \"b\"]`: the product of two numbers, a number per \
               category, or a category per pair of categories, named `a:b`";
    Type::Record(vec![
        Param::new("numeric", numeric(scale), json!({}), "columns of numbers and truth values"),
        Param::new("categorical", categorical(encode), json!({}), "columns of texts"),
        Param::new("columns", column().map(), json!({}), "single columns, where they differ"),
        Param::new("interactions", Type::Text.list().list(), json!([]), doc),
    ])
}

fn numeric(scale: &'static str) -> Type {
    Type::Record(vec![
        Param::new(
            "impute",
            Type::Choice(&["median", "mean", "most_frequent", "constant", "none"]),
            "median",
            "what stands for a missing number; none: nothing, for learners that take missing values",
        ),
        Param::new("fill", Type::Float(-1e100, 1e100), 0.0, FILL),
        Param::new("indicator", Type::Bool, false, INDICATOR),
        Param::new(
            "scale",
            SCALES.one_or_many(),
            scale,
            "steps, in this order. standard: mean 0, deviation 1; robust: median 0, quartiles 1 \
             apart; min_max: 0 to 1; quantile: its place among the training rows; log1p: \
             ln(1 + x), -ln(1 - x) below 0",
        ),
        Param::new("n_quantiles", QUANTILES, 1000, "how many quantiles `scale = \"quantile\"` has"),
        Param::new(
            "output_distribution",
            DISTRIBUTIONS,
            "uniform",
            "what `scale = \"quantile\"` spreads to: uniform over 0 to 1, or normal",
        ),
    ])
}

fn categorical(encode: &'static str) -> Type {
    Type::Record(vec![
        Param::new(
            "impute",
            Type::Choice(&["auto", "most_frequent", "constant", "none"]),
            "auto",
            "what stands for a missing text; none: nothing; auto: none for `encode = \"code\"`, else \
             most_frequent",
        ),
        Param::new("fill", Type::Text, "missing", FILL),
        Param::new("indicator", Type::Bool, false, INDICATOR),
        Param::new(
            "encode",
            ENCODINGS,
            encode,
            "one_hot: a number per category, all 0 for an unseen one; ordinal: its place, -1; code: \
             its place, for trees that split categories into sets; target: the target's mean",
        ),
        Param::new(
            "min_frequency",
            FREQUENCIES,
            0.0,
            "categories of fewer rows share the category `(rare)`: a share of the rows below 1, a \
             number of rows from 1 on",
        ),
        Param::optional(
            "max_categories",
            CATEGORIES,
            "the most categories, `(rare)` being one: the least frequent others go there",
        ),
        Param::new(
            "unseen",
            UNSEEN,
            "ignore",
            "a category that training has not seen is none of them (ignore), one of the rare where \
             there are any (rare), or its row is refused (error)",
        ),
        Param::new(
            "smooth",
            Type::Scalar,
            "auto",
            "target: how many rows of the overall mean each category gets, 0 to 1e9; auto: as the \
             target's variance says",
        ),
        Param::new(
            "cv",
            Type::Int(2, 100),
            5,
            "target: training rows are encoded by the others of so many folds",
        ),
    ])
}

fn column() -> Type {
    let impute = Type::Choice(&["auto", "median", "mean", "most_frequent", "constant", "none"]);
    Type::Record(vec![
        Param::optional(
            "kind",
            Type::Choice(&["categorical"]),
            "categorical: its whole numbers or truth values are names",
        ),
        Param::optional("date", date(), "it holds dates, and what is taken from them"),
        Param::optional("impute", impute, "what stands for a missing value"),
        Param::optional("fill", Type::Scalar, FILL),
        Param::optional("indicator", Type::Bool, "whether another column says where it is missing"),
        Param::optional("scale", SCALES.one_or_many(), "how a number is scaled, step by step"),
        Param::optional("n_quantiles", QUANTILES, "how many quantiles there are"),
        Param::optional("output_distribution", DISTRIBUTIONS, "what quantiles spread to"),
        Param::optional("encode", ENCODINGS, "how a text becomes numbers"),
        Param::optional("min_frequency", FREQUENCIES, "below which a category is rare"),
        Param::optional("max_categories", CATEGORIES, "the most categories"),
        Param::optional("unseen", UNSEEN, "what becomes of an unseen category"),
        Param::optional("smooth", Type::Scalar, "auto, or a number of rows between 0 and 1e9"),
    ])
}

fn date() -> Type {
    let parts = Type::Choice(&["year", "month", "day", "day_of_week", "hour", "days_since"]);
    Type::Record(vec![
        Param::new(
            "format",
            Type::Text,
            "%Y-%m-%d",
            "of %Y %m %d %H %M %S and what stands between them, or epoch_days, epoch_seconds, \
             epoch_milliseconds for numbers since 1970 in UTC",
        ),
        Param::new(
            "parts",
            parts.list(),
            json!(["year", "month", "day_of_week"]),
            "what is taken; day_of_week is 0 on Mondays; days_since has the time as a fraction",
        ),
        Param::optional("since", Type::Text, "the day that days_since counts from, YYYY-MM-DD"),
    ])
}

/// Mistakes in `features` that no single type can tell.
pub(super) fn check(params: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let features = &params["features"];
    smooth(&["categorical", "smooth"], &features["categorical"]["smooth"], &mut complaints);
    for (name, column) in features["columns"].as_object().into_iter().flatten() {
        smooth(&["columns", name, "smooth"], &column["smooth"], &mut complaints);
        if let Some(date) = column.get("date") {
            check_date(&["columns", name, "date"], date, &mut complaints);
        }
    }
    for (i, pair) in features["interactions"].as_array().into_iter().flatten().enumerate() {
        let names: Vec<&Value> = pair.as_array().into_iter().flatten().collect();
        if names.len() != 2 || names[0] == names[1] {
            let mut path = at(&["interactions"]);
            path.push(Step::Item(i));
            complaints
                .push(Complaint::at(path, "expected two different columns, `[\"a\", \"b\"]`"));
        }
    }
    complaints
}

fn at(path: &[&str]) -> Vec<Step> {
    ["features"].iter().chain(path).map(|key| Step::Key((*key).to_owned())).collect()
}

fn smooth(path: &[&str], value: &Value, complaints: &mut Vec<Complaint>) {
    if let Err(message) = Smooth::try_from(value.clone())
        && !value.is_null()
    {
        complaints.push(Complaint::at(at(path), message));
    }
}

fn check_date(path: &[&str], value: &Value, complaints: &mut Vec<Complaint>) {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let within = |key: &'static str| at(&[path, &[key]].concat());
    let format = text("format").map(DateFormat::try_from).and_then(Result::err);
    complaints.extend(format.map(|message| Complaint::at(within("format"), message)));
    let since = text("since").map(Since::try_from).and_then(Result::err);
    complaints.extend(since.map(|message| Complaint::at(within("since"), message)));
    if let Some(mistake) = DateParams::deserialize(value).ok().and_then(|date| date.mistake()) {
        complaints.push(Complaint::at(at(path), mistake));
    }
}

#[cfg(test)]
pub(crate) mod tests;
