//! Tests of the replay: what is compared, what is passed over, and what ends it.

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::ml::package::tests::{small_package, small_package_of};
use crate::serve::policy::Range;

const GOOD: &str = r#"{"age":24,"charge":99.5,"member":true,"plan":"gold"}"#;

/// A line of a log, of an input and what was said of it.
fn line(version: &str, input: &str, prediction: bool, probability: f64) -> String {
    let digest = blake3::hash(input.as_bytes()).to_hex();
    format!(
        "{{\"schema\":\"pipeline.prediction/1\",\"time\":\"2026-01-31T12:00:00.000042Z\",\
         \"request_id\":\"r-1\",\"row\":1,\"model_version\":\"{version}\",\
         \"input_digest\":\"{digest}\",\"prediction\":{prediction},\
         \"probability\":{},\"warnings\":0,\"input\":{input}}}\n",
        Value::from(probability)
    )
}

fn loaded(dir: TempDir) -> Package {
    Package::load(dir.path()).unwrap()
}

/// What a package says of a row.
fn probability(package: &Package, input: &str) -> f64 {
    let validator = Validator::new(package.schema(), warn());
    let Ok(Rows::One(row)) = validator.read(input.as_bytes()) else { panic!("{input}") };
    package.predict(&row.cells).score()
}

fn warn() -> Policy {
    Policy { range: Range::Warn, ..Policy::default() }
}

fn replay(package: &Package, log: &str) -> (Report, Vec<Value>) {
    let (mut replay, mut rows) = (Replay::new(package, warn()), Vec::new());
    replay.read(&mut log.as_bytes(), Some(&mut rows)).unwrap();
    let rows = std::str::from_utf8(&rows).unwrap().lines();
    (replay.report(), rows.map(|row| serde_json::from_str(row).unwrap()).collect())
}

#[test]
fn rows_are_compared_by_the_version_that_had_answered() {
    let (old, new) = (loaded(small_package()), loaded(small_package_of(3.0)));
    let p = probability(&old, GOOD);
    let log = [line("a", GOOD, false, p), line("b", GOOD, true, 0.75), line("a", GOOD, false, 0.0)];
    let (report, rows) = replay(&old, &log.concat());
    let a = report.versions["a"];
    assert_eq!((a.predicted, a.same, a.class_changed, a.refused), (2, 1, 0, 0));
    assert_eq!((a.mean_difference, a.max_absolute_difference), (Some(p / 2.0), Some(p)));
    let b = report.versions["b"];
    assert_eq!((b.predicted, b.same, b.class_changed), (1, 0, 1));
    assert_eq!(b.mean_difference, Some(p - 0.75));
    assert_eq!(b.mean_absolute_difference, Some(0.75 - p));
    let all = report.all;
    assert_eq!((all.predicted, all.same, all.class_changed), (3, 1, 1));
    assert_eq!(
        rows[1]["old"],
        json!({"model_version": "b", "prediction": true, "probability": 0.75})
    );
    assert_eq!(
        rows[1]["new"],
        json!({"model_version": old.version(), "prediction": false, "probability": p})
    );
    let (report, _) = replay(&new, &log[0]);
    assert_eq!((report.all.same, report.all.class_changed), (0, 1));
    assert!(report.all.mean_difference.unwrap() > 0.5);
}

#[test]
fn a_row_that_is_refused_is_counted_by_what_is_wrong_with_it() {
    let package = loaded(small_package());
    let wrong = [
        r#"{"age":24,"charge":99.5,"member":true,"plan":"silver"}"#,
        r#"{"age":1.5,"charge":99.5,"member":true,"plan":"silver"}"#,
        r#"{"age":24,"charge":99.5,"plan":"gold","zip":1}"#,
        r#"{"age":500,"charge":99.5,"member":true,"plan":"gold"}"#,
    ];
    let log: String = wrong.iter().map(|input| line("a", input, true, 0.5)).collect();
    let (report, rows) = replay(&package, &log);
    assert_eq!((report.all.predicted, report.all.refused), (1, 3), "what is out of range is used");
    let reasons: Vec<_> =
        report.reasons.iter().map(|of| (of.field.as_str(), of.kind, of.rows)).collect();
    let expected = [
        ("plan", "literal_error", 2),
        ("age", "int_from_float", 1),
        ("member", "missing", 1),
        ("zip", "extra_forbidden", 1),
    ];
    assert_eq!(reasons, expected);
    assert!(rows[0].get("new").is_none());
    assert_eq!(rows[0]["errors"][0]["type"], "literal_error");
    let mut strict = Replay::new(&package, Policy::default());
    strict.read(&mut log.as_bytes(), None).unwrap();
    assert_eq!(strict.report().all.refused, 4);
}

