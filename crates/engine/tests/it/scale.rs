//! Very many stages give an answer, in time and memory that grow with their number.

use std::fmt::Write;

use crate::lab::Lab;

const N_STAGES: usize = 100_000;

/// A pipeline whose stages stand in one file: `concat` of the stage that `before` names.
fn inline(n_stages: usize, before: impl Fn(usize) -> Option<usize>) -> Lab {
    let names: Vec<_> = (0..n_stages).map(|i| format!("s{i}")).collect();
    let mut text = format!("name = \"many\"\nstages = {names:?}\n");
    for (i, name) in names.iter().enumerate() {
        match before(i) {
            None => writeln!(text, "[stage.{name}]\nkind = \"text\"").unwrap(),
            Some(other) => writeln!(
                text,
                "[stage.{name}]\nkind = \"concat\"\ninputs.from = [\"s{other}.out\"]"
            )
            .unwrap(),
        }
    }
    let lab = Lab::new();
    lab.write("pipeline.toml", &text);
    lab
}

#[test]
fn a_chain_of_a_hundred_thousand_stages_is_loaded_selected_and_planned() {
    let lab = inline(N_STAGES, |i| i.checked_sub(1));
    let graph = lab.load().unwrap();
    assert_eq!(graph.stages.len(), N_STAGES);
    assert!(graph.stages.iter().enumerate().all(|(i, stage)| stage.name == format!("s{i}")));
    let last = graph.named("s99999").unwrap();
    assert_eq!(graph.with_ancestors(last).len(), N_STAGES);
    let plan = lab.plan();
    assert_eq!(plan[0], "s0 run: it has no outcome yet");
    assert_eq!(plan[N_STAGES - 1], "s99999 waits for s99998");
}

#[test]
fn a_chain_behind_a_failure_is_skipped_to_its_end() {
    let mut lab = inline(20_000, |i| i.checked_sub(1));
    lab.edit("pipeline.toml", "kind = \"text\"", "kind = \"fail\"");
    lab.keep_going = true;
    let ran = lab.run().expect("failed 1, skipped 19999");
    assert_eq!(ran.cause("s19999"), "`s0` failed");
}

#[test]
fn a_chain_that_is_listed_backwards_is_put_in_order() {
    let lab = inline(N_STAGES, |i| (i + 1 < N_STAGES).then_some(i + 1));
    let graph = lab.load().unwrap();
    assert_eq!(graph.stages[0].name, "s99999");
    assert_eq!(graph.stages[N_STAGES - 1].name, "s0");
}

#[test]
fn a_circle_through_a_hundred_thousand_stages_is_told_in_a_readable_length() {
    let lab = inline(N_STAGES, |i| Some((i + N_STAGES - 1) % N_STAGES));
    let told = lab.mistakes();
    assert_eq!(told.len(), 1, "{told:?}");
    let circle = told[0].split("dependency cycle: ").nth(1).unwrap();
    let circle = circle.split(';').next().unwrap();
    let names: Vec<_> = circle.split(" -> ").collect();
    assert_eq!((names[0], names[1], names[8]), ("s0", "s1", "(99985 more)"));
    assert_eq!(names.last(), Some(&"s0"));
    assert!(circle.len() < 300, "{circle}");
}

#[test]
fn a_mistake_in_every_one_of_very_many_stages_is_told() {
    let lab = inline(20_000, |i| Some(i + 20_000));
    assert_eq!(lab.mistakes().len(), 20_000);
}

#[test]
fn a_wide_fan_in_and_what_is_laid_over_every_stage_cost_no_more() {
    let mut lab = inline(20_000, |_| None);
    let all: Vec<_> = (0..20_000).map(|i| format!("s{i}.out")).collect();
    let mut text = lab.read("pipeline.toml");
    text = text.replacen("stages = [", "stages = [\"all\", ", 1);
    write!(text, "[stage.all]\nkind = \"concat\"\ninputs.from = {all:?}\n").unwrap();
    for i in 0..20_000 {
        writeln!(text, "[profile.other.stage.s{i}]\nparams.text = \"{i}\"").unwrap();
    }
    lab.write("pipeline.toml", &text);
    lab.request.profile = Some("other".to_owned());
    let graph = lab.load().unwrap();
    let stage = graph.stages.iter().find(|stage| stage.name == "s777").unwrap();
    assert_eq!(stage.params["text"], "777");
    assert_eq!(graph.stages[20_000].inputs[0].plugs.len(), 20_000);
}

#[test]
fn a_stage_file_lies_over_what_the_pipeline_says_of_the_stage() {
    let lab = Lab::new().stage("a", "params.text = \"file\"").more(
        "[stage.a]\nkind = \"text\"\n\
        params.text = \"inline\"\n",
    );
    lab.run().expect("ran 1");
    assert_eq!(lab.read("outputs/a/out.txt"), "file");
}
