//! `pipeline gc`, as a user calls it: what it tells, and that it waits for nobody.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;

/// Two stages that ran three times, each time with another text.
fn ran_thrice() -> Lab {
    let lab = Lab::empty();
    lab.write("pipeline.toml", "name = \"g\"\nstages = [\"s\", \"old\"]\n");
    for word in ["old", "one", "two", "three"] {
        let name = if word == "old" { "old" } else { "s" };
        let shell =
            format!("[params]\nshell = \"echo {word} > {{out}}\"\noutputs.out = \"out.txt\"");
        lab.write(&format!("stages/{name}.toml"), &format!("kind = \"command\"\n{shell}\n"));
        if word != "old" {
            lab.call(&["run"]).expect(0);
        }
    }
    lab
}

#[test]
fn what_is_collected_is_told_and_what_is_kept_is_whole() {
    let lab = ran_thrice();
    let dry = lab.call(&["gc", "--keep-last", "1", "-n"]).expect(0);
    assert!(dry.out.contains("would free") && dry.out.contains("2 runs"), "{}", dry.out);
    assert_eq!(lab.objects().len(), 4);
    let done = lab.call(&["gc", "--keep-last", "1"]).expect(0);
    assert!(done.out.contains("freed") && done.out.contains("2 outcomes"), "{}", done.out);
    assert_eq!(lab.objects().len(), 2);
    lab.call(&["verify"]).expect(0);
    lab.write("pipeline.toml", "name = \"g\"\nstages = [\"s\"]\n");
    fs::remove_file(lab.path("stages/old.toml")).unwrap();
    let told = lab.call(&["gc"]).expect(0);
    assert!(told.out.contains("outputs/old, of a stage"), "{}", told.out);
    assert!(!lab.path("outputs/old").exists() && lab.path("outputs/s/out.txt").exists());
    let freed: Value = serde_json::from_str(&lab.call(&["gc", "--json"]).expect(0).out).unwrap();
    assert_eq!(freed["freed"]["bytes"], 0);
}

#[test]
fn nothing_is_collected_beside_a_run() {
    let lab = ran_thrice();
    let flag = lab.path("may-end").display().to_string();
    let shell = format!("while [ ! -e {flag} ]; do sleep 0.05; done; echo x > {{out}}");
    let stage = format!("shell = \"{shell}\"\ntools = [\"sleep\"]\noutputs.out = \"out.txt\"\n");
    lab.write("stages/s.toml", &format!("kind = \"command\"\n[params]\n{stage}"));
    let mut command = lab.command(&["run"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_running = || fs::read_dir(lab.path("outputs/store/scratch")).unwrap().count() > 0;
    while !is_running() {
        thread::sleep(Duration::from_millis(5));
    }
    let refused = lab.call(&["gc", "--keep-last", "1"]).expect(75);
    assert!(refused.err.contains("a run is using the store"), "{}", refused.err);
    fs::write(flag, "").unwrap();
    assert!(run.wait().unwrap().success());
    lab.call(&["verify"]).expect(0);
    lab.call(&["gc", "--keep-last", "1"]).expect(0);
}
