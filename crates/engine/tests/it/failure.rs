//! What a failing stage does to a run: nothing after it starts, nothing of it is published.

use std::sync::atomic::Ordering;

use engine::schedule::Status;

use crate::lab::Lab;

#[test]
fn nothing_starts_after_a_stage_that_failed() {
    let lab = Lab::new()
        .stage("a", "kind = \"text\"")
        .stage("bad", "kind = \"fail\"\ninputs.from = \"a.out\"")
        .stage("next", "kind = \"count\"\ninputs.from = \"bad.out\"")
        .stage("z", "kind = \"concat\"\ninputs.from = [\"next.out\", \"a.out\"]")
        .with_jobs(1);
    let ran = lab.run().expect("ran 1, failed 1, skipped 2");
    let failure = ran.failure("bad");
    assert_eq!(failure.message, "cannot read the table: No such file or directory (os error 2)");
    assert!(!failure.is_gate);
    assert_eq!(failure.findings.remarks, ["so far so good"]);
    assert_eq!(ran.run.stages.len(), 1);
    assert_eq!(lab.read("outputs/failed/bad/out.txt"), "half of");
    assert!(!lab.path("outputs/bad").exists());
}

#[test]
fn a_stage_that_depends_on_no_failure_keeps_what_it_finished() {
    let lab = Lab::new()
        .stage("bad", "kind = \"fail\"\nafter = [\"a\"]")
        .stage("a", "kind = \"slow\"\nparams.text = \"kept\"");
    lab.run().expect("ran 1, failed 1");
    assert_eq!(lab.read("outputs/a/out.txt"), "kept");
    lab.write("stages/bad.toml", "kind = \"text\"");
    lab.run().expect("ran 1, cached 1");
}

#[test]
fn a_stage_that_runs_beside_a_failing_one_is_finished() {
    let lab = Lab::new().stage("slow", "kind = \"slow\"").stage("bad", "kind = \"fail\"");
    lab.run().expect("ran 1, failed 1");
    lab.run_of(&["slow"], &[]).expect("cached 1");
}

#[test]
fn a_failure_is_never_cached() {
    let lab = Lab::new().stage("bad", "kind = \"fail\"");
    lab.run().expect("failed 1");
    lab.run().expect("failed 1");
}

#[test]
fn a_panic_fails_its_stage_and_names_its_message() {
    let lab = Lab::diamond().stage("bad", "kind = \"panic\"").with_jobs(1);
    let ran = lab.run();
    assert_eq!(ran.failure("bad").message, "kind `panic` panicked: index 3 out of 2");
}

#[test]
fn a_gate_that_does_not_hold_is_told_from_a_failure() {
    let lab = Lab::new().stage("g", "kind = \"gate\"");
    let ran = lab.run().expect("failed 1");
    let failure = ran.failure("g");
    assert!(failure.is_gate);
    assert_eq!(failure.message, "quality gate failed: recall 0.4 is below 0.5; auc");
    assert_eq!(failure.findings.metrics["recall"].value, 0.4);
}

#[track_caller]
fn rogue(how: &str, message: &str) {
    let lab = Lab::new()
        .data("x", "abc")
        .stage("a", "kind = \"text\"")
        .stage("r", &format!("kind = \"rogue\"\nparams.how = \"{how}\"\ninputs.from = \"data.x\""));
    let ran = lab.run();
    assert_eq!(ran.failure("r").message, message);
    assert!(!lab.path("outputs/r").exists());
}

#[test]
fn a_kind_that_breaks_the_rules_of_outputs_fails() {
    rogue("omit", "it did not write its output `out.txt`");
    rogue("extra", "it wrote `more.txt`, which is none of its outputs");
    rogue("link", "its output `out.txt` is not a regular file");
    rogue("dangle", "its output `out.txt` is not a regular file");
}

#[test]
fn a_data_file_that_changes_while_it_is_read_fails_the_stage() {
    rogue("edit", "`data/x.txt` changed while it was read; run again");
    rogue("remove", "`data/x.txt` changed while it was read; run again");
}

