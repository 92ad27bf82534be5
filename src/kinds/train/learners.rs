//! The learners and their parameters, as they are declared and read.
//!
//! Names and meanings are scikit-learn's; where a default differs, it is because scikit-learn's
//! grows trees until they know every row by heart. One list, `DECLARED`, names them all: checks,
//! help and docs follow from it.

use engine::kind::Context;
use engine::params::{Param, Type};
use serde::Deserialize;

use crate::ml::learn::ClassWeight;
use crate::ml::learn::forest::{DecisionTree, MaxFeatures, RandomForest};
use crate::ml::learn::logistic::LogisticRegression;
use crate::ml::training::Learner;

/// A learner as it is declared.
pub(super) struct Declared {
    /// Its name, the value of `learner`.
    pub(super) name: &'static str,
    /// How numbers are scaled unless something else is asked for.
    pub(super) scale: &'static str,
    /// The parameters of its own.
    pub(super) params: fn() -> Vec<Param>,
}

/// All learners.
pub(super) const DECLARED: &[Declared] = &[
    Declared { name: "logistic_regression", scale: "standard", params: logistic },
    Declared { name: "decision_tree", scale: "none", params: || tree(6, 20) },
    Declared { name: "random_forest", scale: "none", params: forest },
];

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
struct TreeParams {
    max_depth: u32,
    min_samples_split: u64,
    min_samples_leaf: u64,
    class_weight: ClassWeight,
}

#[derive(Deserialize)]
struct ForestParams {
    n_estimators: u32,
    max_features: MaxFeatures,
    bootstrap: bool,
}

fn logistic() -> Vec<Param> {
    vec![
        Param::new("C", Type::Float(1e-9, 1e9), 1.0, "the inverse strength of the L2 penalty"),
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

fn tree(max_depth: i64, min_samples_leaf: i64) -> Vec<Param> {
    const MOST_ROWS: i64 = u32::MAX as i64;
    vec![
        Param::new("criterion", Type::Choice(&["gini"]), "gini", "what a split makes smaller"),
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

fn forest() -> Vec<Param> {
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
            true,
            "whether each tree sees rows drawn with replacement",
        ),
    ]);
    params
}

/// The learner of a name, with its parameters.
pub(super) fn read(name: &str, context: &Context<'_>) -> anyhow::Result<Learner> {
    if name == "logistic_regression" {
        let LogisticParams { c, class_weight, max_iter, tol, fit_intercept } = context.params()?;
        let params = LogisticRegression { c, class_weight, max_iter, tol, fit_intercept };
        return Ok(Learner::LogisticRegression(params));
    }
    let TreeParams { max_depth, min_samples_split, min_samples_leaf, class_weight } =
        context.params()?;
    let tree = DecisionTree {
        max_depth: Some(max_depth),
        min_samples_split,
        min_samples_leaf,
        class_weight,
    };
    if name == "decision_tree" {
        return Ok(Learner::DecisionTree(tree));
    }
    let ForestParams { n_estimators, max_features, bootstrap } = context.params()?;
    let seed = context.seed("forest");
    Ok(Learner::RandomForest(RandomForest { n_estimators, tree, max_features, bootstrap, seed }))
}

#[cfg(test)]
mod tests {
    use engine::kind::Kind as _;
    use serde_json::json;

    use super::super::{Params, Train};
    use super::*;

    #[test]
    fn what_is_declared_is_what_is_read() {
        for learner in ["logistic_regression", "decision_tree", "random_forest"] {
            let checked = Train.params().check(&json!({"learner": learner})).unwrap();
            assert_eq!(Params::deserialize(&checked).unwrap().learner, learner);
            if learner == "logistic_regression" {
                assert!(LogisticParams::deserialize(&checked).is_ok());
            } else {
                assert!(TreeParams::deserialize(&checked).is_ok());
            }
            if learner == "random_forest" {
                assert!(ForestParams::deserialize(&checked).is_ok());
            }
        }
        let own = json!({"x": {"impute": "most_frequent", "fill": "none", "encode": "ordinal"}});
        let given = json!({"learner": "decision_tree", "features": {"columns": own}});
        let checked = Train.params().check(&given).unwrap();
        assert_eq!(Params::deserialize(&checked).unwrap().features.columns.len(), 1);
    }
}
