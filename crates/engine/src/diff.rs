//! What differs between two runs, and where it began.
//!
//! Pure: two sides go in, a document comes out, and how it is told is the terminal's matter. A is
//! the baseline and B the candidate, always.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::digest::Digest;
use crate::kind::{Goal, Metric};
use crate::lock::Lock;
use crate::outcome::Conflict;
use crate::recipe::{self, Change, Recipe};
use crate::record::Run;

/// The schema of the document.
pub const SCHEMA: &str = "pipeline.diff/1";

/// One of the two runs: what a record or a lock knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// How people know it.
    pub label: String,
    /// The stages in graph order, as far as it is known.
    pub stages: Vec<SideStage>,
}

/// A stage of one side.
#[derive(Clone, Debug, PartialEq)]
pub struct SideStage {
    /// Its name.
    pub stage: String,
    /// Its key.
    pub key: Digest,
    /// Its outputs.
    pub outputs: BTreeMap<String, Digest>,
    /// Its metrics; a lock knows none.
    pub metrics: BTreeMap<String, Metric>,
}

impl Side {
    /// The side that a recorded run is.
    pub fn of_run(label: &str, run: Run) -> Side {
        let stages = run.stages.into_iter().map(|stage| SideStage {
            stage: stage.stage,
            key: stage.key,
            outputs: stage.files.into_iter().map(|file| (file.path, file.digest)).collect(),
            metrics: stage.metrics,
        });
        Side { label: label.to_owned(), stages: stages.collect() }
    }

    /// The side that a lock is. `order` puts its stages in graph order; what it lacks comes last.
    /// `metrics` looks a key up in the store.
    pub fn of_lock(
        label: &str,
        lock: &Lock,
        order: &[String],
        metrics: impl Fn(&Digest) -> BTreeMap<String, Metric>,
    ) -> Side {
        let rank: BTreeMap<_, _> = order.iter().enumerate().map(|(i, name)| (name, i)).collect();
        let mut stages: Vec<_> = lock.stages.iter().collect();
        stages.sort_by_key(|(name, _)| rank.get(name).copied().unwrap_or(order.len()));
        let stages = stages.into_iter().map(|(name, locked)| SideStage {
            stage: name.clone(),
            key: locked.key,
            outputs: locked.outputs.clone(),
            metrics: metrics(&locked.key),
        });
        Side { label: label.to_owned(), stages: stages.collect() }
    }
}

/// What differs between A, the baseline, and B, the candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// `SCHEMA`.
    pub schema: &'static str,
    /// The baseline.
    pub a: String,
    /// The candidate.
    pub b: String,
    /// Whether every output of every stage has the same bytes.
    pub identical: bool,
    /// The first stage at which they part, with what caused it.
    pub cause: Option<Cause>,
    /// The stages that differ, in graph order.
    pub stages: Vec<StageDiff>,
    /// The metrics that differ, by stage.
    pub metrics: Vec<MetricDiff>,
    /// What stages of either side yielded at another time for the same recipe.
    pub conflicts: Vec<ConflictDiff>,
}

/// A stage whose recipe gave other bytes at another time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConflictDiff {
    /// Its name.
    pub stage: String,
    /// Both outcomes, with where and when they were computed.
    #[serde(flatten)]
    pub conflict: Conflict,
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// The stage.
    pub stage: String,
    /// What it is about.
    pub what: Parting,
    /// The fields of the recipe that differ, its own before inherited ones.
    pub changes: Vec<Change>,
}

/// In which way two runs part at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parting {
    /// The recipes differ.
    Recipe,
    /// The recipes differ, and the store no longer has both to compare.
    UnknownRecipe,
    /// Only A has the stage.
    OnlyA,
    /// Only B has the stage.
    OnlyB,
    /// The recipe is the same, and the bytes are not: the stage is not reproducible.
    Bytes,
}

/// A stage that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageDiff {
    /// Its name.
    pub stage: String,
    /// In which way.
    pub what: Parting,
    /// The fields of the recipe that differ.
    pub changes: Vec<Change>,
    /// The outputs whose bytes differ.
    pub outputs: Vec<OutputDiff>,
}

/// An output whose bytes differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputDiff {
    /// Its path under the stage's output directory.
    pub path: String,
    /// Its digest in A.
    pub a: Option<Digest>,
    /// Its digest in B.
    pub b: Option<Digest>,
}

/// A metric that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricDiff {
    /// The stage that told it.
    pub stage: String,
    /// Its name.
    pub metric: String,
    /// Its value in A.
    pub a: Option<f64>,
    /// Its value in B.
    pub b: Option<f64>,
    /// B minus A.
    pub delta: Option<f64>,
    /// Which direction is better.
    pub goal: Goal,
    /// Whether B is better; absent when neither direction is or a side lacks it.
    pub better: Option<bool>,
}

