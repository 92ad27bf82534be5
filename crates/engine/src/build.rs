//! From the spec to the graph: kinds looked up, variants expanded, parameters checked; then `plug`
//! plugs the inputs in and `order` puts the stages in order. Every mistake becomes a diagnostic at
//! its place, and building goes on with the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::data;
use crate::error::{Diagnostic, Place, SourceId, suggestion};
use crate::graph::{Control, Graph, Port, Stage, StageId};
use crate::kind::{Input, Kind, Output, Role};
use crate::node::Node;
use crate::own;
use crate::params::{Complaint, Step, Type};
use crate::spec::Spec;
use crate::variants::Variant;

/// The kinds that a product offers.
pub type Kinds = &'static [&'static dyn Kind];

/// Builds the graph that a spec means, with all that is wrong with it. The graph is only to be
/// used when there are no diagnostics.
pub fn build(spec: &Spec, kinds: Kinds) -> (Graph, Vec<Diagnostic>) {
    let mut builder = Builder::new(spec, kinds);
    builder.check_root();
    for name in builder.listed() {
        builder.expand(name);
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
    pub(crate) control: Control,
}

/// The graph in the making.
pub(crate) struct Builder<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) kinds: Kinds,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) stages: Vec<Draft<'a>>,
    /// By the name of a stage and by that of its group, the indices of the drafts that are meant.
    pub(crate) meant: BTreeMap<String, Vec<usize>>,
    /// The names in the list of stages, whatever became of them.
    pub(crate) names: BTreeSet<&'a str>,
    /// How much there is of each resource.
    pub(crate) capacities: BTreeMap<String, u64>,
    /// The most variants that a matrix may give.
    pub(crate) max_variants: u64,
    /// The parameters of the kinds that were met.
    types: BTreeMap<&'static str, Type>,
    /// What was said of parameters: a default is checked for every stage and told once.
    blamed: BTreeSet<(Option<(SourceId, usize)>, String)>,
}

/// Per stage: its ports, and the stages it comes after, as indices of drafts.
pub(crate) type Plugged = Vec<(Vec<Port>, Vec<StageId>)>;

impl<'a> Builder<'a> {
    fn new(spec: &'a Spec, kinds: Kinds) -> Builder<'a> {
        Builder {
            spec,
            kinds,
            diagnostics: Vec::new(),
            stages: Vec::new(),
            meant: BTreeMap::new(),
            names: BTreeSet::new(),
            capacities: BTreeMap::new(),
            max_variants: spec.max_variants(),
            types: BTreeMap::new(),
            blamed: BTreeSet::new(),
        }
    }

    pub(crate) fn root(&self) -> &'a Node {
        &self.spec.merged
    }

    /// The names in the list of stages, each once.
    fn listed(&mut self) -> Vec<&'a str> {
        let items = self.root().get("stages").map(Node::items).unwrap_or_default();
        items.iter().filter_map(Node::text).filter(|name| self.names.insert(name)).collect()
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
            // Whether it exists is asked when it is to be read: a plan can be made without data.
            if let Err(message) = data::check(&self.spec.root, Path::new(path)) {
                self.complain(message, node.place.clone());
            } else if let Some(message) = own::complaint(Path::new(path)) {
                let told =
                    Diagnostic::new(message).at(node.place.clone()).hinted(own::HINT.to_owned());
                self.diagnostics.push(told);
            }
        }
        self.capacities = self.capacities();
        if let Some(node) = self.root().get("max_variants")
            && node.plain().as_u64().is_none_or(|most| most == 0)
        {
            let message = "expected how many variants a matrix may give: an integer of at least 1";
            self.complain(message, node.place.clone());
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
        let control = self.control(node, kind);
        for variant in self.variants(group, node) {
            let Variant { name: variant, params } = variant;
            let name = variant.as_ref().map_or(group.to_owned(), |v| format!("{group}@{v}"));
            let Some(params) = self.params(&name, kind, &params, node) else { continue };
            let outputs = kind.outputs(&params);
            self.check_outputs(&outputs, node);
            let index = self.stages.len();
            self.meant.entry(group.to_owned()).or_default().push(index);
            if variant.is_some() {
                self.meant.entry(name.clone()).or_default().push(index);
            }
            self.stages.push(Draft {
                name,
                group: group.to_owned(),
                variant,
                control: control.clone(),
                node,
                kind,
                inputs: kind.inputs(&params),
                outputs,
                seed: kind.is_seeded().then_some(seed),
                params,
            });
        }
    }

    /// Where outputs go may come from parameters; a kind that knows which of them tells it itself.
    fn check_outputs(&mut self, outputs: &[Output], stage: &Node) {
        for (_, message) in Output::misplaced(outputs) {
            self.complain(message, stage.place.clone());
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

    fn params(
        &mut self,
        name: &str,
        kind: &'static dyn Kind,
        written: &Node,
        stage: &Node,
    ) -> Option<Value> {
        let spec = self.spec;
        let defaults = spec.merged.get("defaults");
        let ty = self.types.entry(kind.name()).or_insert_with(|| kind.params());
        let given = written.plain();
        let mut node = Cow::Borrowed(written);
        if let Some(defaults) = defaults {
            let known = ty.names(&given);
            let fits = defaults.entries().filter(|(key, _)| known.contains(&key.as_str()));
            let fits = fits.map(|(key, value)| (key.clone(), value.clone()));
            node = Cow::Owned(Node::table(fits.collect()).overlaid(written));
        }
        let checked = if defaults.is_some() { ty.check(&node.plain()) } else { ty.check(&given) };
        let complaints = match checked {
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
        let at = place.as_ref().map(|place| (place.source, place.span.start));
        if !self.blamed.insert((at, message.clone())) {
            return;
        }
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
