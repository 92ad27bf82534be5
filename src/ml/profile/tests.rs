//! Tests of profiles: types, counts, shapes against pandas, relations, alerts.

use super::*;
use crate::ml::table::Values;

fn limits() -> Limits {
    Limits { histogram_bins: 4, top_values: 2, max_categories: 2, ..Limits::default() }
}

fn table() -> Table {
    let texts = |texts: [&str; 4]| Values::Text(texts.map(Some).into());
    Table::new(vec![
        Column::new("code", texts(["x", "y", "x", "y"])),
        Column::new("plan", texts(["b", "a", "b", ""])),
        Column::new("note", texts(["p", "q", "r", "s"])),
        Column::new("months", Values::Integer(vec![Some(72), Some(1), None, Some(5)])),
        Column::new("left", Values::Boolean(vec![Some(true), Some(false), Some(true), None])),
        Column::new("empty", Values::Text([None::<&str>; 4].into())),
    ])
    .unwrap()
}

fn roles() -> Roles {
    Roles::from([
        ("code".to_owned(), vec![Role::Id]),
        ("plan".to_owned(), vec![Role::Segment, Role::Feature, Role::Segment]),
    ])
}

#[test]
fn the_schema_has_types_roles_ranges_and_categories() {
    let (_, schema) = profile(&table(), &roles(), limits());
    let types: Vec<_> = schema.fields.iter().map(|field| field.ty).collect();
    use FieldType::{Boolean, Category, Integer, Text};
    assert_eq!(types, [Text, Category, Text, Integer, Boolean, Text]);
    let plan = &schema.fields[1];
    assert_eq!(plan.roles, [Role::Feature, Role::Segment]);
    assert_eq!(plan.categories.as_deref(), Some(["a".to_owned(), "b".to_owned()].as_slice()));
    let months = &schema.fields[3];
    assert_eq!((months.min, months.max, months.nullable), (Some(1.0), Some(72.0), true));
    assert_eq!(months.roles, [Role::Feature]);
    assert!(!schema.fields[0].nullable && schema.fields[0].categories.is_none());
}

#[test]
fn the_profile_counts_what_is_there_and_what_is_not() {
    let (profile, _) = profile(&table(), &roles(), limits());
    assert_eq!((profile.rows, profile.missing_cells), (4, 7));
    let plan = &profile.columns[1];
    assert_eq!((plan.count, plan.missing, plan.distinct), (3, 1, 2));
    assert_eq!(plan.top_values[0], Top { value: "b".into(), count: 2 });
    let left = &profile.columns[4];
    assert_eq!(left.top_values[0], Top { value: true.into(), count: 2 });
    assert_eq!(left.numbers, None);
}

#[test]
fn the_documents_read_back_as_they_were_written() {
    let (profile, schema) = profile(&table(), &roles(), limits());
    let bytes = crate::ml::json::to_bytes(&profile).unwrap();
    assert_eq!(serde_json::from_slice::<Profile>(&bytes).unwrap(), profile);
    let bytes = crate::ml::json::to_bytes(&schema).unwrap();
    assert_eq!(serde_json::from_slice::<Schema>(&bytes).unwrap(), schema);
}

fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests/golden/profile.json")).unwrap()
}

#[test]
fn the_shape_of_numbers_is_that_of_pandas() {
    for case in golden()["shapes"].as_array().unwrap() {
        let values = case["values"].as_array().unwrap();
        let values = values.iter().map(|value| value.as_f64().unwrap()).collect();
        let column = Column::new("x", Values::Number(values));
        let told = details::shape(&column, &describe::sorted_numbers(&column)).unwrap();
        let told = serde_json::to_value(told).unwrap();
        for key in [
            "sum",
            "variance",
            "coefficient_of_variation",
            "skewness",
            "kurtosis",
            "median_absolute_deviation",
            "interquartile_range",
        ] {
            match (told[key].as_f64(), case[key].as_f64()) {
                (Some(ours), Some(theirs)) => {
                    let error = (ours - theirs).abs() / theirs.abs().max(1.0);
                    assert!(error < 1e-12, "{key}: {ours} {theirs}");
                }
                (ours, theirs) => {
                    assert_eq!(ours, theirs, "{key} of {values}", values = case["values"]);
                }
            }
        }
    }
}

