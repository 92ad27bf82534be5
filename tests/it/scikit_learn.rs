//! The example of `docs/COMMAND.md`, made and run for real: Python, pip, scikit-learn.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::Lab;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/scikit-learn");

/// A virtual environment with the pinned packages, made once per list of packages and kept between
/// test runs; `None` where that cannot be, which in CI is a failure.
fn environment() -> Option<PathBuf> {
    let pins = Path::new(EXAMPLE).join("requirements.txt");
    let digest = engine::digest::Digest::of(&fs::read(&pins).unwrap()).short();
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

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// The example with its virtual environment.
fn example() -> Option<Lab> {
    let venv = environment()?;
    let lab = Lab::empty();
    copy(Path::new(EXAMPLE), &lab.path("."));
    std::os::unix::fs::symlink(venv, lab.path(".venv")).unwrap();
    Some(lab)
}

#[test]
fn a_scikit_learn_script_is_a_stage_like_any_other() {
    let Some(lab) = example() else { return };
    assert_eq!(lab.executed(&[]), ["fit", "profile", "score", "split"]);
    let metrics = lab.json("outputs/score/metrics.json");
    assert!(metrics["accuracy"].as_f64().unwrap() > 0.8, "{metrics}");
    assert!(lab.path("outputs/fit/model.joblib").exists());

    let again = lab.call(&["run"]).expect(0);
    assert!(again.tells("fit | fitted on 90 rows").err.contains("0 run, 4 cached"));
    lab.call(&["verify", "--rebuild"]).expect(0).tells("4 stages rebuilt");

    // The same model from another script: what rests on it need not run.
    lab.edit("stages/fit.py", "import sys", "import sys  # and nothing else");
    assert_eq!(lab.executed(&[]), ["fit"]);
    lab.edit("stages/fit.toml", "C = 1.0", "C = 0.01");
    assert_eq!(lab.executed(&[]), ["fit", "score"]);
    lab.edit("stages/fit.toml", "OMP_NUM_THREADS = \"1\"", "OMP_NUM_THREADS = \"2\"");
    lab.call(&["why", "fit"]).expect(0).tells("environment.OMP_NUM_THREADS: 1 -> 2");

    let sweep = ["run", "--set", "fit.environment.C=0.1,10"];
    lab.call(&sweep).expect(0).tells("point 2 of 2: fit.environment.C=10");
    let matrix = "[matrix]\n\"environment.C\" = [0.1, 10]\n\n[params]";
    lab.edit("stages/fit.toml", "[params]", matrix);
    let one = "fit@environment.C=0.1";
    lab.call(&["run", one]).expect(0).tells("2 cached");
}

#[test]
fn a_hermetic_script_that_forgot_an_input_is_told_which() {
    let Some(lab) = example() else { return };
    lab.edit("stages/score.toml", "module = \"data.table_py\"\n", "");
    let forgotten = "`stages/table.py` is not an input of this stage";
    lab.call(&["run"]).expect(1).tells("No module named 'table'").tells(forgotten);

    let secret = lab.path("secret.csv");
    fs::write(&secret, "a\n").unwrap();
    let open = format!("with open({:?})", secret.to_str().unwrap());
    lab.edit("stages/split.py", "with open(source)", &open);
    let refused = "`secret.csv` is not an input of this stage";
    lab.call(&["run"]).expect(1).tells("Permission denied").tells(refused);
}
