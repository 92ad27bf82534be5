//! What the example table promises: the same bytes for ever, ranges, gaps, and the story.

use std::collections::BTreeSet;

use crate::subscriber::{
    AGE_MAX, CHARGES_KOBO, DATA_CENTI_GB_MAX, DROPPED_CALLS_MAX, Plan, SILENCE_DAYS_MAX,
    TENURE_MONTHS, VOICE_MINUTES_MAX,
};
use crate::summary::Figures;
use crate::{Args, draw_row, parse, write_rows};

const SEED: u64 = 2026;
const ROWS: u64 = 9_000;

fn table(rows: u64, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut oracle) = (Vec::new(), Vec::new());
    write_rows(rows, seed, &mut out, &mut oracle).unwrap();
    (out, oracle)
}

#[test]
fn the_bytes_are_the_same_on_every_machine_and_for_ever() {
    let (out, oracle) = table(100, SEED);
    let digest = |bytes: &[u8]| blake3::hash(bytes).to_hex()[..16].to_owned();
    assert_eq!([digest(&out), digest(&oracle)], ["34ffcdf79dd86ec1", "d41e9d111fa22078"]);
    assert_eq!(table(100, SEED), (out, oracle));
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    let (out, oracle) = table(ROWS, SEED);
    assert!(out == include_bytes!("../subscribers.csv"), "data/subscribers.csv is another one");
    assert!(oracle == include_bytes!("../oracle.csv"), "data/oracle.csv is another one");
}

#[test]
fn a_longer_table_starts_with_the_shorter_one() {
    let (short, short_oracle) = table(50, SEED);
    let (long, long_oracle) = table(200, SEED);
    assert!(long.starts_with(&short) && long_oracle.starts_with(&short_oracle));
    assert!(long.len() > short.len());
}

#[test]
fn another_seed_gives_other_subscribers() {
    assert_ne!(table(50, SEED).0, table(50, SEED + 1).0);
}

#[test]
fn every_line_has_every_column_and_every_customer_one_line() {
    let (out, _) = table(ROWS, SEED);
    let text = String::from_utf8(out).unwrap();
    let columns = text.lines().next().unwrap().split(',').count();
    assert_eq!(columns, 18);
    assert!(text.lines().all(|line| line.split(',').count() == columns));
    let ids: BTreeSet<_> = text.lines().map(|line| line.split(',').next()).collect();
    assert_eq!(ids.len() as u64, ROWS + 1);
}

#[test]
fn values_stay_in_their_ranges() {
    let within = |value: u32, (min, max): (u32, u32)| min <= value && value <= max;
    for row in 0..ROWS {
        let (s, ..) = draw_row(SEED, row);
        assert!(within(s.tenure_months, TENURE_MONTHS), "row {row}");
        assert!(within(s.monthly_charges_kobo, CHARGES_KOBO), "row {row}");
        assert!(within(s.age.unwrap_or(18), (18, AGE_MAX)), "row {row}");
        assert!(s.data_centi_gb_month.unwrap_or(0) <= DATA_CENTI_GB_MAX, "row {row}");
        assert!(s.voice_minutes_month <= VOICE_MINUTES_MAX, "row {row}");
        assert!(s.dropped_calls_30d <= DROPPED_CALLS_MAX, "row {row}");
        assert!(s.days_since_last_topup.unwrap_or(0) <= SILENCE_DAYS_MAX, "row {row}");
        // Only who tops up has a last top-up, and one within 90 days counts among the 90 days'.
        assert_eq!(s.days_since_last_topup.is_some(), s.plan == Plan::Prepaid, "row {row}");
        let recent = s.days_since_last_topup.is_some_and(|days| days < 90);
        assert_eq!(s.topups_90d > 0, recent, "row {row}");
    }
}

#[test]
fn both_ends_of_tenure_and_charges_occur() {
    let rows: Vec<_> = (0..ROWS).map(|row| draw_row(SEED, row).0).collect();
    for end in [TENURE_MONTHS.0, TENURE_MONTHS.1] {
        assert!(rows.iter().any(|s| s.tenure_months == end));
    }
    for end in [CHARGES_KOBO.0, CHARGES_KOBO.1] {
        assert!(rows.iter().any(|s| s.monthly_charges_kobo == end));
    }
}

#[test]
fn postpaid_is_the_easier_plan_and_nobody_is_certain() {
    let summary = write_rows(ROWS, SEED, &mut std::io::sink(), &mut std::io::sink()).unwrap();
    let Figures { rows, churned, best_roc_auc } = summary.figures(None);
    assert_eq!(rows, ROWS);
    let rate = churned as f64 / rows as f64;
    assert!((0.075..0.085).contains(&rate), "{rate}");
    let [all, prepaid, postpaid] =
        [best_roc_auc, auc(&summary, Plan::Prepaid), auc(&summary, Plan::Postpaid)]
            .map(Option::unwrap);
    assert!(prepaid + 0.05 < postpaid && postpaid < 0.98, "{prepaid} {postpaid}");
    assert!((0.86..0.91).contains(&all), "{all}");
}

fn auc(summary: &crate::summary::Summary, plan: Plan) -> Option<f64> {
    summary.figures(Some(plan)).best_roc_auc
}

#[test]
fn the_best_auc_counts_ties_as_half() {
    let mut summary = crate::summary::Summary::new();
    summary.add(Plan::Prepaid, 500_000, false);
    assert_eq!(summary.figures(None).best_roc_auc, None);
    summary.add(Plan::Prepaid, 500_000, true);
    summary.add(Plan::Postpaid, 100_000, false);
    assert_eq!(summary.figures(None).best_roc_auc, Some(0.75));
    let prepaid = Figures { rows: 2, churned: 1, best_roc_auc: Some(0.5) };
    assert_eq!(summary.figures(Some(Plan::Prepaid)), prepaid);
}

#[test]
fn arguments_have_defaults_and_mistakes_are_named() {
    let parse = |line: &str| parse(line.split_whitespace().map(str::to_owned));
    let defaults = Args { rows: 9_000, seed: 2026, out: "-".to_owned(), oracle: None };
    assert_eq!(parse(""), Ok(defaults));
    assert_eq!(parse("--rows 7 --oracle o").unwrap().oracle.as_deref(), Some("o"));
    assert_eq!(parse("--rows").unwrap_err(), "--rows needs a value");
    assert_eq!(parse("--rows x").unwrap_err(), "expected a whole number, found `x`");
    assert_eq!(parse("--row 1").unwrap_err(), "unknown argument `--row`");
    assert_eq!(parse("--oracle -").unwrap_err(), "--out and --oracle name the same place");
}
