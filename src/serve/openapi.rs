//! The OpenAPI 3.1 document, made from the package: ranges, categories and examples are the
//! model's own.
//!
//! Made once at the start. It tells the contract and not how it is kept.

use serde_json::{Map, Value, json};

use crate::ml::package::Package;
use crate::ml::package::input::{self, InputField};
use crate::ml::schema::FieldType;
use crate::serve::state::Options;

/// The document's bytes.
pub(crate) fn write(package: &Package, options: &Options) -> Vec<u8> {
    let manifest = package.manifest();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": manifest.name,
            "summary": manifest.description,
            "version": package.version(),
        },
        "paths": paths(package, options),
        "components": { "schemas": schemas(package) },
    });
    serde_json::to_vec(&document).unwrap_or_default()
}

fn paths(package: &Package, options: &Options) -> Value {
    json!({
        "/predict": { "post": predict(package, options) },
        "/health": { "get": health("health", "Whether the service can predict, check by check") },
        "/health/ready": { "get": health("ready", "Whether requests should be sent here") },
        "/health/live": { "get": {
            "operationId": "live",
            "summary": "Whether the process answers at all",
            "responses": { "200": ok("It does", reference("Live")) },
        }},
        "/openapi.json": { "get": {
            "operationId": "openapi",
            "summary": "This document",
            "responses": { "200": ok("OpenAPI 3.1", json!({ "type": "object" })) },
        }},
        "/": { "get": {
            "operationId": "page",
            "summary": "A page to try a prediction on",
            "responses": { "200": {
                "description": "The page",
                "content": { "text/html": { "schema": { "type": "string" } } },
            }},
        }},
    })
}

fn predict(package: &Package, options: &Options) -> Value {
    let record = reference("Record");
    let answer = reference("Prediction");
    let mut responses = Map::new();
    let both = json!({ "oneOf": [answer, { "type": "array", "items": answer }] });
    responses.insert("200".to_owned(), ok("One prediction per record", both));
    let problems = [
        ("400", "The body is not JSON"),
        ("408", "The body did not arrive in time"),
        ("413", "The body is too large"),
        ("415", "The body's type is not application/json"),
        ("422", "Fields are not as the model needs them; all of them are listed"),
        ("500", "The server failed"),
    ];
    for (status, text) in problems {
        responses.insert(status.to_owned(), ok(text, reference("Problem")));
    }
    json!({
        "operationId": "predict",
        "summary": format!("Predict `{}`", package.manifest().target),
        "description": format!("At most {} bytes.", options.max_body_bytes),
        "requestBody": {
            "required": true,
            "content": { "application/json": {
                "schema": { "oneOf": [record, { "type": "array", "items": record }] },
                "example": package.schema().example(),
            }},
        },
        "responses": responses,
    })
}

fn health(id: &str, summary: &str) -> Value {
    json!({
        "operationId": id,
        "summary": summary,
        "responses": {
            "200": ok("Every check passed", reference("Health")),
            "503": ok("A check failed", reference("Health")),
        },
    })
}

fn ok(description: &str, schema: Value) -> Value {
    json!({
        "description": description,
        "headers": { "x-request-id": {
            "description": "The request's own id, or a new one",
            "schema": { "type": "string" },
        }},
        "content": { "application/json": { "schema": schema } },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schemas(package: &Package) -> Value {
    let fields = &package.schema().fields;
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.clone(), property(field))).collect();
    let required: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let version = json!({ "type": "string", "pattern": "^[0-9a-f]{12}$" });
    json!({
        "Record": {
            "type": "object",
            "additionalProperties": false,
            "required": required,
            "properties": properties,
        },
        "Prediction": {
            "type": "object",
            "additionalProperties": false,
            "required": ["prediction", "probability", "model_version"],
            "properties": {
                "prediction": { "enum": package.manifest().classes },
                "probability": {
                    "type": "number", "minimum": 0, "maximum": 1,
                    "description": "Of the positive class",
                },
                "model_version": version,
            },
        },
        "Problem": problem(&version),
        "Health": {
            "type": "object",
            "required": ["status", "model_version", "checks"],
            "properties": {
                "status": { "enum": ["pass", "fail"] },
                "model_version": version,
                "checks": { "type": "object" },
                "output": { "type": "string" },
            },
        },
        "Live": {
            "type": "object",
            "required": ["status"],
            "properties": { "status": { "const": "pass" } },
        },
    })
}

fn problem(version: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["detail", "title", "status", "model_version", "request_id"],
        "properties": {
            "detail": { "type": "array", "items": {
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
            }},
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "omitted": { "type": "integer" },
            "model_version": version,
            "request_id": { "type": "string" },
        },
    })
}

/// A field as JSON Schema.
fn property(field: &InputField) -> Value {
    let mut schema = Map::new();
    let ty = match field.ty {
        FieldType::Integer => "integer",
        FieldType::Number => "number",
        FieldType::Boolean => "boolean",
        FieldType::Category | FieldType::Text => "string",
    };
    let ty = if field.nullable { json!([ty, "null"]) } else { json!(ty) };
    schema.insert("type".to_owned(), ty);
    let whole = field.ty == FieldType::Integer;
    for (key, bound) in [("minimum", field.min), ("maximum", field.max)] {
        if let Some(bound) = bound {
            schema.insert(key.to_owned(), input::number(bound, whole));
        }
    }
    if let Some(categories) = &field.categories {
        let names = categories.iter().map(|name| json!(name));
        let null = field.nullable.then_some(Value::Null);
        schema.insert("enum".to_owned(), names.chain(null).collect());
    }
    if let Some(format) = &field.date {
        schema.insert("description".to_owned(), json!(format!("A date of the format {format}")));
    }
    schema.insert("examples".to_owned(), json!([field.example]));
    Value::Object(schema)
}
