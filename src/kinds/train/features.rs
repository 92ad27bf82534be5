//! How columns become numbers, as it is declared: the parameter `features` of `train`.
//!
//! Read by `ml::features::FeatureParams`, which says what each of them does.

use engine::params::{Param, Type};
use serde_json::json;

/// The transforms of all columns; `scale` is the learner's default for numbers.
pub(super) fn declare(scale: &'static str) -> Type {
    const SCALES: Type = Type::Choice(&["standard", "none"]);
    const ENCODINGS: Type = Type::Choice(&["one_hot", "ordinal"]);
    let fill = "what `impute = \"constant\"` puts in";
    let numeric = Type::Record(vec![
        Param::new(
            "impute",
            Type::Choice(&["median", "mean", "constant"]),
            "median",
            "what stands for a missing number",
        ),
        Param::new("fill", Type::Float(-1e100, 1e100), 0.0, fill),
        Param::new("scale", SCALES, scale, "standard: to mean 0 and standard deviation 1"),
    ]);
    let categorical = Type::Record(vec![
        Param::new(
            "impute",
            Type::Choice(&["most_frequent", "constant"]),
            "most_frequent",
            "what stands for a missing text",
        ),
        Param::new("fill", Type::Text, "missing", fill),
        Param::new(
            "encode",
            ENCODINGS,
            "one_hot",
            "one_hot: a number per category, all 0 for an unseen one; ordinal: its place, -1",
        ),
    ]);
    let column = Type::Record(vec![
        Param::optional(
            "impute",
            Type::Choice(&["median", "mean", "most_frequent", "constant"]),
            "what stands for a missing value",
        ),
        Param::optional("fill", Type::Scalar, fill),
        Param::optional("scale", SCALES, "how a number is scaled"),
        Param::optional("encode", ENCODINGS, "how a text becomes numbers"),
    ]);
    Type::Record(vec![
        Param::new("numeric", numeric, json!({}), "columns of numbers and truth values"),
        Param::new("categorical", categorical, json!({}), "columns of texts"),
        Param::new("columns", column.map(), json!({}), "single columns, where they differ"),
    ])
}
