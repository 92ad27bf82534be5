//! The two classes of a target, and which rows are of which; or its numbers.
//!
//! A class keeps the type that it has in the data: 0 and 1, "No" and "Yes", false and true.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cell::Cell;
use super::learn::numbers::LARGEST_TARGET;
use super::table::{Column, Values};

/// The negative and the positive class.
pub type Classes = [Value; 2];

/// The two classes of a target column. The positive one is `positive`, or the last of the sorted
/// ones, as in scikit-learn.
///
/// # Errors
/// Rows without a value; more or fewer than two classes; a `positive` that is none of them.
pub fn classes(column: &Column, positive: Option<&Value>) -> Result<Classes, String> {
    let name = &column.name;
    refuse_missing(column)?;
    let found = distinct(column);
    let shown: Vec<String> = found.iter().take(5).map(show).collect();
    let shown = shown.join(", ");
    let [first, last]: Classes = found.try_into().map_err(|found: Vec<Value>| {
        let more = if found.len() > 5 { ", …" } else { "" };
        format!(
            "target `{name}` has {} classes ({shown}{more}); exactly two are supported",
            found.len()
        )
    })?;
    match positive {
        None => Ok([first, last]),
        Some(positive) if is_same(positive, &last) => Ok([first, last]),
        Some(positive) if is_same(positive, &first) => Ok([last, first]),
        Some(positive) => Err(format!(
            "`positive` is {positive}, but target `{name}` has the classes {first} and {last}"
        )),
    }
}

/// Whether each row of a target column is of the positive class.
///
/// # Errors
/// Rows without a value, or with one that is neither class.
pub fn labels(column: &Column, classes: &Classes) -> Result<Vec<bool>, String> {
    refuse_missing(column)?;
    let label = |row: usize| {
        is_positive(classes, &column.cell(row)).ok_or_else(|| {
            format!(
                "target `{}` is {} in row {}, neither {} nor {}",
                column.name,
                column.text(row).unwrap_or_default(),
                row + 1,
                show(&classes[0]),
                show(&classes[1]),
            )
        })
    };
    (0..column.len()).map(label).collect()
}

/// The numbers of a target column; truth values are 0 and 1.
///
/// # Errors
/// A column of texts, rows without a value, or a number beyond what learners take.
pub fn numbers(column: &Column) -> Result<Vec<f64>, String> {
    let name = &column.name;
    if matches!(column.values, Values::Text(_)) {
        return Err(format!("target `{name}` holds texts: a regression predicts numbers"));
    }
    refuse_missing(column)?;
    let numbers: Vec<f64> = (0..column.len()).filter_map(|row| column.number(row)).collect();
    match numbers.iter().position(|number| number.abs() > LARGEST_TARGET) {
        Some(row) => Err(format!("target `{name}` is {} in row {}", numbers[row], row + 1)),
        None => Ok(numbers),
    }
}

/// Whether a cell is of the positive class; `None` when it is of neither.
pub fn is_positive(classes: &Classes, cell: &Cell) -> Option<bool> {
    let is = |class: &Value| match (class, cell) {
        (Value::String(class), Cell::Text(text)) => class == text,
        (Value::Bool(class), Cell::Number(number)) => f64::from(u8::from(*class)) == *number,
        (Value::Number(class), Cell::Number(number)) => class.as_f64() == Some(*number),
        _ => false,
    };
    if is(&classes[1]) { Some(true) } else { is(&classes[0]).then_some(false) }
}

/// A class as it is shown to people and used in names: texts bare.
pub fn show(class: &Value) -> String {
    class.as_str().map_or_else(|| class.to_string(), str::to_owned)
}

/// Whether two classes are the same; 1 and 1.0 are.
pub fn is_same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn refuse_missing(column: &Column) -> Result<(), String> {
    let Some(first) = (0..column.len()).find(|row| column.is_missing(*row)) else { return Ok(()) };
    Err(format!(
        "target `{}` has no value in {} of {} rows, the first is row {}",
        column.name,
        column.missing(),
        column.len(),
        first + 1
    ))
}

