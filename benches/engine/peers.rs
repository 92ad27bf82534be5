//! Where the other tools come from: what is missing is installed, and it is said.
//!
//! ninja and make are taken from PATH, else from Debian. DVC and Snakemake are installed from PyPI
//! in pinned versions, each into an environment of its own below `target`, and b3sum from
//! crates.io: figures of another version would not be comparable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::install;
use crate::tools::Peer;

/// What is asked of PyPI.
const DVC: &str = "dvc==3.67.1";
/// The same.
const SNAKEMAKE: &str = "snakemake==9.27.0";
/// What is asked of crates.io.
const B3SUM: &str = "b3sum@1.8.5";

/// The programs of some tools, installed if they must be.
pub(crate) fn find(peers: &[Peer]) -> anyhow::Result<BTreeMap<Peer, PathBuf>> {
    let found = peers.iter().map(|peer| {
        let program = match peer {
            Peer::Ninja => debian("ninja", "ninja-build"),
            Peer::Make => debian("make", "make"),
            Peer::Dvc => python("dvc", DVC),
            Peer::Snakemake => python("snakemake", SNAKEMAKE),
        };
        Ok((*peer, program?))
    });
    found.collect()
}

/// The program `b3sum`.
pub(crate) fn b3sum() -> anyhow::Result<PathBuf> {
    let root = install::room().join("b3sum");
    let program = root.join("bin/b3sum");
    if !program.exists() {
        let root = root.display().to_string();
        let args = ["install", "--locked", "--root", &root, B3SUM];
        install::run(env!("CARGO"), &args)?;
    }
    Ok(program)
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn debian(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    if on_path(name).is_none() {
        install::apt(package)
            .with_context(|| format!("`{name}` is missing; install `{package}`"))?;
    }
    on_path(name).with_context(|| format!("`{name}` is not on PATH"))
}

fn python(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let environment = install::python(&package.replace("==", "-"), &[package])?;
    Ok(environment.join("bin").join(name))
}
