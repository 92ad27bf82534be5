//! The lines that `evaluate` tells people: variants side by side, and the champion by segment.

use crate::ml::evaluation::{Evaluated, OVERALL, Side};
use crate::ml::metrics::{Metric, Scores};

/// What is shown; all of it is in `metrics.json`.
const SHOWN: [Metric; 6] =
    [Metric::RocAuc, Metric::PrAuc, Metric::LogLoss, Metric::Precision, Metric::Recall, Metric::F1];

/// A row per variant with its metrics on test, the reference last, and one per segment of the
/// champion.
pub(super) fn lines(
    variants: &[(String, Evaluated)],
    champion: usize,
    reference: Option<&Evaluated>,
) -> Vec<String> {
    let mut heads = vec!["test".to_owned()];
    heads.extend(SHOWN.iter().map(|metric| metric.name().to_owned()));
    heads.extend(["threshold".to_owned(), "n".to_owned()]);
    let mut rows = vec![heads];
    for (name, evaluated) in variants {
        rows.push(row(name, &evaluated.test[OVERALL], Some(evaluated.threshold)));
    }
    if let Some(evaluated) = reference {
        rows.push(row("(reference)", &evaluated.test[OVERALL], Some(evaluated.threshold)));
    }
    if let Some((name, evaluated)) = variants.get(champion) {
        let segments = evaluated.test.iter().filter(|(segment, _)| *segment != OVERALL);
        rows.extend(
            segments.map(|(segment, scores)| row(&format!("{name} {segment}"), scores, None)),
        );
    }
    align(&rows)
}

/// The champion, how it was chosen, and how far it is from the reference.
pub(super) fn champion_line(name: &str, champion: &Evaluated, metric: Metric) -> String {
    let [validation, test] = Side::ALL.map(|side| show(champion.overall(side, metric).ok()));
    format!("champion: {name}, {} {validation} on validation, {test} on test", metric.name())
}

/// The reference beside the champion.
pub(super) fn reference_line(
    champion: &Evaluated,
    reference: &Evaluated,
    metric: Metric,
) -> String {
    let reached = [reference, champion].map(|e| e.overall(Side::Test, metric).ok());
    let [of_reference, of_champion] = reached.map(show);
    let name = metric.name();
    format!("reference: {name} {of_reference} on test, where the champion has {of_champion}")
}

fn row(name: &str, scores: &Scores, threshold: Option<f64>) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    row.extend(SHOWN.iter().map(|metric| show(scores.values[metric].ok())));
    row.push(threshold.map_or_else(String::new, |threshold| show(Some(threshold))));
    row.push(scores.n.to_string());
    row
}

fn show(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// Columns of equal width: the first to the left, numbers to the right.
fn align(rows: &[Vec<String>]) -> Vec<String> {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["test", "f1", "n"]), row(["é", "0.5000", "12"]), row(["longer", "-", ""])];
        assert_eq!(align(&rows), ["test        f1   n", "é       0.5000  12", "longer       -"]);
    }
}
