//! Who may ask the running service, as curl finds it: keys, rates, and what ends a start.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::Lab;
use crate::service::PATIENCE;
use crate::small;

/// A service of the small package that says where it is on stdout, and all else in the file `log`.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Served {
    pub(crate) fn start(lab: &Lab, more: &[&str]) -> Served {
        let package = small::package("logistic_regression");
        let args = [&["serve", "-q", "--port=0", "--package", &package], more].concat();
        Served::launch(lab, lab.command(&args))
    }

    fn launch(lab: &Lab, mut command: Command) -> Served {
        let log = File::create(lab.path("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(!url.is_empty(), "it ended before it served: {}", lab.read("log"));
        Served { child, url: url.trim().to_owned() }
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks by curl and returns the status, which is 000 where there was no answer, and the body.
pub(crate) fn curl(args: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "30", "--write-out", "\n%{http_code}"]);
    let output = command.args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

pub(crate) fn status(args: &[&str]) -> String {
    curl(args).0
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_key_is_made_told_once_revoked_and_never_written_where_it_could_be_read() {
    let lab = small::project();
    let make = |name: &str, more: &[&str]| {
        let args = [&["serve", "--keys", "keys", "--new-key", name], more].concat();
        lab.call(&args).expect(0).out.trim().to_owned()
    };
    let (token, slow) = (make("first", &[]), make("slow", &["--rate=2/h"]));
    let kept = lab.read("keys");
    assert_eq!(fs::metadata(lab.path("keys")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(kept.lines().count(), 2, "{kept}");
    assert!(!kept.contains(&token) && kept.ends_with(":2/h\n"), "{kept}");
    lab.call(&["serve", "--keys=keys", "--new-key=first"]).expect(2).tells("has a key `first`");
    lab.call(&["serve", "--new-key=a b"]).expect(2).tells("1 to 64 letters");

    let service = Served::start(&lab, &["--keys=keys", "--log=json"]);
    let metrics = format!("{}/metrics", service.url);
    let version = format!("{}/version", service.url);
    let shown = |token: &str| format!("authorization: Bearer {token}");
    let asks = |token: &str| status(&["-H", &shown(token), &version]);
    assert_eq!(
        (asks(&token), asks("wrong"), status(&[&version])),
        ("200".into(), "401".into(), "401".into())
    );
    assert_eq!([asks(&slow), asks(&slow), asks(&slow)], ["200", "200", "429"]);
    assert_eq!(status(&[&format!("{}/health/ready", service.url)]), "200");
    // Who sends much without a key hears why it is not read.
    lab.write("large.csv", &"age,charge,member,plan\n".repeat(1 << 20));
    let large = lab.path("large.csv");
    let (csv, batch) = ("content-type: text/csv", format!("{}/predict/batch", service.url));
    let send = ["-H", csv, "-X", "POST", "-T", large.to_str().unwrap(), &batch];
    assert_eq!(status(&send), "401");
    assert_eq!(status(&[&["-H", "expect:"], &send[..]].concat()), "401", "also unasked");
    assert_eq!(status(&[&metrics]), "401");
    let (_, numbers) = curl(&["-H", &shown(&token), &metrics]);
    assert!(numbers.contains("key_limited_total{key=\"slow\"} 1"), "{numbers}");

    // A file that went bad changes nothing; one that is right again does.
    lab.write("keys", "first:none\n");
    wait_until("a warning", || lab.read("log").contains("what held before still holds"));
    assert_eq!(asks(&token), "200");
    let third = make_elsewhere(&lab, "third");
    lab.write("keys", &third.1);
    fs::set_permissions(lab.path("keys"), fs::Permissions::from_mode(0o600)).unwrap();
    wait_until("the new key", || asks(&third.0) == "200");
    assert_eq!(asks(&token), "401", "what is not there any more is revoked");

    let log = lab.read("log");
    let lines: Vec<Value> = log
        .lines()
        .filter(|l| l.starts_with('{'))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert!(lines.iter().any(|line| line["key"] == "slow" && line["status"] == 429), "{log}");
    assert!(lines.iter().any(|line| line.get("key").is_none() && line["status"] == 401));
    assert!([&token, &slow, &third.0].iter().all(|token| !log.contains(*token)));
}

/// A token and its line, which are told where there is no file.
fn make_elsewhere(lab: &Lab, name: &str) -> (String, String) {
    let told = lab.call(&["serve", "--new-key", name]).expect(0);
    let (token, line) = told.out.trim().split_once('\n').unwrap();
    (token.to_owned(), line.to_owned())
}

#[test]
fn keys_may_come_from_the_environment_and_what_is_wrong_with_any_ends_the_start() {
    let lab = small::project();
    let (token, line) = make_elsewhere(&lab, "nightly");
    let package = small::package("logistic_regression");
    let args = ["serve", "-q", "--port=0", "--open=/", "--package", &package];
    let mut command = lab.command(&args);
    command.env("PIPELINE_SERVE_KEYS", &line);
    let service = Served::launch(&lab, command);
    let page = format!("{}/", service.url);
    let health = format!("{}/health", service.url);
    assert_eq!(status(&[&page]), "200", "it was opened");
    assert_eq!(status(&[&health]), "401");
    assert_eq!(status(&["-H", &format!("x-api-key: {token}"), &health]), "200");

    for (keys, expected) in [
        ("nightly:none", "PIPELINE_SERVE_KEYS: line 1: what follows `nightly:`"),
        // A secret that has not arrived opens nothing.
        ("", "PIPELINE_SERVE_KEYS holds no key"),
    ] {
        let mut wrong = lab.command(&args);
        let output = wrong.env("PIPELINE_SERVE_KEYS", keys).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(expected), "{told}");
    }
    let serve =
        |more: &[&str]| lab.call(&[&["serve", "--port=0", "--package", &package], more].concat());
    serve(&["--keys=none"]).expect(4).tells("cannot read the keys in `none`");
    lab.write("keys", &line);
    fs::set_permissions(lab.path("keys"), fs::Permissions::from_mode(0o666)).unwrap();
    serve(&["--keys=keys"]).expect(2).tells("others can write to `keys`");
    serve(&["--open=/predict"]).expect(2).tells("--open: expected one of /, /health, /metrics");
    let all = ["--rate=1/d", "--tls-cert=a", "--cors-origins=example.org"];
    let ended = serve(&all).expect(2);
    for told in ["--rate: `1/d`", "--tls-cert: it needs `tls_key`", "--cors-origins: `ex"] {
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
}
