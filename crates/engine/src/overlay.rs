//! What is laid over the files of a project: a profile, environment variables, `--set` arguments.
//!
//! Each becomes a layer with its places; which one wins is the business of `layers`.

use std::collections::BTreeSet;

use crate::error::{Diagnostic, Place, SourceId, suggestion};
use crate::layers::Layer;
use crate::node::{MAX_DEPTH, Node};
use crate::reader::Reader;
use crate::spec::{ENVIRONMENT_PREFIX, FILE_NAME, ROOT_KEYS, STAGE_KEYS};

impl Reader {
    pub(crate) fn profile(&mut self, name: &str, profiles: Option<&Node>) -> Option<Layer> {
        if let Some(found) = profiles.and_then(|profiles| profiles.get(name)) {
            let mut root = found.clone();
            if let Some(list) = root.remove("stages") {
                let message = "`stages` cannot be part of a profile; choose targets instead";
                self.complain(message, list.key.as_ref());
            }
            self.name_variants(&mut root);
            let layer = format!("[profile.{name}] of {FILE_NAME}");
            return Some(Layer { name: layer, root });
        }
        let known: Vec<_> = profiles
            .iter()
            .flat_map(|node| node.entries())
            .map(|(name, _)| name.as_str())
            .collect();
        let hint =
            suggestion(name, known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
                [] => format!("{FILE_NAME} has no profiles; one begins with `[profile.{name}]`"),
                known => format!("known: {}", known.join(", ")),
            });
        self.diagnostics.push(Diagnostic::new(format!("unknown profile `{name}`")).hinted(hint));
        None
    }

    pub(crate) fn environment(&mut self, variables: &[(String, String)]) -> Vec<Layer> {
        let mut layers = Vec::new();
        for (name, value) in variables {
            let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            let path: Vec<_> = path.split("__").map(str::to_owned).collect();
            let start = name.len() + 1;
            let source = self.sources.add("environment", format!("{name}={value}"));
            let place = Place { source, span: start..start + value.len() };
            if path.len() > MAX_DEPTH {
                self.too_deep(source, name.len());
                continue;
            }
            let mut root = Node::empty();
            root.insert(&path, keyed(Node::parse_value(value, place), source, name.len()));
            let name = format!("environment {name}");
            self.origins.insert(source, name.clone());
            layers.push(Layer { name, root });
        }
        layers
    }

    pub(crate) fn argument(&mut self, argument: &str, stages: &BTreeSet<&str>) -> Option<Layer> {
        let source = self.sources.add("--set", argument);
        let Some((path, value)) = argument.split_once('=') else {
            let place = Place { source, span: 0..argument.len() };
            self.complain("expected `path=value`, as in `--set split.test=0.3`", Some(&place));
            return None;
        };
        if path.split('.').count() > MAX_DEPTH {
            self.too_deep(source, path.len());
            return None;
        }
        let place = Place { source, span: path.len() + 1..argument.len() };
        let node = keyed(Node::parse_value(value, place), source, path.len());
        let mut root = Node::empty();
        match full_path(path, stages) {
            Ok(keys) => root.insert(&keys, node),
            Err(hint) => {
                let place = Some(Place { source, span: 0..path.len() });
                let message = format!("`{path}` names no stage and no key of {FILE_NAME}");
                self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
                return None;
            }
        }
        let name = format!("--set {argument}");
        self.origins.insert(source, name.clone());
        Some(Layer { name, root })
    }

    fn too_deep(&mut self, source: SourceId, len: usize) {
        let place = Place { source, span: 0..len };
        self.complain(format!("a path has at most {MAX_DEPTH} keys"), Some(&place));
    }
}

fn keyed(mut node: Node, source: SourceId, key_len: usize) -> Node {
    node.key = Some(Place { source, span: 0..key_len });
    node
}

/// `train.C` as the path from the root: `stage.train.params.C`; `train@forest.depth` as
/// `stage.train.variant.forest.params.depth`. Paths that begin with a key of the root stay.
fn full_path(path: &str, stages: &BTreeSet<&str>) -> Result<Vec<String>, Option<String>> {
    let keys: Vec<_> = path.split('.').map(str::to_owned).collect();
    if ROOT_KEYS.contains(&keys[0].as_str()) {
        return Ok(keys);
    }
    let (stage, variant) = match keys[0].split_once('@') {
        Some((stage, variant)) => (stage, Some(variant)),
        None => (keys[0].as_str(), None),
    };
    if !stages.contains(stage) || keys.len() < 2 {
        let known = stages.iter().copied().chain(ROOT_KEYS);
        return Err(suggestion(stage, known));
    }
    let mut full = vec!["stage".to_owned(), stage.to_owned()];
    if let Some(variant) = variant {
        full.extend(["variant".to_owned(), variant.to_owned(), "params".to_owned()]);
    } else if !STAGE_KEYS.contains(&keys[1].as_str()) {
        full.push("params".to_owned());
    }
    full.extend_from_slice(&keys[1..]);
    Ok(full)
}
