//! `log`: the experiment record, taken from the run itself and never typed by hand.
//!
//! Every stage before it with all that its outputs followed from (kind, code, parameters, seed,
//! contents of inputs), every metric, and the champion. No git commit, host or time: those do not
//! follow from the inputs, and the record of the run keeps them.

use engine::digest::Digest;
use engine::kind::{Ancestor, Arity, Context, Input, Kind, Output};
use engine::params::Type;
use serde_json::{Map, Value, json};

use super::shared;
use crate::ml::evaluation::written::Written;
use crate::ml::json;

/// The format of `experiment.json`.
const FORMAT: &str = "pipeline.experiment/1";

/// The kind `log`.
pub struct Log;

impl Kind for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn about(&self) -> &'static str {
        "record every parameter, digest and metric of the run"
    }

    fn code(&self) -> Digest {
        super::code("log")
    }

    fn params(&self) -> Type {
        Type::Record(vec![shared::task()])
    }

    fn inputs(&self, params: &Value) -> Vec<Input> {
        let input = |name: &'static str, types, arity, doc| {
            let name = name.into();
            Input { name, types, arity, doc }
        };
        vec![
            input("metrics", shared::metrics_types(params), Arity::One, "what an evaluation found"),
            input(
                "champion",
                shared::model_types(params),
                Arity::Optional,
                "the model that it chose",
            ),
        ]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![Output::new("experiment", "experiment", "experiment.json")]
    }

    fn reads_lineage(&self) -> bool {
        true
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let metrics = Written::from_bytes(&std::fs::read(context.input("metrics"))?)
            .map_err(anyhow::Error::msg)?;
        let stages: Vec<Value> = context.lineage().iter().map(stage).collect::<Result<_, _>>()?;
        let flat = metrics.flat();
        let mut champion = metrics.champion_told();
        if let Some(path) = context.optional("champion") {
            champion.insert("model".to_owned(), json!(Digest::of_file(path)?.0));
        }
        context.remark(format!(
            "{} stages, {} metrics, champion {}",
            stages.len(),
            flat.len(),
            metrics.champion()
        ));
        let experiment = json!({
            "format": FORMAT,
            "champion": champion,
            "gates": metrics.gates(),
            "metrics": flat,
            "stages": stages,
        });
        context.write("experiment", &json::to_bytes(&experiment)?)
    }
}

/// A stage: its name, and its recipe without the part that speaks of yet other stages.
fn stage(ancestor: &Ancestor) -> anyhow::Result<Value> {
    let recipe = serde_json::to_value(&ancestor.recipe)?;
    let mut stage = Map::new();
    stage.insert("stage".to_owned(), json!(ancestor.stage));
    for key in ["kind", "code", "params", "seed", "inputs"] {
        stage.insert(key.to_owned(), recipe.get(key).cloned().unwrap_or(Value::Null));
    }
    Ok(Value::Object(stage))
}
