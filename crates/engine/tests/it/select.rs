//! Which stages a run is about, and what becomes of the others after a failure.

use engine::select::Wanted;

use crate::lab::Lab;

/// `load`, then `train` in two variants, then `score` of both; `side` beside them; `end` of `score`
/// and `side`.
fn lab() -> Lab {
    Lab::new()
        .stage("load", "kind = \"text\"")
        .stage(
            "train",
            "kind = \"concat\"\ninputs.from = [\"load.out\"]\nmatrix.separator = [\"a\", \"b\"]",
        )
        .stage("score", "kind = \"concat\"\ninputs.from = [\"train.out\"]")
        .stage("side", "kind = \"random\"")
        .stage("end", "kind = \"concat\"\ninputs.from = [\"score.out\"]\nafter = [\"side\"]")
}

/// The stages that are selected, after a bar the targets themselves.
fn selected(targets: &[&str], downstream: bool, until: &[&str]) -> String {
    let graph = lab().load().unwrap();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (targets, until) = (owned(targets), owned(until));
    match graph.select(&Wanted { targets: &targets, downstream, until: &until }) {
        Err(message) => message,
        Ok(selected) => {
            let names = |ids: &std::collections::BTreeSet<_>| {
                ids.iter().map(|id| graph.stage(*id).name.as_str()).collect::<Vec<_>>().join(" ")
            };
            format!("{} | {}", names(&selected.stages), names(&selected.named))
        }
    }
}

const A: &str = "train@separator=a";
const B: &str = "train@separator=b";

#[test]
fn targets_are_names_groups_and_patterns() {
    let all = format!("load {A} {B} score side end");
    assert_eq!(selected(&[], false, &[]), format!("{all} | {all}"));
    assert_eq!(selected(&["score"], false, &[]), format!("load {A} {B} score | score"));
    for target in ["train", "train@*", "tr?in", "t*", "*=?"] {
        let expected = format!("load {A} {B} | {A} {B}");
        assert_eq!(selected(&[target], false, &[]), expected, "{target}");
    }
    assert_eq!(selected(&["*=b", "side"], false, &[]), format!("load {B} side | {B} side"));
    assert_eq!(selected(&["load@*"], false, &[]), "load | load");
}

#[test]
fn every_unknown_target_is_told_with_a_suggestion() {
    assert_eq!(
        selected(&["scroe", "x*"], false, &["tarin"]),
        "no stage is named `scroe`; did you mean `score`?\n\
         no stage fits `x*`; known: end, load, score, side, train, train@separator=a, \
         train@separator=b\nno stage is named `tarin`; did you mean `train`?"
    );
    assert!(selected(&[""], false, &[]).starts_with("no stage is named ``; known: "));
}

#[test]
fn downstream_adds_what_rests_on_the_targets_with_what_that_needs() {
    let expected = format!("load {A} {B} score side end | {A}");
    assert_eq!(selected(&["*=a"], true, &[]), expected);
    assert_eq!(selected(&["side"], true, &[]), format!("load {A} {B} score side end | side"));
    assert_eq!(selected(&["end"], true, &[]), format!("load {A} {B} score side end | end"));
}

#[test]
fn until_leaves_out_what_rests_on_the_named() {
    let all = format!("load {A} {B} score side end");
    assert_eq!(selected(&[], false, &["train"]), format!("load {A} {B} side | {all}"));
    assert_eq!(selected(&[], false, &["*=a", "side"]), format!("load {A} {B} side | {all}"));
    assert_eq!(selected(&["load"], true, &["score"]), format!("load {A} {B} score | load"));
    assert_eq!(selected(&["end"], false, &["load"]), "load side | end");
}

#[test]
fn a_run_stops_at_a_failure_and_names_it() {
    let lab = Lab::new()
        .stage("bad", "kind = \"fail\"")
        .stage("good", "kind = \"text\"")
        .stage("behind", "kind = \"concat\"\ninputs.from = [\"bad.out\"]")
        .with_jobs(1);
    let ran = lab.run().expect("failed 1, skipped 2");
    assert_eq!([ran.cause("good"), ran.cause("behind")], ["`bad` failed"; 2]);
}

#[test]
fn a_run_that_keeps_going_does_all_that_does_not_rest_on_a_failure() {
    let mut lab = Lab::new()
        .stage("bad", "kind = \"fail\"")
        .stage("worse", "kind = \"panic\"")
        .stage("good", "kind = \"text\"")
        .stage("after", "kind = \"text\"\nafter = [\"bad\"]")
        .stage("both", "kind = \"concat\"\ninputs.from = [\"good.out\", \"after.out\"]")
        .stage("end", "kind = \"concat\"\ninputs.from = [\"worse.out\"]")
        .stage("fine", "kind = \"count\"\ninputs.from = \"good.out\"")
        .with_jobs(2);
    lab.keep_going = true;
    let ran = lab.run().expect("ran 2, failed 2, skipped 3").ran(&["good", "fine"]);
    assert_eq!(ran.cause("after"), "`bad` failed");
    assert_eq!(ran.cause("both"), "`bad` failed");
    assert_eq!(ran.cause("end"), "`worse` failed");
    let graph = lab.load().unwrap();
    let order: Vec<_> = graph.stages.iter().map(|stage| stage.name.clone()).collect();
    let told: Vec<_> = ran.reports.iter().map(|report| report.stage.clone()).collect();
    assert_eq!(told, order);
}

#[test]
fn a_cancelled_run_says_so() {
    let lab = lab();
    lab.cancel.store(true, std::sync::atomic::Ordering::SeqCst);
    let ran = lab.run().expect("skipped 6");
    assert_eq!([ran.cause("load"), ran.cause("end")], ["the run was cancelled"; 2]);
}
