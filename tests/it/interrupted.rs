//! A run that is stopped at any moment loses nothing and leaves nothing to unlock.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::Lab;

/// Starts a run and sends it a signal once this many stages have ended.
fn stop_after(lab: &Lab, n_stages: usize, signal: &str) -> ExitStatus {
    let mut command = lab.command(&["run", "--no-serve", "--json", "--jobs", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ended = lines.map_while(Result::ok).filter(|line| line.contains("\"event\":\"ended\""));
    assert_eq!(ended.take(n_stages).count(), n_stages);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    child.wait().unwrap()
}

#[test]
fn an_interrupted_run_ends_with_130_and_what_was_finished_stays() {
    let lab = Lab::example();
    assert_eq!(stop_after(&lab, 3, "-INT").code(), Some(130));
    let executed = lab.executed(&[]);
    assert!(executed.len() <= 8, "three of eleven were finished: {executed:?}");
    lab.call(&["verify"]).expect(0);
}

#[test]
fn a_killed_run_gives_the_result_of_an_undisturbed_one() {
    let expected = Lab::example().result(&[]);
    for n_stages in [1, 4, 7] {
        let lab = Lab::example();
        assert_eq!(stop_after(&lab, n_stages, "-KILL").code(), None);
        assert_eq!(lab.result(&[]), expected, "killed after {n_stages} stages");
        lab.call(&["verify"]).expect(0);
    }
}

/// A project with one stage, whose program runs this script until it may end.
fn waiting(lab: &Lab, script: &str) {
    lab.write("pipeline.toml", "name = \"w\"\nstages = [\"first\", \"w\"]\n");
    let stage = |script: &str| {
        format!(
            "kind = \"command\"\n[params]\ntools = [\"sleep\"]\nshell = \"\"\"{script}\"\"\"\n\
             outputs.out = \"out.txt\"\n"
        )
    };
    lab.write("stages/first.toml", &stage("echo x > out.txt"));
    let flag = lab.path("may-end").display().to_string();
    let script = format!("if [ ! -e {flag} ]; then {script}; fi; echo x > out.txt");
    lab.write("stages/w.toml", &format!("after = [\"first\"]\n{}", stage(&script)));
}

/// The processes that have this word on their command line, those that have ended excepted.
fn processes_with(word: &str) -> usize {
    let dirs = fs::read_dir("/proc").unwrap().flatten();
    let has_word = |dir: &fs::DirEntry| {
        let words = fs::read(dir.path().join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|found| found == word.as_bytes())
    };
    dirs.filter(has_word).count()
}

#[track_caller]
fn wait_until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never came true");
        thread::sleep(Duration::from_millis(10));
    }
}

fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

fn start(lab: &Lab) -> Child {
    let mut command = lab.command(&["run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether this process, as under `nohup`, ignores a signal.
fn is_ignored(signal: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal - 1)) != 0
}

#[test]
fn an_interrupted_run_leaves_no_program_running_and_the_next_one_works() {
    let signals =
        [("-INT", "600.125"), ("-TERM", "600.126"), ("-HUP", "600.128"), ("-QUIT", "600.129")];
    // What these tests were started with is inherited, and what is ignored stays so.
    let is_heard = |signal: &str| !is_ignored(if signal == "-HUP" { 1 } else { 3 });
    let heard = signals
        .into_iter()
        .filter(|(signal, _)| !["-HUP", "-QUIT"].contains(signal) || is_heard(signal));
    for (signal, seconds) in heard {
        let lab = Lab::empty();
        waiting(&lab, &format!("(sleep {seconds} & sleep {seconds}; true) & sleep {seconds}"));
        let mut child = start(&lab);
        wait_until(|| processes_with(seconds) == 3);
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(processes_with(seconds), 0);
        let shown = lab.call(&["show", "--json"]).expect(0);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        assert_eq!(shown["observed"]["status"], "interrupted", "{shown}");
        assert_eq!(shown["observed"]["stages"]["w"]["status"], "interrupted");
        lab.write("may-end", "");
        assert_eq!(lab.executed(&[]), ["w"], "what was finished stays");
        lab.call(&["verify"]).expect(0);
    }
}

/// A shell word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn ctrl_c_at_a_terminal_ends_a_run_with_all_its_programs() {
    let lab = Lab::empty();
    waiting(&lab, "sleep 600.131 & sleep 600.131");
    let run = lab.command(&["run"]);
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let words: Vec<_> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    let mut in_terminal = Command::new("script");
    in_terminal.args(["-qec", &format!("exec {}", words.join(" ")), "/dev/null"]);
    in_terminal.current_dir(lab.path("")).stdin(Stdio::piped());
    let mut terminal = in_terminal.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| processes_with("600.131") == 2);
    terminal.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(130));
    assert_eq!(processes_with("600.131"), 0);
}

#[test]
fn a_second_signal_ends_a_run_at_once_with_all_its_programs() {
    let lab = Lab::empty();
    waiting(&lab, "trap '' TERM; sleep 600.127 & sleep 600.127; sleep 600.127");
    let mut child = start(&lab);
    wait_until(|| processes_with("600.127") == 2);
    send(&child, "-INT");
    thread::sleep(Duration::from_millis(200));
    let second = Instant::now();
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(second.elapsed() < Duration::from_millis(1500), "{:?}", second.elapsed());
    wait_until(|| processes_with("600.127") == 0);
}

#[test]
fn a_rebuild_that_is_stopped_stops_what_it_started() {
    let lab = Lab::empty();
    waiting(&lab, "sleep 600.130");
    lab.write("may-end", "");
    lab.call(&["run"]).expect(0);
    fs::remove_file(lab.path("may-end")).unwrap();
    let mut command = lab.command(&["verify", "--rebuild"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| processes_with("600.130") == 1);
    send(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(processes_with("600.130"), 0);
    assert_eq!(fs::read_dir(lab.path("outputs/store/scratch")).unwrap().count(), 0);
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_and_a_reader_that_goes_away_is_none() {
    let lab = Lab::empty();
    waiting(&lab, "exit 1");
    lab.write("may-end", "");
    lab.call(&["run"]).expect(0);
    for verb in [&["graph"][..], &["plan"], &["log"], &["verify", "--json"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = lab.command(verb).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{verb:?}");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(told.contains("results could not be written"), "{told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!(lab.command(verb).stdout(writer).status().unwrap().success(), "{verb:?}");
    }
}
