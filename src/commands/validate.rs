//! `pipeline validate --suggest [SOURCE]`: a first suite of expectations, to edit and to keep.
//!
//! It is made from the newest profile of the project, or from a table or a profile that is named,
//! and written to stdout, or to a file that is not there yet, as a stage. Of a table that is named,
//! the roles are those of `[defaults.columns]`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::error::ExitCode;
use engine::graph::{Graph, Plug, Stage};
use engine::kind::Kind;
use engine::spec;
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
    let text = suite::stage(&suggested, &source.table);
    match &args.output {
        None => terminal.out(text.trim_end()),
        Some(path) => write(path, &text)?,
    }
    Ok(ExitCode::Ok)
}

/// Writes the suite where there is none: what a person has edited is worth more.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(cannot),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!("`{}` is already here; name another file", path.display());
            Err(ended(ExitCode::Usage, message))
        }
        Err(error) => Err(error).with_context(cannot),
    }
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
    let project = Written::of(&root(global)?);
    let (profile, schema) = profile::profile(&table, &project.roles, Limits::default());
    let table = project.name_of(path).unwrap_or(DEFAULT_TABLE.to_owned());
    Ok(Source { profile, schema: Some(schema), table })
}

/// What `pipeline.toml` says by itself. It is read alone, because the stage that is being written
/// may be listed there and not be there yet.
#[derive(Default)]
struct Written {
    root: PathBuf,
    roles: Roles,
    data: BTreeMap<String, PathBuf>,
}

impl Written {
    /// What can be read; mistakes are told by whatever loads the pipeline.
    fn of(root: &Path) -> Written {
        let text = fs::read_to_string(root.join(spec::FILE_NAME)).unwrap_or_default();
        let table: Value = toml::from_str(&text).unwrap_or_default();
        let one_or_many = |value: &Value| match value {
            Value::Array(_) => value.clone(),
            one => json!([one]),
        };
        let columns = table["defaults"]["columns"].as_object();
        let role = |(name, value): (&String, &Value)| {
            Some((name.clone(), serde_json::from_value(one_or_many(value)).ok()?))
        };
        let data = table["data"].as_object();
        let path =
            |(name, value): (&String, &Value)| Some((name.clone(), PathBuf::from(value.as_str()?)));
        Written {
            root: root.to_owned(),
            roles: columns.into_iter().flatten().filter_map(role).collect(),
            data: data.into_iter().flatten().filter_map(path).collect(),
        }
    }

    /// A file as a stage names it.
    fn name_of(&self, file: &Path) -> Option<String> {
        let file = fs::canonicalize(file).ok()?;
        let is_it =
            |path: &PathBuf| fs::canonicalize(self.root.join(path)).is_ok_and(|path| path == file);
        let found = self.data.iter().find(|(_, path)| is_it(path));
        found.map(|(name, _)| format!("data.{name}"))
    }
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