/// Compares two sides. `conflicts` is what the store keeps; those of other keys are passed over.
/// `recipe` looks a key up in the store: only stages that differ are asked for.
pub fn compare(
    a: &Side,
    b: &Side,
    conflicts: &[Conflict],
    recipe: impl Fn(&Digest) -> Option<Recipe>,
) -> Diff {
    let (in_a, in_b) = (by_name(a), by_name(b));
    let mut stages = Vec::new();
    let mut metrics = Vec::new();
    for name in union_in_order(a, b) {
        let (old, new) = (in_a.get(name.as_str()).copied(), in_b.get(name.as_str()).copied());
        stages.extend(compare_stage(&name, old, new, &recipe));
        metrics.extend(compare_metrics(&name, old, new));
    }
    // A stage that only one side has is no cause when another differs: a run of some targets, or
    // one that failed, simply has fewer.
    let is_on_both = |stage: &&StageDiff| !matches!(stage.what, Parting::OnlyA | Parting::OnlyB);
    let first = stages.iter().find(is_on_both).or(stages.first());
    let cause = first.map(|first| Cause {
        stage: first.stage.clone(),
        what: first.what,
        changes: first.changes.clone(),
    });
    Diff {
        schema: SCHEMA,
        a: a.label.clone(),
        b: b.label.clone(),
        identical: stages.iter().all(|stage| stage.outputs.is_empty()),
        cause,
        stages,
        metrics,
        conflicts: conflicts_of(a, b, conflicts),
    }
}

fn conflicts_of(a: &Side, b: &Side, conflicts: &[Conflict]) -> Vec<ConflictDiff> {
    let stages = a.stages.iter().chain(&b.stages);
    let names: BTreeMap<_, _> = stages.map(|stage| (stage.key, &stage.stage)).collect();
    let of_stage = |conflict: &Conflict| {
        let stage = (*names.get(&conflict.stands.outcome.key)?).clone();
        Some(ConflictDiff { stage, conflict: conflict.clone() })
    };
    conflicts.iter().filter_map(of_stage).collect()
}

fn by_name(side: &Side) -> BTreeMap<&str, &SideStage> {
    side.stages.iter().map(|stage| (stage.stage.as_str(), stage)).collect()
}

/// The names of both sides: those of B in its order, each stage that only A has behind the stage
/// it follows in A.
fn union_in_order(a: &Side, b: &Side) -> Vec<String> {
    let in_b = by_name(b);
    // By the stage of B that they follow (`None`: before all), those that only A has.
    let mut only_a: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    let mut behind = None;
    for stage in a.stages.iter().map(|stage| stage.stage.as_str()) {
        match in_b.contains_key(stage) {
            true => behind = Some(stage),
            false => only_a.entry(behind).or_default().push(stage),
        }
    }
    let own = b.stages.iter().map(|stage| Some(stage.stage.as_str()));
    let of = |place: Option<&str>| {
        let behind = only_a.get(&place).into_iter().flatten().copied();
        place.into_iter().chain(behind).map(str::to_owned).collect::<Vec<_>>()
    };
    std::iter::once(None).chain(own).flat_map(of).collect()
}

fn compare_stage(
    name: &str,
    a: Option<&SideStage>,
    b: Option<&SideStage>,
    recipe: impl Fn(&Digest) -> Option<Recipe>,
) -> Option<StageDiff> {
    let outputs = compare_outputs(a, b);
    let (what, changes) = match (a, b) {
        (Some(a), Some(b)) if a.key != b.key => match (recipe(&a.key), recipe(&b.key)) {
            (Some(old), Some(new)) => (Parting::Recipe, recipe::compare(&old, &new)),
            _ => (Parting::UnknownRecipe, Vec::new()),
        },
        (Some(_), Some(_)) if outputs.is_empty() => return None,
        (Some(_), Some(_)) => (Parting::Bytes, Vec::new()),
        (Some(_), None) => (Parting::OnlyA, Vec::new()),
        (None, _) => (Parting::OnlyB, Vec::new()),
    };
    Some(StageDiff { stage: name.to_owned(), what, changes, outputs })
}

fn compare_outputs(a: Option<&SideStage>, b: Option<&SideStage>) -> Vec<OutputDiff> {
    let digest = |side: Option<&SideStage>, path: &str| side?.outputs.get(path).copied();
    let paths: BTreeSet<_> =
        a.into_iter().chain(b).flat_map(|stage| stage.outputs.keys()).collect();
    let differs = |path: &String| {
        let (a, b) = (digest(a, path), digest(b, path));
        (a != b).then(|| OutputDiff { path: path.clone(), a, b })
    };
    paths.into_iter().filter_map(differs).collect()
}

