//! Which files a program missed: those of the project that it names and was not given.
//!
//! Looks for paths in what the program wrote, because the kernel does not tell what it refused. So
//! it gives advice and decides nothing: a program that names nothing gets none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fence::Fence;
use crate::data::inside;
use crate::surroundings::Tool;

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
    /// Its programs.
    pub(crate) tools: &'a [Tool],
    /// What it could reach, if that was bounded.
    pub(crate) fence: Option<&'a Fence>,
}

impl Scene<'_> {
    /// What is to be told of the paths in a text: what is no input, and how to make it one.
    pub(crate) fn advice(&self, text: &str) -> Vec<String> {
        let (mut forgotten, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for word in text.split(|c: char| c.is_whitespace() || ENDS.contains(&c)) {
            let path = Path::new(word.trim_end_matches('.'));
            match self.in_project(path) {
                Some(path) => forgotten.extend(self.is_forgotten(&path).then_some(path)),
                None => refused.extend(self.is_refused(path).then_some(path)),
            }
        }
        for name in text.split(QUOTES).skip(1).filter(|name| is_name(name)) {
            forgotten.extend(self.beside_inputs(name));
        }
        let is_within = |path: &&&Path| path.ancestors().skip(1).any(|dir| refused.contains(dir));
        let outside = refused.iter().filter(|path| !is_within(path)).map(|path| outside(path));
        forgotten.iter().map(|path| no_input(path)).chain(outside).take(MAX_TOLD).collect()
    }

    /// A path relative to the project, whether it was told so, or as one of the working directory.
    fn in_project(&self, path: &Path) -> Option<PathBuf> {
        if path.is_relative() {
            return inside(path).filter(|path| !path.as_os_str().is_empty());
        }
        // The working directory is below the project.
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

    /// A file beside an input, named without its directory, and perhaps without its extension.
    fn beside_inputs(&self, name: &str) -> Option<PathBuf> {
        self.inputs.iter().find_map(|input| {
            let extension = input.extension()?.to_str()?;
            let full = input.with_file_name(format!("{name}.{extension}"));
            let candidates = [input.with_file_name(name), full];
            candidates.into_iter().find(|path| self.is_forgotten(path))
        })
    }

    /// Whether it is a file of the project that the program did not have.
    fn is_forgotten(&self, path: &Path) -> bool {
        let full = self.root.join(path);
        let is_tool = self.tools.iter().any(|tool| full.starts_with(&tool.path));
        full.is_file() && !is_tool && !self.work.join(path).exists()
    }
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
