//! `evaluate`: compares models on the same rows, picks the champion, and holds it to its gates.
//!
//! Thin: parameters, files and lines for people; all figures come from `ml::evaluation`. When a
//! gate does not hold, the outputs are written first, so that they can be looked at.

mod leaderboard;

use anyhow::{Context as _, ensure};
use engine::digest::Digest;
use engine::kind::{Arity, Context, GateFailed, Goal, Input, Kind, Output};
use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared;
use crate::ml::columns::Columns;
use crate::ml::evaluation::document::{Document, FORMAT, Variant, metric_name};
use crate::ml::evaluation::gates::{Bound, judge};
use crate::ml::evaluation::{
    Evaluated, OVERALL, Report, Rows, Side, champion, check_models, evaluate, reference_scores,
};
use crate::ml::metrics::{Metric, ThresholdRule};
use crate::ml::model::Model;
use crate::ml::schema::Roles;
use crate::ml::{json, table_file};

/// The name of the reference's metrics; no variant may have it.
const REFERENCE: &str = "reference";
/// The name of the champion's metrics; no variant may have it.
const CHAMPION: &str = "champion";

/// The kind `evaluate`.
pub struct Evaluate;

#[derive(Deserialize)]
struct Params {
    columns: Roles,
    positive: Option<Value>,
    threshold: Threshold,
    champion: String,
    gates: Vec<Bound>,
}

#[derive(Deserialize)]
struct Threshold {
    rule: String,
    #[serde(default)]
    value: f64,
}

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
        let doc = "the metric that picks the champion, on validation; the first of equals wins";
        Type::Record(vec![
            shared::columns(),
            shared::positive(),
            Param::new("threshold", threshold(), json!({"rule": "f1"}), "how it is chosen"),
            Param::new("champion", Type::Choice(&Metric::NAMES), "roc_auc", doc),
            Param::new("gates", gate().list(), json!([]), "bounds that must hold"),
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let mut complaints = shared::check_columns(params);
        if let Ok(params) = Params::deserialize(params) {
            for (i, gate) in params.gates.iter().enumerate() {
                complaints.extend(check_gate(gate, i, &params.columns));
            }
        }
        complaints
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let input = |name: &'static str, types, arity, doc| {
            let name = name.into();
            Input { name, types, arity, doc }
        };
        let doc = "known scores in [0, 1] by the id column: an incumbent's, or the true ones";
        vec![
            input("models", &["model"], Arity::Many, "the models to compare"),
            input("validation", shared::TABLES, Arity::One, "the rows to choose by"),
            input("test", shared::TABLES, Arity::One, "the rows to judge by"),
            input(REFERENCE, shared::TABLES, Arity::Optional, doc),
        ]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![
            Output::new("metrics", "metrics", "metrics.json"),
            Output::new("champion", "model", "champion.json"),
        ]
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let metric = Metric::of_name(&params.champion).context("no such metric")?;
        let models = read_models(context)?;
        let found = compare(context, &params, &models)?;
        let evaluated: Vec<&Evaluated> = found.variants.iter().map(|(_, e)| e).collect();
        let chosen = champion(&evaluated, metric).map_err(anyhow::Error::msg)?;
        let gates = judge(&params.gates, &found.variants, chosen).map_err(anyhow::Error::msg)?;
        let failed: Vec<String> =
            gates.iter().filter(|gate| !gate.holds).map(|gate| gate.told()).collect();
        tell(context, &found, chosen, metric);
        if !gates.is_empty() {
            let n_held = gates.len() - failed.len();
            context.remark(format!("{n_held} of {} gates hold", gates.len()));
        }
        let named = models.iter().zip(&found.variants);
        let variants = named.map(|(model, (name, evaluated))| {
            (name.clone(), Variant::of(evaluated, Some(model.model.learner())))
        });
        let document = Document {
            format: FORMAT.to_owned(),
            target: models[chosen].model.target().to_owned(),
            classes: models[chosen].model.classes().clone(),
            champion: models[chosen].name.clone(),
            champion_metric: metric.name().to_owned(),
            threshold_rule: params.rule().to_string(),
            variants: variants.collect(),
            reference: found.reference.as_ref().map(|evaluated| Variant::of(evaluated, None)),
            gates,
        };
        context.write("metrics", &json::to_bytes(&document)?)?;
        context.write("champion", &models[chosen].bytes)?;
        if failed.is_empty() { Ok(()) } else { Err(GateFailed(failed).into()) }
    }
}

