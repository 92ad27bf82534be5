//! Programs as stages: what they are given, what is in their recipe, what is taken from them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::lab::Lab;

/// A stage with a script and one output, `out`.
fn script(text: &str, more: &str) -> String {
    format!("kind = \"command\"\n{more}\n[params]\nshell = '''{text}'''\noutputs.out = \"out.txt\"")
}

/// A lab with one stage `s`.
fn lab(text: &str) -> Lab {
    Lab::new().stage("s", &script(text, ""))
}

#[test]
fn a_program_reads_its_inputs_and_its_outputs_feed_others() {
    let run = "kind = \"command\"\ninputs = { from = \"s.out\", more = \"data.d\" }\n[params]\n\
               run = [\"cp\", \"{from}\", \"{copy}\"]\noutputs.copy = \"deep/copy.txt\"";
    let lab = lab("echo one > {out}").data("d", "x").stage("t", run);
    let lab = lab.stage("n", "kind = \"count\"\ninputs.from = \"t.copy\"");
    lab.run().expect("ran 3");
    assert_eq!(lab.read("outputs/t/deep/copy.txt"), "one\n");
    assert_eq!(lab.read("outputs/n/n/count.txt"), "4");
    lab.run().expect("cached 3");
    lab.verify_clean();
}

#[test]
fn the_environment_is_what_is_declared_and_nothing_else() {
    let mut lab = lab("env | cut -d= -f1 | sort > out.txt; echo $TOLD-$FROM >> out.txt");
    lab.edit(
        "stages/s.toml",
        "[params]",
        "[params]\nenvironment.TOLD = \"1\"\npass = [\"FROM\"]\n\
              tools = [\"env\", \"cut\", \"sort\"]",
    );
    lab.request.environment.push(("FROM".to_owned(), "caller".to_owned()));
    lab.request.environment.push(("SECRET".to_owned(), "x".to_owned()));
    lab.run().expect("ran 1");
    let text = lab.read("outputs/s/out.txt");
    let names: Vec<_> = text.lines().filter(|name| *name != "_").collect();
    assert_eq!(names, ["FROM", "HOME", "PATH", "PWD", "TMPDIR", "TOLD", "1-caller"]);
}

#[test]
fn a_changed_variable_is_another_recipe_and_is_named() {
    let mut lab = lab("echo x > out.txt");
    lab.edit("stages/s.toml", "[params]", "[params]\nenvironment.N = \"1\"\npass = [\"CALLER\"]");
    lab.run().expect("ran 1");
    lab.edit("stages/s.toml", "N = \"1\"", "N = \"2\"");
    assert_eq!(lab.run().reason("s"), "environment.N: 1 -> 2");
    lab.request.environment.push(("CALLER".to_owned(), "x".to_owned()));
    assert_eq!(lab.run().reason("s"), "environment.CALLER: null -> x");
    lab.request.environment.push(("OTHER".to_owned(), "x".to_owned()));
    lab.run().expect("cached 1");
}

#[test]
fn the_working_directory_holds_the_inputs_and_nothing_else() {
    let inputs = "[inputs]\nd = \"data.d\"\none = \"a.out\"\nmany = [\"a.out\", \"b.out\"]\n\
                  two = [\"tree.out\"]";
    let list = "cat {one} {many} >&2; find . -type f ! -name out.txt | sort > out.txt";
    let lab = Lab::diamond().data("d", "x").data("other", "y");
    let lab = lab.stage("tree", "kind = \"tree\"\nparams.text = \"yx\"");
    let lab = lab.stage("s", &script(list, inputs));
    lab.run().expect("ran 6");
    let expected = "./data/d.txt\n./inputs/many/a.txt\n./inputs/many/b.txt\n./inputs/one.txt\n\
                    ./inputs/two/tree/x/leaf\n./inputs/two/tree/y/leaf\n";
    assert_eq!(lab.read("outputs/s/out.txt"), expected);
}

