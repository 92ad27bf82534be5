//! Tests of `/drift` and its metrics: what is counted, what is told of it, and when nothing is.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{GOOD, Service, json_of, with};
use crate::ml::drift::Psi;
use crate::ml::package::tests::{small_package, small_package_without_distribution};
use crate::serve::policy::{Policy, Range};
use crate::serve::state::Options;

impl Service {
    fn drift(&self) -> Value {
        json_of(&self.get("/drift"))
    }

    /// Asks for a list of records.
    fn ask(&self, record: &str, n: usize) {
        for asked in vec![record; n].chunks(64) {
            assert_eq!(self.post(format!("[{}]", asked.join(","))).0, 200);
        }
    }
}

fn named<'r>(report: &'r Value, feature: &str) -> &'r Value {
    let features = report["features"].as_array().unwrap();
    features.iter().find(|found| found["feature"] == feature).unwrap()
}

#[test]
fn nothing_is_called_drift_before_there_are_enough_rows() {
    let service = Service::new();
    let report = service.drift();
    assert_eq!((&report["status"], &report["rows"]), (&json!("unknown"), &json!(0)));
    assert_eq!((&report["score"]["psi"], &report["drifted"]), (&Value::Null, &json!([])));
    service.ask(GOOD, 199);
    let report = service.drift();
    assert_eq!(report["status"], "unknown");
    assert_eq!(named(&report, "age")["enough"], false);
    assert!(named(&report, "age")["psi"].as_f64().unwrap() > 0.1);
    assert!(!crate::serve::exposition::write(&service.state).contains("drift_psi{"));
}

#[test]
fn what_is_told_follows_from_the_counts_as_ml_would_count_them() {
    let service = Service::new();
    service.ask(&with("charge", "null"), 100);
    service.ask(&with("age", "1"), 300);
    let report = service.drift();
    let age = named(&report, "age");
    let expected = Psi::of(&[100, 100, 100], &[300, 100, 0]).unwrap();
    assert_eq!(age["psi"].as_f64().unwrap().to_bits(), expected.psi.to_bits());
    assert_eq!(age["psi_p_value"].as_f64().unwrap().to_bits(), expected.p_value.to_bits());
    assert_eq!(age["bins"][0]["share"], 0.75);
    assert_eq!(age["bins"][1]["from"], 24.0);
    let charge = named(&report, "charge");
    assert_eq!((&charge["missing"], &charge["n"]), (&json!(0.25), &json!(300)));
    assert_eq!(
        named(&report, "plan")["bins"][3],
        json!({
            "others": true, "reference": 0.0, "share": 0.0,
        })
    );
    assert_eq!((&report["rows"], &report["reference_rows"]), (&json!(400), &json!(300)));
    let metrics = crate::serve::exposition::write(&service.state);
    let version = report["model_version"].as_str().unwrap();
    let labels = format!("{{model_version=\"{version}\",feature=\"age\"}}");
    let line = format!("drift_psi{labels} {}\n", expected.psi);
    assert!(metrics.contains(&line), "{metrics}");
    assert!(metrics.contains(&format!("drift_rows{{model_version=\"{version}\"}} 400\n")));
}

#[test]
fn numbers_beyond_the_range_are_counted_and_what_is_refused_is_not() {
    for range in [Range::Warn, Range::Clip, Range::Reject] {
        let policy = Policy { range, ..Policy::default() };
        let service = Service::with(Options { policy, ..Options::default() });
        let (status, _) = service.post(with("age", "500"));
        let report = service.drift();
        let counted = u64::from(range != Range::Reject);
        assert_eq!((status == 200, &report["rows"]), (counted == 1, &json!(counted)));
        assert_eq!(named(&report, "age")["out_of_range"], counted);
        assert_eq!(named(&report, "charge")["out_of_range"], 0);
    }
}

#[test]
fn a_package_without_a_distribution_is_served_and_says_why_there_is_nothing() {
    let dir: TempDir = small_package_without_distribution();
    let service = Service::over(dir, Options::default());
    assert_eq!(service.post(GOOD).0, 200);
    let report = service.drift();
    assert_eq!(report["status"], "unknown");
    assert!(report["reason"].as_str().unwrap().contains("packaging its model again"));
}

#[test]
fn another_package_begins_with_no_counts() {
    let service = Service::new();
    service.ask(GOOD, 3);
    assert_eq!(service.drift()["rows"], 3);
    let other = small_package();
    let package = crate::ml::package::Package::load(other.path()).unwrap();
    service.state.swap(package, other.path().to_owned());
    assert_eq!(service.drift()["rows"], 0);
}
