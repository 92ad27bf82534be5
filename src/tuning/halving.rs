//! Successive halving: all trials get a little, the better ones more.
//!
//! The rungs are those of scikit-learn's `HalvingRandomSearchCV` with `n_candidates`,
//! `min_resources` and `max_resources` given (Jamieson, Talwalkar 2016, "Non-stochastic best arm
//! identification and hyperparameter optimization"). What a trial gets is a parameter of the stage,
//! such as `n_estimators`: each rung is then a stage like any other, cached by its parameters.

use serde::Deserialize;

use super::Space;

/// How trials are sorted out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Halving {
    /// The parameter of which the better trials get more.
    pub resource: String,
    /// What every trial gets of it.
    pub min_resources: u64,
    /// The most that a trial gets.
    pub max_resources: u64,
    /// Of so many trials the best gets more, and so many times as much; at least 2.
    pub factor: u64,
}

/// One round over trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What each trial gets of the resource; `None` without one.
    pub resource: Option<u64>,
    /// How many trials take part.
    pub trials: usize,
}

impl Halving {
    /// What is wrong with it.
    pub(super) fn mistake(&self, space: &Space) -> Option<String> {
        let Halving { resource, min_resources, max_resources, .. } = self;
        if space.has(resource) {
            return Some(format!("`{resource}` is the `resource` and cannot be searched"));
        }
        (min_resources > max_resources).then(|| {
            format!(
                "`min_resources` must be at most `max_resources`, found {min_resources} and \
                 {max_resources}"
            )
        })
    }

    /// The rungs of so many trials: of each, the best one in `factor` (rounded up) come into the
    /// next, until one would be left or the resource would be above its most.
    pub(super) fn rungs(&self, n_trials: usize) -> Vec<Rung> {
        let factor = self.factor.max(2);
        let mut rungs = Vec::new();
        let (mut power, mut trials) = (1_u64, n_trials as u64);
        // As many rungs as it takes until a rung has fewer trials than `factor`.
        let mut undecided = n_trials as u64;
        loop {
            let resource = Some(self.min_resources.saturating_mul(power));
            rungs.push(Rung { resource, trials: trials as usize });
            undecided /= factor;
            power = power.saturating_mul(factor);
            if undecided == 0 || self.min_resources.saturating_mul(power) > self.max_resources {
                return rungs;
            }
            trials = trials.div_ceil(factor);
        }
    }
}
