//! A fitted decision tree and how a row finds its leaf.
//!
//! Nodes stand in preorder: the left child follows its parent, the right child is named. An index
//! therefore only ever grows, and a walk ends in any tree that passed `Tree::new`, whoever wrote
//! it. A leaf is its own right child. Knows nothing of how trees are grown (`grow.rs`), nor of how
//! many rows find their leaves at once (`abreast.rs`).

/// A node as it is asked while walking: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    /// A row goes left when its value is at most this. Where categories are asked for, the index
    /// of the set of those that go left.
    threshold: f64,
    /// The index of the right child; a leaf's own.
    right: u32,
    /// The encoded feature that is asked for.
    feature: u16,
    /// Whether a row without a value goes left.
    missing_left: bool,
    /// Whether the value is the code of a category.
    is_category: bool,
}

/// What a node asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Nothing: it is a leaf.
    Leaf,
    /// Whether the value is at most this.
    AtMost(f64),
    /// Whether the value is one of these codes, which ascend.
    OneOf(Vec<u32>),
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it asks.
    pub ask: Ask,
    /// Of which encoded feature; 0 in a leaf.
    pub feature: u16,
    /// Whether a row without a value goes left.
    pub missing_left: bool,
    /// The index of the right child; 0 in a leaf.
    pub right: u32,
    /// What a row that ends here is given: in a tree of a forest the weighted fraction of positive
    /// rows, in a boosted one log-odds to add.
    pub value: f64,
    /// How many training rows reached it; 0 where that is not known.
    pub rows: u64,
}

impl Node {
    /// A leaf.
    pub fn leaf(value: f64, rows: u64) -> Node {
        Node { ask: Ask::Leaf, feature: 0, missing_left: false, right: 0, value, rows }
    }
}

/// A decision tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    steps: Vec<Step>,
    values: Vec<f64>,
    rows: Vec<u64>,
    sets: Vec<CodeSet>,
    /// The most steps to a leaf.
    depth: u32,
}

/// A set of category codes, one bit each.
#[derive(Clone, Debug, PartialEq)]
struct CodeSet(Vec<u64>);

/// Codes above this are refused, so that a set cannot be made to take much memory.
pub const MAX_CODE: u32 = 4095;

impl CodeSet {
    fn new(codes: &[u32]) -> CodeSet {
        let n_words = codes.last().map_or(0, |last| *last as usize / 64 + 1);
        let mut words = vec![0; n_words];
        for code in codes {
            words[*code as usize / 64] |= 1 << (code % 64);
        }
        CodeSet(words)
    }

    fn has(&self, value: f64) -> bool {
        // Saturates: what is below 0 or no number becomes 0, which the comparison excludes.
        let code = value as u32;
        let word = self.0.get(code as usize / 64).copied().unwrap_or(0);
        f64::from(code) == value && word & (1 << (code % 64)) != 0
    }

    fn codes(&self) -> Vec<u32> {
        let is_in = |code: &u32| self.0[*code as usize / 64] & (1 << (code % 64)) != 0;
        (0..self.0.len() as u32 * 64).filter(is_in).collect()
    }
}

impl Step {
    fn leaf(at: usize) -> Step {
        Step {
            threshold: f64::NEG_INFINITY,
            right: at as u32,
            feature: 0,
            missing_left: false,
            is_category: false,
        }
    }
}

impl Tree {
    /// A tree of nodes in preorder over rows of `width` numbers.
    ///
    /// # Errors
    /// Why a walk could leave the nodes or not end.
    pub fn new(nodes: Vec<Node>, width: usize) -> Result<Tree, String> {
        if nodes.is_empty() {
            return Err("a tree has no node".to_owned());
        }
        let n_nodes = nodes.len();
        let mut tree = Tree {
            steps: Vec::with_capacity(n_nodes),
            values: Vec::with_capacity(n_nodes),
            rows: Vec::with_capacity(n_nodes),
            sets: Vec::new(),
            depth: 0,
        };
        let mut depths = vec![0_u32; n_nodes];
        for (i, node) in nodes.into_iter().enumerate() {
            let is_inner = node.ask != Ask::Leaf;
            if is_inner {
                check(&node, i, n_nodes, width)?;
                // A child comes after its parent, so its depth is known when it is reached.
                for child in [i + 1, node.right as usize] {
                    depths[child] = depths[child].max(depths[i] + 1);
                }
            }
            tree.depth = tree.depth.max(depths[i]);
            tree.push(node);
        }
        Ok(tree)
    }

