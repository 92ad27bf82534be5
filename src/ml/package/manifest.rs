//! The manifest: what a package says of itself, as `package.json`.
//!
//! A package of two classes is written as it always was, under `pipeline.package/1`. One of another
//! task has another format, under which `task` names it: a program that knows classes alone refuses
//! it by its format before it takes a number for a probability. Knows no model and no rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Scores;
use super::files::FileEntry;
use crate::ml::per_segment::PerSegment;

/// The format of the manifest of a package of two classes.
pub const FORMAT: &str = "pipeline.package/1";

/// The format of the manifest of a package whose `task` it names.
pub const TASK_FORMAT: &str = "pipeline.package/2";

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Manifest {
    /// What people call the model.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// The learner that made it.
    pub learner: String,
    /// The column that is predicted.
    pub target: String,
    /// What is predicted.
    pub task: Task,
    /// How well it did on the test rows.
    pub metrics: Scores,
    /// Every other file.
    pub files: BTreeMap<String, FileEntry>,
}

/// What is predicted of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Which of two classes it is of.
    Classes(Decision),
    /// A number.
    Number,
}

/// Two classes, and how it is decided between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The negative and the positive class.
    pub classes: [Value; 2],
    /// From which probability on the positive class is predicted.
    pub threshold: f64,
    /// Where another threshold decides.
    pub thresholds: Option<PerSegment>,
}

impl Task {
    /// The format of a manifest of the task.
    pub fn format(&self) -> &'static str {
        match self {
            Task::Classes(_) => FORMAT,
            Task::Number => TASK_FORMAT,
        }
    }

    /// What is predicted, for the end of a sentence.
    pub fn told(&self) -> &'static str {
        match self {
            Task::Classes(_) => "one of two classes",
            Task::Number => "a number",
        }
    }

    /// Whether another task has answers of the same shape: then the same clients can read them.
    pub fn is_like(&self, other: &Task) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// How it is decided between classes; a number has none.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Task::Classes(decision) => Some(decision),
            Task::Number => None,
        }
    }
}

/// The tasks that `TASK_FORMAT` names.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Regression,
}

/// A manifest as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<Named>,
    name: String,
    description: String,
    learner: String,
    target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<[Value; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thresholds: Option<PerSegment>,
    metrics: Scores,
    files: BTreeMap<String, FileEntry>,
}

impl TryFrom<Document> for Manifest {
    type Error = String;

    fn try_from(document: Document) -> Result<Manifest, String> {
        let Document { format, task, classes, threshold, thresholds, .. } = document;
        let task = match (format.as_str(), task) {
            (FORMAT, None) => Task::Classes(Decision {
                classes: classes.ok_or("missing field `classes`")?,
                threshold: threshold.ok_or("missing field `threshold`")?,
                thresholds,
            }),
            (TASK_FORMAT, Some(Named::Regression)) => {
                if classes.is_some() || threshold.is_some() || thresholds.is_some() {
                    return Err("a number has no classes and no threshold".to_owned());
                }
                Task::Number
            }
            (FORMAT, Some(_)) => return Err(format!("`task` is a field of {TASK_FORMAT}")),
            (TASK_FORMAT, None) => return Err("missing field `task`".to_owned()),
            _ => return Err(format!("its format is neither {FORMAT} nor {TASK_FORMAT}")),
        };
        let Document { name, description, learner, target, metrics, files, .. } = document;
        Ok(Manifest { name, description, learner, target, task, metrics, files })
    }
}

impl From<Manifest> for Document {
    fn from(manifest: Manifest) -> Document {
        let Manifest { name, description, learner, target, task, metrics, files } = manifest;
        let format = task.format().to_owned();
        let (task, decision) = match task {
            Task::Classes(decision) => (None, Some(decision)),
            Task::Number => (Some(Named::Regression), None),
        };
        let (classes, threshold, thresholds) = match decision {
            Some(Decision { classes, threshold, thresholds }) => {
                (Some(classes), Some(threshold), thresholds)
            }
            None => (None, None, None),
        };
        Document {
            format,
            task,
            name,
            description,
            learner,
            target,
            classes,
            threshold,
            thresholds,
            metrics,
            files,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(more: &Value) -> Value {
        let mut document = json!({
            "name": "n", "description": "d", "learner": "ridge", "target": "price",
            "metrics": {}, "files": {},
        });
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    }

    #[test]
    fn a_manifest_is_written_as_it_was_read() {
        for more in [
            json!({"format": FORMAT, "classes": [0, 1], "threshold": 0.25}),
            json!({
                "format": FORMAT, "classes": ["no", "yes"], "threshold": 0.5,
                "thresholds": {"column": "plan", "thresholds": {"gold": 0.75}},
            }),
            json!({"format": TASK_FORMAT, "task": "regression"}),
        ] {
            let document = written(&more);
            let manifest: Manifest = serde_json::from_value(document.clone()).unwrap();
            assert_eq!(json!(manifest), document);
        }
    }

    #[test]
    fn a_format_has_the_fields_of_its_task_and_no_others() {
        for (more, told) in [
            (json!({"format": FORMAT, "threshold": 0.5}), "missing field `classes`"),
            (json!({"format": FORMAT, "classes": [0, 1]}), "missing field `threshold`"),
            (json!({"format": FORMAT, "task": "regression"}), "`task` is a field of"),
            (json!({"format": TASK_FORMAT}), "missing field `task`"),
            (json!({"format": TASK_FORMAT, "task": "ranking"}), "unknown variant `ranking`"),
            (
                json!({"format": TASK_FORMAT, "task": "regression", "threshold": 0.5}),
                "a number has no classes",
            ),
            (json!({"format": "pipeline.package/3"}), "its format is neither"),
            (json!({"format": FORMAT, "weight": 1}), "unknown field `weight`"),
        ] {
            let read = serde_json::from_value::<Manifest>(written(&more));
            let wrong = read.unwrap_err().to_string();
            assert!(wrong.contains(told), "{wrong}");
        }
    }

    #[test]
    fn only_answers_of_one_shape_are_alike() {
        let of = |threshold| {
            let classes = [json!(0), json!(1)];
            Task::Classes(Decision { classes, threshold, thresholds: None })
        };
        assert!(of(0.1).is_like(&of(0.9)) && Task::Number.is_like(&Task::Number));
        assert!(!of(0.5).is_like(&Task::Number) && !Task::Number.is_like(&of(0.5)));
    }
}
