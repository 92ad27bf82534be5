//! A challenger scores beside the service: real processes, the example's runs, what `diff` says.
//!
//! What the two packages say of each row is known from `pipeline predict`, so that every number
//! that the service tells is computed here a second time, from their bits.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{Lab, flip_byte};
use crate::service::{PATIENCE, Service};
use crate::turns::{LEARNERS, ask, known, project, promote, promote_args, version_of};

/// A service of what is in production, with what would like to be beside it.
fn serve(lab: &Lab, more: &[&str]) -> Service {
    let args = ["serve", "--alias", "champion", "--shadow", "challenger", "--port", "0"];
    Service::launch(lab.command(&[&args, more].concat()))
}

/// Makes the newest package of a learner the challenger.
fn challenge(lab: &Lab, learner: &str) {
    let args = promote_args(learner);
    let args = [&args.each_ref().map(String::as_str)[..], &["--alias", "challenger"]].concat();
    lab.call(&args).expect(0);
}

fn report(service: &Service) -> Value {
    let (status, report) = service.request("GET", "/shadow", "");
    assert_eq!(status, 200, "{report}");
    report
}

/// Waits until something holds of `/shadow`, which is returned.
#[track_caller]
fn until(service: &Service, holds: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let found = report(service);
        if holds(&found) {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{found:#}\n{}", service.told());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The status of the challenger at `/health`, which is ready whatever that is.
fn check(service: &Service) -> Value {
    let (status, health) = service.health();
    assert_eq!((status, &health["status"]), (200, &json!("pass")), "{health}");
    health["checks"]["shadow:challenger"][0]["status"].clone()
}

/// What a package says of the rows of a file: class and probability.
fn said(lab: &Lab, alias: &str, file: &str) -> Vec<(Value, f64)> {
    let args = ["predict", file, "--alias", alias, "--extra", "ignore", "--output", "jsonl"];
    let answer = |line: &str| {
        let answer: Value = serde_json::from_str(line).unwrap();
        (answer["prediction"].clone(), answer["probability"].as_f64().unwrap())
    };
    lab.call(&args).expect(0).out.lines().map(answer).collect()
}

/// Posts a text; an answer of any length is taken while it is sent.
fn post(address: &str, path: &str, text: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sending = stream.try_clone().unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: text/csv\r\n\
         content-length: {}\r\n\r\n",
        text.len()
    );
    let text = head + text;
    let sent = thread::spawn(move || sending.write_all(text.as_bytes()).unwrap());
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    sent.join().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

/// All rows that were kept, each of which must be whole.
fn kept(dir: &Path) -> Vec<Value> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ext| ext == "jsonl")).collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let rows = texts.flat_map(|text| {
        assert!(text.is_empty() || text.ends_with('\n'), "half a line: {text}");
        let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
        rows.collect::<Vec<Value>>()
    });
    rows.collect()
}

/// The example with two runs whose models differ, the first of them in production.
fn ran_twice() -> Lab {
    let lab = Lab::example_that_ran();
    lab.edit("stages/train.toml", "max_depth = 8", "max_depth = 6");
    lab.edit("stages/train.toml", "learning_rate = 0.05", "learning_rate = 0.08");
    let more = "port = 0\nshadow = \"challenger\"\nshadow_log = \"kept\"\nshadow_queue = 65536";
    lab.edit("stages/serve.toml", "port = 8080", more);
    lab.call(&["run", "--no-serve"]).expect(0);
    lab.call(&["promote", "@-1"]).expect(0);
    lab.call(&["promote", "@", "--alias", "challenger"]).expect(0);
    lab
}

