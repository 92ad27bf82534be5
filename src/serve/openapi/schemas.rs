//! The shapes of requests and answers, as JSON Schema.
//!
//! A record's shape is the package's own. What the policy does not enforce is told in words
//! instead, because a client that is generated from this would refuse it by itself.

use serde_json::{Map, Value, json};

use super::{reference, shadow};
use crate::ml::package::input::{self, InputField};
use crate::ml::package::manifest::Decision;
use crate::ml::package::{Package, Task};
use crate::ml::schema::FieldType;
use crate::serve::policy::{Extra, Policy, Range};

/// All shapes by their names.
pub(super) fn all(package: &Package, policy: Policy, is_keyed: bool) -> Value {
    let fields = &package.schema().fields;
    let property = |field: &InputField| (field.name.clone(), property(field, policy));
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    let required: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let version = json!({ "type": "string", "pattern": "^[0-9a-f]{12}$" });
    // Probes that show no key are told no more than the status.
    let health =
        if is_keyed { json!(["status"]) } else { json!(["status", "model_version", "checks"]) };
    json!({
        "Record": {
            "type": "object",
            "additionalProperties": policy.extra == Extra::Ignore,
            "required": required,
            "properties": properties,
        },
        "Prediction": prediction(package.task(), &version),
        "Explanation": explanation(package.task()),
        "Entry": entry(),
        "Problem": problem(&version),
        "ProblemDetails": details(&version),
        "Health": {
            "type": "object",
            "required": health,
            "properties": {
                "status": { "enum": ["pass", "fail"] },
                "model_version": version,
                "served_since": { "type": "string", "format": "date-time" },
                "checks": { "type": "object" },
                "output": { "type": "string" },
            },
        },
        "Drift": drift(&version),
        "Shadow": shadow::schema(&version),
        "Live": {
            "type": "object",
            "required": ["status"],
            "properties": { "status": { "const": "pass" } },
        },
    })
}

/// What `/drift` tells; of a package without a distribution only why there is nothing.
fn drift(version: &Value) -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let share = json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 });
    let number = json!({ "type": ["number", "null"] });
    let bin = json!({
        "type": "object",
        "required": ["reference", "share"],
        "properties": {
            "from": number, "below": number, "value": { "type": "string" },
            "others": { "const": true }, "reference": share, "share": share,
        },
    });
    let moved = json!({
        "type": "object",
        "required": ["is_drifted", "enough", "enough_at", "n", "psi", "psi_p_value", "bins"],
        "properties": {
            "is_drifted": { "type": "boolean" }, "enough": { "type": "boolean" },
            "enough_at": count, "n": count,
            "psi": number, "psi_p_value": share, "bins": { "type": "array", "items": bin },
        },
    });
    let mut feature = moved.clone();
    for (name, schema) in [
        ("feature", &json!({ "type": "string" })),
        ("missing", &share),
        ("reference_missing", &share),
        ("unseen", &count),
        ("out_of_range", &count),
    ] {
        feature["properties"][name] = schema.clone();
    }
    json!({
        "type": "object",
        "required": ["status", "model_version"],
        "properties": {
            "status": { "enum": ["ok", "drift", "unknown"] },
            "model_version": version,
            "reason": { "type": "string" },
            "since": { "type": "string", "format": "date-time" },
            "window_hours": { "type": "number" },
            "rows": count, "reference_rows": count,
            "drifted": { "type": "array", "items": { "type": "string" } },
            "features": { "type": "array", "items": feature },
            "score": moved,
        },
    })
}

fn prediction(task: &Task, version: &Value) -> Value {
    let mut answer = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["prediction", "model_version"],
        "properties": {
            "model_version": version,
            "explanation": reference("Explanation"),
            "warnings": { "type": "array", "items": reference("Entry") },
            "warnings_omitted": { "type": "integer", "minimum": 1 },
        },
    });
    match task {
        Task::Classes(Decision { classes, .. }) => {
            answer["required"] = json!(["prediction", "probability", "model_version"]);
            answer["properties"]["prediction"] = json!({ "enum": classes });
            answer["properties"]["probability"] = json!({
                "type": "number", "minimum": 0, "maximum": 1,
                "description": "Of the positive class",
            });
        }
        Task::Number => answer["properties"]["prediction"] = json!({ "type": "number" }),
    }
    answer
}

