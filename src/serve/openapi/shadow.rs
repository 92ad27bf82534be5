//! The path that tells what came of a challenger.

use serde_json::{Value, json};

use super::{headers, ok, reference};
use crate::serve::problem_json;
use crate::serve::shadow::summary::{BOUNDS, FORMAT};

/// The path.
pub(super) fn path() -> Value {
    let refusal = json!({
        "description": "No challenger is wanted",
        "headers": headers(),
        "content": {
            "application/json": { "schema": reference("Problem") },
            problem_json::MEDIA_TYPE: { "schema": reference("ProblemDetails") },
        },
    });
    let told = "What a challenger makes of the rows that were answered";
    json!({ "get": {
        "operationId": "shadow",
        "summary": told,
        "responses": { "200": ok(told, reference("Shadow")), "404": refusal },
    }})
}

/// The shape of its answer.
pub(super) fn schema(version: &Value) -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let share = json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 });
    let time = json!({ "type": "string", "format": "date-time" });
    let object = |properties: Value| {
        let names: Vec<&String> =
            properties.as_object().into_iter().flat_map(|p| p.keys()).collect();
        json!({ "type": "object", "required": names, "properties": properties })
    };
    let some =
        |version: &Value| json!({ "type": ["string", "null"], "pattern": version["pattern"] });
    let bin = object(json!({ "at_most": { "enum": BOUNDS }, "rows": count }));
    let pair = object(json!({
        "format": { "const": FORMAT },
        "champion": version,
        "challenger": version,
        "since": time,
        "until": { "type": ["string", "null"], "format": "date-time" },
        "rows": object(json!({
            "compared": count, "dropped": count, "refused": count, "failed": count,
        })),
        "refusals": { "type": "array", "items": object(json!({
            "field": { "type": "string" }, "type": { "type": "string" }, "rows": count,
        })) },
        "changed": object(json!({ "to_negative": count, "to_positive": count })),
        "difference": object(json!({
            "mean": share, "max": share,
            "shift": { "type": ["number", "null"], "minimum": -1, "maximum": 1 },
            "sum_billionths": count, "shift_billionths": { "type": "integer" },
            "bins": { "type": "array", "items": bin },
        })),
    }));
    let mut report = object(json!({
        "status": { "enum": ["comparing", "waiting"] },
        "champion": some(version),
        "challenger": some(version),
        "threshold": { "type": "number", "minimum": 0, "maximum": 1 },
        "queue": object(json!({ "rows": count, "capacity": count })),
        "pairs": { "type": "array", "items": pair },
    }));
    report["properties"]["warnings"] = json!({ "type": "array", "items": { "type": "string" } });
    report
}
