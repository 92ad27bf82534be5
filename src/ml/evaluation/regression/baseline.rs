//! What is reached without a model of numbers: the mean of the target for every row, and a rule of
//! one feature.
//!
//! A regression that is not clearly better than the rule is not worth having. The rule is that of
//! classes (`evaluation::baseline`) with means in place of rates: a row is predicted to have the
//! mean of the target in the bin of its value. The feature whose rule leaves the least squared
//! error on its own rows is taken. Knows no model and no stage.

use rayon::prelude::*;

use super::{Evaluated, Rows};
use crate::ml::evaluation::baseline::Bins;
use crate::ml::table::{Column, Table};

/// The baselines on the rows that regressions are compared on.
#[derive(Clone, Debug)]
pub struct Baselines {
    /// The mean of the target where it was learned.
    pub value: f64,
    /// That mean as the number of every row.
    pub mean: Evaluated,
    /// The feature of the rule, and how good the rule is; or why there is none.
    pub one_feature: Result<(String, Evaluated), String>,
}

impl Baselines {
    /// Learns them from the rows of a table, at least one, with their targets, and evaluates them
    /// on the rows of both sides.
    ///
    /// # Errors
    /// When there is no row.
    pub fn learn(
        table: &Table,
        targets: &[f64],
        features: &[String],
        tables: &[Table; 2],
        sides: &[Rows; 2],
    ) -> Result<Baselines, String> {
        if targets.is_empty() {
            return Err("there are no rows to learn the mean from".to_owned());
        }
        let value = mean(targets);
        let constant = sides.each_ref().map(|side| vec![value; side.targets().len()]);
        let one_feature = OneFeature::learn(table, targets, features).and_then(|rule| {
            let predicted = [rule.predictions(&tables[0])?, rule.predictions(&tables[1])?];
            Ok((rule.feature, Evaluated::new(sides, predicted)))
        });
        Ok(Baselines { value, mean: Evaluated::new(sides, constant), one_feature })
    }
}

/// The mean of numbers, of which there is at least one, summed in their order.
fn mean(numbers: &[f64]) -> f64 {
    let mut sum = 0.0;
    numbers.iter().for_each(|number| sum += number);
    sum / numbers.len() as f64
}

/// A rule of one feature.
#[derive(Clone, Debug, PartialEq)]
struct OneFeature {
    feature: String,
    bins: Bins,
    /// What is predicted in each bin.
    means: Vec<f64>,
}

