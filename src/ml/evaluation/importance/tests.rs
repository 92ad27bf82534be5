//! Shuffled columns and tried values do what their definitions say.

use super::*;
use crate::ml::columns::Columns;
use crate::ml::evaluation::Rows;
use crate::ml::learn::ridge::Ridge;
use crate::ml::metrics::Curve;
use crate::ml::metrics::regression::{RegressionMetric, Residuals};
use crate::ml::model::Model;
use crate::ml::model::regressor::Regressor;
use crate::ml::regression::{self, NumberLearner};
use crate::ml::schema::Role;
use crate::ml::table::Values;
use crate::ml::training::tests::{all, columns, feature_params, learners, table};
use crate::ml::training::train;
use crate::ml::training::{self, Learner};

const EFFORT: Effort =
    Effort { repeats: 4, max_rows: 250, grid: 5, grid_rows: 100, contribution_rows: 50 };

fn seed_of(label: &str) -> [u8; 32] {
    *blake3::hash(label.as_bytes()).as_bytes()
}

/// The model of one of the learners: 0 is logistic, 2 a forest.
fn model(learner: usize) -> Model {
    let table = table(400);
    let trained =
        train(all(&table), &columns(&table), None, &feature_params(), &learners()[learner]);
    trained.unwrap().model
}

fn rows(table: &Table) -> Rows<'_> {
    Rows::new(table, &columns(table), &[json!("No"), json!("Yes")], &[]).unwrap()
}

fn looked(learner: usize) -> Document {
    let table = table(300);
    look("tested", &model(learner), (&table, rows(&table).labels()), &EFFORT, &seed_of).unwrap()
}

#[test]
fn what_decides_is_important_and_what_says_nothing_is_not() {
    for learner in [0, 2] {
        let found = looked(learner);
        let mut first = [0, 1].map(|i| found.importances[i].feature.as_str());
        first.sort_unstable();
        assert_eq!((found.rows, first), (250, ["a", "colour"]), "{found:?}");
        assert!(found.importances.is_sorted_by(|a, b| a.mean >= b.mean));
        let nothing = found.importances.iter().find(|i| i.feature == "nothing").unwrap();
        assert_eq!((nothing.mean, nothing.std), (0.0, 0.0), "no value, nothing to shuffle");
        let a = found.importances.iter().find(|i| i.feature == "a").unwrap();
        assert!(a.mean > 0.05 && a.std > 0.0 && a.falls.len() == 4, "{a:?}");
        assert!((a.falls.iter().sum::<f64>() / 4.0 - a.mean).abs() < 1e-15);
    }
}

#[test]
fn a_fall_is_that_of_the_shuffled_column() {
    let (model, found) = (model(0), looked(0));
    let table = table(300);
    let chosen: Vec<usize> = (0..250).map(|i| i * 300 / 250).collect();
    let sample = table.take(&chosen);
    let mut order: Vec<usize> = (0..250).collect();
    Random::nth(&seed_of("importance colour"), 2).shuffle(&mut order);
    let shuffled = sample.take(&order).column("colour").unwrap().clone();
    let columns = sample.columns().iter();
    let columns = columns.map(|c| if c.name == "colour" { shuffled.clone() } else { c.clone() });
    let harmed = Table::new(columns.collect()).unwrap();
    let labels = rows(&table).labels_of(&chosen);
    let auc = |table: &Table| {
        Curve::new(&labels, &model.probabilities(table).unwrap()).roc_auc().unwrap()
    };
    assert_eq!(found.quality, Quality::RocAuc(Some(auc(&sample))));
    assert_eq!(json!(found)["roc_auc"], auc(&sample));
    let colour = found.importances.iter().find(|i| i.feature == "colour").unwrap();
    assert_eq!(colour.falls[2], auc(&sample) - auc(&harmed));
}

#[test]
fn partial_dependence_is_the_mean_of_rows_that_all_have_the_value() {
    let (model, found) = (model(0), looked(0));
    let names: Vec<&str> = found.partial_dependence.iter().map(|of| of.feature.as_str()).collect();
    assert_eq!(names, ["a", "b", "truth", "colour", "nothing"]);
    let [a, _, truth, colour, nothing] = &found.partial_dependence[..] else { panic!() };
    assert_eq!((a.values.len(), found.partial_dependence_rows), (5, 100));
    assert!(a.mean.is_sorted() && a.mean[4] - a.mean[0] > 0.3, "{a:?}");
    assert_eq!(truth.values, [json!(0.0), json!(1.0)]);
    assert_eq!(colour.values, [json!("blue"), json!("red")], "blue is more frequent");
    assert!(nothing.values.is_empty() && nothing.mean.is_empty());

    let chosen: Vec<usize> = (0..100).map(|i| i * 3).collect();
    let sample = table(300).take(&chosen);
    let high = Values::Number(vec![a.values[4].as_f64().unwrap(); 100]);
    let columns = sample.columns().iter();
    let columns =
        columns.map(|c| if c.name == "a" { Column::new("a", high.clone()) } else { c.clone() });
    let all_high = Table::new(columns.collect()).unwrap();
    let mean = model.probabilities(&all_high).unwrap().iter().sum::<f64>() / 100.0;
    assert_eq!(a.mean[4], mean);
}

