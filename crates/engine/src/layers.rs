//! The layers of a configuration, merged: each value comes from the highest layer that gives it.
//!
//! figment does the merging; places come back from the layer that won, because figment keeps the
//! name of a layer but not the line. Order, lowest first: built-in defaults, `pipeline.toml`, the
//! stage files, `[profile.NAME]`, the environment, `--set`.
//!
//! A stage that one layer alone speaks of is what that layer says, so that it is handed on as it
//! is: with ten thousand stages, only those that something is laid over cost a merge.

use std::collections::BTreeSet;

use figment::value::{Dict, Map, Num, Value as Merged};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::Value;

use crate::entries::Entries;
use crate::node::{Node, Shape};

/// One source of values.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// How people know it: a file, a variable, an argument.
    pub(crate) name: String,
    /// Its values, from the root of the configuration.
    pub(crate) root: Node,
}

/// The merged values.
pub(crate) fn merge(mut layers: Vec<Layer>) -> Node {
    let alone = take_alone(&mut layers);
    let figment = layers.iter().fold(Figment::new(), Figment::merge);
    // An empty path is the whole; a figment without values has none.
    let merged = figment.find_value("").unwrap_or_else(|_| Dict::new().into());
    let roots: Vec<_> = layers.iter().map(|layer| &layer.root).collect();
    let mut merged = locate(&merged, &roots);
    if let Some(Shape::Table(stages)) = merged.child_mut("stage").map(|node| &mut node.shape) {
        let merged = std::mem::take(stages);
        *stages = merged.into_iter().chain(alone).collect();
    }
    merged
}

/// Takes out the stages that only one layer speaks of.
fn take_alone(layers: &mut [Layer]) -> Vec<(String, Node)> {
    let stages = layers.iter().filter_map(|layer| layer.root.get("stage"));
    if stages.clone().any(|node| !matches!(node.shape, Shape::Table(_))) {
        return Vec::new(); // which of them is wrong is told after the merge
    }
    let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for (name, _) in stages.flat_map(Node::entries) {
        if !seen.insert(name.as_str()) {
            shared.insert(name.clone());
        }
    }
    let mut alone = Vec::new();
    for layer in layers {
        let Some(node) = layer.root.child_mut("stage") else { continue };
        let Shape::Table(stages) = &mut node.shape else { continue };
        let all = std::mem::take(stages).into_iter();
        let (kept, taken): (Vec<_>, Vec<_>) = all.partition(|(name, _)| shared.contains(name));
        *stages = kept.into_iter().collect::<Entries>();
        alone.extend(taken);
    }
    alone
}

/// A merged value with its places, given what each layer that has it says, lowest first.
fn locate(value: &Merged, layers: &[&Node]) -> Node {
    let below = |find: &dyn Fn(&Node) -> Option<&Node>, value: &Merged| {
        let found: Vec<_> = layers.iter().filter_map(|node| find(node)).collect();
        locate(value, &found)
    };
    let shape = match value {
        Merged::Dict(_, dict) => Shape::Table(
            dict.iter()
                .map(|(key, value)| (key.clone(), below(&|node| node.get(key), value)))
                .collect(),
        ),
        Merged::Array(_, items) => Shape::List(
            items
                .iter()
                .enumerate()
                .map(|(index, value)| below(&|node| node.items().get(index), value))
                .collect(),
        ),
        Merged::String(_, text) => Shape::Leaf(text.as_str().into()),
        Merged::Char(_, char) => Shape::Leaf(char.to_string().into()),
        Merged::Bool(_, truth) => Shape::Leaf((*truth).into()),
        Merged::Num(_, Num::F64(float)) => Shape::Leaf((*float).into()),
        Merged::Num(_, number) => {
            let integer = number.to_i128().and_then(|integer| i64::try_from(integer).ok());
            Shape::Leaf(integer.map_or(Value::Null, Value::from))
        }
        Merged::Empty(..) => Shape::Leaf(Value::Null),
    };
    let place = layers.last().and_then(|node| node.place.clone());
    // A key stands where it was first written: the order of variants must not follow a layer that
    // only changes one of them.
    let key = layers.iter().find_map(|node| node.key.clone());
    Node { shape, place, key }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = match to_figment(&self.root) {
            Merged::Dict(_, dict) => dict,
            _ => Dict::new(),
        };
        Ok(Profile::Default.collect(dict))
    }
}

fn to_figment(node: &Node) -> Merged {
    match &node.shape {
        Shape::Table(entries) => {
            let dict = entries.iter().map(|(key, node)| (key.clone(), to_figment(node)));
            dict.collect::<Dict>().into()
        }
        Shape::List(items) => items.iter().map(to_figment).collect::<Vec<_>>().into(),
        Shape::Leaf(Value::Bool(truth)) => (*truth).into(),
        Shape::Leaf(Value::String(text)) => text.as_str().into(),
        Shape::Leaf(Value::Number(number)) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Shape::Leaf(_) => figment::value::Empty::None.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Sources;
    use serde_json::json;

    fn layers(texts: &[(&str, &str)]) -> (Vec<Layer>, Sources) {
        let mut sources = Sources::default();
        let layer = |(name, text): &(&str, &str)| {
            let id = sources.add(*name, *text);
            Layer { name: (*name).to_owned(), root: Node::parse(&sources, id).0 }
        };
        (texts.iter().map(layer).collect(), sources)
    }

    #[test]
    fn a_higher_layer_wins_value_by_value_and_lends_its_place() {
        let (layers, sources) =
            layers(&[("low", "[a]\nx = 1\ny = 2.0\nl = [1, 2]"), ("high", "[a]\nx = 3\nl = [9]")]);
        let merged = merge(layers);
        assert_eq!(merged.plain(), json!({"a": {"x": 3, "y": 2.0, "l": [9]}}));
        let at = |key| merged.get("a").and_then(|a| a.get(key)?.place.clone()).unwrap();
        assert_eq!(sources.locate(&at("x")), "high:2");
        assert_eq!(sources.locate(&at("y")), "low:3");
    }

    #[test]
    fn a_stage_of_one_layer_and_a_stage_of_two_are_both_whole() {
        let (layers, sources) = layers(&[
            ("low", "[stage.a]\nx = 1\n[stage.b]\nx = 1\ny = 2"),
            ("high", "[stage.b]\nx = 3\n[stage.c]\nx = 4"),
        ]);
        let merged = merge(layers);
        let expected = json!({"a": {"x": 1}, "b": {"x": 3, "y": 2}, "c": {"x": 4}});
        assert_eq!(merged.plain()["stage"], expected);
        let b = merged.get("stage").unwrap().get("b").unwrap();
        assert_eq!(sources.locate(b.get("x").unwrap().place.as_ref().unwrap()), "high:2");
        assert_eq!(sources.locate(b.key.as_ref().unwrap()), "low:3");
    }

    #[test]
    fn stages_that_are_no_table_in_one_layer_are_what_the_higher_says() {
        let (layers, _) = layers(&[("low", "[stage.a]\nx = 1"), ("high", "stage = 3")]);
        assert_eq!(merge(layers).plain(), json!({"stage": 3}));
    }

    #[test]
    fn no_layers_give_an_empty_table() {
        assert_eq!(merge(Vec::new()).plain(), json!({}));
    }

    #[test]
    fn keys_with_dots_and_integers_survive_the_merge() {
        let (layers, _) = layers(&[("a", "[\"a.b\"]\n\"\" = 9223372036854775807\nf = 1.0")]);
        assert_eq!(merge(layers).plain(), json!({"a.b": {"": i64::MAX, "f": 1.0}}));
    }
}
