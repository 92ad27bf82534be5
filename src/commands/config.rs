//! `pipeline config`: the resolved configuration, and where each value was written.
//!
//! First what is written, layer over layer; then, per stage, the defaults that its kind filled in.

use engine::canonical;
use engine::error::ExitCode;
use engine::graph::{Graph, Stage};
use engine::node::Node;
use engine::params::Step;
use engine::project;
use engine::spec::{Resolved, Spec, dotted};
use serde_json::{Value, json};

use super::request;
use crate::cli::{Config as Args, Global};
use crate::kinds::KINDS;
use crate::terminal::{Style, Terminal};

pub(super) fn config(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let (spec, graph) = project::load(&request(global)?, KINDS)?;
    let mut resolved = spec.resolved();
    resolved.extend(defaults(&spec, &graph));
    if terminal.json {
        let value =
            |one: &Resolved| json!({"path": one.path, "value": one.value, "origin": one.origin});
        let values: Vec<_> = resolved.iter().map(value).collect();
        terminal.json_line(&json!({"schema": "pipeline.config/1", "values": values}));
        return Ok(ExitCode::Ok);
    }
    for one in &resolved {
        let origin = if args.origin { format!("  # {}", one.origin) } else { String::new() };
        let line = format!("{} = {}", one.path, as_toml(&one.value));
        terminal.out(&format!("{line}{}", terminal.paint(&origin, Style::Dim)));
    }
    Ok(ExitCode::Ok)
}

/// The parameters that nobody wrote, per stage.
fn defaults(spec: &Spec, graph: &Graph) -> Vec<Resolved> {
    let of_stage = |stage: &Stage| {
        let key = |key: &str| Step::Key(key.to_owned());
        let mut base = vec![key("stage"), key(&stage.group)];
        let written = spec.merged.find(&base);
        let mut places: Vec<&Node> = spec.merged.get("defaults").into_iter().collect();
        places.extend(written.and_then(|stage| stage.get("params")));
        places.extend(written.and_then(|stage| stage.get("matrix")));
        let name = stage.variant.as_deref().unwrap_or_default();
        let variant = written.and_then(|stage| stage.get("variant")?.get(name));
        places.extend(variant.and_then(|variant| variant.get("params")));
        if stage.variant.is_some() {
            base.extend([key("variant"), key(name)]);
        }
        base.push(key("params"));
        let mut leaves = Vec::new();
        unwritten(&stage.params, &mut Vec::new(), &places, &mut leaves);
        let origin = format!("default of kind {}", stage.kind.name());
        let resolve = move |(path, value): (Vec<Step>, Value)| Resolved {
            path: dotted(&[base.as_slice(), path.as_slice()].concat()),
            value,
            origin: origin.clone(),
        };
        leaves.into_iter().map(resolve).collect::<Vec<_>>()
    };
    graph.stages.iter().flat_map(of_stage).collect()
}

/// The leaves below tables that stand at none of the places where they could be written. A list is
/// written as a whole: defaults of its items are not told.
fn unwritten(
    value: &Value,
    path: &mut Vec<Step>,
    places: &[&Node],
    out: &mut Vec<(Vec<Step>, Value)>,
) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                path.push(Step::Key(key.clone()));
                unwritten(value, path, places, out);
                path.pop();
            }
        }
        leaf if places.iter().all(|place| place.find(path).is_none()) => {
            out.push((path.clone(), leaf.clone()));
        }
        _ => {}
    }
}

/// A value as TOML on one line.
fn as_toml(value: &Value) -> String {
    toml::Value::try_from(value).map_or_else(|_| canonical::show(value), |value| value.to_string())
}
