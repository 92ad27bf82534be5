//! An evaluation as it was written, of whichever task: what a record or a package takes from it.
//!
//! Documents of the tasks have formats of their own, and much in common: variants by name, a
//! champion, gates, and per segment metrics by name. Knows no file and no stage.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::document::{self, Document, Gate, Segment};
use super::regression::document as regression;

/// What was found by an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// Models of two classes were compared.
    Classes(Box<Document>),
    /// Regressions were compared.
    Numbers(Box<regression::Document>),
}

/// All that is needed to know what the rest is.
#[derive(Deserialize)]
struct Head {
    format: String,
}

impl Written {
    /// Reads the metrics of an evaluation.
    ///
    /// # Errors
    /// Why the bytes are those of none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Written, String> {
        let told = |error: serde_json::Error| format!("not the metrics of an evaluation: {error}");
        let Head { format } = serde_json::from_slice(bytes).map_err(told)?;
        match format.as_str() {
            document::FORMAT => serde_json::from_slice(bytes).map(Written::Classes).map_err(told),
            regression::FORMAT => serde_json::from_slice(bytes).map(Written::Numbers).map_err(told),
            _ => Err(format!(
                "the metrics are neither of format {} nor of {}",
                document::FORMAT,
                regression::FORMAT
            )),
        }
    }

    /// The name of the variant that was chosen.
    pub fn champion(&self) -> &str {
        match self {
            Written::Classes(document) => &document.champion,
            Written::Numbers(document) => &document.champion,
        }
    }

    /// What the record of an experiment says of the champion: which variant it is, by which metric
    /// it was chosen, and what it is.
    pub fn champion_told(&self) -> BTreeMap<String, Value> {
        let mut told = BTreeMap::from([("variant".to_owned(), json!(self.champion()))]);
        let mut tell = |key: &str, value: Value| told.insert(key.to_owned(), value);
        match self {
            Written::Classes(document) => {
                tell("metric", json!(document.champion_metric));
                if let Some(variant) = document.variants.get(&document.champion) {
                    tell("threshold", json!(variant.threshold));
                    tell("learner", json!(variant.learner));
                }
            }
            Written::Numbers(document) => {
                tell("metric", json!(document.champion_metric));
                if let Some(variant) = document.variants.get(&document.champion) {
                    tell("learner", json!(variant.learner));
                }
            }
        }
        told
    }

    /// The quality gates, in the order in which they were declared.
    pub fn gates(&self) -> &[Gate] {
        match self {
            Written::Classes(document) => &document.gates,
            Written::Numbers(document) => &document.gates,
        }
    }

    /// How often an interval is to hold the truth; `None` where none were made.
    pub fn confidence(&self) -> Option<f64> {
        match self {
            Written::Classes(document) => document.confidence,
            Written::Numbers(document) => Some(document.confidence),
        }
    }

    /// Every number under a flat name.
    pub fn flat(&self) -> BTreeMap<String, f64> {
        match self {
            Written::Classes(document) => document.flat(),
            Written::Numbers(document) => document.flat(),
        }
    }

    /// The metrics of a variant on test by segment, if the evaluation tells of it.
    pub fn on_test(&self, variant: &str) -> Option<&BTreeMap<String, Segment>> {
        match self {
            Written::Classes(document) => document.variants.get(variant).map(|known| &known.test),
            Written::Numbers(document) => document.variants.get(variant).map(|known| &known.test),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_by_its_format_and_no_other_is() {
        let side = || json!({"overall": {"n": 9, "rmse": 1.5, "mape": null}});
        let document = json!({
            "format": regression::FORMAT, "target": "price", "champion": "line",
            "champion_metric": "rmse", "confidence": 0.9, "resamples": 100,
            "variants": {"line": {"learner": "ridge", "validation": side(), "test": side()}},
            "baselines": {
                "learned_on": "train", "value": 3.0,
                "mean": {"validation": side(), "test": side()},
            },
            "gates": [],
        });
        let written = Written::from_bytes(document.to_string().as_bytes()).unwrap();
        assert_eq!((written.champion(), written.confidence()), ("line", Some(0.9)));
        let expected = [("line.test.rmse", 1.5), ("line.validation.rmse", 1.5)];
        let flat = written.flat();
        assert_eq!(flat.iter().map(|(k, v)| (k.as_str(), *v)).collect::<Vec<_>>(), expected);
        let told = json!({"variant": "line", "metric": "rmse", "learner": "ridge"});
        assert_eq!(json!(written.champion_told()), told);
        assert_eq!(written.on_test("line").unwrap()["overall"]["n"], 9);
        assert!(written.on_test("tree").is_none() && written.gates().is_empty());

        let wrong = Written::from_bytes(b"{\"format\": \"pipeline.metrics/9\"}").unwrap_err();
        assert!(wrong.contains("neither of format"), "{wrong}");
        let wrong = Written::from_bytes(b"{\"format\": \"pipeline.metrics/1\"}").unwrap_err();
        assert!(wrong.contains("missing field"), "{wrong}");
        assert!(Written::from_bytes(b"[1]").unwrap_err().contains("not the metrics"));
    }
}
