//! Where the other tools come from: what is missing is installed, and it is said.
//!
//! ninja and make are taken from PATH, else from Debian. DVC and Snakemake are installed from PyPI
//! in pinned versions, each into an environment of its own below `target`, and b3sum from
//! crates.io: figures of another version would not be comparable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

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
    let root = room().join("b3sum");
    let program = root.join("bin/b3sum");
    if !program.exists() {
        let root = root.display().to_string();
        let args = ["install", "--locked", "--root", &root, B3SUM];
        run(env!("CARGO"), &args)?;
    }
    Ok(program)
}

/// Where tools are installed.
fn room() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-tools")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn debian(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    if on_path(name).is_none() {
        apt(package).with_context(|| format!("`{name}` is missing; install `{package}`"))?;
    }
    on_path(name).with_context(|| format!("`{name}` is not on PATH"))
}

/// Installs a package of Debian, after a look at what there is now when it is not known.
fn apt(package: &str) -> anyhow::Result<()> {
    let install = || run("apt-get", &["install", "--yes", package]);
    install().or_else(|_| run("apt-get", &["update"]).and_then(|()| install()))
}

/// Whether the Python there is can make environments: in Debian that is a package of its own.
fn has_venv() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn python(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let environment = room().join(package.replace("==", "-"));
    let program = environment.join("bin").join(name);
    if !program.exists() {
        if !has_venv() {
            apt("python3-venv").context("Python cannot make environments")?;
        }
        run("python3", &["-m", "venv", &environment.display().to_string()])?;
        let pip = environment.join("bin/pip").display().to_string();
        run(&pip, &["install", "--quiet", "--disable-pip-version-check", package])?;
    }
    Ok(program)
}

/// Runs an installer and says so.
fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    crate::note(&format!("installing: {program} {}", args.join(" ")));
    let told = || format!("cannot start `{program}`");
    let status = Command::new(program).args(args).stdin(Stdio::null()).status();
    let status = status.with_context(told)?;
    ensure!(status.success(), "`{program} {}` failed", args.join(" "));
    Ok(())
}
