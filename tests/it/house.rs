//! The rules of the house: who may know whom, and how files look.

use std::fs;
use std::path::{Path, PathBuf};

/// What the sources below a directory must not name, and what they should do instead.
const LAYERS: &[(&str, &[&str], &str)] = &[
    (
        "crates/engine/src",
        &["polars", "linfa", "warp", "tokio", "clap", "indicatif", "println!", "std::env"],
        "the engine knows no ML, no HTTP, no terminal and no environment",
    ),
    (
        "src/ml",
        &["engine::", "warp", "tokio", "crate::kinds", "crate::serve", "crate::commands"],
        "ml knows neither the engine nor HTTP",
    ),
    (
        "src/serve",
        &[
            "engine::",
            "polars",
            "ml::table",
            "ml::training",
            "ml::learn",
            "crate::kinds",
            "crate::commands",
            "crate::terminal",
        ],
        "serve knows the package and nothing before it",
    ),
    (
        "src/kinds",
        &["warp", "tokio", "crate::commands", "crate::terminal"],
        "kinds join the engine and ml",
    ),
    (
        "src/terminal",
        &["crate::commands", "crate::kinds", "crate::ml", "crate::serve"],
        "the terminal tells and does nothing",
    ),
];

/// Words of the shipped example: the program is general.
const EXAMPLE_WORDS: &[&str] = &["tunde", "churn", "subscriber", "prepaid", "postpaid", "telco"];

/// Lines of code per file, tests not counted.
const MAX_FILE_LINES: usize = 400;
/// Columns.
const MAX_COLUMNS: usize = 100;
/// Lines per function.
const MAX_FUNCTION_LINES: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(dir)];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What cargo has built, for the fuzz targets in a directory of their own.
                if !path.ends_with("target") {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The part of a file before its tests; files that only hold tests have none.
fn code<'a>(path: &Path, text: &'a str) -> &'a str {
    let name = path.file_stem().unwrap().to_string_lossy();
    if name == "tests" || name.ends_with("_tests") {
        return "";
    }
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn all_sources() -> Vec<(PathBuf, String)> {
    ["src", "crates", "tests", "data", "benches", "fuzz"].into_iter().flat_map(sources).collect()
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_knows_only_what_it_may() {
    let mut wrong = Vec::new();
    for (dir, banned, rule) in LAYERS {
        for (path, text) in sources(dir) {
            for (i, line) in code(&path, &text).lines().enumerate().filter(|(_, l)| !is_comment(l))
            {
                for word in banned.iter().filter(|word| line.contains(**word)) {
                    wrong.push(format!("{}:{}: `{word}`: {rule}", path.display(), i + 1));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn nobody_but_main_uses_commands() {
    let uses = |(path, text): &(PathBuf, String)| {
        let is_inside = path.starts_with("src/commands") || path == Path::new("src/main.rs");
        !is_inside && (text.contains("crate::commands") || text.contains("pipeline::commands"))
    };
    let wrong: Vec<_> = sources("src").into_iter().filter(uses).map(|(p, _)| p).collect();
    assert_eq!(wrong, Vec::<PathBuf>::new());
}

#[test]
fn the_engine_depends_on_no_ml_and_no_http() {
    let manifest = fs::read_to_string(root().join("crates/engine/Cargo.toml")).unwrap();
    for banned in ["polars", "linfa", "ndarray", "warp", "tokio", "clap", "indicatif"] {
        assert!(!manifest.contains(banned), "{banned}");
    }
}

#[test]
fn the_program_does_not_know_the_example() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("crates")) {
        for (i, line) in code(&path, &text).lines().enumerate() {
            let line = line.to_lowercase();
            for word in EXAMPLE_WORDS.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{}: `{word}`", path.display(), i + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_file_opens_with_what_it_is() {
    let lacks = |(path, text): (PathBuf, String)| {
        (!text.starts_with("//!")).then(|| format!("{}: no `//!` header", path.display()))
    };
    assert_none(&all_sources().into_iter().filter_map(lacks).collect::<Vec<_>>());
}

#[test]
fn files_and_lines_are_short() {
    let mut wrong = Vec::new();
    for (path, text) in all_sources() {
        let n_lines = code(&path, &text).lines().count();
        if n_lines > MAX_FILE_LINES {
            wrong.push(format!("{}: {n_lines} lines of code", path.display()));
        }
        for (i, line) in text.lines().enumerate() {
            if line.chars().count() > MAX_COLUMNS && !line.contains('"') {
                wrong.push(format!("{}:{}: over {MAX_COLUMNS} columns", path.display(), i + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn functions_fit_on_a_screen() {
    let mut wrong = Vec::new();
    for (path, text) in all_sources() {
        for (name, n_lines) in functions(&text) {
            if n_lines > MAX_FUNCTION_LINES {
                wrong.push(format!("{}: `{name}` has {n_lines} lines", path.display()));
            }
        }
    }
    assert_none(&wrong);
}

/// The functions of a formatted file with their lengths: from `fn` to the brace at its indent.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let is_function = !is_comment(line)
            && (trimmed.starts_with("fn ") || trimmed.contains(" fn "))
            && trimmed.contains('(');
        if !is_function || line.trim_end().ends_with(';') {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - trimmed.len()]);
        if let Some(length) = lines[i..].iter().position(|line| **line == end) {
            let name = trimmed.split("fn ").nth(1).unwrap_or_default();
            found.push((name.split('(').next().unwrap_or_default().to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn every_test_file_is_listed() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for (path, _) in sources("tests/it") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{}", path.display());
    }
}

#[test]
fn every_kind_has_a_file_and_a_fingerprint_of_its_own() {
    let kinds = pipeline::kinds::KINDS;
    let mut fingerprints: Vec<_> = kinds.iter().map(|kind| kind.code()).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), kinds.len());
    for kind in kinds {
        let file = format!("src/kinds/{}.rs", kind.name());
        assert!(root().join(&file).exists(), "{file}");
    }
}
