//! The parameters of `serve` that say whether predictions are logged, and how much of that is kept.
//!
//! Declared beside the others. A path is meant from the directory in which the service is started.

use std::path::PathBuf;

use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use crate::serve::Logging;

/// The log of predictions, as it is written.
#[derive(Clone, Debug, Deserialize)]
pub struct Params {
    predictions: Option<PathBuf>,
    predictions_input: bool,
    predictions_max_bytes: u64,
    predictions_keep: usize,
}

impl Params {
    /// How predictions are logged, if they are.
    pub fn logging(&self) -> Option<Logging> {
        Some(Logging {
            dir: self.predictions.clone()?,
            with_input: self.predictions_input,
            max_bytes: self.predictions_max_bytes,
            keep: self.predictions_keep,
        })
    }
}

/// What is declared of them.
pub(super) fn declared() -> Vec<Param> {
    vec![
        Param::optional(
            "predictions",
            Type::Text,
            "a directory: log there every record that is predicted, one JSON line each",
        ),
        Param::new(
            "predictions_input",
            Type::Bool,
            false,
            "whether the record itself is logged, too, which may be about a person: only such a \
             log can be predicted again (`pipeline predict --replay`)",
        ),
        Param::new(
            "predictions_max_bytes",
            Type::Int(4096, 1 << 40),
            64 << 20,
            "the largest file of the log, in bytes",
        ),
        Param::new(
            "predictions_keep",
            Type::Int(2, 10_000),
            16,
            "the most files of the log; beyond that the oldest is removed",
        ),
    ]
}

/// What is wrong with them, as far as that can be told without the directory.
pub(super) fn check(params: &Value) -> Option<Complaint> {
    let is_wanted = params.get("predictions_input").and_then(Value::as_bool) == Some(true);
    let has_place = params.get("predictions").is_some_and(Value::is_string);
    let lacks = is_wanted && !has_place;
    lacks.then(|| Complaint::about("predictions_input", "it needs `predictions` beside it"))
}

#[cfg(test)]
mod tests {
    use engine::kind::Kind;
    use serde_json::json;

    use super::super::{Params as All, Serve};
    use super::*;

    #[test]
    fn nothing_is_logged_unless_there_is_a_place_for_it() {
        let logging = |given: Value| {
            let checked = Serve.params().check(&given).unwrap();
            serde_json::from_value::<All>(checked).unwrap().predictions.logging()
        };
        assert_eq!(logging(json!({})), None);
        let (dir, max_bytes) = (PathBuf::from("log"), 64 << 20);
        let usual = Logging { dir, with_input: false, max_bytes, keep: 16 };
        assert_eq!(logging(json!({ "predictions": "log" })), Some(usual.clone()));
        let given = json!({
            "predictions": "log", "predictions_input": true, "predictions_max_bytes": 4096,
            "predictions_keep": 2,
        });
        let all = Logging { with_input: true, max_bytes: 4096, keep: 2, ..usual };
        assert_eq!(logging(given), Some(all));
    }

    #[test]
    fn a_record_cannot_be_logged_nowhere() {
        let given = json!({ "predictions_input": true });
        let told = Serve.check(&Serve.params().check(&given).unwrap());
        assert_eq!(told[0].message, "it needs `predictions` beside it");
        assert!(Serve.params().check(&json!({ "predictions_keep": 1 })).is_err());
    }
}
