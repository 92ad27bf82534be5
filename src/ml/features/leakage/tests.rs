//! Nothing that a learner sees of a training row knows the target of that row.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ml::columns::Columns;
use crate::ml::metrics::Curve;
use crate::ml::random::Random;
use crate::ml::table::{Column, Table, Values};

/// Rows whose columns know nothing of the target: a text of many values, and one of few.
fn noise(n_rows: usize, n_texts: u64) -> (Table, Vec<bool>) {
    let mut random = Random::new([3; 32]);
    let mut text =
        |n: u64| Values::Text((0..n_rows).map(|_| Some(random.below(n).to_string())).collect());
    let columns = vec![Column::new("many", text(n_texts)), Column::new("few", text(3))];
    let labels = (0..n_rows).map(|_| random.below(2) == 0).collect();
    (Table::new(columns).unwrap(), labels)
}

fn columns(id: &[&str]) -> Columns {
    Columns {
        id: id.iter().map(|name| (*name).to_owned()).collect(),
        target: "y".to_owned(),
        features: vec!["many".to_owned(), "few".to_owned()],
        segments: vec![],
        weight: None,
    }
}

fn params(value: serde_json::Value) -> FeatureParams {
    serde_json::from_value(value).unwrap()
}

fn roc_auc(labels: &[bool], scores: impl Iterator<Item = f64>) -> f64 {
    Curve::new(labels, &scores.collect::<Vec<_>>()).roc_auc().unwrap()
}

/// Without folds a column of nearly unique texts tells its own target; with folds it tells nothing.
#[test]
fn a_column_that_names_rows_tells_nothing_about_their_target() {
    let (table, labels) = noise(4000, 2000);
    let halves: Vec<Vec<usize>> = vec![(0..2000).collect(), (2000..4000).collect()];
    let [seen, unseen] = [table.take(&halves[0]), table.take(&halves[1])];
    let target = json!({"encode": "target", "smooth": 1.0});
    let params = params(json!({"columns": {"many": target}}));
    let fitted = fit_transform(&seen, &columns(&[]), &labels[..2000], &params).unwrap();
    let naive = fitted.encoder.encode_table(&seen).unwrap();
    let in_sample = roc_auc(&labels[..2000], naive.column(0).iter().copied());
    assert!(in_sample > 0.8, "the naive encoding tells the target: {in_sample}");
    let in_training = roc_auc(&labels[..2000], fitted.rows.column(0).iter().copied());
    assert!((in_training - 0.5).abs() < 0.03, "what a learner sees tells it: {in_training}");
    let later = fitted.encoder.encode_table(&unseen).unwrap();
    let in_test = roc_auc(&labels[2000..], later.column(0).iter().copied());
    assert!((in_test - 0.5).abs() < 0.03, "{in_test}");
}

#[test]
fn rows_of_one_id_share_a_fold_and_equal_rows_without_an_id_do_not() {
    let ids = Values::Integer((0..1000).map(|row| Some(row / 10)).collect());
    let same = Values::Text(vec![Some("a"); 1000].into());
    let table = Table::new(vec![Column::new("id", ids), Column::new("many", same)]).unwrap();
    let by_id = folds::folds(&table, &columns(&["id"]), 5, &[1; 32]).unwrap();
    assert!(by_id.chunks(10).all(|rows| rows.iter().all(|fold| *fold == rows[0])));
    let table = Table::new(table.columns()[1..].to_vec()).unwrap();
    let by_order = folds::folds(&table, &columns(&[]), 5, &[1; 32]).unwrap();
    for fold in 0..5 {
        let n_rows = by_order.iter().filter(|it| **it == fold).count();
        assert!((140..260).contains(&n_rows), "{n_rows}");
    }
}

#[test]
fn a_row_that_is_added_moves_no_other_to_another_fold() {
    let (table, _) = noise(500, 40);
    let folds = |table: &Table| folds::folds(table, &columns(&[]), 5, &[1; 32]).unwrap();
    let all = folds(&table);
    // Without its last row, which is equal to none before it but by chance.
    let fewer = folds(&table.take(&(0..499).collect::<Vec<_>>()));
    assert_eq!(all[..499], fewer);
}

#[test]
fn too_few_rows_for_folds_are_told() {
    let table = noise(1, 5).0;
    let params = params(json!({"categorical": {"encode": "target"}}));
    let wrong = fit_transform(&table, &columns(&[]), &[true], &params).err().unwrap();
    assert!(wrong.0.contains("at least two of its 5 folds"), "{wrong}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A changed target changes no row of its own fold, and no transform that does not know it.
    #[test]
    fn a_changed_target_changes_only_what_it_may(
        changed in 0..300_usize,
        encode in prop::sample::select(vec!["one_hot", "ordinal", "code", "target"]),
        smooth in prop::sample::select(vec![json!("auto"), json!(0.0), json!(5.0)]),
    ) {
        let (table, labels) = noise(300, 30);
        let mut others = labels.clone();
        others[changed] = !others[changed];
        let params = params(json!({
            "categorical": {"encode": encode, "smooth": smooth},
            "columns": {"many:few": {"encode": encode}},
            "interactions": [["many", "few"]],
        }));
        let fit = |labels: &[bool]| fit_transform(&table, &columns(&[]), labels, &params).unwrap();
        let (before, after) = (fit(&labels), fit(&others));
        let bits = |fitted: &Fitted, row: usize| -> Vec<u64> {
            fitted.rows.row(row).iter().map(|x| x.to_bits()).collect()
        };
        if encode != "target" {
            prop_assert_eq!(&before.encoder, &after.encoder);
            prop_assert!((0..300).all(|row| bits(&before, row) == bits(&after, row)));
            return Ok(());
        }
        prop_assert_ne!(&before.encoder, &after.encoder);
        let folds = folds::folds(&table, &columns(&[]), 5, &params.seed).unwrap();
        for row in (0..300).filter(|row| folds[*row] == folds[changed]) {
            prop_assert_eq!(bits(&before, row), bits(&after, row), "row {}", row);
        }
    }
}
