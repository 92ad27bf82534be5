//! Tests of a challenger beside a service: what is compared, what is told, and what it cannot do.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use warp::hyper::body::Bytes;

use super::*;
use crate::ml::package::tests::{small_files_of, small_package_of};
use crate::serve::News;
use crate::serve::policy::Range;
use crate::serve::routes::api;
use crate::serve::state::{Options, State};

const PATIENCE: Duration = Duration::from_secs(20);

/// The package that answers: its model's intercept is this, and so is none other's.
const INTERCEPT: f64 = -0.25;

const RECORD: &str = r#"{"age": 24, "charge": 99.5, "member": true, "plan": "gold"}"#;

/// A directory whose bytes may be replaced, and all that was told.
struct Directory {
    dir: PathBuf,
    told: Arc<Mutex<Vec<String>>>,
}

impl Source for Directory {
    fn pointer(&self) -> Option<&Path> {
        None
    }

    fn package(&self) -> Result<PathBuf, String> {
        Ok(self.dir.clone())
    }

    fn tell(&self, news: &News<'_>) {
        self.told.lock().unwrap().push(match news {
            News::Swapped { from, to } => format!("{from} {to}"),
            News::Kept { version, reason } => format!("{version}: {reason}"),
            News::Looked => "looked".to_owned(),
        });
    }
}

/// A service with a challenger beside, which lies in `challenger`.
struct Lab {
    state: Arc<State>,
    dir: TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl Lab {
    /// The challenger is a package with another intercept.
    fn with(intercept: f64) -> Lab {
        Lab::judged(Some(intercept), settings(), Box::new(|offer| offer.pair.judge(offer)))
    }

    fn judged(intercept: Option<f64>, settings: Settings, judge: Judge) -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let told = Arc::<Mutex<Vec<String>>>::default();
        if let Some(intercept) = intercept {
            fs::rename(small_package_of(intercept).path(), dir.path().join("challenger")).unwrap();
        }
        let kept = settings.kept.map(|kept| Kept { dir: dir.path().join("kept"), ..kept });
        let policy = settings.policy;
        let source = Directory { dir: dir.path().join("challenger"), told: Arc::clone(&told) };
        let shadow = Shadow::judged(source, Settings { kept, ..settings }, judge).unwrap();
        let champion = small_package_of(INTERCEPT);
        let package = Package::load(champion.path()).unwrap();
        let options = Options { shadow: Some(shadow), policy, ..Options::default() };
        let at = dir.path().join("champion");
        fs::rename(champion.path(), &at).unwrap();
        Lab { state: Arc::new(State::new(package, at, None, options)), dir, told }
    }

    fn shadow(&self) -> &Shadow {
        self.state.options.shadow.as_ref().unwrap()
    }

    /// Another package lies where the challenger's is from now on.
    fn replace(&self, files: &std::collections::BTreeMap<&'static str, Vec<u8>>) {
        for (name, bytes) in files {
            fs::write(self.dir.path().join("challenger").join(name), bytes).unwrap();
        }
        self.shadow().look(Look::Routine);
    }