    fn push(&mut self, node: Node) {
        let Node { ask, feature, missing_left, right, value, rows } = node;
        let step = match ask {
            Ask::Leaf => Step::leaf(self.steps.len()),
            Ask::AtMost(threshold) => {
                Step { threshold, right, feature, missing_left, is_category: false }
            }
            Ask::OneOf(codes) => {
                self.sets.push(CodeSet::new(&codes));
                let threshold = (self.sets.len() - 1) as f64;
                Step { threshold, right, feature, missing_left, is_category: true }
            }
        };
        self.steps.push(step);
        self.values.push(value);
        self.rows.push(rows);
    }

    /// How many nodes it has.
    pub fn n_nodes(&self) -> usize {
        self.steps.len()
    }

    /// How many leaves it has.
    pub fn n_leaves(&self) -> usize {
        (0..self.steps.len()).filter(|at| self.is_leaf(*at)).count()
    }

    /// The nodes in preorder.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.steps.iter().enumerate().map(|(at, step)| {
            let (value, rows) = (self.values[at], self.rows[at]);
            if self.is_leaf(at) {
                return Node::leaf(value, rows);
            }
            let ask = if step.is_category {
                Ask::OneOf(self.sets[step.threshold as usize].codes())
            } else {
                Ask::AtMost(step.threshold)
            };
            let Step { feature, missing_left, right, .. } = *step;
            Node { ask, feature, missing_left, right, value, rows }
        })
    }

    /// The most steps to a leaf.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn is_leaf(&self, at: usize) -> bool {
        self.steps[at].right as usize == at
    }

    pub(super) fn right_of(&self, at: usize) -> usize {
        self.steps[at].right as usize
    }

    pub(super) fn feature_of(&self, at: usize) -> u16 {
        self.steps[at].feature
    }

    pub(super) fn value_of(&self, at: usize) -> f64 {
        self.values[at]
    }

    /// How many training rows reached a node; 0 where that is not known.
    pub(super) fn rows(&self, at: usize) -> u64 {
        self.rows[at]
    }

    /// The next node of a row; a leaf's own.
    pub(super) fn next(&self, at: usize, row: &[f64]) -> usize {
        let step = &self.steps[at];
        let x = row[usize::from(step.feature)];
        let is_left = if step.is_category {
            self.sets[step.threshold as usize].has(x)
        } else {
            x <= step.threshold
        };
        if is_left | (step.missing_left & x.is_nan()) { at + 1 } else { step.right as usize }
    }

    /// The value of the leaf that a row of encoded features reaches.
    pub fn value(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            let next = self.next(at, row);
            if next == at {
                return self.values[at];
            }
            at = next;
        }
    }

    /// Whether every value is one that a leaf may have.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_values(&self, may_be: impl Fn(f64) -> bool, what: &str) -> Result<(), String> {
        let wrong = self.values.iter().position(|value| !may_be(*value));
        wrong.map_or(Ok(()), |at| {
            Err(format!("node {at} has the value {}, not {what}", self.values[at]))
        })
    }
}

/// Whether a walk may pass a node that asks something.
fn check(node: &Node, at: usize, n_nodes: usize, width: usize) -> Result<(), String> {
    if usize::from(node.feature) >= width {
        return Err(format!("node {at} asks for feature {} of {width}", node.feature));
    }
    let right = node.right as usize;
    if right <= at + 1 || right >= n_nodes {
        return Err(format!("node {at} has no such right child: {right}"));
    }
    match &node.ask {
        Ask::AtMost(threshold) if !threshold.is_finite() => {
            Err(format!("node {at} has a threshold that is no number"))
        }
        Ask::OneOf(codes) if !codes.is_sorted_by(|a, b| a < b) => {
            Err(format!("the categories of node {at} do not ascend"))
        }
        Ask::OneOf(codes) if codes.last().is_some_and(|last| *last > MAX_CODE) => {
            Err(format!("node {at} asks for a category above {MAX_CODE}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
