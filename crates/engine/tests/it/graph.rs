//! What a pipeline means: plugs, variants, order, and what is refused, with its place.

use crate::lab::Lab;

#[track_caller]
fn refuses(lab: Lab, expected: &[&str]) {
    assert_eq!(lab.mistakes(), expected);
}

fn names(lab: &Lab) -> Vec<String> {
    lab.load().unwrap().stages.iter().map(|stage| stage.name.clone()).collect()
}

#[test]
fn a_plug_of_another_type_is_refused_at_its_place() {
    let lab = Lab::diamond().stage("c", "kind = \"count\"\n\n[inputs]\nfrom = \"size.out\"");
    refuses(lab, &["stages/c.toml:4: `from` takes a text or file, and `size.out` is a number"]);
    let lab = Lab::diamond().stage("c", "kind = \"list\"\ninputs.from = \"a.out\"");
    refuses(lab, &["stages/c.toml:2: `from` takes a tree, and `a.out` is a text"]);
}

#[test]
fn an_unknown_port_stage_or_file_gets_a_suggestion() {
    let lab = Lab::diamond()
        .data("table", "x")
        .stage("p", "kind = \"count\"\ninputs.form = \"a.out\"\ninputs.from = \"a.out\"")
        .stage("q", "kind = \"count\"\ninputs.from = \"a.otu\"")
        .stage("r", "kind = \"count\"\ninputs.from = \"boht.out\"")
        .stage("s", "kind = \"count\"\ninputs.from = \"data.tabel\"")
        .stage("t", "kind = \"count\"\ninputs.from = \"a\"")
        .stage("u", "kind = \"count\"\ninputs.from = 7")
        .stage("v", "kind = \"count\"\ninputs.from = \"v.out\"");
    let expected = [
        "stages/p.toml:2: kind `count` has no input `form`; did you mean `from`?",
        "stages/q.toml:2: stage `a` has no output `otu`; it has out",
        "stages/r.toml:2: no stage is named `boht`; did you mean `both`?",
        "stages/s.toml:2: no data is named `tabel`; did you mean `table`?",
        "stages/t.toml:2: expected `STAGE.PORT` or `data.NAME`, found `a`",
        "stages/u.toml:2: expected `STAGE.PORT` or `data.NAME`",
        "stages/v.toml:2: `v.out` is its own output",
    ];
    assert_eq!(lab.mistakes(), expected);
}

#[test]
fn a_missing_input_and_one_too_many_are_refused() {
    let lab = Lab::diamond()
        .stage("p", "kind = \"count\"")
        .stage("q", "kind = \"count\"\ninputs.from = [\"a.out\", \"b.out\"]")
        .stage("r", "kind = \"concat\"\ninputs.from = []")
        .stage("s", "kind = \"count\"\ninputs.from = []");
    let needs = "it is what it counts; plug in `from = \"STAGE.PORT\"` under `[inputs]`";
    let reads = "it is what it reads; plug in `from = \"STAGE.PORT\"` under `[inputs]`";
    let expected = [
        &format!("stages/p.toml:1: stage `p` lacks the input `from`; {needs}"),
        "stages/q.toml:2: `from` takes one input, and this is 2; choose one of a.out, b.out",
        &format!("stages/r.toml:2: stage `r` lacks the input `from`; {reads}"),
        &format!("stages/s.toml:2: stage `s` lacks the input `from`; {needs}"),
    ];
    assert_eq!(lab.mistakes(), expected);
}

#[test]
fn a_cycle_is_told_in_the_direction_of_the_data() {
    let lab = Lab::new()
        .stage("a", "kind = \"concat\"\ninputs.from = [\"b.out\"]")
        .stage("b", "kind = \"concat\"\ninputs.from = [\"a.out\"]");
    let told = lab.mistakes();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("dependency cycle: a -> b -> a"), "{told:?}");
    assert!(told[0].starts_with("stages/a.toml:2: "), "{told:?}");
}

#[test]
fn a_cycle_by_after_is_a_cycle_and_what_hangs_on_it_is_no_part_of_it() {
    let lab = Lab::new()
        .stage("first", "kind = \"concat\"\ninputs.from = [\"c.out\"]")
        .stage("a", "kind = \"text\"\nafter = [\"c\"]")
        .stage("b", "kind = \"count\"\ninputs.from = \"a.out\"")
        .stage("c", "kind = \"concat\"\ninputs.from = [\"b.out\"]");
    let told = lab.mistakes();
    assert!(told[0].contains("dependency cycle: "), "{told:?}");
    assert!(told[0].contains("a -> b -> c") || told[0].contains("b -> c -> a"), "{told:?}");
    assert!(!told[0].contains("first"), "{told:?}");
}

#[test]
fn two_services_are_refused() {
    let lab = Lab::new().stage("web", "kind = \"service\"").stage("api", "kind = \"service\"");
    let expected = "pipeline.toml:3: a pipeline launches one service, and these are 2: web, api";
    refuses(lab, &[expected]);
}

