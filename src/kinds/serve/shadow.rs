//! The parameters of `serve` that have a challenger score beside the package that answers.
//!
//! Declared beside the others. Which package a name stands for is found when a service is started,
//! and not here; paths are meant from the directory of the project.

use std::path::{Path, PathBuf};

use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use crate::serve::KeptDifferences;

/// The default of `shadow_threshold`.
const THRESHOLD: f64 = 0.1;

/// The default of `shadow_log_bytes`.
const LOG_BYTES: i64 = 16 << 20;

/// The default of `shadow_log_files`.
const LOG_FILES: i64 = 8;

/// The default of `shadow_queue`: a tenth of a second of what one thread scores of a forest.
const QUEUE: i64 = 4096;

/// What scores beside, as it is written.
#[derive(Clone, Debug, Deserialize)]
pub struct Params {
    /// A name that was promoted, or a directory.
    pub shadow: Option<String>,
    shadow_log: Option<PathBuf>,
    /// From which difference of the probabilities on a row is kept.
    pub shadow_threshold: f64,
    shadow_inputs: bool,
    shadow_log_bytes: u64,
    shadow_log_files: usize,
    /// How many rows may wait.
    pub shadow_queue: usize,
}

/// What `shadow` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'w> {
    /// A name under which a package was promoted.
    Alias(&'w str),
    /// A directory with a package.
    Directory(&'w Path),
}

impl<'w> Wanted<'w> {
    /// A text with a slash is a directory, any other a name.
    fn of(text: &'w str) -> Wanted<'w> {
        if text.contains('/') { Wanted::Directory(Path::new(text)) } else { Wanted::Alias(text) }
    }
}

impl Params {
    /// What is to score beside, if anything is.
    pub fn wanted(&self) -> Option<Wanted<'_>> {
        self.shadow.as_deref().map(Wanted::of)
    }

    /// Where differences are kept, if they are; `root` is where paths are meant from.
    pub fn kept(&self, root: &Path) -> Option<KeptDifferences> {
        Some(KeptDifferences {
            dir: root.join(self.shadow_log.as_ref()?),
            max_bytes: self.shadow_log_bytes,
            max_files: self.shadow_log_files,
            inputs: self.shadow_inputs,
        })
    }
}

/// What is declared of them.
pub(super) fn declared() -> Vec<Param> {
    vec![
        Param::optional(
            "shadow",
            Type::Text,
            "what scores every row beside the package that answers, without a say in any answer: \
             the package that was promoted under this name, as in `challenger`, or that of a \
             directory, written with a slash, as in `./other`",
        ),
        Param::optional(
            "shadow_log",
            Type::Text,
            "a directory, meant from that of the project, in which rows that differ are kept, and \
             what came of all rows, for `pipeline diff`; one service at a time writes to it",
        ),
        Param::new(
            "shadow_threshold",
            Type::Float(0.0, 1.0),
            THRESHOLD,
            "a row is kept there when the two probabilities differ by more than this; one whose \
             class differs always is",
        ),
        Param::new(
            "shadow_inputs",
            Type::Bool,
            false,
            "whether such a row is kept with its record; else with the id of its request alone",
        ),
        Param::new(
            "shadow_log_bytes",
            Type::Int(4096, 1 << 40),
            LOG_BYTES,
            "the largest file of rows that differ, in bytes",
        ),
        Param::new(
            "shadow_log_files",
            Type::Int(1, 10_000),
            LOG_FILES,
            "the most such files; the oldest goes when another one begins",
        ),
        Param::new(
            "shadow_queue",
            Type::Int(1, 65_536),
            QUEUE,
            "the most rows that wait to be scored; above that they are dropped and counted",
        ),
    ]
}

/// What is wrong with them, as far as that can be told without files.
pub(super) fn check(params: &Value) -> Vec<Complaint> {
    let text = |name: &str| params.get(name).and_then(Value::as_str);
    let mut complaints = Vec::new();
    if let Some(Wanted::Alias(name)) = text("shadow").map(Wanted::of).filter(|of| !is_usable(*of)) {
        let message = format!(
            "`{name}` is no name that can be promoted: letters, digits, `_` and `-`, the first no \
             `-`; a directory is written with a slash: `./other`"
        );
        complaints.push(Complaint::about("shadow", message));
    }
    if text("shadow_log").is_some() && text("shadow").is_none() {
        complaints.push(Complaint::about("shadow_log", "it needs `shadow` beside it".to_owned()));
    }
    complaints
}

fn is_usable(wanted: Wanted<'_>) -> bool {
    let Wanted::Alias(name) = wanted else { return true };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use engine::kind::Kind;
    use serde_json::json;

    use super::super::{Params as All, Serve};
    use super::*;

    fn params(given: Value) -> Params {
        let checked = Serve.params().check(&given).unwrap();
        serde_json::from_value::<All>(checked).unwrap().shadow
    }

    #[test]
    fn nothing_scores_beside_unless_it_is_asked_for() {
        let params = params(json!({}));
        assert_eq!((params.wanted(), params.kept(Path::new("/p"))), (None, None));
        assert_eq!((params.shadow_threshold, params.shadow_queue), (0.1, 4096));
    }

    #[test]
    fn a_slash_makes_a_directory_and_paths_are_meant_from_the_project() {
        let of = |shadow: &str| params(json!({"shadow": shadow, "shadow_log": "kept"}));
        assert_eq!(of("challenger").wanted(), Some(Wanted::Alias("challenger")));
        assert_eq!(of("./b").wanted(), Some(Wanted::Directory(Path::new("./b"))));
        let kept = of("challenger").kept(Path::new("/p")).unwrap();
        assert_eq!((kept.dir, kept.inputs), (PathBuf::from("/p/kept"), false));
    }

    #[test]
    fn all_that_is_wrong_is_told_with_what_would_be_right() {
        let told: Vec<String> =
            [json!({"shadow": "-a"}), json!({"shadow": "a b"}), json!({"shadow_log": "kept"})]
                .iter()
                .flat_map(|params| check(params).into_iter().map(|complaint| complaint.message))
                .collect();
        assert!(told[0].contains("letters, digits") && told[1].contains("`a b`"), "{told:?}");
        assert_eq!(told[2..], ["it needs `shadow` beside it"]);
        let beyond = json!({"shadow_threshold": 1.5, "shadow_queue": 0, "shadow_log_files": 0});
        assert_eq!(Serve.params().check(&beyond).unwrap_err().len(), 3);
    }
}
