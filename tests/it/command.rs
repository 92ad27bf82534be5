//! Programs as stages, as a user meets them: what is shown, what is told, what is rebuilt.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::lab::Lab;

/// A project with one stage, `s`, whose program is a script.
fn lab(data: &str, inputs: &str, params: &str) -> Lab {
    let lab = Lab::empty();
    lab.write("pipeline.toml", &format!("name = \"c\"\nstages = [\"s\"]\n[data]\n{data}"));
    let params = format!("[params]\noutputs.out = \"out.csv\"\n{params}");
    lab.write("stages/s.toml", &format!("kind = \"command\"\n[inputs]\n{inputs}\n{params}"));
    lab
}

#[test]
fn what_a_program_says_is_shown_when_it_ran_and_when_it_is_cached() {
    let lab = lab("", "", "shell = 'echo said; echo x > out.csv'");
    for word in ["run", "cached"] {
        let ended = lab.call(&["run"]).expect(0);
        assert!(ended.err.contains(word) && ended.err.contains("\n   s | said\n"), "{}", ended.err);
    }
    assert_eq!(lab.call(&["run", "--quiet"]).expect(0).err, "");
    let events = lab.run_events(&[]);
    let ended = events.iter().find(|event| event["event"] == "ended").unwrap();
    assert_eq!(ended["output"]["stdout"], "said\n");
}

#[test]
fn a_missing_program_ends_with_4_and_a_hint() {
    let lab = lab("", "", "run = [\"no-such-program\"]");
    let ended = lab.call(&["run"]).expect(4).tells("the program `no-such-program` cannot be found");
    assert!(ended.err.contains("hint: install it, or name it by path"), "{}", ended.err);
}

#[test]
fn tools_above_the_project_are_found_by_a_rebuild() {
    let outer = lab("", "", "");
    let params = "[params]\noutputs.out = \"out.csv\"\nshell = 'up; far > out.csv'\n\
                  tools = [\"../up\", \"../../more/bin/far\", \"../inner/bin\"]\n";
    outer.write("a/inner/pipeline.toml", "name = \"c\"\nstages = [\"s\"]\n");
    outer.write("a/inner/stages/s.toml", &format!("kind = \"command\"\n{params}"));
    for tool in ["a/up", "more/bin/far", "a/inner/bin/near"] {
        outer.write(tool, "#!/bin/sh\necho x\n");
        fs::set_permissions(outer.path(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    outer.call(&["run", "--project", "a/inner"]).expect(0);
    let args = ["verify", "--rebuild", "--project", "a/inner"];
    outer.call(&args).expect(0).tells("1 stages rebuilt");
}

#[test]
fn a_lock_of_another_format_ends_a_run_before_any_work() {
    let lab = lab("", "", "shell = 'echo x > out.csv'");
    lab.write("pipeline.lock", "format = \"pipeline.lock/9\"\n");
    lab.call(&["run"]).expect(5).tells("has the format `pipeline.lock/9`");
    assert!(!lab.path("outputs/s").exists() && !lab.path("outputs/runs").exists());
    lab.call(&["verify"]).expect(5).tells("has the format `pipeline.lock/9`");
    fs::remove_file(lab.path("pipeline.lock")).unwrap();
    lab.call(&["run"]).expect(0);
}

#[test]
fn directories_patterns_programs_and_files_from_elsewhere_are_rebuilt() {
    let data = "all = \"data/all\"\nsome = \"data/*.csv\"\nfar = \"../far.csv\"\n";
    let inputs = "all = \"data.all\"\nsome = \"data.some\"\nfar = \"data.far\"";
    let params = "tools = [\"./bin/own\", \"cat\", \"find\", \"sort\"]\n\
                  shell = 'own > {out}; find {all} {some} {far} -type f | sort | tee -a {out}'";
    let params = params.replace("\"sort\"]", "\"sort\", \"tee\"]");
    let outer = lab(data, inputs, &params);
    fs::create_dir(outer.path("inner")).unwrap();
    for name in ["pipeline.toml", "stages"] {
        fs::rename(outer.path(name), outer.path("inner").join(name)).unwrap();
    }
    outer.write("far.csv", "f");
    outer.write("inner/data/all/x/1", "1");
    outer.write("inner/data/a.csv", "a");
    outer.write("inner/bin/own", "#!/bin/sh\necho own\n");
    let own = outer.path("inner/bin/own");
    fs::set_permissions(own, fs::Permissions::from_mode(0o755)).unwrap();
    outer.call(&["run", "--project", "inner"]).expect(0);
    let found = "own\ndata/a.csv\ndata/all/x/1\ninputs/far/far.csv\n";
    assert_eq!(outer.read("inner/outputs/s/out.csv"), found);
    outer.call(&["verify", "--rebuild", "--project", "inner"]).expect(0).tells("1 stages rebuilt");
}

#[test]
fn a_table_that_a_program_wrote_feeds_other_kinds() {
    let lab = lab("", "", "shell = 'echo a,b > out.csv; echo 1,2 >> out.csv'");
    lab.edit("pipeline.toml", "[\"s\"]", "[\"s\", \"p\"]");
    lab.write("stages/p.toml", "kind = \"profile\"\ninputs.table = \"s.out\"\n");
    lab.call(&["run"]).expect(0).tells("1 rows, 2 columns");
}
