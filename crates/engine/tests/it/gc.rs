//! Collecting what nobody needs: never what a kept run or the lock needs, never beside a run.

use std::fs;
use std::time::{Duration, SystemTime};

use engine::error::Error;
use engine::gc::{self, Freed, Policy};

use crate::lab::{Lab, flip};

/// A diamond that ran three times, each time with another text in `a`.
fn ran_thrice() -> Lab {
    let lab = Lab::diamond();
    for text in ["one", "uno", "eins"] {
        lab.write("stages/a.toml", &format!("kind = \"text\"\nparams.text = \"{text}\""));
        lab.run();
    }
    lab
}

fn try_collect(lab: &Lab, policy: Policy) -> Result<Freed, Error> {
    gc::collect(&lab.project(), &lab.load().unwrap(), policy, SystemTime::now())
}

pub(crate) fn collect(lab: &Lab, policy: Policy) -> Freed {
    collect_at(lab, policy, SystemTime::now())
}

/// Collects once nobody uses the store: a process that another test starts has what this one has
/// locked, until it begins to run.
fn collect_at(lab: &Lab, policy: Policy, now: SystemTime) -> Freed {
    let (project, graph) = (lab.project(), lab.load().unwrap());
    let mut tries = (0..1000).map(|_| {
        std::thread::sleep(Duration::from_millis(1));
        gc::collect(&project, &graph, policy, now)
    });
    tries.find(|tried| !matches!(tried, Err(Error::Busy(_)))).unwrap().unwrap()
}

fn last(n: usize) -> Policy {
    Policy { keep_last: Some(n), ..Policy::default() }
}

fn n_objects(lab: &Lab) -> usize {
    lab.project().store.named("objects").unwrap().len()
}

#[test]
fn without_a_rule_every_run_is_kept() {
    let lab = ran_thrice();
    let before = n_objects(&lab);
    let freed = collect(&lab, Policy::default());
    assert_eq!((freed.runs.len(), freed.objects, freed.bytes), (0, 0, 0));
    assert_eq!(n_objects(&lab), before);
    assert!(freed.left > 0);
}

#[test]
fn what_only_removed_runs_had_goes_and_the_rest_stays() {
    let lab = ran_thrice();
    let oldest = lab.project().runs.find("@-2").unwrap().id;
    let freed = collect(&lab, last(2));
    assert_eq!(freed.runs, [oldest]);
    // `a`, `both` and `size` of the first run; `b` is in all of them, and so is one count.
    assert_eq!((freed.outcomes, freed.recipes), (3, 3));
    assert!(freed.objects >= 2 && freed.refused.is_empty(), "{freed:?}");
    lab.verify_clean();
    lab.run().expect("cached 4");
    lab.write("stages/a.toml", "kind = \"text\"\nparams.text = \"uno\"");
    lab.run().expect("cached 4");
    lab.write("stages/a.toml", "kind = \"text\"\nparams.text = \"one\"");
    lab.run().ran(&["a", "both", "size"]);
    lab.verify_clean();
}

#[test]
fn what_the_lock_needs_stays_whatever_its_run() {
    let lab = Lab::diamond();
    lab.run();
    let locked = lab.read("pipeline.lock");
    for text in ["uno", "eins"] {
        lab.write("stages/a.toml", &format!("kind = \"text\"\nparams.text = \"{text}\""));
        lab.run();
    }
    // As after a checkout of an older commit.
    lab.write("pipeline.lock", &locked);
    lab.write("stages/a.toml", "kind = \"text\"\nparams.text = \"one\"");
    let freed = collect(&lab, last(1));
    assert_eq!((freed.runs.len(), freed.outcomes), (2, 3));
    lab.run().expect("cached 4");
    lab.verify_clean();
}

#[test]
fn the_newest_run_is_never_removed() {
    let lab = ran_thrice();
    let newest = lab.project().runs.find("@").unwrap().id;
    let rules = [
        last(0),
        Policy { max_age: Some(Duration::ZERO), ..Policy::default() },
        Policy { max_size: Some(0), ..Policy::default() },
    ];
    for policy in rules {
        collect(&lab, policy);
        assert_eq!(lab.project().runs.find("@").unwrap().id, newest);
        assert_eq!(lab.project().runs.list().unwrap().len(), 1);
    }
    lab.verify_clean();
    lab.run().expect("cached 4");
}

