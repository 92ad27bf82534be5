//! The metrics of rows that do not count alike: scikit-learn's with `sample_weight`.
//!
//! What `Curve`, `Confusion` and `Residuals` count is summed in weights here, in floats: of classes
//! in the order of the scores, so that the order of rows has no say, of numbers in that of rows. A
//! row of weight 0 counts nothing. Knows no model, no table and no segment, and not how sure a
//! value is: that is told of rows that count alike.

use std::collections::BTreeMap;

use super::regression::{EQUAL_TARGETS, RegressionMetric, Values, ZERO_TARGET};
use super::{Defined, Metric, NO_POSITIVES, NO_ROWS, NONE_PREDICTED, ONE_CLASS, losses};

/// A row with its score in [0, 1], its label, what was decided, and its weight of at least 0.
#[derive(Clone, Copy, Debug)]
struct Row {
    score: f64,
    is_positive: bool,
    is_decided: bool,
    weight: f64,
}

/// The weights of the negative and the positive rows of one score.
type Group = (f64, [f64; 2]);

/// Every metric of rows with their labels, scores, decisions and weights, finite and at least 0.
/// What has no partner in the other slices is left out.
pub fn of_classes(
    labels: &[bool],
    scores: &[f64],
    decided: &[bool],
    weights: &[f64],
) -> BTreeMap<Metric, Defined> {
    let of = |(((score, is_positive), is_decided), weight): (((&f64, &bool), &bool), &f64)| Row {
        // Adding 0 makes -0 and 0 the same bits, so that ties stay together.
        score: *score + 0.0,
        is_positive: *is_positive,
        is_decided: *is_decided,
        weight: *weight,
    };
    let mut rows: Vec<Row> = scores.iter().zip(labels).zip(decided).zip(weights).map(of).collect();
    rows.retain(|row| row.weight > 0.0);
    rows.sort_unstable_by(|a, b| {
        let by_row = (a.is_positive, a.is_decided).cmp(&(b.is_positive, b.is_decided));
        b.score.total_cmp(&a.score).then(by_row).then(a.weight.total_cmp(&b.weight))
    });
    let group = |ties: &[Row]| -> Group {
        let mut sums = [0.0; 2];
        ties.iter().for_each(|row| sums[usize::from(row.is_positive)] += row.weight);
        (ties[0].score, sums)
    };
    let groups: Vec<Group> = rows.chunk_by(|a, b| a.score == b.score).map(group).collect();
    // By label, then by decision.
    let mut confusion = [[0.0; 2]; 2];
    for row in &rows {
        confusion[usize::from(row.is_positive)][usize::from(row.is_decided)] += row.weight;
    }
    let value = |metric: Metric| match metric {
        Metric::RocAuc => roc_auc(&groups),
        Metric::PrAuc => average_precision(&groups),
        Metric::LogLoss => mean(&groups, |score| losses(score)[0]),
        Metric::Brier => mean(&groups, |score| losses(score)[1]),
        Metric::Accuracy | Metric::Precision | Metric::Recall | Metric::F1 => {
            of_decisions(metric, &confusion)
        }
    };
    Metric::ALL.into_iter().map(|metric| (metric, value(metric))).collect()
}

fn totals(groups: &[Group]) -> [f64; 2] {
    let mut totals = [0.0; 2];
    for (_, sums) in groups {
        totals[0] += sums[0];
        totals[1] += sums[1];
    }
    totals
}

/// The weight of pairs of a positive and a negative row in which the positive one scores higher,
/// and half of those where both score the same, in parts of all.
fn roc_auc(groups: &[Group]) -> Defined {
    let [negatives, positives] = totals(groups);
    if negatives == 0.0 || positives == 0.0 {
        return Err(ONE_CLASS);
    }
    let (mut won, mut above) = (0.0, 0.0);
    for (_, [negative, positive]) in groups {
        won += negative * (above + 0.5 * positive);
        above += positive;
    }
    Ok(won / (negatives * positives))
}

fn average_precision(groups: &[Group]) -> Defined {
    let [_, positives] = totals(groups);
    if positives == 0.0 {
        return Err(NO_POSITIVES);
    }
    let (mut true_ones, mut all, mut sum) = (0.0, 0.0, 0.0);
    for (_, [negative, positive]) in groups {
        true_ones += positive;
        all += negative + positive;
        sum += positive / positives * (true_ones / all);
    }
    Ok(sum)
}