#[test]
fn data_from_elsewhere_stand_under_the_name_of_their_port() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("far.csv"), "x").unwrap();
    let data = format!("[data]\nfar = \"{}\"\n", elsewhere.path().join("far.csv").display());
    let lab =
        Lab::new().more(&data).stage("s", &script("echo {f} > {out}", "inputs.f = \"data.far\""));
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "inputs/f/far.csv\n");
}

#[test]
fn the_place_of_an_input_is_in_the_recipe() {
    let lab =
        Lab::new().data("d", "x").stage("s", &script("cat {f} > {out}", "inputs.f = \"data.d\""));
    lab.run().expect("ran 1");
    lab.write("data/e.txt", "x");
    lab.edit("pipeline.toml", "data/d.txt", "data/e.txt");
    assert_eq!(lab.run().reason("s"), "inputs.f.path: data/d.txt -> data/e.txt");
}

#[test]
fn what_a_program_writes_to_its_inputs_reaches_nobody() {
    let text = "chmod u+w {f} {g}; echo y >> {f}; echo y >> {g}; cat {f} {g} > {out}";
    let inputs = "inputs = { f = \"data.d\", g = \"a.out\" }";
    let lab = Lab::diamond().data("d", "x").stage("s", &script(text, inputs));
    lab.run().expect("ran 5");
    assert_eq!(lab.read("data/d.txt"), "x");
    lab.verify_clean();
    lab.run().expect("cached 5");
}

#[test]
fn directories_and_patterns_can_be_outputs() {
    let text = "kind = \"command\"\n[params]\noutputs = { plots = \"plots/\", \
                parts = { path = \"parts/**/*.csv\", type = \"tree\" } }\n\
                shell = 'touch {plots}/b {plots}/a; mkdir {parts}/x; \
                echo 1 > {parts}/x/1.csv; echo 2 > {parts}/2.csv; touch {parts}/no.txt'";
    let reads = script(
        "find {p} {q} -type f | sort > {out}",
        "inputs = { p = \"s.plots\", q = \"s.parts\" }",
    );
    let lab = Lab::new().stage("s", text).stage("t", &reads);
    lab.run().expect("ran 2");
    let files = lab.project().runs.find("@").unwrap().run.stages.remove(0).files;
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["parts/2.csv", "parts/x/1.csv", "plots/a", "plots/b"]);
    let found = "inputs/p/a\ninputs/p/b\ninputs/q/2.csv\ninputs/q/x/1.csv\n";
    assert_eq!(lab.read("outputs/t/out.txt"), found);
}

#[test]
fn the_extension_of_a_programs_output_is_in_the_recipe_of_its_readers() {
    let lab = lab("echo 1 > {out}").stage("n", "kind = \"count\"\ninputs.from = \"s.out\"");
    lab.run().expect("ran 2");
    lab.edit("stages/s.toml", "out.txt", "out.csv");
    assert_eq!(lab.run().reason("n"), "inputs.from.extension: txt -> csv");
}

#[test]
fn a_fan_in_is_one_argument_for_each() {
    let run = "kind = \"command\"\ninputs.all = \"v.out\"\n[params]\nshell = 'echo {all} > {out}'\n\
               outputs.out = \"out.txt\"";
    let lab =
        Lab::new().stage("v", "kind = \"text\"\nmatrix.text = [\"p\", \"q\"]").stage("s", run);
    lab.run().expect("ran 3");
    assert_eq!(lab.read("outputs/s/out.txt"), "inputs/all/text=p.txt inputs/all/text=q.txt\n");
}

#[test]
fn two_outputs_of_one_stage_are_told_apart_in_a_fan_in() {
    let two = "kind = \"places\"\nparams.paths = [\"a.x\", \"b.x\"]";
    let lab = Lab::new().stage("p", two);
    let lab = lab.stage("t", "kind = \"places\"\nparams.paths = [\"c\"]");
    let reads = script("ls {all} > {out}", "inputs.all = [\"p.a\", \"t.c\"]");
    lab.edit("stages/p.toml", "\"a.x\", \"b.x\"", "\"a\", \"b\"");
    lab.edit("stages/t.toml", "[\"c\"]", "[\"c\", \"d\"]");
    let lab = lab
        .stage("s", &reads)
        .stage("u", &script("ls {all} > {out}", "inputs.all = [\"t.c\", \"t.d\"]"));
    lab.run().expect("ran 4");
    assert_eq!(lab.read("outputs/s/out.txt"), "inputs/all/p\ninputs/all/t\n");
    assert_eq!(lab.read("outputs/u/out.txt"), "inputs/all/t.c\ninputs/all/t.d\n");
}

