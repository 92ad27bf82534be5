//! What is reached without a model: the share of positives as the score of every row, and a rule
//! of one feature.
//!
//! A model that is not clearly better than the rule is not worth having. The rule is 1R (Holte
//! 1993, "Very simple classification rules perform well on most commonly used datasets") with rates
//! in place of classes: a row's score is the rate of positives in the bin of its value. Numbers
//! have at most `BINS` bins between quantiles, texts a bin per value that is not rare; a missing
//! value has a bin of its own. The feature whose rule ranks its own rows best is taken. Knows no
//! model and no stage.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{Deciding, Evaluated, Rows, evaluate};
use crate::ml::metrics::{Curve, ThresholdRule};
use crate::ml::table::{Column, ColumnType, Table};

/// The most bins of a number.
pub const BINS: usize = 10;

/// A text that fewer rows have shares a bin with all such, or a name would rank its own row.
pub const MIN_ROWS: usize = 20;

/// The baselines on the rows that models are compared on.
#[derive(Clone, Debug, PartialEq)]
pub struct Baselines {
    /// The share of positives as the score of every row; predicts the class of the majority.
    pub majority: Evaluated,
    /// The feature of the rule.
    pub feature: String,
    /// A rule of one feature.
    pub one_feature: Evaluated,
}

impl Baselines {
    /// Learns them from rows of a table and evaluates them. The rule of one feature gets its
    /// threshold as models do, and by F1 where that yields none.
    ///
    /// # Errors
    /// Rows that are all of one class; a feature that is not there.
    pub fn learn(
        table: &Table,
        labels: &[bool],
        features: &[String],
        sides: &[Rows<'_>; 2],
        deciding: &Deciding,
    ) -> Result<Baselines, String> {
        let one_feature = OneFeature::learn(table, labels, features)?;
        let [validation, test] = sides.each_ref().map(|side| one_feature.scores(side.table));
        let scores = [validation?, test?];
        let decided = evaluate(sides, scores.clone(), deciding);
        let by_f1 = Deciding { rule: ThresholdRule::F1, ..deciding.clone() };
        let evaluated = decided.or_else(|_| evaluate(sides, scores, &by_f1))?;
        let share = share(labels);
        let constant = sides.each_ref().map(|side| vec![share; side.table.rows()]);
        Ok(Baselines {
            majority: evaluate(sides, constant, &Deciding::by(ThresholdRule::Fixed(0.5)))?,
            feature: one_feature.feature,
            one_feature: evaluated,
        })
    }
}

/// The share of positives, in [0, 1]; 0 without rows.
pub fn share(labels: &[bool]) -> f64 {
    let positives = labels.iter().filter(|label| **label).count();
    if labels.is_empty() { 0.0 } else { positives as f64 / labels.len() as f64 }
}

/// A rule of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct OneFeature {
    feature: String,
    bins: Bins,
    /// The rate of positives in each bin.
    rates: Vec<f64>,
}

/// How values are told apart. A missing value is always in the first bin.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bins {
    /// The lower ends of all bins but the lowest, ascending.
    Numbers(Vec<f64>),
    /// The bins of texts; all others are in the second bin.
    Texts(BTreeMap<String, usize>),
}

impl OneFeature {
    /// The rule of the feature that ranks the rows of a table best, the first of equals.
    ///
    /// # Errors
    /// A feature that is not there; rows that are all of one class.
    pub fn learn(
        table: &Table,
        labels: &[bool],
        features: &[String],
    ) -> Result<OneFeature, String> {
        let learn = |name: &String| {
            let column = column(table, name)?;
            let rule = OneFeature::of(column, labels);
            let auc = Curve::new(labels, &rule.score(column)).roc_auc();
            Ok((auc.map_err(|why| format!("no rule of one feature: {why}"))?, rule))
        };
        let rules: Vec<Result<(f64, OneFeature), String>> =
            features.par_iter().map(learn).collect();
        let mut best: Option<(f64, OneFeature)> = None;
        for rule in rules {
            let (auc, rule) = rule?;
            if best.as_ref().is_none_or(|(most, _)| auc > *most) {
                best = Some((auc, rule));
            }
        }
        best.map(|(_, rule)| rule).ok_or_else(|| "there is no feature".to_owned())
    }

    /// The score of every row of a table, in [0, 1].
    ///
    /// # Errors
    /// When the feature is not there.
    pub fn scores(&self, table: &Table) -> Result<Vec<f64>, String> {
        Ok(self.score(column(table, &self.feature)?))
    }

    fn of(column: &Column, labels: &[bool]) -> OneFeature {
        let bins = Bins::of_column(column);
        let mut counts = vec![(0_u64, 0_u64); bins.count()];
        for (row, label) in labels.iter().enumerate() {
            let (n, positives) = &mut counts[bins.of(column, row)];
            *n += 1;
            *positives += u64::from(*label);
        }
        // One more row of the usual kind in every bin: an empty one is as good as any.
        let usual = share(labels);
        let rate = |(n, positives): (u64, u64)| (positives as f64 + usual) / (n as f64 + 1.0);
        let rates = counts.into_iter().map(rate).collect();
        OneFeature { feature: column.name.clone(), bins, rates }
    }

    fn score(&self, column: &Column) -> Vec<f64> {
        (0..column.len()).map(|row| self.rates[self.bins.of(column, row)]).collect()
    }
}

