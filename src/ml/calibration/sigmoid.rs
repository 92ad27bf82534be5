//! Platt's calibration: a line through the log-odds.
//!
//! Platt (1999), "Probabilistic Outputs for Support Vector Machines"; fitted by the Newton method of
//! Lin, Lin and Weng (2007), "A note on Platt's probabilistic outputs for support vector machines",
//! with their targets, which are not 0 and 1 but what a uniform prior makes of the counts.
//!
//! The line runs through log-odds, which for a linear model are its scores and for all others are
//! made of the probability. scikit-learn takes the probability itself where a learner has no
//! scores; then no line is the identity, and a model that needs no calibration gets one.

use serde::{Deserialize, Serialize};

use crate::ml::learn::sigmoid;

/// Probabilities are kept this far from 0 and 1 before their log-odds are taken: those of a leaf
/// without a row of one class are infinite.
const BOUND: f64 = 1e-12;
/// The most steps; ten are usual.
const MAX_STEPS: usize = 100;
/// Done when neither entry of the gradient, per row, is larger.
const TOLERANCE: f64 = 1e-12;
/// By how much of itself a loss may seem to grow: near the end a step changes it by less than that.
const ROUNDING: f64 = 1e-12;
/// The smallest part of a step that is tried.
const LEAST_STEP: f64 = 1e-10;
/// What keeps the Hessian positive definite.
const RIDGE: f64 = 1e-12;
/// No number of a calibration is larger.
const LARGEST: f64 = 1e100;

/// `1 / (1 + exp(a * log_odds + b))`; a is negative where the model ranks rightly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {
    /// The slope, with its sign turned, as Platt has it.
    pub a: f64,
    /// The intercept, with its sign turned.
    pub b: f64,
}

/// The log-odds of a probability.
pub fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(BOUND, 1.0 - BOUND);
    libm::log(p) - libm::log1p(-p)
}

/// The rows, with the targets that Platt gives them.
struct Rows {
    log_odds: Vec<f64>,
    targets: Vec<f64>,
    weights: Vec<f64>,
}

impl Sigmoid {
    /// Fits it to probabilities and whether each row was positive; both classes are there.
    pub(super) fn fit(probabilities: &[f64], labels: &[bool]) -> Sigmoid {
        let log_odds = probabilities.iter().map(|p| log_odds(*p)).collect();
        Sigmoid::fit_weighted(log_odds, labels, vec![1.0; labels.len()])
    }

    /// Fits it to scores, one per row, whether each row was positive and how much it counts; both
    /// classes are there. What it is then applied to are such scores in place of log-odds.
    pub fn fit_weighted(log_odds: Vec<f64>, labels: &[bool], weights: Vec<f64>) -> Sigmoid {
        let [mut n_negative, mut n_positive] = [0.0, 0.0];
        for (label, weight) in labels.iter().zip(&weights) {
            *(if *label { &mut n_positive } else { &mut n_negative }) += weight;
        }
        let [low, high] = [1.0 / (n_negative + 2.0), (n_positive + 1.0) / (n_positive + 2.0)];
        let targets = labels.iter().map(|label| if *label { high } else { low }).collect();
        let rows = Rows { log_odds, targets, weights };
        let mut at = Sigmoid { a: 0.0, b: libm::log((n_negative + 1.0) / (n_positive + 1.0)) };
        let mut loss = rows.loss(at);
        for _ in 0..MAX_STEPS {
            let Some(step) = rows.step(at) else { break };
            let mut part = 1.0;
            let next = loop {
                let next = Sigmoid { a: at.a + part * step.a, b: at.b + part * step.b };
                let is_better = rows.loss(next) <= loss + ROUNDING * loss;
                part *= 0.5;
                if is_better || part < LEAST_STEP {
                    break is_better.then_some(next);
                }
            };
            let Some(next) = next else { break };
            (at, loss) = (next, rows.loss(next));
        }
        at
    }

    /// The calibrated probability.
    pub(super) fn apply(&self, probability: f64) -> f64 {
        sigmoid(-(self.a * log_odds(probability) + self.b))
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_sound = |x: f64| x.abs() <= LARGEST;
        if is_sound(self.a) && is_sound(self.b) {
            Ok(())
        } else {
            Err("a calibration whose line is beyond 1e100")
        }
    }
}

impl Rows {
    /// The cross-entropy to the targets, summed in the order of the rows.
    fn loss(&self, at: Sigmoid) -> f64 {
        let mut sum = 0.0;
        for ((f, t), weight) in self.log_odds.iter().zip(&self.targets).zip(&self.weights) {
            let z = at.a * f + at.b;
            // ln(1 + exp(-|z|)) overflows on neither side.
            let rest = libm::log1p(libm::exp(-z.abs()));
            sum += weight * if z >= 0.0 { t * z + rest } else { (t - 1.0) * z + rest };
        }
        sum
    }

    /// Newton's step; `None` when the gradient is as good as 0.
    fn step(&self, at: Sigmoid) -> Option<Sigmoid> {
        let (mut h_aa, mut h_ab, mut h_bb) = (RIDGE, 0.0, RIDGE);
        let (mut g_a, mut g_b) = (0.0, 0.0);
        let mut total = 0.0;
        for ((f, t), weight) in self.log_odds.iter().zip(&self.targets).zip(&self.weights) {
            let p = sigmoid(-(at.a * f + at.b));
            let curve = weight * (p * (1.0 - p));
            h_aa += f * f * curve;
            h_ab += f * curve;
            h_bb += curve;
            g_a += weight * (f * (t - p));
            g_b += weight * (t - p);
            total += weight;
        }
        let most = TOLERANCE * total;
        if g_a.abs() <= most && g_b.abs() <= most {
            return None;
        }
        let determinant = h_aa * h_bb - h_ab * h_ab;
        let a = -(h_bb * g_a - h_ab * g_b) / determinant;
        let b = -(h_aa * g_b - h_ab * g_a) / determinant;
        (a.is_finite() && b.is_finite()).then_some(Sigmoid { a, b })
    }
}
