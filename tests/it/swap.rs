//! Another package takes over while the service runs: real processes, real sockets, real kills.
//!
//! Two models take turns (`turns`), of which it is known what each answers. `KILLS=500` kills that
//! often, `SEED=7` at other moments.

use std::fs;
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{Lab, flip_byte};
use crate::service::{PATIENCE, Service};
use crate::small;
use crate::turns::{LEARNERS, ask, known, project, promote, promote_args, send, version_of};

/// How many kills there are unless the environment says more.
const KILLS: u64 = 24;

/// A service of what is in production.
fn serve(lab: &Lab, more: &[&str]) -> Service {
    Service::launch(lab.command(&[&["serve", "--alias", "champion", "--port", "0"], more].concat()))
}

/// Waits until the service says that it is this version.
#[track_caller]
fn until_serves(service: &Service, version: &str) {
    let start = Instant::now();
    while service.health().1["model_version"] != version {
        assert!(start.elapsed() < PATIENCE, "{:?}\n{}", service.health(), service.told());
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn promotions_and_rollbacks_under_load_lose_no_request_and_none_sees_two_versions() {
    const SWAPS: usize = 8;
    let lab = project();
    let (known, versions) = known(&lab);
    promote(&lab, LEARNERS[0]);
    let service = serve(&lab, &[]);
    // Swaps that have begun, and that the service has said are done.
    let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let client = |client: usize| {
            let (begun, done, is_over) = (&begun, &done, &is_over);
            let (service, known, versions) = (&service, &known, &versions);
            move || {
                let mut n = 0;
                while !is_over.load(Ordering::SeqCst) {
                    let from = done.load(Ordering::SeqCst);
                    let answers = ask(&service.address, client + n);
                    let to = begun.load(Ordering::SeqCst);
                    let version = version_of(&answers, known);
                    let possible: Vec<_> = (from..=to).map(|swap| &versions[swap % 2]).collect();
                    assert!(possible.contains(&&version), "{version} after {from} swaps");
                    n += 1;
                }
                n
            }
        };
        let clients: Vec<_> = (0..4).map(|i| scope.spawn(client(i))).collect();
        for swap in 1..=SWAPS {
            begun.store(swap, Ordering::SeqCst);
            if swap % 2 == 1 {
                promote(&lab, LEARNERS[1]);
            } else {
                lab.call(&["rollback"]).expect(0).tells("takes it up by itself");
            }
            until_serves(&service, &versions[swap % 2]);
            done.store(swap, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(50));
        }
        is_over.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert!(asked > 10 * SWAPS, "{asked} requests are no load");
    assert_eq!(service.told().matches("serving model ").count(), SWAPS, "{}", service.told());
    let (_, metrics) = send(TcpStream::connect(&service.address).unwrap(), "GET /metrics", &[], "");
    assert!(metrics.contains(&format!("model_swaps_total{{outcome=\"done\"}} {SWAPS}\n")));
    assert!(metrics.contains("model_swaps_total{outcome=\"failed\"} 0\n"));
    assert!(versions.iter().all(|version| metrics.contains(&format!("=\"{version}\",class="))));
}

#[test]
fn a_damaged_package_is_warned_of_and_the_one_before_goes_on() {
    let lab = project();
    let (known, versions) = known(&lab);
    promote(&lab, LEARNERS[0]);
    let service = serve(&lab, &[]);
    // The service sleeps through the promotion, and finds what became of it.
    service.signal("-STOP");
    promote(&lab, LEARNERS[1]);
    flip_byte(&lab.path(format!("outputs/aliases/champion/{}/model.json", versions[1])));
    service.signal("-CONT");
    let start = Instant::now();
    while !service.told().contains("model.json") {
        assert!(start.elapsed() < PATIENCE, "no warning");
        thread::sleep(Duration::from_millis(50));
    }
    let (status, health) = service.health();
    assert_eq!((status, &health["model_version"]), (200, &json!(versions[0])), "{health}");
    let swap = &health["checks"]["package:swap"][0];
    let reason = "package file 'model.json' was altered: its digest is not the packaged one";
    assert_eq!((&swap["status"], &swap["output"]), (&json!("warn"), &json!(reason)));
    assert_eq!(version_of(&ask(&service.address, 0), &known), versions[0]);
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(service.told().matches("warning: ").count(), 1, "{}", service.told());
    // Mended by whoever promotes it again, and taken up without another word.
    promote(&lab, LEARNERS[1]);
    until_serves(&service, &versions[1]);
    assert_eq!(service.expect_health(200)["checks"]["package:swap"][0], json!({"status": "pass"}));
}

#[test]
fn whatever_is_killed_in_a_swap_a_whole_version_is_served_afterwards() {
    let asked = |name: &str, usual: u64| -> u64 {
        std::env::var(name).map_or(usual, |text| text.parse().unwrap())
    };
    let (kills, seed) = (asked("KILLS", KILLS), asked("SEED", 1));
    let lab = project();
    let (known, _) = known(&lab);
    let started = Instant::now();
    promote(&lab, LEARNERS[0]);
    // A promotion, and the half second in which a service takes it up.
    let lasts = started.elapsed() + Duration::from_millis(600);
    for round in 0..kills {
        let mut service = serve(&lab, &[]);
        let args = promote_args(LEARNERS[usize::from(round % 4 < 2)]);
        let mut command = lab.command(&args.each_ref().map(String::as_str));
        let mut promotion = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let part = (seed * 0x9e37 + round * 0x79b9) % 1000;
        thread::sleep(lasts.mul_f64(part as f64 / 1000.0));
        // In turns: the service, the promotion, both.
        let kill = |child: &mut Child| child.kill().unwrap();
        if round % 3 != 1 {
            kill(&mut service.child);
        }
        if round % 3 != 0 {
            kill(&mut promotion);
        }
        promotion.wait().unwrap();
        if round % 3 == 1 {
            // The one that lived on has one of them, too.
            version_of(&ask(&service.address, round as usize), &known);
            assert_eq!(service.health().0, 200);
        }
        drop(service);
        let again = serve(&lab, &[]);
        version_of(&ask(&again.address, round as usize), &known);
        assert_eq!(again.health().0, 200, "round {round}");
    }
}

#[test]
fn a_hangup_has_the_service_look_and_tell_its_manager() {
    let lab = project();
    let (_, versions) = known(&lab);
    promote(&lab, LEARNERS[0]);
    let path = lab.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut word = [0; 100];
        let len = manager.recv(&mut word).unwrap();
        String::from_utf8(word[..len].to_vec()).unwrap()
    };
    let mut command = lab.command(&["serve", "--alias", "champion", "--port", "0"]);
    command.env("NOTIFY_SOCKET", &path);
    let mut service = Service::launch(command);
    assert_eq!(told(), "READY=1");
    let status = fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    // Under `nohup` it is not listened to.
    if u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 0 {
        promote(&lab, LEARNERS[1]);
        service.signal("-HUP");
        assert_eq!((told(), told()), ("RELOADING=1".to_owned(), "READY=1".to_owned()));
        assert_eq!(service.health().1["model_version"], versions[1]);
    }
    service.signal("-TERM");
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_ends_with_its_terminal() {
    let lab = project();
    let serve = lab.command(&["serve", "--socket", "socket"]);
    let words = std::iter::once(serve.get_program()).chain(serve.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &format!("exec {}", words.join(" ")), "/dev/null"]);
    terminal.current_dir(lab.path("")).stdin(Stdio::piped());
    let mut terminal = terminal.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let socket = lab.path("socket");
    let wait_until = |is_there: bool| {
        let start = Instant::now();
        while UnixStream::connect(&socket).is_ok() != is_there {
            assert!(start.elapsed() < PATIENCE, "the socket is there: {}", !is_there);
            thread::sleep(Duration::from_millis(20));
        }
    };
    wait_until(true);
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    wait_until(false);
    assert!(!socket.exists(), "it did not end cleanly");
}

/// The address by which other machines would reach this one, if it has any.
fn own_address() -> Option<IpAddr> {
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the system chooses the way there.
    probe.connect("192.0.2.1:9").ok()?;
    let own = probe.local_addr().unwrap().ip();
    (!own.is_loopback()).then_some(own)
}

#[test]
fn only_this_machine_may_ask_for_a_swap_and_only_where_that_was_allowed() {
    let lab = project();
    let (_, versions) = known(&lab);
    promote(&lab, LEARNERS[0]);
    let service = serve(&lab, &["--admin", "--host", "0.0.0.0"]);
    let port = service.address.rsplit(':').next().unwrap();
    let near = || TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let reload = "POST /admin/reload";
    let (status, body) = send(near(), reload, &[], "");
    let unchanged =
        json!({"status": "unchanged", "model_version": versions[0], "before": null}).to_string();
    assert_eq!((status, body), (200, unchanged));
    promote(&lab, LEARNERS[1]);
    let (status, body) = send(near(), reload, &[], "");
    let body: Value = serde_json::from_str(&body).unwrap();
    // Unless it has found the promotion by itself already.
    assert_eq!((status, &body["model_version"]), (200, &json!(versions[1])), "{body}");
    for header in ["origin: http://evil.test", "x-forwarded-for: 1.2.3.4", "forwarded: for=x"] {
        let (status, body) = send(near(), reload, &[header], "");
        assert_eq!(status, 403, "{header}: {body}");
    }
    assert_eq!(send(near(), "GET /admin/reload", &[], "").0, 405);
    if let Some(own) = own_address() {
        let far = TcpStream::connect(format!("{own}:{port}")).unwrap();
        let (status, body) = send(far, reload, &[], "");
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("the service's own machine"), "{body}");
    }
    // What cannot be served is told to whoever asks.
    let alias = lab.path("outputs/aliases/champion.json");
    flip_byte(&alias);
    let (status, body) = send(near(), reload, &[], "");
    assert!(status == 409 && body.contains("`champion` is damaged"), "{status} {body}");
    assert!(!body.contains(lab.path("").to_str().unwrap()), "{body}");
    drop(service);
    let socket = lab.path("socket");
    let package = small::package(LEARNERS[0]);
    let serve = |more: &[&str]| {
        let path = socket.to_str().unwrap();
        let args = [&["serve", "--package", &package, "--socket", path], more].concat();
        Service::launch(lab.command(&args))
    };
    let service = serve(&["--admin"]);
    assert_eq!(send(UnixStream::connect(&socket).unwrap(), reload, &[], "").0, 200);
    drop(service);
    let _without = serve(&[]);
    assert_eq!(send(UnixStream::connect(&socket).unwrap(), reload, &[], "").0, 404);
}

