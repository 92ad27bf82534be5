//! The lines that `evaluate` tells people: variants side by side, and the champion by segment.

use std::collections::BTreeMap;

use super::found::Found;
use crate::ml::evaluation::certainty::Intervals;
use crate::ml::evaluation::document::{AucTest, Baselines};
use crate::ml::evaluation::{Evaluated, OVERALL, Side, importance};
use crate::ml::metrics::{Bounded, Metric, Scores, ThresholdRule};
use crate::ml::per_segment::PerSegment;

/// What is shown; all of it is in `metrics.json`.
const SHOWN: [Metric; 6] =
    [Metric::RocAuc, Metric::PrAuc, Metric::LogLoss, Metric::Precision, Metric::Recall, Metric::F1];

/// A row per variant with its metrics on test, the baselines and the reference last, and one per
/// segment of the champion.
pub(super) fn lines(found: &Found, champion: usize) -> Vec<String> {
    let mut heads = vec!["test".to_owned()];
    heads.extend(SHOWN.iter().map(|metric| metric.name().to_owned()));
    heads.extend(["threshold".to_owned(), "n".to_owned()]);
    let mut rows = vec![heads];
    let mut named: Vec<(String, &Evaluated)> =
        found.variants.iter().map(|(name, evaluated)| (name.clone(), evaluated)).collect();
    if let Ok(known) = &found.baselines {
        named.push(("(majority)".to_owned(), &known.majority));
        named.push((format!("({} alone)", known.feature), &known.one_feature));
    }
    if let Some(evaluated) = &found.reference {
        named.push(("(reference)".to_owned(), evaluated));
    }
    for ((name, evaluated), intervals) in named.iter().zip(&found.certainty.intervals) {
        rows.push(row(name, evaluated, OVERALL, intervals));
    }
    if let Some((name, evaluated)) = found.variants.get(champion) {
        let intervals = &found.certainty.intervals[champion];
        for segment in evaluated.test.keys().filter(|segment| *segment != OVERALL) {
            let mut row = row(&format!("{name} {segment}"), evaluated, segment, intervals);
            // The threshold of all rows stands above.
            let mut own = evaluated.per_segment.iter().flat_map(PerSegment::named);
            let own = own.find(|(name, _)| name == segment).map(|(_, threshold)| threshold);
            row[SHOWN.len() + 1] = own.map_or_else(String::new, |threshold| show(Some(threshold)));
            rows.push(row);
        }
    }
    align(&rows)
}

/// The champion, how it was chosen, and where its figure on test lies.
pub(super) fn champion_line(
    name: &str,
    champion: &Evaluated,
    metric: Metric,
    intervals: &Intervals,
) -> String {
    let [validation, test] = Side::ALL.map(|side| show(champion.overall(side, metric).ok()));
    let interval = intervals.get(&metric).map_or(String::new(), |interval| bounds(*interval));
    format!(
        "champion: {name}, {} {validation} on validation, {test}{interval} on test",
        metric.name()
    )
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

/// Which variants are not clearly better than one feature alone: of those that are, chance alone
/// gives such a difference less often than `outside`.
pub(super) fn warnings(baselines: &Baselines, outside: f64) -> Vec<String> {
    let warning = |(variant, test): (&String, &AucTest)| {
        let difference = test.difference?;
        let p = test.p?;
        let is_better = difference > 0.0 && p < outside;
        (!is_better).then(|| {
            format!(
                "warning: {variant} is not clearly better than `{}` alone: roc_auc {difference:+.4} \
                 on test (p = {p:.2})",
                baselines.feature
            )
        })
    };
    baselines.above_one_feature.iter().filter_map(warning).collect()
}

/// What each variant's decisions on test gain; nothing for rules that speak of no money.
pub(super) fn profit_line(variants: &[(String, Evaluated)], rule: ThresholdRule) -> Option<String> {
    let gained = |(name, evaluated): &(String, Evaluated)| {
        let confusion = &evaluated.test[OVERALL].confusion;
        let (profit, contacts) = (rule.profit(confusion)?, confusion.predicted());
        Some(format!("{name} {profit:.2} from {contacts} contacts"))
    };
    let gained: Option<Vec<String>> = variants.iter().map(gained).collect();
    Some(format!("profit on test: {}", gained?.join(", ")))
}

/// The features that matter most to the champion; nothing when that is not known.
pub(super) fn importance_line(found: &importance::Document) -> Option<String> {
    const MOST: usize = 5;
    let features = found.importances.iter().take(MOST);
    let features: Vec<String> =
        features.map(|of| format!("{} {:.4}", of.feature, of.mean)).collect();
    let none = features.is_empty();
    let name = found.quality.name();
    (!none).then(|| format!("{name} falls when a column is shuffled: {}", features.join(", ")))
}

fn row(
    name: &str,
    evaluated: &Evaluated,
    segment: &str,
    intervals: &BTreeMap<String, Intervals>,
) -> Vec<String> {
    let scores: &Scores = &evaluated.test[segment];
    let interval = intervals.get(segment).and_then(|known| known.get(&Metric::RocAuc));
    let mut row = vec![name.to_owned()];
    row.extend(SHOWN.iter().map(|metric| {
        let value = show(scores.values[metric].ok());
        match (metric, interval) {
            (Metric::RocAuc, Some(interval)) => value + &bounds(*interval),
            _ => value,
        }
    }));
    row.push(show(Some(evaluated.threshold)));
    row.push(scores.n.to_string());
    row
}

fn show(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// An interval behind its figure; nothing when there is none.
fn bounds(interval: Bounded) -> String {
    interval.map_or(String::new(), |at| format!(" [{:.3}, {:.3}]", at.low, at.high))
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
    use crate::ml::metrics::Interval;

    #[test]
    fn an_interval_stands_behind_its_figure_and_none_leaves_nothing() {
        assert_eq!(bounds(Ok(Interval { low: 0.89349, high: 0.9271 })), " [0.893, 0.927]");
        assert_eq!(bounds(Err("why")), "");
    }

    #[test]
    fn only_what_is_not_better_than_one_feature_is_warned_of() {
        let side = || serde_json::json!({"threshold": 0.5, "validation": {}, "test": {}});
        let test = |difference: f64, p: f64| {
            let (z, interval) = (1.0, [0.0, 1.0]);
            serde_json::json!({"difference": difference, "p": p, "z": z, "interval": interval})
        };
        let baselines: Baselines = serde_json::from_value(serde_json::json!({
            "learned_on": "train",
            "majority": side(),
            "feature": "x",
            "one_feature": side(),
            "above_one_feature": {
                "better": test(0.1, 0.001),
                "equal": test(0.01, 0.4),
                "worse": test(-0.1, 0.001),
                "unknown": {"undefined": "why"},
            },
        }))
        .unwrap();
        let expected = [
            "warning: equal is not clearly better than `x` alone: roc_auc +0.0100 on test (p = 0.40)",
            "warning: worse is not clearly better than `x` alone: roc_auc -0.1000 on test (p = 0.00)",
        ];
        assert_eq!(warnings(&baselines, 0.05), expected);
    }

    #[test]
    fn numbers_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["test", "f1", "n"]), row(["é", "0.5000", "12"]), row(["longer", "-", ""])];
        assert_eq!(align(&rows), ["test        f1   n", "é       0.5000  12", "longer       -"]);
    }
}
