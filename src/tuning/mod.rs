//! Tuning: which parameters of a stage are tried, and in which order.
//!
//! A trial is a table of parameters and nothing more, so that it can be laid over a stage like a
//! `--set`: the engine knows of no tuning, and the cache takes a trial for the stage that it is.
//! Trial k follows from the seed, the names of what is searched and k alone: a larger budget has
//! the trials of a smaller one as its first, and a parameter that joins the search moves no other.
//! Knows neither stages nor scores; `commands::tune` runs the trials and keeps the best.

mod halving;
mod space;

use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::{Value, json};

pub use halving::{Halving, Rung};
pub use space::{Space, Trial};

/// No search has more trials: each is a run with a record.
const MOST_TRIALS: i64 = 10_000;
/// What a trial is judged by unless something else is asked for.
const METRIC: &str = "validation.roc_auc";

/// A search over parameters, as it is declared in `tune/NAME.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// The stage whose parameters are searched, such as `train@forest`.
    pub stage: String,
    /// The metric of that stage which decides.
    pub metric: String,
    /// A seed in place of the stage's.
    pub seed: Option<u64>,
    /// How trials are chosen.
    pub method: Method,
    /// What is searched.
    pub space: Space,
}

/// How trials are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Every combination.
    Grid,
    /// So many draws.
    Random(u64),
    /// So many draws, of which fewer and fewer get more and more.
    Halving(u64, Halving),
}

#[derive(Deserialize)]
struct Document {
    stage: String,
    metric: String,
    seed: Option<u64>,
    method: String,
    trials: Option<u64>,
    choices: Value,
    #[serde(default)]
    ranges: Value,
}

/// What a tuning takes, as every check and reference needs it.
pub fn declaration() -> Type {
    let scalars = || Type::Scalar.list().map();
    let range = Type::Record(vec![
        Param::required("low", Type::Scalar, "the least value; two integers make an integer"),
        Param::required("high", Type::Scalar, "the greatest value, itself included"),
        Param::new("log", Type::Bool, false, "whether every factor is as likely, not every step"),
    ]);
    let common = || {
        let seed = "a seed of its own; the stage's without";
        vec![
            Param::required("stage", Type::Text, "the stage whose parameters are searched"),
            Param::new("metric", Type::Text, METRIC, "the metric of the stage that decides"),
            Param::optional("seed", Type::Int(0, i64::MAX), seed),
            Param::new("choices", scalars(), json!({}), "per parameter, the values to choose from"),
        ]
    };
    let random = || {
        let mut params = common();
        let trials = Type::Int(1, MOST_TRIALS);
        params.extend([
            Param::new("trials", trials, 20, "how many combinations are drawn"),
            Param::new(
                "ranges",
                range.clone().map(),
                json!({}),
                "per parameter, what to draw from",
            ),
        ]);
        params
    };
    let mut halving = random();
    let resource = || Type::Int(1, 1_000_000_000);
    halving.extend([
        Param::required(
            "resource",
            Type::Text,
            "the parameter of which the better trials get more",
        ),
        Param::required("min_resources", resource(), "what every trial gets of it"),
        Param::required("max_resources", resource(), "the most that a trial gets"),
        Param::new("factor", Type::Int(2, 100), 3, "of so many trials, the best one gets more"),
    ]);
    let cases = vec![("grid", common()), ("random", random()), ("halving", halving)];
    Type::Tagged { tag: "method", cases, default: Some("random") }
}

impl Tuning {
    /// A tuning from what its file says.
    ///
    /// # Errors
    /// Every mistake in it, a sentence each, with the valid range.
    pub fn read(text: &str) -> Result<Tuning, Vec<String>> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let place = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
            vec![format!("line {}: {}", place + 1, error.message().replace('\n', ": "))]
        })?;
        let value = serde_json::to_value(table).map_err(|error| vec![error.to_string()])?;
        let told = |complaints: Vec<Complaint>| complaints.iter().map(sentence).collect::<Vec<_>>();
        let checked = declaration().check(&value).map_err(told)?;
        let document = Document::deserialize(&checked).map_err(|error| vec![error.to_string()])?;
        let Document { stage, metric, seed, method, trials, choices, ranges } = document;
        let (space, mut wrong) = Space::read(&choices, &ranges);
        let trials = trials.unwrap_or(0);
        let method = match (method.as_str(), Halving::deserialize(&checked)) {
            ("halving", Ok(halving)) => {
                wrong.extend(halving.mistake(&space));
                Method::Halving(trials, halving)
            }
            ("grid", _) => {
                let n = space.size();
                if n > MOST_TRIALS as u64 {
                    wrong.push(format!("`choices`: {n} combinations, above {MOST_TRIALS}"));
                }
                Method::Grid
            }
            _ => Method::Random(trials),
        };
        if wrong.is_empty() {
            Ok(Tuning { stage, metric, seed, method, space })
        } else {
            Err(wrong)
        }
    }

    /// The same with another number of trials; a grid has as many as it has.
    pub fn with_trials(mut self, n: u64) -> Tuning {
        if let Method::Random(trials) | Method::Halving(trials, _) = &mut self.method {
            *trials = n;
        }
        self
    }

    /// The parameter of which the better trials get more, where there is one.
    pub fn resource(&self) -> Option<&str> {
        match &self.method {
            Method::Halving(_, halving) => Some(&halving.resource),
            _ => None,
        }
    }

    /// The trials in their order; `seed` is the stage's.
    pub fn trials(&self, seed: u64) -> Vec<Trial> {
        let seed = self.seed.unwrap_or(seed);
        match self.method {
            Method::Grid => self.space.grid(),
            Method::Random(n) | Method::Halving(n, _) => {
                (0..n).map(|trial| self.space.draw(seed, trial)).collect()
            }
        }
    }

    /// What is done with so many trials, rung after rung.
    pub fn rungs(&self, n_trials: usize) -> Vec<Rung> {
        match &self.method {
            Method::Halving(_, halving) => halving.rungs(n_trials),
            _ => vec![Rung { resource: None, trials: n_trials }],
        }
    }
}

fn sentence(complaint: &Complaint) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Item(item) => item.to_string(),
    };
    let path: Vec<_> = complaint.path.iter().map(step).collect();
    let at = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
    let hint = complaint.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
    format!("{at}{}{hint}", complaint.message)
}

#[cfg(test)]
mod tests;
