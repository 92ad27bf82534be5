//! TLS of the running service, as curl and openssl find it: certificates of the service and of
//! clients, their renewal under load, and what is wrong with them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::access::{Served, curl, status, wait_until};
use crate::lab::Lab;
use crate::service::PATIENCE;
use crate::small;

fn has_openssl() -> bool {
    let has = Command::new("openssl").arg("version").output().is_ok_and(|o| o.status.success());
    assert!(has || std::env::var_os("CI").is_none(), "CI needs openssl: .ci/run installs it");
    has
}

/// Certificates in a directory, made by openssl.
struct Authority<'l> {
    lab: &'l Lab,
}

impl<'l> Authority<'l> {
    /// An authority whose certificate is `NAME.pem`.
    fn new(lab: &'l Lab, name: &str) -> Authority<'l> {
        lab.write(
            "openssl.cnf",
            "[req]\ndistinguished_name = dn\n[dn]\n[authority]\n\
             basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n[leaf]\n\
             basicConstraints = critical, CA:FALSE\n\
             subjectAltName = DNS:localhost, IP:127.0.0.1\n",
        );
        let authority = Authority { lab };
        authority.issue(name, "authority", &[]);
        authority
    }

    /// A certificate `NAME.pem` and its key `NAME.key`, signed by `authority.pem` unless it is one.
    fn leaf(&self, name: &str, authority: &str) {
        let (cert, key) = (format!("{authority}.pem"), format!("{authority}.key"));
        self.issue(name, "leaf", &["-CA", &cert, "-CAkey", &key]);
    }

    fn issue(&self, name: &str, extensions: &str, more: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-config", "openssl.cnf", "-nodes", "-days", "2"]);
        command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-subj", &format!("/CN={name}"), "-extensions", extensions]);
        command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
        let output = command.args(more).current_dir(self.lab.path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let key = self.lab.path(format!("{name}.key"));
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The name in the certificate that a service shows.
fn shown_name(lab: &Lab, address: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address, "-CAfile", "ca.pem"]);
    let output = command.current_dir(lab.path("")).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.trim_start().starts_with("subject="));
    line.unwrap_or_else(|| panic!("{text}")).rsplit(['=', ' ']).next().unwrap().to_owned()
}

#[test]
fn a_client_that_trusts_the_certificate_is_answered_through_tls_and_all_limits_hold_there() {
    if !has_openssl() {
        return;
    }
    let lab = small::project();
    let authority = Authority::new(&lab, "ca");
    authority.leaf("server", "ca");
    let tls = ["--tls-cert=server.pem", "--tls-key=server.key"];
    let more = ["--header-timeout=3", "--max-connections=2", "--max-body-bytes=100"];
    let service = Served::start(&lab, &[&tls[..], &more].concat());
    assert!(service.url.starts_with("https://127.0.0.1:"), "{}", service.url);
    let ca = lab.path("ca.pem");
    let ca = ca.to_str().unwrap();
    let health = format!("{}/health", service.url);
    for version in ["1.2", "1.3"] {
        let exactly = [&*format!("--tlsv{version}"), "--tls-max", version, "--cacert", ca, &health];
        assert_eq!(status(&exactly), "200", "{version}");
    }
    assert_eq!(status(&["--tlsv1.0", "--tls-max", "1.1", "--cacert", ca, &health]), "000");
    assert_eq!(status(&[&health]), "000", "the authority is not trusted");
    assert_eq!(status(&[&health.replace("https", "http")]), "000", "it speaks TLS alone");

    let predict = format!("{}/predict", service.url);
    let json = ["--cacert", ca, "-H", "content-type: application/json"];
    let record = json!({"age": 24, "charge": 99.5, "member": true, "plan": "gold"}).to_string();
    let (found, answer) = curl(&[&json[..], &["-d", &record, &predict]].concat());
    assert_eq!(found, "200", "{answer}");
    let large = format!("[{}]", [&*record; 9].join(","));
    assert_eq!(status(&[&json[..], &["-d", &large, &predict]].concat()), "413");

    // What is decrypted is followed like any other bytes.
    let twice = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\
                 transfer-encoding: chunked\r\n\r\n";
    let told = said(&lab, &service, twice);
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("must not be given both"), "{told}");
    let told = said(&lab, &service, "GET /health HTTP/1.1\r\nhost:");
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");

