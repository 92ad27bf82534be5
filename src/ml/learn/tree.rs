//! A fitted decision tree and how a row finds its leaf.
//!
//! Nodes stand in preorder: the left child follows its parent, the right child is named. An index
//! therefore only ever grows, and a walk ends in any tree that passed `Tree::check`, whoever wrote
//! it. Knows nothing of how trees are grown (`grow.rs`).

use serde::{Deserialize, Serialize};

/// A node. `feature` is `LEAF` for a leaf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// The encoded feature that is asked for.
    pub feature: u32,
    /// The index of the right child.
    pub right: u32,
    /// A row goes left when its value is at most this.
    pub threshold: f64,
    /// The weighted fraction of positive training rows that reached the node.
    pub value: f64,
}

/// The `feature` of a leaf.
pub const LEAF: u32 = u32::MAX;

impl Node {
    /// A leaf.
    pub fn leaf(value: f64) -> Node {
        Node { feature: LEAF, right: 0, threshold: 0.0, value }
    }
}

/// A decision tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// A tree of nodes in preorder over rows of `width` numbers.
    ///
    /// # Errors
    /// Why a walk could leave the nodes or not end.
    pub fn new(nodes: Vec<Node>, width: usize) -> Result<Tree, String> {
        let tree = Tree { nodes };
        tree.check(width)?;
        Ok(tree)
    }

    /// Whether a walk with rows of `width` numbers stays in the nodes and ends.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, width: usize) -> Result<(), String> {
        let nodes = &self.nodes;
        if nodes.is_empty() {
            return Err("a tree has no node".to_owned());
        }
        for (i, node) in nodes.iter().enumerate() {
            if !(0.0..=1.0).contains(&node.value) {
                return Err(format!("node {i} has the value {}, not a fraction", node.value));
            }
            if node.feature == LEAF {
                continue;
            }
            if node.feature as usize >= width {
                return Err(format!("node {i} asks for feature {} of {width}", node.feature));
            }
            let right = node.right as usize;
            if right <= i + 1 || right >= nodes.len() || !node.threshold.is_finite() {
                return Err(format!("node {i} has no such right child: {right}"));
            }
        }
        Ok(())
    }

    /// The nodes in preorder.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The value of the leaf that a row of encoded features reaches.
    pub fn value(&self, row: &[f64]) -> f64 {
        let mut i = 0;
        loop {
            let node = &self.nodes[i];
            if node.feature == LEAF {
                return node.value;
            }
            i = if row[node.feature as usize] <= node.threshold {
                i + 1
            } else {
                node.right as usize
            };
        }
    }
}

/// A tree as it is written: one list per property, `null` where a leaf has none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeDocument {
    feature: Vec<Option<u32>>,
    right: Vec<Option<u32>>,
    threshold: Vec<Option<f64>>,
    value: Vec<f64>,
}

impl TreeDocument {
    /// A tree to be written.
    pub fn of(tree: &Tree) -> TreeDocument {
        let inner = |node: &Node| node.feature != LEAF;
        let nodes = || tree.nodes.iter();
        TreeDocument {
            feature: nodes().map(|n| inner(n).then_some(n.feature)).collect(),
            right: nodes().map(|n| inner(n).then_some(n.right)).collect(),
            threshold: nodes().map(|n| inner(n).then_some(n.threshold)).collect(),
            value: nodes().map(|n| n.value).collect(),
        }
    }

    /// The tree that was written, over rows of `width` numbers.
    ///
    /// # Errors
    /// Why it is none.
    pub fn into_tree(self, width: usize) -> Result<Tree, String> {
        let n_nodes = self.value.len();
        if [self.feature.len(), self.right.len(), self.threshold.len()] != [n_nodes; 3] {
            return Err("the lists of a tree differ in length".to_owned());
        }
        let node = |i: usize| match (self.feature[i], self.right[i], self.threshold[i]) {
            (None, None, None) => Ok(Node::leaf(self.value[i])),
            (Some(feature), Some(right), Some(threshold)) => {
                Ok(Node { feature, right, threshold, value: self.value[i] })
            }
            _ => Err(format!("node {i} is neither a leaf nor a split")),
        };
        Tree::new((0..n_nodes).map(node).collect::<Result<_, _>>()?, width)
    }
}
