//! Two thousand clients that hold a connection and say nothing more, and the process that bears it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::small::{self, Served};

/// How many there are.
const CLIENTS: usize = 2000;

/// How many files this process and the service need each.
const FILES: u64 = CLIENTS as u64 + 400;

/// How much memory one of them may cost: three times what was measured, 22 kB.
const ALLOWED_KB: u64 = 64;

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

/// Lets this process, and those that it starts, have so many files; false where that cannot be,
/// which in CI is a failure.
fn has_files() -> bool {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let is_there =
        soft >= FILES || setrlimit(Resource::RLIMIT_NOFILE, FILES.min(hard), hard).is_ok();
    let is_there = is_there && soft.max(hard) >= FILES;
    assert!(is_there || std::env::var_os("CI").is_none(), "CI needs {FILES} open files");
    is_there
}

fn record() -> Value {
    json!({"age": 24, "charge": 99.5, "member": true, "plan": "gold"})
}

fn serve(lab: &crate::lab::Lab, flags: &[&str]) -> Served {
    let service = Served::start(lab, &small::package("decision_tree"), flags);
    // All that is made on first use is made.
    assert_eq!(service.post("/predict", &record()).0, 200);
    service
}

/// Asks once and keeps the connection.
fn answered(service: &Served) -> TcpStream {
    let mut stream = service.connect();
    stream.write_all(LIVE).unwrap();
    let mut answer = [0; 1024];
    let n = stream.read(&mut answer).unwrap();
    assert!(answer[..n].starts_with(b"HTTP/1.1 200"), "{}", answer[..n].escape_ascii());
    stream
}

/// Whether the service has closed a connection.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut byte = [0];
    let read = (&mut &*stream).read(&mut byte);
    stream.set_nonblocking(false).unwrap();
    match read {
        Ok(n) => n == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn metric(service: &Served, name: &str) -> u64 {
    let mut stream = service.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn two_thousand_idle_connections_cost_little_and_end_by_their_deadline() {
    if !has_files() {
        return;
    }
    let lab = small::project();
    let most = format!("--max-connections={}", CLIENTS + 50);
    let each = most.replace("connections", "connections-per-address");
    let service = serve(&lab, &[&most, &each, "--idle-timeout=15"]);
    let before = service.memory("VmRSS");
    let idle: Vec<TcpStream> = (0..CLIENTS).map(|_| answered(&service)).collect();
    let last = Instant::now();
    let grown = service.memory("VmRSS").saturating_sub(before);
    let each = grown * 1024 / CLIENTS as u64;
    assert!(each < ALLOWED_KB * 1024, "{grown} kB, {each} bytes each");
    // Others are answered, and none of the idle ones had to go for them.
    for _ in 0..20 {
        assert_eq!(service.post("/predict", &record()).0, 200);
    }
    assert_eq!(metric(&service, "connections_evicted_total "), 0);
    assert!(metric(&service, "connections ") >= CLIENTS as u64 - 1);
    assert!(!is_closed(&idle[CLIENTS - 1]), "its time has not come");
    while !idle.iter().all(is_closed) {
        assert!(last.elapsed() < Duration::from_secs(60), "they are held for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(last.elapsed() > Duration::from_secs(12), "{:?}", last.elapsed());
}

#[test]
fn who_waits_longest_for_a_next_request_makes_room_for_a_new_client() {
    if !has_files() {
        return;
    }
    let lab = small::project();
    let flags = ["--max-connections=500", "--max-connections-per-address=500"];
    let service = serve(&lab, &flags);
    let mut idle: Vec<TcpStream> = (0..500).map(|_| answered(&service)).collect();
    std::thread::sleep(Duration::from_millis(1200));
    // The first is of use again, and so the last that has to go.
    idle[0].write_all(LIVE).unwrap();
    assert!(idle[0].read(&mut [0; 1024]).unwrap() > 0);
    let fresh: Vec<TcpStream> = (0..100).map(|_| answered(&service)).collect();
    let began = Instant::now();
    while !idle[1..=100].iter().all(is_closed) {
        assert!(began.elapsed() < Duration::from_secs(10), "they are asked to go, and stay");
        std::thread::sleep(Duration::from_millis(20));
    }
    let is_held = |stream: &TcpStream| !is_closed(stream);
    assert!(is_held(&idle[0]) && idle[101..].iter().all(is_held) && fresh.iter().all(is_held));
    assert!(metric(&service, "connections_evicted_total ") >= 100);
    for _ in 0..20 {
        assert_eq!(service.post("/predict", &record()).0, 200, "there is always room");
    }
}

#[test]
fn clients_that_have_not_said_anything_are_held_to_the_limit_and_no_others_let_in() {
    if !has_files() {
        return;
    }
    let lab = small::project();
    let flags =
        ["--max-connections=500", "--max-connections-per-address=500", "--header-timeout=20"];
    let service = serve(&lab, &flags);
    let before = service.memory("VmRSS");
    let mut silent: Vec<TcpStream> = (0..CLIENTS).map(|_| service.connect()).collect();
    let began = Instant::now();
    let mut late = silent.split_off(500);
    assert!(silent.iter().all(|stream| !is_closed(stream)), "they have time to say something");
    let mut told = 0;
    for stream in &mut late {
        let mut text = String::new();
        // One that is closed without a word may be reset.
        let _ = stream.read_to_string(&mut text);
        if !text.is_empty() {
            assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("retry-after: 1"), "{text}");
            told += 1;
        }
    }
    assert!(told > 0);
    let grown = service.memory("VmRSS").saturating_sub(before);
    assert!(grown < ALLOWED_KB * 500, "{grown} kB");
    while !silent.iter().all(is_closed) {
        assert!(began.elapsed() < Duration::from_secs(60), "they are held for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(service.post("/predict", &record()).0, 200);
}
