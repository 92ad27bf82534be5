//! `pipeline config`: the resolved configuration, and where each value was written.

use engine::error::ExitCode;
use engine::project;
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
    let (spec, _) = project::load(&request(global)?, KINDS)?;
    let resolved = spec.resolved();
    if terminal.json {
        let value = |one: &engine::spec::Resolved| json!({"path": one.path, "value": one.value, "origin": one.origin});
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

/// A value as TOML on one line.
fn as_toml(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string(),
        Err(_) => value.to_string(),
    }
}
