//! Tests of the service over a real socket: files that go and come back, and a shutdown that some
//! client does not want.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use super::GOOD;
use super::swap::Directory;
use crate::ml::package::Package;
use crate::ml::package::tests::small_package;
use crate::serve::health::Watch;
use crate::serve::{Follow, Options, run};

/// A running service.
pub(super) struct Running {
    pub(super) at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<usize>>>,
}

impl Running {
    pub(super) fn start(dir: &Path, options: Options) -> Running {
        let dir = dir.to_owned();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let follow = Follow::new(Directory(dir));
                let dir = follow.dir().map_err(anyhow::Error::msg)?;
                let package = Package::load(&dir)?;
                let stop = async { drop(stopped.await) };
                Ok(run(listener, package, dir, Some(follow), options, stop).await)
            })
        };
        Running { at, stop: Some(stop), thread: Some(std::thread::spawn(serve)) }
    }

    pub(super) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// How many connections were cut off.
    pub(super) fn join(&mut self) -> usize {
        self.thread.take().unwrap().join().unwrap().unwrap()
    }

    /// Sends a request, and returns the status and the body.
    pub(super) fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    pub(super) fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }

    pub(super) fn predict(&self) -> (u16, String) {
        self.ask(&format!("{}{GOOD}", head(GOOD.len())))
    }

    /// The statuses of readiness, health, liveness and a prediction.
    fn statuses(&self) -> [u16; 4] {
        let get = |path| self.get(path).0;
        [get("/health/ready"), get("/health"), get("/health/live"), self.predict().0]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(super) fn head(length: usize) -> String {
    format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

const WELL: [u16; 4] = [200, 200, 200, 200];
const UNREADY: [u16; 4] = [503, 503, 200, 200];

#[test]
fn a_file_that_is_removed_or_altered_fails_readiness_until_it_is_restored() {
    let dir = small_package();
    let service = Running::start(dir.path(), Options::default());
    assert_eq!(service.statuses(), WELL);
    for name in ["model.json", "package.json", "schema.json", "reference.json"] {
        let path = dir.path().join(name);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(service.statuses(), UNREADY, "{name} removed");
        let report: Value = serde_json::from_str(&service.get("/health").1).unwrap();
        assert_eq!(report["output"], format!("package file '{name}' is missing"));
        let mut altered = bytes.clone();
        altered[3] ^= 1;
        fs::write(&path, &altered).unwrap();
        assert_eq!(service.statuses(), UNREADY, "{name} altered");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(service.statuses(), WELL, "{name} restored");
    }
    let moved = dir.path().with_extension("moved");
    fs::rename(dir.path(), &moved).unwrap();
    assert_eq!(service.statuses(), UNREADY, "all removed");
    assert!(!service.get("/health").1.contains(dir.path().to_str().unwrap()));
    fs::rename(&moved, dir.path()).unwrap();
    assert_eq!(service.statuses(), WELL, "all restored");
}

#[test]
fn bytes_altered_behind_an_unchanged_stat_are_found() {
    let dir = small_package();
    let package = crate::ml::package::Package::load(dir.path()).unwrap();
    let watch = Watch::new(dir.path().to_owned(), &package);
    watch.look_closely(&package);
    assert!(watch.is_well());
    let path = dir.path().join("model.json");
    let altered = fs::read_to_string(&path).unwrap().replace("30.0", "31.0");
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, altered).unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_modified(times).unwrap();
    watch.look_closely(&package);
    assert!(!watch.is_well());
}

#[test]
fn bytes_are_counted_also_when_no_length_is_told() {
    let dir = small_package();
    let service = Running::start(dir.path(), Options { max_body_bytes: 100, ..Options::default() });
    let head = "POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let (first, second) = GOOD.split_at(20);
    let good = format!("{head}{}{}0\r\n\r\n", chunk(first), chunk(second));
    assert_eq!(service.ask(&good).0, 200);
    let (status, body) = service.ask(&format!("{head}{}{}", chunk(GOOD), chunk(GOOD)));
    assert_eq!(status, 413, "{body}");
    assert!(serde_json::from_str::<Value>(&body).unwrap()["detail"].is_array());
}

#[test]
fn a_stalled_body_gets_a_408() {
    let dir = small_package();
    let body_timeout = Duration::from_millis(100);
    let service = Running::start(dir.path(), Options { body_timeout, ..Options::default() });
    let (status, body) = service.ask(&format!("{}{{", head(50)));
    assert_eq!(status, 408, "{body}");
}

#[test]
fn a_batch_whose_body_stalls_ends_without_its_last_chunk() {
    let dir = small_package();
    let body_timeout = Duration::from_millis(100);
    let service = Running::start(dir.path(), Options { body_timeout, ..Options::default() });
    let head = "POST /predict/batch HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    let line = format!("{GOOD}\n");
    let begun = format!("{head}{:x}\r\n{line}\r\n", line.len());
    let mut stream = service.connect();
    stream.write_all(begun.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("{\"row\":1,"), "{text}");
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
    let (_, whole) = service.ask(&format!("{begun}0\r\n\r\n"));
    assert!(whole.ends_with("0\r\n\r\n"), "{whole}");
    // A header that never comes has a status of its own.
    let csv = head.replace("application/x-ndjson", "text/csv");
    assert_eq!(service.ask(&format!("{csv}3\r\nage\r\n")).0, 408);
}

#[test]
fn a_request_in_flight_is_answered_after_the_stop() {
    let dir = small_package();
    let mut service = Running::start(dir.path(), Options::default());
    let mut stream = service.connect();
    let (first, second) = GOOD.split_at(20);
    stream.write_all(format!("{}{first}", head(GOOD.len())).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    service.stop();
    std::thread::sleep(Duration::from_millis(100));
    stream.write_all(second.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_eq!(service.join(), 0);
}

#[test]
fn a_client_that_stalls_cannot_hold_up_the_shutdown() {
    let dir = small_package();
    let drain_timeout = Duration::from_millis(200);
    let mut service = Running::start(dir.path(), Options { drain_timeout, ..Options::default() });
    assert_eq!(service.statuses(), WELL);
    let mut stalled = service.connect();
    stalled.write_all(format!("{}{{", head(50)).as_bytes()).unwrap();
    let idle = service.connect();
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    service.stop();
    assert_eq!(service.join(), 1, "the idle one ended, the stalled one was cut off");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    drop((stalled, idle));
}
