//! From the spec to the graph: kinds looked up, variants expanded, parameters checked; then `plug`
//! plugs the inputs in and `order` puts the stages in order. Every mistake becomes a diagnostic at
//! its place, and building goes on with the rest.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde_json::Value;

use crate::canonical;
use crate::data;
use crate::error::{Diagnostic, Place, suggestion};
use crate::graph::{Graph, Port, Stage, StageId};
use crate::kind::{Input, Kind, Output, Role};
use crate::node::Node;
use crate::params::{Complaint, Step, Type};
use crate::spec::Spec;

/// The most variants that one stage's matrix may give.
const MAX_VARIANTS: usize = 256;

/// The kinds that a product offers.
pub type Kinds = &'static [&'static dyn Kind];

/// Builds the graph that a spec means, with all that is wrong with it. The graph is only to be
/// used when there are no diagnostics.
pub fn build(spec: &Spec, kinds: Kinds) -> (Graph, Vec<Diagnostic>) {
    let (diagnostics, stages, blamed) = (Vec::new(), Vec::new(), Vec::new());
    let mut builder = Builder { spec, kinds, diagnostics, stages, blamed };
    builder.check_root();
    for name in builder.listed() {
        builder.expand(&name);
    }
    builder.check_defaults();
    let plugged = builder.plug_all();
    let graph = builder.order(plugged);
    (graph, builder.diagnostics)
}

/// A stage before it is plugged in.
pub(crate) struct Draft<'a> {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) variant: Option<String>,
    pub(crate) node: &'a Node,
    pub(crate) kind: &'static dyn Kind,
    pub(crate) params: Value,
    pub(crate) seed: Option<u64>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
}

/// The graph in the making.
pub(crate) struct Builder<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) kinds: Kinds,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) stages: Vec<Draft<'a>>,
    /// What was said of parameters: a default is checked for every stage and told once.
    blamed: Vec<(Option<Place>, String)>,
}

/// Per stage: its ports, and the stages it comes after, as indices of drafts.
pub(crate) type Plugged = Vec<(Vec<Port>, Vec<StageId>)>;

