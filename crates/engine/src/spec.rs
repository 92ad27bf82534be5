//! The pipeline as written: `pipeline.toml`, its stage files, and what is laid over them.
//!
//! Reads texts and merges layers; checks the keys that the format knows. What the values mean
//! (kinds, ports, parameters) is the graph's matter. Nothing here stops at the first mistake.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Diagnostic, Place, SourceId, Sources, suggestion};
use crate::layers::{self, Layer};
use crate::node::{Node, Shape};
use crate::params::Step;

/// The file that makes a directory a project.
pub const FILE_NAME: &str = "pipeline.toml";
/// The directory of the stage files.
pub(crate) const STAGES_DIR: &str = "stages";
/// What the names of environment variables that set values begin with.
pub const ENVIRONMENT_PREFIX: &str = "PIPELINE_SET__";

/// The keys that `pipeline.toml` knows.
pub(crate) const ROOT_KEYS: [&str; 7] =
    ["name", "seed", "stages", "data", "defaults", "profile", "stage"];
/// The keys that a stage knows.
pub(crate) const STAGE_KEYS: [&str; 7] =
    ["kind", "inputs", "after", "params", "variant", "matrix", "seed"];

/// What no stage is named: `data.NAME` is a file of the project, and the others are directories
/// beside `outputs/STAGE`.
const RESERVED: [&str; 4] = ["data", "failed", "runs", "store"];

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
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// The merged values.
    pub merged: Node,
}

impl Spec {
    /// Reads a project with all that is wrong with how it is written.
    pub fn read(request: &Request) -> (Spec, Vec<Diagnostic>) {
        let mut reader = Reader {
            root: request.root.clone(),
            sources: Sources::default(),
            diagnostics: Vec::new(),
        };
        let layers = reader.layers(request);
        let merged = layers::merge(&layers);
        reader.check_keys(&merged);
        let Reader { root, sources, diagnostics } = reader;
        (Spec { root, sources, layers, merged }, diagnostics)
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
            for (key, child) in entries {
                path.push(Step::Key(key.clone()));
                self.walk(child, path, out);
                path.pop();
            }
            return;
        }
        let located = node.place.as_ref().map(|place| self.sources.locate(place));
        let layer = layers::origin(&self.layers, path).unwrap_or("built-in defaults");
        let is_file = Path::new(layer).extension() == Some(OsStr::new("toml"));
        let origin = located.filter(|_| is_file).unwrap_or_else(|| layer.to_owned());
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

/// Reads the texts of one project and collects what is wrong with them.
pub(crate) struct Reader {
    pub(crate) root: PathBuf,
    pub(crate) sources: Sources,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn layers(&mut self, request: &Request) -> Vec<Layer> {
        let mut defaults = Node::empty();
        defaults.insert(&["seed".to_owned()], Node::leaf(0));
        let mut layers = vec![Layer { name: "built-in defaults".to_owned(), root: defaults }];

        let path = self.root.join(FILE_NAME);
        let Some((mut file, _)) = self.parse_file(&path, FILE_NAME) else { return layers };
        self.tables(&file, &["profile"]);
        let profiles = file.remove("profile");
        self.name_variants(&mut file);
        let listed = self.listed_stages(&file);
        layers.push(Layer { name: FILE_NAME.to_owned(), root: file });
        for (stage, place) in &listed {
            let inline = layers[1].root.get("stage").and_then(|stages| stages.get(stage)).is_some();
            layers.extend(self.stage_file(stage, place.as_ref(), inline));
        }
        self.find_unlisted(&listed);
        if let Some(name) = &request.profile {
            layers.extend(self.profile(name, profiles.as_ref()));
        }
        let stages: Vec<_> = listed.into_iter().map(|(stage, _)| stage).collect();
        let mut over = self.environment(&request.environment);
        over.extend(request.set.iter().filter_map(|argument| self.argument(argument, &stages)));
        over.iter().for_each(|layer| self.known_variants(layer, &layers));
        layers.extend(over);
        layers
    }

