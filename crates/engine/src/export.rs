//! A graph as a text: for Graphviz, for Mermaid, for programs.
//!
//! The same graph always gives the same text. Stages stand in graph order, what they read before
//! them. Names of data and paths are the user's own, so that every language has its quoting.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::graph::{Graph, Plug, Stage, StageId};

/// The schema of the JSON document.
const SCHEMA: &str = "pipeline.graph/1";

/// The end of an edge: a stage, or a file of the project by its name.
type End = Result<StageId, String>;

/// What is drawn: data, stages, and what goes from one to the other.
struct Drawing<'a> {
    /// Per name of data, its path.
    data: BTreeMap<&'a str, String>,
    /// Between two ends, the port; `None` for a stage that only comes after another.
    edges: BTreeSet<(StageId, End, Option<String>)>,
}

fn draw<'a>(graph: &'a Graph, stages: &BTreeSet<StageId>) -> Drawing<'a> {
    let mut drawing = Drawing { data: BTreeMap::new(), edges: BTreeSet::new() };
    for id in stages {
        let stage = graph.stage(*id);
        for port in &stage.inputs {
            for plug in &port.plugs {
                let from = match plug {
                    Plug::Data { name, path } => {
                        drawing.data.insert(name, path.display().to_string());
                        Err(name.clone())
                    }
                    Plug::Stage { stage, .. } => Ok(*stage),
                };
                drawing.edges.insert((*id, from, Some(port.name.to_string())));
            }
        }
        drawing.edges.extend(stage.after.iter().map(|from| (*id, Ok(*from), None)));
    }
    drawing
}

/// The graph of these stages for Graphviz.
pub fn dot(graph: &Graph, stages: &BTreeSet<StageId>) -> String {
    let drawing = draw(graph, stages);
    let end = |end: &End| match end {
        Ok(id) => quoted(&graph.stage(*id).name),
        Err(name) => quoted(&format!("data.{name}")),
    };
    let mut lines = vec![
        format!("digraph {} {{", quoted(&graph.name)),
        "  rankdir=LR".to_owned(),
        "  node [shape=box]".to_owned(),
    ];
    for (name, path) in &drawing.data {
        let label = quoted(&format!("{name}\n{path}"));
        lines.push(format!("  {} [shape=note, label={label}]", end(&Err((*name).to_owned()))));
    }
    for id in stages {
        let stage = graph.stage(*id);
        let shape = if stage.is_service() { "shape=house, " } else { "" };
        let label = quoted(&format!("{}\n{}", stage.name, stage.kind.name()));
        lines.push(format!("  {} [{shape}label={label}]", end(&Ok(*id))));
    }
    for (to, from, port) in &drawing.edges {
        let how = match port {
            Some(port) => format!("label={}", quoted(port)),
            None => "style=dashed".to_owned(),
        };
        lines.push(format!("  {} -> {} [{how}]", end(from), end(&Ok(*to))));
    }
    lines.push("}\n".to_owned());
    lines.join("\n")
}

/// A text in Graphviz's quotes, where `\n` ends a line and `\\` is a backslash.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// The graph of these stages as a Mermaid flow chart.
pub fn mermaid(graph: &Graph, stages: &BTreeSet<StageId>) -> String {
    let drawing = draw(graph, stages);
    let data: BTreeMap<&str, usize> =
        drawing.data.keys().enumerate().map(|(index, name)| (*name, index)).collect();
    let end = |end: &End| match end {
        Ok(id) => format!("s{}", id.0),
        Err(name) => format!("d{}", data.get(name.as_str()).copied().unwrap_or_default()),
    };
    let mut lines = vec!["flowchart LR".to_owned()];
    for (name, path) in &drawing.data {
        let label = entities(&format!("{name}\n{path}"));
        lines.push(format!("  {}[(\"{label}\")]", end(&Err((*name).to_owned()))));
    }
    for id in stages {
        let stage = graph.stage(*id);
        let label = entities(&format!("{}\n{}", stage.name, stage.kind.name()));
        let (open, close) = if stage.is_service() { ("([", "])") } else { ("[", "]") };
        lines.push(format!("  {}{open}\"{label}\"{close}", end(&Ok(*id))));
    }
    for (to, from, port) in &drawing.edges {
        let arrow = match port {
            Some(port) => format!("-->|\"{}\"|", entities(port)),
            None => "-.->".to_owned(),
        };
        lines.push(format!("  {} {arrow} {}", end(from), end(&Ok(*to))));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A text as Mermaid's quotes want it: what could end them or mean markup is an entity.
fn entities(text: &str) -> String {
    let escape = |c: char| match c {
        '\n' => "<br>".to_owned(),
        '"' | '#' | '&' | '<' | '>' | '`' | '\\' => format!("#{};", u32::from(c)),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// The graph of these stages as a document.
pub fn json<'a>(graph: &'a Graph, stages: &'a BTreeSet<StageId>) -> Document<'a> {
    Document {
        pipeline: &graph.name,
        resources: &graph.resources,
        schema: SCHEMA,
        stages: Stages { graph, stages },
    }
}

/// A graph as a document, of which each stage is made as it is written.
#[derive(Serialize)]
pub struct Document<'a> {
    pipeline: &'a str,
    resources: &'a BTreeMap<String, u64>,
    schema: &'static str,
    stages: Stages<'a>,
}

struct Stages<'a> {
    graph: &'a Graph,
    stages: &'a BTreeSet<StageId>,
}

impl Serialize for Stages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |id: &StageId| stage(self.graph, self.graph.stage(*id));
        serializer.collect_seq(self.stages.iter().map(of))
    }
}

fn stage(graph: &Graph, stage: &Stage) -> Value {
    let plug = |plug: &Plug| match plug {
        Plug::Data { name, path } => json!({"data": name, "path": path.display().to_string()}),
        Plug::Stage { stage, output } => {
            let from = graph.stage(*stage);
            json!({"stage": from.name, "output": from.outputs[*output].name})
        }
    };
    let inputs: serde_json::Map<_, _> = stage
        .inputs
        .iter()
        .map(|port| (port.name.to_string(), port.plugs.iter().map(plug).collect()))
        .collect();
    let output = |output: &crate::kind::Output| {
        let ty = output.ty.to_string();
        json!({"name": output.name, "type": ty, "path": output.path})
    };
    let outputs: Vec<_> = stage.outputs.iter().map(output).collect();
    let after: Vec<_> = stage.after.iter().map(|id| graph.stage(*id).name.as_str()).collect();
    json!({
        "stage": stage.name,
        "group": stage.group,
        "variant": stage.variant,
        "kind": stage.kind.name(),
        "service": stage.is_service(),
        "inputs": inputs,
        "outputs": outputs,
        "after": after,
        "control": {
            "timeout": stage.control.timeout.map(|timeout| timeout.as_secs_f64()),
            "retries": stage.control.retries,
            "resources": stage.control.resources,
            "exclusive": stage.control.exclusive,
        },
    })
}
