//! The recipe: all that determines a stage's outputs, as a readable document.
//!
//! The digest of its canonical bytes is the stage's key. The document is kept, so that `why` and
//! `diff` compare two recipes and name what changed instead of saying that something did.
//!
//! | what | in? | why |
//! |---|---|---|
//! | format | yes | a new meaning of the document must not find old outcomes |
//! | kind, code fingerprint | yes | changed code is never served an old result |
//! | parameters after defaults | yes | a new default changes it; writing the old one out does not |
//! | seed | if drawn from | a kind that draws nothing does not change with the seed |
//! | inputs, by content | yes | early cut-off: equal bytes end the ripple, whoever made them |
//! | extension of a file of the project | yes | equal bytes are read in another way by it |
//! | name of what is plugged in | in a fan-in | the outputs tell the variants apart by it |
//! | name and key of each ancestor | if read | experiment records speak of them, nothing else |
//! | the stage's own name, paths | no | a renamed stage or a moved project is the same work |
//! | where an input stands for a program | yes | a program is told the path, and may write it out |
//! | declared environment variables | by value | a program reads them; all others are cleared |
//! | declared programs | by digest | another compiler or interpreter may give other bytes |
//! | interpreters of scripts among them | by digest | a script is what `#!` names that runs it |
//! | time-out, retries, resources | no | they say whether a stage ends well, not what it yields |
//! | mtimes, clock, host, user | no | they say nothing about bytes |
//! | threads, attempts, build profile | no | results must not depend on them, and tests hold that |
//!
//! Unambiguous without length prefixes, because JSON delimits itself: no two documents share bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::digest::Digest;
use crate::error::Error;
use crate::graph::{Graph, Plug, Stage, StageId};
use crate::kind::{Arity, FILE, Output};
use crate::layout;
use crate::params::Step;
use crate::spec::dotted;
use crate::surroundings::Surroundings;

/// The format of the document.
pub const FORMAT: &str = "pipeline.recipe/1";

/// The end of the field that tells the order of a fan-in.
const ORDER: &str = ".order";

/// All that determines a stage's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `FORMAT`.
    pub format: String,
    /// The kind.
    pub kind: String,
    /// The fingerprint of the kind's code.
    pub code: Digest,
    /// Every parameter, defaults filled in.
    pub params: Value,
    /// The seed, when the kind draws random numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// By port, what is plugged in.
    pub inputs: BTreeMap<String, Vec<Ingredient>>,
    /// The declared environment variables; absent ones that would have been passed on are `null`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Option<String>>,
    /// By name, the digest of each declared program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, Digest>,
    /// Every stage that this one rests on, in graph order, when the kind reads that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Descent>,
}

/// One input by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingredient {
    /// What tells it from the others of a fan-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Of a file of the project or of a program, the end of its name in lower case: kinds tell
    /// formats by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// For a program, where it finds the input in its working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// One stage before this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descent {
    /// Its name.
    pub stage: String,
    /// Its key.
    pub key: Digest,
}

impl Recipe {
    /// The canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        canonical::to_bytes(self)
    }

    /// The stage's key: the digest of the canonical bytes.
    pub fn key(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

/// What is known of a stage that has an outcome: enough to cook what rests on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Its key.
    pub key: Digest,
    /// The content of each of its output ports, in their order.
    pub ports: Vec<Digest>,
}

/// What recipes hold of the world outside of the graph.
pub trait World {
    /// The digest of data of the project.
    ///
    /// # Errors
    /// Why there is none.
    fn data(&self, path: &Path) -> Result<Digest, Error>;

    /// The part of a path of data that is no pattern.
    fn base(&self, path: &Path) -> PathBuf;

    /// The digests of declared programs by name.
    ///
    /// # Errors
    /// `Missing` with all that are not there.
    fn tools(&self, surroundings: &Surroundings) -> Result<BTreeMap<String, Digest>, Error>;

