//! Stores of older programs: what was once written is read for ever, or refused with a clear word.
//!
//! `old/N` is a finished project with the layout N, written by the program that first had it: two
//! runs, and a stage that gave other bytes at another time. Never write one again.

use std::fs;
use std::path::{Path, PathBuf};

use engine::diff::{self, Side};
use engine::project::{OUTPUTS_DIR, Project};

use crate::lab::Lab;

/// The layouts that were ever written, and this program's own.
const LAYOUTS: [&str; 1] = ["1"];

fn old() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/old")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(fs::copy(entry.path(), place).unwrap()),
        }
    }
}

/// The project of a layout, in a directory of its own.
fn lab(layout: &str) -> Lab {
    let lab = Lab::new();
    fs::remove_dir_all(lab.root()).unwrap();
    copy(&old().join(layout), lab.root());
    lab
}

#[test]
fn every_old_store_is_tried() {
    let mut found: Vec<_> = fs::read_dir(old()).unwrap().map(|e| e.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, LAYOUTS);
    let newest = Lab::diamond();
    newest.run();
    let layout = newest.read("outputs/store/format");
    assert_eq!(LAYOUTS.last(), Some(&layout.trim()), "check in a store of the new layout, too");
}

#[test]
fn an_old_store_is_read() {
    for layout in LAYOUTS {
        let lab = lab(layout);
        let findings = lab.verify();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].code, 7);
        let conflict = "recipe ec399e562a09 gave other bytes at another time: `out.txt` \
                        4d067153ac72 and d63bd9a826af";
        assert_eq!(findings[0].message, conflict);
        lab.run().expect("cached 10");
        assert_eq!(lab.verify(), findings);
        assert_eq!(lab.read("outputs/both/out.txt"), "onethree");
    }
}

#[test]
fn the_runs_of_an_old_store_can_be_compared() {
    for layout in LAYOUTS {
        let lab = lab(layout);
        let project = lab.project();
        let side = |name: &str| Side::of_run(name, project.runs.find(name).unwrap().run);
        let conflicts = project.store.conflicts().unwrap();
        let recipe = |key: &_| project.store.recipe(key);
        let diff = diff::compare(&side("@-1"), &side("@"), &conflicts, recipe);
        let changed: Vec<_> = diff.stages.iter().map(|stage| stage.stage.as_str()).collect();
        assert_eq!(changed, ["b", "both", "size", "story"]);
    }
}

#[test]
fn a_store_of_another_layout_is_refused_and_left_alone() {
    for found in ["2", "banana", "", "1\n1", "\u{0}"] {
        let lab = lab("1");
        lab.write("outputs/store/format", found);
        let before = lab.listing();
        let refused = Project::open(lab.root(), Path::new(OUTPUTS_DIR), false).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("has the layout") && text.contains("outputs/store"), "{text}");
        assert_eq!(refused.exit_code() as u8, 5);
        assert_eq!(lab.listing(), before, "{found:?}");
    }
    let lab = lab("1");
    fs::remove_file(lab.path("outputs/store/format")).unwrap();
    fs::create_dir(lab.path("outputs/store/format")).unwrap();
    let before = lab.listing();
    let refused = Project::open(lab.root(), Path::new(OUTPUTS_DIR), false).unwrap_err();
    assert!(refused.to_string().contains("outputs/store/format"), "{refused}");
    assert_eq!(lab.listing(), before);
}
