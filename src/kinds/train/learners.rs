//! The learners and their parameters, as they are declared and read.
//!
//! Names and meanings are scikit-learn's; where a default differs, it is because scikit-learn's
//! grows trees until they know every row by heart. One list, `DECLARED`, names them all: checks,
//! help and docs follow from it.

use std::collections::BTreeMap;

use engine::kind::Context;
use engine::params::{Param, Type};
use serde::Deserialize;
use serde_json::json;

use super::regression;
use crate::ml::learn::boosting::GradientBoosting;
use crate::ml::learn::elastic_net::ElasticNet;
use crate::ml::learn::forest::{DecisionTree, MaxFeatures, RandomForest};
use crate::ml::learn::linear_svm::LinearSvm;
use crate::ml::learn::logistic::LogisticRegression;
use crate::ml::learn::naive_bayes::NaiveBayes;
use crate::ml::learn::{CategoricalRule, ClassWeight, FeatureHints};
use crate::ml::training::Learner;

/// A learner as it is declared.
pub(super) struct Declared {
    /// Its name, the value of `learner`.
    pub(super) name: &'static str,
    /// What it predicts, the default first.
    pub(super) tasks: &'static [&'static str],
    /// How numbers are scaled unless something else is asked for.
    pub(super) scale: &'static str,
    /// How texts are encoded unless something else is asked for.
    pub(super) encode: &'static str,
    /// The parameters of its own.
    pub(super) params: fn() -> Vec<Param>,
}

const CLASSES: &[&str] = &["classification"];
const NUMBERS: &[&str] = &["regression"];
const BOTH: &[&str] = &["classification", "regression"];

/// All learners.
pub(super) const DECLARED: &[Declared] = &[
    declared("logistic_regression", CLASSES, "standard", "one_hot", logistic),
    declared("elastic_net", CLASSES, "standard", "one_hot", elastic_net),
    declared("linear_svm", CLASSES, "standard", "one_hot", linear_svm),
    declared("naive_bayes", CLASSES, "none", "code", naive_bayes),
    declared("ridge", NUMBERS, "standard", "one_hot", regression::ridge),
    declared("decision_tree", BOTH, "none", "one_hot", || tree(6, 20)),
    declared("random_forest", BOTH, "none", "one_hot", || forest(true)),
    declared("extra_trees", BOTH, "none", "one_hot", || forest(false)),
    declared("gradient_boosting", BOTH, "none", "one_hot", boosting),
];

const fn declared(
    name: &'static str,
    tasks: &'static [&'static str],
    scale: &'static str,
    encode: &'static str,
    params: fn() -> Vec<Param>,
) -> Declared {
    Declared { name, tasks, scale, encode, params }
}

#[derive(Deserialize)]
struct LogisticParams {
    #[serde(rename = "C")]
    c: f64,
    class_weight: ClassWeight,
    max_iter: u32,
    tol: f64,
    fit_intercept: bool,
}

#[derive(Deserialize)]
struct ElasticNetParams {
    #[serde(rename = "C")]
    c: f64,
    l1_ratio: f64,
    class_weight: ClassWeight,
    max_iter: u32,
    tol: f64,
    fit_intercept: bool,
}

#[derive(Deserialize)]
struct LinearSvmParams {
    #[serde(rename = "C")]
    c: f64,
    class_weight: ClassWeight,
    max_iter: u32,
    tol: f64,
    fit_intercept: bool,
    intercept_scaling: f64,
    cv: u32,
}

#[derive(Deserialize)]
struct NaiveBayesParams {
    var_smoothing: f64,
    alpha: f64,
    fit_prior: bool,
    class_weight: ClassWeight,
}

#[derive(Deserialize)]
struct TreeParams {
    max_depth: u32,
    min_samples_split: u64,
    min_samples_leaf: u64,
    class_weight: ClassWeight,
}

#[derive(Deserialize)]
struct BoostingParams {
    n_estimators: u32,
    learning_rate: f64,
    num_leaves: u32,
    max_depth: Option<u32>,
    min_child_samples: u64,
    min_child_weight: f64,
    reg_alpha: f64,
    reg_lambda: f64,
    min_split_gain: f64,
    subsample: f64,
    colsample_bytree: f64,
    max_bin: u32,
    class_weight: ClassWeight,
    early_stopping_rounds: u32,
}

#[derive(Deserialize)]
struct Monotone {
    monotone_constraints: BTreeMap<String, i8>,
}

#[derive(Deserialize)]
struct ForestParams {
    n_estimators: u32,
    max_features: MaxFeatures,
    bootstrap: bool,
}

fn logistic() -> Vec<Param> {
    linear("the inverse strength of the L2 penalty")
}

/// What all learners of a line take; `c` says what `C` is.
fn linear(c: &'static str) -> Vec<Param> {
    vec![
        Param::new("C", Type::Float(1e-9, 1e9), 1.0, c),
        Param::new("max_iter", Type::Int(1, 10_000), 100, "the most steps of Newton's method"),
        Param::new(
            "tol",
            Type::Float(1e-12, 1.0),
            1e-8,
            "done when no entry of the gradient, per unit of weight, is larger",
        ),
        Param::new("fit_intercept", Type::Bool, true, "whether there is an intercept"),
    ]
}