#[test]
fn every_number_is_what_predict_says_of_both_packages_and_diff_tells_them() {
    let lab = ran_twice();
    let table = lab.read("data/subscribers.csv");
    let file = "data/subscribers.csv";
    let (ours, others) = (said(&lab, "champion", file), said(&lab, "challenger", file));
    let pairs: Vec<_> = ours.iter().zip(&others).collect();
    let head: String = table.lines().take(51).map(|line| format!("{line}\n")).collect();
    // By two doors: all rows, and the first fifty.
    let asked: Vec<_> = pairs.iter().chain(&pairs[..50]).collect();
    let args = ["serve", "--alias", "champion", "--extra", "ignore"];
    let mut service = Service::launch(lab.command(&args));
    post(&service.address, "/predict/batch", &table);
    post(&service.address, "/invocations", &head);
    let n = asked.len() as u64;
    let found = until(&service, |found| found["pairs"][0]["rows"]["compared"] == n);
    let pair = &found["pairs"][0];
    let rows = json!({"compared": n, "dropped": 0, "refused": 0, "failed": 0});
    assert_eq!(pair["rows"], rows, "{pair}");
    let sizes: Vec<f64> = asked.iter().map(|(a, b)| (b.1 - a.1).abs()).collect();
    let changed = |to: i64| asked.iter().filter(|(a, b)| a.0 != b.0 && b.0 == to).count();
    let expected = json!({"to_negative": changed(0), "to_positive": changed(1)});
    assert!(changed(0) > 0 && changed(1) > 0, "the packages hardly differ");
    assert_eq!(pair["changed"], expected);
    let difference = &pair["difference"];
    let max = sizes.iter().copied().fold(0.0, f64::max);
    assert_eq!(difference["max"].as_f64().unwrap().to_bits(), max.to_bits());
    let sum: u64 = sizes.iter().map(|size| (size * 1e9).round() as u64).sum();
    assert_eq!(difference["sum_billionths"], sum);
    let mut below = -1.0;
    for bin in difference["bins"].as_array().unwrap() {
        let at_most = bin["at_most"].as_f64().unwrap();
        let within = sizes.iter().filter(|size| **size > below && **size <= at_most);
        assert_eq!(bin["rows"], within.count(), "{bin}");
        below = at_most;
    }
    service.signal("-TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    let far = |(i, size): &(usize, &f64)| **size > 0.1 || asked[*i].0.0 != asked[*i].1.0;
    let n_kept = sizes.iter().enumerate().filter(far).count();
    assert_eq!(kept(&lab.path("kept")).len(), n_kept);

    let told = format!("{n} compared, 0 dropped, 0 refused, 0 failed");
    lab.call(&["diff"]).expect(0).tells(&told).tells("of A answered").tells("of B scored beside");
    lab.call(&["diff", "@", "@-1"]).expect(0).tells("of B answered").tells(&told);
    lab.call(&["diff", "champion", "challenger", "--md"]).expect(0).tells(&told);
    let json = lab.call(&["diff", "champion", "challenger", "--json"]).expect(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let [of] = json["shadow"].as_array().unwrap().as_slice() else { panic!("{json:#}") };
    assert_eq!((&json["schema"], &of["answered"]), (&json!("pipeline.diff/1"), &json!("a")));
    for part in ["rows", "changed", "difference", "champion", "challenger", "since", "until"] {
        assert_eq!(of[part], pair[part], "{part}");
    }
    // Another pair of runs was never compared, and neither was this one elsewhere.
    for args in [["diff", "@", "@", "--json"].as_slice(), &["diff", "--shadow-log", "x", "--json"]]
    {
        let told: Value = serde_json::from_str(&lab.call(args).expect(0).out).unwrap();
        assert_eq!(told["shadow"], json!([]), "{args:?}");
    }
}

#[test]
fn a_challenger_comes_is_damaged_and_goes_while_answers_go_on() {
    let lab = project();
    let (known, versions) = known(&lab);
    promote(&lab, LEARNERS[0]);
    let service = serve(&lab, &[]);
    // One request by each of the ways, with 1, 8 and 8 rows.
    let ask_all = || {
        for turn in 0..3 {
            assert_eq!(version_of(&ask(&service.address, turn), &known), versions[0]);
        }
    };
    assert_eq!((check(&service), &report(&service)["status"]), (json!("warn"), &json!("waiting")));
    ask_all();
    challenge(&lab, LEARNERS[1]);
    let found = until(&service, |found| found["challenger"] == versions[1]);
    assert_eq!(
        (&found["pairs"][0]["rows"]["compared"], check(&service)),
        (&json!(0), json!("pass"))
    );
    let expected = |n: u64| move |found: &Value| found["pairs"][0]["rows"]["compared"] == n;
    ask_all();
    until(&service, expected(17));
    // Damaged, then gone: the one in memory goes on, and both are told.
    flip_byte(&lab.path(format!("outputs/aliases/challenger/{}/model.json", versions[1])));
    let told = |found: &Value| found["warnings"].to_string();
    until(&service, |found| told(found).contains("'model.json' was altered"));
    assert_eq!(check(&service), "warn");
    ask_all();
    until(&service, expected(34));
    fs::remove_dir_all(lab.path("outputs/aliases/challenger")).unwrap();
    until(&service, |found| told(found).contains("'package.json' is missing"));
    fs::remove_file(lab.path("outputs/aliases/challenger.json")).unwrap();
    until(&service, |found| told(found).contains("stands for nothing"));
    ask_all();
    until(&service, expected(51));
    let start = Instant::now();
    while !service.told().contains("stands for nothing") {
        assert!(start.elapsed() < PATIENCE, "{}", service.told());
        thread::sleep(Duration::from_millis(50));
    }
    // Another one, and then the same as the champion: numbers of their own.
    challenge(&lab, LEARNERS[0]);
    let found = until(&service, |found| found["challenger"] == versions[0]);
    assert_eq!((found.get("warnings"), check(&service)), (None, json!("pass")));
    ask_all();
    let found = until(&service, expected(17));
    assert_eq!(found["pairs"][0]["difference"]["max"], 0.0);
    assert_eq!(found["pairs"][1]["rows"]["compared"], 51);
    // The champion is exchanged, too: each row belongs to the one that answered it.
    promote(&lab, LEARNERS[1]);
    let found = until(&service, |found| found["champion"] == versions[1]);
    assert_eq!(found["pairs"][0]["rows"]["compared"], 0);
    assert_eq!(version_of(&ask(&service.address, 1), &known), versions[1]);
    until(&service, expected(8));
}

#[test]
fn what_was_kept_is_whole_after_a_kill_and_gone_on_with_by_the_next() {
    let lab = project();
    let (known, _) = known(&lab);
    promote(&lab, LEARNERS[0]);
    challenge(&lab, LEARNERS[1]);
    let more = ["--shadow-log", "kept", "--shadow-threshold", "0"];
    let summary = || {
        let names = fs::read_dir(lab.path("kept")).unwrap().map(|entry| entry.unwrap().path());
        let of_pair = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".json") && !name.starts_with('.')
        };
        let path = names.into_iter().find(of_pair)?;
        Some(serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap())
    };
    let mut service = serve(&lab, &more);
    for turn in 0..3 {
        version_of(&ask(&service.address, turn), &known);
    }
    let another = ["serve", "--alias", "champion", "--shadow", "challenger", "--port", "0"];
    lab.call(&[&another, &more[..2]].concat()).expect(75).tells("another service");
    let start = Instant::now();
    while summary().is_none_or(|of| of["rows"]["compared"] != 17) {
        assert!(start.elapsed() < PATIENCE, "no summary while it runs");
        thread::sleep(Duration::from_millis(50));
    }
    service.child.kill().unwrap();
    service.child.wait().unwrap();
    // The two say other things of every row.
    assert_eq!(kept(&lab.path("kept")).len(), 17);
    for round in 0..10 {
        let mut service = serve(&lab, &more);
        let address = service.address.clone();
        let client = thread::spawn(move || {
            while TcpStream::connect(&address).is_ok() {
                let _ = std::panic::catch_unwind(|| ask(&address, 1));
            }
        });
        thread::sleep(Duration::from_millis(20 + 13 * round));
        service.child.kill().unwrap();
        service.child.wait().unwrap();
        client.join().unwrap();
        kept(&lab.path("kept"));
        assert_eq!(summary().unwrap()["format"], "pipeline.shadow/1");
    }
    let before = summary().unwrap()["rows"]["compared"].as_u64().unwrap();
    let mut service = serve(&lab, &more);
    version_of(&ask(&service.address, 1), &known);
    service.signal("-TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    assert_eq!(summary().unwrap()["rows"]["compared"], before + 8);
}

#[test]
fn a_directory_scores_beside_another_where_there_is_no_project() {
    let lab = project();
    let (known, versions) = known(&lab);
    let elsewhere = Lab::empty();
    let [a, b] = LEARNERS.map(|learner| lab.path(crate::small::package(learner)));
    let b = format!("{}/", b.display());
    let args = ["serve", "--port", "0", "--package", a.to_str().unwrap(), "--shadow"];
    elsewhere.call(&[&args[..], &["challenger"]].concat()).expect(2).tells("--shadow ./challenger");
    elsewhere.call(&[&args[..], &["a b"]].concat()).expect(2).tells("written with a slash");
    let log = ["--shadow-log", "kept", "--shadow-threshold", "2", "--shadow-queue", "0"];
    elsewhere
        .call(&[&args[..], &[&b], &log[..]].concat())
        .expect(2)
        .tells("shadow-threshold")
        .tells("shadow-queue");
    let service = Service::launch(elsewhere.command(&[&args[..], &[&b], &log[..2]].concat()));
    assert_eq!(version_of(&ask(&service.address, 1), &known), versions[0]);
    let found = until(&service, |found| found["pairs"][0]["rows"]["compared"] == 8);
    assert_eq!(found["challenger"], versions[1]);
    assert!(elsewhere.path("kept/differences-00000001.jsonl").exists());
}
