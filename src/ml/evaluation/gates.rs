//! Quality gates: bounds that a metric must keep, or the run fails.

use serde::Deserialize;

use super::document::Gate;
use super::{Evaluated, OVERALL, Side};
use crate::ml::metrics::Metric;

/// A bound as it is declared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Bound {
    /// The metric's name.
    pub metric: String,
    /// Which variants must keep it.
    pub model: Which,
    /// `column=value`, or `column=value & other=value`; all rows when left out.
    pub segment: Option<String>,
    /// The least allowed.
    pub min: Option<f64>,
    /// The most allowed.
    pub max: Option<f64>,
    /// `validation` or `test`.
    pub on: String,
}

/// Which variants a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one that was chosen.
    Champion,
    /// Each of them.
    Every,
}

/// What every gate finds, in the order in which they are declared. A segment of fewer than
/// `min_rows` rows is told and not judged.
///
/// # Errors
/// A gate on a metric or a segment that does not exist.
pub fn judge(
    bounds: &[Bound],
    variants: &[(String, Evaluated)],
    champion: usize,
    min_rows: u64,
) -> Result<Vec<Gate>, String> {
    let mut gates = Vec::new();
    for bound in bounds {
        for (i, (name, evaluated)) in variants.iter().enumerate() {
            if bound.model == Which::Every || i == champion {
                gates.push(look(bound, name, evaluated, min_rows)?);
            }
        }
    }
    Ok(gates)
}

fn look(
    bound: &Bound,
    variant: &str,
    evaluated: &Evaluated,
    min_rows: u64,
) -> Result<Gate, String> {
    let metric = Metric::of_name(&bound.metric)
        .ok_or_else(|| format!("a gate names `{}`, which is no metric", bound.metric))?;
    let side = bound.side();
    let report = evaluated.on(side);
    let segment = bound.segment.as_deref().unwrap_or(OVERALL);
    let scores = report.get(segment).ok_or_else(|| {
        let known = report.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("a gate names the segment `{segment}`, which {} has not: {known}", side.name())
    })?;
    let value = scores.values[&metric].ok();
    let judged = segment == OVERALL || scores.n >= min_rows;
    Ok(gate(bound, variant, value, judged))
}

/// What a gate finds in a value that a variant has; one that is not judged holds.
pub(super) fn gate(bound: &Bound, variant: &str, value: Option<f64>, judged: bool) -> Gate {
    let is_within = value.is_some_and(|value| {
        bound.min.is_none_or(|min| value >= min) && bound.max.is_none_or(|max| value <= max)
    });
    Gate {
        variant: variant.to_owned(),
        on: bound.side().name().to_owned(),
        segment: bound.segment.clone().unwrap_or_else(|| OVERALL.to_owned()),
        metric: bound.metric.clone(),
        value,
        min: bound.min,
        max: bound.max,
        holds: is_within || !judged,
        judged,
    }
}

impl Bound {
    /// The rows that it is about.
    pub(super) fn side(&self) -> Side {
        if self.on == Side::Test.name() { Side::Test } else { Side::Validation }
    }
}

impl Gate {
    /// What it found, as a line for people.
    pub fn told(&self) -> String {
        let Gate { variant, on, segment, metric, .. } = self;
        let of = if segment == OVERALL { String::new() } else { format!(" of {segment}") };
        let what = format!("{metric}{of} of {variant} on {on}");
        if !self.judged {
            return format!("{what} is not judged: too few rows");
        }
        let Some(value) = self.value else { return format!("{what} is undefined") };
        match (self.min, self.max) {
            (Some(min), _) if value < min => format!("{what} is {value:.4}, below min {min}"),
            (_, Some(max)) if value > max => format!("{what} is {value:.4}, above max {max}"),
            _ => format!("{what} is {value:.4}, within its bounds"),
        }
    }
}
