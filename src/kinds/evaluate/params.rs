//! The parameters of `evaluate`: what they take, and mistakes that no single one of them shows.

use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use super::regression;
use crate::kinds::shared;
use crate::ml::evaluation::Deciding;
use crate::ml::evaluation::certainty::Confidence;
use crate::ml::evaluation::gates::Bound;
use crate::ml::evaluation::importance::Effort;
use crate::ml::metrics::{Budget, Metric, Profit, ThresholdRule};
use crate::ml::schema::{Role, Roles};

#[derive(Deserialize)]
pub(super) struct Params {
    pub(super) columns: Roles,
    pub(super) positive: Option<Value>,
    threshold: Threshold,
    pub(super) champion: String,
    pub(super) segments: Segments,
    confidence: f64,
    resamples: usize,
    importance: Importance,
    partial_dependence: PartialDependence,
    pub(super) gates: Vec<Bound>,
}

#[derive(Deserialize)]
pub(super) struct Importance {
    repeats: usize,
    max_rows: usize,
    contribution_rows: usize,
}

#[derive(Deserialize)]
pub(super) struct PartialDependence {
    grid: usize,
    max_rows: usize,
}

#[derive(Deserialize)]
struct Threshold {
    rule: String,
    #[serde(default)]
    value: f64,
    #[serde(default)]
    cost: f64,
    #[serde(default)]
    success: f64,
    budget: Option<u64>,
    per_rows: Option<u64>,
    per_segment: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Segments {
    /// Columns whose combinations are segments, too.
    pub(super) intersect: Vec<Vec<String>>,
    /// The fewest rows of a segment that is judged.
    pub(super) min_rows: u64,
}

impl Params {
    pub(super) fn rule(&self) -> ThresholdRule {
        let value = self.threshold.value;
        match self.threshold.rule.as_str() {
            "recall_at_least" => ThresholdRule::RecallAtLeast(value),
            "precision_at_least" => ThresholdRule::PrecisionAtLeast(value),
            "fixed" => ThresholdRule::Fixed(value),
            "profit" => ThresholdRule::Profit(self.threshold.profit()),
            _ => ThresholdRule::F1,
        }
    }

    pub(super) fn deciding(&self) -> Deciding {
        Deciding {
            rule: self.rule(),
            per_segment: self.threshold.per_segment.clone(),
            min_rows: self.segments.min_rows as usize,
        }
    }

    pub(super) fn how_sure(&self) -> Confidence {
        Confidence {
            level: self.confidence,
            resamples: self.resamples,
            min_rows: self.segments.min_rows as usize,
        }
    }

