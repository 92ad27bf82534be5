//! Choosing the threshold from which a probability counts as a positive prediction.
//!
//! It is chosen on rows that the model was not trained on and that it is not reported on. Only
//! scores that occur are candidates: between two of them nothing changes.

use std::fmt;

use super::{Confusion, Curve, Profit};

/// How the threshold is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdRule {
    /// The highest F1; of equal ones the highest threshold.
    F1,
    /// The highest threshold with at least this recall, in [0, 1].
    RecallAtLeast(f64),
    /// The lowest threshold with at least this precision, in [0, 1].
    PrecisionAtLeast(f64),
    /// The highest profit within the budget; of equal ones the highest threshold.
    Profit(Profit),
    /// This one.
    Fixed(f64),
}

/// Why no threshold could be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdError(String);

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ThresholdError {}

impl ThresholdRule {
    /// The threshold by this rule.
    ///
    /// # Errors
    /// When there is no positive row to choose by, or no threshold keeps the rule.
    pub fn choose(self, curve: &Curve) -> Result<f64, ThresholdError> {
        if let ThresholdRule::Fixed(threshold) = self {
            return Ok(threshold);
        }
        if curve.n_positive() == 0 {
            return Err(ThresholdError("no positive row to choose a threshold by".to_owned()));
        }
        let candidates = candidates(curve);
        let chosen = match self {
            ThresholdRule::F1 => highest(&candidates, |confusion| confusion.f1().ok()),
            ThresholdRule::Profit(profit) => highest(&candidates, |confusion| {
                let gained = profit.of(confusion);
                let is_allowed = profit.allows(confusion.predicted(), curve.n());
                (is_allowed && gained > 0.0).then_some(gained)
            }),
            ThresholdRule::RecallAtLeast(least) => candidates
                .iter()
                .find(|(_, confusion)| confusion.recall().is_ok_and(|recall| recall >= least))
                .map(|(threshold, _)| *threshold),
            ThresholdRule::PrecisionAtLeast(least) => candidates
                .iter()
                .rfind(|(_, confusion)| confusion.precision().is_ok_and(|p| p >= least))
                .map(|(threshold, _)| *threshold),
            ThresholdRule::Fixed(threshold) => Some(threshold),
        };
        chosen.ok_or_else(|| {
            ThresholdError(match self {
                ThresholdRule::Profit(_) => {
                    format!("no threshold gains anything by the rule `{self}`")
                }
                _ => format!("no threshold keeps the rule `{self}`"),
            })
        })
    }

    /// What such decisions gain; `None` for rules that speak of no money.
    pub fn profit(self, confusion: &Confusion) -> Option<f64> {
        match self {
            ThresholdRule::Profit(profit) => Some(profit.of(confusion)),
            _ => None,
        }
    }
}

/// The threshold that decides best; of equally good ones the highest. `None` where none has a
/// value.
fn highest(
    candidates: &[(f64, Confusion)],
    value: impl Fn(&Confusion) -> Option<f64>,
) -> Option<f64> {
    let mut best: Option<(f64, f64)> = None;
    for (threshold, confusion) in candidates {
        let Some(value) = value(confusion) else { continue };
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((*threshold, value));
        }
    }
    best.map(|(threshold, _)| threshold)
}

/// As it is declared: `f1`, `recall_at_least 0.6`.
impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThresholdRule::F1 => write!(f, "f1"),
            ThresholdRule::RecallAtLeast(least) => write!(f, "recall_at_least {least}"),
            ThresholdRule::PrecisionAtLeast(least) => write!(f, "precision_at_least {least}"),
            ThresholdRule::Profit(profit) => write!(f, "{profit}"),
            ThresholdRule::Fixed(threshold) => write!(f, "fixed {threshold}"),
        }
    }
}

/// Every score that occurs, the highest first, with what it decides.
fn candidates(curve: &Curve) -> Vec<(f64, Confusion)> {
    let scored = |(confusion, threshold): (Confusion, Option<f64>)| Some((threshold?, confusion));
    curve.steps().filter_map(scored).collect()
}
