//! What a service follows, and how people and programs are told of a swap.
//!
//! An alias is followed by its document, which is replaced when the alias comes to stand for
//! something else; a directory by what lies in it. A service only reads: what an alias stands for
//! was laid out by whoever promoted it, before the document said so.

use std::path::{Path, PathBuf};

use engine::alias::{Alias, Aliases};
use engine::error::Error;

use super::notify::{READY, notify};
use crate::serve::{News, Source};
use crate::terminal::{Style, Terminal};

/// What a service follows.
pub(super) enum Followed {
    /// A directory.
    Directory(PathBuf),
    /// What an alias stands for.
    Alias {
        /// Those of the project.
        aliases: Aliases,
        /// Its name.
        name: String,
        /// Its document.
        document: PathBuf,
    },
}

impl Followed {
    /// What an alias of a project stands for.
    pub(super) fn alias(aliases: &Aliases, name: &str) -> Followed {
        let document = aliases.document(name);
        Followed::Alias { aliases: aliases.clone(), name: name.to_owned(), document }
    }

    /// The file that is replaced when another directory is meant.
    pub(super) fn pointer(&self) -> Option<&Path> {
        match self {
            Followed::Directory(_) => None,
            Followed::Alias { document, .. } => Some(document),
        }
    }

    /// The directory that is meant now.
    ///
    /// # Errors
    /// Why there is none, in words that a client may read.
    pub(super) fn package(&self) -> Result<PathBuf, String> {
        let (aliases, name) = match self {
            Followed::Directory(dir) => return Ok(dir.clone()),
            Followed::Alias { aliases, name, .. } => (aliases, name),
        };
        let read = aliases.read(name).map_err(|error| match error {
            // Without the path, which is nobody's business but the machine's.
            Error::Corrupt(_) => format!("the document of the alias `{name}` is damaged"),
            _ => format!("the document of the alias `{name}` cannot be read"),
        })?;
        let current = read.as_ref().and_then(Alias::current);
        let current = current.ok_or_else(|| format!("the alias `{name}` stands for nothing"))?;
        Ok(aliases.copy(name, current))
    }
}

/// A service's source that tells a terminal and the service manager.
pub(super) struct Following {
    pub(super) followed: Followed,
    pub(super) terminal: Terminal,
}

impl Source for Following {
    fn pointer(&self) -> Option<&Path> {
        self.followed.pointer()
    }

    fn package(&self) -> Result<PathBuf, String> {
        self.followed.package()
    }

    fn tell(&self, news: &News<'_>) {
        let terminal = &self.terminal;
        let event = |document: serde_json::Value| {
            if terminal.json {
                terminal.json_line(&document);
            }
        };
        match news {
            News::Swapped { from, to } => {
                event(serde_json::json!({
                    "schema": "pipeline.event/1", "event": "swapped",
                    "model_version": to, "before": from,
                }));
                let line = format!("serving model {to} now; before: {from}");
                terminal.note(&terminal.paint_err(&line, Style::Good));
            }
            News::Kept { version, reason } => {
                event(serde_json::json!({
                    "schema": "pipeline.event/1", "event": "kept",
                    "model_version": version, "reason": reason,
                }));
                terminal.warning(&format!(
                    "what is to be served now cannot be, so model {version} goes on: {reason}"
                ));
            }
            News::Looked => notify(READY),
        }
    }
}
