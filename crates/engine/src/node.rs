//! A tree of configuration values in which each value knows where it was written.
//!
//! Made from TOML text. Knows nothing of what the keys mean. toml's own error positions are kept,
//! and all of a text's errors are reported, not just the first.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::entries::Entries;
use crate::error::{Diagnostic, Place, SourceId, Sources};
use crate::params::Step;

/// The most tables and lists that may stand one inside the other: all that walks a tree does so by
/// calling itself.
pub(crate) const MAX_DEPTH: usize = 64;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub shape: Shape,
    /// Where the value stands.
    pub place: Option<Place>,
    /// Where its key stands, when it has one.
    pub key: Option<Place>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A truth value, a number or a text.
    Leaf(Value),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Entries),
}

impl Node {
    /// An empty table that stands nowhere.
    pub fn empty() -> Node {
        Node::table(Entries::default())
    }

    /// A table that stands nowhere.
    pub fn table(entries: Entries) -> Node {
        Node { shape: Shape::Table(entries), place: None, key: None }
    }

    /// A leaf that stands nowhere.
    pub fn leaf(value: impl Into<Value>) -> Node {
        Node { shape: Shape::Leaf(value.into()), place: None, key: None }
    }

    /// Parses a TOML document.
    pub fn parse(sources: &Sources, id: SourceId) -> (Node, Vec<Diagnostic>) {
        let (table, errors) = DeTable::parse_recoverable(&sources.get(id).text);
        let mut reader = Reader { source: id, depth: 0, diagnostics: Vec::new() };
        for error in errors {
            let place = error.span().map(|span| Place { source: id, span });
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            reader.diagnostics.push(Diagnostic::new(message).at(place));
        }
        let node = Node {
            shape: reader.table(table.into_inner()),
            place: Some(Place { source: id, span: 0..0 }),
            key: None,
        };
        (node, reader.diagnostics)
    }

    /// Parses a value as it is written on a command line: TOML if it is that, else a bare text.
    pub fn parse_value(text: &str, place: Place) -> Node {
        let mut reader = Reader { source: place.source, depth: 0, diagnostics: Vec::new() };
        let shape = match DeValue::parse(text) {
            Ok(value) => reader.shape(value.into_inner(), &place),
            Err(_) => Shape::Leaf(text.into()),
        };
        let shape = if reader.diagnostics.is_empty() { shape } else { Shape::Leaf(text.into()) };
        let mut node = Node { shape, place: None, key: None };
        node.set_place(&place);
        node
    }

    /// The entries of a table; none for anything else.
    pub fn entries(&self) -> impl Iterator<Item = (&String, &Node)> {
        match &self.shape {
            Shape::Table(entries) => Some(entries.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.shape {
            Shape::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a leaf that is one.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Leaf(value) => value.as_str(),
            _ => None,
        }
    }

    /// A value of a table.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.shape {
            Shape::Table(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The value at the end of a path.
    pub fn find(&self, path: &[Step]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Item(index) => node.items().get(*index),
        })
    }

    /// The nearest place on the way to the end of a path: its own, or that of what holds it.
    pub fn nearest_place(&self, path: &[Step], at_key: bool) -> Option<Place> {
        let own = self.find(path).and_then(|node| {
            let place = if at_key { node.key.as_ref() } else { node.place.as_ref() };
            place.or(node.place.as_ref()).or(node.key.as_ref()).cloned()
        });
        match path {
            [] => own,
            [before @ .., _] => own.or_else(|| self.nearest_place(before, true)),
        }
    }

    /// The value at the end of a chain of keys, where tables are made as needed. A value that is
    /// in the way is replaced.
    pub fn insert(&mut self, path: &[String], node: Node) {
        let Some((first, rest)) = path.split_first() else {
            *self = node;
            return;
        };
        if !matches!(self.shape, Shape::Table(_)) {
            self.shape = Shape::Table(Entries::default());
        }
        if let Shape::Table(entries) = &mut self.shape {
            entries.get_or_insert(first, Node::empty).insert(rest, node);
        }
    }

    /// A value of a table, to be changed.
    pub(crate) fn child_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.shape {
            Shape::Table(entries) => entries.get_mut(key),
            _ => None,
        }
    }

    /// Removes and returns a value of a table.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        match &mut self.shape {
            Shape::Table(entries) => entries.remove(key),
            _ => None,
        }
    }

    /// This tree with another laid over it: tables are joined, all else is replaced.
    pub fn overlaid(&self, over: &Node) -> Node {
        let (Shape::Table(below), Shape::Table(above)) = (&self.shape, &over.shape) else {
            return over.clone();
        };
        let joined = above.iter().map(|(key, node)| {
            let joined = below.get(key).map_or_else(|| node.clone(), |old| old.overlaid(node));
            (key.clone(), joined)
        });
        let kept = below.clone().into_iter();
        let entries = kept.chain(joined).collect();
        Node { shape: Shape::Table(entries), place: over.place.clone(), key: over.key.clone() }
    }

    /// The bare value.
    pub fn plain(&self) -> Value {
        match &self.shape {
            Shape::Leaf(value) => value.clone(),
            Shape::List(items) => items.iter().map(Node::plain).collect(),
            Shape::Table(entries) => {
                entries.iter().map(|(key, node)| (key.clone(), node.plain())).collect()
            }
        }
    }

    fn set_place(&mut self, place: &Place) {
        self.place = Some(place.clone());
        match &mut self.shape {
            Shape::Leaf(_) => {}
            Shape::List(items) => items.iter_mut().for_each(|node| node.set_place(place)),
            Shape::Table(entries) => entries.values_mut().for_each(|node| node.set_place(place)),
        }
    }
}