fn compare_metrics(name: &str, a: Option<&SideStage>, b: Option<&SideStage>) -> Vec<MetricDiff> {
    let metric = |side: Option<&SideStage>, name: &str| side?.metrics.get(name).copied();
    let names: BTreeSet<_> =
        a.into_iter().chain(b).flat_map(|stage| stage.metrics.keys()).collect();
    let differs = |metric_name: &String| {
        let (a, b) = (metric(a, metric_name), metric(b, metric_name));
        let (old, new) = (a.map(|metric| metric.value), b.map(|metric| metric.value));
        if old == new {
            return None;
        }
        let delta = old.zip(new).map(|(old, new)| new - old);
        let goal = b.or(a).map_or(Goal::None, |metric| metric.goal);
        let better = match goal {
            Goal::Max => delta.map(|delta| delta > 0.0),
            Goal::Min => delta.map(|delta| delta < 0.0),
            Goal::None => None,
        };
        let (stage, metric) = (name.to_owned(), metric_name.clone());
        Some(MetricDiff { stage, metric, a: old, b: new, delta, goal, better })
    };
    names.into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recipe_of(param: i64) -> Recipe {
        Recipe {
            format: recipe::FORMAT.to_owned(),
            kind: "text".to_owned(),
            code: Digest::of(b""),
            params: json!({"x": param}),
            seed: None,
            inputs: BTreeMap::new(),
            environment: BTreeMap::new(),
            tools: BTreeMap::new(),
            lineage: Vec::new(),
        }
    }

    /// Of the few recipes that the sides have.
    fn recipe(key: &Digest) -> Option<Recipe> {
        (0..5).map(recipe_of).find(|recipe| recipe.key() == *key)
    }

    fn stage(name: &str, param: i64, output: &str, auc: f64) -> SideStage {
        SideStage {
            stage: name.to_owned(),
            key: recipe_of(param).key(),
            outputs: BTreeMap::from([("out".to_owned(), Digest::of(output.as_bytes()))]),
            metrics: BTreeMap::from([("auc".to_owned(), Metric { value: auc, goal: Goal::Max })]),
        }
    }

    fn side(stages: Vec<SideStage>) -> Side {
        Side { label: "s".to_owned(), stages }
    }

    #[test]
    fn equal_sides_are_identical_without_a_cause() {
        let one = side(vec![stage("a", 1, "x", 0.5)]);
        let diff =
            compare(&one, &one, &[], |_| panic!("asked for a recipe of stages that are the same"));
        assert!(diff.identical);
        assert_eq!((diff.cause, diff.metrics), (None, vec![]));
    }

    #[test]
    fn the_first_stage_that_parts_is_the_cause() {
        let a = side(vec![stage("a", 1, "x", 0.5), stage("b", 1, "y", 0.5)]);
        let b = side(vec![stage("a", 2, "z", 0.6), stage("b", 3, "y", 0.5)]);
        let diff = compare(&a, &b, &[], recipe);
        let cause = diff.cause.unwrap();
        assert_eq!((cause.stage.as_str(), cause.what), ("a", Parting::Recipe));
        assert_eq!(cause.changes[0].to_string(), "params.x: 1 -> 2");
        assert!(!diff.identical);
        assert_eq!(diff.metrics[0].better, Some(true));
    }

    #[test]
    fn another_recipe_with_the_same_bytes_is_identical_and_still_told() {
        let diff = compare(
            &side(vec![stage("a", 1, "x", 0.5)]),
            &side(vec![stage("a", 2, "x", 0.5)]),
            &[],
            recipe,
        );
        assert!(diff.identical);
        assert_eq!(diff.cause.unwrap().stage, "a");
    }

    #[test]
    fn other_bytes_from_the_same_recipe_are_named_as_that() {
        let diff = compare(
            &side(vec![stage("a", 1, "x", 0.5)]),
            &side(vec![stage("a", 1, "y", 0.5)]),
            &[],
            recipe,
        );
        assert_eq!(diff.cause.unwrap().what, Parting::Bytes);
    }

    #[test]
    fn a_stage_of_one_side_keeps_its_place() {
        let names = |stages: &[&str]| side(stages.iter().map(|n| stage(n, 1, "x", 0.5)).collect());
        let union = union_in_order(&names(&["a", "old", "c"]), &names(&["a", "new", "c"]));
        assert_eq!(union, ["a", "old", "new", "c"]);
    }
}
