//! `evaluate` of regressions: its parameters, and what it reads, tells and writes.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use engine::kind::{Context, GateFailed, Goal};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::json;

use super::params::{
    Importance, PartialDependence, Segments, check_gates, check_intersections, dependence, effort,
    gates, importance, segments,
};
use super::{CHAMPION, TRAIN, leaderboard};
use crate::kinds::shared;
use crate::ml::columns::Columns;
use crate::ml::evaluation::certainty::Confidence;
use crate::ml::evaluation::document::{Difference, WEIGHTED, metric_name};
use crate::ml::evaluation::gates::Bound;
use crate::ml::evaluation::regression::baseline::Baselines;
use crate::ml::evaluation::regression::document::{self, Document, FORMAT, Variant};
use crate::ml::evaluation::regression::{
    Certainty, Evaluated, Rows, above_one_feature, champion, curves, judge, measure,
};
use crate::ml::evaluation::{OVERALL, Side, importance as looks};
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
    importance: Importance,
    partial_dependence: PartialDependence,
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
        Param::new("importance", importance(), json!({}), "how the champion's features are ranked"),
        Param::new("partial_dependence", dependence(), json!({}), "what it answers as they change"),
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
    /// The rows that baselines are learned from; those of validation where there are none.
    train: Option<Table>,
}

/// What was found.
struct Found {
    variants: Vec<(String, Evaluated)>,
    baselines: Baselines,
    /// Of the variants, then the mean, then the rule of one feature.
    certainty: Certainty,
    /// By how much each variant is above the rule.
    above: BTreeMap<String, Difference>,
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
        let models = read_models(context, &columns.target)?;
        Ok(Inputs { tables, sides, columns, models, train })
    }

    /// From which rows baselines are learned.
    fn learned_on(&self) -> &'static str {
        if self.train.is_some() { TRAIN } else { Side::Validation.name() }
    }

    fn baselines(&self) -> anyhow::Result<Baselines> {
        let Columns { target, features, .. } = &self.columns;
        let known = match &self.train {
            Some(table) => {
                let column = table.column(target).context("`train` has no target column")?;
                target::numbers(column).map_err(anyhow::Error::msg)?
            }
            None => self.sides[0].targets().to_vec(),
        };
        let table = self.train.as_ref().unwrap_or(&self.tables[0]);
        Baselines::learn(table, &known, features, &self.tables, &self.sides)
            .map_err(anyhow::Error::msg)
    }

    /// Evaluates everything on the rows of both sides. `seed_of` yields the random bits of a label.
    fn find(&self, how: &Confidence, seed_of: &dyn Fn(&str) -> [u8; 32]) -> anyhow::Result<Found> {
        let mut variants = Vec::new();
        for Candidate { name, model, .. } in &self.models {
            let predicted =
                [model.predictions(&self.tables[0])?, model.predictions(&self.tables[1])?];
            variants.push((name.clone(), Evaluated::new(&self.sides, predicted)));
        }
        let baselines = self.baselines()?;
        let rule = baselines.one_feature.as_ref().ok().map(|(_, evaluated)| evaluated);
        let all: Vec<&Evaluated> =
            variants.iter().map(|(_, e)| e).chain([&baselines.mean]).chain(rule).collect();
        let certainty = measure(&self.sides[1], &all, how, seed_of);
        let at = variants.len() + 1;
        let above = rule.map(|rule| above_one_feature(&variants, rule, &certainty, at, how.level));
        Ok(Found { variants, certainty, above: above.unwrap_or_default(), baselines })
    }

    /// `metrics.json`, but for its gates.
    fn document(&self, params: &Params, found: &Found, chosen: usize) -> Document {
        let (how, intervals) = (params.how_sure(), &found.certainty.intervals);
        let of = |(i, (name, evaluated)): (usize, &(String, Evaluated))| {
            let learner = self.models[i].model.learner();
            (name.clone(), Variant::of(evaluated, Some(learner), &intervals[i]))
        };
        let rule = found.baselines.one_feature.as_ref().ok();
        let n_variants = found.variants.len();
        Document {
            format: FORMAT.to_owned(),
            target: self.columns.target.clone(),
            champion: found.variants[chosen].0.clone(),
            champion_metric: params.champion.clone(),
            confidence: how.level,
            resamples: how.resamples as u64,
            variants: found.variants.iter().enumerate().map(of).collect(),
            baselines: document::Baselines {
                learned_on: self.learned_on().to_owned(),
                value: found.baselines.value,
                mean: Variant::of(&found.baselines.mean, None, &intervals[n_variants]),
                feature: rule.map(|(feature, _)| feature.clone()),
                one_feature: rule.map(|(_, e)| Variant::of(e, None, &intervals[n_variants + 1])),
                above_one_feature: found.above.clone(),
            },
            gates: Vec::new(),
        }
    }

    /// What the chosen one looks at, on the rows of test.
    fn look(
        &self,
        params: &Params,
        chosen: usize,
        seed_of: &dyn Fn(&str) -> [u8; 32],
    ) -> anyhow::Result<looks::Document> {
        let Candidate { name, model, .. } = &self.models[chosen];
        let rows = (&self.tables[1], self.sides[1].targets());
        let effort = effort(&params.importance, &params.partial_dependence);
        looks::look(name, model, rows, &effort, seed_of).map_err(anyhow::Error::msg)
    }
}

