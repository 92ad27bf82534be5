//! Segments, references and the choice of a champion.

use serde_json::json;

use super::*;
use crate::ml::metrics::{Profit, ThresholdRule};
use crate::ml::table::{Column, Values};

fn texts(values: &[&str]) -> Values {
    let text = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
    Values::Text(values.iter().map(text).collect())
}

/// Six rows: the scores rank them perfectly in plan a and wrongly in plan b.
fn table() -> Table {
    Table::new(vec![
        Column::new("key", texts(&["r1", "r2", "r3", "r4", "r5", "r6"])),
        Column::new("plan", texts(&["a", "a", "b", "b", "", "a"])),
        Column::new("y", Values::Integer([0, 1, 0, 1, 0, 1].map(Some).to_vec())),
    ])
    .unwrap()
}

fn columns() -> Columns {
    Columns {
        id: vec!["key".to_owned()],
        target: "y".to_owned(),
        features: Vec::new(),
        segments: vec!["plan".to_owned()],
        weight: None,
    }
}

const SCORES: [f64; 6] = [0.1, 0.9, 0.8, 0.3, 0.2, 0.7];

fn rows(table: &Table) -> Rows<'_> {
    Rows::new(table, &columns(), &[json!(0), json!(1)], &[]).unwrap()
}

fn evaluated(scores: [f64; 6]) -> Evaluated {
    let table = table();
    let scores = scores.to_vec();
    let sides = [rows(&table), rows(&table)];
    evaluate(&sides, [scores.clone(), scores], &Deciding::by(ThresholdRule::F1)).unwrap()
}

#[test]
fn every_segment_is_scored_apart() {
    let evaluated = evaluated(SCORES);
    let names: Vec<&String> = evaluated.test.keys().collect();
    assert_eq!(names, ["overall", "plan=(missing)", "plan=a", "plan=b"]);
    assert_eq!(evaluated.test["plan=a"].values[&Metric::RocAuc], Ok(1.0));
    assert_eq!(evaluated.test["plan=b"].values[&Metric::RocAuc], Ok(0.0));
    assert!(evaluated.test["plan=(missing)"].values[&Metric::RocAuc].is_err());
    assert_eq!((evaluated.test["plan=a"].n, evaluated.test["overall"].n), (3, 6));
    // 0.3 finds all three at the price of one: F1 is 6/7.
    assert_eq!(evaluated.threshold, 0.3);
}

#[test]
fn a_column_of_many_values_is_no_segment() {
    let values = Values::Integer((0..101).map(Some).collect());
    let table = Table::new(vec![Column::new("x", values)]).unwrap();
    let wrong = segments(&table, &["x".to_owned()], &[]).unwrap_err();
    assert_eq!(wrong, "column `x` has more than 100 values: it is no segment");
}

#[test]
fn an_intersection_has_a_segment_per_combination_that_occurs() {
    let pair = ["plan".to_owned(), "y".to_owned()];
    let found = segments(&table(), &[], std::slice::from_ref(&pair.to_vec())).unwrap();
    let expected = [
        ("overall".to_owned(), vec![0, 1, 2, 3, 4, 5]),
        ("plan=(missing) & y=0".to_owned(), vec![4]),
        ("plan=a & y=0".to_owned(), vec![0]),
        ("plan=a & y=1".to_owned(), vec![1, 5]),
        ("plan=b & y=0".to_owned(), vec![2]),
        ("plan=b & y=1".to_owned(), vec![3]),
    ];
    assert_eq!(found, expected);
    let column = |name: &str, of: fn(i64) -> i64| {
        Column::new(name, Values::Integer((0..1100).map(|row| Some(of(row))).collect()))
    };
    let table = Table::new(vec![column("i", |row| row / 50), column("j", |row| row % 50)]).unwrap();
    let wrong = segments(&table, &[], &[vec!["i".to_owned(), "j".to_owned()]]).unwrap_err();
    assert_eq!(wrong, "the intersection of i, j has more than 1000 combinations");
}

#[test]
fn the_champion_is_the_best_on_validation_and_the_first_of_equals() {
    let (weak, strong) = (evaluated(SCORES), evaluated([0.1, 0.9, 0.2, 0.8, 0.2, 0.7]));
    assert_eq!(champion(&[&weak, &strong, &strong], Metric::RocAuc), Ok(1));
    assert_eq!(champion(&[&weak, &strong], Metric::LogLoss), Ok(1));
    assert_eq!(champion(&[&weak], Metric::RocAuc), Ok(0));
    assert_eq!(champion(&[], Metric::F1).unwrap_err().split(':').count(), 3);
}

