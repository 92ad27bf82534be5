//! The parameters of `serve` that say who may ask, how often, and by which way.
//!
//! Declared beside the others. What is in the files that they name is read when a service is
//! started, and not here; a path is meant from the directory in which it is started.

use std::path::PathBuf;

use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::Value;

use crate::serve::{Cors, OPENABLE, Rate};

/// Who may ask, as it is written.
#[derive(Clone, Debug, Deserialize)]
pub struct Params {
    /// A file of keys.
    pub keys: Option<PathBuf>,
    /// What needs no key, of `OPENABLE`.
    pub open: Vec<String>,
    /// How often each may ask.
    pub rate: Option<String>,
    /// The certificate of the service, and those above it.
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate.
    pub tls_key: Option<PathBuf>,
    /// Who must have signed the certificates of clients.
    pub tls_client_ca: Option<PathBuf>,
    /// Of which origins pages may ask.
    pub cors_origins: Vec<String>,
}

/// What is declared of them.
pub(super) fn declared() -> Vec<Param> {
    let none = || Value::Array(Vec::new());
    vec![
        Param::optional(
            "keys",
            Type::Text,
            "a file of keys, of which every request must show one but those of probes; the \
             environment's PIPELINE_SERVE_KEYS holds keys, too",
        ),
        Param::new(
            "open",
            Type::Choice(&OPENABLE).list(),
            none(),
            "what is answered without a key all the same",
        ),
        Param::optional(
            "rate",
            Type::Text,
            "how often a key may ask unless its line says otherwise, and an address without a key: \
             1 to 1000000 per second, minute or hour, as in `100/m`; above that the answer is 429",
        ),
        Param::optional(
            "tls_cert",
            Type::Text,
            "speak TLS, with the certificate in this file (PEM), followed by those above it",
        ),
        Param::optional("tls_key", Type::Text, "the file of its private key (PEM)"),
        Param::optional(
            "tls_client_ca",
            Type::Text,
            "let only those clients in whose certificate one of this file (PEM) has signed",
        ),
        Param::new(
            "cors_origins",
            Type::Text.list(),
            none(),
            "of which origins pages may ask, each as browsers send it: `https://example.org`; `*` \
             alone stands for all",
        ),
    ]
}

/// What is wrong with them, as far as that can be told without the files.
pub(super) fn check(params: &Value) -> Vec<Complaint> {
    let text = |name: &str| params.get(name).and_then(Value::as_str);
    let mut complaints = Vec::new();
    complaints.extend(
        text("rate")
            .and_then(|rate| rate.parse::<Rate>().err())
            .map(|message| Complaint::about("rate", message)),
    );
    let needs = |name: &str, other: &str| {
        let lacks = text(name).is_some() && text(other).is_none();
        lacks.then(|| Complaint::about(name, format!("it needs `{other}` beside it")))
    };
    let pairs = [("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_client_ca", "tls_cert")];
    complaints.extend(pairs.into_iter().filter_map(|(name, other)| needs(name, other)));
    let origins = params.get("cors_origins").and_then(Value::as_array);
    let origins: Vec<String> = origins
        .iter()
        .flat_map(|origins| origins.iter())
        .filter_map(|origin| origin.as_str().map(str::to_owned))
        .collect();
    let mistakes = Cors::new(&origins).err().unwrap_or_default();
    complaints.extend(mistakes.into_iter().map(|message| {
        let at = vec![Step::Key("cors_origins".to_owned())];
        Complaint::at(at, message)
    }));
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let params = json!({
            "rate": "fast", "tls_key": "key.pem", "tls_client_ca": "ca.pem",
            "cors_origins": ["example.org", "*"],
        });
        let told: Vec<String> = check(&params).into_iter().map(|c| c.message).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told[0].contains("1 to 1000000 per second, minute or hour"), "{told:?}");
        assert_eq!(told[1], "it needs `tls_cert` beside it");
        assert!(told[3].contains("`example.org` is no origin"), "{told:?}");
        assert!(told[4].contains("alone"), "{told:?}");
        assert!(check(&json!({ "tls_cert": "a", "tls_key": "b", "rate": "1/s" })).is_empty());
    }
}
