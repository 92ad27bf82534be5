//! `pipeline validate --suggest [SOURCE]`: a first suite of expectations, to edit and to keep.
//!
//! It is made from the newest profile of the project, or from a table or a profile that is named,
//! and written to stdout as the file of a stage; nothing in the project is changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::error::ExitCode;
use engine::graph::{Graph, Plug, Stage};
use engine::kind::Kind;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ended, open, root, suite};
use crate::cli::{Global, Validate as Args};
use crate::kinds;
use crate::ml::profile::{self, Limits, Profile};
use crate::ml::schema::{Roles, Schema};
use crate::ml::{suggest, table_file};
use crate::terminal::Terminal;

/// What is plugged into the stage when there is no project to know it from.
const DEFAULT_TABLE: &str = "data.table";

/// What a suite is made from.
struct Source {
    profile: Profile,
    schema: Option<Schema>,
    /// What the stage reads, as a stage file names it.
    table: String,
}

pub(super) fn validate(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let source = match &args.source {
        Some(path) => named(global, path)?,
        None => newest(global)?,
    };
    let suggested = suggest::suite(&source.profile, source.schema.as_ref());
    if terminal.json {
        let one = |suggestion: &suggest::Suggestion| json!({"seen": suggestion.seen, "expectation": suggestion.declared});
        terminal.json_line(&json!({
            "schema": "pipeline.suite/1",
            "table": source.table,
            "suggestions": suggested.iter().map(one).collect::<Vec<Value>>(),
        }));
        return Ok(ExitCode::Ok);
    }
    terminal.out(suite::stage(&suggested, &source.table).trim_end());
    terminal.note("a first suggestion: read it, then keep it as `stages/validate.toml`");
    Ok(ExitCode::Ok)
}

/// From a file: a profile that a stage wrote, or any table.
fn named(global: &Global, path: &Path) -> anyhow::Result<Source> {
    if !path.exists() {
        let message = format!("`{}` is not there", path.display());
        return Err(ended(ExitCode::Missing, message));
    }
    let is_document = path.extension().is_some_and(|extension| extension == "json");
    if is_document {
        return documents(path, DEFAULT_TABLE.to_owned());
    }
    let table = table_file::read(path);
    let table = table.map_err(|error| ended(ExitCode::Usage, format!("{error:#}")))?;
    // Of a project the roles are known, and which of its data this is.
    let graph = match root(global)?.join(engine::spec::FILE_NAME).is_file() {
        true => Some(open(global)?.graph),
        false => None,
    };
    let roles = graph.as_ref().and_then(profiled).map(|stage| &stage.params["columns"]);
    let roles: Roles =
        roles.and_then(|roles| serde_json::from_value(roles.clone()).ok()).unwrap_or_default();
    let (profile, schema) = profile::profile(&table, &roles, Limits::default());
    let table = graph.as_ref().and_then(|graph| data_of(graph, &root(global).ok()?, path));
    Ok(Source { profile, schema: Some(schema), table: table.unwrap_or(DEFAULT_TABLE.to_owned()) })
}

/// From the newest outputs of the stage that profiles.
fn newest(global: &Global) -> anyhow::Result<Source> {
    let opened = open(global)?;
    let Some(stage) = profiled(&opened.graph) else {
        let message = "the pipeline has no stage of kind `profile`; name a table or a profile";
        return Err(ended(ExitCode::Usage, message));
    };
    let dir = opened.project.outputs.join(&stage.name);
    let path = output(stage, &dir, "report");
    if !path.exists() {
        let name = &stage.name;
        let message = format!(
            "the profile of stage `{name}` is not there; `pipeline run {name}` makes it, or name a \
             table"
        );
        return Err(ended(ExitCode::Missing, message));
    }
    let plug = stage.inputs.iter().flat_map(|port| &port.plugs).next();
    let table = plug.map(|plug| plugged(&opened.graph, plug));
    documents(&path, table.unwrap_or(DEFAULT_TABLE.to_owned()))
}

/// A profile, with the schema beside it when there is one.
fn documents(path: &Path, table: String) -> anyhow::Result<Source> {
    let profile: Profile = document(path, profile::FORMAT)?;
    let beside = path.with_file_name(kinds::profile::SCHEMA_FILE);
    let schema = match beside.exists() {
        true => Some(document(&beside, crate::ml::schema::FORMAT)?),
        false => None,
    };
    Ok(Source { profile, schema, table })
}

fn document<T: DeserializeOwned>(path: &Path, format: &str) -> anyhow::Result<T> {
    let told = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read `{told}`"))?;
    let wrong = |error: String| ended(ExitCode::Usage, format!("`{told}` is no profile: {error}"));
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if value["format"] != format {
        return Err(wrong(format!("its format is {}, not `{format}`", value["format"])));
    }
    serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
}

/// The first stage that profiles a table.
fn profiled(graph: &Graph) -> Option<&Stage> {
    graph.stages.iter().find(|stage| stage.kind.name() == kinds::profile::Profile.name())
}

fn output(stage: &Stage, dir: &Path, port: &str) -> PathBuf {
    let found = stage.outputs.iter().find(|output| output.name == port);
    found.map_or(dir.to_owned(), |output| dir.join(&output.path))
}

/// What is plugged in, as a stage file names it.
fn plugged(graph: &Graph, plug: &Plug) -> String {
    match plug {
        Plug::Data { name, .. } => format!("data.{name}"),
        Plug::Stage { stage, output } => {
            let stage = graph.stage(*stage);
            format!("{}.{}", stage.name, stage.outputs[*output].name)
        }
    }
}

/// The name under `[data]` of a file, when a stage reads it.
fn data_of(graph: &Graph, root: &Path, file: &Path) -> Option<String> {
    let file = fs::canonicalize(file).ok()?;
    let plugs = graph.stages.iter().flat_map(|stage| &stage.inputs).flat_map(|port| &port.plugs);
    let is_it = |path: &Path| fs::canonicalize(root.join(path)).is_ok_and(|path| path == file);
    plugs
        .filter_map(|plug| match plug {
            Plug::Data { name, path } if is_it(path) => Some(format!("data.{name}")),
            _ => None,
        })
        .next()
}