#[test]
fn a_run_that_makes_another_package_is_taken_up_without_a_moment_of_unreadiness() {
    let lab = project();
    let (_, versions) = known(&lab);
    let service = Service::launch(lab.command(&["serve"]));
    until_serves(&service, &versions[0]);
    let is_over = AtomicBool::new(false);
    let probes = thread::scope(|scope| {
        let probing = scope.spawn(|| {
            let mut n = 0;
            while !is_over.load(Ordering::SeqCst) {
                let (status, health) = service.request("GET", "/health/ready", "");
                assert_eq!(status, 200, "{health}");
                n += 1;
            }
            n
        });
        for (c, swaps) in [("0.5", 1), ("1.0", 2), ("0.25", 3)] {
            let c = format!("train@logistic_regression.C={c}");
            lab.call(&["run", "--no-serve", "--set", &c]).expect(0);
            let manifest = lab.read_bytes(&format!("{}/package.json", small::package(LEARNERS[0])));
            until_serves(&service, &engine::digest::Digest::of(&manifest).short());
            assert_eq!(service.told().matches("serving model ").count(), swaps);
        }
        is_over.store(true, Ordering::SeqCst);
        probing.join().unwrap()
    });
    assert!(probes > 20, "{probes} probes");
    let (_, health) = service.health();
    assert_ne!(health["model_version"], versions[0]);
}
