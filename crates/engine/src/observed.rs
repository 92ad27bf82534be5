//! What was observed of a program's last run: its output, how long it took, where and when.
//!
//! No part of the outcome, because a log has times in it and would make equal results differ. It is
//! kept beside, under the key, so that a hit can show again what the program said. Losing it costs
//! nothing, so that nothing is flushed and no failure to write it is told.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::files;
use crate::store::Store;

/// What was observed of one run of a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// What it wrote to its standard output, as text; the middle of a long one is cut out.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// How long the last attempt took, in seconds.
    pub seconds: f64,
    /// How many attempts it took.
    pub attempts: u32,
    /// The machine.
    pub host: String,
    /// When it ended, in UTC, as RFC 3339.
    pub ended: String,
}

impl Observation {
    /// Whether the program said nothing.
    pub fn is_silent(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty()
    }

    /// The lines that the program wrote, as a terminal may show them: standard output first.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.stdout.lines().chain(self.stderr.lines()).map(shown)
    }

    /// All that the program wrote, as one text: standard output first.
    pub(crate) fn text(&self) -> String {
        let parts = [("stdout", &self.stdout), ("stderr", &self.stderr)].into_iter();
        let parts = parts.filter(|(_, text)| !text.is_empty());
        parts.map(|(name, text)| format!("== {name} ==\n{}\n", text.trim_end())).collect()
    }
}

/// A line of a program as a terminal may show it: in its colours, which end with it, and without
/// anything else that a terminal obeys. Of what was written over itself the last is left.
pub(crate) fn shown(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit_once('\r').map_or(line, |(_, last)| last);
    let (mut shown, mut is_colored) = (String::with_capacity(line.len()), false);
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        shown.push_str(&rest[..at]);
        let (sequence, after) = control(&rest[at..]);
        if sequence.starts_with("\u{1b}[") && sequence.ends_with('m') {
            shown.push_str(sequence);
            is_colored = true;
        }
        rest = after;
    }
    shown.push_str(rest);
    if is_colored {
        shown.push_str("\u{1b}[0m");
    }
    shown
}

/// The control sequence that a text begins with, and what is behind it.
fn control(text: &str) -> (&str, &str) {
    let mut chars = text.char_indices().skip(1);
    let first = chars.next();
    let end = match (text.starts_with('\u{1b}'), first) {
        (true, Some((_, '['))) => {
            // Parameters, then one character that ends it.
            let end = chars.find(|(_, c)| !matches!(c, ' '..='?'));
            end.map_or(text.len(), |(at, c)| at + c.len_utf8())
        }
        (true, Some((_, ']' | 'P' | '_' | '^' | 'X'))) => {
            let end = text[2..].find(['\u{7}', '\u{1b}']).map(|at| at + 2);
            end.map_or(text.len(), |at| {
                at + text[at..].len().min(1 + usize::from(text[at..].starts_with("\u{1b}\\")))
            })
        }
        (true, Some((at, c))) => at + c.len_utf8(),
        (false, Some((at, _))) => at,
        (_, None) => text.len(),
    };
    text.split_at(end)
}

impl Store {
    /// What was observed of the program that made the outcome of a key, if it was kept.
    pub fn observed(&self, key: &Digest) -> Option<Observation> {
        canonical::read(&self.place("observed", key)).ok()
    }

    /// Keeps what was observed of a program, if that is possible. Of one that said nothing there is
    /// nothing to say again, and what it said before is forgotten.
    pub(crate) fn keep_observed(&self, key: &Digest, observation: &Observation) {
        if observation.is_silent() {
            let _ = files::remove(&self.place("observed", key));
            return;
        }
        drop(self.write(&self.place("observed", key), &canonical::to_bytes(observation)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_colours_and_obeys_nothing_else() {
        assert_eq!(shown("plain\tö"), "plain\tö");
        assert_eq!(shown("\u{1b}[1;31mred"), "\u{1b}[1;31mred\u{1b}[0m");
        assert_eq!(shown("a\u{1b}[2Jb\u{1b}[?1049hc\u{7}d"), "abcd");
        assert_eq!(shown("a\u{1b}]0;title\u{7}b\u{1b}]8;;x\u{1b}\\c"), "abc");
        assert_eq!(shown("a\u{1b}cb\u{9b}2Jc\u{1b}"), "ab2Jc");
        assert_eq!(shown(" 1%\r 99%\r100%\r"), "100%");
        assert_eq!(shown("a\u{1b}]0;never ended"), "a");
        assert_eq!(shown("\u{1b}[31"), "");
    }
}