    /// A variable of the caller's environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The recipe of a stage, or `None` while something that it rests on is not done. `done` tells what
/// is known of a stage.
///
/// # Errors
/// What the world gives.
pub fn cook<'d>(
    graph: &Graph,
    id: StageId,
    done: impl Fn(StageId) -> Option<&'d Done>,
    world: &impl World,
) -> Result<Option<Recipe>, Error> {
    let stage = graph.stage(id);
    let mut inputs = BTreeMap::new();
    for port in &stage.inputs {
        let paths = stage.kind.is_external().then(|| layout::told(graph, port, world));
        let mut ingredients = Vec::new();
        for (i, plug) in port.plugs.iter().enumerate() {
            let (name, digest, extension) = match plug {
                Plug::Data { name, path } => (name.as_str(), world.data(path)?, extension(path)),
                Plug::Stage { stage, output } => match done(*stage) {
                    Some(done) => {
                        let from = graph.stage(*stage);
                        (from.label(), done.ports[*output], told_by_name(&from.outputs[*output]))
                    }
                    None => return Ok(None),
                },
            };
            let name = (port.arity == Arity::Many).then(|| name.to_owned());
            let path = paths.as_ref().map(|paths| paths[i].display().to_string());
            let extension = extension.filter(|_| path.is_none());
            ingredients.push(Ingredient { name, digest, extension, path });
        }
        if !ingredients.is_empty() {
            inputs.insert(port.name.clone(), ingredients);
        }
    }
    let mut lineage = Vec::new();
    if stage.kind.reads_lineage() {
        for ancestor in graph.with_ancestors([id]).into_iter().filter(|other| *other != id) {
            let Some(done) = done(ancestor) else { return Ok(None) };
            lineage.push(Descent { stage: graph.stage(ancestor).name.clone(), key: done.key });
        }
    }
    let surroundings = stage.kind.surroundings(&stage.params);
    Ok(Some(Recipe {
        format: FORMAT.to_owned(),
        kind: stage.kind.name().to_owned(),
        code: stage.kind.code(),
        params: params(stage),
        seed: stage.seed,
        inputs,
        environment: surroundings.variables(|name| world.variable(name)),
        tools: world.tools(&surroundings)?,
        lineage,
    }))
}

/// The parameters as the recipe has them: without those that say what its other fields hold.
pub(crate) fn params(stage: &Stage) -> Value {
    let mut params = stage.params.clone();
    if let Value::Object(table) = &mut params {
        for name in stage.kind.surroundings(&stage.params).told {
            table.remove(*name);
        }
    }
    params
}

/// The extension of an output of no type of its own: like a file of the project, it is told by it.
fn told_by_name(output: &Output) -> Option<String> {
    (output.ty == FILE).then(|| extension(Path::new(&output.path))).flatten()
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}

/// One difference between two recipes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The field, as a path: `params.C`, `inputs.train`, `code`.
    pub field: String,
    /// Its value before, absent when the field is new.
    pub old: Option<Value>,
    /// Its value now, absent when the field is gone.
    pub new: Option<Value>,
}

impl Change {
    /// Whether the change comes from another stage or a file, not from how this stage is written.
    pub fn is_inherited(&self) -> bool {
        self.field.starts_with("inputs.") || self.field.starts_with("lineage")
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.field == "code" {
            return write!(f, "code of the kind changed");
        }
        let show = |value: &Value| {
            let text = canonical::show(value);
            // A digest is shown as people know it.
            if text.parse::<Digest>().is_ok() { text[..12].to_owned() } else { text }
        };
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "{}: {} -> {}", self.field, show(old), show(new)),
            (None, Some(new)) => write!(f, "{}: added {}", self.field, show(new)),
            (Some(old), None) => write!(f, "{}: removed {}", self.field, show(old)),
            (None, None) => write!(f, "{}", self.field),
        }
    }
}

/// What differs between two recipes: what is written in this stage first, then what it inherits.
pub fn compare(old: &Recipe, new: &Recipe) -> Vec<Change> {
    let (old, new) = (flatten(old), flatten(new));
    let fields: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut changes: Vec<_> = fields
        .into_iter()
        .filter(|field| old.get(*field) != new.get(*field))
        .filter(|field| !field.ends_with(ORDER) || is_reordered(old.get(*field), new.get(*field)))
        .map(|field| Change {
            field: field.clone(),
            old: old.get(field).cloned(),
            new: new.get(field).cloned(),
        })
        .collect();
    changes.sort_by_key(Change::is_inherited);
    changes
}

/// Whether two lists hold the same names in another order. That a name came or went is told by the
/// field of its input.
fn is_reordered(old: Option<&Value>, new: Option<&Value>) -> bool {
    let names = |list: Option<&Value>| -> BTreeSet<String> {
        let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().map(canonical::show).collect()
    };
    names(old) == names(new)
}

/// Every field by its path. Lists of parameters are split into items, so that one changed item
/// is one change; an input is its digest, and a fan-in one entry per name.
fn flatten(recipe: &Recipe) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    fields.insert("format".to_owned(), recipe.format.clone().into());
    fields.insert("kind".to_owned(), recipe.kind.clone().into());
    fields.insert("code".to_owned(), recipe.code.to_string().into());
    if let Some(seed) = recipe.seed {
        fields.insert("seed".to_owned(), seed.into());
    }
    flatten_value(&recipe.params, &mut vec![Step::Key("params".to_owned())], &mut fields);
    for (name, value) in &recipe.environment {
        let value = value.clone().map_or(Value::Null, Value::from);
        fields.insert(format!("environment.{name}"), value);
    }
    for (name, digest) in &recipe.tools {
        fields.insert(format!("tools.{name}"), digest.to_string().into());
    }
    for (port, ingredients) in &recipe.inputs {
        for ingredient in ingredients {
            let name = ingredient.name.as_ref().map_or(String::new(), |name| format!("[{name}]"));
            let field = format!("inputs.{port}{name}");
            if let Some(extension) = &ingredient.extension {
                fields.insert(format!("{field}.extension"), extension.clone().into());
            }
            if let Some(path) = &ingredient.path {
                fields.insert(format!("{field}.path"), path.clone().into());
            }
            fields.insert(field, ingredient.digest.to_string().into());
        }
        let names: Vec<_> = ingredients.iter().filter_map(|one| one.name.as_deref()).collect();
        if names.len() > 1 {
            fields.insert(format!("inputs.{port}{ORDER}"), names.into());
        }
    }
    for descent in &recipe.lineage {
        let field = format!("lineage[{}]", descent.stage);
        fields.insert(field, descent.key.to_string().into());
    }
    fields
}