/// The mean of what each row costs by its score: a negative one, and a positive one.
fn mean(groups: &[Group], costs: impl Fn(f64) -> [f64; 2]) -> Defined {
    let [negatives, positives] = totals(groups);
    let mut sum = 0.0;
    for (score, [negative, positive]) in groups {
        let [of_negative, of_positive] = costs(*score);
        sum += positive * of_positive + negative * of_negative;
    }
    fraction(sum, negatives + positives, NO_ROWS)
}

/// The metrics of decisions, by the weights of rows by label, then by decision.
fn of_decisions(metric: Metric, confusion: &[[f64; 2]; 2]) -> Defined {
    let [[tn, fp], [fn_, tp]] = *confusion;
    match metric {
        Metric::Precision => fraction(tp, tp + fp, NONE_PREDICTED),
        Metric::Recall => fraction(tp, tp + fn_, NO_POSITIVES),
        Metric::F1 => {
            let why = "no row is positive, or predicted so";
            fraction(2.0 * tp, 2.0 * tp + fp + fn_, why)
        }
        _ => fraction(tn + tp, (tn + fp) + (fn_ + tp), NO_ROWS),
    }
}

fn fraction(part: f64, whole: f64, why_none: &'static str) -> Defined {
    if whole == 0.0 { Err(why_none) } else { Ok(part / whole) }
}

/// Every metric of numbers: what came true, what was predicted, and the weights of the rows.
pub fn of_numbers(actual: &[f64], predicted: &[f64], weights: &[f64]) -> Values {
    let rows = actual.iter().zip(predicted).zip(weights).filter(|(_, weight)| **weight > 0.0);
    let rows: Vec<[f64; 3]> = rows.map(|((y, p), weight)| [*y, y - p, *weight]).collect();
    let sum = |of: &dyn Fn(f64, f64) -> f64| {
        let mut sum = 0.0;
        rows.iter().for_each(|[y, error, weight]| sum += weight * of(*y, *error));
        sum
    };
    let total = sum(&|_, _| 1.0);
    if total == 0.0 {
        return RegressionMetric::ALL.into_iter().map(|metric| (metric, Err(NO_ROWS))).collect();
    }
    let (mean, mean_error) = (sum(&|y, _| y) / total, sum(&|_, error| error) / total);
    let spread = sum(&|y, _| (y - mean) * (y - mean));
    let is_constant = rows.iter().all(|row| row[0] == rows[0][0]);
    let of_spread = |part: f64| match is_constant || spread == 0.0 {
        true => Err(EQUAL_TARGETS),
        false => Ok(1.0 - part / spread),
    };
    let value = |metric: RegressionMetric| match metric {
        RegressionMetric::Rmse => Ok((sum(&|_, error| error * error) / total).sqrt()),
        RegressionMetric::Mae => Ok(sum(&|_, error| error.abs()) / total),
        RegressionMetric::R2 => of_spread(sum(&|_, error| error * error)),
        RegressionMetric::MedianAbsoluteError => Ok(median(&rows)),
        RegressionMetric::Mape if rows.iter().any(|row| row[0] == 0.0) => Err(ZERO_TARGET),
        RegressionMetric::Mape => Ok(sum(&|y, error| error.abs() / y.abs()) / total),
        RegressionMetric::ExplainedVariance => {
            of_spread(sum(&|_, error| (error - mean_error) * (error - mean_error)))
        }
    };
    RegressionMetric::ALL.into_iter().map(|metric| (metric, value(metric))).collect()
}

/// The absolute error below which half of the weight is; where exactly half is at most one error,
/// the mean of that and the next (scikit-learn's averaged inverted distribution function).
fn median(rows: &[[f64; 3]]) -> f64 {
    let mut sizes: Vec<[f64; 2]> =
        rows.iter().map(|[_, error, weight]| [error.abs(), *weight]).collect();
    sizes.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut total = 0.0;
    sizes.iter().for_each(|[_, weight]| total += weight);
    let mut below = 0.0;
    for (i, [size, weight]) in sizes.iter().enumerate() {
        below += weight;
        if below == 0.5 * total {
            return 0.5 * (size + sizes.get(i + 1).map_or(*size, |next| next[0]));
        }
        if below > 0.5 * total {
            return *size;
        }
    }
    0.0
}

#[cfg(test)]
mod tests;
