//! The page at `/`: try a prediction, see what is valid, which model answers and if it is well.
//!
//! One file without a single request to elsewhere, so that it works offline. What differs between
//! packages is put into it as data once at the start; its script makes the form from that.

use serde_json::{Value, json};

use crate::ml::package::Package;

const TEMPLATE: &str = include_str!("page.html");

/// Where the data goes in the template.
const SLOT: &str = "{{data}}";

/// What the page may do: run its own script, and ask this server.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
     style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// The page of a package.
pub(crate) fn write(package: &Package) -> String {
    let manifest = package.manifest();
    let fields: Vec<Value> = package
        .schema()
        .fields
        .iter()
        .map(|field| serde_json::to_value(field).unwrap_or_default())
        .collect();
    let decision = package.task().decision();
    let data = json!({
        "name": manifest.name,
        "description": manifest.description,
        "version": package.version(),
        "learner": manifest.learner,
        "target": manifest.target,
        "classes": decision.map(|decision| &decision.classes),
        "threshold": decision.map(|decision| decision.threshold),
        "thresholds": decision.and_then(|decision| decision.thresholds.as_ref()),
        "metrics": manifest.metrics,
        "card": package.card(),
        "fields": fields,
    });
    // A `<` in the data could end the script element that holds it.
    TEMPLATE.replacen(SLOT, &data.to_string().replace('<', "\\u003c"), 1)
}
