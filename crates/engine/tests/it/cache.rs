//! What runs and what does not: only a change of content runs anything.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::lab::Lab;
use crate::toys::TOYS_WITH_NEW_TEXT;

#[test]
fn the_first_run_runs_all_and_the_second_none() {
    let lab = Lab::diamond();
    let first = lab.run().expect("ran 4");
    assert_eq!(lab.read("outputs/both/out.txt"), "onetwo");
    assert_eq!(lab.read("outputs/size/n/count.txt"), "6");
    let second = lab.run().expect("cached 4");
    assert_eq!(first.run, second.run);
}

#[test]
fn a_run_that_changes_nothing_reads_no_object() {
    let lab = Lab::diamond();
    lab.run();
    // An access time before the change time is set by the next read, even with `relatime`.
    let old = SystemTime::now() - Duration::from_secs(3600);
    let object = lab.objects("both").remove(0);
    let accessed = || fs::metadata(&object).unwrap().accessed().unwrap();
    let times = fs::FileTimes::new().set_accessed(old);
    fs::File::open(&object).unwrap().set_times(times).unwrap();
    // Setting a time changes the ctime: this run hashes once more and remembers.
    std::thread::sleep(Duration::from_millis(80));
    lab.run().expect("cached 4");
    fs::File::open(&object).unwrap();
    let project = lab.project();
    let before = accessed();
    let key = lab.key("both");
    assert!(project.store.lookup(&key).is_ok());
    lab.run().expect("cached 4");
    assert_eq!(accessed(), before);
}