#[test]
fn a_reference_is_joined_by_the_names_of_rows() {
    let reference = |keys: &[&str], scores: &[f64]| {
        Table::new(vec![
            Column::new("score", Values::Number(scores.to_vec())),
            Column::new("key", texts(keys)),
        ])
        .unwrap()
    };
    let id = ["key".to_owned()];
    let rows = table().take(&[2, 0]);
    let joined = reference_scores(&reference(&["r1", "r2", "r3"], &[0.1, 0.2, 0.3]), &id, &rows);
    assert_eq!(joined, Ok(vec![0.3, 0.1]));
    let refuse = |keys: &[&str], scores: &[f64]| {
        reference_scores(&reference(keys, scores), &id, &rows).unwrap_err()
    };
    assert_eq!(refuse(&["r1"], &[0.1]), "the reference has no row for r3");
    assert_eq!(refuse(&["r1", "r1"], &[0.1, 0.1]), "the reference names r1 twice");
    let wrong = refuse(&["r1"], &[1.5]);
    assert_eq!(wrong, "the reference's `score` is no score in [0, 1] in row 1");
    let wrong = reference_scores(&table(), &id, &rows).unwrap_err();
    assert_eq!(wrong, "the reference must have one column of scores beside key, it has 2");
    let wrong = reference_scores(&table(), &[], &rows).unwrap_err();
    assert_eq!(wrong, "a reference is joined by the column with the role `id`: none has");
}

#[test]
fn the_document_says_null_and_why() {
    let none = BTreeMap::new();
    let rule = ThresholdRule::F1;
    let variant = document::Variant::of(&evaluated(SCORES), Some("none"), &none, rule);
    let missing = &variant.test["plan=(missing)"];
    assert_eq!(missing["roc_auc"], json!(null));
    assert_eq!(missing["undefined"]["roc_auc"], "all rows are of one class");
    assert_eq!(missing["confusion"], json!({"tn": 1, "fp": 0, "fn": 0, "tp": 0}));
    assert_eq!(variant.test["plan=a"]["roc_auc"], json!(1.0));
    assert_eq!(variant.test["plan=a"].get("undefined"), None);
}

#[test]
fn names_of_metrics_leave_out_what_is_overall() {
    use document::metric_name;
    assert_eq!(metric_name("forest", "test", "overall", "f1"), "forest.test.f1");
    assert_eq!(metric_name("forest", "test", "plan=a", "f1"), "forest.test.plan=a.f1");
}

#[test]
fn a_gate_that_does_not_hold_names_what_it_found() {
    use gates::{Bound, Which, judge};
    let variants = [
        ("weak".to_owned(), evaluated(SCORES)),
        ("strong".to_owned(), evaluated([0.1, 0.9, 0.2, 0.8, 0.2, 0.7])),
    ];
    let bound = |metric: &str, segment: Option<&str>| Bound {
        metric: metric.to_owned(),
        model: Which::Champion,
        segment: segment.map(str::to_owned),
        min: Some(0.5),
        max: None,
        on: "test".to_owned(),
    };
    let gates = judge(&[bound("roc_auc", Some("plan=b"))], &variants, 0, 1).unwrap();
    assert_eq!(gates[0].told(), "roc_auc of plan=b of weak on test is 0.0000, below min 0.5");
    assert!(!gates[0].holds);
    let every = Bound { model: Which::Every, ..bound("roc_auc", None) };
    let gates = judge(&[every], &variants, 0, 1).unwrap();
    assert_eq!(gates.iter().map(|gate| gate.holds).collect::<Vec<_>>(), [true, true]);
    let undefined = judge(&[bound("roc_auc", Some("plan=(missing)"))], &variants, 1, 1).unwrap();
    let told = "roc_auc of plan=(missing) of strong on test is undefined";
    assert_eq!((undefined[0].told().as_str(), undefined[0].holds), (told, false));
    let most = Bound { min: None, max: Some(0.1), ..bound("log_loss", None) };
    let gates = judge(&[most], &variants, 0, 1).unwrap();
    assert!(gates[0].told().ends_with("above max 0.1"), "{}", gates[0].told());
    let wrong = judge(&[bound("recall", Some("plan=z"))], &variants, 0, 1).unwrap_err();
    assert!(wrong.starts_with("a gate names the segment `plan=z`, which test has not"), "{wrong}");
}