#[test]
fn a_line_that_was_cut_anywhere_is_told_and_spoils_no_other() {
    let package = loaded(small_package());
    let whole = line("a", GOOD, false, probability(&package, GOOD));
    for cut in 1..whole.len() - 2 {
        // At the end of the log, and where a service went on.
        for end in ["", &format!("\n{whole}")] {
            let (report, _) = replay(&package, &format!("{whole}{}{end}", &whole[..cut]));
            let n_whole = if end.is_empty() { 1 } else { 2 };
            assert_eq!((report.counts.torn, report.all.same), (1, n_whole), "{cut}");
        }
    }
    let (report, _) = replay(&package, &whole[..whole.len() - 1]);
    assert_eq!((report.counts.torn, report.all.same), (0, 1), "the line break alone is missing");
    let (report, _) = replay(&package, &format!("\0\0\0\n{whole}\n"));
    assert_eq!((report.counts.lines, report.counts.torn), (2, 1));
}

#[test]
fn a_row_that_does_not_match_its_digest_is_not_predicted() {
    let package = loaded(small_package());
    let altered = line("a", GOOD, false, 0.1).replace("\"age\":24", "\"age\":25");
    let (report, rows) = replay(&package, &altered);
    assert_eq!((report.counts.altered, report.all.predicted, rows.len()), (1, 0, 0));
    let without = line("a", GOOD, false, 0.1).replace(&format!(",\"input\":{GOOD}"), "");
    let (report, _) = replay(&package, &without);
    assert_eq!((report.counts.without_input, report.all.mean_difference), (1, None));
}

#[test]
fn a_line_of_something_else_ends_it_and_is_named() {
    let package = loaded(small_package());
    let good = line("a", GOOD, false, 0.1);
    for (other, words) in [
        (good.replace("prediction/1", "prediction/2"), "of the schema `pipeline.prediction/2`"),
        ("{\"schema\":\"pipeline.prediction/1\"}\n".to_owned(), "no whole"),
        ("{\"age\":24}\n".to_owned(), "no line of a log"),
        ("[1]\n".to_owned(), "no line of a log"),
    ] {
        let log = format!("{good}{other}");
        let read = Replay::new(&package, warn()).read(&mut log.as_bytes(), None);
        let Err(Unread::Foreign { line: 2, what }) = read else { panic!("{read:?}: {other}") };
        assert!(what.contains(words), "{what}");
    }
    let later = good.replace("\"warnings\":0", "\"warnings\":0,\"later\":[1]");
    assert_eq!(replay(&package, &later).0.all.predicted, 1, "later programs may say more");
}

#[test]
fn however_many_versions_and_reasons_there_are_they_are_bounded() {
    let package = loaded(small_package());
    let mut replay = Replay::new(&package, warn());
    for i in 0..2 * MAX_TOLD {
        let input =
            format!("{{\"age\":24,\"charge\":1.0,\"member\":true,\"plan\":\"gold\",\"x{i}\":1}}");
        replay.read(&mut line(&i.to_string(), &input, true, 0.5).as_bytes(), None).unwrap();
    }
    let report = replay.report();
    assert_eq!((report.versions.len(), report.reasons.len()), (MAX_TOLD + 1, MAX_TOLD + 1));
    assert_eq!(report.all.refused, 2 * MAX_TOLD as u64);
    assert_eq!(report.reasons[0].rows, MAX_TOLD as u64, "the others");
}