impl Bins {
    /// The bins of a column's values.
    pub(super) fn of_column(column: &Column) -> Bins {
        if column.ty() == ColumnType::Text { texts(column) } else { numbers(column) }
    }

    /// How many there are, that of missing values among them.
    pub(super) fn count(&self) -> usize {
        match self {
            Bins::Numbers(edges) => edges.len() + 2,
            Bins::Texts(values) => values.len() + 2,
        }
    }

    /// The bin of a row's value.
    pub(super) fn of(&self, column: &Column, row: usize) -> usize {
        match self {
            Bins::Numbers(edges) => column
                .number(row)
                .map_or(0, |value| 1 + edges.partition_point(|edge| *edge <= value)),
            Bins::Texts(values) => {
                column.text(row).map_or(0, |text| values.get(&text).copied().unwrap_or(1))
            }
        }
    }
}

fn numbers(column: &Column) -> Bins {
    let mut values: Vec<f64> = (0..column.len()).filter_map(|row| column.number(row)).collect();
    values.sort_unstable_by(f64::total_cmp);
    let lowest = values.first().copied();
    let edges = (1..BINS).filter_map(|bin| values.get(bin * values.len() / BINS).copied());
    let mut edges: Vec<f64> = edges.filter(|edge| Some(*edge) > lowest).collect();
    edges.dedup();
    Bins::Numbers(edges)
}

fn texts(column: &Column) -> Bins {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for text in (0..column.len()).filter_map(|row| column.text(row)) {
        *counts.entry(text).or_default() += 1;
    }
    let frequent: BTreeSet<String> =
        counts.into_iter().filter(|(_, n)| *n >= MIN_ROWS).map(|(text, _)| text).collect();
    Bins::Texts(frequent.into_iter().zip(2..).collect())
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, String> {
    table.column(name).ok_or_else(|| format!("no column `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::Values;

    fn texts(values: impl Iterator<Item = Option<&'static str>>) -> Values {
        Values::Text(values.map(|text| text.map(str::to_owned)).collect())
    }

    /// 200 rows: `x` is high for every third of them, `plan` for every other one of those, and the
    /// names are all different.
    fn table() -> (Table, Vec<bool>) {
        let labels: Vec<bool> = (0..200).map(|row| row % 3 == 0).collect();
        let plan = (0..200).map(|row| match (row % 6, row % 7) {
            (_, 0) => None,
            (0, _) => Some("gold"),
            _ => Some("grey"),
        });
        let x = (0..200).map(|row| if row % 3 == 0 { 50.0 } else { f64::from(row % 40) });
        let table = Table::new(vec![
            Column::new("name", Values::Text((0..200).map(|row| Some(row.to_string())).collect())),
            Column::new("plan", texts(plan)),
            Column::new("x", Values::Number(x.collect())),
        ]);
        (table.unwrap(), labels)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_best_feature_is_found_and_names_of_rows_are_none() {
        let (table, labels) = table();
        let rule = OneFeature::learn(&table, &labels, &names(&["name", "plan", "x"])).unwrap();
        assert_eq!(rule.feature, "x");
        let auc = Curve::new(&labels, &rule.scores(&table).unwrap()).roc_auc().unwrap();
        assert_eq!(auc, 1.0);
        let named = OneFeature::learn(&table, &labels, &names(&["name"])).unwrap();
        let auc = Curve::new(&labels, &named.scores(&table).unwrap()).roc_auc();
        assert_eq!(auc, Ok(0.5), "a name that one row has says nothing");
    }

    #[test]
    fn a_score_is_the_rate_of_the_bin_and_what_is_new_is_as_usual() {
        let (table, labels) = table();
        let rule = OneFeature::learn(&table, &labels, &names(&["plan"])).unwrap();
        let other = texts([Some("gold"), Some("grey"), Some("new"), None].into_iter());
        let other = Table::new(vec![Column::new("plan", other)]).unwrap();
        let scores = rule.scores(&other).unwrap();
        let usual = share(&labels);
        assert!(scores[0] > 0.95 && scores[1] < usual, "{scores:?}");
        assert_eq!(scores[2], usual);
        let missing: Vec<bool> = (0..200).filter(|r| r % 7 == 0).map(|r| labels[r]).collect();
        let positives = missing.iter().filter(|label| **label).count() as f64;
        assert_eq!(scores[3], (positives + usual) / (missing.len() as f64 + 1.0));
    }

    #[test]
    fn a_rule_works_on_any_column_and_refuses_one_class() {
        let labels = [true, false, true, false];
        let table = Table::new(vec![
            Column::new("nothing", Values::Number(vec![f64::NAN; 4])),
            Column::new("truth", Values::Boolean(vec![Some(false), Some(true), None, Some(true)])),
        ]);
        let table = table.unwrap();
        let rule = OneFeature::learn(&table, &labels, &names(&["nothing", "truth"])).unwrap();
        assert_eq!(rule.feature, "truth");
        let wrong = OneFeature::learn(&table, &[true; 4], &names(&["truth"])).unwrap_err();
        assert_eq!(wrong, "no rule of one feature: all rows are of one class");
        assert!(OneFeature::learn(&table, &labels, &[]).is_err());
        assert!(OneFeature::learn(&table, &labels, &names(&["x"])).is_err());
        assert_eq!(share(&[]), 0.0);
    }
}
