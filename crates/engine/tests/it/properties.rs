//! What holds for any graph and any text, not only for those somebody thought of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use engine::canonical;
use engine::error::Sources;
use engine::lock::Lock;
use engine::node::Node;
use engine::recipe::Recipe;
use engine::schedule::{Cause, Status};
use engine::select::Wanted;
use engine::sweep::points;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::gate;
use crate::lab::Lab;
use crate::process::files_below;
use crate::ran::Ran;

/// Nothing is written beside the sources when a case fails: the case is printed.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Per stage: its kind, a small parameter, and which of the stages before it it reads.
type Plan = Vec<(u8, u8, Vec<prop::sample::Index>)>;

fn plan() -> impl Strategy<Value = Plan> {
    vec((0u8..6, 0u8..3, vec(any::<prop::sample::Index>(), 0..3)), 1..9)
}

fn lab(plan: &Plan) -> Lab {
    let mut lab = Lab::new();
    for (i, (kind, param, reads)) in plan.iter().enumerate() {
        let reads = if i == 0 { &[][..] } else { reads };
        let inputs: Vec<_> = reads.iter().map(|read| format!("s{}.out", read.index(i))).collect();
        let text = match (kind, inputs.first()) {
            (0, Some(first)) => format!("kind = \"lineage\"\ninputs.from = {first:?}"),
            (1..4, Some(_)) => {
                format!(
                    "kind = \"concat\"\nparams.separator = \"{param}\"\ninputs.from = {inputs:?}"
                )
            }
            (4, _) => format!("kind = \"random\"\nparams.text = \"{param}\""),
            _ => format!("kind = \"text\"\nparams.text = \"{param}\""),
        };
        lab = lab.stage(&format!("s{i}"), &text);
    }
    lab
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn any_graph_gives_the_same_run_for_any_number_of_jobs(plan in plan(), jobs in 2usize..9) {
        let (one, other) = (lab(&plan).with_jobs(1), lab(&plan).with_jobs(jobs));
        let (first, second) = (one.run().run, other.run().run);
        prop_assert_eq!(first.stages.len(), plan.len());
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(one.read("pipeline.lock"), other.read("pipeline.lock"));
        // And the second run of each does nothing.
        let again = one.run();
        prop_assert!(again.started.is_empty());
        prop_assert_eq!(&again.run, &first);
    }
}

/// The same graph with stages that end when they are let go. No two have the same recipe, and one
/// of them may fail.
fn gated(plan: &Plan, failing: Option<usize>) -> Lab {
    let mut lab = Lab::new();
    for (i, (_, _, reads)) in plan.iter().enumerate() {
        let reads = if i == 0 { &[][..] } else { reads };
        let inputs: BTreeSet<_> =
            reads.iter().map(|r| format!("gated{}.out", r.index(i))).collect();
        let params = format!("params.name = \"gated{i}\"\nparams.fails = {}", failing == Some(i));
        let inputs: Vec<_> = inputs.into_iter().collect();
        let kind = match inputs.is_empty() {
            true => format!("kind = \"gated\"\n{params}"),
            false => format!("kind = \"gated_too\"\n{params}\ninputs.from = {inputs:?}"),
        };
        lab = lab.stage(&format!("gated{i}"), &kind);
    }
    lab.keep_going = true;
    lab
}

/// What a run leaves, except for when it was.
fn left(lab: &Lab) -> BTreeMap<String, Vec<u8>> {
    let outputs = lab.path("outputs");
    let is_timeless = |path: &PathBuf| {
        let memories = ["store/stat", "store/locks"];
        !path.ends_with("observed.json") && !memories.iter().any(|part| path.starts_with(part))
    };
    let files = files_below(&outputs).into_iter().filter(is_timeless);
    // The name of a record begins with its time and ends with an id of its own.
    let name = |path: &PathBuf| match path.strip_prefix("runs") {
        Ok(rest) if rest.components().count() > 1 => "runs/RUN/run.json".to_owned(),
        _ => path.display().to_string(),
    };
    let mut left: BTreeMap<_, _> =
        files.map(|path| (name(&path), std::fs::read(outputs.join(path)).unwrap())).collect();
    left.insert("pipeline.lock".to_owned(), lab.read("pipeline.lock").into_bytes());
    left
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_number_of_jobs_and_any_order_of_ends_give_the_same_record(
        plan in plan(),
        failing in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        jobs in 2usize..9,
        draws in vec(any::<u32>(), 9),
    ) {
        let failing = failing.map(|index| index.index(plan.len()));
        let by_draw = |lab: &Lab, jobs: usize, draws: &[u32]| {
            let mut turns: Vec<_> = (0..plan.len()).collect();
            turns.sort_by_key(|i| draws[*i]);
            let mut turn_of = vec![0; plan.len()];
            turns.iter().enumerate().for_each(|(turn, i)| turn_of[*i] = turn);
            let gate = gate::set(&lab.load().unwrap(), jobs, &turn_of);
            (lab.run(), gate.ends())
        };
        let one = gated(&plan, failing).with_jobs(1);
        let other = gated(&plan, failing).with_jobs(jobs);
        let (first, _) = by_draw(&one, 1, &[0; 9]);
        let (second, ends) = by_draw(&other, jobs, &draws);
        prop_assert_eq!(ends.len(), plan.len());
        prop_assert_eq!(&first.run, &second.run);
        let told = |ran: &Ran| -> Vec<_> {
            ran.reports.iter().map(|r| format!("{} {:?}", r.stage, r.status)).collect()
        };
        prop_assert_eq!(told(&first), told(&second));
        prop_assert_eq!(left(&one), left(&other));
        // With a job for each, a stage that waits for nothing ends when its turn is.
        if failing.is_none() && jobs >= plan.len() && plan.iter().all(|(_, _, r)| r.is_empty()) {
            let mut drawn: Vec<_> = (0..plan.len()).collect();
            drawn.sort_by_key(|i| draws[*i]);
            let drawn: Vec<_> = drawn.iter().map(|i| format!("gated{i}")).collect();
            prop_assert_eq!(ends, drawn);
        }
    }
}