    pub(super) fn effort(&self) -> Effort {
        effort(&self.importance, &self.partial_dependence)
    }
}

/// How closely one looks at a champion.
pub(super) fn effort(importance: &Importance, dependence: &PartialDependence) -> Effort {
    Effort {
        repeats: importance.repeats,
        max_rows: importance.max_rows,
        grid: dependence.grid,
        grid_rows: dependence.max_rows,
        contribution_rows: importance.contribution_rows,
    }
}

impl Threshold {
    fn profit(&self) -> Profit {
        let Threshold { value, cost, success, per_rows, .. } = *self;
        let budget = self.budget.map(|contacts| Budget { contacts, per_rows });
        Profit { value, cost, success, budget }
    }
}

/// What `evaluate` takes.
pub(super) fn declared() -> Type {
    Type::Tagged {
        tag: "task",
        cases: vec![("classification", classification()), ("regression", regression::declared())],
        default: Some("classification"),
    }
}

fn classification() -> Vec<Param> {
    let champion = "the metric that picks the champion, on validation; the first of equals wins";
    let confidence = "how often an interval is to hold the true figure";
    let resamples = "how often the test rows are drawn anew for intervals other than of roc_auc";
    vec![
        shared::columns(),
        shared::positive(),
        Param::new("threshold", threshold(), json!({"rule": "f1"}), "how it is chosen"),
        Param::new("champion", Type::Choice(&Metric::NAMES), "roc_auc", champion),
        Param::new("segments", segments(), json!({}), "what is looked at apart"),
        Param::new("confidence", Type::Float(0.5, 0.999), 0.95, confidence),
        Param::new("resamples", Type::Int(100, 100_000), 1000, resamples),
        Param::new("importance", importance(), json!({}), "how the champion's features are ranked"),
        Param::new("partial_dependence", dependence(), json!({}), "what it answers as they change"),
        gates(&Metric::NAMES, 0.0),
    ]
}

pub(super) fn importance() -> Type {
    let repeats = "how often each column is shuffled";
    let max_rows = "the most test rows that are shuffled; of more, those at equal steps";
    let contributions = "the most test rows whose answers are taken apart into what features add";
    Type::Record(vec![
        Param::new("repeats", Type::Int(1, 1000), 5, repeats),
        Param::new("max_rows", Type::Int(10, i64::MAX), 1000, max_rows),
        Param::new("contribution_rows", Type::Int(10, i64::MAX), 200, contributions),
    ])
}

pub(super) fn dependence() -> Type {
    let grid = "the most values that are tried: quantiles of numbers, the most frequent texts";
    let max_rows = "the most test rows that the mean answer is of; of more, those at equal steps";
    Type::Record(vec![
        Param::new("grid", Type::Int(2, 1000), 10, grid),
        Param::new("max_rows", Type::Int(10, i64::MAX), 200, max_rows),
    ])
}

/// The rule by which the threshold is chosen.
fn threshold() -> Type {
    let value = |doc| vec![Param::required("value", Type::Float(0.0, 1.0), doc)];
    let per_segment = "a column of texts that is a feature and a segment: each of its values that \
                       has `segments.min_rows` rows on validation gets a threshold of its own";
    let with = |mut params: Vec<Param>| {
        params.push(Param::optional("per_segment", Type::Text, per_segment));
        params
    };
    Type::Tagged {
        tag: "rule",
        cases: vec![
            ("f1", with(vec![])),
            ("recall_at_least", with(value("the highest threshold with this recall"))),
            ("precision_at_least", with(value("the lowest threshold with this precision"))),
            ("fixed", value("the threshold itself")),
            ("profit", with(profit())),
        ],
        default: Some("f1"),
    }
}

fn profit() -> Vec<Param> {
    let money = || Type::Float(0.0, 1e12);
    let count = || Type::Int(1, i64::MAX);
    let value = "what a positive row is worth once it is won over, in any unit of money";
    let cost = "what contacting a row costs, in the same unit";
    let success = "how often contact wins a positive row over";
    let budget = "the most rows that can be contacted; no limit when left out";
    let per_rows = "among how many rows the budget is; the rows of validation when left out";
    vec![
        Param::required("value", money(), value),
        Param::required("cost", money(), cost),
        Param::new("success", Type::Float(0.0, 1.0), 1.0, success),
        Param::optional("budget", count(), budget),
        Param::optional("per_rows", count(), per_rows),
    ]
}

pub(super) fn segments() -> Type {
    let intersect = "lists of columns with the role segment: each combination of their values is a \
                     segment, named `a=x & b=y`";
    let min_rows = "segments of fewer rows are told, but have no intervals and fail no gate";
    Type::Record(vec![
        Param::new("intersect", Type::Text.list().list(), json!([]), intersect),
        Param::new("min_rows", Type::Int(1, i64::MAX), 30, min_rows),
    ])
}

/// `gates` on these metrics, none of which is below `least`.
pub(super) fn gates(metrics: &'static [&'static str], least: f64) -> Param {
    let gate = gate(metrics, least);
    Param::new("gates", gate.list(), json!([]), "bounds that must hold")
}