#[test]
fn a_grid_has_both_ends_and_no_value_twice() {
    let column = Column::new("x", Values::Number(vec![3.0, f64::NAN, 1.0, 2.0, 9.0, 2.0, 2.0]));
    let values = |most: usize| -> Vec<f64> {
        quantiles(&column, most).into_iter().filter_map(|row| column.number(row)).collect()
    };
    assert_eq!(values(10), [1.0, 2.0, 3.0, 9.0]);
    assert_eq!(values(3), [1.0, 2.0, 9.0]);
    assert_eq!(values(2), [1.0, 9.0]);
    let text = |text: &str| Some(text.to_owned());
    let values = ["b", "a", "a", "c", "b", "d"].map(text).to_vec();
    let column = Column::new("x", Values::Text(values.into()));
    let named = |most: usize| -> Vec<String> {
        categories(&column, most).into_iter().filter_map(|row| column.text(row)).collect()
    };
    assert_eq!(named(3), ["a", "b", "c"]);
}

#[test]
fn rows_of_one_class_have_no_importance_and_still_a_dependence() {
    let table = table(300);
    let classes = table.column("leaves").unwrap();
    let one: Vec<usize> =
        (0..300).filter(|row| classes.text(*row).as_deref() == Some("Yes")).collect();
    let one = table.take(&one);
    let found = look("tested", &model(0), (&one, rows(&one).labels()), &EFFORT, &seed_of).unwrap();
    assert_eq!((found.quality, found.importances.len()), (Quality::RocAuc(None), 0));
    assert_eq!(json!(found)["roc_auc"], Value::Null);
    assert_eq!(found.partial_dependence.len(), 5);
}

#[test]
fn it_is_the_same_with_any_number_of_threads() {
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| json!(looked(2)).to_string())
    };
    let one = bits(1);
    assert_eq!((bits(2), bits(8)), (one.clone(), one));
}

/// Rows whose worth is known up to nothing: a line of `a`, and more where it is blue.
fn worth(n_rows: usize) -> (Table, Vec<f64>) {
    let table = table(n_rows);
    let (a, colour) = (table.column("a").unwrap(), table.column("colour").unwrap());
    let of = |row: usize| {
        let blue = if colour.text(row).as_deref() == Some("blue") { 40.0 } else { 0.0 };
        100.0 + 10.0 * a.number(row).unwrap_or(5.0) + blue
    };
    let targets: Vec<f64> = (0..n_rows).map(of).collect();
    let mut columns = table.columns().to_vec();
    columns[5] = Column::new("worth", Values::Number(targets.clone()));
    (Table::new(columns).unwrap(), targets)
}

fn regressor(learner: &NumberLearner) -> Regressor {
    let (table, _) = worth(400);
    let roles = [("worth".to_owned(), vec![Role::Target])].into();
    let columns = Columns::of(&table, &roles).unwrap();
    let rows = training::Rows { train: &table, stop_by: None };
    regression::train(rows, &columns, &feature_params(), learner).unwrap().model
}

#[test]
fn a_regression_is_looked_at_by_its_r2_and_answers_with_numbers() {
    let forest = match &learners()[2] {
        Learner::RandomForest(forest) => NumberLearner::RandomForest(forest.clone()),
        other => panic!("{other:?}"),
    };
    let ridge = NumberLearner::Ridge(Ridge { alpha: 1e-6, fit_intercept: true });
    let (table, targets) = worth(300);
    for learner in [ridge, forest] {
        let model = regressor(&learner);
        let found = look("tested", &model, (&table, &targets), &EFFORT, &seed_of).unwrap();
        let written = json!(found);
        assert_eq!(written["format"], "pipeline.regression_importance/1");
        let whole = written["r2"].as_f64().unwrap();
        assert!(whole > 0.7 && written.get("roc_auc").is_none(), "{written}");
        let names: Vec<&str> = found.importances.iter().map(|i| i.feature.as_str()).collect();
        assert_eq!(&names[..2], ["a", "colour"], "{found:?}");
        let nothing = found.importances.iter().find(|i| i.feature == "nothing").unwrap();
        assert_eq!((nothing.mean, nothing.std), (0.0, 0.0));

        // A fall is that of the shuffled column.
        let chosen: Vec<usize> = (0..250).map(|i| i * 300 / 250).collect();
        let sample = table.take(&chosen);
        let mut order: Vec<usize> = (0..250).collect();
        Random::nth(&seed_of("importance a"), 1).shuffle(&mut order);
        let shuffled = sample.take(&order).column("a").unwrap().clone();
        let columns = sample.columns().iter();
        let columns = columns.map(|c| if c.name == "a" { shuffled.clone() } else { c.clone() });
        let harmed = Table::new(columns.collect()).unwrap();
        let actual: Vec<f64> = chosen.iter().map(|row| targets[*row]).collect();
        let r2 = |table: &Table| {
            let predicted = model.predictions(table).unwrap();
            Residuals::new(&actual, &predicted).values()[&RegressionMetric::R2].unwrap()
        };
        assert_eq!(found.quality, Quality::R2(Some(r2(&sample))));
        assert_eq!(found.importances[0].falls[1], r2(&sample) - r2(&harmed));

        let [a, ..] = &found.partial_dependence[..] else { panic!("no dependence") };
        assert!(a.mean[4] - a.mean[0] > 60.0 && a.mean.is_sorted(), "{a:?}");
        let parts = found.contributions.unwrap();
        assert_eq!(parts.unit, "target");
        let of_a = parts.features.iter().find(|of| of.feature == "a").unwrap();
        assert!(of_a.mean > 5.0 && of_a.direction.unwrap() > 0.9, "{of_a:?}");
    }
}
