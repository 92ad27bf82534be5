//! Damage to what is stored, one file at a time: it is named, and the next run heals it.

use std::fs;
use std::path::Path;

use engine::error::ExitCode;
use engine::verify;

use crate::lab::{Lab, flip, make_writable, tamper};

type Damage = (&'static str, fn(&Path));

/// What can happen to a file.
const DAMAGES: [Damage; 5] = [
    ("flipped", flip),
    ("truncated", |path| tamper(path, |bytes| bytes.truncate(bytes.len() / 2))),
    ("emptied", |path| tamper(path, Vec::clear)),
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("replaced by a directory", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("inside")).unwrap();
    }),
];

/// The diamond with a stage whose output nobody else has.
fn ran() -> Lab {
    let lab = Lab::diamond().stage("t", "kind = \"tree\"\nparams.text = \"pqr\"");
    lab.run().expect("ran 5");
    lab
}

#[test]
fn a_damaged_object_is_named_and_healed() {
    for (damage, apply) in DAMAGES {
        for stage in ["a", "t"] {
            let lab = ran();
            // Twice, because what was set aside may be in the way of the second.
            for _ in 0..2 {
                let object = lab.objects(stage).remove(0);
                apply(&object);
                let findings = lab.verify();
                let hex = object.file_name().unwrap().to_str().unwrap();
                let code = if damage == "removed" { ExitCode::Missing } else { ExitCode::Corrupt };
                assert_eq!(verify::exit_code(&findings), code as u8, "{damage} {findings:#?}");
                let names = |text: &str| text.contains(hex) || text.contains(&hex[..10]);
                assert!(findings.iter().any(|f| names(&f.message)), "{damage} {findings:#?}");
                let planned = lab.plan();
                let ran = lab.run().expect("ran 1, cached 4").ran(&[stage]);
                assert!(ran.reason(stage).starts_with("object "), "{}", ran.reason(stage));
                let told = format!("{stage} run: {}", ran.reason(stage));
                assert!(planned.contains(&told), "{damage}: {told} and {planned:?}");
                lab.verify_clean();
                lab.run().expect("cached 5");
            }
        }
    }
}

#[test]
fn a_damaged_outcome_is_named_and_healed() {
    for (damage, apply) in DAMAGES {
        let lab = ran();
        for _ in 0..2 {
            let path = lab.document("outcomes", &lab.key("both"));
            apply(&path);
            if damage != "removed" {
                let findings = lab.verify();
                assert_eq!(verify::exit_code(&findings), 5, "{damage} {findings:#?}");
            }
            let ran = lab.run().expect("ran 1, cached 4").ran(&["both"]);
            assert!(ran.reason("both").starts_with("outcome "), "{}", ran.reason("both"));
            lab.verify_clean();
        }
    }
}

#[test]
fn a_damaged_recipe_is_named_and_written_again() {
    for (damage, apply) in DAMAGES {
        let lab = ran();
        for _ in 0..2 {
            apply(&lab.document("recipes", &lab.key("both")));
            if damage != "removed" {
                assert_eq!(verify::exit_code(&lab.verify()), 5, "{damage}");
            }
            lab.run().expect("cached 5");
            lab.verify_clean();
        }
    }
}

#[test]
fn a_forged_outcome_for_another_key_is_refused() {
    let lab = ran();
    let (a, b) = (lab.key("a"), lab.key("b"));
    fs::copy(lab.document("outcomes", &b), lab.document("outcomes", &a)).unwrap();
    assert_eq!(verify::exit_code(&lab.verify()), 5);
    lab.run().ran(&["a"]);
    assert_eq!(lab.read("outputs/a/out.txt"), "one");
}

#[test]
fn a_damaged_record_is_named_and_stops_no_run() {
    for (damage, apply) in DAMAGES {
        let lab = ran();
        let dir = lab.project().runs.list().unwrap().remove(0);
        apply(&dir.join("run.json"));
        if damage != "removed" {
            let findings = lab.verify();
            assert_eq!(verify::exit_code(&findings), 5, "{damage}");
            let shown = dir.strip_prefix(lab.root()).unwrap().display().to_string();
            assert_eq!(findings[0].hint, format!("remove `{shown}`"));
        }
        lab.run().expect("cached 5");
        match damage {
            // Without it there is no record, and the next one removes the rest.
            "removed" => assert!(!dir.exists()),
            _ => fs::remove_dir_all(dir).unwrap(),
        }
        lab.verify_clean();
    }
}

#[test]
fn a_damaged_memory_only_costs_time() {
    for name in ["outputs/store/stat", "outputs/runs/last.json"] {
        for (_, apply) in &DAMAGES[..4] {
            let lab = ran();
            apply(&lab.path(name));
            lab.run().expect("cached 5");
            lab.verify_clean();
            lab.edit("stages/b.toml", "two", "three");
            lab.run().ran(&["b", "both", "size"]);
        }
    }
}

#[test]
fn all_damage_is_listed_at_once_and_healed_by_one_run() {
    let lab = ran();
    for stage in ["a", "b", "size"] {
        flip(&lab.objects(stage)[0]);
    }
    fs::remove_file(&lab.objects("t")[1]).unwrap();
    let findings = lab.verify();
    assert_eq!(findings.iter().filter(|finding| finding.code == 5).count(), 3);
    assert_eq!(verify::exit_code(&findings), 5);
    lab.run().ran(&["a", "b", "size", "t"]);
    lab.verify_clean();
}

#[test]
fn a_stranger_in_the_store_is_named() {
    let lab = ran();
    lab.write("outputs/store/objects/zz/stranger", "x");
    let findings = lab.verify();
    assert_eq!(findings.len(), 1);
    let message = "`outputs/store/objects/zz/stranger` is not named by a digest";
    assert_eq!(findings[0].message, message);
}

#[test]
fn what_was_set_aside_is_kept_for_a_look() {
    let lab = ran();
    let object = lab.objects("a").remove(0);
    tamper(&object, |bytes| *bytes = b"evil".to_vec());
    lab.run();
    let kept = lab.path("outputs/store/quarantine").join(object.file_name().unwrap());
    make_writable(&kept);
    assert_eq!(fs::read_to_string(kept).unwrap(), "evil");
}
