//! Resamples are counted rightly, their intervals keep their level, and threads have no say.

use proptest::prelude::*;

use super::*;
use crate::ml::metrics::Curve;

const LABELS: [bool; 12] =
    [true, false, true, false, false, true, true, false, true, false, true, false];
const SCORES: [f64; 12] = [0.9, 0.1, 0.8, 0.8, 0.3, 0.4, 0.7, 0.6, 0.2, 0.5, 0.95, 0.05];

fn decide(scores: &[f64]) -> Vec<bool> {
    scores.iter().map(|score| *score >= 0.5).collect()
}

fn replicates(resamples: usize) -> Replicates {
    let decided = decide(&SCORES);
    let reversed: Vec<f64> = SCORES.iter().map(|score| 1.0 - score).collect();
    let models = [
        Scored { scores: &SCORES, decided: &decided },
        Scored { scores: &reversed, decided: &decided },
        Scored { scores: &SCORES, decided: &decided },
    ];
    replicate(&LABELS, &models, resamples, &[5; 32]).unwrap()
}

#[test]
fn a_resample_has_as_many_rows_of_each_class_as_the_sample() {
    let mut weights = [0_u32; 12];
    let positives: Vec<usize> = (0..12).filter(|row| LABELS[*row]).collect();
    Random::nth(&[5; 32], 3).repeat_below(6, 6, |i| weights[positives[i]] += 1);
    assert_eq!(weights.iter().sum::<u32>(), 6);
    let auc = |labels: &[bool]| replicate(labels, &[], 3, &[5; 32]).map(|r| r.values.len());
    assert_eq!(auc(&LABELS), Ok(3));
    assert_eq!(auc(&[true; 12]), Err(FEW));
}

#[test]
fn intervals_are_the_same_with_any_number_of_threads() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| format!("{:?}", replicates(200)))
    };
    let one = with(1);
    assert_eq!((with(2), with(8)), (one.clone(), one));
}

#[test]
fn what_a_model_gets_does_not_depend_on_the_others() {
    let alone = Scored { scores: &SCORES, decided: &decide(&SCORES) };
    let alone = replicate(&LABELS, &[alone], 200, &[5; 32]).unwrap();
    let all = replicates(200);
    for metric in [Metric::RocAuc, Metric::F1, Metric::LogLoss] {
        assert_eq!(alone.interval(0, metric, 0.9), all.interval(2, metric, 0.9));
    }
}

#[test]
fn differences_are_of_the_same_resamples() {
    let all = replicates(500);
    // Equal models differ in no resample, and equal decisions in no F1.
    assert_eq!(all.difference(0, 2, Metric::RocAuc, 0.95), Err(NO_SPREAD));
    assert_eq!(all.difference(0, 1, Metric::F1, 0.95), Err(NO_SPREAD));
    let there = all.difference(0, 1, Metric::RocAuc, 0.95).unwrap();
    let back = all.difference(1, 0, Metric::RocAuc, 0.95).unwrap();
    assert!((there.low + back.high).abs() < 1e-12 && (there.high + back.low).abs() < 1e-12);
    let likely = all.difference(0, 1, Metric::RocAuc, 0.5).unwrap();
    assert!(likely.high < 0.0 && there.low < likely.low, "{likely:?} {there:?}");
}

#[test]
fn a_metric_that_most_resamples_lack_has_no_interval() {
    let mut decided = vec![false; 12];
    let interval = |decided: &[bool]| {
        let model = Scored { scores: &SCORES, decided };
        let replicates = replicate(&LABELS, &[model], 300, &[1; 32]).unwrap();
        replicates.interval(0, Metric::Precision, 0.95)
    };
    assert_eq!(interval(&decided), Err(OFTEN_UNDEFINED));
    // One row is in two of three resamples.
    decided[0] = true;
    assert_eq!(interval(&decided), Err(OFTEN_UNDEFINED));
    assert_eq!(interval(&[true; 12]), Err(NO_SPREAD));
}

/// Recall of a threshold that 70 % of the positive rows pass: a coin.
#[test]
fn nineteen_of_twenty_intervals_hold_the_true_recall() {
    let mut random = Random::new([3; 32]);
    let labels: Vec<bool> = (0..200).map(|row| row < 80).collect();
    let holds = |i: u8| {
        let scores: Vec<f64> = labels.iter().map(|_| random.uniform()).collect();
        let decided: Vec<bool> = scores.iter().map(|score| *score >= 0.3).collect();
        let model = Scored { scores: &scores, decided: &decided };
        let found = replicate(&labels, &[model], 300, &[i; 32]).unwrap();
        let area = found.interval(0, Metric::RocAuc, 0.95).unwrap().holds(0.5);
        [found.interval(0, Metric::Recall, 0.95).unwrap().holds(0.7), area]
    };
    let held: Vec<[bool; 2]> = (0..200).map(holds).collect();
    for metric in 0..2 {
        let n_held = held.iter().filter(|held| held[metric]).count();
        // Percentile intervals of 80 rows are a little narrow.
        assert!((178..=198).contains(&n_held), "{n_held} of 200");
    }
}

proptest! {
    #[test]
    fn weights_count_like_rows_that_are_there_so_often(
        rows in proptest::collection::vec((any::<bool>(), 0_u8..=6, 0_u32..4), 1..30),
    ) {
        let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.1) / 6.0).collect();
        let weights: Vec<u32> = rows.iter().map(|row| row.2).collect();
        let of = |class: bool| -> u64 {
            rows.iter().filter(|row| row.0 == class).map(|row| u64::from(row.2)).sum()
        };
        let (negatives, positives) = (of(false), of(true));
        prop_assume!(negatives > 0 && positives > 0);
        let decided = decide(&scores);
        let model = Ranked::new(&labels, Scored { scores: &scores, decided: &decided });
        let found = model.values(&weights, negatives, positives);
        let repeat = |row: &(bool, u8, u32)| vec![(row.0, f64::from(row.1) / 6.0); row.2 as usize];
        let repeated = rows.iter().flat_map(repeat);
        let (labels, scores): (Vec<bool>, Vec<f64>) = repeated.unzip();
        for (metric, expected) in Curve::new(&labels, &scores).scores(0.5).values {
            match expected {
                Ok(expected) => prop_assert_eq!(found[metric as usize], expected, "{:?}", metric),
                Err(_) => prop_assert!(found[metric as usize].is_nan(), "{:?}", metric),
            }
        }
    }
}
