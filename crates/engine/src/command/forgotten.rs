//! Which files a program missed: those of the project that it names and was not given.
//!
//! Looks for paths in what the program wrote, and in what it was seen to ask for. It gives advice
//! and decides nothing.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::fence::Fence;
use crate::files;
use crate::tool::Tool;

/// How many are told.
const MAX_TOLD: usize = 5;
/// How much of the end of a text is searched: what a program fails of is said last.
const SEARCHED_BYTES: usize = 64 << 10;
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
    /// Its programs.
    pub(crate) tools: &'a [Tool],
    /// What it could reach, if that was bounded.
    pub(crate) fence: Option<&'a Fence>,
}

impl Scene<'_> {
    /// What is to be told of the paths in a text: what is no input, and how to make it one.
    pub(crate) fn advice(&self, text: &str) -> Vec<String> {
        let text = &text[text.ceil_char_boundary(text.len().saturating_sub(SEARCHED_BYTES))..];
        let words = text.split(|c: char| c.is_whitespace() || ENDS.contains(&c));
        let words: BTreeSet<_> = words.map(|word| word.trim_end_matches('.')).collect();
        let names = text.split(QUOTES).skip(1).filter(|name| is_name(name)).collect();
        self.tell(words.into_iter().map(Path::new), self.beside_inputs(names))
    }

    /// The same of paths that a program asked for in vain.
    pub(crate) fn advice_on(&self, paths: &[PathBuf]) -> Vec<String> {
        self.tell(paths.iter().map(PathBuf::as_path), BTreeSet::new())
    }

    fn tell<'p>(
        &self,
        paths: impl Iterator<Item = &'p Path>,
        mut forgotten: BTreeSet<PathBuf>,
    ) -> Vec<String> {
        let mut refused = BTreeSet::new();
        for path in paths {
            match self.in_project(path) {
                Some(path) => forgotten.extend(self.is_forgotten(&path).then_some(path)),
                None => refused.extend(self.is_refused(path).then_some(path)),
            }
        }
        let is_within = |path: &&&Path| path.ancestors().skip(1).any(|dir| refused.contains(dir));
        let outside = refused.iter().filter(|path| !is_within(path)).map(|path| outside(path));
        forgotten.iter().map(|path| no_input(path)).chain(outside).take(MAX_TOLD).collect()
    }

    /// A path relative to the project, whether it was told so, or as one of the working directory.
    fn in_project(&self, path: &Path) -> Option<PathBuf> {
        if path.is_relative() {
            return Some(resolved(path)).filter(|path| !path.as_os_str().is_empty());
        }
        // The working directory is below the project.
        let path = Path::new("/").join(resolved(path));
        let dirs = [self.work, self.root].into_iter();
        dirs.filter_map(|dir| path.strip_prefix(dir).ok()).next().map(Path::to_owned)
    }

    /// Whether it is something elsewhere that the fence kept from the program.
    fn is_refused(&self, path: &Path) -> bool {
        let is_around = |dir: &Path| dir.starts_with(path);
        path.is_absolute()
            && !is_around(self.root)
            && self.fence.is_some_and(|fence| !fence.allows(path) && path.exists())
    }

    /// The files beside inputs that are named without their directory, and perhaps without their
    /// extension. Every directory is listed once, however many names there are.
    fn beside_inputs(&self, names: BTreeSet<&str>) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        if names.is_empty() {
            return found;
        }
        let dirs: BTreeSet<_> = self.inputs.iter().filter_map(|input| input.parent()).collect();
        for dir in dirs {
            for entry in files::list(&self.root.join(dir)).unwrap_or_default() {
                let (name, stem) = (entry.path.file_name(), entry.path.file_stem());
                let is_named = |text: Option<&std::ffi::OsStr>| {
                    text.and_then(|text| text.to_str()).is_some_and(|text| names.contains(text))
                };
                // Without its extension only what is of the same kind as an input beside it.
                let is_alike = || {
                    let beside = self.inputs.iter().filter(|input| input.parent() == Some(dir));
                    let mut extensions = beside.map(|input| input.extension());
                    extensions.any(|extension| extension == entry.path.extension())
                };
                if !(is_named(name) || is_named(stem) && is_alike()) {
                    continue;
                }
                let path = dir.join(name.unwrap_or_default());
                found.extend(self.is_forgotten(&path).then_some(path));
            }
        }
        found
    }

    /// Whether it is a file of the project that the program did not have.
    fn is_forgotten(&self, path: &Path) -> bool {
        let full = self.root.join(path);
        let is_tool = self.tools.iter().any(|tool| full.starts_with(&tool.path));
        full.is_file() && !is_tool && !self.work.join(path).exists()
    }
}

/// A path without `.`, `..` and a root: what leads out of where it begins was meant to lead to the
/// project from one of its directories.
fn resolved(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts
}

fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}

fn outside(path: &Path) -> String {
    format!(
        "`{}` is neither an input nor a tool of this stage\nhint: add it under `[data]` and \
         `[inputs]`, or to `tools` if it is a part of a program",
        path.display()
    )
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
