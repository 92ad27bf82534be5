//! How the features and the score (the probability of the positive class, or the number that a
//! regression predicts) were distributed in rows that the model has not learnt from, in bins that
//! are fixed with the package.
//!
//! What a service sees is counted in the same bins, so that how far it has moved follows from
//! counts alone: no row has to be kept, and none is compared with another. The rows are not those
//! of training, because a model says of what it has learnt from what it says of nothing else.
//! Numbers have a bin per value where there are few, and else about ten of as many rows each; the
//! outermost are open, because whether a number is beyond the range of the data is asked elsewhere.
//! A feature of one value alone has one bin, in which nothing can be seen to move. Dates have no
//! bins: they move by themselves. Knows no service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::input::{InputField, InputSchema};
use crate::ml::cell::Cell;
use crate::ml::describe::quantile;
use crate::ml::schema::FieldType;

/// The format of `distribution.json`.
pub const FORMAT: &str = "pipeline.distribution/1";

/// Numbers with at most so many values have a bin for each; others have at most so many bins.
const MAX_NUMBERS: usize = 10;

/// Of a field without categories, texts that at least one row in so many has have a bin; the others
/// share one, or every row would move a field of names.
const ROWS_PER_TEXT: u64 = 100;

/// How rows are distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// `FORMAT`.
    pub format: String,
    /// How many rows there were; at least one.
    pub rows: u64,
    /// Per feature, in the model's order.
    pub features: Vec<Feature>,
    /// The probability of the positive class, or the predicted number, which no row lacks.
    pub score: Bins,
}

/// How the values of a feature are distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The name.
    pub name: String,
    /// How many rows have no value.
    pub missing: u64,
    /// The values of the others; `None` for dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<Bins>,
}

/// How many values each bin holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Bins {
    /// Of numbers.
    Numbers {
        /// Where a bin ends and the next begins, ascending. A number is in the bin that begins with
        /// the greatest cut that is not above it, below the first cut in the first one.
        cuts: Vec<f64>,
        /// One more than there are cuts.
        counts: Vec<u64>,
    },
    /// Of texts, or of `true` and `false`.
    Values {
        /// The values, ascending by their bytes.
        values: Vec<String>,
        /// One per value, then one for all others.
        counts: Vec<u64>,
    },
}

impl Bins {
    fn of_numbers(mut numbers: Vec<f64>) -> Bins {
        numbers.sort_unstable_by(f64::total_cmp);
        let mut distinct = numbers.clone();
        distinct.dedup();
        let cuts = match distinct.len() {
            0 => Vec::new(),
            few if few <= MAX_NUMBERS => distinct[1..].to_vec(),
            _ => {
                let share = |bin: usize| bin as f64 / MAX_NUMBERS as f64;
                let deciles = (1..MAX_NUMBERS).map(|bin| quantile(&numbers, share(bin)));
                let mut cuts: Vec<f64> = deciles.filter(|cut| *cut > distinct[0]).collect();
                // A value that many rows have is a cut several times, or leaves none.
                cuts.dedup();
                if cuts.is_empty() { vec![distinct[1]] } else { cuts }
            }
        };
        let counts = vec![0; cuts.len() + 1];
        Bins::Numbers { cuts, counts }.filled(numbers.into_iter().map(Cell::Number))
    }

    fn of_values(values: Vec<String>, cells: impl Iterator<Item = Cell>) -> Bins {
        let counts = vec![0; values.len() + 1];
        Bins::Values { values, counts }.filled(cells)
    }

    fn filled(mut self, cells: impl Iterator<Item = Cell>) -> Bins {
        for place in cells.filter_map(|cell| self.place(&cell)).collect::<Vec<_>>() {
            let (Bins::Numbers { counts, .. } | Bins::Values { counts, .. }) = &mut self;
            counts[place] += 1;
        }
        self
    }

    /// The bin of a value; none of what is missing.
    pub fn place(&self, cell: &Cell) -> Option<usize> {
        match (self, cell) {
            (_, Cell::Missing) => None,
            (Bins::Numbers { cuts, .. }, Cell::Number(x)) => {
                Some(cuts.partition_point(|cut| cut <= x))
            }
            (Bins::Values { values, .. }, Cell::Text(text)) => {
                let found = values.binary_search_by(|value| value.as_str().cmp(text));
                Some(found.unwrap_or(values.len()))
            }
            (Bins::Values { values, .. }, Cell::Number(x)) => {
                let truth = if *x == 0.0 { "false" } else { "true" };
                let found = values.binary_search_by(|value| value.as_str().cmp(truth));
                Some(found.unwrap_or(values.len()))
            }
            // No field takes texts for numbers.
            (Bins::Numbers { .. }, Cell::Text(_)) => None,
        }
    }

