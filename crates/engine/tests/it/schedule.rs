//! Stages side by side: any number of threads, projects and processes gives the same result.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::project::{OUTPUTS_DIR, Project};
use engine::schedule::{self, Event, Job, Observer, Status};

use crate::lab::Lab;
use crate::process::Orders;
use crate::ran::Told;

#[test]
fn any_number_of_jobs_gives_the_same_record() {
    let run = |jobs| {
        let mut lab = Lab::diamond().stage("r", "kind = \"random\"").with_jobs(jobs);
        for i in 0..8 {
            lab = lab.stage(&format!("s{i}"), &format!("kind = \"text\"\nparams.text = \"{i}\""));
        }
        lab = lab.stage("all", "kind = \"concat\"\ninputs.from = [\"s7.out\", \"s0.out\"]");
        let lock = lab.run().expect("ran 14").run;
        (lock, lab.read("pipeline.lock"))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
}

#[test]
fn one_job_runs_stages_in_graph_order() {
    let lab = Lab::diamond().stage("z", "kind = \"text\"").with_jobs(1);
    assert_eq!(lab.run().started, ["a", "b", "both", "size", "z"]);
}

#[test]
fn reports_are_in_graph_order_whatever_ended_first() {
    let lab = Lab::new().stage("slow", "kind = \"slow\"").stage("quick", "kind = \"text\"");
    let names: Vec<_> = lab.run().reports.into_iter().map(|report| report.stage).collect();
    assert_eq!(names, ["slow", "quick"]);
}

/// Counts how many stages run at once.
#[derive(Default)]
struct Crowd {
    now: std::sync::Mutex<(usize, usize)>,
}

impl Observer for Crowd {
    fn observe(&self, event: Event<'_>) {
        let mut now = self.now.lock().unwrap();
        match event {
            Event::Started { .. } => now.0 += 1,
            Event::Ended(report) if matches!(report.status, Status::Ran(..)) => now.0 -= 1,
            _ => {}
        }
        now.1 = now.1.max(now.0);
    }
}

#[test]
fn no_more_stages_run_at_once_than_there_are_jobs_and_no_fewer() {
    for jobs in [1, 3] {
        let mut lab = Lab::new();
        for i in 0..6 {
            let text = format!("kind = \"slow\"\nparams.text = \"{i}\"");
            lab = lab.stage(&format!("s{i}"), &text);
        }
        let crowd = Crowd::default();
        run(&lab, &lab.project(), &crowd, jobs);
        assert_eq!(crowd.now.lock().unwrap().1, jobs);
    }
}

fn run(lab: &Lab, project: &Project, observer: &dyn Observer, jobs: usize) -> Vec<Status> {
    let graph = lab.load().unwrap();
    let job = Job {
        project,
        graph: &graph,
        selection: graph.ids().collect(),
        forced: BTreeSet::new(),
        jobs,
        keep_going: false,
        materialise: true,
        cancel: &AtomicBool::new(false),
        observer,
    };
    let reports = schedule::run(&job, lab.path("outputs/failed")).unwrap();
    reports.into_iter().map(|report| report.status).collect()
}

#[test]
fn two_runs_of_one_project_do_the_work_once() {
    let lab = Lab::new()
        .stage("a", "kind = \"slow\"")
        .stage("b", "kind = \"slow\"\ninputs.from = \"a.out\"")
        .stage("c", "kind = \"slow\"\nparams.text = \"c\"");
    let n_ran = |told: &Told| {
        let project = Project::open(lab.root(), Path::new(OUTPUTS_DIR), false).unwrap();
        let statuses = run(&lab, &project, told, 2);
        let is_good = |status: &Status| matches!(status, Status::Ran(..) | Status::Cached(_));
        assert!(statuses.iter().all(is_good), "{statuses:?}");
        statuses.iter().filter(|status| matches!(status, Status::Ran(..))).count()
    };
    let (one, other) = (Told::default(), Told::default());
    let n_ran = std::thread::scope(|scope| {
        let first = scope.spawn(|| n_ran(&one));
        let second = scope.spawn(|| n_ran(&other));
        first.join().unwrap() + second.join().unwrap()
    });
    assert_eq!(n_ran, 3);
    assert!(one.waited.load(Ordering::SeqCst) + other.waited.load(Ordering::SeqCst) > 0);
}

#[test]
fn stages_with_the_same_recipe_do_the_work_once() {
    let mut lab = Lab::new().with_jobs(4);
    for i in 0..4 {
        lab = lab.stage(&format!("s{i}"), "kind = \"slow\"");
    }
    lab.run().expect("ran 1, cached 3");
}

#[test]
fn a_thread_that_waits_for_its_loop_never_waits_for_a_lock_on_top_of_it() {
    // Were the thread of `first` one of a pool, it might pick up one of the others while it waits
    // for its own parallel loop: they have the same recipe and become ready in the middle of it.
    for jobs in [1, 3] {
        let mut lab = Lab::new().stage("first", "kind = \"parallel\"").with_jobs(jobs);
        lab = lab.stage("pause", "kind = \"slow\"");
        for i in 0..4 {
            lab = lab.stage(&format!("p{i}"), "kind = \"parallel\"\nafter = [\"pause\"]");
        }
        lab.run().expect("ran 2, cached 4");
    }
}

#[test]
fn no_stage_runs_on_a_thread_that_may_have_to_do_the_work_of_another() {
    let lab = Lab::new().stage("t", "kind = \"thread\"");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/t/out.txt"), "its own");
}

#[test]
fn large_data_that_many_stages_read_are_hashed_while_others_become_ready() {
    const SIZE: u64 = 64 << 20;
    let mut lab = Lab::new().data("small", "words");
    for i in 0..3 {
        lab = lab.data(&format!("large{i}"), "");
        let file =
            std::fs::File::options().write(true).open(lab.path(&format!("data/large{i}.txt")));
        file.unwrap().set_len(SIZE + i).unwrap();
        lab = lab.stage(&format!("t{i}"), &format!("kind = \"dig\"\nparams.text = \"{i}\"")).stage(
            &format!("large{i}"),
            &format!("kind = \"span\"\ninputs.from = \"data.large{i}\""),
        );
        for j in 0..4 {
            let text = format!(
                "kind = \"count\"\nparams.x = {j}\ninputs.from = \"data.small\"\nafter = [\"t{i}\"]"
            );
            lab = lab.stage(&format!("c{i}{j}"), &text);
        }
    }
    for _ in 0..8 {
        // A child, because a run that hangs must end.
        Orders::run(lab.root()).end().result();
        std::fs::remove_dir_all(lab.path("outputs")).unwrap();
    }
}

#[test]
fn a_run_waits_for_a_lock_and_stops_waiting_when_cancelled() {
    let lab = Lab::new().stage("a", "kind = \"text\"").stage("b", "kind = \"random\"");
    let key = {
        let graph = lab.load().unwrap();
        let project = lab.project();
        project.cook(&graph, graph.named("a").unwrap()[0], &[None, None]).unwrap().unwrap().key()
    };
    let lock = lab.project().store.key_lock(&key).unwrap();
    lock.take().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lab.run());
        while !lab.path("outputs/b/out.txt").exists() {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        lab.cancel.store(true, Ordering::SeqCst);
        waiting.join().unwrap().expect("ran 1, skipped 1");
    });
    drop(lock);
    lab.cancel.store(false, Ordering::SeqCst);
    lab.run().expect("ran 1, cached 1");
}

