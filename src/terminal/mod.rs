//! The only place that prints. Results go to stdout, everything else to stderr.
//!
//! Knows how people and programs are told things, and nothing about what is done. A reader that
//! goes away (`pipeline log | head`) is no error; a result that is lost in any other way is one.

mod diagnostics;
mod progress;
mod table;

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use engine::error::Error;

use crate::cli::{Color, Global};

pub(crate) use progress::status;
pub use progress::{Drawn, Progress};
pub use table::Table;

/// How the user wants to be told things.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Machine-readable output.
    pub json: bool,
    /// Only errors and results.
    pub quiet: bool,
    /// More than usual.
    pub verbose: bool,
    color_out: bool,
    color_err: bool,
    is_live: bool,
}

/// How a word is drawn where colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Emphasised.
    Bold,
    /// In the background.
    Dim,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
}

impl Terminal {
    /// The terminal as the options and the environment ask for it.
    pub fn new(global: &Global) -> Terminal {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wants = |is_terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb,
        };
        let is_live = io::stderr().is_terminal() && !is_dumb && !global.json && !global.quiet;
        Terminal {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            color_out: wants(io::stdout().is_terminal()) && !global.json,
            color_err: wants(io::stderr().is_terminal()),
            is_live,
        }
    }

    /// A line of results.
    pub fn out(&self, line: &str) {
        if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
            lose(error);
        }
    }

    /// Results as they are, of which there may be any number.
    ///
    /// # Errors
    /// When nobody reads them any more, or they cannot be written.
    pub fn results(&self, bytes: &[u8]) -> io::Result<()> {
        io::stdout().lock().write_all(bytes)
    }

    /// Why results were lost, if they were: to be asked once, at the end.
    pub fn lost(&self) -> Option<&'static io::Error> {
        if let Err(error) = io::stdout().lock().flush() {
            lose(error);
        }
        LOST.get()
    }

    /// A JSON document as a line of results.
    pub fn json_line(&self, document: &impl serde::Serialize) {
        self.out(&serde_json::to_string(document).unwrap_or_default());
    }

    /// A line for people who watch.
    pub fn note(&self, line: &str) {
        if !self.quiet && !self.json {
            write_line(&mut io::stderr().lock(), line);
        }
    }

    /// Something that the user should know, and that stops nothing.
    pub fn warning(&self, message: &str) {
        let head = self.paint_err("warning:", Style::Warn);
        write_line(&mut io::stderr().lock(), &format!("{head} {message}"));
    }

    /// What stopped the verb.
    pub fn error(&self, error: &anyhow::Error) {
        if self.json {
            return self.json_line(&diagnostics::as_json(error));
        }
        let text = match error.downcast_ref::<Error>() {
            Some(Error::Config(mistakes) | Error::Absent(mistakes)) => {
                diagnostics::render(mistakes, self.color_err)
            }
            _ => format!("{} {error:#}", self.paint_err("error:", Style::Bad)),
        };
        write_line(&mut io::stderr().lock(), &text);
    }

    /// A word on stdout in a style.
    pub fn paint(&self, text: &str, style: Style) -> String {
        paint(text, style, self.color_out)
    }

    /// A word on stderr in a style.
    pub fn paint_err(&self, text: &str, style: Style) -> String {
        paint(text, style, self.color_err)
    }
}

fn paint(text: &str, style: Style, is_colored: bool) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        _ if !is_colored => return text.to_owned(),
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Good => "32",
        Style::Warn => "33",
        Style::Bad => "1;31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// The first error that lost a result.
static LOST: OnceLock<io::Error> = OnceLock::new();

fn lose(error: io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        // The first one is told.
        let _ = LOST.set(error);
    }
}

/// Writes a line. What cannot be written is not told: there is nobody left to tell.
fn write_line(to: &mut impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

/// A duration as people read it.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.0995 => format!("{:.0} ms", (s * 1000.0).max(1.0)),
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// `1 run`, `2 runs`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        let told: Vec<_> = [0.0004, 0.012, 1.84, 61.0].map(super::seconds).into();
        assert_eq!(told, ["1 ms", "12 ms", "1.8 s", "1 min 1 s"]);
    }
}
