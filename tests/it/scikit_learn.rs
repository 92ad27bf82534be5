//! The example of `docs/COMMAND.md`, made and run for real: Python, pip, scikit-learn.

use std::fs;
use std::path::Path;

use crate::lab::Lab;
use crate::venv;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/scikit-learn");

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
    let venv = venv::with(&Path::new(EXAMPLE).join("requirements.txt"))?;
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