impl<'a> Builder<'a> {
    pub(crate) fn root(&self) -> &'a Node {
        &self.spec.merged
    }

    pub(crate) fn listed(&self) -> Vec<String> {
        let items = self.root().get("stages").map(Node::items).unwrap_or_default();
        let mut seen = BTreeSet::new();
        items.iter().filter_map(Node::text).filter(|n| seen.insert(*n)).map(str::to_owned).collect()
    }

    fn check_root(&mut self) {
        let name = self.root().get("name");
        if name.is_none_or(|name| name.text().is_none()) {
            let place = name.map_or(&self.root().place, |node| &node.place);
            self.complain("expected `name = \"…\"`: the name of the pipeline", place.clone());
        }
        if let Some(seed) = self.root().get("seed") {
            self.seed(seed);
        }
        for (name, node) in self.root().get("data").iter().flat_map(|data| data.entries()) {
            let Some(path) = node.text() else {
                self.complain(format!("expected the path of `{name}`"), node.place.clone());
                continue;
            };
            if let Err(message) = data::check(&self.spec.root, Path::new(path)) {
                self.complain(message, node.place.clone());
            }
        }
    }

    fn seed(&mut self, node: &Node) -> u64 {
        let seed = node.plain().as_u64();
        if seed.is_none() {
            self.complain("expected a seed: an integer of at least 0", node.place.clone());
        }
        seed.unwrap_or(0)
    }

    /// Adds a draft for each variant of a listed stage.
    fn expand(&mut self, group: &str) {
        let Some(node) = self.root().get("stage").and_then(|stages| stages.get(group)) else {
            return; // the spec has told that its file is missing
        };
        let Some(kind) = self.kind(group, node) else { return };
        let own = node.get("seed").or_else(|| self.root().get("seed"));
        let seed = own.map_or(0, |node| node.plain().as_u64().unwrap_or(0));
        if let Some(node) = node.get("seed") {
            self.seed(node);
        }
        for (variant, params) in self.variants(group, node) {
            let name = variant.as_ref().map_or(group.to_owned(), |v| format!("{group}@{v}"));
            let Some(params) = self.params(&name, kind, &params, node) else { continue };
            let outputs = kind.outputs(&params);
            self.check_outputs(&name, &outputs, node);
            self.stages.push(Draft {
                name,
                group: group.to_owned(),
                variant,
                node,
                kind,
                inputs: kind.inputs(&params),
                outputs,
                seed: kind.is_seeded().then_some(seed),
                params,
            });
        }
    }

    /// Where outputs go may come from parameters: below the stage's directory, no two at one place.
    fn check_outputs(&mut self, name: &str, outputs: &[Output], stage: &Node) {
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        for (i, output) in outputs.iter().enumerate() {
            let path = Path::new(&output.path);
            if output.path.is_empty() || !path.components().all(is_plain) {
                let message = format!("output `{}` of `{name}` leaves its directory", output.path);
                self.complain(message, stage.place.clone());
            }
            let clashes = |other: &&Output| {
                path.starts_with(&other.path) || Path::new(&other.path).starts_with(path)
            };
            if let Some(other) = outputs[..i].iter().find(clashes) {
                let (a, b) = (&other.path, &output.path);
                let message =
                    format!("outputs `{a}` and `{b}` of `{name}` are in each other's way");
                self.complain(message, stage.place.clone());
            }
        }
    }

    fn kind(&mut self, group: &str, node: &Node) -> Option<&'static dyn Kind> {
        let names = || self.kinds.iter().map(|kind| kind.name());
        let known = || format!("known: {}", names().collect::<Vec<_>>().join(", "));
        let written = node.get("kind");
        let (message, hint) = match written.map(Node::text) {
            None => (format!("stage `{group}` has no `kind`"), known()),
            Some(None) => ("expected the name of a kind".to_owned(), known()),
            Some(Some(name)) => {
                if let Some(kind) = self.kinds.iter().find(|kind| kind.name() == name) {
                    return Some(*kind);
                }
                let hint = suggestion(name, names()).unwrap_or_else(known);
                (format!("unknown kind `{name}`"), hint)
            }
        };
        let place = written.map_or(&node.place, |written| &written.place).clone();
        self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
        None
    }

    /// The variants of a stage in the order they were written, each with its parameters laid over
    /// the stage's: the list, times the matrix.
    fn variants(&mut self, group: &str, node: &Node) -> Vec<(Option<String>, Node)> {
        let base = node.get("params").cloned().unwrap_or_else(Node::empty);
        let mut variants: Vec<(Vec<String>, Node)> = Vec::new();
        let mut written: Vec<_> =
            node.get("variant").iter().flat_map(|table| table.entries()).collect();
        written.sort_by_key(|(_, node)| {
            node.key.as_ref().map(|place| (place.source, place.span.start))
        });
        for (name, variant) in written {
            let own = variant.get("params").cloned().unwrap_or_else(Node::empty);
            variants.push((vec![name.clone()], base.overlaid(&own)));
        }
        if variants.is_empty() {
            variants.push((Vec::new(), base));
        }
        for (param, values) in node.get("matrix").iter().flat_map(|matrix| matrix.entries()) {
            if values.items().is_empty() {
                let message = format!("expected a list of values for `{param}`");
                self.complain(message, values.place.clone());
                continue;
            }
            if variants.len() * values.items().len() > MAX_VARIANTS {
                let message =
                    format!("the matrix gives more than {MAX_VARIANTS} variants of `{group}`");
                self.complain(message, values.place.clone());
                return Vec::new();
            }
            for value in values.items() {
                let shown = canonical::show(&value.plain());
                if !is_variant_name(&shown) {
                    let message = format!(
                        "`{shown}` cannot name a variant: letters, digits, `_`, `-`, `+` and `.` can"
                    );
                    let hint = "write the variants as a list, each with a `name`".to_owned();
                    let diagnostic = Diagnostic::new(message).at(value.place.clone());
                    self.diagnostics.push(diagnostic.hinted(hint));
                    return Vec::new();
                }
            }
            variants = cross(&variants, param, values);
        }
        let mut names = BTreeSet::new();
        let mut named = Vec::new();
        for (parts, params) in variants {
            let name = (!parts.is_empty()).then(|| parts.join("-"));
            if names.insert(name.clone()) {
                named.push((name, params));
            } else {
                let message = format!("two variants of `{group}` are named `{}`", parts.join("-"));
                self.complain(message, node.place.clone());
            }
        }
        named
    }

    fn params(
        &mut self,
        name: &str,
        kind: &'static dyn Kind,
        written: &Node,
        stage: &Node,
    ) -> Option<Value> {
        let ty = kind.params();
        let mut node = Node::empty();
        let known = ty.names(&written.plain());
        for (key, value) in self.root().get("defaults").iter().flat_map(|node| node.entries()) {
            if known.contains(&key.as_str()) {
                node.insert(std::slice::from_ref(key), value.clone());
            }
        }
        let node = node.overlaid(written);
        let complaints = match ty.check(&node.plain()) {
            Ok(params) => match kind.check(&params) {
                complaints if complaints.is_empty() => return Some(params),
                complaints => complaints,
            },
            Err(complaints) => complaints,
        };
        for complaint in complaints {
            self.blame(name, kind, &node, stage, complaint);
        }
        None
    }

    pub(crate) fn blame(
        &mut self,
        stage_name: &str,
        kind: &'static dyn Kind,
        params: &Node,
        stage: &Node,
        complaint: Complaint,
    ) {
        let place = params
            .nearest_place(&complaint.path, complaint.at_key)
            .or_else(|| stage.get("kind").and_then(|kind| kind.place.clone()));
        let message = match complaint.path.last() {
            Some(Step::Key(key)) if !complaint.at_key => format!("`{key}`: {}", complaint.message),
            _ => complaint.message,
        };
        let blame = (place.clone(), message.clone());
        if self.blamed.contains(&blame) {
            return;
        }
        self.blamed.push(blame);
        let message = format!("{message} (stage `{stage_name}`, kind `{}`)", kind.name());
        let diagnostic = Diagnostic::new(message).at(place).hinted(complaint.hint);
        self.diagnostics.push(diagnostic);
    }

    /// A default that no kind of the pipeline knows is a typing error.
    fn check_defaults(&mut self) {
        let known: BTreeSet<_> =
            self.kinds.iter().flat_map(|kind| kind.params().all_names()).collect();
        for (key, node) in self.root().get("defaults").iter().flat_map(|node| node.entries()) {
            if !known.contains(key.as_str()) {
                let hint = suggestion(key, known.iter().copied());
                let message = format!("no kind has a parameter `{key}`");
                let diagnostic = Diagnostic::new(message).at(node.key.clone()).hinted(hint);
                self.diagnostics.push(diagnostic);
            }
        }
    }

    pub(crate) fn check_services(&mut self, graph: &Graph) {
        let of_role = |stage: &&Stage| stage.kind.role() == Role::Service;
        let services: Vec<_> =
            graph.stages.iter().filter(of_role).map(|stage| stage.name.as_str()).collect();
        if services.len() > 1 {
            let message = format!(
                "a pipeline launches one service, and these are {}: {}",
                services.len(),
                services.join(", ")
            );
            self.complain(message, self.root().get("stages").and_then(|node| node.place.clone()));
        }
    }

    pub(crate) fn complain(&mut self, message: impl Into<String>, place: Option<Place>) {
        self.diagnostics.push(Diagnostic::new(message).at(place));
    }
}

