//! Which stages a verb is about, sweeps, and the graph as a text.

use serde_json::Value;

use crate::lab::Lab;

#[test]
fn stages_are_chosen_by_name_group_and_pattern() {
    let lab = Lab::example();
    assert_eq!(lab.executed(&["*@tree"]), ["split", "train@tree", "validate"]);
    assert_eq!(
        lab.executed(&["tr*"]),
        ["train@boosting", "train@forest", "train@logistic", "train@segments"]
    );
    assert_eq!(lab.executed(&["train@*", "--force"]).len(), 5);
    let told = lab.call(&["run", "evalaute", "x*"]).expect(2).err;
    assert!(
        told.contains("did you mean `evaluate`?") && told.contains("no stage fits `x*`"),
        "{told}"
    );
    lab.call(&["plan", "evalaute"]).expect(2);
    lab.call(&["graph", "evalaute"]).expect(2);
    lab.call(&["why", "evalaute"]).expect(2);
    let why = lab.call(&["why", "train@*", "split"]).expect(0).out;
    assert_eq!(why.matches("would not run: its outcome is known").count(), 6, "{why}");
}

#[test]
fn a_run_goes_downstream_and_only_until() {
    let lab = Lab::example();
    let plan = lab.call(&["plan", "split", "--downstream", "--until", "train"]).expect(0).out;
    let names: Vec<_> = plan
        .lines()
        .filter(|line| !line.starts_with("plan:"))
        .map(|l| l.split(' ').next().unwrap())
        .collect();
    assert_eq!(names.len(), 7, "{plan}");
    assert_eq!(lab.executed(&["--until", "split"]), ["profile", "split", "validate"]);
    // Forced are the named ones, not what `--downstream` adds.
    let executed = lab.executed(&["profile", "--downstream", "--force"]);
    assert_eq!(executed.iter().filter(|name| *name == "profile").count(), 1);
    assert_eq!(lab.executed(&["profile", "--downstream", "--force"]), ["profile"]);
    let plan = lab.call(&["plan", "--force"]).expect(0).out;
    assert!(!plan.contains("cached  ") && plan.contains("because it was forced"), "{plan}");
}

#[test]
fn a_run_that_keeps_going_lists_what_it_skipped_and_why() {
    let lab = Lab::example();
    lab.edit("stages/split.toml", "kind = \"split\"", "kind = \"split\"\nexclusive = \"rows\"");
    let data = lab.read("data/subscribers.csv");
    lab.write("data/broken.csv", &data.replacen('\n', "\nTM-9999999,prepaid\n", 1));
    lab.edit("pipeline.toml", "oracle = ", "broken = \"data/broken.csv\"\noracle = ");
    lab.edit("stages/profile.toml", "data.subscribers", "data.broken");
    let told = lab.call(&["run", "--no-serve", "--keep-going"]).expect(1).err;
    let skipped = told.lines().filter(|line| line.contains("skipped")).collect::<Vec<_>>();
    assert!(skipped.iter().any(|line| line.contains("because `profile` failed")), "{told}");
    assert!(lab.path("outputs/split/train.parquet").exists(), "{told}");
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_sweep_is_one_run_per_value_and_leaves_lock_and_outputs_alone() {
    let lab = Lab::example_that_ran();
    let (lock, model) = (lab.read("pipeline.lock"), lab.read("outputs/train@logistic/model.json"));
    let args = ["run", "evaluate", "--set", "train@logistic.C=0.01,1.0"];
    let ended = lab.call(&args).expect(0);
    let rows: Vec<Vec<&str>> =
        ended.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 3, "{}", ended.out);
    assert_eq!(rows[0][..4], ["train@logistic.C", "run", "result", "status"]);
    assert_eq!((rows[1][0], rows[1][3]), ("0.01", "ok"));
    assert_ne!((rows[1][1], rows[1][2]), (rows[2][1], rows[2][2]));
    assert!(rows[0].contains(&"champion.test.roc_auc") && rows[0].len() <= 12, "{}", ended.out);
    assert_eq!(lab.read("pipeline.lock"), lock);
    assert_eq!(lab.read("outputs/train@logistic/model.json"), model);
    lab.call(&["show", rows[1][1]]).expect(0).tells("param   C = 0.01");
    // The points share the cache, and the pipeline itself is as it was.
    let again = lines(&lab.call(&[args.as_slice(), &["--json"]].concat()).expect(0).out);
    let points: Vec<_> = again.iter().filter(|line| line["event"] == "summary").collect();
    assert_eq!(points.len(), 2);
    assert_eq!(points[0]["set"]["train@logistic.C"], "0.01");
    assert!(points.iter().all(|point| point["counts"]["run"] == 0 && point["status"] == "ok"));
    assert!(points[0]["metrics"]["logistic.test.roc_auc"].is_f64());
    lab.call(&["status", "--exit-code"]).expect(0);
    lab.call(&["verify"]).expect(0);
}

#[test]
fn a_point_that_fails_does_not_end_the_sweep() {
    let lab = Lab::example();
    lab.write("data/broken.csv", "a,b\n1\n");
    let set = "data.subscribers=data/broken.csv,data/subscribers.csv";
    let ended = lab.call(&["run", "profile", "--set", set]).expect(1);
    let status: Vec<_> = ended.out.lines().skip(1).map(|line| line.contains(" ok")).collect();
    assert_eq!(status, [false, true], "{}", ended.out);
    assert!(!lab.path("pipeline.lock.tmp").exists());
}

#[test]
fn what_is_wrong_with_a_point_is_told_before_any_runs() {
    let lab = Lab::example();
    let told = lab.call(&["run", "--set", "train@forest.max_depth=4,deep"]).expect(2).err;
    assert!(told.contains("--set") && told.contains("deep"), "{told}");
    assert!(!lab.path("outputs/runs").exists());
    lab.call(&["run", "--set", "seed=1,,2"]).expect(2).tells("an empty value between commas");
    lab.call(&["run", "--locked", "--set", "seed=1,2"]).expect(2).tells("a sweep leaves it");
    let many = (0..300).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let told = lab.call(&["run", "--set", &format!("seed={many}")]).expect(2).err;
    assert!(told.contains("the sweep has 300 points, above 256"), "{told}");
    let dry = lab.call(&["run", "--dry-run", "--set", "seed=1,2"]).expect(0);
    assert_eq!(dry.out.matches("plan: ").count(), 2, "{}", dry.out);
    assert!(!lab.path("outputs/runs").exists());
}

#[test]
fn a_graph_is_a_text_for_other_programs() {
    let lab = Lab::example();
    let dot = lab.call(&["graph"]).expect(0).out;
    assert!(dot.starts_with("digraph \"tunde-churn\" {"), "{dot}");
    let mermaid = lab.call(&["graph", "split", "--format", "mermaid"]).expect(0).out;
    assert!(mermaid.starts_with("flowchart LR") && !mermaid.contains("evaluate"), "{mermaid}");
    let json = lines(&lab.call(&["graph", "--json"]).expect(0).out);
    assert_eq!(json[0]["schema"], "pipeline.graph/1");
    assert_eq!(json[0]["stages"].as_array().unwrap().len(), 12);
    assert_eq!(json, lines(&lab.call(&["graph", "--format", "json"]).expect(0).out));
}

#[test]
fn a_shell_learns_the_verbs_and_options() {
    let lab = Lab::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = lab.call(&["completions", shell]).expect(0).out;
        assert!(script.contains("keep-going") && script.contains("verify"), "{shell}");
    }
    lab.call(&["completions", "tcsh"]).expect(2);
}
