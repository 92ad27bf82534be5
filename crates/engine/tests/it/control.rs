//! How a stage is run: what is written, and what the schedule makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use engine::graph::{Control, Graph};
use engine::schedule::{self, Event, Job, Observer, Status};

use crate::lab::Lab;

const ROOT: &str = "[resources]\ngpu = 2\nmemory = 16\n";

fn told(kind: &str, line: &str) -> Vec<String> {
    let lab = Lab::new().stage("s", &format!("kind = \"{kind}\"\n{line}")).more(ROOT);
    lab.mistakes()
}

#[test]
fn what_is_written_reaches_the_graph_and_no_recipe() {
    let text = "kind = \"program\"\ntimeout = \"10m\"\nretries = 3\n\
                resources = { gpu = 1 }\nexclusive = [\"net\", \"db\", \"db\"]\n";
    let lab = Lab::new().stage("s", text).more(ROOT);
    let graph = lab.load().unwrap();
    let control = &graph.stages[0].control;
    assert_eq!(control.timeout, Some(Duration::from_secs(600)));
    assert_eq!(control.retries, 3);
    assert_eq!(control.resources, BTreeMap::from([("gpu".to_owned(), 1)]));
    assert_eq!(control.exclusive, ["db", "net"]);
    assert_eq!(graph.resources["memory"], 16);
    lab.run().expect("ran 1");
    let key = lab.key("s");
    let lab = lab.stage("s", "kind = \"program\"\nretries = 1\nexclusive = \"x\"");
    lab.run().expect("cached 1");
    assert_eq!(lab.key("s"), key);
}

#[test]
fn every_variant_is_run_as_its_stage_says() {
    let text = "kind = \"text\"\nexclusive = \"db\"\nmatrix.text = [\"x\", \"y\"]";
    let graph = Lab::new().stage("s", text).load().unwrap();
    assert!(graph.stages.iter().all(|stage| stage.control.exclusive == ["db"]));
}

#[test]
fn a_time_is_seconds_or_a_number_with_a_unit() {
    for (text, seconds) in
        [("90", 90.0), ("0.5", 0.5), ("\"90s\"", 90.0), ("\"1.5h\"", 5400.0), ("\"250ms\"", 0.25)]
    {
        let lab = Lab::new().stage("s", &format!("kind = \"program\"\ntimeout = {text}"));
        let graph = lab.load().unwrap();
        assert_eq!(graph.stages[0].control.timeout, Some(Duration::from_secs_f64(seconds)));
    }
    for text in
        ["0", "-1", "\"\"", "\"s\"", "\"10\"", "\"10 years\"", "true", "\"9999999h\"", "\"-1s\""]
    {
        let mistakes = told("program", &format!("timeout = {text}"));
        let expected = "stages/s.toml:2: expected a time above 0 and of at most a year";
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(expected), "{text}: {mistakes:?}");
    }
}

#[test]
fn what_cannot_be_had_is_a_mistake_at_its_place() {
    for (line, expected) in [
        ("retries = 101", "expected an integer between 0 and 100"),
        ("retries = -1", "expected an integer between 0 and 100"),
        (
            "resources = { gpu = 3 }",
            "this needs 3 of `gpu`, and there is 2; raise `gpu` under `[resources]` in pipeline.toml",
        ),
        ("resources = { gpus = 1 }", "no resource is named `gpus`; did you mean `gpu`?"),
        (
            "resources = { licence = 2 }",
            "no resource is named `licence`; write how much there is: `licence = 2` under `[resources]`",
        ),
        ("resources = { gpu = 0 }", "`gpu`: expected an integer of at least 1"),
        ("resources = 1", "`resources` must be a table"),
        (
            "exclusive = [\"a b\"]",
            "expected the name of a group, of which one stage runs at a time",
        ),
        ("exclusive = 1", "expected the name of a group, of which one stage runs at a time"),
    ] {
        assert_eq!(told("program", line), [format!("stages/s.toml:2: {expected}")]);
    }
    let lab = Lab::new().stage("s", "kind = \"text\"\nresources = { gpu = 1 }");
    let lab = lab.more("[resources]\ngpu = \"two\"\n");
    assert_eq!(lab.mistakes(), ["pipeline.toml:5: `gpu`: expected an integer of at least 1"]);
}

#[test]
fn a_kind_that_runs_in_this_process_has_no_time_out_and_no_retries() {
    let expected = "stages/s.toml:2: `retries` is for kinds that run a program, not for `text`; \
                    `text` works inside this process; take `retries` out";
    assert_eq!(told("text", "retries = 1"), [expected]);
    assert!(told("text", "timeout = 5")[0].contains("`timeout` is for kinds that run a program"));
    assert!(told("service", "exclusive = \"x\"")[0].contains("`exclusive` has no say"));
}

