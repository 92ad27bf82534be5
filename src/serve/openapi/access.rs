//! What the document says of keys and rates: how a request shows a key, which paths need none, and
//! what is answered to one that lacks it or comes too often.
//!
//! Laid over the paths when all of them are there, so that none is forgotten.

use serde_json::{Map, Value, json};

use super::{headers, ok, reference};
use crate::serve::doors::Tongue;
use crate::serve::problem_json;
use crate::serve::resource::{self, Resource};
use crate::serve::state::Options;

/// How a request may show its key.
pub(super) fn schemes() -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
    })
}

/// The metrics, which are a text.
pub(super) fn metrics() -> Value {
    json!({ "get": {
        "operationId": "metrics",
        "summary": "What the service counts, for Prometheus",
        "responses": { "200": {
            "description": "Text format 0.0.4",
            "headers": headers(),
            "content": { "text/plain": { "schema": { "type": "string" } } },
        }},
    }})
}

/// The look for another package, which is there for clients on the service's own machine.
pub(super) fn reload() -> Value {
    let version = json!({ "type": "string" });
    let schema = json!({
        "type": "object",
        "required": ["status", "model_version"],
        "properties": {
            "status": { "enum": ["unchanged", "swapped"] },
            "model_version": version,
            "before": { "type": ["string", "null"] },
        },
    });
    json!({
        "operationId": "reload",
        "summary": "Look at once for another package to serve",
        "description": "Answered to clients on the service's own machine alone.",
        "responses": {
            "200": ok("What answers now", schema),
            "403": refusal("The client is elsewhere, or does not speak for itself", Tongue::Own),
            "409": refusal("What is to be served cannot be", Tongue::Own),
            "500": refusal("The server failed", Tongue::Own),
        },
    })
}

/// Lays over every path what keys, rates and an overload may make of its answer.
pub(super) fn lay(paths: &mut Map<String, Value>, options: &Options) {
    let access = &options.access;
    for (path, item) in paths {
        let resource = resource_of(path, options);
        let tongue = tongue(path, options);
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            if access.keys().is_some() && access.is_open(path, resource) {
                operation["security"] = json!([]);
            } else if access.keys().is_some() {
                let mut refusal = refusal("The request shows no key that holds", tongue);
                refusal["headers"]["www-authenticate"] = json!({
                    "description": "`Bearer`", "schema": { "type": "string" },
                });
                operation["responses"]["401"] = refusal;
            }
            if access.is_counted(path, resource) {
                let mut refusal = refusal("The caller asks more often than it may", tongue);
                refusal["headers"]["retry-after"] = seconds();
                operation["responses"]["429"] = refusal;
            }
            if operation["responses"].get("503").is_none() {
                let mut refusal = refusal("More requests than are worked on at once", Tongue::Own);
                refusal["headers"]["retry-after"] = seconds();
                operation["responses"]["503"] = refusal;
            }
        }
    }
}

fn seconds() -> Value {
    json!({
        "description": "After how many seconds to come again",
        "schema": { "type": "integer", "minimum": 1 },
    })
}

/// What is served at a path that is open to some, or not counted; nothing of all others.
fn resource_of(path: &str, options: &Options) -> Option<Resource> {
    if options.routes.health.as_deref() == Some(path) {
        return Some(Resource::Ping);
    }
    resource::fixed(path)
}

fn tongue(path: &str, options: &Options) -> Tongue {
    let is_invocations = options.routes.predict.as_deref() == Some(path);
    let resource = match is_invocations {
        true => Some(Resource::Invocations),
        false => resource_of(path, options),
    };
    resource::tongue(path, resource)
}

/// A refusal in a path's own tongue, and by RFC 9457.
fn refusal(description: &str, tongue: Tongue) -> Value {
    let text = json!({ "type": "string" });
    let schema = match tongue {
        Tongue::Own => reference("Problem"),
        Tongue::V2 => json!({
            "type": "object", "required": ["error"], "properties": { "error": text },
        }),
        Tongue::Mlflow => json!({
            "type": "object", "required": ["error_code", "message"],
            "properties": { "error_code": text, "message": text },
        }),
    };
    json!({
        "description": description,
        "headers": headers(),
        "content": {
            "application/json": { "schema": schema },
            problem_json::MEDIA_TYPE: { "schema": reference("ProblemDetails") },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::package::Package;
    use crate::ml::package::tests::small_package;
    use crate::serve::access::{Access, Keys, NewKey};

    fn document(access: Access) -> Value {
        let dir = small_package();
        let package = Package::load(dir.path()).unwrap();
        let options = Options { access, ..Options::default() };
        serde_json::from_slice(&super::super::write(&package, &options)).unwrap()
    }

    #[test]
    fn what_a_key_is_needed_for_is_told_where_keys_are_wanted() {
        let free = document(Access::default());
        assert!(free.get("security").is_none());
        assert!(free["components"].get("securitySchemes").is_none());
        assert!(free["paths"]["/predict"]["post"]["responses"].get("401").is_none());
        assert!(free["paths"]["/predict"]["post"]["responses"]["503"].is_object());
        assert!(free["paths"]["/metrics"]["get"]["responses"]["200"].is_object());

        let key = NewKey::make("a", None).unwrap();
        let open = vec!["/metrics".to_owned()];
        let access = Access::default().with_keys(Keys::open(None, &key.line).unwrap(), open);
        let keyed = document(access);
        assert_eq!(keyed["security"], json!([{ "bearer": [] }, { "key": [] }]));
        assert_eq!(keyed["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
        let of = |path: &str, method: &str| keyed["paths"][path][method].clone();
        for (path, method) in [
            ("/predict", "post"),
            ("/health", "get"),
            ("/", "get"),
            ("/invocations", "post"),
            ("/v2", "get"),
        ] {
            let operation = of(path, method);
            assert!(operation["responses"]["401"].is_object(), "{path}");
            assert!(operation.get("security").is_none(), "{path}");
        }
        for path in ["/health/live", "/health/ready", "/ping", "/v2/health/ready", "/metrics"] {
            let operation = of(path, "get");
            assert_eq!(operation["security"], json!([]), "{path}");
            let refused = ["401", "429"].map(|status| operation["responses"].get(status).is_some());
            assert_eq!(refused, [false, false], "{path}");
        }
    }
}