    // A handshake that does not come has the deadline of a head, and counts as a connection.
    let start = Instant::now();
    let mut idle: Vec<_> = (0..2).map(|_| TcpStream::connect(service.address()).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(200));
    let (found, _) = curl(&["--cacert", ca, &health]);
    assert_eq!(found, "503", "two are connected, and the third is told so");
    for stream in &mut idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0, "it is closed");
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(2900) && took < PATIENCE / 3, "{took:?}");
    let (_, numbers) = curl(&["--cacert", ca, &format!("{}/metrics", service.url)]);
    let failed = numbers.lines().find_map(|l| l.strip_prefix("tls_handshakes_failed_total "));
    assert!(failed.unwrap().parse::<u32>().unwrap() >= 4, "{numbers}");
}

/// What a service says to bytes that are sent through TLS as they are, until it closes.
fn said(lab: &Lab, service: &Served, bytes: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-ign_eof", "-connect", service.address()]);
    command.args(["-CAfile", "ca.pem"]).current_dir(lab.path(""));
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(bytes.as_bytes()).unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    drop(stdin);
    child.wait().unwrap();
    text
}

#[test]
fn only_a_client_whose_certificate_the_right_authority_signed_is_let_in() {
    if !has_openssl() {
        return;
    }
    let lab = small::project();
    let authority = Authority::new(&lab, "ca");
    Authority::new(&lab, "other");
    for (name, signer) in [("server", "ca"), ("client", "ca"), ("stranger", "other")] {
        authority.leaf(name, signer);
    }
    let files = ["--tls-cert=server.pem", "--tls-key=server.key", "--tls-client-ca=ca.pem"];
    let mut service = Served::start(&lab, &files);
    let health = format!("{}/health", service.url);
    let shows = |name: Option<&str>| {
        let path = |end: &str| lab.path(format!("{}.{end}", name.unwrap_or_default()));
        let (cert, key) = (path("pem"), path("key"));
        let mut args = vec!["--cacert", "ca.pem"];
        if name.is_some() {
            args.extend(["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()]);
        }
        args.push(&health);
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "30", "--output", "/dev/null"]);
        command.args(["--write-out", "%{http_code}"]).args(args).current_dir(lab.path(""));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(shows(Some("client")), "200");
    assert_eq!(shows(Some("stranger")), "000");
    assert_eq!(shows(None), "000");

    // Who has not even shaken hands does not hold up a stop.
    let idle = TcpStream::connect(service.address()).unwrap();
    let start = Instant::now();
    let pid = service.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(!lab.read("log").contains("cut off"), "{}", lab.read("log"));
    drop(idle);
}

#[test]
fn a_certificate_is_renewed_under_load_and_one_that_went_bad_is_not_taken() {
    if !has_openssl() {
        return;
    }
    let lab = small::project();
    let authority = Authority::new(&lab, "ca");
    for name in ["old", "new"] {
        authority.leaf(name, "ca");
    }
    let put = |name: &str| {
        // One after the other, as programs do that renew certificates.
        for end in ["pem", "key"] {
            fs::copy(lab.path(format!("{name}.{end}")), lab.path(format!("server.{end}"))).unwrap();
        }
    };
    put("old");
    let service = Served::start(&lab, &["--tls-cert=server.pem", "--tls-key=server.key"]);
    assert_eq!(shown_name(&lab, service.address()), "old");
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ca = lab.path("ca.pem");
    let url = format!("{}/health/live", service.url);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(status(&["--cacert", ca.to_str().unwrap(), &url]), "200");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        put("new");
        wait_until("the new certificate", || shown_name(&lab, service.address()) == "new");
        lab.write("server.key", "no key");
        wait_until("a warning", || lab.read("log").contains("what held before still holds"));
        assert_eq!(shown_name(&lab, service.address()), "new");
        put("old");
        wait_until("the old certificate", || shown_name(&lab, service.address()) == "old");
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) > 20, "{answered:?} of curl's handshakes");
    assert_eq!(lab.read("log").matches("warning").count(), 1, "{}", lab.read("log"));
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_its_file_and_how_to_mend_it() {
    if !has_openssl() {
        return;
    }
    let lab = small::project();
    let authority = Authority::new(&lab, "ca");
    authority.leaf("server", "ca");
    authority.leaf("other", "ca");
    lab.write("text", "not a certificate\n");
    lab.write("half", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let mut encrypt = Command::new("openssl");
    encrypt.args(["pkey", "-in", "server.key", "-aes256", "-passout", "pass:x", "-out", "secret"]);
    assert!(encrypt.current_dir(lab.path("")).status().unwrap().success());
    let package = small::package("logistic_regression");
    for (cert, key, client_ca, code, told) in [
        ("none", "server.key", "ca.pem", 4, "cannot read the certificate in `none`"),
        ("server.pem", "none", "ca.pem", 4, "cannot read the key in `none`"),
        ("server.pem", "server.key", "none", 4, "authorities in `none`"),
        ("text", "server.key", "ca.pem", 2, "`text` holds no certificate: it must be PEM"),
        ("half", "server.key", "ca.pem", 2, "`half` is no whole PEM: a section has no line"),
        ("server.key", "server.pem", "ca.pem", 2, "are `tls_cert` and `tls_key` exchanged?"),
        ("server.pem", "text", "ca.pem", 2, "`text` holds no key: it must be PEM"),
        ("server.pem", "server.pem", "ca.pem", 2, "exchanged?"),
        ("server.pem", "secret", "ca.pem", 2, "`openssl pkey -in secret -out KEY`"),
        ("server.pem", "other.key", "ca.pem", 2, "is not that of the first certificate"),
        ("server.pem", "server.key", "text", 2, "`text` holds no certificate"),
    ] {
        let flags = [
            format!("--tls-cert={cert}"),
            format!("--tls-key={key}"),
            format!("--tls-client-ca={client_ca}"),
        ];
        let mut args = vec!["serve", "--port=0", "--package", &package];
        args.extend(flags.iter().map(String::as_str));
        lab.call(&args).expect(code).tells(told);
    }
}

#[test]
fn an_address_that_others_can_reach_is_warned_of_by_what_it_lacks() {
    if !has_openssl() {
        return;
    }
    let lab = small::project();
    let authority = Authority::new(&lab, "ca");
    authority.leaf("server", "ca");
    lab.call(&["serve", "--keys=keys", "--new-key=a"]).expect(0);
    let tls = ["--tls-cert=server.pem", "--tls-key=server.key"];
    let (keys, client_ca) = (["--keys=keys"], ["--tls-client-ca=ca.pem"]);
    for (flags, lacks) in [
        (vec![], Some("encryption (`--tls-cert`) or keys (`--keys`)")),
        (keys.to_vec(), Some("encryption (`--tls-cert`):")),
        (tls.to_vec(), Some("keys (`--keys`, or `--tls-client-ca`)")),
        ([&tls[..], &keys].concat(), None),
        ([&tls[..], &client_ca].concat(), None),
    ] {
        drop(Served::start(&lab, &[&["--host=0.0.0.0"], &flags[..]].concat()));
        let log = lab.read("log");
        assert_eq!(log.contains("can be reached from other machines"), lacks.is_some(), "{log}");
        assert!(log.contains(lacks.unwrap_or_default()), "{log}");
    }
    fs::set_permissions(lab.path("server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    drop(Served::start(&lab, &tls));
    let path = Path::new("server.key").display();
    assert!(lab.read("log").contains(&format!("everyone here can read `{path}`")));
}
