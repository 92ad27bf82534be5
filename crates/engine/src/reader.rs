//! Reads the texts of one project and collects what is wrong with how they are written.
//!
//! Every list of stages is looked up in a set: a pipeline of a hundred thousand stages is read in
//! time that grows with its text. Knows the keys of the format and nothing of what they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Diagnostic, MAX_SUGGESTED, Place, SourceId, Sources, suggestion};
use crate::files;
use crate::layers::Layer;
use crate::node::{Node, Shape};
use crate::spec::{FILE_NAME, ROOT_KEYS, Request, STAGE_KEYS};

/// The directory of the stage files.
pub(crate) const STAGES_DIR: &str = "stages";

/// What no stage is named: `data.NAME` is a file of the project, and the others are directories
/// beside `outputs/STAGE`.
const RESERVED: [&str; 6] = ["aliases", "data", "failed", "runs", "store", "tune"];

/// Reads the texts of one project and collects what is wrong with them.
pub(crate) struct Reader {
    pub(crate) root: PathBuf,
    pub(crate) sources: Sources,
    /// Of texts that are no files, what people call the layer.
    pub(crate) origins: BTreeMap<SourceId, String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Reader {
    pub(crate) fn new(root: &Path) -> Reader {
        Reader {
            root: root.to_owned(),
            sources: Sources::default(),
            origins: BTreeMap::new(),
            diagnostics: Vec::new(),
        }
    }

    /// The layers of a project, lowest first.
    pub(crate) fn layers(&mut self, request: &Request) -> Vec<Layer> {
        let mut defaults = Node::empty();
        defaults.insert(&["seed".to_owned()], Node::leaf(0));
        let mut layers = vec![Layer { name: "built-in defaults".to_owned(), root: defaults }];

        let path = self.root.join(FILE_NAME);
        let Some(mut file) = self.parse_file(&path, FILE_NAME) else { return layers };
        self.tables(&file, &["profile"]);
        let profiles = file.remove("profile");
        self.name_variants(&mut file);
        let listed = self.listed_stages(&file);
        let names: BTreeSet<&str> = listed.iter().map(|(stage, _)| stage.as_str()).collect();
        let there = self.files_there();
        let files = self.stage_files(&listed, there.as_ref(), file.get("stage"));
        layers.push(Layer { name: FILE_NAME.to_owned(), root: file });
        layers.push(Layer { name: format!("{STAGES_DIR}/*.toml"), root: files });
        self.tell_unlisted(
            there.unwrap_or_default().iter().filter(|n| !names.contains(n.as_str())),
        );
        if let Some(name) = &request.profile {
            layers.extend(self.profile(name, profiles.as_ref()));
        }
        let mut over = self.environment(&request.environment);
        over.extend(request.set.iter().filter_map(|argument| self.argument(argument, &names)));
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
            let known: BTreeSet<String> =
                below.iter().flat_map(|layer| of(layer, stage)).map(|(name, _)| name).collect();
            for (name, place) in of(over, stage) {
                if !known.contains(&name) {
                    let hint = suggestion(&name, known.iter().map(String::as_str));
                    let message = format!("stage `{stage}` has no variant `{name}`");
                    self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
                }
            }
        }
    }

    fn parse_file(&mut self, path: &Path, name: &str) -> Option<Node> {
        let text = files::read_text(path);
        let text = text.map_err(|error| self.unreadable(name, &error)).ok()?;
        Some(self.parse(name, text))
    }

    fn parse(&mut self, name: &str, text: String) -> Node {
        let id = self.sources.add(name, text);
        let (node, diagnostics) = Node::parse(&self.sources, id);
        self.diagnostics.extend(diagnostics);
        node
    }

    fn unreadable(&mut self, name: &str, error: &std::io::Error) {
        let message = match error.kind() {
            ErrorKind::NotFound => format!("`{name}` does not exist"),
            ErrorKind::InvalidData => format!("`{name}` is not UTF-8 text"),
            _ => format!("cannot read `{name}`: {error}"),
        };
        let hint = "`pipeline init` makes a project from a CSV file".to_owned();
        let hint = (name == FILE_NAME).then_some(hint);
        self.diagnostics.push(Diagnostic::new(message).hinted(hint));
    }

