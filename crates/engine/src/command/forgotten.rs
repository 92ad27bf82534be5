//! Which files a program missed: those of the project that it names and was not given.
//!
//! Looks for paths in what the program wrote, because the kernel does not tell what it refused. So
//! it gives advice and decides nothing: a program that names nothing gets none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fence::Fence;
use crate::data::inside;

/// How many are told.
const MAX_TOLD: usize = 5;
/// What ends a path in a message.
const ENDS: &[char] =
    &['\'', '"', '`', '(', ')', '[', ']', '{', '}', '<', '>', ',', ';', ':', '=', '|', '‘', '’'];
/// What a name is quoted with.
const QUOTES: &[char] = &['\'', '"', '`', '‘', '’'];

/// Where a program worked, and what it was given.
pub(crate) struct Scene<'a> {
    /// The project, absolute.
    pub(crate) root: &'a Path,
    /// The working directory, absolute.
    pub(crate) work: &'a Path,
    /// Its inputs, relative to the working directory.
    pub(crate) inputs: &'a BTreeSet<PathBuf>,
    /// What it could reach, if that was bounded.
    pub(crate) fence: Option<&'a Fence>,
}

impl Scene<'_> {
    /// What is to be told of the paths in a text: what is no input, and how to make it one.
    pub(crate) fn advice(&self, text: &str) -> Vec<String> {
        let mut told = BTreeSet::new();
        for word in text.split(|c: char| c.is_whitespace() || ENDS.contains(&c)) {
            let word = word.trim_end_matches('.');
            told.extend(self.of_path(Path::new(word)));
        }
        for name in text.split(QUOTES).skip(1).filter(|name| is_name(name)) {
            told.extend(self.beside_inputs(name));
        }
        told.into_iter().take(MAX_TOLD).collect()
    }

    fn of_path(&self, path: &Path) -> Option<String> {
        if path.is_absolute() {
            for dir in [self.work, self.root] {
                if let Ok(relative) = path.strip_prefix(dir)
                    && let Some(told) = self.of_path(relative)
                {
                    return Some(told);
                }
            }
            let is_refused = self.fence.is_some_and(|fence| !fence.allows(path) && path.exists());
            let is_part = |dir: &Path| dir.starts_with(path) || path.starts_with(dir);
            if !is_refused || is_part(self.work) || is_part(self.root) {
                return None;
            }
            let path = path.display();
            return Some(format!(
                "`{path}` is neither an input nor a tool of this stage\nhint: add it under `[data]` \
                 and `[inputs]`, or to `tools` if it is a part of a program"
            ));
        }
        let path = inside(path).filter(|path| !path.as_os_str().is_empty())?;
        self.is_forgotten(&path).then(|| no_input(&path))
    }

    /// A file beside an input, named without its directory, and perhaps without its extension.
    fn beside_inputs(&self, name: &str) -> Option<String> {
        self.inputs.iter().find_map(|input| {
            let extension = input.extension()?.to_str()?;
            let full = input.with_file_name(format!("{name}.{extension}"));
            let candidates = [input.with_file_name(name), full];
            candidates.into_iter().find(|path| self.is_forgotten(path)).map(|path| no_input(&path))
        })
    }

    /// Whether it is a file of the project that the program did not have.
    fn is_forgotten(&self, path: &Path) -> bool {
        self.root.join(path).is_file() && !self.work.join(path).exists()
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}

fn no_input(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = stem.chars().map(plain).collect();
    let path = path.display();
    format!(
        "`{path}` is not an input of this stage\nhint: add `{name} = \"{path}\"` under `[data]` and \
         `{name} = \"data.{name}\"` under `[inputs]` of the stage"
    )
}
