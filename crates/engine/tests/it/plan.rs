//! A plan says what a run would do, and changes nothing on disk.

use crate::lab::{Lab, flip};

#[test]
fn a_plan_of_a_new_project_runs_the_first_and_lets_the_others_wait() {
    let lab = Lab::diamond().stage("web", "kind = \"service\"\ninputs.from = \"size.out\"");
    let expected = [
        "a run: it has no outcome yet",
        "b run: it has no outcome yet",
        "both waits for a, b",
        "size waits for both",
        "web launch",
    ];
    assert_eq!(lab.plan(), expected);
}

#[test]
fn a_plan_tells_what_is_cached_and_why_the_rest_is_not() {
    let lab = Lab::diamond();
    lab.run();
    assert_eq!(lab.plan(), ["a cached", "b cached", "both cached", "size cached"]);
    lab.edit("stages/b.toml", "two", "three");
    let expected =
        ["a cached", "b run: params.text: two -> three", "both waits for b", "size waits for both"];
    assert_eq!(lab.plan(), expected);
    lab.run();
    lab.edit("stages/b.toml", "three", "two");
    assert_eq!(lab.plan(), ["a cached", "b cached", "both cached", "size cached"]);
}

#[test]
fn a_plan_is_made_before_any_data_exists_and_knows_about_hits() {
    let lab = Lab::diamond()
        .data("x", "abc")
        .stage("n", "kind = \"count\"\ninputs.from = \"data.x\"")
        .stage("all", "kind = \"concat\"\ninputs.from = [\"n.out\", \"both.out\", \"data.x\"]")
        .stage("end", "kind = \"count\"\ninputs.from = \"all.out\"");
    std::fs::remove_file(lab.path("data/x.txt")).unwrap();
    let first = lab.plan();
    assert_eq!(first[4..], ["n lacks data/x.txt", "all lacks data/x.txt", "end waits for all"]);
    lab.run_of(&["size"], &[]).expect("ran 4");
    let second = lab.plan();
    assert_eq!(second[..4], ["a cached", "b cached", "both cached", "size cached"]);
    assert_eq!(second[4..], first[4..]);
}

#[test]
fn a_plan_changes_nothing_on_disk() {
    let lab = Lab::diamond().data("x", "abc").stage("n", "kind=\"count\"\ninputs.from=\"data.x\"");
    lab.run();
    flip(&lab.objects("a")[0]);
    flip(&lab.document("outcomes", &lab.key("both")));
    lab.edit("stages/b.toml", "two", "three");
    std::thread::sleep(std::time::Duration::from_millis(80));
    let before = lab.listing();
    let plan = lab.plan();
    assert!(plan[0].starts_with("a run: object "), "{plan:?}");
    assert!(plan[0].ends_with(" does not match its name"), "{plan:?}");
    assert_eq!(plan[2], "both waits for a, b");
    assert_eq!(lab.listing(), before);
}

#[test]
fn a_plan_agrees_with_the_run_that_follows() {
    let lab = Lab::diamond().stage("c", "kind = \"clock\"");
    lab.run();
    lab.edit("stages/b.toml", "two", "six");
    let planned = lab.plan();
    let ran = lab.run();
    for (planned, report) in planned.iter().zip(&ran.reports) {
        let (name, fate) = planned.split_once(' ').unwrap();
        assert_eq!(name, report.stage);
        if let Some(reason) = fate.strip_prefix("run: ") {
            assert_eq!(ran.reason(name), reason);
        }
    }
}