#[test]
fn runs_are_kept_by_their_age() {
    let lab = ran_thrice();
    // The lab's runs start one second after the other.
    let recorded = lab.project().runs.find("@-1").unwrap();
    let second = humantime::parse_rfc3339(&recorded.observed.started).unwrap();
    let policy = Policy { max_age: Some(Duration::from_secs(10)), ..Policy::default() };
    let now = second + Duration::from_secs(10);
    assert_eq!(collect_at(&lab, policy, now).runs.len(), 1);
    assert_eq!(lab.project().runs.find("@-1").unwrap(), recorded);
}

#[test]
fn the_oldest_runs_go_until_the_rest_fits() {
    let lab = ran_thrice();
    let all = collect(&lab, Policy { is_dry: true, ..Policy::default() }).left;
    let policy = Policy { max_size: Some(all - 1), ..Policy::default() };
    let freed = collect(&lab, policy);
    assert_eq!(freed.runs.len(), 1);
    assert!(freed.left < all);
    assert_eq!(collect(&lab, policy).bytes, 0);
    lab.verify_clean();
}

#[test]
fn a_dry_collection_tells_what_a_real_one_does_and_changes_nothing() {
    let lab = ran_thrice();
    flip(&lab.objects("b")[0]);
    lab.run();
    lab.project();
    let before = lab.listing();
    let told = collect(&lab, Policy { is_dry: true, ..last(1) });
    assert_eq!(lab.listing(), before);
    assert_eq!(told.quarantined, 1);
    let done = collect(&lab, last(1));
    assert_eq!(told, done);
    let left = |dir: &str| fs::read_dir(lab.path(dir)).unwrap().count();
    assert_eq!((left("outputs/store/quarantine"), left("outputs/store/scratch")), (0, 0));
}

#[test]
fn nothing_is_removed_beside_a_run() {
    let lab = ran_thrice();
    let running = lab.project();
    running.store.hold().unwrap();
    let error = try_collect(&lab, last(1)).unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
    assert_eq!(lab.project().runs.list().unwrap().len(), 3);
    drop(running);
    assert_eq!(collect(&lab, last(1)).runs.len(), 2);
}

#[test]
fn nothing_is_removed_while_a_record_or_the_lock_cannot_be_read() {
    let lab = ran_thrice();
    let before = n_objects(&lab);
    let record = lab.project().runs.list().unwrap().remove(0).join("run.json");
    let whole = lab.read(record.to_str().unwrap());
    flip(&record);
    assert!(gc::collect(&lab.project(), &lab.load().unwrap(), last(1), SystemTime::now()).is_err());
    lab.write(record.to_str().unwrap(), &whole);
    lab.write("pipeline.lock", "<<<<<<< ours");
    assert!(gc::collect(&lab.project(), &lab.load().unwrap(), last(1), SystemTime::now()).is_err());
    assert_eq!(n_objects(&lab), before);
}

#[test]
fn a_record_on_another_file_system_is_removed() {
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let lab = ran_thrice();
    let runs = lab.path("outputs/runs");
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-a").arg(&runs).arg(elsewhere.path()).status().unwrap().success());
    fs::remove_dir_all(&runs).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("runs"), &runs).unwrap();
    let freed = collect(&lab, last(1));
    assert_eq!((freed.runs.len(), freed.refused), (2, vec![]));
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 2, "the newest run and `last.json`");
    lab.verify_clean();
}

#[test]
fn a_record_that_cannot_be_removed_keeps_what_it_speaks_of() {
    let lab = ran_thrice();
    // In the way of what is being removed.
    lab.write("outputs/runs/.removed", "no directory");
    let freed = collect(&lab, last(1));
    assert_eq!((freed.runs.len(), freed.outcomes, freed.objects), (0, 0, 0), "{freed:?}");
    assert!(freed.refused.iter().any(|why| why.contains("outputs/runs/")), "{freed:?}");
    lab.verify_clean();
    fs::remove_file(lab.path("outputs/runs/.removed")).unwrap();
    assert_eq!(collect(&lab, last(1)).runs.len(), 2);
    lab.verify_clean();
}

