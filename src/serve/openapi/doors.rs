//! The paths of other protocols, in the same document.
//!
//! Their envelopes leave more open than JSON Schema can say (lists of equal length, shapes that fit
//! their data), so that a body which fits the schema may still be refused.

use serde_json::{Map, Value, json};

use super::{got, ok, probe, reference};
use crate::ml::package::{Package, Task};
use crate::serve::doors::v2;
use crate::serve::state::Options;

/// The paths of Open Inference Protocol V2, MLflow, SageMaker and Vertex.
pub(super) fn paths(package: &Package, options: &Options) -> Map<String, Value> {
    let mut paths = Map::new();
    let mut put = |path: &str, item: Value| paths.insert(path.to_owned(), item);
    put("/invocations", json!({ "post": invocations(package, "invocations") }));
    put("/ping", probe("ping", "Whether requests should be sent here", "Health"));
    let version = closed(json!({ "version": { "type": "string" } }));
    put("/version", got("version", "The program's version", version));
    let server = closed(json!({
        "name": { "type": "string" }, "version": { "type": "string" },
        "extensions": { "type": "array" },
    }));
    put("/v2", got("v2_server", "The server", server));
    let live = closed(json!({ "live": { "const": true } }));
    put("/v2/health/live", got("v2_live", "Whether the process answers at all", live));
    put("/v2/health/ready", ready("v2_ready", &["ready"]));
    let name = encoded(&package.manifest().name);
    let model = format!("/v2/models/{name}");
    for (of, id) in [
        (model.clone(), "v2_model"),
        (format!("{model}/versions/{}", package.version()), "v2_version"),
    ] {
        put(&of, got(id, "The model and its tensors", json!({ "type": "object" })));
        put(&format!("{of}/ready"), ready(&format!("{id}_ready"), &["name", "ready"]));
        put(&format!("{of}/infer"), json!({ "post": infer(package, &format!("{id}_infer")) }));
    }
    if let Some(path) = &options.routes.predict {
        put(path, json!({ "post": invocations(package, "vertex_predict") }));
    }
    if let Some(path) = &options.routes.health {
        put(path, probe("vertex_health", "Whether requests should be sent here", "Health"));
    }
    paths
}

/// A name as a step of a path.
fn encoded(name: &str) -> String {
    let mut step = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                step.push(char::from(byte));
            }
            _ => step.push_str(&format!("%{byte:02X}")),
        }
    }
    step
}

/// An object with these members, all of them required.
fn closed(properties: Value) -> Value {
    let names: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": names, "properties": properties })
}

fn ready(id: &str, members: &[&str]) -> Value {
    let shape = |member: &&str| match *member {
        "ready" => ("ready".to_owned(), json!({ "type": "boolean" })),
        other => (other.to_owned(), json!({ "type": "string" })),
    };
    let schema = closed(members.iter().map(shape).collect());
    json!({ "get": {
        "operationId": id,
        "summary": "Whether requests should be sent here",
        "responses": { "200": ok("Yes", schema.clone()), "503": ok("No", schema) },
    }})
}

/// What a door may answer: `ok`, and every refusal in its own tongue.
fn refusable(ok_schema: Value, error: Value) -> Value {
    let mut responses = Map::from_iter([("200".to_owned(), ok("Predictions", ok_schema))]);
    for (status, text) in super::REFUSALS {
        let mut refusal = ok(text, error.clone());
        if status == "422" {
            // The protocols have no such status: only who asks for RFC 9457 sees it.
            refusal["content"] = json!({});
        }
        let details = json!({ "schema": reference("ProblemDetails") });
        refusal["content"][crate::serve::problem_json::MEDIA_TYPE] = details;
        responses.insert(status.to_owned(), refusal);
    }
    Value::Object(responses)
}

fn invocations(package: &Package, id: &str) -> Value {
    let records = json!({ "type": "array", "items": reference("Record") });
    let method = match package.task() {
        Task::Classes(_) => json!({ "enum": ["predict", "predict_proba"] }),
        Task::Number => json!({ "enum": ["predict"] }),
    };
    let params = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "predict_method": method },
    });
    let request = |name: &str, rows: &Value, params_name: &str| {
        json!({
            "type": "object", "additionalProperties": false, "required": [name],
            "properties": { name: rows, params_name: params },
        })
    };
    let split = json!({
        "type": "object", "additionalProperties": false, "required": ["columns", "data"],
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" } },
            "index": { "type": "array" },
            "data": { "type": "array", "items": { "type": "array" } },
        },
    });
    let error = closed(json!({
        "error_code": { "type": "string" }, "message": { "type": "string" },
    }));
    let predictions = match package.task() {
        Task::Classes(_) => json!({ "type": "array" }),
        Task::Number => json!({ "type": "array", "items": { "type": "number" } }),
    };
    let answer = closed(json!({ "predictions": predictions }));
    let mut responses = refusable(answer, error);
    // To CSV alone, where `Accept` prefers it.
    responses["200"]["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
    json!({
        "operationId": id,
        "summary": "Predict, as MLflow's scoring server, SageMaker and Vertex are asked",
        "requestBody": { "required": true, "content": {
            "application/json": {
                "schema": { "oneOf": [
                    request("dataframe_records", &records, "params"),
                    request("inputs", &records, "params"),
                    request("instances", &records, "parameters"),
                    request("dataframe_split", &split, "params"),
                ]},
                "example": { "dataframe_records": [package.schema().example()] },
            },
            "text/csv": { "schema": { "type": "string" } },
        }},
        "responses": responses,
    })
}

fn infer(package: &Package, id: &str) -> Value {
    let (mut names, mut example) = (Vec::new(), Vec::new());
    for field in &package.schema().fields {
        let datatype = v2::datatype(field.ty);
        names.push(json!(field.name));
        example.push(json!({
            "name": field.name, "shape": [1, 1], "datatype": datatype, "data": [field.example],
        }));
    }
    let tensor = json!({
        "type": "object", "additionalProperties": false,
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": { "enum": names },
            "shape": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
            "datatype": { "enum": ["BOOL", "INT64", "FP64", "BYTES"] },
            "parameters": { "type": "object" },
            "data": { "type": "array" },
        },
    });
    let outputs: Vec<_> = v2::outputs(package.task()).into_iter().map(|(name, _)| name).collect();
    let output = json!({
        "type": "object", "additionalProperties": false, "required": ["name"],
        "properties": {
            "name": { "enum": outputs },
            "parameters": { "type": "object" },
        },
    });
    let error = closed(json!({ "error": { "type": "string" } }));
    let answer = closed(json!({
        "model_name": { "type": "string" }, "model_version": { "type": "string" },
        "outputs": { "type": "array" },
    }));
    json!({
        "operationId": id,
        "summary": "Predict, by the Open Inference Protocol",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": {
                "type": "object", "additionalProperties": false, "required": ["inputs"],
                "properties": {
                    "id": { "type": "string", "maxLength": 128 },
                    "parameters": { "type": "object" },
                    "inputs": { "type": "array", "items": tensor },
                    "outputs": { "type": "array", "items": output },
                },
            },
            "example": { "inputs": example },
        }}},
        "responses": refusable(answer, error),
    })
}
