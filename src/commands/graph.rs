//! `pipeline graph`: the graph of the stages as a text. Needs no data and changes nothing.

use engine::error::ExitCode;
use engine::export;

use super::{open, select};
use crate::cli::{Global, Graph as Args, GraphFormat};
use crate::terminal::Terminal;

pub(super) fn graph(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let graph = &opened.graph;
    let stages = select(graph, &args.selection)?.stages;
    let format = if terminal.json { GraphFormat::Json } else { args.format };
    match format {
        GraphFormat::Dot => terminal.out(export::dot(graph, &stages).trim_end()),
        GraphFormat::Mermaid => terminal.out(export::mermaid(graph, &stages).trim_end()),
        GraphFormat::Json => terminal.json_line(&export::json(graph, &stages)),
    }
    Ok(ExitCode::Ok)
}