#[test]
fn touching_a_data_file_runs_nothing() {
    let lab = Lab::new().data("x", "abc").stage("n", "kind = \"count\"\ninputs.from = \"data.x\"");
    lab.run().expect("ran 1");
    let file = fs::File::options().write(true).open(lab.path("data/x.txt")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
    lab.run().expect("cached 1");
    lab.write("data/x.txt", "abcd");
    let ran = lab.run().expect("ran 1");
    assert!(ran.reason("n").starts_with("inputs.from: "), "{}", ran.reason("n"));
}

#[test]
fn moving_the_project_runs_nothing() {
    let lab = Lab::diamond().data("x", "abc").stage("n", "kind=\"count\"\ninputs.from=\"data.x\"");
    lab.run().expect("ran 5");
    let lab = lab.moved();
    lab.run().expect("cached 5");
    lab.verify_clean();
}

#[test]
fn a_comment_or_another_spelling_runs_nothing() {
    let lab = Lab::diamond();
    lab.run();
    lab.write("stages/a.toml", "# why\nkind='text'\n\n[params]\n\"text\" = \"\"\"one\"\"\" # 1");
    lab.run().expect("cached 4");
}

#[test]
fn writing_out_a_default_runs_nothing() {
    let lab = Lab::diamond();
    lab.run();
    lab.write("stages/size.toml", "kind = \"count\"\ninputs.from = \"both.out\"\nparams.x = 1");
    lab.run().expect("cached 4");
}

#[test]
fn a_renamed_stage_runs_only_what_reads_its_name() {
    let lab = Lab::diamond()
        .stage("alone", "kind = \"count\"\ninputs.from = \"a.out\"")
        .stage("story", "kind = \"lineage\"\ninputs.from = \"alone.out\"");
    lab.run().expect("ran 6");
    assert_eq!(lab.read("outputs/story/out.txt"), "a text\nalone count");
    let lab = lab.renamed("a", "new");
    lab.edit("stages/both.toml", "a.out", "new.out");
    lab.edit("stages/alone.toml", "a.out", "new.out");
    // The fan-in reads labels, the lineage names; `alone` and `size` see the same bytes.
    let ran = lab.run().ran(&["both", "story"]);
    assert_eq!(lab.read("outputs/story/out.txt"), "new text\nalone count");
    assert!(ran.reason("both").contains("[a]"), "{}", ran.reason("both"));
}

#[test]
fn a_changed_parameter_runs_exactly_what_depends_on_it() {
    let lab = Lab::diamond();
    lab.run();
    lab.edit("stages/b.toml", "two", "three");
    let ran = lab.run().ran(&["b", "both", "size"]);
    assert_eq!(ran.reason("b"), "params.text: two -> three");
    assert!(ran.reason("both").starts_with("inputs.from[b]: "), "{}", ran.reason("both"));
}

#[test]
fn the_same_bytes_end_the_ripple() {
    let lab = Lab::diamond().stage("end", "kind = \"concat\"\ninputs.from = [\"size.out\"]");
    lab.run().expect("ran 5");
    lab.edit("stages/b.toml", "two", "six");
    lab.run().ran(&["b", "both", "size"]).expect("ran 3, cached 2");
}

#[test]
fn a_value_that_was_there_before_is_cached() {
    let lab = Lab::diamond();
    let first = lab.run();
    lab.edit("stages/b.toml", "two", "six");
    lab.run();
    lab.edit("stages/b.toml", "six", "two");
    let third = lab.run().expect("cached 4");
    assert_eq!(first.run.result(), third.run.result());
    assert_eq!(lab.read("outputs/both/out.txt"), "onetwo");
}

#[test]
fn reasons_name_every_kind_of_change() {
    let mut lab = Lab::new()
        .stage("a", "kind = \"text\"")
        .stage("n", "kind = \"count\"\ninputs.from = \"a.out\"")
        .stage("r", "kind = \"random\"");
    let ran = lab.run();
    assert_eq!(ran.reason("n"), "it has no outcome yet");
    lab.edit("stages/n.toml", "kind = \"count\"", "kind = \"count\"\nparams.x = 2");
    lab.request.set = vec!["seed=8".to_owned()];
    let ran = lab.run().ran(&["n", "r"]);
    assert_eq!(ran.reason("n"), "params.x: 1 -> 2");
    assert_eq!(ran.reason("r"), "seed: 7 -> 8");
    assert_eq!(lab.force(&["n"]).ran(&["n"]).reason("n"), "it was forced");
    lab = lab.without("r");
    lab.kinds = TOYS_WITH_NEW_TEXT;
    assert_eq!(lab.run().ran(&["a"]).reason("a"), "code of the kind changed");
}

#[test]
fn a_stage_may_have_a_seed_of_its_own() {
    let lab = Lab::new().stage("r", "kind = \"random\"").stage("s", "kind = \"random\"\nseed = 8");
    lab.run();
    assert_ne!(lab.read("outputs/r/out.txt"), lab.read("outputs/s/out.txt"));
    lab.edit("stages/s.toml", "8", "7");
    lab.run().expect("cached 2");
    assert_eq!(lab.read("outputs/r/out.txt"), lab.read("outputs/s/out.txt"));
}

#[test]
fn a_directory_is_an_input_by_its_names_and_bytes() {
    let lab = Lab::new()
        .stage("t", "kind = \"tree\"\nparams.text = \"xyz\"")
        .stage("l", "kind = \"list\"\ninputs.from = \"t.out\"");
    lab.run().expect("ran 2");
    assert_eq!(lab.read("outputs/l/out.txt"), "x in x, y in y, z in z");
    lab.edit("stages/t.toml", "xyz", "zyx");
    lab.run().expect("ran 1, cached 1");
    lab.edit("stages/t.toml", "zyx", "zy");
    lab.run().expect("ran 2");
    assert!(!lab.path("outputs/t/leaves/x").exists());
    lab.verify_clean();
}

#[test]
fn a_target_runs_what_it_rests_on_and_nothing_else() {
    let lab = Lab::diamond();
    lab.run_of(&["both"], &[]).ran(&["a", "b", "both"]);
    lab.run().ran(&["size"]);
}

#[test]
fn metrics_and_remarks_are_told_again_from_the_cache() {
    let lab = Lab::diamond();
    lab.run();
    let ran = lab.run().expect("cached 4");
    let findings = &ran.report("size").outcome().unwrap().findings;
    assert_eq!(findings.remarks, ["6 bytes"]);
    assert_eq!(findings.metrics["bytes"].value, 6.0);
}
