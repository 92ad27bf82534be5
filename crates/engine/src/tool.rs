//! A program of a stage: where it is, where its programs are, what it must read of itself.
//!
//! Its path alone; whether it is what it was, and how it was found, is not known here.

use std::path::{Path, PathBuf};

use crate::files::{self, entries};

/// A program or a directory of programs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// As it is declared.
    pub(crate) name: String,
    /// Where it is: absolute, links not followed, because some programs look around where they
    /// were found.
    pub(crate) path: PathBuf,
    /// Whether it is a directory.
    pub(crate) is_dir: bool,
    /// Of an interpreter that nobody declared and a script names: where it was looked for before it
    /// was found. Its name is the line of the script.
    pub(crate) implied: Option<Vec<PathBuf>>,
}

impl Tool {
    /// A tool that somebody declared.
    pub(crate) fn declared(name: &str, path: PathBuf, is_dir: bool) -> Tool {
        Tool { name: name.to_owned(), path, is_dir, implied: None }
    }

    /// The directories in which a program finds these, each once.
    pub(crate) fn dirs(tools: &[Tool]) -> Vec<PathBuf> {
        let mut dirs: Vec<PathBuf> = Vec::new();
        for dir in tools.iter().filter(|tool| tool.implied.is_none()).map(Tool::dir) {
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }

    /// The directory that its programs are in.
    pub(crate) fn dir(&self) -> PathBuf {
        let bin = self.path.join("bin");
        match self.is_dir {
            true if files::is_dir(&bin) => bin,
            true => self.path.clone(),
            false => self.path.parent().unwrap_or(Path::new("/")).to_owned(),
        }
    }

    /// What the program must read of itself: the file or directory, what its links lead to, and of
    /// a program in `X/bin` what it keeps in `X/lib` and the like.
    pub(crate) fn parts(&self) -> Vec<PathBuf> {
        const BESIDE_BIN: [&str; 4] = ["lib", "lib64", "libexec", "share"];
        let programs = match self.is_dir {
            true => entries(&self.dir()).unwrap_or_default(),
            false => vec![self.path.clone()],
        };
        let mut parts = vec![self.path.clone()];
        for real in programs.iter().filter_map(|path| files::canonical(path).ok()) {
            let is_own = real.starts_with(&self.path) && self.is_dir;
            let prefix = real.parent().filter(|dir| dir.ends_with("bin")).and_then(Path::parent);
            if let Some(prefix) = prefix.filter(|_| !is_own) {
                parts.extend(BESIDE_BIN.map(|name| prefix.join(name)));
            }
            parts.extend((!is_own).then_some(real));
        }
        parts.sort();
        parts.dedup();
        parts
    }
}
