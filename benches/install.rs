//! Where the tools that benchmarks compare with come from: what is missing is installed, and it is
//! said. Shared by the benchmarks as a module; knows none of the tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Where tools are installed.
pub(crate) fn room() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-tools")
}

/// An environment of Python below `target` with these packages from PyPI, made when it is not there.
pub(crate) fn python(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let environment = room().join(name);
    // Written last: an environment that was left half made is made again.
    let made = environment.join("made");
    if !made.exists() {
        run("python3", &["-m", "venv", "--clear", &environment.display().to_string()])?;
        let pip = environment.join("bin/pip").display().to_string();
        let install = ["install", "--quiet", "--disable-pip-version-check"];
        run(&pip, &[&install, packages].concat())?;
        std::fs::write(made, "")?;
    }
    Ok(environment)
}

/// Runs an installer and says so.
pub(crate) fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    crate::note(&format!("installing: {program} {}", args.join(" ")));
    let told = || format!("cannot start `{program}`");
    let status = Command::new(program).args(args).stdin(Stdio::null()).status();
    let status = status.with_context(told)?;
    ensure!(status.success(), "`{program} {}` failed", args.join(" "));
    Ok(())
}
