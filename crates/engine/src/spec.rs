//! The pipeline as written: `pipeline.toml`, its stage files, and what is laid over them.
//!
//! Reads texts and merges layers; checks the keys that the format knows. What the values mean
//! (kinds, ports, parameters) is the graph's matter. Nothing here stops at the first mistake.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Diagnostic, SourceId, Sources};
use crate::layers;
use crate::node::{Node, Shape};
use crate::params::Step;
use crate::reader::Reader;
use crate::variants::MAX_VARIANTS;

/// The file that makes a directory a project.
pub const FILE_NAME: &str = "pipeline.toml";
/// What the names of environment variables that set values begin with.
pub const ENVIRONMENT_PREFIX: &str = "PIPELINE_SET__";

/// The keys that `pipeline.toml` knows.
pub(crate) const ROOT_KEYS: [&str; 9] =
    ["name", "seed", "stages", "data", "defaults", "profile", "stage", "resources", "max_variants"];
/// The keys that a stage knows.
pub(crate) const STAGE_KEYS: [&str; 12] = [
    "kind",
    "inputs",
    "after",
    "params",
    "variant",
    "matrix",
    "exclude",
    "seed",
    "timeout",
    "retries",
    "resources",
    "exclusive",
];

/// What is asked for: a project and what is laid over its files.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The directory of `pipeline.toml`.
    pub root: PathBuf,
    /// The profile to lay over the files.
    pub profile: Option<String>,
    /// Environment variables; those without the prefix are passed over.
    pub environment: Vec<(String, String)>,
    /// `path=value` arguments, the last one winning.
    pub set: Vec<String>,
}

/// The pipeline as written, all layers merged.
#[derive(Debug)]
pub struct Spec {
    /// The directory of `pipeline.toml`.
    pub root: PathBuf,
    /// Every text that was read.
    pub sources: Sources,
    /// Of texts that are no files, what people call the layer.
    origins: BTreeMap<SourceId, String>,
    /// The merged values.
    pub merged: Node,
}

impl Spec {
    /// Reads a project with all that is wrong with how it is written.
    pub fn read(request: &Request) -> (Spec, Vec<Diagnostic>) {
        let mut reader = Reader::new(&request.root);
        let layers = reader.layers(request);
        let merged = layers::merge(layers);
        reader.check_keys(&merged);
        let Reader { root, sources, origins, diagnostics } = reader;
        (Spec { root, sources, origins, merged }, diagnostics)
    }

    /// How many variants a matrix may give, and how many points a sweep may have.
    pub fn max_variants(&self) -> u64 {
        let written = self.merged.get("max_variants").and_then(|node| node.plain().as_u64());
        written.filter(|most| *most > 0).unwrap_or(MAX_VARIANTS)
    }

    /// Every merged value on one line: its path, the value as TOML would have it, its origin as
    /// `file:line` or as the name of its layer.
    pub fn resolved(&self) -> Vec<Resolved> {
        let mut lines = Vec::new();
        self.walk(&self.merged, &mut Vec::new(), &mut lines);
        lines
    }

    fn walk(&self, node: &Node, path: &mut Vec<Step>, out: &mut Vec<Resolved>) {
        if let Shape::Table(entries) = &node.shape {
            for (key, child) in entries.iter() {
                path.push(Step::Key(key.clone()));
                self.walk(child, path, out);
                path.pop();
            }
            return;
        }
        let origin = match &node.place {
            None => "built-in defaults".to_owned(),
            Some(place) => match self.origins.get(&place.source) {
                Some(layer) => layer.clone(),
                None => self.sources.locate(place),
            },
        };
        out.push(Resolved { path: dotted(path), value: node.plain(), origin });
    }
}

/// One value of the resolved configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The keys from the root, joined by dots.
    pub path: String,
    /// The value.
    pub value: serde_json::Value,
    /// Where it was written.
    pub origin: String,
}

/// A path as people write it.
pub fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