fn gate(metrics: &'static [&'static str], least: f64) -> Type {
    let bound = || Type::Float(least, f64::MAX);
    let segment = "`column=value`, or `a=x & b=y` of an intersection; all rows when left out";
    let models = Type::Choice(&["champion", "every"]);
    Type::Record(vec![
        Param::required("metric", Type::Choice(metrics), "what is bounded"),
        Param::new("model", models, "champion", "which variants must keep it"),
        Param::optional("segment", Type::Text, segment),
        Param::optional("min", bound(), "the least allowed"),
        Param::optional("max", bound(), "the most allowed"),
        Param::new("on", Type::Choice(&["validation", "test"]), "test", "on which rows"),
    ])
}

/// Mistakes that no single parameter shows.
pub(super) fn check(params: &Params) -> Vec<Complaint> {
    let mut complaints = check_gates(&params.gates, &params.columns);
    complaints.extend(check_threshold(&params.threshold, &params.columns));
    complaints.extend(check_intersections(&params.segments.intersect, &params.columns));
    complaints
}

/// Gates that can never hold, or never fail.
pub(super) fn check_gates(gates: &[Bound], roles: &Roles) -> Vec<Complaint> {
    gates.iter().enumerate().flat_map(|(i, gate)| check_gate(gate, i, roles)).collect()
}

/// Intersections that are none.
pub(super) fn check_intersections(intersect: &[Vec<String>], roles: &Roles) -> Vec<Complaint> {
    let all = intersect.iter().enumerate();
    all.flat_map(|(i, columns)| check_intersection(columns, i, roles)).collect()
}

fn is_segment(column: &str, roles: &Roles) -> bool {
    roles.get(column).is_some_and(|roles| roles.contains(&Role::Segment))
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
        let known = segment.split_once('=').is_some_and(|(column, _)| is_segment(column, roles));
        if !known {
            let message =
                format!("`{segment}` is no segment: `column=value` of a column of that role");
            complaints.push(Complaint::at(at(Some("segment")), message));
        }
    }
    complaints
}

/// A budget that is for nothing or for each segment anew; a segment that no service can know.
fn check_threshold(threshold: &Threshold, roles: &Roles) -> Vec<Complaint> {
    let complaint = |key: &str, message: &str| {
        let path = ["threshold", key].map(|key| Step::Key(key.to_owned())).to_vec();
        Complaint::at(path, message)
    };
    let mut complaints = Vec::new();
    if threshold.per_rows.is_some() && threshold.budget.is_none() {
        let message = "`per_rows` says what `budget` is for: give that, too";
        complaints.push(complaint("per_rows", message));
    }
    let Some(column) = &threshold.per_segment else { return complaints };
    if threshold.budget.is_some() && threshold.per_rows.is_none() {
        let message = "a budget that segments share needs `per_rows`: each gets its part by rows";
        complaints.push(complaint("budget", message));
    }
    let is_feature = roles.get(column).is_some_and(|roles| roles.contains(&Role::Feature));
    if !is_segment(column, roles) || !is_feature {
        let message = format!("`{column}` must have the roles `feature` and `segment`");
        let hint = "whoever predicts must know its value: `columns` gives it both roles";
        complaints.push(complaint("per_segment", &message).hinted(hint));
    }
    complaints
}