#[test]
fn mistakes_in_words_are_told_at_their_place() {
    let text = "kind = \"command\"\ninputs.train = \"data.d\"\n[params]\noutputs.m = \"m\"\n\
                run = [\"fit\", \"{trian}\", \"{m\"]";
    let lab = Lab::new().data("d", "x").stage("s", text);
    let of = "(stage `s`, kind `command`)";
    let expected = [
        format!(
            "stages/s.toml:5: `{{trian}}` is none of its inputs and outputs {of}; did you mean `train`?"
        ),
        format!("stages/s.toml:5: a brace is not closed in `{{m` {of}; `{{{{` is a brace"),
    ];
    assert_eq!(lab.mistakes(), expected);
}

#[test]
fn mistakes_in_parameters_are_told() {
    let told = |params: &str| {
        let lab = Lab::new().stage("s", &format!("kind = \"command\"\n[params]\n{params}"));
        let told = lab.mistakes();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].clone()
    };
    let out = "outputs.o = \"o\"";
    assert!(told(out).contains("expected `run` or `shell`"));
    assert!(told(&format!("run = [\"a\"]\nshell = \"a\"\n{out}")).contains("found both"));
    assert!(told(&format!("run = []\n{out}")).contains("expected a program"));
    assert!(told("shell = \"a\"\noutputs = {}").contains("at least one output"));
    assert!(told("shell = \"a\"").contains("missing parameter `outputs`"));
    assert!(told("shell = \"a\"\noutputs.o = \"*.csv\"").contains("no directory of its own"));
    let away = told("shell = \"a\"\noutputs.o = \"../x\"");
    assert!(away.starts_with("stages/s.toml:4: `o`: output `../x` leaves the"), "{away}");
    let both = told("shell = \"a\"\noutputs.a = \"x/\"\noutputs.b = \"x/y\"");
    assert!(both.starts_with("stages/s.toml:5: `b`: outputs `x` and `x/y` are in each"), "{both}");
    let both = "environment.A = \"1\"\npass = [\"A\"]";
    assert!(told(&format!("shell = \"a\"\n{out}\n{both}")).contains("`A` has a value"));
}

#[test]
fn an_output_cannot_stand_where_an_input_does() {
    let lab = Lab::new().data("out", "x");
    let text = script("true", "inputs.f = \"data.out\"").replace("out.txt", "data/");
    let lab = lab.stage("s", &text);
    let told = lab.run().failure("s").message.clone();
    assert_eq!(told, "its output `data/` stands where its input `data/out.txt` does");
}

#[test]
fn how_a_stage_is_run_is_not_in_its_key() {
    let lab = lab("echo x > out.txt");
    lab.run().expect("ran 1");
    let mut graph = lab.load().unwrap();
    graph.stages[0].control.timeout = Some(std::time::Duration::from_secs(60));
    graph.stages[0].control.retries = 3;
    lab.run_graph(graph).expect("cached 1");
}

#[test]
fn kinds_without_programs_take_no_inputs_of_other_names() {
    let lab = lab("echo x > out.txt")
        .stage("n", "kind = \"count\"\ninputs = { from = \"s.out\", x = \"s.out\" }");
    assert_eq!(lab.mistakes(), ["stages/n.toml:2: kind `count` has no input `x`"]);
}

/// Large enough that its copy costs something.
const LARGE_BYTES: u64 = 64 << 20;

