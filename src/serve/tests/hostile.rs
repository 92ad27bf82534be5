//! Tests of clients that are slow, greedy or sly, each over a real socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::GOOD;
use super::socket::{Running, head};
use crate::ml::package::tests::small_package;
use crate::serve::{Limits, Options};

const SHORT: Duration = Duration::from_millis(300);

/// Limits that a test can wait for.
fn impatient() -> Options {
    let limits = Limits { header_timeout: SHORT, idle_timeout: SHORT, ..Limits::default() };
    Options { body_timeout: SHORT, limits, ..Options::default() }
}

/// What the service still says until it closes, and how long that takes.
fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    (String::from_utf8(bytes).unwrap(), start.elapsed())
}

/// Checks that an answer is a refusal in the one shape of all of them.
#[track_caller]
fn is_refusal(answer: &str, status: u16, kind: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["status"], &body["detail"][0]["type"]), (&status.into(), &kind.into()));
    assert!(body["request_id"].is_string());
}

/// Reads one answer from a connection that stays open.
fn one(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    text + std::str::from_utf8(&body).unwrap()
}

const GET: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

#[test]
fn who_says_nothing_or_half_a_head_has_a_deadline() {
    let dir = small_package();
    let service = Running::start(dir.path(), impatient());
    let begun =
        ["G", "GET /health HT", "GET /health HTTP/1.1\r\nhost: x\r\nacc", &GET[..GET.len() - 2]];
    let mut silent = service.connect();
    let (answer, elapsed) = rest(&mut silent);
    assert_eq!(answer, "", "nothing was asked");
    assert!(elapsed > SHORT / 2 && elapsed < SHORT * 10, "{elapsed:?}");
    for text in begun {
        let mut stream = service.connect();
        stream.write_all(text.as_bytes()).unwrap();
        let (answer, elapsed) = rest(&mut stream);
        is_refusal(&answer, 408, "timeout");
        assert!(elapsed > SHORT / 2 && elapsed < SHORT * 10, "{text:?}: {elapsed:?}");
    }
}

#[test]
fn a_head_has_one_deadline_however_often_a_line_comes() {
    let dir = small_package();
    let service = Running::start(dir.path(), impatient());
    let mut stream = service.connect();
    let start = Instant::now();
    stream.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
    stream.set_read_timeout(Some(SHORT / 6)).unwrap();
    let mut answer = vec![0; 4096];
    let read = loop {
        // The service may close between two lines.
        let _ = stream.write_all(b"a: b\r\n");
        match stream.read(&mut answer) {
            Ok(n) => break n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        assert!(start.elapsed() < SHORT * 10);
    };
    is_refusal(std::str::from_utf8(&answer[..read]).unwrap(), 408, "timeout");
}

#[test]
fn a_body_has_a_deadline_and_an_idle_connection_too() {
    let dir = small_package();
    let service = Running::start(dir.path(), impatient());
    let mut stream = service.connect();
    stream.write_all(format!("{}{{", head(50)).as_bytes()).unwrap();
    is_refusal(&rest(&mut stream).0, 408, "timeout");

    let mut idle = service.connect();
    for _ in 0..4 {
        // In use it lives on, for longer than it may be idle.
        idle.write_all(GET.as_bytes()).unwrap();
        assert!(one(&mut idle).starts_with("HTTP/1.1 200"));
        std::thread::sleep(SHORT / 2);
    }
    let (answer, elapsed) = rest(&mut idle);
    assert_eq!(answer, "", "it is closed without a word");
    assert!(elapsed < SHORT * 10, "{elapsed:?}");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let dir = small_package();
    let service = Running::start(dir.path(), Options::default());
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(17 << 10));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(64));
    for (request, status, kind) in [
        (
            "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "content_length",
        ),
        ("GET /health HTTP/1.1\r\n\r\n", 400, "host"),
        ("GET /health HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", 400, "host"),
        ("GET /health HTTP/1.1\nhost: x\n\n", 400, "line_end"),
        ("GET /health HTTP/1.1\r\nhost: x\n\r\n", 400, "line_end"),
        ("GET /health HTTP/1.1\r\nhost : x\r\n\r\n", 400, "header"),
        ("hello\r\n\r\n", 400, "request_line"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version"),
        (&large, 431, "header_too_large"),
        (&many, 431, "header_too_large"),
    ] {
        let mut stream = service.connect();
        stream.write_all(request.as_bytes()).unwrap();
        is_refusal(&rest(&mut stream).0, status, kind);
    }
    assert_eq!(service.predict().0, 200);
}