#[test]
fn zeros_extremes_and_order_are_told() {
    let values = vec![3.0, 0.0, -1.0, f64::INFINITY, -0.0, f64::NAN, 9.0, 8.0, 7.0];
    let column = Column::new("x", Values::Number(values));
    let told = details::shape(&column, &describe::sorted_numbers(&column)).unwrap();
    assert_eq!((told.zeros, told.negatives, told.infinite), (2, 1, 1));
    assert_eq!(told.lowest, [-1.0, 0.0, 0.0, 3.0, 7.0]);
    assert_eq!(told.highest, [9.0, 8.0, 7.0, 3.0, 0.0]);
    assert!(!told.is_increasing && !told.is_decreasing);
    let rising = Column::new("x", Values::Integer(vec![Some(1), None, Some(1), Some(2)]));
    let told = details::shape(&rising, &describe::sorted_numbers(&rising)).unwrap();
    assert!(told.is_increasing && !told.is_decreasing);
}

#[test]
fn texts_have_lengths_characters_and_days() {
    let texts = |texts: &[&str]| {
        let texts = texts.iter().map(|text| Some((*text).to_owned())).collect();
        details::lengths(&Column::new("x", Values::Text(texts)))
    };
    let told = texts(&["abc", "", "é", "ab"]).unwrap();
    assert_eq!((told.min, told.max, told.mean, told.median), (1, 3, 2.0, 2.0));
    assert_eq!((told.characters, told.distinct_characters, told.days), (6, 4, None));
    let days = texts(&["2026-03-01", "2026-01-31 12:00"]).unwrap().days.unwrap();
    assert_eq!(days, ["2026-01-31", "2026-03-01"]);
    assert_eq!(texts(&["2026-03-01", "soon"]).unwrap().days, None);
    assert_eq!(texts(&[""]), None);
}

#[test]
fn what_goes_together_what_is_missing_together_and_what_repeats_is_told() {
    let number = |values: [i64; 6]| Values::Integer(values.map(Some).to_vec());
    let gap = |values: [&str; 6]| Values::Text(values.map(Some).into());
    let table = Table::new(vec![
        Column::new("a", number([1, 2, 3, 4, 5, 5])),
        Column::new("b", number([-2, -4, -6, -8, -10, -10])),
        Column::new("p", gap(["x", "", "y", "x", "y", "y"])),
        Column::new("q", gap(["m", "", "n", "m", "", ""])),
    ])
    .unwrap();
    let (profile, _) = profile(&table, &Roles::new(), Limits::default());
    assert_eq!(profile.duplicate_rows, Some(1));
    let numbers = &profile.correlations[0];
    assert_eq!(numbers.columns, ["a", "b"]);
    assert_eq!((numbers.pearson, numbers.spearman), (Some(-1.0), Some(-1.0)));
    let texts = &profile.correlations[1];
    assert_eq!((texts.columns.join(","), texts.cramers_v), ("p,q".to_owned(), Some(1.0)));
    let patterns: Vec<_> =
        profile.missing_patterns.iter().map(|p| (p.columns.join(","), p.rows)).collect();
    let pattern = |columns: &str, rows| (columns.to_owned(), rows);
    assert_eq!(patterns, [pattern("", 3), pattern("q", 2), pattern("p,q", 1)]);
}

#[test]
fn correlations_of_a_large_table_are_those_of_rows_spread_over_it() {
    let n = 1000;
    let number = |row: i64| Some(row * 37 % 101);
    let table = Table::new(vec![
        Column::new("a", Values::Integer((0..n).map(number).collect())),
        Column::new("b", Values::Integer((0..n).map(|row| number(row * row)).collect())),
    ])
    .unwrap();
    let with = |table: &Table, max_correlated_rows| {
        let limits = Limits { max_correlated_rows, ..Limits::default() };
        profile(table, &Roles::new(), limits).0.correlations
    };
    let every_fourth: Vec<usize> = (0..250).map(|row| row * 4).collect();
    assert_eq!(with(&table, 250), with(&table.take(&every_fourth), 1000));
    assert_ne!(with(&table, 250), with(&table, 1000));
}

