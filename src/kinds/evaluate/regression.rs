//! `evaluate` of regressions: its parameters, and what it reads, tells and writes.

use anyhow::{Context as _, ensure};
use engine::kind::{Context, GateFailed, Goal};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::json;

use super::params::{Segments, check_gates, check_intersections, gates, segments};
use super::{CHAMPION, TRAIN};
use crate::kinds::shared;
use crate::ml::columns::Columns;
use crate::ml::evaluation::certainty::Confidence;
use crate::ml::evaluation::document::{WEIGHTED, metric_name};
use crate::ml::evaluation::gates::Bound;
use crate::ml::evaluation::regression::{
    Baselines, CURVES_FORMAT, CurvesDocument, Document, Evaluated, FORMAT, Rows, Variant, champion,
    curves, judge, measure,
};
use crate::ml::evaluation::{OVERALL, Side};
use crate::ml::json;
use crate::ml::metrics::regression::RegressionMetric;
use crate::ml::model::regressor::Regressor;
use crate::ml::schema::Roles;
use crate::ml::table::Table;
use crate::ml::{table_file, target};

#[derive(Deserialize)]
pub(super) struct Params {
    columns: Roles,
    champion: String,
    segments: Segments,
    confidence: f64,
    resamples: usize,
    gates: Vec<Bound>,
}

/// What is taken with `task = "regression"`.
pub(super) fn declared() -> Vec<Param> {
    let champion = "the metric that picks the champion, on validation; the first of equals wins";
    let confidence = "how often an interval is to hold the true figure";
    let resamples = "how often the test rows are drawn anew for intervals";
    vec![
        shared::columns(),
        Param::new("champion", Type::Choice(&RegressionMetric::NAMES), "rmse", champion),
        Param::new("segments", segments(), json!({}), "what is looked at apart"),
        Param::new("confidence", Type::Float(0.5, 0.999), 0.95, confidence),
        Param::new("resamples", Type::Int(100, 100_000), 1000, resamples),
        gates(&RegressionMetric::NAMES, -f64::MAX),
    ]
}

/// Mistakes that no single parameter shows.
pub(super) fn check(params: &Params) -> Vec<Complaint> {
    let mut complaints = check_gates(&params.gates, &params.columns);
    complaints.extend(check_intersections(&params.segments.intersect, &params.columns));
    complaints
}

impl Params {
    fn how_sure(&self) -> Confidence {
        Confidence {
            level: self.confidence,
            resamples: self.resamples,
            min_rows: self.segments.min_rows as usize,
        }
    }
}

/// A regressor that is plugged in.
struct Candidate {
    name: String,
    bytes: Vec<u8>,
    model: Regressor,
}

fn read_models(context: &Context<'_>, target: &str) -> anyhow::Result<Vec<Candidate>> {
    let mut models: Vec<Candidate> = Vec::new();
    for plugged in context.many("models") {
        let name = plugged.name.clone();
        ensure!(name != CHAMPION, "a variant cannot be called `{name}`: that means something here");
        ensure!(models.iter().all(|model| model.name != name), "two models are called `{name}`");
        let bytes = std::fs::read(&plugged.path)?;
        let model = Regressor::from_bytes(&bytes).with_context(|| format!("model `{name}`"))?;
        ensure!(
            model.target() == target,
            "model `{name}` predicts `{}`, but the target is `{target}`",
            model.target()
        );
        models.push(Candidate { name, bytes, model });
    }
    Ok(models)
}

/// The rows of all inputs, and what they are for.
struct Inputs {
    /// Validation and test.
    tables: [Table; 2],
    sides: [Rows; 2],
    columns: Columns,
    models: Vec<Candidate>,
    /// The mean of the target where the models learned, or else on validation.
    mean: f64,
    learned_on: &'static str,
}

impl Inputs {
    fn read(context: &Context<'_>, params: &Params) -> anyhow::Result<Inputs> {
        let read = |side: Side| {
            let table = table_file::read(context.input(side.name()))?;
            shared::check_roles(&params.columns, &table)?;
            anyhow::Ok(table)
        };
        let tables = [read(Side::Validation)?, read(Side::Test)?];
        let columns = Columns::of(&tables[0], &params.columns).map_err(anyhow::Error::msg)?;
        let rows = |side: Side| {
            Rows::new(&tables[side as usize], &columns, &params.segments.intersect)
                .map_err(|error| anyhow::anyhow!("{}: {error}", side.name()))
        };
        let sides = [rows(Side::Validation)?, rows(Side::Test)?];
        let train = context.optional(TRAIN).map(table_file::read).transpose()?;
        let known = match &train {
            Some(table) => {
                let column = table.column(&columns.target);
                target::numbers(column.context("`train` has no target column")?)
                    .map_err(anyhow::Error::msg)?
            }
            None => sides[0].targets().to_vec(),
        };
        ensure!(!known.is_empty(), "there are no rows to learn the mean from");
        let mut sum = 0.0;
        known.iter().for_each(|number| sum += number);
        let learned_on = if train.is_some() { TRAIN } else { Side::Validation.name() };
        let models = read_models(context, &columns.target)?;
        let mean = sum / known.len() as f64;
        Ok(Inputs { tables, sides, columns, models, mean, learned_on })
    }