fn elastic_net() -> Vec<Param> {
    let mut params = linear("the inverse strength of the penalty");
    let doc =
        "the share of the L1 penalty, which leaves features out: 0 is L2 alone, 1 is L1 alone";
    params.insert(1, Param::new("l1_ratio", Type::Float(0.0, 1.0), 0.5, doc));
    params
}

fn linear_svm() -> Vec<Param> {
    let mut params = linear("the inverse strength of the L2 penalty");
    params.extend([
        Param::new(
            "intercept_scaling",
            Type::Float(1e-6, 1e6),
            1.0,
            "the larger it is, the less the intercept is penalised",
        ),
        Param::new(
            "cv",
            Type::Int(2, 100),
            5,
            "margins become probabilities by the margins of so many folds, each of a machine that \
             has not seen it",
        ),
    ]);
    params
}

fn naive_bayes() -> Vec<Param> {
    let smoothing = "the part of the largest variance of a number that is added to every variance";
    let alpha = "what is added to the count of each category of `encode = \"code\"`";
    let prior = "true: classes are as frequent as in training; false: equally frequent";
    vec![
        Param::new("var_smoothing", Type::Float(0.0, 1e9), 1e-9, smoothing),
        Param::new("alpha", Type::Float(1e-10, 1e9), 1.0, alpha),
        Param::new("fit_prior", Type::Bool, true, prior),
    ]
}

/// More rows than this are no table for trees.
const MOST_ROWS: i64 = u32::MAX as i64;

fn tree(max_depth: i64, min_samples_leaf: i64) -> Vec<Param> {
    vec![
        Param::new(
            "criterion",
            Type::Choice(&["gini"]),
            "gini",
            "what a split of classes makes smaller; of numbers it is the variance",
        ),
        Param::new("max_depth", Type::Int(1, 64), max_depth, "the most splits above a leaf"),
        Param::new(
            "min_samples_split",
            Type::Int(2, MOST_ROWS),
            2,
            "a node of fewer rows is a leaf",
        ),
        Param::new(
            "min_samples_leaf",
            Type::Int(1, MOST_ROWS),
            min_samples_leaf,
            "no side of a split has fewer rows",
        ),
    ]
}

fn forest(bootstrap: bool) -> Vec<Param> {
    let mut params = tree(16, 5);
    params.extend([
        Param::new("n_estimators", Type::Int(1, 10_000), 100, "how many trees"),
        Param::new(
            "max_features",
            Type::Choice(&["sqrt", "log2", "all"]),
            "sqrt",
            "how many encoded features are tried at a node",
        ),
        Param::new(
            "bootstrap",
            Type::Bool,
            bootstrap,
            "whether each tree sees rows drawn with replacement",
        ),
    ]);
    params
}

fn boosting() -> Vec<Param> {
    const MOST: f64 = 1e9;
    let share = || Type::Float(f64::MIN_POSITIVE, 1.0);
    let (int, float) = (
        |name, low, high, default: i64, doc| Param::new(name, Type::Int(low, high), default, doc),
        |name, low, high, default: f64, doc| Param::new(name, Type::Float(low, high), default, doc),
    );
    vec![
        int("n_estimators", 1, 100_000, 100, "how many trees at most"),
        float("learning_rate", 1e-6, 10.0, 0.1, "what each tree's values are multiplied by"),
        int("num_leaves", 2, 65_536, 31, "the most leaves of a tree"),
        Param::optional(
            "max_depth",
            Type::Int(1, 64),
            "the most splits above a leaf; no limit without",
        ),
        int("min_child_samples", 1, MOST_ROWS, 20, "no side of a split has fewer rows"),
        float(
            "min_child_weight",
            0.0,
            MOST,
            1e-3,
            "no side of a split has a smaller sum of p (1 - p), or of rows in a regression",
        ),
        float("reg_alpha", 0.0, MOST, 0.0, "the L1 penalty of a leaf's value"),
        float("reg_lambda", 0.0, MOST, 0.0, "the L2 penalty of a leaf's value"),
        float("min_split_gain", 0.0, MOST, 0.0, "a split gains more than this"),
        Param::new(
            "subsample",
            share(),
            1.0,
            "the share of rows that a tree sees, drawn anew for each",
        ),
        Param::new(
            "colsample_bytree",
            share(),
            1.0,
            "the share of encoded features that a tree sees",
        ),
        int("max_bin", 2, 255, 255, "the most bins that a feature is cut into"),
        Param::new(
            "monotone_constraints",
            Type::Int(-1, 1).map(),
            json!({}),
            "columns with which the prediction must rise (1) or fall (-1), other things being equal",
        ),
        int(
            "early_stopping_rounds",
            0,
            100_000,
            0,
            "ends when the loss on `validation` did not fall for so many trees, and keeps those up to its least; 0 never",
        ),
    ]
}

