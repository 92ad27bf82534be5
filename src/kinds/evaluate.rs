//! `evaluate`: compares models on the same rows, picks the champion, and holds it to its gates.
//!
//! Thin: parameters, files and lines for people; all figures come from `ml::evaluation`. When a
//! gate does not hold, the outputs are written first, so that they can be looked at.

mod documents;
mod found;
mod leaderboard;
mod params;
mod regression;

use anyhow::Context as _;
use engine::digest::Digest;
use engine::kind::{Arity, Context, GateFailed, Goal, Input, Kind, Output};
use engine::params::{Complaint, Type};
use serde::Deserialize;
use serde_json::Value;

use self::found::{Found, TRAIN, Tables};
use self::params::Params;
use super::shared;
use crate::ml::evaluation::document::{WEIGHTED, metric_name};
use crate::ml::evaluation::gates::judge;
use crate::ml::evaluation::{Evaluated, OVERALL, Report, Side, champion, importance};
use crate::ml::json;
use crate::ml::metrics::{Metric, Scores, ThresholdRule};
use crate::ml::per_segment::PerSegment;

/// The name of the reference's metrics; no variant may have it.
const REFERENCE: &str = "reference";
/// The name of the champion's metrics; no variant may have it.
const CHAMPION: &str = "champion";

/// The kind `evaluate`.
pub struct Evaluate;

impl Kind for Evaluate {
    fn name(&self) -> &'static str {
        "evaluate"
    }

    fn about(&self) -> &'static str {
        "compare models overall and per segment, pick the champion, hold it to quality gates"
    }

    fn code(&self) -> Digest {
        super::code("evaluate")
    }

    fn params(&self) -> Type {
        params::declared()
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let mut complaints = shared::check_columns(params);
        if shared::is_regression(params) {
            let read = regression::Params::deserialize(params);
            complaints.extend(read.iter().flat_map(regression::check));
        } else if let Ok(params) = Params::deserialize(params) {
            complaints.extend(params::check(&params));
        }
        complaints
    }

    fn inputs(&self, params: &Value) -> Vec<Input> {
        let input = |name: &'static str, types, arity, doc| {
            let name = name.into();
            Input { name, types, arity, doc }
        };
        let known = "known scores in [0, 1] by the id column: an incumbent's, or the true ones";
        let train = "the rows to learn baselines from; without them they are learned on validation";
        let models = shared::model_types(params);
        let mut inputs = vec![
            input("models", models, Arity::Many, "the models to compare"),
            input("validation", shared::TABLES, Arity::One, "the rows to choose by"),
            input("test", shared::TABLES, Arity::One, "the rows to judge by"),
            input(TRAIN, shared::TABLES, Arity::Optional, train),
        ];
        if !shared::is_regression(params) {
            inputs.push(input(REFERENCE, shared::TABLES, Arity::Optional, known));
        }
        inputs
    }

    fn outputs(&self, params: &Value) -> Vec<Output> {
        if shared::is_regression(params) {
            return vec![
                Output::new("metrics", "regression_metrics", "metrics.json"),
                Output::new("curves", "curves", "curves.json"),
                Output::new("importance", "importance", "importance.json"),
                Output::new("champion", "regressor", "champion.json"),
            ];
        }
        vec![
            Output::new("metrics", "metrics", "metrics.json"),
            Output::new("curves", "curves", "curves.json"),
            Output::new("importance", "importance", "importance.json"),
            Output::new("champion", "model", "champion.json"),
        ]
    }

    fn is_seeded(&self) -> bool {
        true
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        if context.params::<shared::Declared>()?.task == shared::Task::Regression {
            return regression::run(context);
        }
        let params: Params = context.params()?;
        let metric = Metric::of_name(&params.champion).context("no such metric")?;
        let models = found::read_models(context)?;
        let tables = Tables::read(context, &params)?;
        let task = tables.task(&params, &models)?;
        shared::weighted(&params.columns).into_iter().for_each(|line| context.remark(line));
        let sides = tables.sides(&task, &params)?;
        let found = found::find(context, &params, &models, &tables, &task, &sides)?;
        let evaluated: Vec<&Evaluated> = found.variants.iter().map(|(_, e)| e).collect();
        let chosen = champion(&evaluated, metric).map_err(anyhow::Error::msg)?;
        let min_rows = params.segments.min_rows;
        let gates =
            judge(&params.gates, &found.variants, chosen, min_rows).map_err(anyhow::Error::msg)?;
        let baselines = documents::baselines(&params, &found, &sides[1], tables.learned_on());
        tell(context, &found, chosen, metric, params.rule());
        let warnings = match (&found.baselines, &baselines) {
            (_, Some(baselines)) => leaderboard::warnings(baselines, 1.0 - params.how_sure().level),
            (Err(why), None) => vec![format!("no baselines: {why}")],
            (Ok(_), None) => Vec::new(),
        };
        warnings.into_iter().for_each(|warning| context.remark(warning));
        let failed: Vec<String> =
            gates.iter().filter(|gate| !gate.holds).map(|gate| gate.told()).collect();
        for gate in gates.iter().filter(|gate| !gate.judged) {
            context.remark(format!("warning: {}", gate.told()));
        }
        if !gates.is_empty() {
            let n_held = gates.len() - failed.len();
            context.remark(format!("{n_held} of {} gates hold", gates.len()));
        }
        let best = &models[chosen];
        let seed_of = |label: &str| context.seed(label);
        let rows = (sides[1].table, sides[1].labels());
        let importance =
            importance::look(&best.name, &best.model, rows, &params.effort(), &seed_of)
                .map_err(anyhow::Error::msg)?;
        leaderboard::importance_line(&importance).into_iter().for_each(|line| context.remark(line));
        let curves = documents::curves(&models, &found, &sides, chosen);
        let metrics = documents::metrics(&params, &models, &found, baselines, chosen, gates);
        context.write("metrics", &json::to_bytes(&metrics)?)?;
        context.write("curves", &json::to_bytes(&curves)?)?;
        context.write("importance", &json::to_bytes(&importance)?)?;
        context.write("champion", &models[chosen].bytes)?;
        if failed.is_empty() { Ok(()) } else { Err(GateFailed(failed).into()) }
    }
}

