//! Runs compared: a rebuild with what it repeats, a run with the one before.

use engine::diff::{self, Diff, Parting, Side};
use engine::error::ExitCode;
use engine::verify::{self, Finding};

use crate::lab::Lab;

#[test]
fn a_clean_project_has_no_findings_and_says_how_much_was_looked_at() {
    let lab = Lab::diamond();
    lab.run();
    lab.run();
    let (findings, counted) = verify::verify(&lab.project(), &lab.load().unwrap()).unwrap();
    assert_eq!(findings, []);
    assert_eq!((counted.stages, counted.objects, counted.runs), (4, 4, 2));
}

#[test]
fn a_verification_changes_nothing_on_disk() {
    let lab = Lab::diamond();
    lab.run();
    crate::lab::flip(&lab.objects("a")[0]);
    let before = lab.listing();
    assert_eq!(verify::exit_code(&lab.verify()), 5);
    assert_eq!(lab.listing(), before);
}

#[test]
fn a_rebuild_elsewhere_gives_the_same_run() {
    let (one, other) =
        (Lab::diamond().with_jobs(1).run().run, Lab::diamond().with_jobs(8).run().run);
    assert_eq!(one.result(), other.result());
    assert_eq!(verify::compare_rebuild(&one, &other), []);
}

#[test]
fn a_rebuild_with_other_bytes_names_the_stage_and_the_file() {
    let lab = |name| Lab::new().stage(name, "kind = \"clock\"").run().run;
    let findings = verify::compare_rebuild(&lab("c"), &lab("c"));
    assert_eq!(verify::exit_code(&findings), ExitCode::NotReproducible as u8);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.starts_with("stage `c`: `out.txt` was "), "{findings:?}");
    let findings = verify::compare_rebuild(&lab("c"), &lab("d"));
    assert_eq!(findings[0].message, "stage `c` was not rebuilt");
}

#[test]
fn a_rebuild_with_another_recipe_is_told() {
    let run = |text: &str| {
        let lab = Lab::new().stage("t", &format!("kind = \"tree\"\nparams.text = \"{text}\""));
        lab.run().run
    };
    let findings = verify::compare_rebuild(&run("xy"), &run("yx"));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].message, "stage `t` has another recipe in the rebuild");
    // A file that only the rebuild has is a difference, too.
    let findings = verify::compare_rebuild(&run("x"), &run("xy"));
    assert!(findings.iter().any(|finding| finding.message.contains("leaves/y")), "{findings:?}");
}

#[test]
fn the_worst_finding_decides_the_exit_code() {
    let finding =
        |code: u8| Finding { code, stage: None, message: String::new(), hint: String::new() };
    let code = |codes: &[u8]| {
        verify::exit_code(&codes.iter().map(|code| finding(*code)).collect::<Vec<_>>())
    };
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&[3, 4]), 4);
    assert_eq!(code(&[4, 7, 3]), 7);
    assert_eq!(code(&[7, 5, 3, 4]), 5);
}

#[test]
fn a_missing_object_of_an_old_run_is_named_with_that_run() {
    let lab = Lab::diamond();
    lab.run();
    let object = lab.objects("b").remove(0);
    lab.edit("stages/b.toml", "two", "three");
    lab.run();
    std::fs::remove_file(object).unwrap();
    let findings = lab.verify();
    assert_eq!(verify::exit_code(&findings), ExitCode::Missing as u8);
    let id = lab.project().runs.find("@-1").unwrap().id;
    assert!(findings.iter().any(|finding| finding.message.ends_with(&format!("in run {id}"))));
}

fn compared(lab: &Lab, a: &Side, b: &Side) -> Diff {
    let store = lab.project().store;
    diff::compare(a, b, &[], |key| store.recipe(key))
}

#[test]
fn a_diff_names_the_cause_before_its_consequences() {
    let lab = Lab::diamond();
    let before = lab.run().run;
    lab.edit("stages/b.toml", "two", "three");
    let after = lab.run().run;
    let diff = compared(&lab, &Side::of_run("a", before), &Side::of_run("b", after));
    assert!(!diff.identical);
    let cause = diff.cause.unwrap();
    assert_eq!((cause.stage.as_str(), cause.what), ("b", Parting::Recipe));
    assert_eq!(cause.changes[0].to_string(), "params.text: two -> three");
    let stages: Vec<_> = diff.stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(stages, ["b", "both", "size"]);
    let metric = &diff.metrics[0];
    assert_eq!((metric.a, metric.b, metric.better), (Some(6.0), Some(8.0), Some(false)));
}

#[test]
fn a_lock_and_its_run_are_identical() {
    let lab = Lab::diamond();
    let run = lab.run().run;
    let (graph, project) = (lab.load().unwrap(), lab.project());
    let lock = project.lock().unwrap().unwrap();
    let order: Vec<_> = graph.stages.iter().map(|stage| stage.name.clone()).collect();
    let metrics = |key: &_| project.store.outcome(key).unwrap().findings.metrics;
    let locked = Side::of_lock("lock", &lock, &order, metrics);
    let diff = compared(&lab, &locked, &Side::of_run("r", run));
    assert!(diff.identical && diff.cause.is_none() && diff.metrics.is_empty(), "{diff:?}");
}
