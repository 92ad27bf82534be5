//! The log of predictions: real processes, real kills, a disk that is full.
//!
//! `KILLS=500` kills that often, `SEED=7` at other moments.

#![expect(clippy::print_stderr, reason = "a test that is passed over says so")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::disk;
use crate::lab::Lab;
use crate::service::{PATIENCE, Service};
use crate::small;
use crate::turns::{LEARNERS, send};

/// How many kills there are unless the environment says more.
const KILLS: u64 = 6;

/// The record that most tests ask for.
pub(crate) fn record(age: u64) -> Value {
    json!({"age": age, "charge": 99.5, "member": true, "plan": "gold"})
}

/// A service over a package that logs its predictions in `log`.
pub(crate) fn logging(lab: &Lab, package: &str, more: &[&str]) -> Service {
    let args = ["serve", "--package", package, "--port=0", "--predictions", "log"];
    Service::launch(lab.command(&[&args, more].concat()))
}

fn connect(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks by one of the doors for what must be answered.
pub(crate) fn ask(service: &Service, path: &str, media_type: &str, body: &str) -> String {
    let line = format!("POST {path}");
    let (status, answer) =
        send(connect(service), &line, &[&format!("content-type: {media_type}")], body);
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn metric(service: &Service, name: &str) -> u64 {
    let (_, text) = send(connect(service), "GET /metrics", &[], "");
    let of = |line: &str| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<u64>().ok();
    text.lines().filter_map(of).sum()
}

/// Stops a service, which writes out what waits.
pub(crate) fn stop(mut service: Service) -> String {
    service.signal("-TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    let start = Instant::now();
    while !service.told().contains("the service has stopped") {
        assert!(start.elapsed() < PATIENCE, "{}", service.told());
        thread::sleep(Duration::from_millis(5));
    }
    service.told()
}

/// The files of the log, the oldest first.
pub(crate) fn files(lab: &Lab) -> Vec<PathBuf> {
    let entries = fs::read_dir(lab.path("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|is| is == "jsonl")).collect();
    files.sort();
    files
}

/// The report of a replay that ended well.
pub(crate) fn replayed(lab: &Lab, package: &str, more: &[&str]) -> Value {
    let args = ["predict", "--replay", "log", "--package", package, "--json"];
    let told = lab.call(&[&args, more].concat()).expect(0).out;
    serde_json::from_str(&told).unwrap()
}

fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Asks for lists of records from several threads until the service is gone.
fn load(service: &Service, until: &AtomicBool) {
    let body = Value::from(vec![record(24); 40]).to_string();
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    while !until.load(Ordering::SeqCst) {
        if let Ok(mut stream) = TcpStream::connect(&service.address) {
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

#[test]
fn a_kill_loses_the_last_lines_at_most_and_no_line_is_mixed_with_another() {
    let lab = small::project();
    let package = small::package(LEARNERS[0]);
    let (kills, seed) = (asked("KILLS", KILLS), asked("SEED", 1));
    let mut n_cut = 0;
    for round in 0..kills {
        let mut service = logging(&lab, &package, &["--predictions-input"]);
        let id = format!("x-request-id: early-{round}");
        let headers = ["content-type: application/json", &id];
        let body = record(24).to_string();
        assert_eq!(send(connect(&service), "POST /predict", &headers, &body).0, 200);
        // Ten times what a line waits for others.
        thread::sleep(Duration::from_millis(200));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(|| load(&service, &is_over))));
            thread::sleep(Duration::from_millis(20 + (seed + round) * 0x9e37 % 150));
            let pid = service.child.id().to_string();
            let kill = Command::new("kill").args(["-KILL", &pid]).status();
            assert!(kill.unwrap().success());
            is_over.store(true, Ordering::SeqCst);
        });
        service.child.wait().unwrap();
        // A write that was cut off, which a kill seldom leaves and a power cut does.
        let newest = files(&lab).pop().unwrap();
        let len = fs::metadata(&newest).unwrap().len();
        if round % 2 == 0 {
            fs::File::options().write(true).open(&newest).unwrap().set_len(len - 5).unwrap();
            n_cut += 1;
        }
    }
    let text: String = files(&lab).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for round in 0..kills {
        let id = format!("\"request_id\":\"early-{round}\"");
        assert_eq!(text.matches(&id).count(), 1, "round {round}");
    }
    let report = replayed(&lab, &package, &["--exit-code"]);
    let (counts, all) = (&report["counts"], &report["all"]);
    assert_eq!((&counts["torn"], &counts["altered"]), (&json!(n_cut), &json!(0)), "{report}");
    assert_eq!(all["predicted"].as_u64().unwrap() + n_cut, counts["lines"].as_u64().unwrap());
    assert_eq!(all["same"], all["predicted"]);
    assert!(counts["lines"].as_u64().unwrap() > 40 * kills, "there was load: {report}");
}

#[test]
fn a_directory_has_one_service_and_one_that_cannot_be_written_ends_the_start() {
    let lab = small::project();
    let package = small::package(LEARNERS[0]);
    let service = logging(&lab, &package, &[]);
    let args = ["serve", "--package", &package, "--port=0", "--predictions"];
    let second = |dir: &str| lab.call(&[&args[..], &[dir]].concat());
    let told = second("log").expect(75).tells("another service logs its predictions in `log`");
    assert!(!told.err.contains("serving model"), "{}", told.err);
    stop(service);
    stop(logging(&lab, &package, &[]));
    lab.write("file", "mine");
    let told = second("file/log").expect(1).tells("cannot log predictions in `file/log`");
    assert!(!told.err.contains("serving model"), "{}", told.err);
    lab.call(&[&args[..4], &["--predictions-input"]].concat()).expect(2).tells("`predictions`");
}

#[test]
fn a_stop_writes_out_what_waits_and_files_stay_within_their_bounds() {
    let lab = small::project();
    let package = small::package(LEARNERS[0]);
    let bounds = ["--predictions-max-bytes=20000", "--predictions-keep=3"];
    let service = logging(&lab, &package, &bounds);
    let body = Value::from(vec![record(24); 50]).to_string();
    for _ in 0..10 {
        ask(&service, "/predict", "application/json", &body);
    }
    let last = [record(24).to_string(), record(25).to_string(), record(26).to_string()];
    last.iter().for_each(|body| drop(ask(&service, "/predict", "application/json", body)));
    let told = stop(service);
    assert!(!told.contains("not in the log"), "{told}");
    let texts: Vec<String> =
        files(&lab).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts.iter().all(|text| text.len() <= 20_000 && text.ends_with('\n')));
    let lines: Vec<Value> =
        texts.concat().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let digest = |row: &str| engine::digest::Digest::of(row.as_bytes()).to_string();
    for (line, age) in lines[lines.len() - 3..].iter().zip([24, 25, 26]) {
        let row = format!("{{\"age\":{age},\"charge\":99.5,\"member\":true,\"plan\":\"gold\"}}");
        assert_eq!(line["input_digest"], digest(&row));
        assert!(line.get("input").is_none());
    }
}

#[test]
fn a_full_disk_costs_lines_and_no_prediction_and_the_log_goes_on() {
    let test = "predictions::on_a_small_disk";
    if let Err(told) = disk::started_again(test) {
        eprintln!("passed over, because nothing can be mounted: {told}");
    }
}

/// What happens where the disk is small.
#[test]
#[ignore = "started by another test, where something can be mounted"]
fn on_a_small_disk() {
    if !disk::is_inside() {
        return;
    }
    let lab = small::project();
    fs::create_dir(lab.path("log")).unwrap();
    disk::mount(&lab.path("log"), 512);
    fs::write(lab.path("log/ballast"), vec![1; 400 << 10]).unwrap();
    let package = small::package(LEARNERS[0]);
    let service = logging(&lab, &package, &["--predictions-input"]);
    let body = Value::from(vec![record(24); 50]).to_string();
    let written = "prediction_log_records_total{outcome=\"written\"}";
    let dropped = "prediction_log_records_total{outcome=\"dropped\"}";
    let ask_until = |is_so: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < PATIENCE, "{}", service.told());
            ask(&service, "/predict", "application/json", &body);
        }
    };
    // Twice, so that a fault that goes on is seen to be told once.
    for n in [1, 500] {
        ask_until(&|| metric(&service, dropped) >= n);
    }
    let told = service.told();
    assert_eq!(told.matches("predictions are not logged: No space left").count(), 1, "{told}");
    assert!(!told.contains("panicked"), "{told}");
    fs::remove_file(lab.path("log/ballast")).unwrap();
    let before = metric(&service, written);
    ask_until(&|| metric(&service, written) > before + 100);
    let n_predicted = metric(&service, "predictions_total{");
    let told = stop(service);
    assert_eq!(told.matches("predictions are logged again").count(), 1, "{told}");
    let n_lost = told.rsplit("warning: ").next().unwrap().split(' ').next().unwrap();
    let report = replayed(&lab, &package, &["--exit-code"]);
    let n_logged = report["all"]["same"].as_u64().unwrap();
    assert_eq!(n_logged + n_lost.parse::<u64>().unwrap(), n_predicted, "{report}\n{told}");
    assert_eq!(
        report["counts"],
        json!({
            "lines": n_logged, "torn": 0, "altered": 0, "without_input": 0,
        })
    );
}
