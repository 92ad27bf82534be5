//! What is plugged into what: the inputs as written, looked up among stages and files, with their
//! types. Second part of building the graph; every mistake becomes a diagnostic at its place.

use std::path::{Path, PathBuf};

use crate::build::{Builder, Plugged};
use crate::data::{self, Form};
use crate::error::{Diagnostic, MAX_SUGGESTED, suggestion};
use crate::graph::{Plug, Port, StageId};
use crate::kind::{ANY, Arity, DIRECTORY, FILE, Input};
use crate::node::{Node, Shape};

impl Builder<'_> {
    pub(crate) fn plug_all(&mut self) -> Plugged {
        (0..self.stages.len()).map(|i| (self.ports(i), self.after(i))).collect()
    }

    fn ports(&mut self, index: usize) -> Vec<Port> {
        let node = self.stages[index].node;
        let mut declared = self.stages[index].inputs.clone();
        let other = self.stages[index].kind.other_inputs();
        let written = node.get("inputs");
        for (name, plug) in written.iter().flat_map(|node| node.entries()) {
            if declared.iter().any(|input| input.name == *name) {
                continue;
            }
            if let Some(other) = &other {
                declared.push(Input { name: name.clone().into(), ..other.clone() });
            } else {
                let kind = self.stages[index].kind.name();
                let hint = suggestion(name, declared.iter().map(|input| &*input.name));
                let message = format!("kind `{kind}` has no input `{name}`");
                let diagnostic = Diagnostic::new(message).at(plug.key.clone()).hinted(hint);
                self.diagnostics.push(diagnostic);
            }
        }
        let mut ports = Vec::new();
        for input in declared {
            let own = written.and_then(|node| node.get(&input.name));
            let plugs = own.map_or_else(Vec::new, |node| self.plugs(index, &input, node));
            let is_given = own.is_some_and(|node| is_single(node) || !node.items().is_empty());
            if !is_given && input.arity != Arity::Optional {
                let stage = &self.stages[index].name;
                let message = format!("stage `{stage}` lacks the input `{}`", input.name);
                let hint = format!(
                    "it is {}; plug in `{} = \"STAGE.PORT\"` under `[inputs]`",
                    input.doc, input.name
                );
                let near = own.or(written).and_then(|node| node.key.clone());
                let place = near.or(node.place.clone());
                self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
            }
            // How many an input of the user's own takes is told by how it is written.
            let arity = match (&other, own) {
                (Some(_), Some(node)) if self.is_one(node, &plugs) => Arity::One,
                _ => input.arity,
            };
            ports.push(Port { name: input.name.into_owned(), arity, plugs });
        }
        self.check_inputs(index, &ports);
        ports
    }

    /// Whether a reference names one output or file, and not all variants of a stage.
    fn is_one(&self, node: &Node, plugs: &[Plug]) -> bool {
        let [plug] = plugs else { return false };
        node.text().is_some_and(|reference| reference == self.plug_name(plug))
    }

    fn check_inputs(&mut self, index: usize, ports: &[Port]) {
        let (kind, node) = (self.stages[index].kind, self.stages[index].node);
        let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
        for complaint in kind.check_inputs(&self.stages[index].params, &names) {
            let name = self.stages[index].name.clone();
            let params = node.get("params").cloned().unwrap_or_else(Node::empty);
            self.blame(&name, kind, &params, node, complaint);
        }
    }

    fn plugs(&mut self, index: usize, input: &Input, node: &Node) -> Vec<Plug> {
        let single = std::slice::from_ref(node);
        let written = if is_single(node) { single } else { node.items() };
        let mut plugs = Vec::new();
        for item in written {
            match item.text() {
                Some(reference) => plugs.extend(self.resolve(index, input, reference, item)),
                None => self.complain("expected `STAGE.PORT` or `data.NAME`", item.place.clone()),
            }
        }
        if input.arity != Arity::Many && plugs.len() > 1 {
            let names: Vec<_> = plugs.iter().map(|plug| self.plug_name(plug)).collect();
            let message = format!("`{}` takes one input, and this is {}", input.name, plugs.len());
            let hint = format!("choose one of {}", names.join(", "));
            self.diagnostics.push(Diagnostic::new(message).at(node.place.clone()).hinted(hint));
        }
        plugs
    }

    /// The plugs that a reference means: a file, an output, or that output of every variant.
    fn resolve(&mut self, index: usize, input: &Input, reference: &str, node: &Node) -> Vec<Plug> {
        let Some((stage, port)) = reference.rsplit_once('.') else {
            let message = format!("expected `STAGE.PORT` or `data.NAME`, found `{reference}`");
            self.complain(message, node.place.clone());
            return Vec::new();
        };
        if stage == "data" {
            return self.data(input, port, node).into_iter().collect();
        }
        let found = self.meant(stage);
        if found.is_empty() {
            self.tell_unknown(stage, node);
        }
        found.into_iter().filter_map(|i| self.output(index, input, i, port, node)).collect()
    }

    /// The drafts that a name means: a stage, or all variants of one (`train`, `train@*`).
    fn meant(&self, name: &str) -> Vec<usize> {
        let name = name.strip_suffix("@*").unwrap_or(name);
        self.meant.get(name).cloned().unwrap_or_default()
    }

    fn tell_unknown(&mut self, name: &str, node: &Node) {
        // A stage whose own description is wrong has been told already.
        if self.names.contains(name.strip_suffix("@*").unwrap_or(name)) {
            return;
        }
        let is_early = self.diagnostics.len() < MAX_SUGGESTED;
        let known = self.stages.iter().map(|draft| draft.name.as_str()).chain(["data"]);
        let hint = suggestion(name, known.filter(|_| is_early));
        let message = format!("no stage is named `{name}`");
        self.diagnostics.push(Diagnostic::new(message).at(node.place.clone()).hinted(hint));
    }

    fn data(&mut self, input: &Input, name: &str, node: &Node) -> Option<Plug> {
        let data = self.root().get("data");
        let Some(path) = data.and_then(|data| data.get(name)).and_then(Node::text) else {
            let known = data.iter().flat_map(|data| data.entries()).map(|(name, _)| name.as_str());
            let hint = suggestion(name, known)
                .unwrap_or_else(|| format!("add `{name} = \"path\"` under `[data]`"));
            let message = format!("no data is named `{name}`");
            self.diagnostics.push(Diagnostic::new(message).at(node.place.clone()).hinted(hint));
            return None;
        };
        let form = Form::of(&self.spec.root, Path::new(path));
        let ty = match form {
            // What does not exist yet may become either.
            Form::File if !data::is_there(&self.spec.root, Path::new(path)) => None,
            Form::File => Some(FILE),
            Form::Directory | Form::Pattern => Some(DIRECTORY),
        };
        let ty = ty.or_else(|| [FILE, DIRECTORY].into_iter().find(|ty| input.types.contains(ty)));
        self.check_type(input, ty.unwrap_or(FILE), &format!("data.{name}"), node);
        Some(Plug::Data { name: name.to_owned(), path: PathBuf::from(path) })
    }

    fn output(
        &mut self,
        index: usize,
        input: &Input,
        from: usize,
        port: &str,
        node: &Node,
    ) -> Option<Plug> {
        let draft = &self.stages[from];
        let found = draft.outputs.iter().position(|output| output.name == port);
        let Some(output) = found else {
            let known: Vec<_> = draft.outputs.iter().map(|output| output.name.as_str()).collect();
            let hint =
                suggestion(port, known.iter().copied()).unwrap_or_else(|| match &known[..] {
                    [] => format!("stage `{}` has no outputs", draft.name),
                    known => format!("it has {}", known.join(", ")),
                });
            let message = format!("stage `{}` has no output `{port}`", draft.name);
            self.diagnostics.push(Diagnostic::new(message).at(node.place.clone()).hinted(hint));
            return None;
        };
        let name = format!("{}.{port}", draft.name);
        let ty = draft.outputs[output].ty.clone();
        if from == index {
            self.complain(format!("`{name}` is its own output"), node.place.clone());
            return None;
        }
        self.check_type(input, &ty, &name, node);
        Some(Plug::Stage { stage: StageId(from), output })
    }

    fn check_type(&mut self, input: &Input, ty: &str, name: &str, node: &Node) {
        if !input.types.contains(&ty) && !input.types.contains(&ANY) {
            let expected = input.types.join(" or ");
            let message = format!("`{}` takes a {expected}, and `{name}` is a {ty}", input.name);
            self.complain(message, node.place.clone());
        }
    }

    fn after(&mut self, index: usize) -> Vec<StageId> {
        let node = self.stages[index].node.get("after");
        let mut after = Vec::new();
        for item in node.map(Node::items).unwrap_or_default() {
            let name = item.text().unwrap_or_default();
            let found = self.meant(name);
            if found.is_empty() {
                self.tell_unknown(name, item);
            }
            let found = found.into_iter().map(StageId);
            after.extend(found);
        }
        if node.is_some_and(|node| !matches!(node.shape, Shape::List(_))) {
            let place = node.and_then(|node| node.place.clone());
            self.complain("`after` must be a list of stages", place);
        }
        after
    }

    fn plug_name(&self, plug: &Plug) -> String {
        match plug {
            Plug::Data { name, .. } => format!("data.{name}"),
            Plug::Stage { stage, output } => {
                let draft = &self.stages[stage.0];
                format!("{}.{}", draft.name, draft.outputs[*output].name)
            }
        }
    }
}

fn is_single(node: &Node) -> bool {
    !matches!(node.shape, Shape::List(_))
}
