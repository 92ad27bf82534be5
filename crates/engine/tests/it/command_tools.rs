//! The programs that stages declare: how they are found, and what of them is in the recipe.

use engine::error::{Error, ExitCode};

use crate::lab::{Lab, make_executable};

/// A stage with a script and one output, `out`.
fn script(text: &str, more: &str) -> String {
    format!("kind = \"command\"\n{more}\n[params]\nshell = '''{text}'''\noutputs.out = \"out.txt\"")
}

/// A lab with one stage `s`.
fn lab(text: &str) -> Lab {
    Lab::new().stage("s", &script(text, ""))
}

/// Writes an executable file.
fn executable(lab: &Lab, name: &str, text: &str) {
    lab.write(name, text);
    make_executable(&lab.path(name));
}

#[test]
fn an_edited_tool_is_another_recipe() {
    let lab = lab("own > out.txt");
    executable(&lab, "bin/own", "#!/bin/sh\necho 1\n");
    lab.edit("stages/s.toml", "[params]", "[params]\ntools = [\"./bin/own\"]");
    lab.run().expect("ran 1");
    lab.run().expect("cached 1");
    executable(&lab, "bin/own", "#!/bin/sh\necho 2\n");
    let ran = lab.run();
    assert!(ran.reason("s").starts_with("tools../bin/own: "), "{}", ran.reason("s"));
    assert_eq!(lab.read("outputs/s/out.txt"), "2\n");
}

#[test]
fn what_runs_a_script_is_in_the_recipe_and_is_named() {
    let lab = lab("own");
    let run = lab.path("lang/run").display().to_string();
    executable(&lab, "lang/run", "#!/bin/sh\n. \"$1\"\n");
    executable(&lab, "bin/own", &format!("#!{run}\necho own > out.txt\n"));
    lab.edit("stages/s.toml", "[params]", "[params]\ntools = [\"./bin/own\"]");
    lab.run().expect("ran 1");
    lab.run().expect("cached 1");
    executable(&lab, "lang/run", "#!/bin/sh\n# Other bytes.\n. \"$1\"\n");
    let reason = lab.run().expect("ran 1").reason("s");
    assert!(reason.starts_with(&format!("tools.#!{run}: ")), "{reason}");
    executable(&lab, "bin/own", "#!/bin/sh\necho own > out.txt\n");
    let reason = lab.run().reason("s");
    assert!(reason.contains(&format!("tools.#!{run}: removed ")), "{reason}");
    assert!(!reason.contains("#!/bin/sh"), "it is the stage's own shell: {reason}");
}

#[test]
fn what_env_finds_for_a_script_is_in_the_recipe_and_is_named() {
    let lab = lab("own");
    executable(&lab, "bin/own", "#!/usr/bin/env -S lang -u\necho own > out.txt\n");
    executable(&lab, "lang/lang", "#!/bin/sh\n. \"$2\"\n");
    executable(&lab, "lang/other", "");
    lab.edit("stages/s.toml", "[params]", "[params]\ntools = [\"./bin\", \"./lang/other\"]");
    lab.run().expect("ran 1");
    let recipe = lab.project().store.recipe(&lab.key("s")).unwrap();
    let names: Vec<_> = recipe.tools.keys().map(String::as_str).collect();
    let expected = ["#!/usr/bin/env", "#!/usr/bin/env lang", "./bin", "./lang/other", "/bin/sh"];
    assert_eq!(names, expected);
    executable(&lab, "lang/lang", "#!/bin/sh\n# Other bytes.\n. \"$2\"\n");
    let reason = lab.run().expect("ran 1").reason("s");
    assert!(reason.starts_with("tools.#!/usr/bin/env lang: "), "{reason}");
}

#[test]
fn a_directory_of_tools_counts_with_all_but_what_interpreters_leave() {
    let lab = lab("own > out.txt");
    executable(&lab, "venv/bin/own", "#!/bin/sh\necho 1\n");
    lab.write("venv/lib/module.py", "1");
    std::os::unix::fs::symlink("lib", lab.path("venv/lib64")).unwrap();
    lab.edit("stages/s.toml", "[params]", "[params]\ntools = [\"own\", \"./venv\"]");
    lab.run().expect("ran 1");
    lab.write("venv/lib/__pycache__/module.pyc", "cache");
    lab.run().expect("cached 1");
    lab.write("venv/lib/module.py", "2");
    lab.run().expect("ran 1");
}

#[test]
fn a_missing_tool_is_told_before_any_work() {
    let tool = "[params]\ntools = [\"no-such-tool\", \"./nor/this\"]";
    let lab = lab("echo x > out.txt").stage("a", "kind = \"text\"");
    lab.edit("stages/s.toml", "[params]", tool);
    let error = lab.try_run().unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Missing);
    let told = error.to_string();
    assert!(
        told.starts_with("the programs `./nor/this`, `no-such-tool` cannot be found"),
        "{told}"
    );
    assert!(told.contains("\nhint: install them"), "{told}");
    assert!(matches!(error, Error::Missing(_)) && !lab.path("outputs/a").exists());
}

#[test]
fn a_tool_that_path_cannot_name_is_told() {
    let lab = lab("own > out.txt");
    executable(&lab, "a:b/own", "#!/bin/sh\n");
    lab.edit("stages/s.toml", "[params]", "[params]\ntools = [\"./a:b/own\"]");
    let message = lab.run().expect("failed 1").failure("s").message.clone();
    assert!(message.contains("cannot be on PATH, which is divided by `:`"), "{message}");
}

#[test]
fn a_program_that_changes_during_a_run_gives_no_outcome_under_what_it_was() {
    for tool in ["./bin/own", "./bin"] {
        let own = |more: &str| {
            format!(
                "kind = \"command\"\n{more}\n[params]\nrun = [\"./bin/own\"]\ntools = [{tool:?}]\n\
                 outputs.out = \"out.txt\"\n"
            )
        };
        let lab = Lab::new();
        let path = lab.path("bin/own").display().to_string();
        let edit = format!("printf '#!/bin/sh\\necho new > out.txt\\n' > {path}; echo > out.txt");
        let lab = lab
            .stage("first", &own(""))
            .stage("edit", &script(&edit, "after = [\"first\"]"))
            .stage("then", &(own("after = [\"edit\"]") + "environment.X = \"1\"\n"));
        lab.write("bin/own", "#!/bin/sh\necho old > out.txt\n");
        make_executable(&lab.path("bin/own"));
        let told = lab.run().failure("then").message.clone();
        assert!(told.contains("changed during the run; run again"), "{told}");
        lab.run().expect("ran 2, cached 1").ran(&["first", "then"]);
        assert_eq!(lab.read("outputs/then/out.txt"), "new\n");
    }
}