/// Tells what was found: lines for people, and the metrics that runs are compared by.
fn tell(context: &Context<'_>, found: &Found, chosen: usize, metric: Metric, rule: ThresholdRule) {
    let lines = leaderboard::lines(found, chosen);
    lines.into_iter().for_each(|line| context.remark(line));
    let (name, champion) = &found.variants[chosen];
    let intervals = &found.certainty.intervals[chosen];
    context.remark(leaderboard::champion_line(name, champion, metric, &intervals[OVERALL]));
    if let Some(reference) = &found.reference {
        context.remark(leaderboard::reference_line(champion, reference, metric));
    }
    let reference = found.reference.iter().map(|evaluated| (REFERENCE, evaluated));
    let variants = found.variants.iter().map(|(name, evaluated)| (name.as_str(), evaluated));
    for (name, evaluated) in variants.chain(reference) {
        context.metric(format!("{name}.threshold"), evaluated.threshold, Goal::None);
        for (segment, threshold) in evaluated.per_segment.iter().flat_map(PerSegment::named) {
            context.metric(format!("{name}.threshold.{segment}"), threshold, Goal::None);
        }
        tell_report(context, name, &evaluated.test);
        tell_weighted(context, name, &evaluated.test[OVERALL]);
    }
    if let Some(line) = leaderboard::profit_line(&found.variants, rule) {
        context.remark(line);
    }
    for (name, evaluated) in &found.variants {
        for (segment, scores) in &evaluated.test {
            if let Some(profit) = rule.profit(&scores.confusion) {
                let name = metric_name(name, Side::Test.name(), segment, "profit");
                context.metric(name, profit, Goal::Max);
            }
        }
    }
    // The champion overall once more, under a name that stays when another variant is chosen, so
    // that runs can be compared by it.
    let mut overall = champion.test.clone();
    overall.retain(|segment, _| segment == OVERALL);
    tell_report(context, CHAMPION, &overall);
    tell_weighted(context, CHAMPION, &champion.test[OVERALL]);
}

/// The metrics of all rows by their weights, where they have some.
fn tell_weighted(context: &Context<'_>, name: &str, scores: &Scores) {
    for (metric, value) in scores.weighted.iter().flatten() {
        let goal = if metric.higher_is_better() { Goal::Max } else { Goal::Min };
        if let Ok(value) = value {
            let name = metric_name(name, Side::Test.name(), WEIGHTED, metric.name());
            context.metric(name, *value, goal);
        }
    }
}

fn tell_report(context: &Context<'_>, name: &str, report: &Report) {
    for (segment, scores) in report {
        for (metric, value) in &scores.values {
            let goal = if metric.higher_is_better() { Goal::Max } else { Goal::Min };
            if let Ok(value) = value {
                let name = metric_name(name, Side::Test.name(), segment, metric.name());
                context.metric(name, *value, goal);
            }
        }
    }
}
