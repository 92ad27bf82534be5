//! Where the tools that benchmarks compare with come from: what is missing is installed, and it is
//! said. Shared by the benchmarks as a module; knows none of the tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Where tools are installed.
pub(crate) fn room() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-tools")
}

/// An environment of Python below `target` with these packages from PyPI, made when it is not
/// there.
pub(crate) fn python(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let environment = room().join(name);
    // Written last: an environment that was left half made is made again.
    let made = environment.join("made");
    if !made.exists() {
        if !has_venv() {
            apt("python3-venv").context("Python cannot make environments")?;
        }
        run("python3", &["-m", "venv", "--clear", &environment.display().to_string()])?;
        let pip = environment.join("bin/pip").display().to_string();
        let install = ["install", "--quiet", "--disable-pip-version-check"];
        run(&pip, &[&install, packages].concat())?;
        std::fs::write(made, "")?;
    }
    Ok(environment)
}

/// Installs a package of Debian, after a look at what there is now when it is not known.
pub(crate) fn apt(package: &str) -> anyhow::Result<()> {
    let install = || run("apt-get", &["install", "--yes", package]);
    install().or_else(|_| run("apt-get", &["update"]).and_then(|()| install()))
}

/// Whether the Python there is can make environments: in Debian that is a package of its own.
fn has_venv() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
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
