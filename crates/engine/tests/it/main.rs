//! The engine's integration tests, one binary: toy kinds in throw-away projects.
//!
//! A test is a sentence, five lines over a `Lab`. What needs no project stands beside its code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod child;
mod dice;
mod gate;
mod lab;
mod labour;
mod process;
mod ran;
mod rights;
mod scenes;
mod toys;

mod alias;
mod cache;
mod command;
mod command_forgotten;
mod command_hermetic;
mod command_process;
mod command_taken;
mod command_tools;
mod control;
mod damage;
mod data;
mod export;
mod failure;
mod faults;
mod full;
mod gc;
mod golden;
mod graph;
mod harm;
mod killed;
mod lock;
mod matrix;
mod old;
mod outputs;
mod params;
mod plan;
mod properties;
mod scale;
mod schedule;
mod select;
mod spec;
mod store;
mod together;
mod variants;
mod verify;
mod witness;

/// Every file of this directory is part of the binary: a forgotten one would never run.
#[test]
fn no_test_file_is_forgotten() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(dir.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let Some("rs") = path.extension().and_then(|e| e.to_str()) else { continue };
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name}");
    }
}
