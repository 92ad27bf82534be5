//! A tree as it is written: one list per property, `null` where a leaf has none.
//!
//! Lists that would say nothing are left out, so that trees of numbers without holes look as they
//! always did. Knows the format and nothing of walking; what is read is checked by `Tree::new`.

use serde::{Deserialize, Serialize};

use super::tree::{Ask, Node, Tree};

/// A tree, node after node in preorder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeDocument {
    /// The encoded feature that is asked for.
    feature: Vec<Option<u16>>,
    /// The index of the right child.
    right: Vec<Option<u32>>,
    /// A row goes left when its value is at most this; `null` where categories are asked for.
    threshold: Vec<Option<f64>>,
    /// The codes of the categories that go left, ascending; `null` where a number is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<Option<Vec<u32>>>,
    /// The indices of the nodes where a row without a value goes left, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing_left: Vec<u32>,
    /// What a row that ends here is given.
    value: Vec<f64>,
    /// How many training rows reached the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rows: Vec<u64>,
}

impl TreeDocument {
    /// A tree to be written.
    pub fn of(tree: &Tree) -> TreeDocument {
        let nodes: Vec<Node> = tree.nodes().collect();
        let is_inner = |node: &Node| node.ask != Ask::Leaf;
        let threshold = |node: &Node| {
            if let Ask::AtMost(threshold) = &node.ask { Some(*threshold) } else { None }
        };
        let categories = |node: &Node| {
            if let Ask::OneOf(codes) = &node.ask { Some(codes.clone()) } else { None }
        };
        let mut document = TreeDocument {
            feature: nodes.iter().map(|n| is_inner(n).then_some(n.feature)).collect(),
            right: nodes.iter().map(|n| is_inner(n).then_some(n.right)).collect(),
            threshold: nodes.iter().map(threshold).collect(),
            categories: nodes.iter().map(categories).collect(),
            missing_left: (0..).zip(&nodes).filter(|(_, n)| n.missing_left).map(|n| n.0).collect(),
            value: nodes.iter().map(|n| n.value).collect(),
            rows: nodes.iter().map(|n| n.rows).collect(),
        };
        if document.categories.iter().all(Option::is_none) {
            document.categories.clear();
        }
        if document.rows.iter().all(|rows| *rows == 0) {
            document.rows.clear();
        }
        document
    }

    /// The tree that was written, over rows of `width` numbers.
    ///
    /// # Errors
    /// Why it is none.
    pub fn into_tree(mut self, width: usize) -> Result<Tree, String> {
        let n_nodes = self.value.len();
        if self.categories.is_empty() {
            self.categories.resize(n_nodes, None);
        }
        if self.rows.is_empty() {
            self.rows.resize(n_nodes, 0);
        }
        let lengths =
            [self.feature.len(), self.right.len(), self.threshold.len(), self.categories.len()];
        if lengths != [n_nodes; 4] || self.rows.len() != n_nodes {
            return Err("the lists of a tree differ in length".to_owned());
        }
        let mut nodes = (0..n_nodes).map(|i| self.node(i)).collect::<Result<Vec<_>, _>>()?;
        for at in self.missing_left {
            match nodes.get_mut(at as usize) {
                Some(node) if node.ask != Ask::Leaf => node.missing_left = true,
                _ => return Err(format!("node {at} is no split that could send a row left")),
            }
        }
        Tree::new(nodes, width)
    }

    fn node(&mut self, i: usize) -> Result<Node, String> {
        let (value, rows) = (self.value[i], self.rows[i]);
        let ask = match (self.threshold[i], self.categories[i].take()) {
            (None, None) => Ask::Leaf,
            (Some(threshold), None) => Ask::AtMost(threshold),
            (None, Some(codes)) => Ask::OneOf(codes),
            (Some(_), Some(_)) => {
                return Err(format!("node {i} asks for a number and for categories"));
            }
        };
        match (&ask, self.feature[i], self.right[i]) {
            (Ask::Leaf, None, None) => Ok(Node::leaf(value, rows)),
            (Ask::AtMost(_) | Ask::OneOf(_), Some(feature), Some(right)) => {
                Ok(Node { ask, feature, missing_left: false, right, value, rows })
            }
            _ => Err(format!("node {i} is neither a leaf nor a split")),
        }
    }
}
