//! Many rows through many trees at once: several times as fast as one after the other, with the
//! same bits.
//!
//! In a tree of at most 64 leaves every split has a mask of the leaves that are out of reach when a
//! row goes right. A row's leaf is the first that no split it fails takes away (QuickScorer,
//! Lucchese et al. 2015). All splits are asked of 16 rows side by side, without a branch that could
//! be foreseen wrongly. Larger trees, and those that ask for categories, are walked. A row's sum is
//! added up in the order of the trees either way.

use super::tree::{Ask, Tree};

/// Rows side by side.
const ABREAST: usize = 16;

/// The most leaves of a tree whose leaves are bits.
const MAX_LEAVES: usize = u64::BITS as usize;

/// How rows find their leaves in a tree.
enum Way<'a> {
    Masks(Box<Masks>),
    Walk(&'a Tree),
}

/// A small tree as masks of its leaves, the leftmost leaf in the lowest bit.
struct Masks {
    /// Splits that send a row without a value right.
    missing_right: Vec<Split>,
    /// Splits that send a row without a value left.
    missing_left: Vec<Split>,
    /// The values of the leaves from left to right.
    values: [f64; MAX_LEAVES],
}

struct Split {
    threshold: f64,
    /// The leaves that stay in reach of a row that goes right: all but those below the left child.
    keep: u64,
    feature: usize,
}

/// The numbers of `ABREAST` rows, feature by feature.
type Block = [[f64; ABREAST]];

/// Adds the values of each row's leaves to its sum, tree by tree. `rows` are rows of `width`
/// numbers, one after the other, as many as there are sums.
pub(super) fn add_values(trees: &[Tree], rows: &[f64], width: usize, sums: &mut [f64]) {
    let (blocks, rest) = sums.as_chunks_mut::<ABREAST>();
    let n_abreast = blocks.len() * ABREAST;
    if !blocks.is_empty() {
        let ways: Vec<Way<'_>> = trees.iter().map(Way::of).collect();
        let mut block = vec![[0.0; ABREAST]; width];
        for (rows, sums) in rows.chunks(ABREAST * width.max(1)).zip(blocks) {
            for (k, row) in rows.chunks(width.max(1)).enumerate() {
                block.iter_mut().zip(row).for_each(|(column, x)| column[k] = *x);
            }
            for way in &ways {
                match way {
                    Way::Masks(masks) => masks.add(&block, sums),
                    Way::Walk(tree) => {
                        let rows = rows.chunks(width.max(1));
                        rows.zip(&mut *sums).for_each(|(row, sum)| *sum += tree.value(row));
                    }
                }
            }
        }
    }
    for (k, sum) in rest.iter_mut().enumerate() {
        let start = (n_abreast + k) * width;
        let row = &rows[start..start + width];
        trees.iter().for_each(|tree| *sum += tree.value(row));
    }
}

impl Way<'_> {
    fn of(tree: &Tree) -> Way<'_> {
        Masks::of(tree).map_or(Way::Walk(tree), |masks| Way::Masks(Box::new(masks)))
    }
}

impl Masks {
    /// `None` for a tree of too many leaves, or one that asks for categories.
    fn of(tree: &Tree) -> Option<Masks> {
        // A node has one leaf more than splits below it.
        if tree.n_nodes() > 2 * MAX_LEAVES - 1 {
            return None;
        }
        let mut leaves_before = vec![0; tree.n_nodes() + 1];
        let mut masks = Masks {
            missing_right: Vec::new(),
            missing_left: Vec::new(),
            values: [0.0; MAX_LEAVES],
        };
        for at in 0..tree.n_nodes() {
            let n_before = leaves_before[at];
            if tree.is_leaf(at) {
                masks.values[n_before] = tree.value_of(at);
            }
            leaves_before[at + 1] = n_before + usize::from(tree.is_leaf(at));
        }
        for (at, node) in tree.nodes().enumerate() {
            let threshold = match node.ask {
                Ask::Leaf => continue,
                Ask::AtMost(threshold) => threshold,
                Ask::OneOf(_) => return None,
            };
            // The leaves below the left child stand between it and the right one.
            let (first, end) = (leaves_before[at + 1], leaves_before[node.right as usize]);
            let below_left = ((1_u128 << end) - (1_u128 << first)) as u64;
            let split = Split { threshold, keep: !below_left, feature: usize::from(node.feature) };
            let splits =
                if node.missing_left { &mut masks.missing_left } else { &mut masks.missing_right };
            splits.push(split);
        }
        Some(masks)
    }

    fn add(&self, block: &Block, sums: &mut [f64; ABREAST]) {
        // All bits where a row goes left, none where it goes right.
        let all = |is_left: bool| u64::from(is_left).wrapping_neg();
        let mut reach = [u64::MAX; ABREAST];
        for Split { threshold, keep, feature } in &self.missing_right {
            for (reach, x) in reach.iter_mut().zip(&block[*feature]) {
                *reach &= keep | all(x <= threshold);
            }
        }
        for Split { threshold, keep, feature } in &self.missing_left {
            for (reach, x) in reach.iter_mut().zip(&block[*feature]) {
                // Not the same as `x <= threshold`: what is no number goes left.
                let is_right = x > threshold;
                *reach &= keep | all(!is_right);
            }
        }
        for (sum, reach) in sums.iter_mut().zip(reach) {
            *sum += self.values[reach.trailing_zeros() as usize % MAX_LEAVES];
        }
    }
}