#[test]
fn alerts_bear_the_names_of_ydata_profiling() {
    let n = 100;
    let texts = |text: fn(usize) -> String| Values::Text((0..n).map(|i| Some(text(i))).collect());
    let table = Table::new(vec![
        Column::new("constant", Values::Integer(vec![Some(7); n])),
        Column::new("key", texts(|i| format!("k{i:03}"))),
        Column::new("zeros", Values::Number((0..n).map(|i| (i % 3) as f64 * 0.5).collect())),
        Column::new("uniform", Values::Number((0..n).map(|i| i as f64 + 0.5).collect())),
        Column::new("twice", Values::Number((0..n).map(|i| 2.0 * i as f64 + 0.5).collect())),
        Column::new("rare", Values::Boolean((0..n).map(|i| Some(i == 3)).collect())),
        Column::new(
            "gaps",
            Values::Integer((0..n).map(|i| (i % 9 > 1).then_some(4 - i as i64 % 5)).collect()),
        ),
        Column::new("empty", Values::Text(vec![None::<&str>; n].into())),
    ])
    .unwrap();
    let limits = Limits { max_categories: 20, ..Limits::default() };
    let (profile, _) = profile(&table, &Roles::new(), limits);
    let told = |name: Name| -> Vec<String> {
        let alerts = profile.alerts.iter().filter(|alert| alert.alert == name);
        alerts.map(|alert| alert.columns.join(",")).collect()
    };
    assert_eq!(told(Name::Constant), ["constant"]);
    assert_eq!(told(Name::Unique), ["key", "uniform", "twice"]);
    assert_eq!(told(Name::ConstantLength), ["key"]);
    assert_eq!(told(Name::HighCardinality), ["key"]);
    assert_eq!(told(Name::Zeros), ["zeros", "gaps"]);
    assert_eq!(told(Name::Uniform), ["uniform", "twice"]);
    assert_eq!(told(Name::HighCorrelation), ["uniform,twice"]);
    assert_eq!(told(Name::Imbalance), ["rare"]);
    assert_eq!(told(Name::Missing), ["gaps"]);
    assert_eq!(told(Name::Empty), ["empty"]);
    assert_eq!(told(Name::Duplicates), [""; 0]);
    let one = profile.alerts.iter().find(|alert| alert.alert == Name::Missing).unwrap();
    assert_eq!(serde_json::to_value(one.alert).unwrap(), "MISSING");
}

#[test]
fn documents_of_older_programs_are_read() {
    let (told, _) = profile(&table(), &roles(), limits());
    let mut old = serde_json::to_value(&told).unwrap();
    let added = ["duplicate_rows", "missing_patterns", "correlations", "alerts", "drift"];
    added.iter().for_each(|key| drop(old.as_object_mut().unwrap().remove(*key)));
    for column in old["columns"].as_array_mut().unwrap() {
        let column = column.as_object_mut().unwrap();
        ["shape", "lengths", "imbalance", "bins"].iter().for_each(|key| drop(column.remove(*key)));
    }
    let read: Profile = serde_json::from_value(old).unwrap();
    assert_eq!(read.columns[1].top_values, told.columns[1].top_values);
    assert!(read.alerts.is_empty() && read.columns[3].bins.is_none());
}

#[test]
fn the_bins_of_later_comparisons_hold_every_value() {
    let (profile, _) = profile(&table(), &roles(), limits());
    for column in &profile.columns {
        let total: u64 = match &column.bins {
            Some(Bins::Numbers { edges, counts }) => {
                assert!(edges.is_sorted() && edges.len() == counts.len() + 1);
                counts.iter().sum()
            }
            Some(Bins::Values { values, counts }) => {
                assert!(values.is_sorted() && values.len() == counts.len());
                counts.iter().sum()
            }
            None => continue,
        };
        assert_eq!(total, column.count as u64, "{}", column.name);
    }
}
