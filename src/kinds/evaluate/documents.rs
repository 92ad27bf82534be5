//! What `evaluate` writes: the documents, put together from what was found.

use std::collections::BTreeMap;

use super::found::{Candidate, Found};
use super::params::Params;
use crate::ml::evaluation::Rows;
use crate::ml::evaluation::certainty::Intervals;
use crate::ml::evaluation::comparison::above_one_feature;
use crate::ml::evaluation::curves::{self, Sides};
use crate::ml::evaluation::document::{Baselines, Document, FORMAT, Gate, Variant};

/// `metrics.json`.
pub(super) fn metrics(
    params: &Params,
    models: &[Candidate],
    found: &Found,
    baselines: Option<Baselines>,
    chosen: usize,
    gates: Vec<Gate>,
) -> Document {
    let named = models.iter().zip(&found.variants).zip(&found.certainty.intervals);
    let variants = named.map(|((model, (name, evaluated)), intervals)| {
        (
            name.clone(),
            Variant::of(evaluated, Some(model.model.learner()), intervals, params.rule()),
        )
    });
    let reference = found.reference.as_ref().zip(found.certainty.intervals.last());
    Document {
        format: FORMAT.to_owned(),
        target: models[chosen].model.target().to_owned(),
        classes: models[chosen].model.classes().clone(),
        champion: models[chosen].name.clone(),
        champion_metric: params.champion.clone(),
        threshold_rule: params.rule().to_string(),
        confidence: Some(params.how_sure().level),
        resamples: Some(params.how_sure().resamples as u64),
        variants: variants.collect(),
        reference: reference
            .map(|(evaluated, known)| Variant::of(evaluated, None, known, params.rule())),
        baselines,
        comparisons: found.comparisons.clone(),
        gates,
    }
}

/// The baselines in `metrics.json`, with what each variant is above them.
pub(super) fn baselines(
    params: &Params,
    found: &Found,
    test: &Rows<'_>,
    learned_on: &str,
) -> Option<Baselines> {
    let known = found.baselines.as_ref().ok()?;
    let n_variants = found.variants.len();
    let intervals =
        |i: usize| -> &BTreeMap<String, Intervals> { &found.certainty.intervals[n_variants + i] };
    let level = params.how_sure().level;
    Some(Baselines {
        learned_on: learned_on.to_owned(),
        majority: Variant::of(&known.majority, None, intervals(0), params.rule()),
        feature: known.feature.clone(),
        one_feature: Variant::of(&known.one_feature, None, intervals(1), params.rule()),
        above_one_feature: above_one_feature(test, &known.one_feature, &found.variants, level),
    })
}

/// `curves.json`.
pub(super) fn curves(
    models: &[Candidate],
    found: &Found,
    sides: &[Rows<'_>; 2],
    chosen: usize,
) -> curves::Document {
    let model = &models[chosen].model;
    let named = found.variants.iter();
    let baselines = found
        .baselines
        .iter()
        .flat_map(|known| [("majority", &known.majority), ("one_feature", &known.one_feature)]);
    curves::Document {
        format: curves::FORMAT,
        target: model.target().to_owned(),
        classes: model.classes().clone(),
        champion: models[chosen].name.clone(),
        variants: named.map(|(name, e)| (name.clone(), Sides::of(sides, e))).collect(),
        baselines: baselines.map(|(name, e)| (name.to_owned(), Sides::of(sides, e))).collect(),
        reference: found.reference.as_ref().map(|evaluated| Sides::of(sides, evaluated)),
    }
}
