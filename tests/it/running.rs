//! The running service as its operator sees it: flags, a Unix socket, and signals.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::service::{PATIENCE, Service, subscriber};

/// Asks by curl over a Unix socket, and returns the status and the body.
fn curl(socket: &str, args: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]);
    let output = command.args(["--unix-socket", socket]).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[test]
fn a_unix_socket_is_served_to_its_owner_and_replaced_after_a_kill() {
    let lab = Lab::example_that_ran();
    let path = lab.path("socket");
    let socket = path.to_str().unwrap();
    let start = || Service::launch(lab.command(&["serve", "--socket", socket]));

    let mut killed = start();
    assert_eq!(killed.address, socket);
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let record = subscriber(&lab).to_string();
    let json = ["-H", "content-type: application/json", "-d", &record, "http://localhost/predict"];
    let (status, answer) = curl(socket, &json);
    assert_eq!(status, "200", "{answer}");
    lab.call(&["serve", "--socket", socket]).expect(75).tells("another program listens");
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(path.exists(), "nobody could remove it");

    let mut service = start();
    assert_eq!(curl(socket, &json), (status, answer), "the same bytes");
    service.signal("-TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    assert!(!path.exists());
    fs::write(&path, "mine").unwrap();
    lab.call(&["serve", "--socket", socket]).expect(2).tells("is no socket");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_flag_has_the_range_of_the_parameter_and_all_mistakes_are_told_at_once() {
    let lab = Lab::example_that_ran();
    let ended = lab.call(&[
        "serve",
        "--port=0",
        "--header-timeout=0",
        "--max-headers=1",
        "--max-connections=-3",
    ]);
    let ended = ended.expect(2);
    for told in ["--header-timeout", "--max-headers", "--max-connections"] {
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
    assert!(ended.err.contains("1000"), "the range is told: {}", ended.err);
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    let lab = Lab::example_that_ran();
    let run = ["run", "--set", "serve.port=0", "--set", "serve.drain_timeout=300"];
    let alone = ["serve", "--port=0", "--drain-timeout=300", "--body-timeout=300"];
    for args in [&run[..], &alone[..]] {
        let mut service = Service::launch(lab.command(args));
        // A request that never ends, which the first signal waits for.
        let mut stalled = TcpStream::connect(&service.address).unwrap();
        let head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                    content-length: 9\r\n\r\n{";
        stalled.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        service.signal("-TERM");
        std::thread::sleep(Duration::from_millis(800));
        assert!(service.child.try_wait().unwrap().is_none(), "{args:?}: it waits for the request");
        let start = Instant::now();
        service.signal("-TERM");
        assert_eq!(service.child.wait().unwrap().code(), Some(130), "{args:?}");
        assert!(start.elapsed() < PATIENCE / 15, "{args:?}: {:?}", start.elapsed());
    }
}

#[test]
fn a_service_manager_is_told_when_the_service_answers_and_when_it_stops() {
    let lab = Lab::example_that_ran();
    let path = lab.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut word = [0; 100];
        let len = manager.recv(&mut word).unwrap();
        String::from_utf8(word[..len].to_vec()).unwrap()
    };
    let mut command = lab.command(&["serve", "--port=0"]);
    command.env("NOTIFY_SOCKET", &path);
    let mut service = Service::launch(command);
    assert_eq!(told(), "READY=1");
    assert_eq!(service.health().0, 200);
    service.signal("-TERM");
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

/// Starts a service whose words are in the file `log`, and waits until it says where it is.
fn heard(lab: &Lab, args: &[&str]) -> (Child, String) {
    let log = fs::File::create(lab.path("log")).unwrap();
    let child = lab.command(args).stderr(log).stdout(Stdio::null()).spawn().unwrap();
    (child, address_in_log(lab))
}

/// Where a service says that it is.
fn address_in_log(lab: &Lab) -> String {
    let start = Instant::now();
    loop {
        let text = lab.read("log");
        if let Some((_, rest)) = text.split_once(" on http://")
            && let Some((address, _)) = rest.split_once('\n')
        {
            return address.to_owned();
        }
        assert!(start.elapsed() < PATIENCE, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_address_that_others_can_reach_is_warned_of() {
    let lab = Lab::example_that_ran();
    let (mut child, address) = heard(&lab, &["serve", "--host=0.0.0.0", "--port=0"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let told = format!("warning: {address} can be reached from other machines");
    assert!(lab.read("log").contains(&told), "{}", lab.read("log"));
}

#[test]
fn every_answer_is_a_line_with_its_ids_and_nothing_of_its_body() {
    let lab = Lab::example_that_ran();
    let (mut child, address) = heard(&lab, &["serve", "--port=0", "--log=json"]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut stream = TcpStream::connect(address).unwrap();
    let body = "{\"secret\": 1}";
    let head = format!(
        "POST /predict?token=secret HTTP/1.1\r\nhost: secret\r\nconnection: close\r\n\
         content-type: application/json\r\nx-request-id: mine\r\n\
         traceparent: 00-{trace}-00f067aa0ba902b7-01\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let text = lab.read("log");
    assert!(!text.contains("warning"), "this machine alone: {text}");
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let of = |key: &str| line[key].as_str().unwrap().to_owned();
    assert_eq!((of("method"), of("route")), ("POST".to_owned(), "/predict".to_owned()));
    assert_eq!((of("request_id"), of("trace_id")), ("mine".to_owned(), trace.to_owned()));
    assert_eq!(line["status"], 422);
    assert!(!line.to_string().contains("secret"), "{line}");
}
