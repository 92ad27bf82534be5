//! `package`: puts a model with all that is needed to predict into one directory.
//!
//! Thin: it reads what is plugged in and leaves the making to `ml::package`, which then loads what
//! was written, as a service would: a package that cannot be served is never published.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Param, Type};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::shared;
use crate::ml::cell::Cell;
use crate::ml::evaluation::written::Written;
use crate::ml::package::write::{self, Parts, Texts};
use crate::ml::package::{MANIFEST, Package as Directory, TaskModel, evaluation};
use crate::ml::schema::Schema;
use crate::ml::table_file;

/// The kind `package`.
pub struct Package;

#[derive(Deserialize)]
struct Params {
    name: String,
    description: String,
    intended_use: String,
    limitations: String,
    reference_rows: usize,
}

impl Kind for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn about(&self) -> &'static str {
        "put a model, its input schema, reference predictions and model card into one directory"
    }

    fn code(&self) -> Digest {
        super::code("package")
    }

    fn params(&self) -> Type {
        let cases = [
            ("classification", "A binary classifier for rows of a table."),
            ("regression", "A regression for rows of a table."),
        ];
        Type::Tagged {
            tag: "task",
            cases: cases.map(|(task, description)| (task, declared(description))).to_vec(),
            default: Some("classification"),
        }
    }

    fn inputs(&self, params: &Value) -> Vec<Input> {
        let input = |name: &'static str, types, arity, doc| {
            let name = name.into();
            Input { name, types, arity, doc }
        };
        vec![
            input("model", shared::model_types(params), Arity::One, "the model"),
            input(
                "metrics",
                shared::metrics_types(params),
                Arity::One,
                "how well it does, and of classes its threshold",
            ),
            input("schema", &["schema"], Arity::One, "ranges and categories of the data"),
            input(
                "reference",
                shared::TABLES,
                Arity::One,
                "rows that the model has not learnt from: to prove it by, and to tell drift by",
            ),
            input("experiment", &["experiment"], Arity::Optional, "where the model comes from"),
        ]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![Output::new("package", "package", "package")]
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let written = Written::from_bytes(&std::fs::read(context.input("metrics"))?)
            .map_err(|flaw| anyhow!("the input `metrics` is not what it should be: {flaw}"))?;
        let plugged = context.many("model").first().map_or("", |plugged| plugged.name.as_str());
        let variant = evaluation::variant(&written, plugged).map_err(anyhow::Error::msg)?;
        let bytes = std::fs::read(context.input("model"))?;
        let model =
            evaluation::task_model(&bytes, &written, variant).map_err(anyhow::Error::msg)?;
        let rule = evaluation::threshold_rule(&written);
        let test = written.on_test(variant).cloned().unwrap_or_default();
        let schema: Schema = read_json(context.input("schema"), "schema")?;
        let seen = read_rows(context.input("reference"), &model)?;
        let provenance = match context.optional("experiment") {
            Some(path) => read_json(path, "experiment")?,
            None => json!({}),
        };
        let texts = Texts {
            name: params.name,
            description: params.description,
            intended_use: params.intended_use,
            limitations: params.limitations,
        };
        let files = write::files(&Parts {
            texts: &texts,
            model: &model,
            threshold_rule: rule.as_deref(),
            metrics: &evaluation::test_scores(&test),
            intervals: &evaluation::test_intervals(&test),
            confidence: written.confidence(),
            schema: &schema,
            rows: &seen[..seen.len().min(params.reference_rows)],
            seen: &seen,
            provenance: &provenance,
        });
        let dir = context.output("package");
        write::write(&dir, &files.map_err(anyhow::Error::msg)?)?;
        let package = Directory::load(&dir).with_context(|| format!("{MANIFEST} was written"))?;
        let version = package.version();
        context.remark(match &model {
            TaskModel::Classifier(of) => {
                format!("model_version {version} ({variant}, threshold {:.2})", of.threshold)
            }
            TaskModel::Regressor(model) => {
                format!("model_version {version} ({variant}, predicts `{}`)", model.target())
            }
        });
        Ok(())
    }
}

/// What packages of a task take; `description` stands for a text that nobody wrote.
fn declared(description: &str) -> Vec<Param> {
    vec![
        Param::new("name", Type::Text, "model", "what people call the model"),
        Param::new("description", Type::Text, description, "what it is for, in a sentence"),
        Param::new(
            "intended_use",
            Type::Text,
            "Not stated by its makers: ask them before using it for decisions about people.",
            "who should use it for what; stands in the model card",
        ),
        Param::new(
            "limitations",
            Type::Text,
            "It was tested on rows like those it was trained on, and on no others.",
            "what it cannot do; stands in the model card",
        ),
        Param::new(
            "reference_rows",
            Type::Int(1, 1000),
            20,
            "how many rows the package is proved by, the first of `reference`",
        ),
    ]
}

fn read_json<T: DeserializeOwned>(path: &Path, port: &str) -> anyhow::Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the input `{port}`"))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("the input `{port}` is not what it should be"))
}

/// The rows of a table, one cell per feature of the model.
fn read_rows(path: &Path, model: &TaskModel) -> anyhow::Result<Vec<Vec<Cell>>> {
    let table = table_file::read(path)?;
    let mut columns = Vec::new();
    for feature in model.features() {
        let Some(column) = table.column(&feature.name) else {
            bail!("the input `reference` has no column `{}`, a feature of the model", feature.name)
        };
        columns.push(column);
    }
    let cells = |row| columns.iter().map(|column| column.cell(row)).collect();
    Ok((0..table.rows()).map(cells).collect())
}