#[test]
fn a_gate_on_too_few_rows_is_told_and_not_judged() {
    use gates::{Bound, Which, judge};
    let variants = [("weak".to_owned(), evaluated(SCORES))];
    let bound = |segment: Option<&str>| Bound {
        metric: "roc_auc".to_owned(),
        model: Which::Champion,
        segment: segment.map(str::to_owned),
        min: Some(0.99),
        max: None,
        on: "test".to_owned(),
    };
    let gates = judge(&[bound(Some("plan=b")), bound(None)], &variants, 0, 30).unwrap();
    assert_eq!((gates[0].holds, gates[0].judged), (true, false));
    assert_eq!(gates[0].told(), "roc_auc of plan=b of weak on test is not judged: too few rows");
    assert_eq!((gates[1].holds, gates[1].judged), (false, true), "all rows are always judged");
    assert_eq!(json!(gates[0])["judged"], json!(false));
    assert_eq!(json!(gates[1]).get("judged"), None);
}

/// 400 rows in two plans; the first model is good, the second nearly the same, the third worse.
fn drawn() -> (Table, [Vec<f64>; 3]) {
    let mut random = crate::ml::random::Random::new([8; 32]);
    let mut uniform = |scale: f64| random.uniform() * scale;
    let labels: Vec<bool> = (0..400).map(|_| uniform(1.0) < 0.3).collect();
    let of = |label: &bool| if *label { 1.0 } else { 0.0 };
    let good: Vec<f64> = labels.iter().map(|label| (of(label) + uniform(2.0)) / 3.0).collect();
    let near: Vec<f64> = good.iter().map(|score| (score + uniform(0.02)) / 1.02).collect();
    let worse: Vec<f64> = good.iter().map(|score| (score + uniform(2.0)) / 3.0).collect();
    let plans: Vec<&str> =
        (0..400).map(|row| if row < 4 { "rare" } else { ["a", "b"][row % 2] }).collect();
    let names: Vec<Option<String>> = (0..400).map(|row| Some(format!("r{row}"))).collect();
    let y = labels.iter().map(|label| Some(i64::from(*label))).collect();
    let table = Table::new(vec![
        Column::new("key", Values::Text(names.into())),
        Column::new("plan", texts(&plans)),
        Column::new("y", Values::Integer(y)),
    ]);
    (table.unwrap(), [good, near, worse])
}

fn measured(threads: usize) -> (certainty::Certainty, Vec<document::Comparison>) {
    let (table, scores) = drawn();
    let sides = [rows(&table), rows(&table)];
    let of = |(name, scores): (&str, Vec<f64>)| {
        let evaluated =
            evaluate(&sides, [scores.clone(), scores], &Deciding::by(ThresholdRule::F1)).unwrap();
        (name.to_owned(), evaluated)
    };
    let models: Vec<_> = ["good", "near", "worse"].into_iter().zip(scores).map(of).collect();
    let all: Vec<&Evaluated> = models.iter().map(|(_, model)| model).collect();
    let how = certainty::Confidence { level: 0.95, resamples: 200, min_rows: 30 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let seed_of = |label: &str| [label.len() as u8; 32];
        let certainty = certainty::measure(&sides[1], &all, &how, &seed_of);
        let resamples = certainty.overall.as_ref().map_err(|why| *why);
        let comparisons = comparison::compare(&sides[1], &models, resamples, 0.95);
        (certainty, comparisons)
    })
}

#[test]
fn every_metric_of_every_segment_has_an_interval_unless_the_segment_is_small() {
    let (certainty, _) = measured(2);
    let good = &certainty.intervals[0];
    assert_eq!(good.keys().collect::<Vec<_>>(), ["overall", "plan=a", "plan=b", "plan=rare"]);
    assert!(good["plan=rare"].values().all(|interval| *interval == Err(certainty::SMALL)));
    for segment in ["overall", "plan=a"] {
        for (metric, interval) in &good[segment] {
            let interval = interval.unwrap();
            assert!(interval.low < interval.high, "{segment} {metric:?}");
        }
    }
    let width = |segment: &str, metric| {
        let interval = good[segment][&metric].unwrap();
        interval.high - interval.low
    };
    for metric in [Metric::RocAuc, Metric::Recall, Metric::LogLoss] {
        assert!(width("overall", metric) < width("plan=a", metric), "{metric:?}");
    }
}

