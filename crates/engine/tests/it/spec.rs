//! The pipeline as written: layers, origins, and mistakes with their places.

use std::fs;

use engine::error::Diagnostic;
use engine::spec::{Request, Spec};
use serde_json::json;

use crate::lab::Lab;

fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Request) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("stages")).unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let request = Request { root: dir.path().to_owned(), ..Request::default() };
    (dir, request)
}

#[track_caller]
fn mistakes(files: &[(&str, &str)], adjust: impl FnOnce(&mut Request)) -> Vec<String> {
    let (_dir, mut request) = project(files);
    adjust(&mut request);
    let (spec, diagnostics) = Spec::read(&request);
    let tell = |diagnostic: &Diagnostic| {
        let place = diagnostic.place.as_ref().map(|place| spec.sources.locate(place));
        let hints = diagnostic.hints.join("; ");
        format!("{}: {} ({hints})", place.unwrap_or_default(), diagnostic.message)
    };
    diagnostics.iter().map(tell).collect()
}

const PIPELINE: &str = "name = \"p\"\nstages = [\"a\"]\n[profile.quick]\nseed = 9\n";

#[test]
fn layers_win_in_their_order() {
    let stage = "kind = \"text\"\nparams = { x = 1 }\n[[variant]]\nname = \"v\"\n";
    let (_dir, mut request) = project(&[("pipeline.toml", PIPELINE), ("stages/a.toml", stage)]);
    let merged = |request: &Request| {
        let (spec, diagnostics) = Spec::read(request);
        assert_eq!(diagnostics, []);
        spec.merged.plain()
    };
    assert_eq!(merged(&request)["seed"], json!(0));
    request.profile = Some("quick".to_owned());
    assert_eq!(merged(&request)["seed"], json!(9));
    request.environment = vec![("PIPELINE_SET__seed".to_owned(), "10".to_owned())];
    assert_eq!(merged(&request)["seed"], json!(10));
    request.set = vec!["seed=11".to_owned(), "a.x=2".to_owned(), "a@v.y=b".to_owned()];
    let all = merged(&request);
    assert_eq!(all["seed"], json!(11));
    assert_eq!(all["stage"]["a"]["params"]["x"], json!(2));
    assert_eq!(all["stage"]["a"]["variant"]["v"]["params"]["y"], json!("b"));
}

