//! Tests of distributions: which bins values fall into, and what is refused.

use serde_json::{Value, json};

use super::*;

fn numbers(numbers: &[f64]) -> Bins {
    Bins::of_numbers(numbers.to_vec())
}

fn schema() -> InputSchema {
    let fields = json!([
        {"name": "age", "type": "integer", "nullable": true, "min": 0.0, "max": 90.0,
         "example": 1},
        {"name": "member", "type": "boolean", "nullable": false, "example": true},
        {"name": "plan", "type": "category", "nullable": false, "categories": ["basic", "gold"],
         "example": "gold"},
        {"name": "city", "type": "text", "nullable": false, "example": "text"},
    ]);
    let document = json!({"format": "pipeline.input/1", "fields": fields});
    serde_json::from_value(document).unwrap()
}

fn rows() -> Vec<Vec<Cell>> {
    let text = |text: String| Cell::Text(text.into());
    let row = |i: u32| {
        let age = if i.is_multiple_of(4) { Cell::Missing } else { Cell::Number(f64::from(i % 3)) };
        let plan = if i < 30 { "gold" } else { "basic" };
        // One city has twenty rows, 120 others have one each.
        let city = if i < 20 { "Zaria".to_owned() } else { format!("city {i:03}") };
        vec![age, Cell::Number(f64::from(i % 2)), text(plan.to_owned()), text(city)]
    };
    (0..140).map(row).collect()
}

fn distribution() -> Distribution {
    let count = std::cell::Cell::new(0);
    Distribution::new(&schema(), &rows(), |_| {
        count.set(count.get() + 1);
        f64::from(count.get()) / 140.0
    })
}

#[test]
fn few_numbers_have_a_bin_each_and_the_outermost_are_open() {
    let bins = numbers(&[2.0, 0.0, 0.0, 5.0]);
    assert_eq!(bins, Bins::Numbers { cuts: vec![2.0, 5.0], counts: vec![2, 1, 1] });
    let places = [-1.0, 0.0, 1.9, 2.0, 4.9, 5.0, 99.0].map(|x| bins.place(&Cell::Number(x)));
    assert_eq!(places.map(Option::unwrap), [0, 0, 0, 1, 1, 2, 2]);
    assert_eq!(bins.place(&Cell::Missing), None);
}

#[test]
fn many_numbers_have_bins_of_as_many_rows_each() {
    let bins = numbers(&(0..1000).rev().map(f64::from).collect::<Vec<_>>());
    assert_eq!(bins.counts(), [100; 10]);
}

#[test]
fn what_is_rarely_not_nought_is_seen_to_move_all_the_same() {
    let mut rare = vec![0.0; 970];
    rare.extend((1..=30).map(f64::from));
    assert_eq!(numbers(&rare), Bins::Numbers { cuts: vec![1.0], counts: vec![970, 30] });
    assert_eq!(numbers(&[3.0; 5]).counts(), [5]);
    assert_eq!(numbers(&[]).counts(), [0]);
}

#[test]
fn every_row_is_in_a_bin_or_missing() {
    let found = distribution();
    assert_eq!(found.flaw(&schema()), None);
    let [age, member, plan, city] = &found.features[..] else { panic!("{found:?}") };
    assert_eq!((found.rows, age.missing, member.missing), (140, 35, 0));
    let values = |feature: &Feature| match feature.bins.clone().unwrap() {
        Bins::Values { values, counts } => (values, counts),
        bins => panic!("{bins:?}"),
    };
    assert_eq!(values(member), (vec!["false".into(), "true".into()], vec![70, 70, 0]));
    assert_eq!(values(plan), (vec!["basic".into(), "gold".into()], vec![110, 30, 0]));
    let (texts, counts) = values(city);
    assert_eq!((texts, counts), (vec!["Zaria".to_owned()], vec![20, 120]));
    assert_eq!(found.score.counts(), [14; 10]);
}

#[test]
fn dates_have_no_bins() {
    let mut schema = schema();
    let date = json!({"format": "%Y-%m-%d"});
    schema.fields[3].date = serde_json::from_value(date.clone())
        .or_else(|_| serde_json::from_value(date["format"].clone()))
        .unwrap();
    let found = Distribution::new(&schema, &rows(), |_| 0.5);
    assert_eq!(found.features[3].bins, None);
    assert_eq!(found.flaw(&schema), None);
}

#[test]
fn what_rows_cannot_be_counted_in_is_refused() {
    let flaw = |change: fn(&mut Value)| {
        let mut document = serde_json::to_value(distribution()).unwrap();
        change(&mut document);
        let found: Distribution = serde_json::from_value(document).unwrap();
        found.flaw(&schema()).unwrap()
    };
    let told = [
        (flaw(|d| d["rows"] = json!(0)), "no rows"),
        (flaw(|d| d["format"] = json!("other")), "no rows of format"),
        (flaw(|d| d["features"][0]["name"] = json!("years")), "not the fields"),
        (flaw(|d| d["features"][0]["missing"] = json!(141)), "lacks more rows"),
        (flaw(|d| d["features"][0]["bins"]["numbers"]["cuts"] = json!([2, 1])), "ascend"),
        (flaw(|d| d["features"][1]["bins"]["values"]["counts"] = json!([140])), "one count"),
        (flaw(|d| d["features"][1]["bins"]["values"]["counts"][0] = json!(1)), "every row"),
        (flaw(|d| d["score"]["numbers"]["counts"][0] = json!(u64::MAX)), "the score"),
    ];
    for (flaw, expected) in told {
        assert!(flaw.contains(expected), "{flaw}");
    }
}
