//! The OpenAPI 3.1 document, made from the package: ranges, categories and examples are the
//! model's own, as far as the policy enforces them.
//!
//! Made once at the start. It tells the contract and not how it is kept. `schemas` has the shapes,
//! `doors` the paths of other protocols, `shadow` that of a challenger, `access` what keys and
//! rates add to all.

mod access;
mod doors;
mod schemas;
mod shadow;

use serde_json::{Map, Value, json};

use crate::ml::package::Package;
use crate::serve::admin;
use crate::serve::batch::upload::MAX_GROWTH;
use crate::serve::body::PARQUET;
use crate::serve::predict::MAX_EXPLAINED;
use crate::serve::problem_json;
use crate::serve::state::Options;

/// The statuses of a refusal that a path with a body may have, and what they mean.
const REFUSALS: [(&str, &str); 6] = [
    ("400", "The body is not what its type says"),
    ("408", "The body did not arrive in time"),
    ("413", "The body is too large"),
    ("415", "The body's type is none that the path takes"),
    ("422", "Values are not as the model needs them; all of them are listed"),
    ("500", "The server failed"),
];

/// The document's bytes.
pub(crate) fn write(package: &Package, options: &Options) -> Vec<u8> {
    let manifest = package.manifest();
    let mut paths = paths(package, options);
    paths.append(&mut doors::paths(package, options));
    access::lay(&mut paths, options);
    let is_keyed = options.access.keys().is_some();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": manifest.name,
            "summary": manifest.description,
            "version": package.version(),
        },
        "paths": paths,
        "components": { "schemas": schemas::all(package, options.policy, is_keyed) },
    });
    if is_keyed {
        document["security"] = json!([{ "bearer": [] }, { "key": [] }]);
        document["components"]["securitySchemes"] = access::schemes();
    }
    serde_json::to_vec(&document).unwrap_or_default()
}

fn paths(package: &Package, options: &Options) -> Map<String, Value> {
    let page = json!({
        "operationId": "page",
        "summary": "A page to try a prediction on",
        "responses": { "200": {
            "description": "The page",
            "content": { "text/html": { "schema": { "type": "string" } } },
        }},
    });
    let all = [
        ("/predict", json!({ "post": predict(package, options) })),
        ("/predict/batch", json!({ "post": batch(package, options) })),
        ("/health", probe("health", "Whether the service can predict, check by check", "Health")),
        ("/health/ready", probe("ready", "Whether requests should be sent here", "Health")),
        ("/health/live", got("live", "Whether the process answers at all", reference("Live"))),
        ("/drift", got("drift", "How far what is asked has moved", reference("Drift"))),
        ("/shadow", shadow::path()),
        ("/openapi.json", got("openapi", "This document", json!({ "type": "object" }))),
        ("/metrics", access::metrics()),
        ("/", json!({ "get": page })),
    ];
    let reload = options.admin.then(|| (admin::RELOAD, json!({ "post": access::reload() })));
    all.into_iter().chain(reload).map(|(path, item)| (path.to_owned(), item)).collect()
}

fn predict(package: &Package, options: &Options) -> Value {
    let record = reference("Record");
    let answer = reference("Prediction");
    let both = json!({ "oneOf": [answer, { "type": "array", "items": answer }] });
    json!({
        "operationId": "predict",
        "summary": format!("Predict `{}`", package.manifest().target),
        "description": format!(
            "At most {} bytes; with `explain` at most {MAX_EXPLAINED} records.",
            options.max_body_bytes
        ),
        "parameters": [explain()],
        "requestBody": {
            "required": true,
            "content": { "application/json": {
                "schema": { "oneOf": [record, { "type": "array", "items": record }] },
                "example": package.schema().example(),
            }},
        },
        "responses": refusable(ok("One prediction per record", both)),
    })
}

fn batch(package: &Package, options: &Options) -> Value {
    let text = |example: Value| json!({ "schema": { "type": "string" }, "example": example });
    let line = package.schema().example().to_string();
    let header = package.schema().fields.iter().map(|field| field.name.as_str());
    let header = format!("{}\r\n", header.collect::<Vec<_>>().join(","));
    let answers = json!({
        "description": "One line per record, as they are made: a prediction, or `errors`",
        "headers": headers(),
        "content": {
            "application/x-ndjson": { "schema": { "type": "string" } },
            "text/csv": { "schema": { "type": "string" } },
            PARQUET: { "schema": { "type": "string", "format": "binary" } },
        },
    });
    json!({
        "operationId": "batch",
        "summary": format!("Predict `{}` for a file of any size", package.manifest().target),
        "description": format!(
            "JSON lines, CSV with a header, or a Parquet file of at most {} bytes, which may be \
             {MAX_GROWTH} times as large when it is opened; each record has at most {} bytes. \
             Answers are JSON lines, or CSV or Parquet where `Accept` prefers it. A record that \
             is wrong has an answer that says so; only a CSV header, or a Parquet file itself, \
             can be wrong for all.",
            options.limits.max_table_bytes, options.max_body_bytes
        ),
        "parameters": [explain()],
        "requestBody": {
            "required": true,
            "content": {
                "application/x-ndjson": text(line.into()),
                "text/csv": text(header.into()),
                PARQUET: { "schema": { "type": "string", "format": "binary" } },
            },
        },
        "responses": refusable(answers),
    })
}

fn explain() -> Value {
    json!({
        "name": "explain",
        "in": "query",
        "description": "Also say what each field adds to the prediction",
        "schema": { "type": "boolean", "default": false },
    })
}

/// A path that only answers.
fn got(id: &str, summary: &str, schema: Value) -> Value {
    json!({ "get": {
        "operationId": id,
        "summary": summary,
        "responses": { "200": ok(summary, schema) },
    }})
}

/// A path that tells whether the service is ready, by its status.
fn probe(id: &str, summary: &str, schema: &str) -> Value {
    json!({ "get": {
        "operationId": id,
        "summary": summary,
        "responses": {
            "200": ok("Every check passed", reference(schema)),
            "503": ok("A check failed", reference(schema)),
        },
    }})
}

fn ok(description: &str, schema: Value) -> Value {
    json!({
        "description": description,
        "headers": headers(),
        "content": { "application/json": { "schema": schema } },
    })
}

fn headers() -> Value {
    json!({ "x-request-id": {
        "description": "The request's own id, or a new one",
        "schema": { "type": "string" },
    }})
}

/// What a path may answer: `ok`, and every refusal in both of its shapes.
fn refusable(ok: Value) -> Value {
    let mut responses = Map::from_iter([("200".to_owned(), ok)]);
    for (status, text) in REFUSALS {
        let refusal = json!({
            "description": text,
            "headers": headers(),
            "content": {
                "application/json": { "schema": reference("Problem") },
                problem_json::MEDIA_TYPE: { "schema": reference("ProblemDetails") },
            },
        });
        responses.insert(status.to_owned(), refusal);
    }
    Value::Object(responses)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