impl OneFeature {
    /// The rule of the feature that leaves the least squared error on the rows of a table, the
    /// first of equals.
    fn learn(table: &Table, targets: &[f64], features: &[String]) -> Result<OneFeature, String> {
        let learn = |name: &String| {
            let column = column(table, name)?;
            let rule = OneFeature::of(column, targets);
            let mut error = 0.0;
            for (predicted, target) in rule.predict(column).iter().zip(targets) {
                error += (target - predicted) * (target - predicted);
            }
            Ok((error, rule))
        };
        let rules: Vec<Result<(f64, OneFeature), String>> =
            features.par_iter().map(learn).collect();
        let mut best: Option<(f64, OneFeature)> = None;
        for rule in rules {
            let (error, rule) = rule?;
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, rule));
            }
        }
        best.map(|(_, rule)| rule).ok_or_else(|| "there is no feature".to_owned())
    }

    fn of(column: &Column, targets: &[f64]) -> OneFeature {
        let bins = Bins::of_column(column);
        let mut sums = vec![(0_u64, 0.0); bins.count()];
        for (row, target) in targets.iter().enumerate() {
            let (n, sum) = &mut sums[bins.of(column, row)];
            *n += 1;
            *sum += target;
        }
        // One more row of the usual kind in every bin: an empty one is as good as any.
        let usual = mean(targets);
        let means = sums.into_iter().map(|(n, sum)| (sum + usual) / (n as f64 + 1.0)).collect();
        OneFeature { feature: column.name.clone(), bins, means }
    }

    /// What is predicted of every row of a table.
    fn predictions(&self, table: &Table) -> Result<Vec<f64>, String> {
        Ok(self.predict(column(table, &self.feature)?))
    }

    fn predict(&self, column: &Column) -> Vec<f64> {
        (0..column.len()).map(|row| self.means[self.bins.of(column, row)]).collect()
    }
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, String> {
    table.column(name).ok_or_else(|| format!("no column `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::columns::Columns;
    use crate::ml::table::Values;

    /// 300 rows: `x` says most of the target, `plan` some of it, and the names are all different.
    fn table() -> (Table, Vec<f64>) {
        let x: Vec<f64> = (0..300).map(|row| f64::from(row * 37 % 300)).collect();
        let plan = |row: usize| match (row % 7, x[row] > 150.0) {
            (0, _) => None,
            (_, true) => Some("gold".to_owned()),
            (_, false) => Some("grey".to_owned()),
        };
        let table = Table::new(vec![
            Column::new("name", Values::Text((0..300).map(|row| Some(row.to_string())).collect())),
            Column::new("plan", Values::Text((0..300).map(plan).collect())),
            Column::new("x", Values::Number(x.clone())),
        ]);
        (table.unwrap(), x.iter().map(|x| 10.0 + 2.0 * x).collect())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_feature_that_says_most_is_found_and_names_of_rows_say_nothing() {
        let (table, targets) = table();
        let rule = OneFeature::learn(&table, &targets, &names(&["name", "plan", "x"])).unwrap();
        assert_eq!(rule.feature, "x");
        let named = OneFeature::learn(&table, &targets, &names(&["name"])).unwrap();
        let usual = mean(&targets);
        assert!(named.predictions(&table).unwrap().iter().all(|p| (p - usual).abs() < 1e-9));
        assert!(OneFeature::learn(&table, &targets, &[]).is_err());
        assert!(OneFeature::learn(&table, &targets, &names(&["y"])).is_err());
    }

    #[test]
    fn a_row_has_the_mean_of_its_bin_and_what_is_new_is_as_usual() {
        let (table, targets) = table();
        let rule = OneFeature::learn(&table, &targets, &names(&["plan"])).unwrap();
        let values = ["gold", "grey", "new"].map(|text| Some(text.to_owned()));
        let values = Values::Text(values.into_iter().chain([None]).collect());
        let other = Table::new(vec![Column::new("plan", values)]).unwrap();
        let found = rule.predictions(&other).unwrap();
        let usual = mean(&targets);
        let plan = table.column("plan").unwrap();
        for (value, predicted) in [(Some("gold"), found[0]), (Some("grey"), found[1])] {
            let of: Vec<f64> = (0..300)
                .filter(|row| plan.text(*row).as_deref() == value)
                .map(|row| targets[row])
                .collect();
            let expected = (of.iter().sum::<f64>() + usual) / (of.len() as f64 + 1.0);
            assert!((predicted - expected).abs() < 1e-9, "{value:?}: {predicted}, not {expected}");
        }
        assert!(found[0] > found[3] && found[3] > found[1], "{found:?}");
        assert_eq!(found[2], usual);
    }

    #[test]
    fn no_rows_teach_nothing() {
        let empty = Table::new(vec![Column::new("x", Values::Number(Vec::new()))]).unwrap();
        let [id, features, segments] = [Vec::new(), names(&["x"]), Vec::new()];
        let columns = Columns { id, target: "x".to_owned(), features, segments, weight: None };
        let rows = || Rows::new(&empty, &columns, &[]).unwrap();
        let tables = [empty.clone(), empty.clone()];
        let none = Baselines::learn(&empty, &[], &names(&["x"]), &tables, &[rows(), rows()]);
        assert_eq!(none.unwrap_err(), "there are no rows to learn the mean from");
    }
}