#[test]
fn an_unknown_kind_or_parameter_gets_a_suggestion() {
    let lab = Lab::new()
        .stage("a", "kind = \"txet\"")
        .stage("b", "kind = \"text\"\n[params]\ntxt = \"x\"")
        .stage("c", "kind = \"count\"\ninputs.from = \"b.out\"\n[params]\nx = 10")
        .stage("d", "kind = \"rogue\"")
        .stage("e", "kind = \"band\"\nparams.min = 7")
        .stage("f", "")
        .stage("g", "kind = 1");
    let told = lab.mistakes();
    let expected = [
        "stages/a.toml:1: unknown kind `txet`; did you mean `text`?",
        "stages/b.toml:3: unknown parameter `txt` (stage `b`, kind `text`); did you mean `text`?",
        "stages/c.toml:4: `x`: expected an integer between 0 and 9, found 10 (stage `c`, kind \
         `count`)",
        "stages/d.toml:1: missing parameter `how`: which rule it breaks (stage `d`, kind `rogue`)",
        "stages/e.toml:2: `min`: expected at most `max` (stage `e`, kind `band`); swap them",
    ];
    assert_eq!(told[..5], expected);
    assert!(told[5].starts_with("stages/f.toml:1: stage `f` has no `kind`; known: "), "{told:?}");
    assert!(told[6].starts_with("stages/g.toml:1: expected the name of a kind"), "{told:?}");
}

#[test]
fn variants_times_matrix_are_named_in_the_order_written() {
    let text = "kind = \"text\"\nmatrix.text = [\"x\", \"y\"]\n[[variant]]\nname = \"q\"\n\
                [[variant]]\nname = \"p\"";
    let lab = Lab::new()
        .stage("t", text)
        .stage("all", "kind = \"concat\"\ninputs.from = [\"t.out\"]")
        .stage("some", "kind = \"concat\"\ninputs.from = [\"t@p-text=y.out\", \"t@q-text=x.out\"]");
    assert_eq!(
        names(&lab),
        ["t@q-text=x", "t@q-text=y", "t@p-text=x", "t@p-text=y", "all", "some"]
    );
    lab.run().expect("ran 4, cached 2");
    assert_eq!(lab.read("outputs/all/out.txt"), "xyxy");
    assert_eq!(lab.read("outputs/some/out.txt"), "xy");
}

#[test]
fn a_matrix_value_that_is_no_name_is_refused() {
    for value in ["\"../../up\"", "\"a/b\"", "\"\"", "\"x y\"", "[1, 2]"] {
        let lab = Lab::new().stage("t", &format!("kind = \"text\"\nmatrix.text = [{value}]"));
        let told = lab.mistakes();
        assert!(!told.is_empty(), "{value}");
        assert!(told[0].starts_with("stages/t.toml:2: "), "{told:?}");
    }
    let lab = Lab::new().stage("t", "kind = \"text\"\nmatrix.text = [\"0.5\", \"1e-3\", \"a_b\"]");
    assert_eq!(names(&lab), ["t@text=0.5", "t@text=1e-3", "t@text=a_b"]);
}

#[test]
fn a_reference_to_a_variant_with_a_dot_is_found() {
    let lab = Lab::new()
        .stage("t", "kind = \"text\"\nmatrix.text = [\"0.5\", \"0.7\"]")
        .stage("n", "kind = \"count\"\ninputs.from = \"t@text=0.7.out\"");
    lab.run().expect("ran 3");
}

#[test]
fn variants_of_the_same_name_are_refused() {
    let lab = Lab::new().stage("t", "kind = \"text\"\nmatrix.text = [\"x\", \"x\"]");
    assert!(lab.mistakes()[0].contains("two variants of `t` are named `text=x`"));
}

#[test]
fn a_stage_comes_after_another_without_reading_it() {
    let lab = Lab::new()
        .stage("late", "kind = \"text\"\nafter = [\"early\"]")
        .stage("early", "kind = \"text\"\nparams.text = \"e\"");
    assert_eq!(names(&lab), ["early", "late"]);
    lab.run().expect("ran 2");
    lab.edit("stages/early.toml", "\"e\"", "\"f\"");
    lab.run().ran(&["early"]);
    lab.edit("stages/late.toml", "\"early\"", "\"erly\"");
    let expected = "stages/late.toml:2: no stage is named `erly`; did you mean `early`?";
    assert_eq!(lab.mistakes(), [expected]);
}

#[test]
fn targets_are_stages_groups_or_an_error_with_a_suggestion() {
    let lab = Lab::diamond().stage("t", "kind = \"text\"\nmatrix.text = [\"x\", \"y\"]");
    let graph = lab.load().unwrap();
    for (name, n_stages) in [("a", 1), ("t", 2), ("t@*", 2), ("t@text=x", 1)] {
        assert_eq!(graph.named(name).unwrap().len(), n_stages, "{name}");
    }
    assert_eq!(graph.named("bth").unwrap_err(), "no stage is named `bth`; did you mean `both`?");
    assert!(graph.named("").unwrap_err().contains("known: a, b, both"));
}

#[test]
fn outputs_stay_in_their_directory_and_out_of_each_others_way() {
    let places = |paths: &str| {
        Lab::new().stage("p", &format!("kind = \"places\"\nparams.paths = [{paths}]"))
    };
    for path in ["../up", "/etc/x", "a/../../b", "", "./a"] {
        let told = places(&format!("{path:?}")).mistakes();
        let expected =
            format!("stages/p.toml:1: output `{path}` leaves the directory of its stage");
        assert_eq!(told, [expected]);
    }
    for paths in ["\"a\", \"a\"", "\"a\", \"a/b\"", "\"a/b\", \"a\""] {
        let told = places(paths).mistakes();
        assert!(told[0].ends_with(" are in each other's way"), "{told:?}");
    }
    let lab = places("\"a\", \"ab\", \"c/a\"");
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/p/c/a"), "c/a");
    lab.verify_clean();
}