    /// A value for one run changes a variant and makes none: another name is a typing error.
    fn known_variants(&mut self, over: &Layer, below: &[Layer]) {
        let of = |layer: &Layer, stage: &str| -> Vec<(String, Option<Place>)> {
            let stage = layer.root.get("stage").and_then(|stages| stages.get(stage));
            let variants = stage.and_then(|stage| stage.get("variant"));
            let entries = variants.iter().flat_map(|variants| variants.entries());
            entries.map(|(name, node)| (name.clone(), first_place(node))).collect()
        };
        for (stage, _) in over.root.get("stage").iter().flat_map(|stages| stages.entries()) {
            let known: Vec<_> = below.iter().flat_map(|layer| of(layer, stage)).collect();
            for (name, place) in of(over, stage) {
                if !known.iter().any(|(other, _)| *other == name) {
                    let hint = suggestion(&name, known.iter().map(|(name, _)| name.as_str()));
                    let message = format!("stage `{stage}` has no variant `{name}`");
                    self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
                }
            }
        }
    }

    fn parse_file(&mut self, path: &Path, name: &str) -> Option<(Node, SourceId)> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let id = self.sources.add(name, text);
                let (node, diagnostics) = Node::parse(&self.sources, id);
                self.diagnostics.extend(diagnostics);
                Some((node, id))
            }
            Err(error) => {
                let message = match error.kind() {
                    ErrorKind::NotFound => format!("`{name}` does not exist"),
                    ErrorKind::InvalidData => format!("`{name}` is not UTF-8 text"),
                    _ => format!("cannot read `{name}`: {error}"),
                };
                let hint = "`pipeline init` makes a project from a CSV file".to_owned();
                let hint = (name == FILE_NAME).then_some(hint);
                self.diagnostics.push(Diagnostic::new(message).hinted(hint));
                None
            }
        }
    }

    fn listed_stages(&mut self, file: &Node) -> Vec<(String, Option<Place>)> {
        let Some(list) = file.get("stages") else {
            let message = "missing `stages`: the names of the stages, in reading order";
            self.diagnostics.push(Diagnostic::new(message).at(file.place.clone()));
            return Vec::new();
        };
        let mut listed: Vec<(String, Option<Place>)> = Vec::new();
        if !matches!(list.shape, Shape::List(_)) {
            self.complain("`stages` must be a list of names", list.place.as_ref());
        }
        for item in list.items() {
            match item.text() {
                Some(name) if listed.iter().any(|(other, _)| other == name) => {
                    self.complain(format!("stage `{name}` is listed twice"), item.place.as_ref());
                }
                Some(name) if RESERVED.contains(&name) => {
                    let message = format!(
                        "a stage cannot be named `{name}`: it means the project's own {name}"
                    );
                    self.complain(message, item.place.as_ref());
                }
                Some(name) if is_name(name) => {
                    listed.push((name.to_owned(), item.place.clone()));
                }
                _ => self.complain(
                    "a stage is named by letters, digits, `_` and `-`",
                    item.place.as_ref(),
                ),
            }
        }
        listed
    }

    fn stage_file(&mut self, stage: &str, listed: Option<&Place>, inline: bool) -> Option<Layer> {
        let name = format!("{STAGES_DIR}/{stage}.toml");
        let path = self.root.join(&name);
        if !path.exists() {
            if !inline {
                let hint = "write that file, or take the stage out of the list".to_owned();
                let message = format!("stage `{stage}` has no file `{name}`");
                self.diagnostics.push(Diagnostic::new(message).at(listed.cloned()).hinted(hint));
            }
            return None;
        }
        let (node, _) = self.parse_file(&path, &name)?;
        let mut root = Node::empty();
        root.insert(&["stage".to_owned(), stage.to_owned()], node);
        self.name_variants(&mut root);
        Some(Layer { name, root })
    }

    fn find_unlisted(&mut self, listed: &[(String, Option<Place>)]) {
        let Ok(entries) = fs::read_dir(self.root.join(STAGES_DIR)) else { return };
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension() == Some(OsStr::new("toml")))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| !listed.iter().any(|(other, _)| other == name))
            .collect();
        names.sort();
        for name in names {
            let file = format!("{STAGES_DIR}/{name}.toml");
            let text = fs::read_to_string(self.root.join(&file)).unwrap_or_default();
            let end = text.find('\n').unwrap_or(text.len());
            let source = self.sources.add(file, text);
            let hint = format!("add \"{name}\" to `stages` in {FILE_NAME}, or remove the file");
            let diagnostic = Diagnostic::new(format!("no pipeline lists the stage `{name}`"))
                .at(Some(Place { source, span: 0..end }))
                .hinted(hint);
            self.diagnostics.push(diagnostic);
        }
    }

    /// Turns `[[variant]]` lists into tables by name, so that a layer above can change one of them.
    pub(crate) fn name_variants(&mut self, root: &mut Node) {
        let Some(Node { shape: Shape::Table(stages), .. }) = child_mut(root, "stage") else {
            return;
        };
        for stage in stages.values_mut() {
            let Some(variants) = child_mut(stage, "variant") else { continue };
            let Shape::List(items) = &variants.shape else { continue };
            let mut named: BTreeMap<String, Node> = BTreeMap::new();
            for item in items.clone() {
                self.name_variant(item, &mut named);
            }
            variants.shape = Shape::Table(named);
        }
    }

    fn name_variant(&mut self, mut item: Node, named: &mut BTreeMap<String, Node>) {
        let Some(name_node) = item.remove("name") else {
            self.complain("a variant needs a `name`", item.place.as_ref());
            return;
        };
        match name_node.text() {
            Some(name) if named.contains_key(name) => {
                self.complain(format!("variant `{name}` is given twice"), name_node.place.as_ref());
            }
            Some(name) if is_name(name) => {
                let name = name.to_owned();
                item.key = name_node.place;
                named.insert(name, item);
            }
            _ => self.complain(
                "a variant is named by letters, digits, `_` and `-`",
                name_node.place.as_ref(),
            ),
        }
    }

    fn check_keys(&mut self, merged: &Node) {
        self.known_keys(merged, &ROOT_KEYS, "a pipeline");
        self.tables(merged, &["data", "defaults", "stage"]);
        self.check_list(merged);
        for (name, stage) in merged.get("stage").iter().flat_map(|stages| stages.entries()) {
            let listed = merged.get("stages").is_some_and(|list| {
                list.items().iter().any(|item| item.text() == Some(name.as_str()))
            });
            if !listed {
                let names = merged.get("stages").map(Node::items).unwrap_or_default();
                let hint = suggestion(name, names.iter().filter_map(Node::text));
                let place = stage.key.clone().or_else(|| first_place(stage));
                let message = format!("stage `{name}` is not in the list `stages`");
                self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
            }
            self.known_keys(stage, &STAGE_KEYS, "a stage");
            self.tables(stage, &["inputs", "params", "matrix", "variant"]);
            for (_, variant) in stage.get("variant").iter().flat_map(|table| table.entries()) {
                self.known_keys(variant, &["params"], "a variant");
            }
        }
    }

    /// The stage files are read by the list in `pipeline.toml`, so that no layer may change it.
    fn check_list(&mut self, merged: &Node) {
        let place = merged.get("stages").and_then(|list| list.place.clone());
        if let Some(place) = place
            && self.sources.get(place.source).name != FILE_NAME
        {
            self.complain(format!("`stages` can only be written in {FILE_NAME}"), Some(&place));
        }
    }

    /// A value of another shape would be passed over as if it were not there.
    fn tables(&mut self, of: &Node, keys: &[&str]) {
        for key in keys {
            if let Some(node) = of.get(key)
                && !matches!(node.shape, Shape::Table(_))
            {
                let what = if *key == "variant" { "a list of tables" } else { "a table" };
                self.complain(format!("`{key}` must be {what}"), node.place.as_ref());
            }
        }
    }

    fn known_keys(&mut self, table: &Node, known: &[&str], what: &str) {
        if !matches!(table.shape, Shape::Table(_)) {
            self.complain(format!("{what} must be a table"), table.place.as_ref());
        }
        for (key, node) in table.entries().filter(|(key, _)| !known.contains(&key.as_str())) {
            let hint = suggestion(key, known.iter().copied())
                .unwrap_or_else(|| format!("{what} knows {}", known.join(", ")));
            let place = node.key.clone().or_else(|| first_place(node));
            let message = format!("unknown key `{key}`");
            self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
        }
    }

    pub(crate) fn complain(&mut self, message: impl Into<String>, place: Option<&Place>) {
        self.diagnostics.push(Diagnostic::new(message).at(place.cloned()));
    }
}

fn child_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    match &mut node.shape {
        Shape::Table(entries) => entries.get_mut(key),
        _ => None,
    }
}

/// The first place of anything in a tree: a table that `--set` made on the way has none itself.
fn first_place(node: &Node) -> Option<Place> {
    node.key.clone().or_else(|| node.place.clone()).or_else(|| {
        node.entries().map(|(_, child)| child).chain(node.items()).find_map(first_place)
    })
}

fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_plain)
}
