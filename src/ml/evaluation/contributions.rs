//! What features add to a model's answers, summed up over rows.
//!
//! Per encoded feature the mean of what it adds, whichever way (Lundberg and others 2020, "From
//! local explanations to global understanding with explainable AI for trees": the bars of a SHAP
//! summary plot), and whether larger numbers push up or down. Unlike a shuffled column, which asks
//! how much worse a model gets, this asks what its answers are made of. What a feature adds is
//! `Predictor::explain`'s: exact for models that add up features, SHAP values for trees. It is of
//! the margin before any calibration, and describes the model and not the world.

use rayon::prelude::*;
use serde::Serialize;

use super::subject::Subject;
use crate::ml::learn::Explanation;
use crate::ml::table::Table;

/// What features add, over some rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contributions {
    /// How many rows were explained.
    pub rows: usize,
    /// What is added up: of a regression the `target` itself, of classes `probability` for trees
    /// that are averaged and `log_odds` for all others.
    pub unit: &'static str,
    /// What the model answers without any feature; `None` when there was no row.
    pub base: Option<f64>,
    /// The encoded features, those that add most first.
    pub features: Vec<Contribution>,
}

/// What one encoded feature adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The encoded feature, by the name that the encoder gives it.
    pub feature: String,
    /// The mean of the size of what it adds.
    pub mean: f64,
    /// Pearson's correlation of its number and what it adds, in the rows where it is not missing:
    /// above 0 when larger numbers push towards the positive class, or a larger number; `None`
    /// where one of the two is the same in all of them.
    pub direction: Option<f64>,
}

/// Sums up what the features of a model add over the rows of a table.
///
/// # Errors
/// When the table lacks a feature, or the trees do not tell how many rows reached their nodes.
pub fn sum_up<S: Subject>(model: &S, table: &Table) -> Result<Contributions, String> {
    let rows = model.encoded(table).map_err(|error| error.to_string())?;
    let explained: Vec<Explanation> = rows
        .par_iter()
        .map(|row| model.predictor().explain(row))
        .collect::<Result<_, _>>()
        .map_err(str::to_owned)?;
    let of = |(j, feature): (usize, String)| {
        let mut sum = 0.0;
        for explanation in &explained {
            sum += explanation.parts[j].abs();
        }
        let pairs = rows.iter().zip(&explained).map(|(row, found)| (row[j], found.parts[j]));
        let known: Vec<(f64, f64)> = pairs.filter(|(x, _)| !x.is_nan()).collect();
        let mean = sum / explained.len().max(1) as f64;
        Contribution { feature, mean, direction: correlation(&known) }
    };
    let names = model.encoded_names().into_iter().enumerate();
    let mut features: Vec<Contribution> = names.map(of).collect();
    features.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    Ok(Contributions {
        rows: rows.len(),
        unit: model.unit(),
        base: explained.first().map(|explanation| explanation.base),
        features,
    })
}

/// Pearson's correlation, summed in the order of the pairs.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    for (x, y) in pairs {
        sum_x += x;
        sum_y += y;
    }
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (from_x, from_y) = (x - mean_x, y - mean_y);
        xx += from_x * from_x;
        yy += from_y * from_y;
        xy += from_x * from_y;
    }
    let found = xy / (xx.sqrt() * yy.sqrt());
    // What is the same in all rows has no deviation but that of rounding.
    let is_constant = |square: f64, mean: f64| {
        let rounding = f64::EPSILON * mean;
        square <= n * (rounding * rounding)
    };
    let is_known = found.is_finite() && !is_constant(xx, mean_x) && !is_constant(yy, mean_y);
    is_known.then(|| found.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::learn::Predictor;
    use crate::ml::training::tests::{learners, table, train_on};

    #[test]
    fn what_a_line_adds_is_its_coefficient_times_the_number() {
        let table = table(300);
        let model = train_on(&table, &learners()[0]).model;
        let found = sum_up(&model, &table).unwrap();
        let Predictor::Linear(linear) = model.predictor() else { panic!("a line") };
        assert_eq!((found.rows, found.unit, found.base), (300, "log_odds", Some(linear.intercept)));
        let rows = model.encoded(&table).unwrap();
        for (j, name) in model.encoded_names().iter().enumerate() {
            let coefficient = linear.coefficients[j];
            let size: f64 = rows.iter().map(|row| (coefficient * row[j]).abs()).sum();
            let told = found.features.iter().find(|feature| feature.feature == *name).unwrap();
            assert!((told.mean - size / 300.0).abs() < 1e-12, "{told:?}");
            match told.direction {
                Some(direction) => assert!((direction - coefficient.signum()).abs() < 1e-9),
                None => assert_eq!(name, "nothing", "{told:?}"),
            }
        }
        assert!(found.features.is_sorted_by(|a, b| a.mean >= b.mean));
    }

    #[test]
    fn every_learner_is_made_of_what_decides() {
        let table = table(400);
        for learner in learners() {
            let found = sum_up(&train_on(&table, &learner).model, &table).unwrap();
            let first = &found.features[0];
            assert!(["a", "colour=blue", "colour=red"].contains(&&*first.feature), "{found:?}");
            let a = found.features.iter().find(|feature| feature.feature == "a").unwrap();
            assert!(
                a.direction.unwrap() > 0.5,
                "{}: more of `a`, more leave: {a:?}",
                learner.name()
            );
            let nothing = found.features.iter().find(|feature| feature.feature == "nothing");
            assert_eq!(nothing.map(|n| (n.mean, n.direction)), Some((0.0, None)));
        }
    }

    #[test]
    fn any_number_of_threads_finds_the_same() {
        let table = table(500);
        let model = train_on(&table, &learners()[2]).model;
        let on_threads = |n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| sum_up(&model, &table).unwrap())
        };
        assert_eq!(on_threads(1), on_threads(8));
    }

    #[test]
    fn numbers_that_go_together_correlate() {
        let found = correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]).unwrap();
        assert!((found - 1.0).abs() < 1e-15, "{found}");
        let found = correlation(&[(1.0, 2.0), (2.0, 1.0)]).unwrap();
        assert!((found + 1.0).abs() < 1e-15, "{found}");
        assert_eq!(correlation(&[(1.0, 2.0), (1.0, 1.0)]), None);
        assert_eq!(correlation(&[]), None);
    }
}