/// The distinct values, sorted; nothing is missing.
fn distinct(column: &Column) -> Vec<Value> {
    match &column.values {
        Values::Integer(values) => {
            let set: BTreeSet<i64> = values.iter().flatten().copied().collect();
            set.into_iter().map(Value::from).collect()
        }
        Values::Number(values) => {
            let mut values = values.clone();
            values.sort_unstable_by(f64::total_cmp);
            values.dedup();
            values.into_iter().map(Value::from).collect()
        }
        Values::Boolean(values) => {
            let set: BTreeSet<bool> = values.iter().flatten().copied().collect();
            set.into_iter().map(Value::from).collect()
        }
        Values::Text(texts) => texts.counts().into_iter().map(|(text, _)| text.into()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(values: &[&str]) -> Column {
        let text = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        Column::new("y", Values::Text(values.iter().map(text).collect()))
    }

    #[test]
    fn classes_keep_their_type_and_the_last_is_positive() {
        assert_eq!(classes(&texts(&["Yes", "No", "Yes"]), None), Ok([json!("No"), json!("Yes")]));
        let whole = Column::new("y", Values::Integer(vec![Some(1), Some(0)]));
        assert_eq!(classes(&whole, None), Ok([json!(0), json!(1)]));
        let truth = Column::new("y", Values::Boolean(vec![Some(true), Some(false)]));
        assert_eq!(classes(&truth, None), Ok([json!(false), json!(true)]));
        let real = Column::new("y", Values::Number(vec![2.5, 1.0, 2.5]));
        assert_eq!(classes(&real, None), Ok([json!(1.0), json!(2.5)]));
    }

    #[test]
    fn the_positive_class_may_be_named() {
        let column = texts(&["stay", "leave"]);
        let named = classes(&column, Some(&json!("leave")));
        assert_eq!(named, Ok([json!("stay"), json!("leave")]));
        let whole = Column::new("y", Values::Integer(vec![Some(1), Some(2)]));
        assert_eq!(classes(&whole, Some(&json!(1.0))), Ok([json!(2), json!(1)]));
        let wrong = classes(&column, Some(&json!(1))).unwrap_err();
        assert_eq!(wrong, "`positive` is 1, but target `y` has the classes \"leave\" and \"stay\"");
    }

    #[test]
    fn other_than_two_classes_are_refused_with_their_names() {
        let wrong = classes(&texts(&["a"; 3]), None).unwrap_err();
        assert_eq!(wrong, "target `y` has 1 classes (a); exactly two are supported");
        let wrong = classes(&texts(&["f", "e", "d", "c", "b", "a"]), None).unwrap_err();
        assert_eq!(wrong, "target `y` has 6 classes (a, b, c, d, e, …); exactly two are supported");
    }

    #[test]
    fn numbers_are_numbers_and_nothing_else() {
        let truth = Column::new("y", Values::Boolean(vec![Some(true), Some(false)]));
        assert_eq!(numbers(&truth), Ok(vec![1.0, 0.0]));
        assert_eq!(numbers(&Column::new("y", Values::Number(vec![2.5]))), Ok(vec![2.5]));
        let wrong = numbers(&texts(&["1"])).unwrap_err();
        assert_eq!(wrong, "target `y` holds texts: a regression predicts numbers");
        let missing = Column::new("y", Values::Integer(vec![Some(1), None]));
        let expected = "target `y` has no value in 1 of 2 rows, the first is row 2";
        assert_eq!(numbers(&missing).unwrap_err(), expected);
        assert!(numbers(&Column::new("y", Values::Number(vec![1e101]))).is_err());
    }

    #[test]
    fn a_row_without_a_class_is_named() {
        let missing = texts(&["No", "", "Yes", ""]);
        let expected = "target `y` has no value in 2 of 4 rows, the first is row 2";
        assert_eq!(classes(&missing, None).unwrap_err(), expected);
        let classes = [json!("No"), json!("Yes")];
        assert_eq!(labels(&texts(&["Yes", "No"]), &classes), Ok(vec![true, false]));
        assert_eq!(labels(&missing, &classes).unwrap_err(), expected);
        let wrong = labels(&texts(&["Yes", "Maybe"]), &classes).unwrap_err();
        assert_eq!(wrong, "target `y` is Maybe in row 2, neither No nor Yes");
    }
}
