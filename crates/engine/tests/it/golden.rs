//! The bytes on disk that are promised: a lock and a run, as they were first written.
//!
//! A changed golden file is a changed format: raise its number and tell how old files are read.

use engine::lock::Lock;
use engine::record::Run;
use engine::store::Store;

use crate::lab::Lab;

fn lab() -> Lab {
    Lab::diamond()
        .stage("t", "kind = \"tree\"\nparams.text = \"yx\"")
        .stage("v", "kind = \"random\"\nmatrix.text = [\"p\", \"q.1\"]")
        .stage("story", "kind = \"lineage\"\ninputs.from = \"size.out\"")
}

#[track_caller]
fn is_golden(text: &str, golden: &str, name: &str) {
    if std::env::var_os("GOLDEN_WRITE").is_some() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
        std::fs::write(dir.join(name), text).unwrap();
    } else {
        assert!(text == golden, "{name} is not what was promised; found:\n{text}");
    }
}

#[test]
fn a_lock_has_the_promised_bytes() {
    let lab = lab();
    lab.run();
    is_golden(&lab.read("pipeline.lock"), include_str!("golden/pipeline.lock"), "pipeline.lock");
}

#[test]
fn a_run_has_the_promised_bytes() {
    let lab = lab();
    lab.run();
    let dir = lab.project().runs.list().unwrap().remove(0);
    let text = std::fs::read_to_string(dir.join("run.json")).unwrap();
    is_golden(&text, include_str!("golden/run.json"), "run.json");
}

#[test]
fn a_recipe_and_an_outcome_have_the_promised_bytes() {
    let lab = lab();
    lab.run();
    let key = lab.key("story");
    let read = |part| std::fs::read_to_string(lab.document(part, &key)).unwrap();
    is_golden(&read("recipes"), include_str!("golden/recipe.json"), "recipe.json");
    is_golden(&read("outcomes"), include_str!("golden/outcome.json"), "outcome.json");
}

#[test]
fn the_recipe_of_a_program_has_the_promised_bytes() {
    use std::os::unix::fs::PermissionsExt;
    let lab = lab().data("d", "x").stage(
        "p",
        "kind = \"command\"\ninputs = { d = \"data.d\", one = \"a.out\", all = [\"a.out\", \"b.out\"] }\n\
         [params]\nrun = [\"./bin/own\", \"{d}\", \"{o}\"]\npass = [\"NOT_THERE\"]\n\
         environment.N = \"1\"\noutputs = { o = \"o.txt\", p = \"p/*.csv\" }",
    );
    lab.write("bin/own", "#!/bin/sh\necho x > o.txt; echo y > p/y.csv\n");
    let own = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(lab.path("bin/own"), own).unwrap();
    lab.run();
    let text = std::fs::read_to_string(lab.document("recipes", &lab.key("p"))).unwrap();
    // What runs the script is in it, and every machine has another.
    let (shell, _) = engine::digest::Digest::of_file(std::path::Path::new("/bin/sh")).unwrap();
    let text = text.replace(&shell.to_string(), "the digest of this machine's");
    is_golden(&text, include_str!("golden/command.json"), "command.json");
}

#[test]
fn what_was_once_written_is_still_read() {
    let lock = Lock::parse(include_str!("golden/pipeline.lock"), "golden").unwrap();
    assert_eq!(lock.stages.len(), 8);
    let dir = tempfile::tempdir().unwrap();
    let runs = engine::record::Runs::new(dir.path().to_owned());
    let place = dir.path().join("20261123T100000Z-0123456789ab");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("run.json"), include_str!("golden/run.json")).unwrap();
    let run: Run = runs.find("@").unwrap().run;
    assert_eq!(run.stages.len(), 8);
    let key = lock.stages["story"].key;
    let store = Store::open(&dir.path().join("store"), false).unwrap();
    let hex = key.to_string();
    for (part, text) in [
        ("recipes", include_str!("golden/recipe.json")),
        ("outcomes", include_str!("golden/outcome.json")),
    ] {
        let place = dir.path().join("store").join(part).join(&hex[..2]);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(&hex[2..]), text).unwrap();
    }
    assert_eq!(store.recipe(&key).unwrap().kind, "lineage");
    assert_eq!(store.outcome(&key).unwrap().key, key);
}