    fn listed_stages(&mut self, file: &Node) -> Vec<(String, Option<Place>)> {
        let Some(list) = file.get("stages") else {
            let message = "missing `stages`: the names of the stages, in reading order";
            self.diagnostics.push(Diagnostic::new(message).at(file.place.clone()));
            return Vec::new();
        };
        let (mut listed, mut seen) = (Vec::new(), BTreeSet::new());
        if !matches!(list.shape, Shape::List(_)) {
            self.complain("`stages` must be a list of names", list.place.as_ref());
        }
        for item in list.items() {
            match item.text() {
                Some(name) if seen.contains(name) => {
                    self.complain(format!("stage `{name}` is listed twice"), item.place.as_ref());
                }
                Some(name) if RESERVED.contains(&name) => {
                    let message = format!(
                        "a stage cannot be named `{name}`: it means the project's own {name}"
                    );
                    self.complain(message, item.place.as_ref());
                }
                Some(name) if is_name(name) => {
                    seen.insert(name);
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

    /// The stage files, all in one layer: a file is one table below `stage`.
    fn stage_files(
        &mut self,
        listed: &[(String, Option<Place>)],
        there: Option<&BTreeSet<String>>,
        inline: Option<&Node>,
    ) -> Node {
        let mut stages = Vec::new();
        for (stage, place) in listed {
            let name = format!("{STAGES_DIR}/{stage}.toml");
            let text = match there {
                Some(there) if !there.contains(stage) => Err(ErrorKind::NotFound.into()),
                _ => files::read_text(&self.root.join(&name)),
            };
            match text {
                Ok(text) => {
                    let node = self.parse(&name, text);
                    stages.push((stage.clone(), node));
                }
                Err(error) if error.kind() != ErrorKind::NotFound => self.unreadable(&name, &error),
                Err(_) if inline.is_some_and(|stages| stages.get(stage).is_some()) => {}
                Err(_) => {
                    let hint = "write that file, or take the stage out of the list".to_owned();
                    let message = format!("stage `{stage}` has no file `{name}`");
                    let diagnostic = Diagnostic::new(message).at(place.clone()).hinted(hint);
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        let mut root = Node::empty();
        if !stages.is_empty() {
            root.insert(&["stage".to_owned()], Node::table(stages.into_iter().collect()));
        }
        self.name_variants(&mut root);
        root
    }

    /// The names of the stage files that exist; `None` when the directory cannot be read.
    fn files_there(&self) -> Option<BTreeSet<String>> {
        let entries = files::entries(&self.root.join(STAGES_DIR)).ok()?;
        let name = |path: PathBuf| {
            let is_toml = path.extension() == Some(OsStr::new("toml"));
            Some(path.file_stem().filter(|_| is_toml)?.to_str()?.to_owned())
        };
        Some(entries.into_iter().filter_map(name).collect())
    }

    fn tell_unlisted<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        for name in names {
            let file = format!("{STAGES_DIR}/{name}.toml");
            let text = files::read_text(&self.root.join(&file)).unwrap_or_default();
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
        let Some(Node { shape: Shape::Table(stages), .. }) = root.child_mut("stage") else {
            return;
        };
        for stage in stages.values_mut() {
            let Some(variants) = stage.child_mut("variant") else { continue };
            let Shape::List(items) = &mut variants.shape else { continue };
            let mut named: BTreeMap<String, Node> = BTreeMap::new();
            for item in std::mem::take(items) {
                self.name_variant(item, &mut named);
            }
            variants.shape = Shape::Table(named.into_iter().collect());
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

    pub(crate) fn check_keys(&mut self, merged: &Node) {
        self.known_keys(merged, &ROOT_KEYS, "a pipeline");
        self.tables(merged, &["data", "defaults", "stage", "resources"]);
        self.check_list(merged);
        let listed = merged.get("stages").map(Node::items).unwrap_or_default();
        let listed: BTreeSet<&str> = listed.iter().filter_map(Node::text).collect();
        for (name, stage) in merged.get("stage").iter().flat_map(|stages| stages.entries()) {
            if !listed.contains(name.as_str()) {
                let is_early = self.diagnostics.len() < MAX_SUGGESTED;
                let known = listed.iter().copied().filter(|_| is_early);
                let hint = suggestion(name, known);
                let place = stage.key.clone().or_else(|| first_place(stage));
                let message = format!("stage `{name}` is not in the list `stages`");
                self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
            }
            self.known_keys(stage, &STAGE_KEYS, "a stage");
            self.tables(stage, &["inputs", "params", "matrix", "variant", "resources"]);
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

/// The first place of anything in a tree: a table that `--set` made on the way has none itself.
fn first_place(node: &Node) -> Option<Place> {
    node.key.clone().or_else(|| node.place.clone()).or_else(|| {
        node.entries().map(|(_, child)| child).chain(node.items()).find_map(first_place)
    })
}

/// Whether a stage or a variant of one can have this name.
pub(crate) fn is_stage(name: &str) -> bool {
    let mut parts = name.splitn(2, '@');
    !RESERVED.contains(&name) && parts.all(is_name)
}

pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_plain)
}
