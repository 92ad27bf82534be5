//! What rows count: the column that tells it, and the rows that count at all.
//!
//! A row of weight 2 is as good as the row twice in everything that a learner minimises or counts,
//! as scikit-learn's `sample_weight`; a row of weight 0 says nothing, so it is left out before
//! anything is learnt, transforms included. What transforms learn (means, quantiles, categories)
//! counts the rows that are left alike. Learners keep weights in single precision, as linfa's
//! dataset does. Knows no learner.

use std::borrow::Cow;

use ndarray::Array1;

use super::table::{Table, Values};

/// The least weight above 0, and the largest: products with those of classes, and sums over all
/// rows, are then far from the limits of a float.
pub const RANGE: [f64; 2] = [1e-20, 1e20];

/// Rows that count, and how much.
#[derive(Clone, Debug)]
pub struct Weighed<'a> {
    /// The rows whose weight is not 0.
    pub table: Cow<'a, Table>,
    /// The weight of each; `None` where all count alike.
    pub weights: Option<Array1<f32>>,
}

/// The weight of each row, by the column that tells them.
///
/// # Errors
/// No such column, or one of texts; a row without a weight, or with one that is neither 0 nor in
/// `RANGE`.
pub fn of_rows(table: &Table, name: &str) -> Result<Vec<f32>, String> {
    let column = table.column(name).ok_or_else(|| format!("the table has no column `{name}`"))?;
    if matches!(column.values, Values::Text(_)) && column.missing() < column.len() {
        return Err(format!("weight `{name}` holds texts: weights are numbers of at least 0"));
    }
    let [least, most] = RANGE;
    let weight = |row: usize| match column.number(row) {
        Some(number) if number == 0.0 || (least..=most).contains(&number) => Ok(number as f32),
        _ => {
            let found = column.text(row).unwrap_or_else(|| "missing".to_owned());
            let range = format!("it must be 0, or from {least:e} to {most:e}");
            Err(format!("weight `{name}` is {found} in row {}: {range}", row + 1))
        }
    };
    (0..table.rows()).map(weight).collect()
}

/// The rows of a table that count, by the column that tells their weights, if there is one.
///
/// # Errors
/// Those of `of_rows`; no row that counts.
pub fn weighed<'a>(table: &'a Table, column: Option<&str>) -> Result<Weighed<'a>, String> {
    let Some(name) = column else {
        return Ok(Weighed { table: Cow::Borrowed(table), weights: None });
    };
    let mut weights = of_rows(table, name)?;
    let counting: Vec<usize> = (0..weights.len()).filter(|row| weights[*row] > 0.0).collect();
    if counting.is_empty() {
        return Err(format!("weight `{name}` is 0 in every row: nothing is left to learn from"));
    }
    let table = match counting.len() < weights.len() {
        true => Cow::Owned(table.take(&counting)),
        false => Cow::Borrowed(table),
    };
    weights.retain(|weight| *weight > 0.0);
    Ok(Weighed { table, weights: Some(Array1::from_vec(weights)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::Column;

    fn table(weights: Values) -> Table {
        let rows = (0..weights_len(&weights)).map(|row| Some(row as i64)).collect();
        let columns = vec![Column::new("x", Values::Integer(rows)), Column::new("w", weights)];
        Table::new(columns).unwrap()
    }

    fn weights_len(weights: &Values) -> usize {
        Column::new("w", weights.clone()).len()
    }

    #[test]
    fn rows_that_count_nothing_are_left_out() {
        let all = table(Values::Number(vec![0.5, 0.0, 3.0]));
        let Weighed { table, weights } = weighed(&all, Some("w")).unwrap();
        assert_eq!(table.column("x").unwrap().values, Values::Integer(vec![Some(0), Some(2)]));
        assert_eq!(weights.unwrap().to_vec(), [0.5, 3.0]);
        let Weighed { table, weights } = weighed(&all, None).unwrap();
        assert_eq!((table.rows(), weights), (3, None));
    }

    #[test]
    fn what_is_no_weight_is_told_with_its_row() {
        let refuse = |weights: Values| weighed(&table(weights), Some("w")).unwrap_err();
        let range = "it must be 0, or from 1e-20 to 1e20";
        let told = refuse(Values::Number(vec![1.0, -0.5]));
        assert_eq!(told, format!("weight `w` is -0.5 in row 2: {range}"));
        let told = refuse(Values::Integer(vec![Some(1), None]));
        assert_eq!(told, format!("weight `w` is missing in row 2: {range}"));
        let told = refuse(Values::Number(vec![1e21]));
        assert_eq!(told, format!("weight `w` is 1000000000000000000000 in row 1: {range}"));
        assert!(refuse(Values::Text(["much"].map(Some).into())).contains("holds texts"));
        assert!(refuse(Values::Integer(vec![Some(0)])).contains("0 in every row"));
        let none = weighed(&table(Values::Integer(vec![Some(1)])), Some("v")).unwrap_err();
        assert_eq!(none, "the table has no column `v`");
    }
}
