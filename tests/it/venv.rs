//! Virtual environments with packages from PyPI, for tests that need another program's word.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A virtual environment with the pinned packages of a file, made once per list of packages and
/// kept between test runs; `None` where that cannot be, which in CI is a failure.
pub(crate) fn with(pins: &Path) -> Option<PathBuf> {
    let digest = engine::digest::Digest::of(&fs::read(pins).unwrap()).short();
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (venv, done) =
        (base.join(format!("venv-{digest}")), base.join(format!("venv-{digest}-ok")));
    let lock = File::create(base.join("venv.lock")).unwrap();
    lock.lock().unwrap();
    if done.exists() {
        return Some(venv);
    }
    let call = |program: &Path, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    let install = ["install", "--quiet", "--requirement", pins.to_str().unwrap()];
    let is_made = call(Path::new("python3"), &["-m", "venv", "--clear", venv.to_str().unwrap()])
        && call(&venv.join("bin/pip"), &install);
    if !is_made {
        assert!(std::env::var_os("CI").is_none(), "CI needs Python with venv, and PyPI");
        return None;
    }
    File::create(done).unwrap();
    Some(venv)
}