#[test]
fn a_store_that_cannot_be_kept_from_a_collection_is_not_used() {
    let lab = Lab::new().stage("a", "kind = \"text\"");
    lab.write("outputs/store/locks/use/inside", "");
    let told = lab.try_run().unwrap_err().to_string();
    assert!(told.contains("outputs/store/locks/use`"), "{told}");
    assert!(!lab.path("outputs/a").exists());
}

#[test]
fn a_long_chain_and_a_wide_fan_in_are_run() {
    let mut lab = Lab::new().stage("s0", "kind = \"text\"");
    let mut all = vec!["\"s0.out\"".to_owned()];
    for i in 1..120 {
        let text = format!("kind = \"concat\"\ninputs.from = [\"s{}.out\"]", i - 1);
        lab = lab.stage(&format!("s{i}"), &text);
        all.push(format!("\"s{i}.out\""));
    }
    let lab = lab.stage("all", &format!("kind = \"concat\"\ninputs.from = [{}]", all.join(", ")));
    lab.run().expect("ran 121");
    lab.run().expect("cached 121");
}

#[test]
fn forced_work_that_is_not_reproducible_is_a_conflict() {
    let lab = Lab::new()
        .stage("c", "kind = \"clock\"")
        .stage("n", "kind = \"concat\"\ninputs.from = [\"c.out\"]");
    let first = lab.run().expect("ran 2");
    let second = lab.force(&["c"]).expect("ran 1, cached 1");
    // The first outcome stands, so that nothing behind it moves.
    assert_eq!(first.run, second.run);
    assert_eq!(second.warnings.len(), 1);
    let warning = "stage `c` gave other bytes than before for the same recipe";
    assert!(second.warnings[0].starts_with(warning), "{:?}", second.warnings);
    let findings = lab.verify();
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [7]);
    assert!(findings[0].message.contains("`out.txt`"), "{findings:?}");
}