#[test]
fn every_value_tells_its_origin() {
    let (_dir, mut request) =
        project(&[("pipeline.toml", PIPELINE), ("stages/a.toml", "\nkind = \"text\"")]);
    request.set = vec!["seed=3".to_owned()];
    let resolved = Spec::read(&request).0.resolved();
    let told: Vec<_> =
        resolved.iter().map(|value| (value.path.as_str(), value.origin.as_str())).collect();
    let expected = [
        ("name", "pipeline.toml:1"),
        ("seed", "--set seed=3"),
        ("stage.a.kind", "stages/a.toml:2"),
        ("stages", "pipeline.toml:2"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn mistakes_in_several_files_are_told_together() {
    let pipeline = "stages = [\"a\", \"b\", \"a\"]\nsede = 1\n";
    let files = [
        ("pipeline.toml", pipeline),
        ("stages/a.toml", "kind = \"text\"\nparms = {}\n"),
        ("stages/c.toml", "kind = \"text\"\n"),
    ];
    let told = mistakes(&files, |_| {});
    assert_eq!(
        told,
        [
            "pipeline.toml:1: stage `a` is listed twice ()",
            "pipeline.toml:1: stage `b` has no file `stages/b.toml` (write that file, or take \
             the stage out of the list)",
            "stages/c.toml:1: no pipeline lists the stage `c` (add \"c\" to `stages` in \
             pipeline.toml, or remove the file)",
            "pipeline.toml:2: unknown key `sede` (did you mean `seed`?)",
            "stages/a.toml:2: unknown key `parms` (did you mean `params`?)",
        ]
    );
}

#[test]
fn a_wrong_profile_or_argument_gets_a_suggestion() {
    let files = [("pipeline.toml", PIPELINE), ("stages/a.toml", "kind = \"text\"")];
    let told = mistakes(&files, |request| {
        request.profile = Some("quik".to_owned());
        request.set = vec!["nothing".to_owned(), "tarin.x=1".to_owned()];
    });
    assert_eq!(told[0], ": unknown profile `quik` (did you mean `quick`?)");
    assert!(told[1].starts_with("--set:1: expected `path=value`"), "{}", told[1]);
    assert!(told[2].starts_with("--set:1: `tarin.x` names no stage"), "{}", told[2]);
}

#[test]
fn a_directory_without_a_pipeline_says_how_to_make_one() {
    let told = mistakes(&[], |_| {});
    let expected =
        ": `pipeline.toml` does not exist (`pipeline init` makes a project from a CSV file)";
    assert_eq!(told[0], expected);
}

#[test]
fn variants_need_names_and_no_name_twice() {
    let stage = "kind = \"t\"\n[[variant]]\n[[variant]]\nname = \"v\"\n[[variant]]\nname = \"v\"";
    let told = mistakes(&[("pipeline.toml", PIPELINE), ("stages/a.toml", stage)], |_| {});
    assert_eq!(
        told,
        [
            "stages/a.toml:2: a variant needs a `name` ()",
            "stages/a.toml:6: variant `v` is given twice ()",
        ]
    );
}

#[test]
fn the_list_of_stages_is_only_written_in_the_pipeline() {
    let mut lab = Lab::diamond().more("[profile.short]\nstages = [\"a\"]\nseed = 3\n");
    lab.request.profile = Some("short".to_owned());
    let told = "pipeline.toml:5: `stages` cannot be part of a profile; choose targets instead";
    assert_eq!(lab.mistakes(), [told]);
    lab.request.profile = None;
    lab.request.set = vec!["stages=[\"a\", \"x\"]".to_owned()];
    let told = lab.mistakes().join("\n");
    assert!(told.contains("--set:1: `stages` can only be written in pipeline.toml"), "{told}");
}

#[test]
fn a_value_for_one_run_makes_no_new_variant() {
    let text = "kind = \"text\"\n[[variant]]\nname = \"forest\"\nparams.text = \"a\"";
    let mut lab = Lab::new().stage("t", text);
    lab.request.set = vec!["t@forrest.text=b".to_owned()];
    let told = "--set:1: stage `t` has no variant `forrest`; did you mean `forest`?";
    assert_eq!(lab.mistakes(), [told]);
    lab.request.set = vec!["t@forest.text=b".to_owned()];
    lab.run();
    assert_eq!(lab.read("outputs/t@forest/out.txt"), "b");
}

#[test]
fn a_set_value_reaches_the_stage_and_its_mistakes_are_told_at_the_argument() {
    let mut lab = Lab::diamond();
    lab.request.set = vec!["a.text=uno".to_owned()];
    lab.run();
    assert_eq!(lab.read("outputs/both/out.txt"), "unotwo");
    lab.request.set = vec!["size.x=99".to_owned(), "a.text=1".to_owned()];
    let told = lab.mistakes();
    assert!(told[0].starts_with("--set:1: `x`: expected an integer between 0 and 9"), "{told:?}");
    assert!(told[1].starts_with("--set:1: `text`: expected a text, found 1"), "{told:?}");
}

#[test]
fn a_default_reaches_every_stage_that_knows_it_and_a_wrong_one_is_told() {
    let lab = Lab::new()
        .stage("a", "kind = \"text\"")
        .stage("b", "kind = \"text\"\nparams.text = \"own\"")
        .more("[defaults]\ntext = \"all\"\n");
    lab.run();
    assert_eq!(
        (lab.read("outputs/a/out.txt"), lab.read("outputs/b/out.txt")),
        ("all".into(), "own".into())
    );
    let lab = lab.more("txet = 1\n");
    assert_eq!(
        lab.mistakes(),
        ["pipeline.toml:6: no kind has a parameter `txet`; did you mean `text`?"]
    );
}

#[test]
fn wrong_shapes_are_told_and_never_stop_the_rest() {
    let text = "kind = \"fail\"\nparams = 1\ninputs = \"x\"\nafter = 1\nseed = -1\nvariant = 3\n\
                matrix = [1]";
    let lab = Lab::new().stage("a", text);
    let lab = lab.more("data = [1]\ndefaults = 2\nprofile = 3\n");
    let expected = [
        "pipeline.toml:4: `data` must be a table",
        "pipeline.toml:5: `defaults` must be a table",
        "pipeline.toml:6: `profile` must be a table",
        "stages/a.toml:2: `params` must be a table",
        "stages/a.toml:3: `inputs` must be a table",
        "stages/a.toml:4: `after` must be a list of stages",
        "stages/a.toml:5: expected a seed: an integer of at least 0",
        "stages/a.toml:6: `variant` must be a list of tables",
        "stages/a.toml:7: `matrix` must be a table",
    ];
    assert_eq!(lab.mistakes(), expected);
    let lab = Lab::new().stage("a", "kind = \"fail\"\nafter = 1");
    assert_eq!(lab.mistakes(), ["stages/a.toml:2: `after` must be a list of stages"]);
}

#[test]
fn a_file_that_is_no_text_is_told() {
    let lab = Lab::diamond();
    fs::write(lab.path("stages/a.toml"), [0xff, 0xfe]).unwrap();
    assert!(lab.mistakes().contains(&"`stages/a.toml` is not UTF-8 text".to_owned()));
    fs::write(lab.path("pipeline.toml"), [0xff, 0xfe]).unwrap();
    assert!(lab.mistakes()[0].starts_with("`pipeline.toml` is not UTF-8 text"));
}

#[test]
fn hostile_nesting_is_an_error_and_no_crash() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let deep = format!("a = {}1{}", open.repeat(50_000), close.repeat(50_000));
        let lab = Lab::diamond();
        lab.write("stages/a.toml", &deep);
        assert!(!lab.mistakes().is_empty());
    }
    let lab = Lab::diamond();
    lab.write("stages/a.toml", &format!("{}x = 1", "a.".repeat(50_000)));
    assert!(!lab.mistakes().is_empty());
}
