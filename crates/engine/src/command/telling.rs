//! What a person is shown of what a program said, and of how it was called: never all of it.
//!
//! Pure. The whole of it is kept elsewhere.

use crate::observed::shown;

/// How many lines of the end of a stream are shown.
const SHOWN_LINES: usize = 20;
/// How much of a command line is shown.
const SHOWN_CHARS: usize = 1000;

/// The end of what a program wrote, each line indented behind a line break; the streams are named
/// when both have something to say.
pub(super) fn tail(stdout: &str, stderr: &str) -> String {
    let is_both = [stdout, stderr].iter().all(|text| !text.trim().is_empty());
    let mut told = String::new();
    for (name, text) in [("stdout", stdout), ("stderr", stderr)] {
        if text.trim().is_empty() {
            continue;
        }
        if is_both {
            told.push_str(&format!("\n  {name}:"));
        }
        let lines: Vec<_> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
            told.push_str(&format!("\n  | {}", shown(line)));
        }
    }
    told
}

/// A command line, the middle of a long one left out.
pub(super) fn shortened(line: &str) -> String {
    let n_chars = line.chars().count();
    if n_chars <= SHOWN_CHARS {
        return line.to_owned();
    }
    const END_CHARS: usize = SHOWN_CHARS / 4;
    let head: String = line.chars().take(SHOWN_CHARS - END_CHARS).collect();
    let end: String = line.chars().skip(n_chars - END_CHARS).collect();
    format!("{head} [{} characters] {end}", n_chars - SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_are_named_when_both_speak() {
        assert_eq!(tail("", "a\nb\n"), "\n  | a\n  | b");
        assert_eq!(tail("x", "a"), "\n  stdout:\n  | x\n  stderr:\n  | a");
        assert_eq!(tail(" \n", ""), "");
    }

    #[test]
    fn a_long_command_line_loses_its_middle() {
        assert_eq!(shortened("short"), "short");
        let line = shortened(&format!("begin{}end", "x".repeat(240_000)));
        assert!(line.chars().count() < 2 * SHOWN_CHARS, "{line}");
        assert!(line.starts_with("beginx") && line.ends_with("xend"), "{line}");
    }
}
