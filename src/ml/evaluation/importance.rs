//! What a model looks at: how much worse it gets when a column is shuffled, and what it answers as
//! a column changes.
//!
//! Permutation importance (Breiman 2001, "Random forests"; names and the standard deviation as in
//! scikit-learn's `permutation_importance`): how good answers are on test rows (of classes the area
//! under the ROC curve, of a regression R2) less that after one column was shuffled. Of two columns
//! that say the same either looks unimportant, as the other is still there. Partial dependence
//! (Friedman 2001, "Greedy function approximation"): the mean answer when every row has the same
//! value of a column, all else as it was. Both describe the model and not the world. Knows no file,
//! no stage and, but through `Subject`, no task.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::contributions::{Contributions, sum_up};
use super::subject::{Quality, Subject};
use crate::ml::model::{FeatureKind, ModelFeature};
use crate::ml::random::Random;
use crate::ml::table::{Column, Table};

/// How closely one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How often each column is shuffled, at least 1.
    pub repeats: usize,
    /// The most rows that are shuffled; of more, those at equal steps.
    pub max_rows: usize,
    /// The most values of a column that are tried, at least 2.
    pub grid: usize,
    /// The most rows that the mean answer is of; of more, those at equal steps.
    pub grid_rows: usize,
    /// The most rows whose answers are taken apart; of more, those at equal steps.
    pub contribution_rows: usize,
}

/// `importance.json`: what a model looks at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// That of the model's task.
    pub format: &'static str,
    /// The variant.
    pub variant: String,
    /// How many test rows were shuffled.
    pub rows: usize,
    /// How good the answers are on those rows as they are.
    #[serde(flatten)]
    pub quality: Quality,
    /// The features, the most important first; none when that is undefined.
    pub importances: Vec<Importance>,
    /// How many test rows the partial dependence is the mean of.
    pub partial_dependence_rows: usize,
    /// The features in the order of the model.
    pub partial_dependence: Vec<Dependence>,
    /// What the features add to its answers; `None` with the reason beside it.
    pub contributions: Option<Contributions>,
    /// Why nothing is known of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_contributions: Option<String>,
}

/// How much a model needs a feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The feature.
    pub feature: String,
    /// By how much the answers get worse, on average; about 0 for one it ignores.
    pub mean: f64,
    /// The standard deviation of the falls.
    pub std: f64,
    /// The fall of each repeat.
    pub falls: Vec<f64>,
}

/// What a model answers as a feature changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dependence {
    /// The feature.
    pub feature: String,
    /// Its values: numbers ascending, at equal steps of their rank; texts by how many rows have
    /// them.
    pub values: Vec<Value>,
    /// The mean answer at each: the probability of the positive class, or the number.
    pub mean: Vec<f64>,
}

/// Looks at a model on rows of test, with what came true of each. `seed_of` yields the random bits
/// of a label: one per feature, so that a feature that comes or goes changes no other.
///
/// # Errors
/// When the rows lack a feature of the model, or hold one of another kind.
pub fn look<S: Subject>(
    variant: &str,
    model: &S,
    (table, outcomes): (&Table, &[S::Outcome]),
    effort: &Effort,
    seed_of: &dyn Fn(&str) -> [u8; 32],
) -> Result<Document, String> {
    let sampled = |most: usize| Sample::new(model, table, outcomes, most);
    let sample = sampled(effort.max_rows)?;
    let quality = sample.quality(&sample.table)?;
    let importances = match quality.value() {
        None => Vec::new(),
        Some(whole) => permute(&sample, whole, effort.repeats, seed_of)?,
    };
    let few = sampled(effort.grid_rows)?;
    let contributions = sum_up(model, &sampled(effort.contribution_rows)?.table);
    Ok(Document {
        format: S::FORMAT,
        variant: variant.to_owned(),
        rows: sample.table.rows(),
        quality,
        importances,
        partial_dependence_rows: few.table.rows(),
        partial_dependence: depend(&few, table, effort.grid)?,
        no_contributions: contributions.as_ref().err().cloned(),
        contributions: contributions.ok(),
    })
}

/// The features of some rows, with what came true of each.
struct Sample<'a, S: Subject> {
    model: &'a S,
    table: Table,
    outcomes: Vec<S::Outcome>,
}