/// A variant is part of a directory's name and of references, so that it must not look like either.
fn is_variant_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
    !name.is_empty() && name.chars().all(is_plain)
}

fn cross(variants: &[(Vec<String>, Node)], param: &str, values: &Node) -> Vec<(Vec<String>, Node)> {
    let mut product = Vec::new();
    for (parts, params) in variants {
        for value in values.items() {
            let mut own = Node::empty();
            own.insert(&[param.to_owned()], value.clone());
            let shown = format!("{param}={}", canonical::show(&value.plain()));
            let parts = parts.iter().cloned().chain([shown]).collect();
            product.push((parts, params.overlaid(&own)));
        }
    }
    product
}

impl Type {
    /// The names of the parameters that fit what was given.
    fn names(&self, given: &Value) -> Vec<&'static str> {
        match self {
            Type::Record(params) => params.iter().map(|param| param.name).collect(),
            Type::Tagged { tag, cases, default } => {
                let chosen = given.get(*tag).and_then(Value::as_str).or(*default);
                let fits = |case: &&(&'static str, _)| Some(case.0) == chosen;
                let params = cases.iter().find(fits).map(|(_, params)| params.as_slice());
                let names = params.unwrap_or_default().iter().map(|param| param.name);
                names.chain([*tag]).collect()
            }
            _ => Vec::new(),
        }
    }

    fn all_names(&self) -> Vec<&'static str> {
        match self {
            Type::Tagged { tag, cases, .. } => {
                let params = cases.iter().flat_map(|(_, params)| params);
                params.map(|param| param.name).chain([*tag]).collect()
            }
            other => other.names(&Value::Null),
        }
    }
}
