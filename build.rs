//! Computes the code fingerprints: per kind, a digest of all code that can change its outputs.
//!
//! In: the kind's own file, what all kinds share, `ml`, what the engine hands to a kind, the
//! manifests and `Cargo.lock`, the compiler's version and the target. Out: the HTTP service, the terminal, the
//! commands, and whether this is a debug or a release build: none of them has a say in a result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files and directories that can change the outputs of every kind.
const SHARED: [&str; 11] = [
    "src/ml",
    "src/kinds/mod.rs",
    "src/kinds/shared.rs",
    "crates/engine/src/digest.rs",
    "crates/engine/src/digest",
    "crates/engine/src/kind.rs",
    "crates/engine/src/recipe.rs",
    "crates/engine/src/work.rs",
    // Versions stand in the lock, features and profiles in the manifests.
    "Cargo.lock",
    "Cargo.toml",
    "crates/engine/Cargo.toml",
];

/// What else of the engine can change the outputs of one kind.
const OWN: [(&str, &[&str]); 1] = [(
    "command",
    &[
        "crates/engine/src/command",
        "crates/engine/src/data.rs",
        "crates/engine/src/interpreter.rs",
        "crates/engine/src/layout.rs",
        "crates/engine/src/room.rs",
        "crates/engine/src/surroundings.rs",
        "crates/engine/src/tool.rs",
    ],
)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/kinds");
    let rustc = std::env::var("RUSTC")?;
    let version = Command::new(rustc).arg("--version").output()?.stdout;
    let target = std::env::var("TARGET")?;
    let mut lines = String::new();
    for kind in kinds()? {
        let mut hasher = blake3::Hasher::new();
        add(&mut hasher, "rustc", &version);
        add(&mut hasher, "target", target.as_bytes());
        let own = [format!("src/kinds/{kind}.rs"), format!("src/kinds/{kind}")];
        let engine = OWN.iter().filter(|(name, _)| *name == kind).flat_map(|(_, paths)| *paths);
        let roots = SHARED.iter().chain(engine).copied();
        for root in roots.chain(own.iter().map(String::as_str)) {
            if Path::new(root).exists() {
                println!("cargo::rerun-if-changed={root}");
            }
            for path in files(Path::new(root))? {
                add(&mut hasher, &path.to_string_lossy(), &fs::read(&path)?);
            }
        }
        lines.push_str(&format!("    ({kind:?}, \"{}\"),\n", hasher.finalize().to_hex()));
    }
    let text = format!(
        "/// Per kind, the digest of its code.\nconst CODE: &[(&str, &str)] = &[\n{lines}];\n"
    );
    fs::write(Path::new(&std::env::var("OUT_DIR")?).join("code.rs"), text)?;
    Ok(())
}

/// The names of the kinds: the files in `src/kinds` that are not shared by all.
fn kinds() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("src/kinds")? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_file() && !["mod", "shared"].contains(&name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The files below a path, sorted, so that the digest does not depend on the file system. Files
/// that hold nothing but tests have no say in a result.
fn files(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !root.is_dir() {
        let is_code = root.exists() && root.file_name().is_none_or(|name| name != "tests.rs");
        return Ok(if is_code { vec![root.to_owned()] } else { Vec::new() });
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        found.extend(files(&entry?.path())?);
    }
    found.sort();
    Ok(found)
}

/// Adds a named text with the lengths of both, so that no two lists of texts look the same.
fn add(hasher: &mut blake3::Hasher, name: &str, bytes: &[u8]) {
    for part in [name.as_bytes(), bytes] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
}