    fn send(&self, request: warp::test::RequestBuilder) -> (u16, Bytes) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let response = runtime.block_on(request.reply(&api(Arc::clone(&self.state))));
        (response.status().as_u16(), response.body().clone())
    }

    fn post(&self, path: &str, media_type: &str, body: &str) -> (u16, Value) {
        let request = warp::test::request().method("POST").path(path);
        let request = request.header("content-type", media_type).header("x-request-id", "r-7");
        let (status, body) = self.send(request.body(body));
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[track_caller]
    fn predict(&self, body: &str) -> Value {
        let (status, answer) = self.post("/predict", "application/json", body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.send(warp::test::request().path(path));
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// What `/shadow` tells once all is compared.
    fn report(&self) -> Value {
        assert!(self.shadow().flush(PATIENCE));
        let (status, report) = self.get("/shadow");
        assert_eq!(status, 200);
        report
    }

    /// The numbers of the pair of now.
    fn pair(&self) -> Value {
        self.report()["pairs"][0].clone()
    }

    /// The check at `/health`, which must be ready whatever the challenger is.
    fn check(&self) -> Value {
        let (status, health) = self.get("/health");
        assert_eq!((status, &health["status"]), (200, &json!("pass")), "{health}");
        health["checks"]["shadow:challenger"][0].clone()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

fn settings() -> Settings {
    Settings { policy: Policy::default(), capacity: 64, threshold: 0.1, kept: None }
}

fn kept(inputs: bool) -> Option<Kept> {
    Some(Kept { dir: PathBuf::new(), max_bytes: 1 << 20, max_files: 2, inputs })
}

/// The probability and the class that a package of this intercept gives to the record.
fn expected(intercept: f64) -> (f64, bool) {
    let package = Package::load(small_package_of(intercept).path()).unwrap();
    let validator = crate::serve::validation::Validator::new(package.schema(), Policy::default());
    let crate::serve::validation::Rows::One(row) = validator.read(RECORD.as_bytes()).unwrap()
    else {
        panic!("one record is one row")
    };
    let said = package.predict(&row.cells);
    (said.score(), *said.value() == json!(true))
}

#[test]
fn every_row_by_whatever_door_is_compared_bit_by_bit() {
    let lab = Lab::with(2.5);
    let [ours, other] = [INTERCEPT, 2.5].map(expected);
    assert_eq!((ours.1, other.1), (false, true), "the classes must differ");
    let answer = lab.predict(RECORD);
    assert_eq!(answer["probability"].as_f64().unwrap().to_bits(), ours.0.to_bits());
    lab.predict(&format!("[{RECORD}, {RECORD}]"));
    let (status, _) = lab.post("/predict?explain=true", "application/json", RECORD);
    assert_eq!(status, 200);
    let lines = format!("{RECORD}\nnonsense\n{RECORD}\n");
    assert_eq!(lab.post("/predict/batch", "application/x-ndjson", &lines).0, 200);
    let text = "plan,age,member,charge\ngold,24,true,99.5\n";
    assert_eq!(lab.post("/predict/batch", "text/csv", text).0, 200);
    assert_eq!(lab.post("/invocations", "text/csv", text).0, 200);
    let records = format!("{{\"dataframe_records\": [{RECORD}]}}");
    assert_eq!(lab.post("/invocations", "application/json", &records).0, 200);
    let tensor = |name: &str, datatype: &str, value: Value| {
        let shape = [1];
        json!({"name": name, "shape": shape, "datatype": datatype, "data": [value]})
    };
    let inputs = json!({"inputs": [
        tensor("age", "INT64", json!(24)), tensor("charge", "FP64", json!(99.5)),
        tensor("member", "BOOL", json!(true)), tensor("plan", "BYTES", json!("gold")),
    ]});
    let path = "/v2/models/a%20small%20model/infer";
    assert_eq!(lab.post(path, "application/json", &inputs.to_string()).0, 200);
    // What is refused is nobody's row.
    assert_eq!(lab.post("/predict", "application/json", "{}").0, 422);
    let pair = lab.pair();
    let rows = json!({"compared": 10, "dropped": 0, "refused": 0, "failed": 0});
    assert_eq!(pair["rows"], rows);
    assert_eq!(pair["changed"], json!({"to_negative": 0, "to_positive": 10}));
    let size = other.0 - ours.0;
    assert_eq!(pair["difference"]["max"].as_f64().unwrap().to_bits(), size.to_bits());
    assert!((pair["difference"]["mean"].as_f64().unwrap() - size).abs() < 1e-9);
    // What else the service counts is the champion's alone.
    let (_, drift) = lab.get("/drift");
    assert_eq!(drift["rows"], 10);
    let metrics = crate::serve::exposition::write(&lab.state);
    let labels = format!("champion={},challenger={}", pair["champion"], pair["challenger"]);
    for line in [
        format!("shadow_rows_total{{{labels},outcome=\"compared\"}} 10\n"),
        format!("shadow_class_changed_total{{{labels},to=\"positive\"}} 10\n"),
        format!("shadow_difference_bucket{{{labels},le=\"0.2\"}} 0\n"),
        format!("shadow_difference_count{{{labels}}} 10\n"),
        "shadow_swaps_total{outcome=\"done\"} 1\n".to_owned(),
        format!("predictions_total{{model_version={},class=\"false\"}} 10\n", pair["champion"]),
    ] {
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    assert!(!metrics.contains(&format!("predictions_total{{model_version={}", pair["challenger"])));
}

#[test]
fn a_challenger_that_is_stuck_costs_rows_and_no_answer() {
    let (go, gate) = mpsc::channel::<()>();
    let judge = move |offer: &Offer| {
        let _ = gate.recv();
        offer.pair.judge(offer)
    };
    let capacity = 16;
    let lab = Lab::judged(Some(2.5), Settings { capacity, ..settings() }, Box::new(judge));
    let start = Instant::now();
    (0..100).for_each(|_| drop(lab.predict(RECORD)));
    assert!(start.elapsed() < PATIENCE, "answers waited for the challenger");
    let (_, report) = lab.get("/shadow");
    assert_eq!(report["queue"], json!({"rows": capacity, "capacity": capacity}));
    // One is in the thread's hands, unless it had not yet begun when the queue was full.
    let dropped = report["pairs"][0]["rows"]["dropped"].as_u64().unwrap();
    assert!((100 - 17..=100 - 16).contains(&dropped), "{report}");
    drop(go);
    let pair = lab.pair();
    let rows = json!({"compared": 100 - dropped, "dropped": dropped, "refused": 0, "failed": 0});
    assert_eq!(pair["rows"], rows);
}

#[test]
fn a_challenger_that_panics_has_failed_and_is_asked_again() {
    let judge = |offer: &Offer| match offer.cells[0] {
        crate::ml::cell::Cell::Number(24.0) => panic!("it cannot be 24"),
        _ => offer.pair.judge(offer),
    };
    let lab = Lab::judged(Some(2.5), settings(), Box::new(judge));
    lab.predict(RECORD);
    lab.predict(&RECORD.replace("24", "25"));
    let rows = json!({"compared": 1, "dropped": 0, "refused": 0, "failed": 1});
    assert_eq!(lab.pair()["rows"], rows);
}

/// The files of a package whose schema is another one, in which these texts are replaced.
fn with_schema(edits: &[(&str, Value)]) -> std::collections::BTreeMap<&'static str, Vec<u8>> {
    let mut files = small_files_of(2.5);
    let edit = |bytes: &[u8], change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_slice(bytes).unwrap();
        change(&mut document);
        serde_json::to_vec(&document).unwrap()
    };
    files.insert(
        "schema.json",
        edit(&files["schema.json"], &|schema| {
            edits
                .iter()
                .for_each(|(place, value)| *schema.pointer_mut(place).unwrap() = value.clone());
        }),
    );
    let entry = crate::ml::package::files::digest_of(&files["schema.json"]);
    files.insert(
        "package.json",
        edit(&files["package.json"], &|manifest| {
            manifest["files"]["schema.json"] = serde_json::to_value(&entry).unwrap();
        }),
    );
    files
}

#[test]
fn a_row_that_the_challengers_schema_does_not_let_in_is_refused_with_its_reason() {
    let lab = Lab::with(2.5);
    // It has seen nobody above 60, and no gaps.
    let narrow = with_schema(&[("/fields/0/max", json!(60)), ("/fields/1/nullable", json!(false))]);
    lab.replace(&narrow);
    let check = lab.check();
    assert_eq!(check["status"], "pass", "{check}");
    let gap = RECORD.replace("99.5", "null");
    for record in [&gap, &gap, &gap.replace("24", "72"), RECORD, &RECORD.replace("24", "60")] {
        lab.predict(record);
    }
    let pair = lab.pair();
    assert_eq!(pair["rows"], json!({"compared": 2, "dropped": 0, "refused": 3, "failed": 0}));
    let refusals = json!([
        {"field": "charge", "type": "float_type", "rows": 3},
        {"field": "age", "type": "less_than_equal", "rows": 1},
    ]);
    assert_eq!(pair["refusals"], refusals);
}

#[test]
fn a_number_that_was_clipped_comes_to_the_challenger_as_it_came() {
    let policy = Policy { range: Range::Clip, ..Policy::default() };
    let lab = Lab::judged(
        Some(2.5),
        Settings { policy, ..settings() },
        Box::new(|offer| {
            assert_eq!(offer.cells[0], crate::ml::cell::Cell::Number(500.0));
            offer.pair.judge(offer)
        }),
    );
    let answer = lab.predict(&RECORD.replace("24", "500"));
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(lab.pair()["rows"]["compared"], 1);
}

#[test]
fn a_challenger_is_taken_up_replaced_and_kept_while_the_next_is_damaged() {
    let lab = Lab::judged(None, settings(), Box::new(|offer| offer.pair.judge(offer)));
    let missing = "package file 'package.json' is missing";
    assert_eq!(lab.told(), [format!("none: {missing}")]);
    let check = lab.check();
    assert_eq!((&check["status"], &check["componentId"]), (&json!("warn"), &json!("none")));
    let reason = format!("the challenger cannot be taken up: {missing}");
    assert_eq!(check["output"], reason);
    // Without one nothing is handed over.
    lab.predict(RECORD);
    let report = lab.report();
    assert_eq!((&report["status"], &report["pairs"]), (&json!("waiting"), &json!([])));
    assert_eq!(report["warnings"], json!([reason]));
    fs::create_dir(lab.dir.path().join("challenger")).unwrap();
    lab.replace(&small_files_of(2.5));
    let first = lab.shadow().version();
    assert_eq!(
        (lab.told(), lab.check()["status"].clone()),
        (vec![format!("none {first}")], json!("pass"))
    );
    lab.predict(RECORD);
    // Damaged: the one in memory is still the one that was proved.
    let mut damaged = small_files_of(1.0);
    damaged.get_mut("model.json").unwrap()[40] ^= 1;
    lab.replace(&damaged);
    lab.shadow().look(Look::Routine);
    let told = lab.told();
    assert!(told.len() == 1 && told[0].starts_with(&format!("{first}: ")), "{told:?}");
    assert_eq!(lab.check()["status"], "warn");
    lab.predict(RECORD);
    assert_eq!(lab.pair()["rows"]["compared"], 2);
    // Whole again, and another: it begins with nothing, and what was is still told.
    lab.replace(&small_files_of(1.0));
    assert_eq!(lab.check()["status"], "pass");
    lab.predict(RECORD);
    let pairs = lab.report()["pairs"].clone();
    let of = |at: usize| (pairs[at]["challenger"].clone(), pairs[at]["rows"]["compared"].clone());
    assert_eq!(
        [of(0), of(1)],
        [(json!(lab.shadow().version()), json!(1)), (json!(first), json!(2))]
    );
    // Gone: as if it were damaged.
    fs::remove_dir_all(lab.dir.path().join("challenger")).unwrap();
    lab.shadow().look(Look::Routine);
    assert_eq!(lab.check()["status"], "warn");
    lab.predict(RECORD);
    assert_eq!(lab.pair()["rows"]["compared"], 2);
}

#[test]
fn rows_that_differ_enough_are_kept_with_ids_and_with_records_only_where_that_is_wanted() {
    for inputs in [false, true] {
        let wanted = Settings { kept: kept(inputs), ..settings() };
        let lab = Lab::judged(Some(2.5), wanted, Box::new(|offer| offer.pair.judge(offer)));
        lab.predict(RECORD);
        let pair = lab.pair();
        let dir = lab.dir.path().join("kept");
        let text = fs::read_to_string(dir.join("differences-00000001.jsonl")).unwrap();
        let row: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&row["format"], &row["request_id"]),
            (&json!("pipeline.shadow_row/1"), &json!("r-7"))
        );
        let side = |name: &str, intercept: f64| {
            let (probability, prediction) = expected(intercept);
            let side = json!({
                "model_version": pair[name], "prediction": prediction, "probability": probability,
            });
            assert_eq!(row[name], side);
        };
        side("champion", INTERCEPT);
        side("challenger", 2.5);
        let record: Value = serde_json::from_str(RECORD).unwrap();
        assert_eq!(row.get("input"), inputs.then_some(&record));
        let [of] = &summaries(&dir).unwrap()[..] else { panic!("one pair is one summary") };
        assert_eq!(serde_json::to_value(of).unwrap(), pair);
        // The same class, and hardly another probability: nothing to look at.
        lab.replace(&small_files_of(INTERCEPT + 0.01));
        lab.predict(RECORD);
        assert_eq!(lab.pair()["rows"]["compared"], 1);
        let again = fs::read_to_string(dir.join("differences-00000001.jsonl")).unwrap();
        assert_eq!(again, text);
    }
}

#[test]
fn without_a_challenger_the_path_says_how_to_have_one() {
    let champion = small_package_of(INTERCEPT);
    let package = Package::load(champion.path()).unwrap();
    let at = champion.path().to_owned();
    let state = Arc::new(State::new(package, at, None, Options::default()));
    let lab = Lab { state, dir: champion, told: Arc::default() };
    let (status, answer) = lab.get("/shadow");
    assert_eq!((status, &answer["detail"][0]["type"]), (404, &json!("not_found")));
    assert!(answer["detail"][0]["message"].as_str().unwrap().contains("--shadow NAME"));
    assert!(lab.get("/health").1["checks"].get("shadow:challenger").is_none());
    assert!(!crate::serve::exposition::write(&lab.state).contains("shadow_"));
    lab.predict(RECORD);
}
