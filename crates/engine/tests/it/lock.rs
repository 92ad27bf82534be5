//! The lock: written by a run, compared with the tree, merged by git.

use std::fs;

use engine::error::{Error, ExitCode};
use engine::lock::Lock;
use engine::verify;

use crate::lab::Lab;
use crate::toys::TOYS_WITH_NEW_TEXT;

fn drift(lab: &Lab) -> Vec<String> {
    let (graph, project) = (lab.load().unwrap(), lab.project());
    let lock = project.lock().unwrap().unwrap();
    let findings = verify::check_lock(&project, &graph, &lock).unwrap();
    assert!(findings.iter().all(|finding| finding.code == ExitCode::Drift as u8));
    findings.into_iter().map(|finding| finding.message).collect()
}

fn ran() -> Lab {
    let lab = Lab::diamond()
        .data("x", "abc")
        .stage("n", "kind = \"count\"\ninputs.from = \"data.x\"")
        .stage("r", "kind = \"random\"");
    lab.run().expect("ran 6");
    assert_eq!(drift(&lab), Vec::<String>::new());
    lab
}

#[test]
fn a_lock_of_another_format_is_refused_whatever_is_in_it() {
    for more in ["", "[stage.a]\nkind = \"x\"\nrecipe = 7\n", "[[other]]\n"] {
        let text = format!("format = \"pipeline.lock/2\"\n{more}");
        let error = Lock::parse(&text, "pipeline.lock").unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Corrupt, "{error}");
        assert!(error.to_string().contains("has the format `pipeline.lock/2`"), "{error}");
    }
    let damaged = Lock::parse("format = \"pipeline.lock/1\"\nother = 1\n", "x").unwrap_err();
    assert_eq!(damaged.exit_code(), ExitCode::Drift);
}

#[test]
fn a_lock_reads_back_to_what_was_written() {
    let lab = ran();
    let (text, graph) = (lab.read("pipeline.lock"), lab.load().unwrap());
    let lock = Lock::parse(&text, "pipeline.lock").unwrap();
    assert_eq!(lock.text(&graph), text);
    assert_eq!(lock.stages["a"].key, lab.key("a"));
    assert!(!lock.write(&lab.path("pipeline.lock"), &graph, &lab.project().store).unwrap());
}

#[test]
fn a_run_that_changes_nothing_leaves_the_lock_alone() {
    let lab = ran();
    let modified = || fs::metadata(lab.path("pipeline.lock")).unwrap().modified().unwrap();
    let before = modified();
    lab.run();
    assert_eq!(modified(), before);
}

#[test]
fn a_changed_stage_changes_only_its_own_block() {
    let lab = ran();
    let before = lab.read("pipeline.lock");
    lab.edit("stages/r.toml", "kind = \"random\"", "kind = \"random\"\nparams.text = \"y\"");
    lab.run();
    let after = lab.read("pipeline.lock");
    let changed = before.lines().zip(after.lines()).filter(|(old, new)| old != new);
    let changed: Vec<_> = changed.map(|(old, _)| old.split_once(' ').unwrap().0).collect();
    assert_eq!(changed, ["key"]);
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn a_partial_run_keeps_the_rest_of_the_lock_and_a_removed_stage_leaves_it() {
    let lab = ran();
    lab.edit("stages/a.toml", "one", "uno");
    lab.run_of(&["a"], &[]);
    let stages = |lab: &Lab| Lock::read(&lab.path("pipeline.lock")).unwrap().unwrap().stages.len();
    assert_eq!(stages(&lab), 6);
    let lab = lab.without("r");
    lab.run();
    assert_eq!(stages(&lab), 5);
}

#[test]
fn a_changed_parameter_is_drift_of_its_stage_alone() {
    let lab = ran();
    lab.edit("stages/b.toml", "two", "three");
    // What is behind it is judged by what the lock says of its inputs.
    assert_eq!(drift(&lab), ["stage `b` is not what was locked: params.text: two -> three"]);
}

#[test]
fn a_changed_data_file_seed_or_code_is_drift() {
    let mut lab = ran();
    lab.write("data/x.txt", "abcd");
    let told = drift(&lab);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("stage `n` is not what was locked: inputs.from: "), "{told:?}");
    lab.write("data/x.txt", "abc");
    lab.request.set = vec!["seed=8".to_owned()];
    assert_eq!(drift(&lab), ["stage `r` is not what was locked: seed: 7 -> 8"]);
    let mut lab = Lab::diamond();
    lab.run();
    lab.kinds = TOYS_WITH_NEW_TEXT;
    let told = drift(&lab);
    assert_eq!(told[0], "stage `a` is not what was locked: code of the kind changed");
    assert_eq!(told.len(), 2);
}

