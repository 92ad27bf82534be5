//! Takes the outputs of a program out of its working directory, once nothing of it runs any more.
//!
//! What a program leaves is not believed: a link on the way to an output would lead out of the
//! working directory, and what is moved from there would be gone from the project. Rights that it
//! took away from its own directories are given back. It decides nothing: what is not there and
//! what cannot be taken are told, whatever else became of the program.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::{Declared, Place};
use crate::data;
use crate::files::{self, make_parent};

/// What became of the outputs of a program.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The paths of those that are not there, as they are declared.
    pub(super) missing: Vec<String>,
    /// Sentences about those that cannot be taken.
    pub(super) wrong: Vec<String>,
}

impl Taken {
    /// Whether every output is there and was taken.
    pub(super) fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }
}

/// Moves every output that is there to where it belongs.
pub(super) fn take(
    work: &Path,
    outputs: &BTreeMap<String, Declared>,
    to: impl Fn(&str) -> PathBuf,
) -> Taken {
    let mut taken = Taken::default();
    for (name, declared) in outputs {
        let written = &declared.path;
        match take_one(work, &Place::of(written), &to(name)) {
            Ok(true) => {}
            Ok(false) => taken.missing.push(written.clone()),
            Err(error) => {
                taken.wrong.push(format!("its output `{written}` cannot be taken: {error}"));
            }
        }
    }
    taken
}

/// Moves one output; tells whether it was there.
fn take_one(work: &Path, place: &Place<'_>, to: &Path) -> io::Result<bool> {
    let path = Path::new(place.path);
    let parent = if place.is_dir { path } else { path.parent().unwrap_or(path) };
    if !is_way(work, parent)? {
        return Ok(false);
    }
    let from = work.join(path);
    if let Some(pattern) = place.pattern {
        files::open_up(&from)?;
        return take_matching(work, pattern, path, to);
    }
    let is_dir = match files::link_metadata(&from) {
        Ok(found) => found.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if is_dir {
        files::open_up(&from)?;
        if !place.is_dir || data::walk(&from, usize::MAX, &[])?.is_empty() {
            return Ok(false);
        }
    }
    files::rename(&from, to)?;
    Ok(true)
}

/// Whether every part of a path below a directory is a directory, which its owner may then use.
///
/// # Errors
/// `InvalidData` when one of them is a link, or anything else.
fn is_way(work: &Path, path: &Path) -> io::Result<bool> {
    files::open_up_one(work)?;
    let mut full = work.to_owned();
    for part in path.components() {
        full.push(part);
        match files::link_metadata(&full) {
            Ok(found) if found.is_dir() => files::open_up_one(&full)?,
            Ok(found) => {
                let what = if found.is_symlink() { "a link" } else { "no directory" };
                let shown = full.strip_prefix(work).unwrap_or(&full).display();
                let message = format!("`{shown}` is {what}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn take_matching(work: &Path, pattern: &str, dir: &Path, to: &Path) -> io::Result<bool> {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let pattern = Pattern::new(pattern).map_err(io::Error::other)?;
    let mut is_there = false;
    for found in data::walk(&work.join(dir), usize::MAX, &[])? {
        let path = dir.join(&found.name);
        if pattern.matches_path_with(&path, options) {
            let to = to.join(&found.name);
            make_parent(&to)?;
            files::rename(&work.join(&path), &to)?;
            is_there = true;
        }
    }
    Ok(is_there)
}