#[test]
fn what_a_program_writes_to_a_large_file_reaches_nobody_even_when_it_fails() {
    let text = "chmod u+w {f} {g}; echo CORRUPT >> {f}; echo CORRUPT >> {g}; exit 1";
    let inputs = "inputs = { f = \"data.d\", g = \"large.out\" }";
    let large = script(&format!("truncate -s {LARGE_BYTES} {{out}}"), "");
    let lab = Lab::new().data("d", "x").stage("large", &large);
    let lab = lab.stage("s", &script(text, inputs));
    fs::File::create(lab.path("data/d.txt")).unwrap().set_len(LARGE_BYTES).unwrap();
    lab.run().expect("ran 1, failed 1");
    assert_eq!(fs::metadata(lab.path("data/d.txt")).unwrap().len(), LARGE_BYTES);
    lab.edit("stages/s.toml", "exit 1", "wc -c < {f} > {out}");
    lab.run().expect("ran 1, cached 1");
    assert_eq!(fs::metadata(lab.path("data/d.txt")).unwrap().len(), LARGE_BYTES);
    lab.verify_clean();
}

#[test]
fn a_program_that_a_stage_made_can_be_run() {
    let make = "printf '#!/bin/sh\necho made > $1\n' > {out}";
    let lab = Lab::new().stage("make", &script(make, ""));
    let run = "kind = \"command\"\ninputs.p = \"make.out\"\n[params]\noutputs.o = \"o\"\n\
               run = [\"{p}\", \"{o}\"]";
    let lab = lab.stage("run", run);
    let lab = lab.stage("call", &script("./{p} {out}", "inputs.p = \"make.out\""));
    lab.run().expect("ran 3");
    assert_eq!((lab.read("outputs/run/o"), lab.read("outputs/call/out.txt")).0, "made\n");
}

#[test]
fn whether_a_script_of_the_project_may_be_run_there_has_no_say() {
    let lab = Lab::new().data("d", "#!/bin/sh\necho made > out.txt\n");
    let lab = lab.stage("s", &script("./{p}", "inputs.p = \"data.d\""));
    lab.run().expect("ran 1");
    fs::set_permissions(lab.path("data/d.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    lab.force(&["s"]).expect("ran 1");
}

#[test]
fn a_script_may_name_thousands_of_inputs() {
    let lab = Lab::new();
    for i in 0..6000 {
        lab.write(&format!("data/many/a-name-that-is-long-{i}.csv"), "x");
    }
    let lab = lab.more("[data]\nmany = \"data/many/*.csv\"\n");
    let text = "n=0; for f in {m}; do n=$((n+1)); done; echo $0 $n > {out}";
    let lab = lab.stage("s", &script(text, "inputs.m = \"data.many\""));
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/s/out.txt"), "/bin/sh 6000\n");
    lab.edit("stages/s.toml", "[params]", "[params]\nhermetic = true");
    lab.run().expect("ran 1");
}

#[test]
fn what_stages_write_is_neither_data_nor_a_tool() {
    let text = "kind = \"command\"\ninputs.d = \"data.d\"\n[params]\nshell = \"x\"\n\
                outputs.o = \"o\"\ntools = [\"sleep\", \".\", \"outputs/make/tool\"]\n";
    let lab = Lab::new().more("[data]\nd = \"*/*/part.csv\"\n").stage("s", text);
    let told = lab.mistakes();
    assert_eq!(told.len(), 3, "{told:?}");
    let expected = "pipeline.toml:5: `*/*/part.csv` finds what stages write in `outputs`, too; an \
                    output of a stage is plugged in as `STAGE.PORT`";
    assert!(told[0].starts_with(expected), "{told:?}");
    assert!(
        told[1].starts_with("stages/s.toml:6: `.` is the project with its `outputs`"),
        "{told:?}"
    );
    assert!(told[2].starts_with("stages/s.toml:6: `outputs/make/tool` is what stages"), "{told:?}");
}

#[test]
fn a_word_with_a_nul_is_a_mistake() {
    let text = "kind = \"command\"\n[params]\nrun = [\"a\", \"b\\u0000\"]\noutputs.o = \"o\"\n\
                environment.A = \"\\u0000\"";
    let told = Lab::new().stage("s", text).mistakes();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("stages/s.toml:3: no program can be given a text with a NUL"));
}
