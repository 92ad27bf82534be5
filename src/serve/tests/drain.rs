//! Tests of a stop under load: what a client was promised is kept, and the deadline is one.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::GOOD;
use super::socket::{Running, head};
use crate::ml::package::tests::small_package;
use crate::serve::{Limits, Options};

/// What clients have seen.
#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    failed: AtomicUsize,
    /// What a load balancer goes by.
    is_unready: AtomicBool,
}

/// Sends one request after another as a load balancer does: on a connection that is kept as long as
/// the service keeps it, and none once readiness has failed.
fn load(at: SocketAddr, seen: &Seen) {
    let request = head(GOOD.len()).replace("connection: close\r\n", "") + GOOD;
    while !seen.is_unready.load(Ordering::SeqCst) {
        let Ok(mut stream) = TcpStream::connect(at) else {
            seen.failed.fetch_add(1, Ordering::SeqCst);
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        while !seen.is_unready.load(Ordering::SeqCst) {
            let answer = stream.write_all(request.as_bytes()).and_then(|()| read(&mut stream));
            match answer {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => {
                    seen.answered.fetch_add(1, Ordering::SeqCst);
                    if answer.contains("connection: close") {
                        break;
                    }
                }
                _ => {
                    seen.failed.fetch_add(1, Ordering::SeqCst);
                    break;
                }
            }
        }
    }
}

/// Reads an answer to the end of its body.
fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 2048];
    loop {
        match stream.read(&mut part)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&part[..n]),
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
            return Ok(text.into_owned());
        }
    }
}

#[test]
fn a_stop_under_load_fails_no_request() {
    let dir = small_package();
    let drain_delay = Duration::from_millis(500);
    let limits = Limits { drain_delay, ..Limits::default() };
    let mut service = Running::start(dir.path(), Options { limits, ..Options::default() });
    let (seen, at) = (Arc::new(Seen::default()), service.at);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || load(at, &seen))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let before = seen.answered.load(Ordering::SeqCst);
    service.stop();
    let stopped = Instant::now();
    while service.get("/health/ready").0 == 200 {
        assert!(stopped.elapsed() < drain_delay, "readiness fails first");
    }
    // A probe comes only every now and then: until then the load goes on.
    std::thread::sleep(Duration::from_millis(200));
    seen.is_unready.store(true, Ordering::SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(service.join(), 0);
    let answered = seen.answered.load(Ordering::SeqCst);
    assert!(before > 0 && answered > before, "{before} of {answered} before the stop");
    assert_eq!(seen.failed.load(Ordering::SeqCst), 0, "of {answered}");
    assert!(TcpStream::connect(at).is_err());
}

#[test]
fn a_connection_in_use_has_a_moment_for_one_more_request() {
    let dir = small_package();
    let mut service = Running::start(dir.path(), Options::default());
    let mut stream = service.connect();
    let get = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(get.as_bytes()).unwrap();
    assert!(!read(&mut stream).unwrap().contains("connection: close"));
    service.stop();
    std::thread::sleep(Duration::from_millis(60));
    stream.write_all(get.as_bytes()).unwrap();
    let answer = read(&mut stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    let start = Instant::now();
    assert_eq!(service.join(), 0);
    assert!(start.elapsed() < Duration::from_secs(3), "an idle service stops at once");
}