impl Params {
    fn rule(&self) -> ThresholdRule {
        let value = self.threshold.value;
        match self.threshold.rule.as_str() {
            "recall_at_least" => ThresholdRule::RecallAtLeast(value),
            "precision_at_least" => ThresholdRule::PrecisionAtLeast(value),
            "fixed" => ThresholdRule::Fixed(value),
            _ => ThresholdRule::F1,
        }
    }
}

/// The rule by which the threshold is chosen.
fn threshold() -> Type {
    let value = |doc| vec![Param::required("value", Type::Float(0.0, 1.0), doc)];
    Type::Tagged {
        tag: "rule",
        cases: vec![
            ("f1", vec![]),
            ("recall_at_least", value("the highest threshold with this recall")),
            ("precision_at_least", value("the lowest threshold with this precision")),
            ("fixed", value("the threshold itself")),
        ],
        default: Some("f1"),
    }
}

fn gate() -> Type {
    let bound = || Type::Float(0.0, f64::MAX);
    Type::Record(vec![
        Param::required("metric", Type::Choice(&Metric::NAMES), "what is bounded"),
        Param::new(
            "model",
            Type::Choice(&["champion", "every"]),
            "champion",
            "which variants must keep it",
        ),
        Param::optional("segment", Type::Text, "`column=value`; all rows when left out"),
        Param::optional("min", bound(), "the least allowed"),
        Param::optional("max", bound(), "the most allowed"),
        Param::new("on", Type::Choice(&["validation", "test"]), "test", "on which rows"),
    ])
}

/// A gate that can never hold, or never fail.
fn check_gate(gate: &Bound, i: usize, roles: &Roles) -> Vec<Complaint> {
    let at = |key: Option<&str>| {
        let mut path = vec![Step::Key("gates".to_owned()), Step::Item(i)];
        path.extend(key.map(|key| Step::Key(key.to_owned())));
        path
    };
    let mut complaints = Vec::new();
    match (gate.min, gate.max) {
        (None, None) => {
            complaints.push(Complaint::at(at(None), "a gate needs `min`, `max` or both"));
        }
        (Some(min), Some(max)) if min > max => {
            let message = format!("`min` is {min}, above `max` {max}: nothing can hold");
            complaints.push(Complaint::at(at(Some("min")), message));
        }
        _ => {}
    }
    if let Some(segment) = &gate.segment {
        let is_segment = segment.split_once('=').is_some_and(|(column, _)| {
            roles.get(column).is_some_and(|roles| roles.contains(&crate::ml::schema::Role::Segment))
        });
        if !is_segment {
            let message =
                format!("`{segment}` is no segment: `column=value` of a column of that role");
            complaints.push(Complaint::at(at(Some("segment")), message));
        }
    }
    complaints
}

/// A model that is plugged in.
struct Candidate {
    name: String,
    bytes: Vec<u8>,
    model: Model,
}

/// What was found.
struct Found {
    variants: Vec<(String, Evaluated)>,
    reference: Option<Evaluated>,
}

fn read_models(context: &Context<'_>) -> anyhow::Result<Vec<Candidate>> {
    let mut models: Vec<Candidate> = Vec::new();
    for plugged in context.many("models") {
        let name = plugged.name.clone();
        let is_taken = [REFERENCE, CHAMPION].contains(&name.as_str());
        ensure!(!is_taken, "a variant cannot be called `{name}`: that means something here");
        ensure!(models.iter().all(|model| model.name != name), "two models are called `{name}`");
        let bytes = std::fs::read(&plugged.path)?;
        let model = Model::from_bytes(&bytes).with_context(|| format!("model `{name}`"))?;
        models.push(Candidate { name, bytes, model });
    }
    Ok(models)
}