#[test]
fn what_a_killed_collection_left_is_removed_by_the_next() {
    let lab = ran_thrice();
    lab.write("outputs/runs/.removed/run.json", "half");
    assert_eq!(collect(&lab, last(1)).runs.len(), 2);
    assert!(!lab.path("outputs/runs/.removed").exists());
}

#[test]
fn both_outcomes_of_a_conflict_stay_as_long_as_their_key() {
    let lab = Lab::new().stage("tick", "kind = \"clock\"");
    lab.run();
    lab.force(&["tick"]);
    let before = n_objects(&lab);
    assert_eq!(before, 2);
    let freed = collect(&lab, last(1));
    assert_eq!((n_objects(&lab), freed.objects), (before, 0));
    let findings = lab.verify();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.contains("gave other bytes at another time"), "{findings:?}");
}

#[test]
fn outputs_of_stages_that_are_gone_are_removed_and_nothing_else() {
    let lab = Lab::diamond().stage("old", "kind = \"text\"\nparams.text = \"old\"");
    let lab = lab.stage("mine", "kind = \"text\"\nparams.text = \"mine\"");
    lab.run();
    lab.write("outputs/mine/notes.txt", "of a person");
    lab.write("outputs/stranger/file", "of another program");
    lab.write("outputs/.removed/file", "of a collection that was killed");
    let lab = lab.without("old").without("mine");
    for name in ["old", "mine"] {
        let _ = fs::remove_file(lab.path(&format!("stages/{name}.toml")));
    }
    let dry = collect(&lab, Policy { is_dry: true, ..Policy::default() });
    assert!(lab.path("outputs/old/out.txt").exists());
    let freed = collect(&lab, Policy::default());
    assert_eq!((dry.outputs, freed.outputs), (vec!["old".to_owned()], vec!["old".to_owned()]));
    assert!(!lab.path("outputs/old").exists() && !lab.path("outputs/.removed").exists());
    for kept in ["mine/out.txt", "mine/notes.txt", "stranger/file", "both", "runs", "store"] {
        assert!(lab.path("outputs").join(kept).exists(), "{kept}");
    }
    lab.run().expect("cached 4");
}

#[test]
fn what_is_freed_and_left_counts_the_records() {
    let lab = ran_thrice();
    let bytes = |lab: &Lab| collect(lab, Policy { is_dry: true, ..Policy::default() }).left;
    let of_record = |name: &str| {
        let dir = lab.project().runs.list().unwrap().remove(0);
        fs::metadata(dir.join(name)).unwrap().len()
    };
    let record = of_record("run.json") + of_record("observed.json");
    let before = bytes(&lab);
    let freed = collect(&lab, last(2));
    assert!(freed.bytes > record, "{freed:?}");
    assert_eq!((freed.left, bytes(&lab)), (before - freed.bytes, freed.left));
}

#[test]
fn a_look_at_what_is_stored_keeps_it_from_being_removed() {
    let lab = ran_thrice();
    let looking = lab.project();
    engine::verify::verify(&looking, &lab.load().unwrap()).unwrap();
    let error = try_collect(&lab, last(1)).unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
}

#[test]
fn what_is_gone_is_remembered_no_longer() {
    let lab =
        Lab::new().data("old", "words").stage("c", "kind = \"count\"\ninputs.from = \"data.old\"");
    std::thread::sleep(std::time::Duration::from_millis(60));
    lab.run();
    let old = lab.key("c");
    let remembered = |name: &str| {
        let bytes = std::fs::read(lab.path("outputs/store/stat")).unwrap();
        bytes.windows(name.len()).any(|part| part == name.as_bytes())
    };
    let names = [format!("recipe:{old}"), "data:data/old.txt".to_owned()];
    assert!(names.iter().all(|name| remembered(name)));
    std::fs::rename(lab.path("data/old.txt"), lab.path("data/new.txt")).unwrap();
    lab.edit("pipeline.toml", "data/old.txt", "data/new.txt");
    lab.edit("stages/c.toml", "kind", "params.x = 2\nkind");
    lab.run().expect("ran 1");
    collect(&lab, last(1));
    assert!(!names.iter().any(|name| remembered(name)));
    assert!(remembered(&format!("recipe:{}", lab.key("c"))) && remembered("out:c/n/count.txt"));
}