/// An intersection of fewer than two columns, or of columns that are no segments.
fn check_intersection(columns: &[String], i: usize, roles: &Roles) -> Vec<Complaint> {
    let mut path =
        vec![Step::Key("segments".to_owned()), Step::Key("intersect".to_owned()), Step::Item(i)];
    let mut complaints = Vec::new();
    if columns.len() < 2 {
        let message = "an intersection is of two columns or more";
        complaints.push(Complaint::at(path.clone(), message));
    }
    for (j, column) in columns.iter().enumerate() {
        path.push(Step::Item(j));
        if !is_segment(column, roles) {
            let message = format!("`{column}` has not the role `segment`");
            let hint = format!("`columns` gives it: `{column} = [\"feature\", \"segment\"]`");
            complaints.push(Complaint::at(path.clone(), message).hinted(hint));
        } else if columns[..j].contains(column) {
            let message = format!("`{column}` stands twice in the intersection");
            complaints.push(Complaint::at(path.clone(), message));
        }
        path.pop();
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(params: Value) -> Vec<String> {
        let params = Params::deserialize(declared().check(&params).unwrap()).unwrap();
        check(&params).into_iter().map(|complaint| complaint.message).collect()
    }

    #[test]
    fn the_defaults_are_f1_and_roc_auc() {
        let params = Params::deserialize(declared().check(&json!({})).unwrap()).unwrap();
        assert_eq!(params.rule(), ThresholdRule::F1);
        assert_eq!(params.champion, "roc_auc");
        assert!(params.gates.is_empty() && params.segments.intersect.is_empty());
        let expected = Confidence { level: 0.95, resamples: 1000, min_rows: 30 };
        assert_eq!(params.how_sure(), expected);
        let expected =
            Effort { repeats: 5, max_rows: 1000, grid: 10, grid_rows: 200, contribution_rows: 200 };
        assert_eq!(params.effort(), expected);
    }

    #[test]
    fn a_rule_takes_its_value() {
        let rule = |threshold: Value| {
            let params = declared().check(&json!({ "threshold": threshold }));
            params.map(|params| Params::deserialize(&params).unwrap().rule())
        };
        let given = json!({"rule": "recall_at_least", "value": 0.6});
        assert_eq!(rule(given), Ok(ThresholdRule::RecallAtLeast(0.6)));
        assert_eq!(rule(json!({"rule": "fixed", "value": 1})), Ok(ThresholdRule::Fixed(1.0)));
        assert!(rule(json!({"rule": "fixed"})).is_err());
        assert!(rule(json!({"rule": "f1", "value": 0.5})).is_err());
        let given =
            json!({"rule": "profit", "value": 500, "cost": 5, "budget": 10, "per_rows": 90});
        let budget = Some(Budget { contacts: 10, per_rows: Some(90) });
        let expected = Profit { value: 500.0, cost: 5.0, success: 1.0, budget };
        assert_eq!(rule(given), Ok(ThresholdRule::Profit(expected)));
        let alone = json!({"rule": "profit", "value": 500, "cost": 5, "per_rows": 90});
        assert_eq!(
            messages(json!({ "threshold": alone })),
            ["`per_rows` says what `budget` is for: give that, too"]
        );
    }

    #[test]
    fn a_threshold_per_segment_is_by_a_feature_and_shares_its_budget() {
        let columns = json!({"plan": ["segment", "feature"], "region": "segment"});
        let told = |threshold: Value| messages(json!({"columns": columns, "threshold": threshold}));
        assert_eq!(told(json!({"rule": "f1", "per_segment": "plan"})), [] as [&str; 0]);
        for column in ["region", "age"] {
            assert_eq!(
                told(json!({"rule": "f1", "per_segment": column})),
                [format!("`{column}` must have the roles `feature` and `segment`")]
            );
        }
        let profit =
            json!({"rule": "profit", "value": 9, "cost": 1, "budget": 5, "per_segment": "plan"});
        let expected = "a budget that segments share needs `per_rows`: each gets its part by rows";
        assert_eq!(told(profit), [expected]);
        let fixed = json!({"threshold": {"rule": "fixed", "value": 0.5, "per_segment": "plan"}});
        assert!(declared().check(&fixed).is_err(), "a fixed threshold is one");
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

    #[test]
    fn an_intersection_is_of_different_segments() {
        let columns =
            json!({"plan": ["segment", "feature"], "region": "segment", "age": "feature"});
        let intersect =
            |lists: Value| messages(json!({"columns": columns, "segments": {"intersect": lists}}));
        assert_eq!(intersect(json!([["plan", "region"]])), [] as [&str; 0]);
        assert_eq!(
            intersect(json!([["plan"], ["plan", "age"], ["plan", "plan"]])),
            [
                "an intersection is of two columns or more",
                "`age` has not the role `segment`",
                "`plan` stands twice in the intersection"
            ]
        );
    }
}