#[test]
fn variants_are_compared_pair_by_pair_on_the_same_rows() {
    let (certainty, comparisons) = measured(2);
    let names: Vec<_> = comparisons.iter().map(|pair| (pair.a.as_str(), pair.b.as_str())).collect();
    assert_eq!(names, [("good", "near"), ("good", "worse"), ("near", "worse")]);
    let [near, worse, _] = &comparisons[..] else { panic!("three pairs") };
    assert!(worse.roc_auc.difference.unwrap() < -0.05 && worse.roc_auc.p.unwrap() < 0.001);
    assert!(near.roc_auc.p.unwrap() > 0.01);
    assert!(worse.roc_auc.p_holm.unwrap() >= worse.roc_auc.p.unwrap());
    let width = |interval: [f64; 2]| interval[1] - interval[0];
    let alone = certainty.intervals[0]["overall"][&Metric::RocAuc].unwrap();
    let paired = width(near.roc_auc.interval.unwrap());
    assert!(paired * 4.0 < alone.high - alone.low, "pairing is worth it: {paired}");
    let drawn = width(near.differences["roc_auc"].interval.unwrap());
    assert!((0.6..1.6).contains(&(drawn / paired)), "DeLong {paired}, drawn {drawn}");
    assert_eq!(worse.mcnemar.test, "chi_squared");
    assert!(worse.mcnemar.only_a > worse.mcnemar.only_b && worse.mcnemar.p_holm < 0.05);
}

#[test]
fn intervals_and_comparisons_are_the_same_with_any_number_of_threads() {
    let bits = |threads| {
        let (certainty, comparisons) = measured(threads);
        (format!("{:?}", certainty.intervals), json!(comparisons).to_string())
    };
    let one = bits(1);
    assert_eq!((bits(2), bits(8)), (one.clone(), one));
}

#[test]
fn intervals_stand_beside_the_metrics_in_the_document() {
    let evaluated = evaluated(SCORES);
    let metrics = Metric::ALL.map(|metric| (metric, Err("why")));
    let mut intervals = certainty::Intervals::from(metrics);
    let interval = crate::ml::metrics::Interval { low: 0.25, high: 0.75 };
    intervals.insert(Metric::Recall, Ok(interval));
    let known =
        BTreeMap::from(["overall", "plan=(missing)"].map(|s| (s.to_owned(), intervals.clone())));
    let profit = Profit { value: 10.0, cost: 1.0, success: 1.0, budget: None };
    let rule = ThresholdRule::Profit(profit);
    let variant = document::Variant::of(&evaluated, None, &known, rule);
    // From 0.3 on four rows are contacted and all three positive ones won.
    assert_eq!(variant.test["overall"]["profit"], json!(26.0));
    let overall = &variant.test["overall"];
    assert_eq!(overall["intervals"], json!({"recall": [0.25, 0.75]}));
    assert_eq!(overall["no_interval"]["f1"], "why");
    assert_eq!(overall["recall"], json!(1.0), "what was there before is there still");
    // A metric without a value needs no word about its interval.
    assert_eq!(variant.test["plan=(missing)"]["no_interval"].get("roc_auc"), None);
    assert_eq!(variant.validation["overall"].get("intervals"), None);
}

/// A document as the first version wrote it.
#[test]
fn documents_without_intervals_are_still_read() {
    let old = json!({
        "format": document::FORMAT, "target": "y", "classes": [0, 1], "champion": "tree",
        "champion_metric": "roc_auc", "threshold_rule": "f1",
        "variants": {"tree": {"learner": "decision_tree", "threshold": 0.5, "validation": {},
            "test": {"overall": {"roc_auc": 0.8, "n": 3}}}},
        "reference": {"threshold": 0.5, "validation": {}, "test": {}},
        "gates": [{"variant": "tree", "on": "test", "segment": "overall", "metric": "f1",
            "value": null, "min": 0.5, "max": null, "holds": false}],
    });
    let read: document::Document = serde_json::from_value(old.clone()).unwrap();
    assert!(read.gates[0].judged && read.comparisons.is_empty() && read.baselines.is_none());
    assert_eq!(read.flat()["tree.test.roc_auc"], 0.8);
    assert_eq!(json!(read), old, "and written as they were");
}

#[test]
fn baselines_are_learned_from_rows_and_a_good_model_is_above_them() {
    let (table, [good, ..]) = drawn();
    let sides = [rows(&table), rows(&table)];
    let labels = sides[0].labels().to_vec();
    let rule = Deciding::by(ThresholdRule::PrecisionAtLeast(1.0));
    let features = ["plan".to_owned()];
    let found = baseline::Baselines::learn(&table, &labels, &features, &sides, &rule).unwrap();
    assert_eq!(found.feature, "plan");
    let majority = &found.majority.test["overall"];
    assert_eq!(majority.values[&Metric::RocAuc], Ok(0.5));
    assert_eq!(majority.confusion.predicted(), 0, "the majority is negative");
    let model = evaluate(&sides, [good.clone(), good], &Deciding::by(ThresholdRule::F1)).unwrap();
    let models = [("good".to_owned(), model)];
    let above = comparison::above_one_feature(&sides[1], &found.one_feature, &models, 0.95);
    assert!(above["good"].difference.unwrap() > 0.1 && above["good"].p.unwrap() < 0.001);
    assert_eq!(above["good"].p_holm, None);
}

