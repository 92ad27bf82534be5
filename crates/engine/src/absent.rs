//! The files of the project that stages read and that do not exist.
//!
//! A pipeline can be planned, drawn and asked about before its data is there; what is to be run
//! needs it. All that is missing is told at once, each at the line that names it, before any work.

use std::collections::{BTreeMap, BTreeSet};

use crate::data;
use crate::error::{Diagnostic, Error, Mistakes, Sources};
use crate::files;
use crate::graph::{Graph, Plug, StageId};
use crate::spec::Spec;

/// What is missing, with the texts of the pipeline that name it.
#[derive(Debug, Default)]
pub struct Absent {
    sources: Sources,
    /// By the name of the data.
    found: BTreeMap<String, Diagnostic>,
}

impl Absent {
    /// Looks for the files of the project that any stage reads.
    pub fn look(spec: Spec, graph: &Graph) -> Absent {
        let mut found = BTreeMap::new();
        let names: BTreeSet<_> = data_of(graph, graph.ids()).collect();
        for name in names {
            let node = spec.merged.get("data").and_then(|data| data.get(name));
            let Some(path) = node.and_then(|node| node.text()) else { continue };
            if !data::is_there(&spec.root, path.as_ref()) {
                let is_empty = files::exists(&spec.root.join(path));
                let what = if is_empty { "holds no file" } else { "does not exist" };
                let diagnostic = Diagnostic::new(format!("`{path}` {what}"))
                    .at(node.and_then(|node| node.place.clone()));
                found.insert(name.to_owned(), diagnostic);
            }
        }
        Absent { sources: spec.sources, found }
    }

    /// The texts that the pipeline was read from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Fails when any of these stages reads what is missing. What is missing is told once.
    ///
    /// # Errors
    /// `Absent` with all of it.
    pub fn require(
        &mut self,
        graph: &Graph,
        stages: impl IntoIterator<Item = StageId>,
    ) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        let names: BTreeSet<_> = data_of(graph, stages).collect();
        self.found.retain(|name, _| names.contains(name.as_str()));
        let mut diagnostics: Vec<_> = std::mem::take(&mut self.found).into_values().collect();
        if diagnostics.is_empty() {
            return Ok(());
        }
        diagnostics.sort_by_key(|diagnostic| {
            diagnostic.place.as_ref().map(|place| (place.source, place.span.start))
        });
        let sources = std::mem::take(&mut self.sources);
        Err(Error::Absent(Box::new(Mistakes { sources, diagnostics })))
    }
}

/// The names of the data that stages read.
fn data_of(graph: &Graph, stages: impl IntoIterator<Item = StageId>) -> impl Iterator<Item = &str> {
    let ports = stages.into_iter().flat_map(|id| &graph.stage(id).inputs);
    ports.flat_map(|port| &port.plugs).filter_map(|plug| match plug {
        Plug::Data { name, .. } => Some(name.as_str()),
        Plug::Stage { .. } => None,
    })
}
