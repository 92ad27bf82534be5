//! What is wrong with a project, told so that a person can mend it.
//!
//! A `Diagnostic` says what, where (a span in a source text) and how to mend it. It is data: how it
//! is drawn is the terminal's matter. `Error` is what stops a verb as a whole, each variant with
//! the exit code that `docs/FORMAT.md` promises.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A text that spans point into: a file of the project, or a command-line argument.
#[derive(Debug)]
pub struct Source {
    /// How people know it: `stages/train.toml`, `--set`, an environment variable.
    pub name: String,
    /// The text.
    pub text: String,
    /// Where its lines begin, found when a place in it is first asked for.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let after = self.text.match_indices('\n').map(|(end, _)| end + 1);
            std::iter::once(0).chain(after).collect()
        })
    }
}

/// Index of a source in `Sources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(pub usize);

/// All texts that were read for one spec.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and returns its index.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let (name, text) = (name.into(), text.into());
        self.0.push(Source { name, text, lines: OnceLock::new() });
        SourceId(self.0.len() - 1)
    }

    /// All texts, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// The text at an index that `add` returned.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.0[id.0]
    }

    /// Line and column of a place, both counted from 1, columns in characters.
    pub fn line_and_column(&self, place: &Place) -> (usize, usize) {
        let source = self.get(place.source);
        let lines = source.lines();
        let line = lines.partition_point(|start| *start <= place.span.start).max(1);
        let before = source.text.get(lines[line - 1]..place.span.start).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// `file:line` of a place.
    pub fn locate(&self, place: &Place) -> String {
        let (line, _) = self.line_and_column(place);
        format!("{}:{line}", self.get(place.source).name)
    }
}

/// A span of bytes in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The source.
    pub source: SourceId,
    /// The bytes meant.
    pub span: Range<usize>,
}

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What is wrong: lower case, no final dot.
    pub message: String,
    /// Where, when it stands somewhere.
    pub place: Option<Place>,
    /// How to mend it.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// A mistake that stands nowhere in particular.
    pub fn new(message: impl Into<String>) -> Diagnostic {
        Diagnostic { message: message.into(), place: None, hints: Vec::new() }
    }

    /// The same mistake at a place.
    pub fn at(mut self, place: Option<Place>) -> Diagnostic {
        self.place = place;
        self
    }

    /// The same mistake with advice; `None` adds none.
    pub fn hinted(mut self, hint: impl Into<Option<String>>) -> Diagnostic {
        self.hints.extend(hint.into());
        self
    }
}

/// All mistakes of a project, with the texts they stand in.
#[derive(Debug)]
pub struct Mistakes {
    /// The texts.
    pub sources: Sources,
    /// The mistakes, in the order of the texts.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            if let Some(place) = &diagnostic.place {
                write!(f, "{}: ", self.sources.locate(place))?;
            }
            write!(f, "{}", diagnostic.message)?;
            for hint in &diagnostic.hints {
                write!(f, "\nhint: {hint}")?;
            }
        }
        Ok(())
    }
}

/// Exit codes: an interface, never reused for another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// All is well.
    Ok = 0,
    /// A stage failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The lock, `--exit-code` or a quality gate does not hold.
    Drift = 3,
    /// Something needed is missing.
    Missing = 4,
    /// Stored bytes do not match their name.
    Corrupt = 5,
    /// A signature or trust policy failed.
    Untrusted = 6,
    /// A rebuild gave other bytes.
    NotReproducible = 7,
    /// Another process holds what is needed; try again.
    Busy = 75,
    /// Interrupted by the user.
    Interrupted = 130,
}

/// What stops a verb of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project's configuration is wrong.
    #[error("{0}")]
    Config(Box<Mistakes>),
    /// Files of the project that are to be read do not exist.
    #[error("{0}")]
    Absent(Box<Mistakes>),
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not. Not a `source`: it stands in the message.
        cause: std::io::Error,
    },
    /// Something that was named does not exist.
    #[error("{0}")]
    Missing(String),
    /// The lock is none, or is not what it should be.
    #[error("{0}")]
    Drift(String),
    /// A stored document was damaged or written by another format.
    #[error("{0}")]
    Corrupt(String),
    /// Another process has what is needed.
    #[error("{0}")]
    Busy(String),
}

impl Error {
    /// The exit code that the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Error::Config(_) => ExitCode::Usage,
            Error::Io { .. } => ExitCode::Failed,
            Error::Missing(_) | Error::Absent(_) => ExitCode::Missing,
            Error::Drift(_) => ExitCode::Drift,
            Error::Corrupt(_) => ExitCode::Corrupt,
            Error::Busy(_) => ExitCode::Busy,
        }
    }

    /// What to do about an IO error in the chain of an error, for those that say nothing of it.
    pub(crate) fn advice_on(error: &anyhow::Error) -> &'static str {
        let is_told = |cause: &Error| matches!(cause, Error::Io { .. });
        if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_told)) {
            return "";
        }
        error.chain().find_map(|cause| cause.downcast_ref()).map_or("", advice)
    }

    /// For `map_err`: an IO error with what was tried, and on what.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |cause| Error::Io { action, path, cause }
    }
}

/// What a person can do about an IO error, as far as that is known.
fn advice(cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match cause.kind() {
        QuotaExceeded | StorageFull => {
            "\nhint: make room and run again, what was finished stays; `pipeline gc` removes what no \
             kept run needs"
        }
        _ => "",
    }
}

/// Of how many mistakes it is worth to look for a suggestion: comparing each of very many wrong
/// names with each of very many known ones would take minutes, and nobody reads so far.
pub(crate) const MAX_SUGGESTED: usize = 100;

/// "did you mean …" when one of the known names is close to what was written.
pub fn suggestion<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    const LEAST_SIMILARITY: f64 = 0.75;
    known
        .map(|name| (strsim::jaro_winkler(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_gets_a_suggestion_and_another_word_none() {
        let known = ["needs", "kind", "params"];
        let hint = suggestion("neads", known.into_iter());
        assert_eq!(hint.as_deref(), Some("did you mean `needs`?"));
        assert_eq!(suggestion("zzz", known.into_iter()), None);
    }

    #[test]
    fn a_place_is_told_as_line_and_column() {
        let mut sources = Sources::default();
        let source = sources.add("pipeline.toml", "a = 1\nö = 2\n");
        let place = Place { source, span: 10..11 };
        assert_eq!(sources.line_and_column(&place), (2, 4));
        assert_eq!(sources.locate(&place), "pipeline.toml:2");
    }
}