/// 0.3 is the best for all rows of `SCORES`; within plan a 0.7 is, and within plan b 0.3.
#[test]
fn a_threshold_per_segment_is_chosen_on_its_rows_alone() {
    let table = table();
    let sides = [rows(&table), rows(&table)];
    let evaluate = |rule, column: &str, min_rows| {
        let deciding = Deciding { rule, per_segment: Some(column.to_owned()), min_rows };
        evaluate(&sides, [SCORES.to_vec(), SCORES.to_vec()], &deciding)
    };
    let found = evaluate(ThresholdRule::F1, "plan", 1).unwrap();
    let thresholds = &found.per_segment.as_ref().unwrap().thresholds;
    assert_eq!(found.threshold, 0.3);
    assert_eq!(*thresholds, BTreeMap::from([("a".to_owned(), 0.7), ("b".to_owned(), 0.3)]));
    // The row without a plan has 0.2, below the threshold of all rows.
    let decided = &found.predicted(Side::Test).decided;
    assert_eq!(*decided, [false, true, true, true, false, true]);
    assert_eq!(found.test["plan=a"].confusion.fp, 0);
    let few = evaluate(ThresholdRule::F1, "plan", 3).unwrap().per_segment.unwrap();
    assert_eq!(few.thresholds.keys().collect::<Vec<_>>(), ["a"], "b has two rows");
    let none = evaluate(ThresholdRule::F1, "y", 1).unwrap_err();
    let told = "thresholds per segment are by a column of texts: `y` is of type integer";
    assert_eq!(none, told);
    let known = BTreeMap::new();
    let variant = document::Variant::of(&found, None, &known, ThresholdRule::F1);
    assert_eq!(
        json!(variant)["thresholds"],
        json!({"column": "plan", "thresholds": {"a": 0.7, "b": 0.3}})
    );
}

mod per_segment {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// By brute force: within each segment no other threshold gains more, and so no other pair
        /// of thresholds does in all.
        #[test]
        fn no_other_thresholds_gain_more(
            drawn in proptest::collection::vec((any::<bool>(), 0_u8..6, any::<bool>()), 2..24),
        ) {
            let plans: Vec<&str> = drawn.iter().map(|row| if row.2 { "a" } else { "b" }).collect();
            let labels: Vec<bool> = drawn.iter().map(|row| row.0).collect();
            let scores: Vec<f64> = drawn.iter().map(|row| f64::from(row.1) / 5.0).collect();
            let y = labels.iter().map(|label| Some(i64::from(*label))).collect();
            let table = Table::new(vec![
                Column::new("plan", texts(&plans)),
                Column::new("y", Values::Integer(y)),
            ]);
            let table = table.unwrap();
            let sides = [rows(&table), rows(&table)];
            let profit = Profit { value: 10.0, cost: 3.0, success: 0.8, budget: None };
            let rule = ThresholdRule::Profit(profit);
            let deciding = Deciding { rule, per_segment: Some("plan".to_owned()), min_rows: 1 };
            let Ok(found) = evaluate(&sides, [scores.clone(), scores.clone()], &deciding) else {
                // Nothing gains anything for all rows together.
                return Ok(());
            };
            let gained = |a: f64, b: f64| {
                let decide = |row: usize| scores[row] >= if plans[row] == "a" { a } else { b };
                let contacted = (0..labels.len()).filter(|row| decide(*row));
                contacted.map(|row| if labels[row] { 5.0 } else { -3.0 }).sum::<f64>()
            };
            let of = |plan: &str| {
                let known = &found.per_segment.as_ref().unwrap().thresholds;
                known.get(plan).copied()
            };
            // A plan in which nothing gains has the threshold of all rows.
            if let (Some(a), Some(b)) = (of("a"), of("b")) {
                let levels = || (0_u8..=6).map(|level| f64::from(level) / 5.0);
                let best = levels().flat_map(|a| levels().map(move |b| (a, b)));
                let best = best.map(|(a, b)| gained(a, b)).fold(0.0, f64::max);
                prop_assert_eq!(gained(a, b), best);
                let told = profit.of(&found.test["overall"].confusion);
                prop_assert!((told - best).abs() < 1e-9);
            }
        }
    }
}
