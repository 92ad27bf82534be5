//! The layers of a configuration, merged: each value comes from the highest layer that gives it.
//!
//! figment does the merging; places come back from the layer that won, because figment keeps the
//! name of a layer but not the line. Order, lowest first: built-in defaults, `pipeline.toml`, the
//! stage files, `[profile.NAME]`, the environment, `--set`.

use figment::value::{Dict, Map, Num, Value as Merged};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::Value;

use crate::node::{Node, Shape};
use crate::params::Step;

/// One source of values.
#[derive(Clone, Debug)]
pub struct Layer {
    /// How people know it: a file, a variable, an argument.
    pub name: String,
    /// Its values, from the root of the configuration.
    pub root: Node,
}

/// The merged values.
pub fn merge(layers: &[Layer]) -> Node {
    let figment = layers.iter().fold(Figment::new(), Figment::merge);
    // An empty path is the whole; a figment without values has none.
    let merged = figment.find_value("").unwrap_or_else(|_| Dict::new().into());
    locate(&merged, layers, &mut Vec::new())
}

/// The name of the layer that a merged value came from.
pub fn origin<'a>(layers: &'a [Layer], path: &[Step]) -> Option<&'a str> {
    highest(layers, path).map(|(layer, _)| layer.name.as_str())
}

fn highest<'a>(layers: &'a [Layer], path: &[Step]) -> Option<(&'a Layer, &'a Node)> {
    layers.iter().rev().find_map(|layer| Some((layer, layer.root.find(path)?)))
}

fn locate(value: &Merged, layers: &[Layer], path: &mut Vec<Step>) -> Node {
    let shape = match value {
        Merged::Dict(_, dict) => Shape::Table(
            dict.iter()
                .map(|(key, value)| {
                    path.push(Step::Key(key.clone()));
                    let node = locate(value, layers, path);
                    path.pop();
                    (key.clone(), node)
                })
                .collect(),
        ),
        Merged::Array(_, items) => Shape::List(
            items
                .iter()
                .enumerate()
                .map(|(index, value)| {
                    path.push(Step::Item(index));
                    let node = locate(value, layers, path);
                    path.pop();
                    node
                })
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
    let place = highest(layers, path).and_then(|(_, node)| node.place.clone());
    // A key stands where it was first written: the order of variants must not follow a layer that
    // only changes one of them.
    let key = layers.iter().find_map(|layer| layer.root.find(path)?.key.clone());
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

    fn layers(texts: &[(&str, &str)]) -> Vec<Layer> {
        let mut sources = Sources::default();
        let layer = |(name, text): &(&str, &str)| {
            let id = sources.add(*name, *text);
            Layer { name: (*name).to_owned(), root: Node::parse(&sources, id).0 }
        };
        texts.iter().map(layer).collect()
    }

    #[test]
    fn a_higher_layer_wins_value_by_value() {
        let layers =
            layers(&[("low", "[a]\nx = 1\ny = 2.0\nl = [1, 2]"), ("high", "[a]\nx = 3\nl = [9]")]);
        let merged = merge(&layers);
        assert_eq!(merged.plain(), json!({"a": {"x": 3, "y": 2.0, "l": [9]}}));
        let path = |key: &str| [Step::Key("a".to_owned()), Step::Key(key.to_owned())];
        assert_eq!(origin(&layers, &path("x")), Some("high"));
        assert_eq!(origin(&layers, &path("y")), Some("low"));
    }

    #[test]
    fn no_layers_give_an_empty_table() {
        assert_eq!(merge(&[]).plain(), json!({}));
    }

    #[test]
    fn keys_with_dots_and_integers_survive_the_merge() {
        let layers = layers(&[("a", "[\"a.b\"]\n\"\" = 9223372036854775807\nf = 1.0")]);
        assert_eq!(merge(&layers).plain(), json!({"a.b": {"": i64::MAX, "f": 1.0}}));
    }
}