    fn evaluate(&self) -> anyhow::Result<(Vec<(String, Evaluated)>, Evaluated)> {
        let mut variants = Vec::new();
        for Candidate { name, model, .. } in &self.models {
            let predicted =
                [model.predictions(&self.tables[0])?, model.predictions(&self.tables[1])?];
            variants.push((name.clone(), Evaluated::new(&self.sides, predicted)));
        }
        let constant = self.sides.each_ref().map(|side| vec![self.mean; side.targets().len()]);
        Ok((variants, Evaluated::new(&self.sides, constant)))
    }
}

/// Evaluates regressions, and writes and tells what was found.
pub(super) fn run(context: &Context<'_>) -> anyhow::Result<()> {
    let params: Params = context.params()?;
    let metric = RegressionMetric::of_name(&params.champion).context("no such metric")?;
    let inputs = Inputs::read(context, &params)?;
    shared::weighted(&params.columns).into_iter().for_each(|line| context.remark(line));
    let (variants, baseline) = inputs.evaluate()?;
    let how = params.how_sure();
    let all: Vec<&Evaluated> = variants.iter().map(|(_, e)| e).chain([&baseline]).collect();
    let intervals = measure(&inputs.sides[1], &all, &how, &|label| context.seed(label));
    let chosen = champion(&variants, metric).map_err(anyhow::Error::msg)?;
    let gates = judge(&params.gates, &variants, chosen, params.segments.min_rows)
        .map_err(anyhow::Error::msg)?;
    tell(context, &variants, &baseline, chosen, metric);
    let failed: Vec<String> =
        gates.iter().filter(|gate| !gate.holds).map(|gate| gate.told()).collect();
    for gate in gates.iter().filter(|gate| !gate.judged) {
        context.remark(format!("warning: {}", gate.told()));
    }
    if !gates.is_empty() {
        let n_held = gates.len() - failed.len();
        context.remark(format!("{n_held} of {} gates hold", gates.len()));
    }
    let of = |(i, (name, evaluated)): (usize, &(String, Evaluated))| {
        let learner = inputs.models[i].model.learner();
        (name.clone(), Variant::of(evaluated, Some(learner), &intervals[i]))
    };
    let (target, best) = (&inputs.columns.target, &variants[chosen].0);
    let metrics = Document {
        format: FORMAT,
        target: target.clone(),
        champion: best.clone(),
        champion_metric: metric.name().to_owned(),
        confidence: how.level,
        resamples: how.resamples as u64,
        variants: variants.iter().enumerate().map(of).collect(),
        baselines: Baselines {
            learned_on: inputs.learned_on.to_owned(),
            value: inputs.mean,
            mean: Variant::of(&baseline, None, &intervals[variants.len()]),
        },
        gates,
    };
    let of = |(name, e): &(String, Evaluated)| (name.clone(), curves(&inputs.sides, e));
    let plots = CurvesDocument {
        format: CURVES_FORMAT,
        target: target.clone(),
        champion: best.clone(),
        variants: variants.iter().map(of).collect(),
    };
    context.write("metrics", &json::to_bytes(&metrics)?)?;
    context.write("curves", &json::to_bytes(&plots)?)?;
    context.write("champion", &inputs.models[chosen].bytes)?;
    if failed.is_empty() { Ok(()) } else { Err(GateFailed(failed).into()) }
}

/// Lines for people, and the metrics that runs are compared by.
fn tell(
    context: &Context<'_>,
    variants: &[(String, Evaluated)],
    baseline: &Evaluated,
    chosen: usize,
    metric: RegressionMetric,
) {
    let shown = |evaluated: &Evaluated| {
        let values = &evaluated.on(Side::Test)[OVERALL].1;
        let show = |metric: &RegressionMetric| {
            let value = values[metric].map_or("-".to_owned(), |value| format!("{value:.4}"));
            format!("{} {value}", metric.name())
        };
        RegressionMetric::ALL.iter().map(show).collect::<Vec<_>>().join(", ")
    };
    for (name, evaluated) in variants {
        context.remark(format!("{name} on test: {}", shown(evaluated)));
    }
    context.remark(format!("(mean) on test: {}", shown(baseline)));
    let (name, best) = &variants[chosen];
    context.remark(format!("champion: {name}, by {} on validation", metric.name()));
    let rmse = |of: &Evaluated| of.on(Side::Test)[OVERALL].1[&RegressionMetric::Rmse].ok();
    if rmse(best) >= rmse(baseline) {
        context.remark(format!("warning: {name} is no better on test than the mean of the target"));
    }
    let named = variants.iter().map(|(name, e)| (name.as_str(), e));
    for (name, evaluated) in named.chain([(CHAMPION, best)]) {
        for (segment, (_, values)) in evaluated.on(Side::Test) {
            for (metric, value) in values {
                let goal = if metric.higher_is_better() { Goal::Max } else { Goal::Min };
                let is_told = name != CHAMPION || segment == OVERALL;
                if let (Ok(value), true) = (value, is_told) {
                    let name = metric_name(name, Side::Test.name(), segment, metric.name());
                    context.metric(name, *value, goal);
                }
            }
        }
        for (metric, value) in evaluated.weighted(Side::Test).get(OVERALL).into_iter().flatten() {
            let goal = if metric.higher_is_better() { Goal::Max } else { Goal::Min };
            if let Ok(value) = value {
                let name = metric_name(name, Side::Test.name(), WEIGHTED, metric.name());
                context.metric(name, *value, goal);
            }
        }
    }
}