#[test]
fn a_conflict_tells_when_these_bytes_were_first_seen_and_not_others_of_that_key() {
    let lab = Lab::new().stage("c", "kind = \"clock\"");
    lab.run().expect("ran 1");
    std::fs::remove_dir_all(lab.path("outputs/store")).unwrap();
    let second = lab.run().expect("ran 1");
    let project = lab.project();
    let started = project.runs.find("@").unwrap().observed.started;
    assert_ne!(project.runs.find("@-1").unwrap().run, second.run);
    lab.force(&["c"]).expect("ran 1");
    let conflicts = project.store.conflicts().unwrap();
    assert_eq!(conflicts[0].stands.seen.as_ref().unwrap().time, started);
}

#[test]
fn forced_work_that_is_reproducible_changes_nothing() {
    let lab = Lab::diamond();
    let first = lab.run();
    let second = lab.force(&["a", "both"]).expect("ran 2, cached 2").ran(&["a", "both"]);
    assert_eq!(first.run, second.run);
    assert!(second.warnings.is_empty());
    lab.verify_clean();
}

#[test]
fn a_service_is_never_run() {
    let lab = Lab::new()
        .stage("a", "kind = \"text\"")
        .stage("web", "kind = \"service\"\ninputs.from = \"a.out\"");
    let ran = lab.run().expect("ran 1");
    assert_eq!(ran.run.stages.len(), 1);
    lab.verify_clean();
}

#[test]
fn two_runs_at_once_never_fail_over_the_same_files() {
    let lab = Lab::new()
        .stage("t", "kind = \"tree\"\nparams.text = \"abcdefgh\"")
        .stage("l", "kind = \"list\"\ninputs.from = \"t.out\"");
    for _ in 0..10 {
        let all = |told: &Told| {
            let project = lab.project();
            for status in run(&lab, &project, told, 2) {
                assert!(matches!(status, Status::Ran(..) | Status::Cached(_)), "{status:?}");
            }
        };
        std::fs::remove_dir_all(lab.path("outputs/t")).unwrap_or_default();
        let told = Told::default();
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(|| all(&told)))));
        assert_eq!(lab.read("outputs/t/leaves/h/leaf"), "h");
    }
}