/// Evaluates regressions, and writes and tells what was found.
pub(super) fn run(context: &Context<'_>) -> anyhow::Result<()> {
    let params: Params = context.params()?;
    let metric = RegressionMetric::of_name(&params.champion).context("no such metric")?;
    let inputs = Inputs::read(context, &params)?;
    shared::weighted(&params.columns).into_iter().for_each(|line| context.remark(line));
    let seed_of = |label: &str| context.seed(label);
    let found = inputs.find(&params.how_sure(), &seed_of)?;
    let chosen = champion(&found.variants, metric).map_err(anyhow::Error::msg)?;
    let gates = judge(&params.gates, &found.variants, chosen, params.segments.min_rows)
        .map_err(anyhow::Error::msg)?;
    tell(context, &found, chosen, metric);
    let failed: Vec<String> =
        gates.iter().filter(|gate| !gate.holds).map(|gate| gate.told()).collect();
    for gate in gates.iter().filter(|gate| !gate.judged) {
        context.remark(format!("warning: {}", gate.told()));
    }
    if !gates.is_empty() {
        let n_held = gates.len() - failed.len();
        context.remark(format!("{n_held} of {} gates hold", gates.len()));
    }
    let importance = inputs.look(&params, chosen, &seed_of)?;
    leaderboard::importance_line(&importance).into_iter().for_each(|line| context.remark(line));
    let metrics = Document { gates, ..inputs.document(&params, &found, chosen) };
    let of = |(name, e): &(String, Evaluated)| (name.clone(), curves::curves(&inputs.sides, e));
    let plots = curves::Document {
        format: curves::FORMAT,
        target: inputs.columns.target.clone(),
        champion: found.variants[chosen].0.clone(),
        variants: found.variants.iter().map(of).collect(),
    };
    context.write("metrics", &json::to_bytes(&metrics)?)?;
    context.write("curves", &json::to_bytes(&plots)?)?;
    context.write("importance", &json::to_bytes(&importance)?)?;
    context.write("champion", &inputs.models[chosen].bytes)?;
    if failed.is_empty() { Ok(()) } else { Err(GateFailed(failed).into()) }
}

/// Lines for people, and the metrics that runs are compared by.
fn tell(context: &Context<'_>, found: &Found, chosen: usize, metric: RegressionMetric) {
    let shown = |evaluated: &Evaluated| {
        let values = &evaluated.on(Side::Test)[OVERALL].1;
        let show = |metric: &RegressionMetric| {
            let value = values[metric].map_or("-".to_owned(), |value| format!("{value:.4}"));
            format!("{} {value}", metric.name())
        };
        RegressionMetric::ALL.iter().map(show).collect::<Vec<_>>().join(", ")
    };
    let Found { variants, baselines, .. } = found;
    for (name, evaluated) in variants {
        context.remark(format!("{name} on test: {}", shown(evaluated)));
    }
    context.remark(format!("(mean) on test: {}", shown(&baselines.mean)));
    context.remark(match &baselines.one_feature {
        Ok((feature, rule)) => format!("({feature} alone) on test: {}", shown(rule)),
        Err(why) => format!("no rule of one feature: {why}"),
    });
    let (name, best) = &variants[chosen];
    context.remark(format!("champion: {name}, by {} on validation", metric.name()));
    let rmse = |of: &Evaluated| of.on(Side::Test)[OVERALL].1[&RegressionMetric::Rmse].ok();
    if rmse(best) >= rmse(&baselines.mean) {
        context.remark(format!("warning: {name} is no better on test than the mean of the target"));
    }
    warnings(found).into_iter().for_each(|warning| context.remark(warning));
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

/// Which variants are not clearly better than one feature alone: those whose difference may as well
/// be none.
fn warnings(found: &Found) -> Vec<String> {
    let Ok((feature, _)) = &found.baselines.one_feature else { return Vec::new() };
    let warning = |(variant, difference): (&String, &Difference)| {
        let Difference { value, interval } = difference;
        let (value, [low, high]) = ((*value)?, (*interval)?);
        (low <= 0.0).then(|| {
            format!(
                "warning: {variant} is not clearly better than `{feature}` alone: r2 {value:+.4} \
                 on test [{low:+.3}, {high:+.3}]"
            )
        })
    };
    found.above.iter().filter_map(warning).collect()
}
