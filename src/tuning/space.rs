//! What is searched: per parameter, values to choose from or a range to draw from.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ml::random::Random;

/// One combination of parameters.
pub type Trial = BTreeMap<String, Value>;

/// Per parameter, by its path within the stage, the values that it may have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space(BTreeMap<String, Dimension>);

/// The values that a parameter may have.
#[derive(Clone, Debug, PartialEq)]
enum Dimension {
    /// One of these.
    Choice(Vec<Value>),
    /// An integer from the first to the second, both included.
    Int(i64, i64, Scale),
    /// A number from the first to the second.
    Float(f64, f64, Scale),
}

/// What is as likely as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Every step of the same length.
    Linear,
    /// Every step by the same factor.
    Log,
}

impl Space {
    /// The space of `choices` and `ranges` that have passed their declared types, and what else is
    /// wrong with them.
    pub(super) fn read(choices: &Value, ranges: &Value) -> (Space, Vec<String>) {
        let (mut space, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, values) in choices.as_object().into_iter().flatten() {
            match values.as_array() {
                Some(values) if !values.is_empty() => {
                    space.insert(name.clone(), Dimension::Choice(values.clone()));
                }
                _ => wrong.push(format!("`choices.{name}`: expected at least one value")),
            }
        }
        for (name, range) in ranges.as_object().into_iter().flatten() {
            if space.contains_key(name) {
                wrong.push(format!("`{name}` stands in `choices` and in `ranges`"));
            }
            match Dimension::of(range) {
                Ok(dimension) => {
                    space.insert(name.clone(), dimension);
                }
                Err(message) => wrong.push(format!("`ranges.{name}`: {message}")),
            }
        }
        if space.is_empty() && wrong.is_empty() {
            wrong.push("nothing is searched: `choices` or `ranges` name the parameters".to_owned());
        }
        (Space(space), wrong)
    }

    /// Whether a parameter is searched.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How many combinations its choices have.
    pub(super) fn size(&self) -> u64 {
        let lengths = self.0.values().map(|dimension| match dimension {
            Dimension::Choice(values) => values.len() as u64,
            _ => 1,
        });
        lengths.fold(1, u64::saturating_mul)
    }

    /// Every combination of its choices, by the order of the names, the last turning fastest.
    pub(super) fn grid(&self) -> Vec<Trial> {
        let mut trials = vec![Trial::new()];
        for (name, dimension) in &self.0 {
            let Dimension::Choice(values) = dimension else { continue };
            let with = |trial: &Trial, value: &Value| {
                let mut trial = trial.clone();
                trial.insert(name.clone(), value.clone());
                trial
            };
            trials = trials.iter().flat_map(|t| values.iter().map(move |v| with(t, v))).collect();
        }
        trials
    }

    /// The combination of a trial. Each parameter has a stream of its own, so that another one
    /// beside it draws nothing away.
    pub(super) fn draw(&self, seed: u64, trial: u64) -> Trial {
        let drawn = |(name, dimension): (&String, &Dimension)| {
            let mut hasher = blake3::Hasher::new_derive_key("pipeline 2026-11 tuning v1");
            hasher.update(&seed.to_le_bytes());
            hasher.update(name.as_bytes());
            let mut random = Random::nth(hasher.finalize().as_bytes(), trial);
            (name.clone(), dimension.draw(&mut random))
        };
        self.0.iter().map(drawn).collect()
    }
}

impl Dimension {
    /// The dimension of a range.
    fn of(range: &Value) -> Result<Dimension, String> {
        let number = |key: &str| {
            let value = &range[key];
            value.as_f64().ok_or_else(|| format!("`{key}` must be a number, found {value}"))
        };
        let (low, high) = (number("low")?, number("high")?);
        let scale = if range["log"] == true { Scale::Log } else { Scale::Linear };
        if low >= high {
            return Err(format!("`low` must be below `high`, found {low} and {high}"));
        }
        if scale == Scale::Log && low <= 0.0 {
            return Err(format!("`low` must be above 0 where `log` is true, found {low}"));
        }
        match (range["low"].as_i64(), range["high"].as_i64()) {
            (Some(low), Some(high)) if low.abs().max(high.abs()) <= 1 << 52 => {
                Ok(Dimension::Int(low, high, scale))
            }
            (Some(_), Some(_)) => Err("integers must be within 2^52".to_owned()),
            _ => Ok(Dimension::Float(low, high, scale)),
        }
    }

    fn draw(&self, random: &mut Random) -> Value {
        match self {
            Dimension::Choice(values) => values[random.below(values.len() as u64) as usize].clone(),
            Dimension::Int(low, high, Scale::Linear) => {
                (low + random.below((high - low + 1) as u64) as i64).into()
            }
            Dimension::Int(low, high, Scale::Log) => {
                // Up to before the next integer, so that the last one has its share.
                let drawn = between(*low as f64, (high + 1) as f64, random.uniform());
                (drawn.floor() as i64).clamp(*low, *high).into()
            }
            Dimension::Float(low, high, Scale::Linear) => {
                readable(low + (high - low) * random.uniform()).clamp(*low, *high).into()
            }
            Dimension::Float(low, high, Scale::Log) => {
                readable(between(*low, *high, random.uniform())).clamp(*low, *high).into()
            }
        }
    }
}

/// The number that is a share of the way from `low` to `high` by factors.
fn between(low: f64, high: f64, share: f64) -> f64 {
    let start = libm::log(low);
    libm::exp(start + share * (libm::log(high) - start))
}

/// A number kept to four digits, so that what was found can be read and pasted.
fn readable(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}