#[test]
fn a_stage_more_or_less_is_drift() {
    let lab = ran().stage("new", "kind = \"text\"").without("r");
    let expected =
        ["stage `new` is not in the lock", "the lock has a stage `r` that the pipeline lacks"];
    assert_eq!(drift(&lab), expected);
}

#[test]
fn an_edited_lock_is_drift_of_the_stages_behind() {
    let lab = ran();
    let text = lab.read("pipeline.lock");
    let (from, to) = (text.find("outputs.").unwrap(), text.find("[stage.\"b\"]").unwrap());
    lab.write("pipeline.lock", &format!("{}\n{}", &text[..from], &text[to..]));
    assert_eq!(drift(&lab), ["the lock lacks outputs that stage `both` rests on"]);
}

#[test]
fn drift_needs_no_stored_bytes() {
    let lab = ran();
    fs::remove_dir_all(lab.path("outputs")).unwrap();
    assert_eq!(drift(&lab), Vec::<String>::new());
    lab.edit("stages/b.toml", "two", "three");
    assert_eq!(drift(&lab), ["stage `b` is not what was locked"]);
}

#[test]
fn a_merge_conflict_is_told_with_its_line_and_the_way_out() {
    let lab = ran();
    let text = lab.read("pipeline.lock");
    lab.write("pipeline.lock", &text.replacen("key =", "<<<<<<< HEAD\nkey =", 1));
    let error = lab.project().lock().unwrap_err();
    assert!(matches!(error, Error::Drift(_)));
    let told = error.to_string();
    assert!(told.contains("is not a lock") && told.contains("line 7"), "{told}");
    assert!(told.contains("take one side of the merge"), "{told}");
    let codes: Vec<_> = lab.verify().iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [3]);
}

#[test]
fn a_lock_of_another_format_or_with_unknown_keys_is_refused() {
    let lab = ran();
    let text = lab.read("pipeline.lock");
    for (old, new, told) in [
        ("pipeline.lock/1", "pipeline.lock/2", "has the format `pipeline.lock/2`"),
        ("kind =", "sort =", "unknown field `sort`"),
        ("key = \"", "key = \"0", "is not a digest"),
    ] {
        let error = Lock::parse(&text.replacen(old, new, 1), "pipeline.lock").unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn no_lock_is_drift_and_not_an_error() {
    let lab = ran();
    fs::remove_file(lab.path("pipeline.lock")).unwrap();
    let findings = lab.verify();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].code, &*findings[0].message), (3, "there is no `pipeline.lock`"));
}

#[test]
fn however_a_lock_is_laid_out_it_says_the_same() {
    let lab = ran();
    let text = lab.read("pipeline.lock");
    let lock = Lock::parse(&text, "pipeline.lock").unwrap();
    let inline = |stage: &str| text.replace(&format!("[stage.\"{stage}\"]\n"), "");
    assert_ne!(Lock::parse(&inline("a"), "pipeline.lock").ok(), Some(lock.clone()));
    let table: toml::Table = toml::from_str(&text).unwrap();
    // Sub-tables of their own, and a text of several lines in which one begins like a stage.
    let pretty = toml::to_string_pretty(&table).unwrap();
    assert_eq!(Lock::parse(&pretty, "pipeline.lock").unwrap(), lock);
    let quoted = text.replace("kind = \"text\"", "kind = '''text'''");
    assert_eq!(Lock::parse(&quoted, "pipeline.lock").unwrap(), lock);
    let odd = text.replacen("kind = \"text\"", "kind = '''\ntext\n[stage.x]\n'''", 1);
    let read = Lock::parse(&odd, "pipeline.lock").unwrap();
    assert_eq!(read.stages.len(), lock.stages.len());
}

#[test]
fn a_stage_that_a_lock_has_twice_is_refused_at_its_line() {
    let lab = ran();
    let text = lab.read("pipeline.lock");
    let block = text.split("\n\n").nth(1).unwrap();
    let error = Lock::parse(&format!("{text}\n{block}\n"), "pipeline.lock").unwrap_err();
    assert!(matches!(&error, Error::Drift(_)), "{error}");
    let line = text.lines().count() + 2;
    assert!(error.to_string().contains(&format!("line {line}")), "{error}");
}