#[test]
fn stages_behind_a_gate_end_in_the_order_that_was_drawn() {
    let plan = vec![(0, 0, vec![]); 5];
    for turns in [[4, 3, 2, 1, 0], [2, 0, 3, 1, 4]] {
        let lab = gated(&plan, None).with_jobs(5);
        let gate = gate::set(&lab.load().unwrap(), 5, &turns);
        lab.run().expect("ran 5");
        let mut drawn: Vec<_> = (0..5).map(|i| (turns[i], format!("gated{i}"))).collect();
        drawn.sort();
        assert_eq!(gate.ends(), drawn.into_iter().map(|(_, name)| name).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn whatever_is_selected_has_all_that_it_rests_on(
        plan in plan(),
        targets in vec(any::<prop::sample::Index>(), 0..3),
        until in vec(any::<prop::sample::Index>(), 0..2),
        downstream in any::<bool>(),
    ) {
        let graph = lab(&plan).load().unwrap();
        let name = |index: &prop::sample::Index| format!("s{}", index.index(plan.len()));
        let (targets, until): (Vec<_>, Vec<_>) =
            (targets.iter().map(name).collect(), until.iter().map(name).collect());
        let wanted = Wanted { targets: &targets, downstream, until: &until };
        let selected = graph.select(&wanted).unwrap();
        for id in &selected.stages {
            prop_assert!(graph.stage(*id).needs().is_subset(&selected.stages));
        }
        let stop = graph.behind(&graph.targets(&until).unwrap());
        prop_assert!(selected.stages.is_disjoint(&stop));
        let kept: BTreeSet<_> = selected.named.difference(&stop).copied().collect();
        prop_assert!(kept.is_subset(&selected.stages));
    }

    #[test]
    fn what_fails_takes_down_what_rests_on_it_and_nothing_else(
        plan in plan(),
        failing in any::<prop::sample::Index>(),
        jobs in 1usize..5,
    ) {
        let name = format!("s{}", failing.index(plan.len()));
        let mut lab = lab(&plan).with_jobs(jobs);
        let text = lab.read(&format!("stages/{name}.toml"));
        let inputs: Vec<_> = text.lines().filter(|line| line.starts_with("inputs")).collect();
        let inputs = inputs.iter().all(|line| !line.contains(", ")).then(|| inputs.join("\n"));
        let inputs = inputs.unwrap_or_default().replace(['[', ']'], "");
        lab = lab.stage(&name, &format!("kind = \"fail\"\n{inputs}"));
        lab.keep_going = true;
        let ran = lab.run();
        let graph = lab.load().unwrap();
        let lost = graph.behind(&graph.targets(&[&name]).unwrap());
        for report in &ran.reports {
            match &report.status {
                Status::Failed(_) => prop_assert_eq!(&report.stage, &name),
                Status::Skipped(cause) => {
                    prop_assert!(lost.contains(&report.id));
                    prop_assert_eq!(cause, &Cause::Failed(name.clone()));
                }
                Status::Ran(..) | Status::Cached(_) => prop_assert!(!lost.contains(&report.id)),
            }
        }
        prop_assert_eq!(ran.reports.len(), plan.len());
    }
}

/// Text that is nearly TOML or JSON, so that it gets past the first character.
fn text() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "=",
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        ":",
        "\n",
        " ",
        "1",
        "-",
        "e",
        "nan",
        "#",
        "é",
        "\u{0}",
        "format",
        "stage",
        "key",
        "true",
        "\"pipeline.lock/1\"",
        "\\",
        "\"\"\"",
    ];
    let piece = prop::sample::select(pieces.to_vec()).prop_map(str::to_owned);
    prop_oneof![any::<String>(), vec(piece, 0..40).prop_map(|pieces| pieces.concat())]
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_text_is_read_or_refused(text in text()) {
        let mut sources = Sources::default();
        let id = sources.add("a.toml", text.as_str());
        let (_, diagnostics) = Node::parse(&sources, id);
        for diagnostic in diagnostics {
            if let Some(place) = diagnostic.place {
                sources.locate(&place);
            }
        }
        if let Ok(Some(points)) = points(&[format!("a.b={text}")], 256) {
            prop_assert!(points.len() > 1 && points.iter().all(|point| point.set.len() == 1));
        }
        let _ = Lock::parse(&text, "pipeline.lock");
        let _ = canonical::from_bytes::<Recipe>(text.as_bytes());
    }

    #[test]
    fn a_damaged_recipe_is_refused_or_reads_back_to_itself(at in 0usize..400, byte in any::<u8>()) {
        let golden = include_bytes!("golden/recipe.json");
        let mut bytes = golden.to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(recipe) = canonical::from_bytes::<Recipe>(&bytes) {
            let again: Recipe = canonical::from_bytes(&recipe.bytes()).unwrap();
            prop_assert_eq!(again.key(), recipe.key());
        }
    }
}
