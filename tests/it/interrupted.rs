//! A run that is stopped at any moment loses nothing and leaves nothing to unlock.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};

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
    assert!(executed.len() <= 6, "three were finished: {executed:?}");
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