impl<'a, S: Subject> Sample<'a, S> {
    /// All rows, or of more than `most` those at equal steps.
    fn new(
        model: &'a S,
        table: &Table,
        outcomes: &[S::Outcome],
        most: usize,
    ) -> Result<Sample<'a, S>, String> {
        let n = table.rows();
        let chosen: Vec<usize> = (0..n.min(most)).map(|i| i * n / n.min(most)).collect();
        let column =
            |name: &str| table.column(name).cloned().ok_or_else(|| format!("no column `{name}`"));
        let columns: Result<Vec<Column>, String> =
            model.features().iter().map(|feature| column(&feature.name)).collect();
        let table = Table::new(columns?).map_err(|error| error.to_string())?;
        let outcomes = chosen.iter().map(|row| outcomes[*row]).collect();
        Ok(Sample { model, table: table.take(&chosen), outcomes })
    }

    /// How good the model's answers to a table are for what came true of these rows.
    fn quality(&self, table: &Table) -> Result<Quality, String> {
        let answers = self.model.answers(table).map_err(|error| error.to_string())?;
        Ok(S::quality(&self.outcomes, &answers))
    }

    /// The table with the column at `at` taken from the rows `from` of another table.
    fn with(&self, at: usize, column: &Table, from: &[usize]) -> Result<Table, String> {
        let mut columns = self.table.columns().to_vec();
        columns[at] = column.take(from).columns()[0].clone();
        Table::new(columns).map_err(|error| error.to_string())
    }
}

fn permute<S: Subject>(
    sample: &Sample<'_, S>,
    whole: f64,
    repeats: usize,
    seed_of: &dyn Fn(&str) -> [u8; 32],
) -> Result<Vec<Importance>, String> {
    let names: Vec<&str> = sample.table.names().collect();
    let seeds: Vec<[u8; 32]> =
        names.iter().map(|name| seed_of(&format!("importance {name}"))).collect();
    let tasks = names.len() * repeats;
    let fall = |task: usize| -> Result<f64, String> {
        let (at, repeat) = (task / repeats, task % repeats);
        let mut order: Vec<usize> = (0..sample.table.rows()).collect();
        Random::nth(&seeds[at], repeat as u64).shuffle(&mut order);
        let column = alone(&sample.table.columns()[at])?;
        let shuffled = sample.quality(&sample.with(at, &column, &order)?)?;
        Ok(whole - shuffled.value().unwrap_or(whole))
    };
    let falls: Vec<f64> = (0..tasks).into_par_iter().map(fall).collect::<Result<_, String>>()?;
    let of = |(name, falls): (&&str, &[f64])| {
        let n = falls.len() as f64;
        let mean = falls.iter().sum::<f64>() / n;
        let square = |fall: &f64| (fall - mean) * (fall - mean);
        let std = (falls.iter().map(square).sum::<f64>() / n).sqrt();
        Importance { feature: (*name).to_owned(), mean, std, falls: falls.to_vec() }
    };
    let mut importances: Vec<Importance> =
        names.iter().zip(falls.chunks(repeats)).map(of).collect();
    importances.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    Ok(importances)
}

fn depend<S: Subject>(
    sample: &Sample<'_, S>,
    all: &Table,
    most: usize,
) -> Result<Vec<Dependence>, String> {
    let depend = |(at, feature): (usize, &ModelFeature)| {
        let column = all.column(&feature.name).ok_or_else(|| format!("no `{}`", feature.name))?;
        let is_text = feature.kind == FeatureKind::Categorical;
        let grid = if is_text { categories(column, most) } else { quantiles(column, most) };
        let value = |row: &usize| {
            if is_text { json!(column.text(*row)) } else { json!(column.number(*row)) }
        };
        let values = grid.iter().map(value).collect();
        let column = alone(column)?;
        let n = sample.table.rows();
        let mean = |row: &usize| -> Result<f64, String> {
            let table = sample.with(at, &column, &vec![*row; n])?;
            let answers = sample.model.answers(&table).map_err(|error| error.to_string())?;
            Ok(answers.iter().sum::<f64>() / n as f64)
        };
        let mean = grid.par_iter().map(mean).collect::<Result<_, String>>()?;
        Ok(Dependence { feature: feature.name.clone(), values, mean })
    };
    sample.model.features().iter().enumerate().map(depend).collect()
}

/// A column as a table of its own.
fn alone(column: &Column) -> Result<Table, String> {
    Table::new(vec![column.clone()]).map_err(|error| error.to_string())
}

/// Rows with at most so many different numbers, ascending: at equal steps of their rank.
fn quantiles(column: &Column, most: usize) -> Vec<usize> {
    let numbers = (0..column.len()).filter_map(|row| Some((column.number(row)?, row)));
    let mut numbers: Vec<(f64, usize)> = numbers.collect();
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let last = numbers.len().saturating_sub(1);
    let n_steps = most.min(numbers.len());
    let place = |i: usize| if n_steps < 2 { 0 } else { i * last / (n_steps - 1) };
    let mut chosen: Vec<(f64, usize)> = (0..n_steps).map(|i| numbers[place(i)]).collect();
    chosen.dedup_by(|a, b| a.0 == b.0);
    chosen.into_iter().map(|(_, row)| row).collect()
}

/// Rows with at most so many different texts: those that most rows have, of equal ones the first
/// by name.
fn categories(column: &Column, most: usize) -> Vec<usize> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in 0..column.len() {
        if let Some(text) = column.text(row) {
            counts.entry(text).or_insert((0, row)).0 += 1;
        }
    }
    let mut counts: Vec<(usize, usize)> = counts.into_values().collect();
    counts.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    counts.into_iter().take(most).map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests;
