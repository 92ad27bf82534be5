//! A later table is compared with the profile of an earlier one, and the run says what moved.

use std::fmt::Write;

use crate::lab::Lab;

fn rows(shift: i32) -> String {
    let mut rows = "usage,plan\n".to_owned();
    for row in 0..400 {
        let plan = if (row * 7 + shift) % 10 < 6 { "a" } else { "b" };
        writeln!(rows, "{}.25,{plan}", row * 31 % 97 + shift).unwrap();
    }
    rows
}

/// The profile of one table is the reference of the other's.
fn lab(shift: i32, drift: &str) -> Lab {
    let lab = Lab::empty();
    lab.write("then.csv", &rows(0));
    lab.write("now.csv", &rows(shift));
    lab.write(
        "pipeline.toml",
        "name = \"drift\"\nstages = [\"then\", \"now\"]\n[data]\nthen = \"then.csv\"\n\
         now = \"now.csv\"\n",
    );
    lab.write("stages/then.toml", "kind = \"profile\"\n[inputs]\ntable = \"data.then\"\n");
    let now = "kind = \"profile\"\n[inputs]\ntable = \"data.now\"\nreference = \"then.report\"\n";
    lab.write("stages/now.toml", &format!("{now}{drift}"));
    lab
}

#[test]
fn a_table_like_the_reference_has_not_drifted() {
    let lab = lab(0, "");
    lab.call(&["run"]).expect(0).tells("the table has not drifted: 0 of 2 columns");
    let drift = &lab.json("outputs/now/profile.json")["drift"];
    assert_eq!(drift["columns"][0]["test"], "ks");
    assert_eq!(drift["columns"][0]["measures"]["psi"], 0.0);
    assert!(lab.json("outputs/then/profile.json").get("drift").is_none());
}

#[test]
fn a_table_that_has_moved_warns_or_ends_the_run_as_declared() {
    let told = lab(40, "").call(&["run"]).expect(0).err;
    assert!(told.contains("the table has drifted: 1 of 2 columns have, `usage`"), "{told}");
    let strict = lab(40, "[params.drift]\nseverity = \"error\"\n");
    strict.call(&["run"]).expect(3).tells("the table has drifted");
    assert_eq!(strict.json("outputs/failed/now/profile.json")["drift"]["is_drift"], true);
    let lenient = lab(40, "[params.drift]\nseverity = \"error\"\nshare = 0.6\n");
    lenient.call(&["run"]).expect(0).tells("the table has not drifted: 1 of 2 columns have");
}

#[test]
fn a_reference_that_is_no_profile_is_refused() {
    let lab = lab(0, "");
    lab.edit("stages/now.toml", "then.report", "data.then");
    lab.call(&["run"]).expect(1).tells("the reference is no profile");
}