fn explanation(task: &Task) -> Value {
    let mut explanation = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["scale", "base", "contributions"],
        "properties": {
            "scale": { "description": "What `base` and all contributions add up to" },
            "base": { "type": "number" },
            "contributions": { "type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["field", "contribution"],
                "properties": {
                    "field": { "type": "string" },
                    "contribution": { "type": "number" },
                },
            }},
        },
    });
    match task {
        Task::Classes(_) => {
            explanation["required"] = json!(["scale", "calibrated", "base", "contributions"]);
            explanation["properties"]["scale"]["enum"] = json!(["log_odds", "probability"]);
            explanation["properties"]["calibrated"] = json!({
                "type": "boolean",
                "description": "Whether the probability is calibrated after this",
            });
        }
        Task::Number => explanation["properties"]["scale"]["enum"] = json!(["target"]),
    }
    explanation
}

fn entry() -> Value {
    json!({
        "type": "object",
        "required": ["type", "loc", "msg", "message"],
        "properties": {
            "type": { "type": "string" },
            "loc": { "type": "array", "items": { "type": ["string", "integer"] } },
            "msg": { "type": "string" },
            "input": {},
            "ctx": { "type": "object" },
            "valid_range": { "type": "array", "items": { "type": "number" } },
            "expected": { "type": "array", "items": { "type": "string" } },
            "message": { "type": "string" },
        },
    })
}

fn problem(version: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["detail", "title", "status", "model_version", "request_id"],
        "properties": {
            "detail": { "type": "array", "items": reference("Entry") },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "omitted": { "type": "integer" },
            "model_version": version,
            "request_id": { "type": "string" },
        },
    })
}

/// RFC 9457.
fn details(version: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance", "errors", "model_version"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string" },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {
                    "pointer": { "type": "string" },
                    "detail": { "type": "string" },
                    "code": { "type": "string" },
                    "valid_range": { "type": "array", "items": { "type": "number" } },
                    "expected": { "type": "array", "items": { "type": "string" } },
                },
            }},
            "omitted": { "type": "integer" },
            "model_version": version,
        },
    })
}

/// A field as JSON Schema.
fn property(field: &InputField, policy: Policy) -> Value {
    let mut schema = Map::new();
    let types: &[&str] = match (field.ty, policy.lax) {
        (FieldType::Integer, false) => &["integer"],
        (FieldType::Integer, true) => &["integer", "string"],
        (FieldType::Number, false) => &["number"],
        (FieldType::Number, true) => &["number", "string"],
        (FieldType::Boolean, false) => &["boolean"],
        (FieldType::Boolean, true) => &["boolean", "integer", "string"],
        (FieldType::Category | FieldType::Text, _) => &["string"],
    };
    let types: Vec<&str> = types.iter().copied().chain(field.nullable.then_some("null")).collect();
    let ty = if let [only] = types.as_slice() { json!(only) } else { json!(types) };
    schema.insert("type".to_owned(), ty);
    let whole = field.ty == FieldType::Integer;
    let mut told = Vec::new();
    for (key, bound) in [("minimum", field.min), ("maximum", field.max)] {
        let Some(bound) = bound.map(|bound| input::number(bound, whole)) else { continue };
        if policy.range == Range::Reject {
            schema.insert(key.to_owned(), bound);
        } else {
            told.push(format!("{key} in training: {}", input::plain(&bound)));
        }
    }
    if let Some(categories) = &field.categories {
        let names = categories.iter().map(|name| json!(name));
        let null = field.nullable.then_some(Value::Null);
        schema.insert("enum".to_owned(), names.chain(null).collect());
    }
    told.extend(field.date.as_ref().map(|format| format!("A date of the format {format}")));
    if !told.is_empty() {
        schema.insert("description".to_owned(), json!(told.join("; ")));
    }
    schema.insert("examples".to_owned(), json!([field.example]));
    Value::Object(schema)
}
