//! What every run changes is neither data nor a program: the directory of the outputs.
//!
//! A stage that read it would not know of whom, and would run again for ever. Told from the path as
//! it is written, so that it can be told at its line. Pure.

use std::path::{Component, Path};

use glob::{MatchOptions, Pattern};

use crate::project::OUTPUTS_DIR;

/// How deep in the outputs the files of stages are: below the directory of a stage.
const DEPTH: usize = 2;

/// Why a path, relative to the project, cannot be read by a stage, if it cannot.
pub(crate) fn complaint(path: &Path) -> Option<String> {
    let shown = path.display();
    let mut parts: Vec<&str> = Vec::new();
    let mut n_up = 0;
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir if parts.pop().is_none() => n_up += 1,
            Component::ParentDir | Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    match parts.as_slice() {
        [] if n_up > 0 => Some(format!("`{shown}` holds the project with its `{OUTPUTS_DIR}`")),
        [] => Some(format!("`{shown}` is the project with its `{OUTPUTS_DIR}`")),
        [first, ..] if n_up == 0 && *first == OUTPUTS_DIR => {
            Some(format!("`{shown}` is what stages write"))
        }
        [first, rest @ ..] if n_up == 0 && rest.len() >= DEPTH && matches(first) => {
            Some(format!("`{shown}` finds what stages write in `{OUTPUTS_DIR}`, too"))
        }
        _ => None,
    }
}

/// What to do instead.
pub(crate) const HINT: &str = "an output of a stage is plugged in as `STAGE.PORT`; name a file, or \
                               a directory beside `outputs`";

fn matches(pattern: &str) -> bool {
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::default() };
    pattern.contains(['*', '?', '['])
        && Pattern::new(pattern).is_ok_and(|known| known.matches_with(OUTPUTS_DIR, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_or_finds_the_outputs_is_refused() {
        let refused = [".", "./", "..", "../..", "data/..", "outputs", "./outputs/fit/model.json"];
        let patterns = ["outputs/*.csv", "*/*/x.csv", "o*/fit/*.csv", "*/fit/**"];
        for path in refused.iter().chain(&patterns) {
            assert!(complaint(Path::new(path)).is_some(), "{path}");
        }
    }

    #[test]
    fn what_lies_beside_them_is_not() {
        let beside = ["data", "../tool", "../outputs", "outputs.csv", "/project", "data/outputs"];
        let patterns = ["*.csv", "*/x.csv", "data/*/x.csv", "d*/a/b.csv", ".venv"];
        for path in beside.iter().chain(&patterns) {
            assert_eq!(complaint(Path::new(path)), None, "{path}");
        }
    }
}