fn compare(context: &Context<'_>, params: &Params, models: &[Candidate]) -> anyhow::Result<Found> {
    let tables =
        [table_file::read(context.input("validation"))?, table_file::read(context.input("test"))?];
    for table in &tables {
        shared::check_roles(&params.columns, table)?;
    }
    let columns = Columns::of(&tables[0], &params.columns).map_err(anyhow::Error::msg)?;
    let named = models.iter().map(|candidate| (candidate.name.as_str(), &candidate.model));
    let classes = check_models(named, &columns.target, params.positive.as_ref())
        .map_err(anyhow::Error::msg)?;
    let rows = |side: Side, table| {
        Rows::new(table, &columns, &classes)
            .map_err(|error| anyhow::anyhow!("{}: {error}", side.name()))
    };
    let sides = [rows(Side::Validation, &tables[0])?, rows(Side::Test, &tables[1])?];
    let mut variants = Vec::new();
    for Candidate { name, model, .. } in models {
        let scores = [model.probabilities(&tables[0])?, model.probabilities(&tables[1])?];
        let evaluated = evaluate(&sides, &scores, params.rule())
            .map_err(|error| anyhow::anyhow!("model `{name}`: {error}"))?;
        variants.push((name.clone(), evaluated));
    }
    let mut reference = None;
    if let Some(path) = context.optional(REFERENCE) {
        let known = table_file::read(path)?;
        let join = |table| reference_scores(&known, &columns.id, table).map_err(anyhow::Error::msg);
        let scores = [join(&tables[0])?, join(&tables[1])?];
        let evaluated = evaluate(&sides, &scores, params.rule())
            .map_err(|error| anyhow::anyhow!("{REFERENCE}: {error}"))?;
        reference = Some(evaluated);
    }
    Ok(Found { variants, reference })
}

/// Tells what was found: lines for people, and the metrics that runs are compared by.
fn tell(context: &Context<'_>, found: &Found, chosen: usize, metric: Metric) {
    let lines = leaderboard::lines(&found.variants, chosen, found.reference.as_ref());
    lines.into_iter().for_each(|line| context.remark(line));
    let (name, champion) = &found.variants[chosen];
    context.remark(leaderboard::champion_line(name, champion, metric));
    if let Some(reference) = &found.reference {
        context.remark(leaderboard::reference_line(champion, reference, metric));
    }
    let reference = found.reference.iter().map(|evaluated| (REFERENCE, evaluated));
    let variants = found.variants.iter().map(|(name, evaluated)| (name.as_str(), evaluated));
    for (name, evaluated) in variants.chain(reference) {
        context.metric(format!("{name}.threshold"), evaluated.threshold, Goal::None);
        tell_report(context, name, &evaluated.test);
    }
    // The champion overall once more, under a name that stays when another variant is chosen, so
    // that runs can be compared by it.
    let mut overall = champion.test.clone();
    overall.retain(|segment, _| segment == OVERALL);
    tell_report(context, CHAMPION, &overall);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(params: Value) -> Vec<String> {
        let params = Evaluate.params().check(&params).unwrap();
        assert!(Params::deserialize(&params).is_ok());
        Evaluate.check(&params).into_iter().map(|complaint| complaint.message).collect()
    }

    #[test]
    fn the_defaults_are_f1_and_roc_auc() {
        let params = Evaluate.params().check(&json!({})).unwrap();
        let params = Params::deserialize(&params).unwrap();
        assert_eq!(params.rule(), ThresholdRule::F1);
        assert_eq!(params.champion, "roc_auc");
        assert!(params.gates.is_empty());
    }

    #[test]
    fn a_rule_takes_its_value() {
        let rule = |threshold: Value| {
            let params = Evaluate.params().check(&json!({ "threshold": threshold }));
            params.map(|params| Params::deserialize(&params).unwrap().rule())
        };
        let given = json!({"rule": "recall_at_least", "value": 0.6});
        assert_eq!(rule(given), Ok(ThresholdRule::RecallAtLeast(0.6)));
        assert_eq!(rule(json!({"rule": "fixed", "value": 1})), Ok(ThresholdRule::Fixed(1.0)));
        assert!(rule(json!({"rule": "fixed"})).is_err());
        assert!(rule(json!({"rule": "f1", "value": 0.5})).is_err());
    }

    #[test]
    fn a_gate_that_says_nothing_is_refused() {
        let columns = json!({"plan": ["segment", "feature"]});
        let gates = |gate: Value| messages(json!({"columns": columns, "gates": [gate]}));
        assert_eq!(gates(json!({"metric": "recall", "min": 0.5})), [] as [&str; 0]);
        let fine = json!({"metric": "recall", "min": 0.5, "segment": "plan=a=b"});
        assert_eq!(gates(fine), [] as [&str; 0]);
        assert_eq!(gates(json!({"metric": "recall"})), ["a gate needs `min`, `max` or both"]);
        assert_eq!(
            gates(json!({"metric": "recall", "min": 0.5, "max": 0.4})),
            ["`min` is 0.5, above `max` 0.4: nothing can hold"]
        );
        assert_eq!(
            gates(json!({"metric": "recall", "min": 0.5, "segment": "region=x"})),
            ["`region=x` is no segment: `column=value` of a column of that role"]
        );
    }
}