    /// How many values of the rows each bin holds.
    pub fn counts(&self) -> &[u64] {
        let (Bins::Numbers { counts, .. } | Bins::Values { counts, .. }) = self;
        counts
    }

    /// What makes the bins of `n` values unusable, if anything does.
    fn flaw(&self, n: u64) -> Option<&'static str> {
        let (cuts, is_ascending) = match self {
            Bins::Numbers { cuts, .. } => {
                (cuts.len(), cuts.windows(2).all(|pair| pair[0] < pair[1]))
            }
            Bins::Values { values, .. } => {
                (values.len(), values.windows(2).all(|pair| pair[0] < pair[1]))
            }
        };
        if !is_ascending {
            return Some("does not ascend");
        }
        if self.counts().len() != cuts + 1 {
            return Some("has not one count per bin");
        }
        let total = self.counts().iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
        (total != Some(n)).then_some("does not hold every row")
    }
}

impl Distribution {
    /// The distribution of rows, one cell per field of `schema` each, of which there is at least
    /// one, and of what `score` says of them.
    pub fn new(
        schema: &InputSchema,
        rows: &[Vec<Cell>],
        score: impl Fn(&[Cell]) -> f64,
    ) -> Distribution {
        let feature = |(i, field): (usize, &InputField)| {
            let cells = || rows.iter().filter_map(|row| row.get(i).cloned());
            let missing = cells().filter(|cell| *cell == Cell::Missing).count() as u64;
            Feature { name: field.name.clone(), missing, bins: bins(field, &cells) }
        };
        Distribution {
            format: FORMAT.to_owned(),
            rows: rows.len() as u64,
            features: schema.fields.iter().enumerate().map(feature).collect(),
            score: Bins::of_numbers(rows.iter().map(|row| score(row)).collect()),
        }
    }

    /// What keeps rows of a schema from being counted in it, if anything does.
    pub fn flaw(&self, schema: &InputSchema) -> Option<String> {
        if self.format != FORMAT || self.rows == 0 {
            return Some(format!("it has no rows of format {FORMAT}"));
        }
        let names = self.features.iter().map(|feature| &feature.name);
        if !names.eq(schema.fields.iter().map(|field| &field.name)) {
            return Some("its features are not the fields of the schema".to_owned());
        }
        if let Some(flaw) = self.score.flaw(self.rows) {
            return Some(format!("the score {flaw}"));
        }
        for Feature { name, missing, bins } in &self.features {
            let Some(n) = self.rows.checked_sub(*missing) else {
                return Some(format!("feature '{name}' lacks more rows than there are"));
            };
            if let Some(flaw) = bins.as_ref().and_then(|bins| bins.flaw(n)) {
                return Some(format!("feature '{name}' {flaw}"));
            }
        }
        None
    }
}

/// The bins of a field; none for dates.
fn bins<I: Iterator<Item = Cell>>(field: &InputField, cells: &impl Fn() -> I) -> Option<Bins> {
    if field.date.is_some() {
        return None;
    }
    Some(match field.ty {
        FieldType::Integer | FieldType::Number => Bins::of_numbers(
            cells()
                .filter_map(|cell| match cell {
                    Cell::Number(x) => Some(x),
                    _ => None,
                })
                .collect(),
        ),
        FieldType::Boolean => {
            Bins::of_values(["false", "true"].map(str::to_owned).to_vec(), cells())
        }
        FieldType::Category => {
            Bins::of_values(field.categories.clone().unwrap_or_default(), cells())
        }
        FieldType::Text => Bins::of_values(commonest(cells()), cells()),
    })
}

/// The texts that are common enough for a bin, ascending.
fn commonest(cells: impl Iterator<Item = Cell>) -> Vec<String> {
    let mut counts = BTreeMap::<String, u64>::new();
    for cell in cells {
        if let Cell::Text(text) = cell {
            *counts.entry(text.into()).or_default() += 1;
        }
    }
    let rows: u64 = counts.values().sum();
    counts.retain(|_, count| *count * ROWS_PER_TEXT >= rows);
    counts.into_keys().collect()
}

#[cfg(test)]
mod tests;