#[test]
fn requests_in_one_go_are_answered_in_order_up_to_the_first_that_is_refused() {
    let dir = small_package();
    let service = Running::start(dir.path(), Options::default());
    let mut stream = service.connect();
    let post = head(GOOD.len()).replace("connection: close\r\n", "") + GOOD;
    let bad = "GET /health HTTP/1.1\nhost: x\n\n";
    stream.write_all(format!("{GET}{post}{GET}{bad}{GET}").as_bytes()).unwrap();
    let mut answers = [one(&mut stream), one(&mut stream), one(&mut stream)];
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    assert!(answers[1].contains("probability"));
    answers[0] = rest(&mut stream).0;
    is_refusal(&answers[0], 400, "line_end");
    assert_eq!(answers[0].matches("HTTP/1.1").count(), 1, "what follows has no meaning");
}

/// Connects from an address of this machine of one's own choice.
fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn two_thousand_idle_connections_keep_nobody_else_out() {
    let dir = small_package();
    let limits = Limits { max_connections_per_address: 100, ..Limits::default() };
    let service = Running::start(dir.path(), Options { limits, ..Options::default() });
    // So many at once that those which are closed leave room for the next, whatever the limit on
    // open files is.
    let (mut idle, mut told) = (Vec::new(), 0);
    for round in 0..20 {
        let fresh: Vec<_> = (0..100).map(|_| service.connect()).collect();
        if round == 0 {
            idle = fresh;
            continue;
        }
        for mut stream in fresh.into_iter().take(3) {
            // When very many come at once, not all are told.
            let answer = rest(&mut stream).0;
            if !answer.is_empty() {
                is_refusal(&answer, 503, "overloaded");
                told += 1;
            }
        }
    }
    assert!(told > 0);
    let mut healthy = connect_from(2, service.at);
    healthy.write_all((head(GOOD.len()) + GOOD).as_bytes()).unwrap();
    assert!(rest(&mut healthy).0.starts_with("HTTP/1.1 200"));
    std::thread::sleep(Duration::from_secs(1));
    let mut refused = service.connect();
    let answer = rest(&mut refused).0;
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    // With room again, the greedy client is served, too.
    drop(idle);
    let start = Instant::now();
    loop {
        let mut stream = service.connect();
        // It may be turned away while the service learns that the others have gone.
        let _ = stream.write_all((head(GOOD.len()) + GOOD).as_bytes());
        if rest(&mut stream).0.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn overloaded(dir: &Path, max_requests: usize) -> (Running, TcpStream) {
    let limits = Limits { max_requests, ..Limits::default() };
    let service = Running::start(dir, Options { limits, ..Options::default() });
    let mut busy = service.connect();
    busy.write_all(head(GOOD.len()).as_bytes()).unwrap();
    // Until it is worked on; it waits for its body.
    std::thread::sleep(Duration::from_millis(100));
    (service, busy)
}

#[test]
fn work_above_the_limit_is_shed_and_probes_are_not() {
    let dir = small_package();
    let (service, mut busy) = overloaded(dir.path(), 1);
    let mut stream = service.connect();
    stream.write_all((head(GOOD.len()) + GOOD).as_bytes()).unwrap();
    let answer = rest(&mut stream).0;
    is_refusal(&answer, 503, "overloaded");
    assert!(answer.contains("retry-after: 1\r\n") && answer.contains("x-request-id: "), "{answer}");
    assert_eq!((service.get("/health").0, service.get("/health/live").0), (200, 200));
    busy.write_all(GOOD.as_bytes()).unwrap();
    assert!(rest(&mut busy).0.starts_with("HTTP/1.1 200"));
    assert_eq!(service.predict().0, 200);
}

#[test]
fn a_request_has_a_deadline_in_all() {
    let dir = small_package();
    let limits = Limits { request_timeout: SHORT, ..Limits::default() };
    let service = Running::start(dir.path(), Options { limits, ..Options::default() });
    let mut stream = service.connect();
    stream.write_all(head(GOOD.len()).as_bytes()).unwrap();
    is_refusal(&rest(&mut stream).0, 504, "deadline");
}

#[test]
fn a_client_that_takes_no_answers_is_let_go() {
    let dir = small_package();
    let service = Running::start(dir.path(), impatient());
    let mut stream = service.connect();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let start = Instant::now();
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    while stream.write_all(ask.as_bytes()).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20), "it is read on for ever");
    }
    assert!(start.elapsed() < Duration::from_secs(4), "it is held for ever");
    assert_eq!(service.predict().0, 200);
}