/// Turns toml's tree into nodes; numbers and dates that cannot be kept are reported.
struct Reader {
    source: SourceId,
    /// How many tables and lists are around what is being read.
    depth: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// Takes the table apart as it goes: toml's tree and ours are not both there as a whole.
    fn table(&mut self, table: DeTable<'_>) -> Shape {
        let entries = table.into_iter().map(|(key, value)| {
            let place = Place { source: self.source, span: value.span() };
            let node = Node {
                shape: self.shape(value.into_inner(), &place),
                place: Some(place),
                key: Some(Place { source: self.source, span: key.span() }),
            };
            (key.into_inner().into_owned(), node)
        });
        Shape::Table(entries.collect())
    }

    fn shape(&mut self, value: DeValue<'_>, place: &Place) -> Shape {
        if self.depth == MAX_DEPTH && matches!(value, DeValue::Array(_) | DeValue::Table(_)) {
            let message = format!("tables and lists may be nested {MAX_DEPTH} deep");
            self.diagnostics.push(Diagnostic::new(message).at(Some(place.clone())));
            return Shape::Leaf(Value::Null);
        }
        self.depth += 1;
        let shape = self.shallow(value, place);
        self.depth -= 1;
        shape
    }

    fn shallow(&mut self, value: DeValue<'_>, place: &Place) -> Shape {
        match value {
            DeValue::String(text) => Shape::Leaf(text.as_ref().into()),
            DeValue::Boolean(truth) => Shape::Leaf(truth.into()),
            DeValue::Integer(integer) => {
                let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
                self.leaf(parsed.ok().map(Value::from), "an integer of 64 bits", place)
            }
            DeValue::Float(float) => {
                let parsed = float.as_str().parse().ok().filter(|float: &f64| float.is_finite());
                self.leaf(parsed.map(Value::from), "a finite number", place)
            }
            DeValue::Datetime(_) => self.leaf(None, "no date: write it as a text", place),
            DeValue::Array(items) => Shape::List(
                items
                    .into_iter()
                    .map(|item| {
                        let place = Place { source: self.source, span: item.span() };
                        let shape = self.shape(item.into_inner(), &place);
                        Node { shape, place: Some(place), key: None }
                    })
                    .collect(),
            ),
            DeValue::Table(table) => self.table(table),
        }
    }

    fn leaf(&mut self, value: Option<Value>, expected: &str, place: &Place) -> Shape {
        if value.is_none() {
            let message = format!("expected {expected}");
            self.diagnostics.push(Diagnostic::new(message).at(Some(place.clone())));
        }
        Shape::Leaf(value.unwrap_or(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> (Node, Vec<Diagnostic>, Sources) {
        let mut sources = Sources::default();
        let id = sources.add("a.toml", text);
        let (node, diagnostics) = Node::parse(&sources, id);
        (node, diagnostics, sources)
    }

    #[test]
    fn every_value_knows_its_line() {
        let (node, diagnostics, sources) = parse("a = 1\n[b]\nc = [1, \"x\"]\n");
        assert_eq!(diagnostics, []);
        assert_eq!(node.plain(), json!({"a": 1, "b": {"c": [1, "x"]}}));
        let path = [Step::Key("b".to_owned()), Step::Key("c".to_owned()), Step::Item(1)];
        let place = node.nearest_place(&path, false).unwrap();
        assert_eq!(sources.line_and_column(&place), (3, 9));
    }

    #[test]
    fn all_syntax_errors_of_a_text_are_reported() {
        let (_, diagnostics, _) = parse("a = \nb = 1\nc = [\n");
        assert!(diagnostics.len() >= 2, "{diagnostics:?}");
        assert!(diagnostics.iter().all(|diagnostic| diagnostic.place.is_some()));
    }

    #[test]
    fn numbers_that_cannot_be_kept_are_refused() {
        for text in ["a = nan", "a = inf", "a = 99999999999999999999", "a = 2026-11-23"] {
            assert_eq!(parse(text).1.len(), 1, "{text}");
        }
        assert_eq!(parse("a = -1_000\nb = 0xff\nc = 1e3\n").0.plain()["a"], json!(-1000));
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_at_its_place() {
        let deep = |n: usize| format!("a = {}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(parse(&deep(60)).1, []);
        let keys = vec!["b"; 70].join(".");
        let sixfold = format!("{keys} = {{ {keys} = {{ {keys} = {{ {keys} = 1 }} }} }}");
        for text in [deep(70), deep(100_000), format!("[{keys}]\n{sixfold}"), sixfold] {
            let (_, diagnostics, _) = parse(&text);
            assert!(!diagnostics.is_empty(), "{}", text.len());
            assert!(diagnostics.iter().all(|diagnostic| diagnostic.place.is_some()));
        }
        let place = Place { source: SourceId(0), span: 0..1 };
        let text = "[".repeat(100_000);
        assert_eq!(Node::parse_value(&text, place).plain(), json!(text));
    }

    #[test]
    fn a_value_on_the_command_line_is_toml_or_else_text() {
        let place = Place { source: SourceId(0), span: 0..1 };
        let plain = |text| Node::parse_value(text, place.clone()).plain();
        assert_eq!(plain("0.5"), json!(0.5));
        assert_eq!(plain("[1, 2]"), json!([1, 2]));
        assert_eq!(plain("balanced"), json!("balanced"));
        assert_eq!(plain("\"7\""), json!("7"));
        assert_eq!(plain(""), json!(""));
    }
}