/// The learner of classes of a name, with its parameters.
pub(super) fn read(name: &str, context: &Context<'_>) -> anyhow::Result<Learner> {
    match name {
        "logistic_regression" => {
            let LogisticParams { c, class_weight, max_iter, tol, fit_intercept } =
                context.params()?;
            let params = LogisticRegression { c, class_weight, max_iter, tol, fit_intercept };
            Ok(Learner::LogisticRegression(params))
        }
        "elastic_net" => {
            let ElasticNetParams { c, l1_ratio, class_weight, max_iter, tol, fit_intercept } =
                context.params()?;
            let params = ElasticNet { c, l1_ratio, class_weight, max_iter, tol, fit_intercept };
            Ok(Learner::ElasticNet(params))
        }
        "linear_svm" => {
            let params: LinearSvmParams = context.params()?;
            Ok(Learner::LinearSvm(LinearSvm {
                c: params.c,
                class_weight: params.class_weight,
                max_iter: params.max_iter,
                tol: params.tol,
                fit_intercept: params.fit_intercept,
                intercept_scaling: params.intercept_scaling,
                cv: params.cv,
            }))
        }
        "naive_bayes" => {
            let NaiveBayesParams { var_smoothing, alpha, fit_prior, class_weight } =
                context.params()?;
            let hints = FeatureHints::default();
            let params = NaiveBayes { var_smoothing, alpha, fit_prior, class_weight, hints };
            Ok(Learner::NaiveBayes(params))
        }
        "decision_tree" => Ok(Learner::DecisionTree(read_tree(context)?)),
        "random_forest" | "extra_trees" => {
            let ForestParams { n_estimators, max_features, bootstrap } = context.params()?;
            Ok(Learner::RandomForest(RandomForest {
                n_estimators,
                tree: read_tree(context)?,
                max_features,
                bootstrap,
                draw_thresholds: name == "extra_trees",
                seed: context.seed("forest"),
            }))
        }
        "gradient_boosting" => {
            let Monotone { monotone_constraints } = context.params()?;
            Ok(Learner::GradientBoosting(read_boosting(context)?, monotone_constraints))
        }
        other => anyhow::bail!("no learner `{other}`"),
    }
}

fn read_tree(context: &Context<'_>) -> anyhow::Result<DecisionTree> {
    let TreeParams { max_depth, min_samples_split, min_samples_leaf, class_weight } =
        context.params()?;
    Ok(DecisionTree {
        max_depth: Some(max_depth),
        min_samples_split,
        min_samples_leaf,
        class_weight,
        hints: FeatureHints::default(),
    })
}

fn read_boosting(context: &Context<'_>) -> anyhow::Result<GradientBoosting> {
    let params: BoostingParams = context.params()?;
    Ok(GradientBoosting {
        n_estimators: params.n_estimators,
        learning_rate: params.learning_rate,
        num_leaves: params.num_leaves,
        max_depth: params.max_depth,
        min_child_samples: params.min_child_samples,
        min_child_weight: params.min_child_weight,
        reg_alpha: params.reg_alpha,
        reg_lambda: params.reg_lambda,
        min_split_gain: params.min_split_gain,
        subsample: params.subsample,
        colsample_bytree: params.colsample_bytree,
        max_bin: params.max_bin,
        categorical: CategoricalRule::default(),
        class_weight: params.class_weight,
        early_stopping_rounds: params.early_stopping_rounds,
        hints: FeatureHints::default(),
        seed: context.seed("boosting"),
    })
}

#[cfg(test)]
mod tests {
    use engine::kind::Kind as _;

    use super::super::{Params, Train};
    use super::*;

    #[test]
    fn what_is_declared_is_what_is_read() {
        for learner in DECLARED.iter().map(|learner| learner.name) {
            let checked = Train.params().check(&json!({"learner": learner})).unwrap();
            assert_eq!(Params::deserialize(&checked).unwrap().learner, learner);
            let is_read = match learner {
                "logistic_regression" => LogisticParams::deserialize(&checked).is_ok(),
                "elastic_net" => ElasticNetParams::deserialize(&checked).is_ok(),
                "linear_svm" => LinearSvmParams::deserialize(&checked).is_ok(),
                "ridge" => regression::RidgeParams::deserialize(&checked).is_ok(),
                "naive_bayes" => NaiveBayesParams::deserialize(&checked).is_ok(),
                "decision_tree" => TreeParams::deserialize(&checked).is_ok(),
                "gradient_boosting" => {
                    BoostingParams::deserialize(&checked).is_ok()
                        && Monotone::deserialize(&checked).is_ok()
                }
                _ => {
                    TreeParams::deserialize(&checked).is_ok()
                        && ForestParams::deserialize(&checked).is_ok()
                }
            };
            assert!(is_read, "{learner}");
        }
        let own = json!({"x": {"impute": "most_frequent", "fill": "none", "encode": "ordinal"}});
        let given = json!({"learner": "decision_tree", "features": {"columns": own}});
        let checked = Train.params().check(&given).unwrap();
        assert_eq!(Params::deserialize(&checked).unwrap().features.columns.len(), 1);
    }
}