#[test]
fn a_data_file_that_changes_after_it_was_hashed_fails_the_stage() {
    // `edit` reads it first and is given other bytes at its end; `count` begins only then.
    let lab = Lab::new()
        .data("x", "abc")
        .stage("early", "kind = \"count\"\ninputs.from = \"data.x\"")
        .stage("edit", "kind = \"rogue\"\nparams.how = \"edit\"\ninputs.from = \"data.x\"")
        .with_jobs(1);
    lab.run().expect("ran 1, failed 1");
    lab.run_of(&["early"], &[]).expect("ran 1");
    assert_eq!(lab.read("outputs/early/n/count.txt"), "16");
}

#[test]
fn a_data_file_that_is_gone_is_named() {
    let lab = Lab::new().data("x", "abc").stage("n", "kind = \"count\"\ninputs.from = \"data.x\"");
    lab.run();
    let graph = lab.load().unwrap();
    std::fs::remove_file(lab.path("data/x.txt")).unwrap();
    assert_eq!(lab.mistakes(), [""; 0]);
    assert_eq!(lab.absent(&[]), ["pipeline.toml:5: `data/x.txt` does not exist"]);
    // Gone between loading and running.
    let told = lab.run_graph(graph);
    assert_eq!(told.failure("n").message, "`data/x.txt` does not exist");
}

#[test]
fn all_data_that_the_chosen_stages_read_and_that_is_gone_is_told_at_once() {
    let count = |name: &str| format!("kind = \"count\"\ninputs.from = \"data.{name}\"");
    let lab = Lab::new().data("x", "1").data("y", "2").data("z", "3").data("unused", "4");
    let lab = lab.stage("nx", &count("x")).stage("ny", &count("y")).stage("nz", &count("z"));
    for name in ["x", "z", "unused"] {
        std::fs::remove_file(lab.path(&format!("data/{name}.txt"))).unwrap();
    }
    let (x, z) = ("`data/x.txt` does not exist", "`data/z.txt` does not exist");
    assert_eq!(lab.absent(&[]), [format!("pipeline.toml:5: {x}"), format!("pipeline.toml:7: {z}")]);
    assert_eq!(lab.absent(&["ny", "nz"]), [format!("pipeline.toml:7: {z}")]);
    assert_eq!(lab.absent(&["ny"]), [""; 0]);
    lab.run_of(&["ny"], &[]).expect("ran 1");
}

#[test]
fn an_output_under_a_second_name_is_copied() {
    let lab = Lab::new()
        .data("x", "abc")
        .stage("r", "kind = \"rogue\"\nparams.how = \"hardlink\"\ninputs.from = \"data.x\"");
    let ran = lab.run();
    // Making the link changes the file's ctime: a stage must leave its inputs alone.
    assert!(matches!(ran.report("r").status, Status::Failed(_)));
    assert!(!std::fs::metadata(lab.path("data/x.txt")).unwrap().permissions().readonly());
    let lab = lab.stage("a", "kind = \"text\"");
    lab.edit("stages/r.toml", "data.x", "a.out");
    lab.run().expect("ran 2");
    lab.run().expect("cached 2");
    lab.verify_clean();
}

#[test]
fn a_cancelled_run_starts_nothing() {
    let lab = Lab::diamond();
    lab.cancel.store(true, Ordering::SeqCst);
    lab.run().expect("skipped 4");
    lab.cancel.store(false, Ordering::SeqCst);
    lab.run().expect("ran 4");
}

#[test]
fn what_a_failed_stage_wrote_is_kept_on_another_file_system_too() {
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let lab = Lab::new().stage("bad", "kind = \"fail\"");
    lab.write("outputs/x", "");
    std::os::unix::fs::symlink(elsewhere.path(), lab.path("outputs/failed")).unwrap();
    lab.run().expect("failed 1");
    assert_eq!(lab.read("outputs/failed/bad/out.txt"), "half of");
}
