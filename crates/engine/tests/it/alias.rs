//! Aliases: what is in use under a name, its history, and what keeps it from being collected.

use std::fs;
use std::time::SystemTime;

use engine::alias::{self, Event, Promoted};
use engine::error::Error;
use engine::gc::{self, Policy};
use engine::store::{OutputFile, Sighting};
use engine::verify;

use crate::gc::collect;
use crate::lab::{Lab, flip};

/// What a stage yielded in a run, as something to promote.
fn of_run(lab: &Lab, run: &str, stage: &str) -> Promoted {
    let recorded = lab.project().runs.find(run).unwrap();
    let stage = recorded.run.stages.iter().find(|found| found.stage == stage).unwrap();
    let files: Vec<OutputFile> = stage.files.clone();
    let version = files[0].digest.short();
    Promoted { run: recorded.id, stage: stage.stage.clone(), key: stage.key, version, files }
}

fn event(promoted: Option<Promoted>) -> Event {
    let seen = Sighting { host: "here".to_owned(), time: "2026-11-25T12:00:00Z".to_owned() };
    Event { promoted, seen, reason: None, is_forced: false }
}

/// Puts what a stage yielded in a run into use as the champion.
pub(crate) fn promote(lab: &Lab, run: &str, stage: &str) -> Promoted {
    alias::add(&lab.project(), "champion", event(Some(of_run(lab, run, stage)))).unwrap()
}

fn roll_back(lab: &Lab) -> Result<Promoted, Error> {
    alias::add(&lab.project(), "champion", event(None))
}

fn write(lab: &Lab, text: &str) {
    lab.write("stages/a.toml", &format!("kind = \"text\"\nparams.text = \"{text}\""));
    lab.run();
}

fn ran_twice() -> Lab {
    let lab = Lab::new();
    lab.write("pipeline.toml", "name = \"t\"\nstages = [\"a\"]\n");
    write(&lab, "one");
    write(&lab, "two");
    lab
}

/// What the alias stands for, read from the copy that its document names.
fn copy(lab: &Lab) -> String {
    let aliases = lab.project().aliases;
    let alias = aliases.read("champion").unwrap().unwrap();
    let dir = aliases.copy("champion", alias.current().unwrap());
    fs::read_to_string(dir.join("out.txt")).unwrap()
}

#[test]
fn what_is_promoted_is_laid_out_and_a_rollback_brings_back_what_was_before() {
    let lab = ran_twice();
    let first = promote(&lab, "@-1", "a");
    assert_eq!(copy(&lab), "one");
    promote(&lab, "@", "a");
    assert_eq!(copy(&lab), "two");
    assert_eq!(roll_back(&lab).unwrap(), first);
    assert_eq!(copy(&lab), "one");
    // Nothing is before it; what it is stays.
    assert!(matches!(roll_back(&lab), Err(Error::Missing(_))));
    assert_eq!(copy(&lab), "one");
    let alias = lab.project().aliases.read("champion").unwrap().unwrap();
    assert_eq!(alias.events.len(), 3, "every step is told");
    assert_eq!(alias.current(), Some(&first));
    assert_eq!(lab.project().aliases.names().unwrap(), ["champion"]);
}

#[test]
fn what_an_alias_ever_stood_for_is_never_collected() {
    let lab = ran_twice();
    promote(&lab, "@-1", "a");
    promote(&lab, "@", "a");
    write(&lab, "three");
    let policy = Policy { keep_last: Some(1), max_size: Some(1), ..Policy::default() };
    assert_eq!(collect(&lab, policy).runs.len(), 2);
    roll_back(&lab).unwrap();
    assert_eq!(copy(&lab), "one");
    lab.verify_clean();
}

#[test]
fn nothing_is_collected_while_it_is_not_known_what_an_alias_needs() {
    let lab = ran_twice();
    promote(&lab, "@-1", "a");
    flip(&lab.path("outputs/aliases/champion.json"));
    let policy = Policy { keep_last: Some(1), ..Policy::default() };
    let (project, graph) = (lab.project(), lab.load().unwrap());
    let mut tries = (0..1000).map(|_| gc::collect(&project, &graph, policy, SystemTime::now()));
    let freed = tries.find(|tried| !matches!(tried, Err(Error::Busy(_))));
    assert!(matches!(freed, Some(Err(Error::Corrupt(_)))), "{freed:?}");
    assert!(matches!(lab.project().aliases.read("champion"), Err(Error::Corrupt(_))));
}

#[test]
fn bytes_that_are_gone_or_damaged_are_not_promoted() {
    let lab = ran_twice();
    promote(&lab, "@", "a");
    let old = of_run(&lab, "@-1", "a");
    let object = lab.project().store.object(&old.files[0].digest);
    flip(&object);
    let damaged = alias::add(&lab.project(), "champion", event(Some(old.clone())));
    assert!(matches!(damaged, Err(Error::Corrupt(_))), "{damaged:?}");
    let gone = alias::add(&lab.project(), "champion", event(Some(old)));
    assert!(matches!(gone, Err(Error::Missing(_))), "{gone:?}");
    assert_eq!(copy(&lab), "two");
}

#[test]
fn a_copy_that_was_changed_is_told_and_mended() {
    let lab = ran_twice();
    let promoted = promote(&lab, "@", "a");
    let path = lab.project().aliases.copy("champion", &promoted).join("out.txt");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "forged").unwrap();
    fs::write(lab.path("outputs/aliases/champion/mine"), "mine").unwrap();
    let (findings, _) = verify::verify(&lab.project(), &lab.load().unwrap()).unwrap();
    let told: Vec<_> = findings.iter().map(|finding| finding.message.clone()).collect();
    assert_eq!(
        told,
        [
            format!(
                "`outputs/aliases/champion/{}/out.txt` is not what `champion` stands for",
                promoted.version
            ),
            "`outputs/aliases/champion/mine` is no part of what `champion` stands for".to_owned(),
        ]
    );
    assert!(findings[0].hint.contains(&promoted.run), "{}", findings[0].hint);
    alias::refresh(&lab.project(), "champion").unwrap();
    assert_eq!(copy(&lab), "two");
    lab.verify_clean();
}

#[test]
fn the_copy_of_what_was_before_stays_under_the_feet_of_who_uses_it() {
    let lab = ran_twice();
    let first = promote(&lab, "@-1", "a");
    let second = promote(&lab, "@", "a");
    let aliases = lab.project().aliases;
    assert!(aliases.copy("champion", &first).join("out.txt").exists());
    write(&lab, "three");
    promote(&lab, "@", "a");
    assert!(!aliases.copy("champion", &first).exists());
    assert!(aliases.copy("champion", &second).join("out.txt").exists());
    // Whoever serves what is rolled back still has it, too.
    let third = aliases.read("champion").unwrap().unwrap().current().unwrap().clone();
    assert_eq!(roll_back(&lab).unwrap(), second);
    assert!(aliases.copy("champion", &third).join("out.txt").exists());
    lab.verify_clean();
}

#[test]
fn a_name_that_is_a_path_is_no_alias() {
    let lab = ran_twice();
    for name in ["", "../x", "a/b", "-x", ".hidden"] {
        let added = alias::add(&lab.project(), name, event(Some(of_run(&lab, "@", "a"))));
        assert!(matches!(added, Err(Error::Missing(_))), "{name}");
    }
    assert!(!lab.path("outputs/aliases").exists());
}
