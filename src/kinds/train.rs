//! `train`: fits transforms and a learner to a table and writes the model.
//!
//! Thin: the declaration of every learner's parameters, and a call into `ml::training`. Names and
//! meanings are scikit-learn's; where a default differs, it is because scikit-learn's grows trees
//! until they know every row by heart.

use anyhow::Context as _;
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared;
use crate::ml::columns::Columns;
use crate::ml::features::FeatureParams;
use crate::ml::learn::ClassWeight;
use crate::ml::learn::forest::{DecisionTree, MaxFeatures, RandomForest};
use crate::ml::learn::logistic::LogisticRegression;
use crate::ml::metrics::Curve;
use crate::ml::model::Model;
use crate::ml::schema::Roles;
use crate::ml::table::Table;
use crate::ml::training::{Effort, Learner, Trained, train};
use crate::ml::{table_file, target};

/// The kind `train`.
pub struct Train;

#[derive(Deserialize)]
struct Params {
    learner: String,
    columns: Roles,
    positive: Option<Value>,
    features: FeatureParams,
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

impl Kind for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn about(&self) -> &'static str {
        "fit feature transforms and a learner to a table"
    }

    fn code(&self) -> Digest {
        super::code("train")
    }

    fn params(&self) -> Type {
        let cases = vec![
            ("logistic_regression", common("standard", logistic())),
            ("decision_tree", common("none", tree(6, 20))),
            ("random_forest", common("none", forest())),
        ];
        Type::Tagged { tag: "learner", cases, default: None }
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        shared::check_columns(params)
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let input = |name: &'static str, arity, doc| {
            let name = name.into();
            Input { name, types: shared::TABLES, arity, doc }
        };
        vec![
            input("train", Arity::One, "the rows to learn from"),
            input("validation", Arity::Optional, "rows whose ROC AUC is told, and nothing else"),
        ]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![Output::new("model", "model", "model.json")]
    }

    fn is_seeded(&self) -> bool {
        true
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let table = table_file::read(context.input("train"))?;
        shared::check_roles(&params.columns, &table)?;
        let columns = Columns::of(&table, &params.columns).map_err(anyhow::Error::msg)?;
        let learner = learner(&params.learner, context)?;
        let trained =
            train(&table, &columns, params.positive.as_ref(), &params.features, &learner)?;
        remarks(&trained).into_iter().for_each(|remark| context.remark(remark));
        if let Some(path) = context.optional("validation") {
            let roc_auc = roc_auc(&trained.model, &table_file::read(path)?)?;
            context.remark(match roc_auc {
                Ok(roc_auc) => format!("roc_auc {roc_auc:.4} on validation"),
                Err(why) => format!("no roc_auc on validation: {why}"),
            });
        }
        context.write("model", &trained.model.to_bytes())
    }
}

/// What every learner takes, and its own parameters.
fn common(scale: &'static str, own: Vec<Param>) -> Vec<Param> {
    let weight = Type::Choice(&["none", "balanced"]);
    let doc = "balanced: both classes count alike, n / (2 * rows of the class) per row";
    let mut params = vec![
        shared::columns(),
        shared::positive(),
        Param::new("features", features(scale), json!({}), "how columns become numbers"),
        Param::new("class_weight", weight, "none", doc),
    ];
    params.extend(own);
    params
}

fn features(scale: &'static str) -> Type {
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

fn learner(name: &str, context: &Context<'_>) -> anyhow::Result<Learner> {
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

fn remarks(trained: &Trained) -> Vec<String> {
    let model = &trained.model;
    let (rows, width) = (model.training().rows, model.encoded_names().len());
    let how = match trained.effort {
        Effort::Steps { iterations, converged: true } => {
            format!("converged in {iterations} iterations")
        }
        Effort::Steps { iterations, .. } => format!("stopped after {iterations} iterations"),
        Effort::Nodes { trees: 1, nodes } => format!("a tree of {nodes} nodes"),
        Effort::Nodes { trees, nodes } => format!("{trees} trees of {nodes} nodes"),
    };
    let mut remarks = vec![format!("{rows} rows, {width} encoded features, {how}")];
    if matches!(trained.effort, Effort::Steps { converged: false, .. }) {
        remarks.push(
            "warning: not converged: raise `max_iter`, lower `C`, or scale the features".to_owned(),
        );
    }
    if !trained.empty.is_empty() {
        let names = trained.empty.join(", ");
        remarks.push(format!("warning: no value in any row, so nothing is learnt from: {names}"));
    }
    remarks
}

fn roc_auc(model: &Model, table: &Table) -> anyhow::Result<crate::ml::metrics::Defined> {
    let column = table.column(model.target()).context("validation has no target column")?;
    let labels = target::labels(column, model.classes()).map_err(anyhow::Error::msg)?;
    Ok(Curve::new(&labels, &model.probabilities(table)?).roc_auc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_learner_has_its_own_parameters_and_defaults() {
        let ty = Train.params();
        let checked = ty.check(&json!({"learner": "logistic_regression", "C": 2})).unwrap();
        assert_eq!(checked["C"], json!(2.0));
        assert_eq!(checked["features"]["numeric"]["scale"], "standard");
        assert_eq!(checked["features"]["categorical"]["encode"], "one_hot");
        let checked = ty.check(&json!({"learner": "random_forest"})).unwrap();
        assert_eq!(checked["features"]["numeric"]["scale"], "none");
        assert_eq!((&checked["n_estimators"], &checked["max_depth"]), (&json!(100), &json!(16)));
        let wrong = ty.check(&json!({"learner": "decision_tree", "C": 1.0})).unwrap_err();
        assert_eq!(wrong[0].message, "unknown parameter `C` for learner `decision_tree`");
    }

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