fn flatten_value(value: &Value, path: &mut Vec<Step>, out: &mut BTreeMap<String, Value>) {
    let mut descend = |step, value: &Value| {
        path.push(step);
        flatten_value(value, path, out);
        path.pop();
    };
    match value {
        Value::Object(table) if !table.is_empty() => {
            table.iter().for_each(|(key, value)| descend(Step::Key(key.clone()), value));
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().enumerate().for_each(|(i, value)| descend(Step::Item(i), value));
        }
        leaf => {
            out.insert(dotted(path), leaf.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recipe() -> Recipe {
        let ingredient = |name: Option<&str>, text: &str| Ingredient {
            name: name.map(str::to_owned),
            digest: Digest::of(text.as_bytes()),
            extension: None,
            path: None,
        };
        Recipe {
            format: FORMAT.to_owned(),
            kind: "concat".to_owned(),
            code: Digest::of(b"code"),
            params: json!({"a": 1, "b": {"c": "x"}}),
            seed: Some(7),
            inputs: BTreeMap::from([(
                "parts".to_owned(),
                vec![ingredient(Some("left"), "l"), ingredient(Some("right"), "r")],
            )]),
            environment: BTreeMap::new(),
            tools: BTreeMap::new(),
            lineage: Vec::new(),
        }
    }

    fn changed(change: impl FnOnce(&mut Recipe)) -> Recipe {
        let mut recipe = recipe();
        change(&mut recipe);
        recipe
    }

    #[test]
    fn the_key_of_a_recipe_is_the_same_in_every_version() {
        let golden = "45272cc9bc2318a9a05b5751a84fecb17dbdbaab1a7402b64a0aca78f3a548be";
        assert_eq!(recipe().key().to_string(), golden);
    }

    #[test]
    fn recipes_that_nearly_collide_have_different_keys() {
        let swapped = |recipe: &mut Recipe| {
            if let Some(parts) = recipe.inputs.get_mut("parts") {
                parts.swap(0, 1);
            }
        };
        let near = [
            recipe(),
            changed(|r| r.params = json!({"a": 1.0, "b": {"c": "x"}})),
            changed(|r| r.params = json!({"a": "1", "b": {"c": "x"}})),
            changed(|r| r.params = json!({"a": true, "b": {"c": "x"}})),
            changed(|r| r.params = json!({"a": 1, "b.c": "x"})),
            changed(|r| r.params = json!({"a": 1, "b": {"c": ["x"]}})),
            changed(|r| r.params = json!({"a": 1, "b": {"c": "x"}, "d": null})),
            changed(|r| r.params = json!([{"a": 1}, {"b": {"c": "x"}}])),
            changed(|r| r.seed = None),
            changed(|r| r.seed = Some(70)),
            changed(|r| r.kind = "conca".to_owned()),
            changed(swapped),
            changed(|r| r.inputs = BTreeMap::from([("parts".to_owned(), Vec::new())])),
            changed(|r| r.inputs = BTreeMap::new()),
        ];
        for (i, recipe) in near.iter().enumerate() {
            assert!(near[..i].iter().all(|other| other.key() != recipe.key()), "{i}");
        }
    }

    #[test]
    fn a_recipe_reads_back_to_the_same_key() {
        let back: Recipe = canonical::from_bytes(&recipe().bytes()).unwrap();
        assert_eq!(back.key(), recipe().key());
    }

    #[test]
    fn a_comparison_names_own_changes_before_inherited_ones() {
        let other = changed(|r| {
            r.params = json!({"a": 2, "b": {"c": "x"}, "d": [1, 2]});
            r.seed = None;
            r.inputs.remove("parts");
        });
        let told: Vec<_> = compare(&recipe(), &other).iter().map(Change::to_string).collect();
        assert_eq!(told[..3], ["params.a: 1 -> 2", "params.d: added [1,2]", "seed: removed 7"]);
        assert!(told[3].starts_with("inputs.parts[left]: removed "), "{}", told[3]);
        assert_eq!(compare(&recipe(), &recipe()), []);
    }
}
