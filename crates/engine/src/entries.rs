//! The entries of a table: a map that takes no more room than what is in it.
//!
//! Most tables of a pipeline have two or three entries, and there are several per stage. A tree map
//! keeps room for eleven in each, which is most of the memory of ten thousand stages.

use crate::node::Node;

/// Entries sorted by their keys, each key once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries(Vec<(String, Node)>);

impl Entries {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        Some(&self.0[self.find(key).ok()?].1)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let index = self.find(key).ok()?;
        Some(&mut self.0[index].1)
    }

    /// The value of a key, which is first made when there is none.
    pub fn get_or_insert(&mut self, key: &str, make: impl FnOnce() -> Node) -> &mut Node {
        let index = self.find(key).unwrap_or_else(|index| {
            self.0.insert(index, (key.to_owned(), make()));
            index
        });
        &mut self.0[index].1
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let index = self.find(key).ok()?;
        Some(self.0.remove(index).1)
    }

    /// All entries, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Node)> + Clone {
        self.0.iter().map(|(key, node)| (key, node))
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.0.iter_mut().map(|(_, node)| node)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(key))
    }
}

/// Of a key that comes twice, the later value is kept.
impl FromIterator<(String, Node)> for Entries {
    fn from_iter<T: IntoIterator<Item = (String, Node)>>(entries: T) -> Entries {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        entries.shrink_to_fit();
        Entries(entries)
    }
}

impl IntoIterator for Entries {
    type Item = (String, Node);
    type IntoIter = std::vec::IntoIter<(String, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(pairs: &[(&str, i64)]) -> Entries {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Node::leaf(*value))).collect()
    }

    #[test]
    fn entries_are_found_sorted_and_each_once() {
        let mut map = entries(&[("b", 1), ("a", 2), ("b", 3), ("b", 4)]);
        assert_eq!(map, entries(&[("a", 2), ("b", 4)]));
        assert_eq!(map.get("b"), Some(&Node::leaf(4)));
        assert_eq!(map.get("c"), None);
        *map.get_or_insert("c", Node::empty) = Node::leaf(5);
        *map.get_or_insert("a", Node::empty) = Node::leaf(6);
        assert_eq!(map, entries(&[("c", 5), ("a", 6), ("b", 4)]));
        assert_eq!(map.remove("b"), Some(Node::leaf(4)));
        assert_eq!(map.remove("b"), None);
        let keys: Vec<_> = map.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "c"]);
    }
}