/// Notes how much of each resource, and how many stages of each group, were in use at most.
struct Gauge<'a> {
    graph: &'a Graph,
    now_and_most: Mutex<BTreeMap<String, (u64, u64)>>,
    n_most: Mutex<(usize, usize)>,
}

impl Gauge<'_> {
    fn held(&self, stage: &str) -> Vec<(String, u64)> {
        let stage = self.graph.stages.iter().find(|other| other.name == stage).unwrap();
        let Control { resources, exclusive, .. } = &stage.control;
        let groups = exclusive.iter().map(|name| (format!("group {name}"), 1));
        resources.clone().into_iter().chain(groups).collect()
    }

    fn most(&self) -> Vec<(String, u64)> {
        let all = self.now_and_most.lock().unwrap();
        all.iter().map(|(name, (_, most))| (name.clone(), *most)).collect()
    }
}

impl Observer for Gauge<'_> {
    fn observe(&self, event: Event<'_>) {
        let (stage, is_start) = match event {
            Event::Started { stage, .. } => (stage, true),
            Event::Ended(report)
                if matches!(report.status, Status::Ran(..) | Status::Failed(_)) =>
            {
                (report.stage.as_str(), false)
            }
            _ => return,
        };
        let mut all = self.now_and_most.lock().unwrap();
        for (name, amount) in self.held(stage) {
            let (now, most) = all.entry(name).or_default();
            *now = if is_start { *now + amount } else { *now - amount };
            *most = (*most).max(*now);
        }
        let mut n_most = self.n_most.lock().unwrap();
        n_most.0 = if is_start { n_most.0 + 1 } else { n_most.0 - 1 };
        n_most.1 = n_most.1.max(n_most.0);
    }
}

/// Runs a pipeline with 8 jobs: what was in use at most, and how many stages ran at once.
fn gauge(lab: &Lab) -> (Vec<(String, u64)>, usize) {
    let (graph, project) = (lab.load().unwrap(), lab.project());
    let gauge = Gauge { graph: &graph, now_and_most: Mutex::default(), n_most: Mutex::default() };
    let job = Job {
        project: &project,
        graph: &graph,
        selection: graph.ids().collect(),
        forced: BTreeSet::new(),
        jobs: 8,
        keep_going: true,
        materialise: true,
        cancel: &AtomicBool::new(false),
        observer: &gauge,
    };
    let reports = schedule::run(&job, lab.path("outputs/failed")).unwrap();
    assert_eq!(reports.len(), graph.stages.len());
    (gauge.most(), gauge.n_most.into_inner().unwrap().1)
}

fn slow(i: usize, more: &str) -> String {
    format!("kind = \"slow\"\nparams.text = \"{i}\"\n{more}")
}

#[test]
fn two_stages_of_an_exclusive_group_never_run_at_once() {
    let mut lab = Lab::new();
    for i in 0..4 {
        lab = lab.stage(&format!("x{i}"), &slow(i, "exclusive = \"db\""));
        lab = lab.stage(&format!("y{i}"), &slow(i + 4, "exclusive = [\"db\", \"net\"]"));
        lab = lab.stage(&format!("z{i}"), &slow(i + 8, ""));
    }
    let (most, n_at_once) = gauge(&lab);
    assert_eq!(most, [("group db".to_owned(), 1), ("group net".to_owned(), 1)]);
    // Those that hold nothing ran meanwhile.
    assert!(n_at_once > 2, "{n_at_once}");
}

#[test]
fn no_more_of_a_resource_is_held_than_there_is() {
    let mut lab = Lab::new().more("[resources]\ngpu = 3\nmemory = 10\n");
    for (i, hold) in ["gpu = 1", "gpu = 2", "gpu = 3", "gpu = 1, memory = 9", "memory = 2"]
        .into_iter()
        .cycle()
        .take(15)
        .enumerate()
    {
        lab = lab.stage(&format!("s{i}"), &slow(i, &format!("resources = {{ {hold} }}")));
    }
    let (most, n_at_once) = gauge(&lab);
    assert_eq!(most.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["gpu", "memory"]);
    assert!(most[0].1 <= 3 && most[1].1 <= 10, "{most:?}");
    assert!(n_at_once >= 2, "{n_at_once}");
}

#[test]
fn a_stage_that_fails_gives_back_what_it_held() {
    let lab = Lab::new()
        .stage("bad", "kind = \"fail\"\nexclusive = \"x\"")
        .stage("worse", "kind = \"panic\"\nexclusive = \"x\"")
        .stage("good", "kind = \"text\"\nexclusive = \"x\"");
    assert_eq!(gauge(&lab).0, [("group x".to_owned(), 1)]);
    assert!(lab.path("outputs/good/out.txt").exists());
}
