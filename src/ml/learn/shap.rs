//! What each feature adds to the value of a tree: SHAP values, exact, in time that grows with the
//! leaves and the square of the depth.
//!
//! Algorithm 2 of Lundberg, Erion and Lee 2018 ("Consistent individualized feature attribution for
//! tree ensembles", arXiv 1802.03888), called `tree_path_dependent` in the package `shap`: where a
//! feature is left out, both children count by the training rows that reached them. The parts of
//! all features and the expected value add up to the tree's value. Knows one tree; a model's are
//! summed by `Predictor::explain`.

use super::tree::Tree;

/// Deeper trees are not explained: the work grows with the square of the depth, and whoever wrote
/// a model file could make a service work for hours.
pub const MAX_DEPTH: u32 = 512;

/// A feature on the way to a node.
#[derive(Clone, Copy)]
struct Step {
    /// `None` for the root.
    feature: Option<u16>,
    /// The share of training rows that pass where the feature is left out.
    zero: f64,
    /// 1 where the row that is explained passes, else 0.
    one: f64,
    /// The summed weight of all sets of so many features.
    weight: f64,
}

/// A node to be looked at.
struct Waiting {
    node: usize,
    path: Vec<Step>,
    step: Step,
}

impl Tree {
    /// The mean value of the training rows; `None` when the tree does not tell how many reached
    /// each node.
    pub fn expected(&self) -> Option<f64> {
        let n_rows = self.rows(0);
        if n_rows == 0 {
            return None;
        }
        let mut sum = 0.0;
        for node in 0..self.n_nodes() {
            if self.is_leaf(node) {
                sum += self.rows(node) as f64 * self.value_of(node);
            }
        }
        Some(sum / n_rows as f64)
    }

    /// Adds what each encoded feature of a row contributes to the tree's value to `parts`, of which
    /// there is one per feature.
    ///
    /// # Errors
    /// A tree that does not tell how many training rows reached each node, or one deeper than
    /// `MAX_DEPTH`.
    pub fn contribute(&self, row: &[f64], parts: &mut [f64]) -> Result<(), &'static str> {
        if self.depth() > MAX_DEPTH {
            return Err("a tree is too deep to be explained");
        }
        if (0..self.n_nodes()).any(|node| self.rows(node) == 0) {
            return Err("the trees do not tell how many training rows reached each node");
        }
        let root = Step { feature: None, zero: 1.0, one: 1.0, weight: 0.0 };
        let mut waiting = vec![Waiting { node: 0, path: Vec::new(), step: root }];
        while let Some(Waiting { node, mut path, step }) = waiting.pop() {
            extend(&mut path, step);
            if self.is_leaf(node) {
                for i in 1..path.len() {
                    let Step { feature, zero, one, .. } = path[i];
                    if let Some(feature) = feature {
                        let weight = unwound_weight(&path, i);
                        parts[usize::from(feature)] += weight * (one - zero) * self.value_of(node);
                    }
                }
                continue;
            }
            let feature = self.feature_of(node);
            let before = path.iter().position(|step| step.feature == Some(feature));
            let (zero, one) = before.map_or((1.0, 1.0), |at| (path[at].zero, path[at].one));
            if let Some(at) = before {
                unwind(&mut path, at);
            }
            let hot = self.next(node, row);
            for child in [self.right_of(node), node + 1] {
                let share = self.rows(child) as f64 / self.rows(node) as f64;
                let one = if child == hot { one } else { 0.0 };
                let step = Step { feature: Some(feature), zero: zero * share, one, weight: 0.0 };
                waiting.push(Waiting { node: child, path: path.clone(), step });
            }
        }
        Ok(())
    }
}

/// Goes one feature further: sets of every size, with and without it.
fn extend(path: &mut Vec<Step>, step: Step) {
    let depth = path.len();
    path.push(Step { weight: if depth == 0 { 1.0 } else { 0.0 }, ..step });
    let n = (depth + 1) as f64;
    for i in (0..depth).rev() {
        path[i + 1].weight += step.one * path[i].weight * (i + 1) as f64 / n;
        path[i].weight *= step.zero * (depth - i) as f64 / n;
    }
}

/// Takes a feature back out, as if it had never been passed.
fn unwind(path: &mut Vec<Step>, at: usize) {
    let depth = path.len() - 1;
    let n = (depth + 1) as f64;
    let Step { zero, one, .. } = path[at];
    let mut next = path[depth].weight;
    for i in (0..depth).rev() {
        if one != 0.0 {
            let kept = path[i].weight;
            path[i].weight = next * n / ((i + 1) as f64 * one);
            next = kept - path[i].weight * zero * (depth - i) as f64 / n;
        } else {
            path[i].weight = path[i].weight * n / (zero * (depth - i) as f64);
        }
    }
    for i in at..depth {
        let Step { feature, zero, one, .. } = path[i + 1];
        path[i] = Step { feature, zero, one, weight: path[i].weight };
    }
    path.pop();
}

/// The summed weight of the path without one of its features.
fn unwound_weight(path: &[Step], at: usize) -> f64 {
    let depth = path.len() - 1;
    let n = (depth + 1) as f64;
    let Step { zero, one, .. } = path[at];
    let (mut next, mut sum) = (path[depth].weight, 0.0);
    for i in (0..depth).rev() {
        if one != 0.0 {
            let weight = next * n / ((i + 1) as f64 * one);
            sum += weight;
            next = path[i].weight - weight * zero * (depth - i) as f64 / n;
        } else {
            sum += path[i].weight * n / (zero * (depth - i) as f64);
        }
    }
    sum
}

#[cfg(test)]
mod tests;
