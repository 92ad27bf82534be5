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

#[test]
fn what_one_stage_lacks_keeps_no_other_from_being_planned() {
    let script = |more: &str| {
        format!("kind = \"command\"\n{more}\n[params]\nshell = 'echo x > {{o}}'\noutputs.o = \"o\"")
    };
    let lab = Lab::new().more("[data]\nempty = \"data/empty\"\npipe = \"data/pipe\"\n");
    std::fs::create_dir_all(lab.path("data/empty/deeper")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(lab.path("data/pipe")).status().unwrap();
    assert!(made.success());
    let lab = lab.stage("a", "kind = \"text\"");
    let lab = lab.stage("b", &script("").replace("[params]", "[params]\ntools = [\"no-such\"]"));
    let lab = lab.stage("c", &script("inputs.i = \"data.empty\""));
    let lab = lab.stage("d", &script("inputs.i = \"data.pipe\""));
    let lab = lab.stage("e", "kind = \"concat\"\ninputs.from = \"b.o\"");
    let plan = lab.plan();
    assert!(plan[0].starts_with("a run: "), "{plan:?}");
    assert!(plan[1].starts_with("b blocked: the program `no-such` cannot be found"), "{plan:?}");
    assert_eq!(plan[2], "c lacks data/empty");
    assert!(plan[3].starts_with("d blocked: "), "{plan:?}");
    assert_eq!(plan[4], "e waits for b");
    assert_eq!(lab.absent(&["c"]), ["pipeline.toml:5: `data/empty` holds no file"]);
}

#[test]
fn a_plan_of_a_project_that_never_ran_changes_nothing() {
    let text = "kind = \"command\"\n[params]\nshell = 'echo x > {o}'\noutputs.o = \"o\"";
    let lab = Lab::diamond().stage("s", text);
    let before = lab.listing();
    assert_eq!(lab.plan().len(), 5);
    assert_eq!(lab.listing(), before);
    lab.run().expect("ran 5");
    assert_eq!(lab.read("outputs/store/format").trim(), "1");
}
