//! Bad input gets what, where and how to mend it, all mistakes at once, and the promised exit code.

use std::fs;

use crate::lab::Lab;

#[test]
fn all_mistakes_of_all_files_are_told_at_once_with_lines_and_carets() {
    let lab = Lab::example();
    lab.edit("stages/train.toml", "max_depth", "max_dept");
    lab.edit("stages/split.toml", "kind = \"split\"", "kind = \"splitt\"");
    lab.edit("stages/evaluate.toml", "split.test", "splat.test");
    lab.write("stages/forgotten.toml", "kind = \"log\"\n");
    let told = lab.call(&["run", "--no-serve"]).expect(2).err;
    for text in [
        "unknown parameter `max_dept`",
        "did you mean `max_depth`?",
        "stages/train.toml:",
        "unknown kind `splitt`",
        "did you mean `split`?",
        "no stage is named `splat`",
        "no pipeline lists the stage `forgotten`",
        "^^^^",
        "4 mistakes in 4 files",
    ] {
        assert!(told.contains(text), "`{text}` is not told:\n{told}");
    }
    assert!(!lab.path("outputs").exists(), "nothing is written for a wrong configuration");
}

#[test]
fn mistakes_are_told_to_programs_as_json() {
    let lab = Lab::example();
    lab.edit("stages/train.toml", "max_depth", "max_dept");
    let out = lab.call(&["plan", "--json"]).expect(2).out;
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["schema"], "pipeline.error/1");
    let mistake = &told["mistakes"][0];
    assert_eq!(mistake["file"], "stages/train.toml");
    assert!(mistake["line"].is_u64() && mistake["column"].is_u64(), "{told}");
    assert_eq!(mistake["hints"][0], "did you mean `max_depth`?");
    let out = lab.call(&["show", "nothing", "--json"]).expect(2).out;
    assert!(out.contains("pipeline.error/1"), "{out}");
}

#[test]
fn a_wrong_default_is_told_once() {
    let lab = Lab::example();
    lab.edit("pipeline.toml", "churned = \"target\"", "churned = \"targt\"");
    let told = lab.call(&["plan"]).expect(2).err;
    assert_eq!(told.matches("did you mean `target`?").count(), 1, "{told}");
}

#[test]
fn a_value_out_of_its_range_names_the_range() {
    let lab = Lab::example();
    let set = "train@forest.n_estimators=0";
    let told = lab.call(&["plan", "--set", set]).expect(2).err;
    assert!(told.contains("between 1 and"), "{told}");
    assert!(told.contains(set), "the argument is shown:\n{told}");
}

#[test]
fn a_cycle_is_told_as_a_circle() {
    let lab = Lab::example();
    lab.edit("stages/profile.toml", "kind =", "after = [\"split\"]\nkind =");
    lab.edit("stages/validate.toml", "kind =", "after = [\"profile\"]\nkind =");
    let told = lab.call(&["run", "--no-serve"]).expect(2).err;
    assert!(told.contains("dependency cycle: "), "{told}");
    let circle = told.split("dependency cycle: ").nth(1).unwrap().lines().next().unwrap();
    let names: Vec<_> = circle.split(" -> ").collect();
    assert_eq!(names.first(), names.last(), "{circle}");
}

#[test]
fn missing_data_is_told_at_its_line_before_any_work_and_ends_with_4() {
    let lab = Lab::example();
    fs::remove_file(lab.path("data/subscribers.csv")).unwrap();
    for verb in [["run", "--no-serve"].as_slice(), &["verify"], &["run", "--set", "seed=1,2"]] {
        let told = lab.call(verb).expect(4).err;
        assert!(told.contains("`data/subscribers.csv` does not exist"), "{told}");
        assert!(told.contains("pipeline.toml:") && told.contains("^^^^"), "{told}");
    }
    assert!(!lab.path("outputs/runs").exists());
    let out = lab.call(&["run", "--no-serve", "--json"]).expect(4).out;
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["mistakes"][0]["file"], "pipeline.toml");
}

#[test]
fn a_pipeline_can_be_planned_drawn_and_asked_about_before_its_data_exists() {
    let lab = Lab::example();
    fs::remove_file(lab.path("data/subscribers.csv")).unwrap();
    let plan = lab.call(&["plan"]).expect(0).out;
    assert!(plan.contains("for data that does not exist: `data/subscribers.csv`"), "{plan}");
    assert!(plan.contains("without their data"), "{plan}");
    assert_eq!(plan, lab.call(&["run", "--dry-run"]).expect(0).out);
    lab.call(&["why", "split"]).expect(0).tells("it reads data that does not exist");
    lab.call(&["graph"]).expect(0).tells("\"data.subscribers\" -> \"split\"");
    lab.call(&["status", "--exit-code"]).expect(3).tells("for data that does not exist");
}

#[test]
fn a_directory_without_a_project_says_how_to_make_one() {
    let lab = Lab::empty();
    lab.call(&["run"]).expect(2).tells("pipeline init");
}

#[test]
fn wrong_usage_ends_with_2() {
    let lab = Lab::example();
    lab.call(&["verfy"]).expect(2).tells("'verify'");
    lab.call(&["run", "--jobs", "0"]).expect(2);
    lab.call(&["run", "trian"]).expect(2).tells("did you mean `train");
    lab.call(&["-C", "nowhere", "plan"]).expect(4).tells("`nowhere` is no directory");
    lab.call(&["diff", "nothing"]).expect(4).tells("there is no run `nothing`");
    lab.call(&["run", "--no-serve", "--profile", "quik"]).expect(2).tells("did you mean `quick`?");
}

#[test]
fn a_broken_table_names_the_file_and_the_line() {
    let lab = Lab::example();
    let data = lab.read("data/subscribers.csv");
    let broken = data.replacen('\n', "\nTM-9999999,prepaid\n", 1);
    lab.write("data/subscribers.csv", &broken);
    let told = lab.call(&["run", "--no-serve"]).expect(1).err;
    assert!(told.contains("subscribers.csv: line 2: 2 fields where the header has 18"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn no_input_makes_the_program_panic() {
    for text in ["", "\u{0}", "= =", "stages = 1", "stages = [1]", "[stage]\na = 1", "name = []"] {
        let lab = Lab::empty();
        lab.write("pipeline.toml", text);
        for verb in ["run", "plan", "status", "verify", "config", "log"] {
            let ended = lab.call(&[verb]).expect(2);
            assert!(!ended.err.contains("panicked"), "{text:?} {verb}: {}", ended.err);
        }
    }
    let lab = Lab::empty();
    fs::write(lab.path("pipeline.toml"), [0xff, 0xfe]).unwrap();
    lab.call(&["run"]).expect(2).tells("UTF-8");
}
