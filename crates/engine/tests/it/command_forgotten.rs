//! Which input was forgotten: it is named, also when the program does not name it.

use crate::lab::Lab;

/// A hermetic stage whose script is an input, with `data/conf.ini` beside it that is none.
fn forgetful(script: &str) -> Lab {
    let text = "kind = \"command\"\ninputs.s = \"data.script\"\n[params]\nhermetic = true\n\
                tools = [\"cat\"]\nrun = [\"/bin/sh\", \"{s}\"]\noutputs.out = \"out.txt\"";
    let lab = Lab::new().data("script", script).stage("s", text);
    lab.write("data/conf.ini", "[section]\n");
    lab.write("top.ini", "x");
    lab
}

#[track_caller]
fn names(script: &str, path: &str) {
    let message = forgetful(script).run().expect("failed 1").failure("s").message.clone();
    let told = format!("\n`{path}` is not an input of this stage\n");
    assert!(message.contains(&told), "{message}");
}

#[test]
fn a_file_that_the_program_names_is_told() {
    names("cat data/conf.ini", "data/conf.ini");
    names("cat data/../../../top.ini", "top.ini");
}

#[test]
fn a_file_that_the_program_does_not_name_is_told() {
    names("cat data/conf.ini 2>/dev/null || exit 3", "data/conf.ini");
    names("cat data/conf.ini 2>/dev/null; echo KeyError: section >&2; exit 1", "data/conf.ini");
    names("cat ../../top.ini 2>/dev/null || exit 3", "top.ini");
}

#[test]
fn a_shell_that_does_not_find_a_program_is_told_where_to_name_it() {
    let lab = forgetful("no-such-program-at-all");
    let message = lab.run().expect("failed 1").failure("s").message.clone();
    assert!(message.starts_with("it ended with exit code 127: "), "{message}");
    assert!(message.contains("name it under `tools`"), "{message}");
}

#[test]
fn thousands_of_names_and_inputs_are_searched_in_no_time() {
    let lab =
        forgetful("i=0; while [ $i -lt 20000 ]; do echo \"'name$i'\"; i=$((i+1)); done; exit 1");
    for i in 0..2000 {
        lab.write(&format!("data/many/{i}.csv"), "x");
    }
    let lab = lab.more("many = \"data/many/*.csv\"\n");
    lab.edit(
        "stages/s.toml",
        "inputs.s = \"data.script\"",
        "inputs = { s = \"data.script\", m = \"data.many\" }",
    );
    let start = std::time::Instant::now();
    lab.run().expect("failed 1");
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}
