//! Conditions on the rows of a table, written as a text: `plan == "x" and months > 3`.
//!
//! A small language instead of SQL or a scripting language: it can do nothing but look at the
//! values of one row, every text ends in an answer or in an error with a caret, and its numbers
//! are the same on every machine. It reads like pandas' `query` and Python. It knows tables, no
//! expectations.
//!
//! ```text
//! condition  = or
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | comparison
//! comparison = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) sum
//!                  | [ "not" ] "in" "[" literal { "," literal } "]"
//!                  | "is" [ "not" ] "null" ]
//! sum        = product { ( "+" | "-" ) product }
//! product    = unary { ( "*" | "/" ) unary }
//! unary      = "-" unary | primary
//! primary    = literal | column | ( "abs" | "length" ) "(" or ")" | "(" or ")"
//! literal    = [ "-" ] number | "text" | 'text' | "true" | "false"
//! column     = a name of letters, digits and _ | `any name between backticks`
//! ```
//!
//! Missing values follow SQL: what is compared with a missing value, or computed from one, is
//! unknown, and so is `not` of it; `and` is false when any part is false, `or` true when any part
//! is true, whatever the others are. Only `is null` looks at what is missing. Numbers are floats
//! of 64 bits; a result that is not finite, such as a division by zero, is missing. Texts compare
//! by their bytes, so dates as `2026-11-25` compare as dates do; `\` before a quote or a `\` keeps
//! it in a text. Numbers, texts and truth values are never mixed: that is an error and no guess.

mod bind;
mod evaluate;
mod lex;
mod parse;

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;

use super::table::Table;
use parse::Node;

/// The most bytes of a condition.
pub const MAX_BYTES: usize = 10_000;

/// A condition that can be asked of rows.
#[derive(Clone, Debug)]
pub struct Condition {
    source: String,
    root: Node,
}

/// What is wrong with a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    source: String,
    at: Range<usize>,
    message: String,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(source: &str) -> Result<Condition, Mistake> {
        if source.len() > MAX_BYTES {
            let message = format!("{} bytes long: at most {MAX_BYTES} are read", source.len());
            return Err(Mistake { source: String::new(), at: 0..0, message });
        }
        let wrong = |flaw| Mistake::new(source, flaw);
        let tokens = lex::tokens(source).map_err(wrong)?;
        let root = parse::parse(&tokens, source.len()).map_err(wrong)?;
        Ok(Condition { source: source.to_owned(), root })
    }

    /// The columns that it names, each once, in the order in which they come first.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.columns(&mut names);
        names
    }

    /// The answer for every row: `None` is unknown, because a value that matters is missing.
    ///
    /// # Errors
    /// A column that the table does not have, and types that do not go together.
    pub fn answers(&self, table: &Table) -> Result<Vec<Option<bool>>, Mistake> {
        let truth =
            bind::bind(&self.root, table).map_err(|flaw| Mistake::new(&self.source, flaw))?;
        Ok((0..table.rows()).into_par_iter().map(|row| truth.at(row)).collect())
    }
}

impl Mistake {
    fn new(source: &str, flaw: Flaw) -> Mistake {
        Mistake { source: source.to_owned(), at: flaw.at, message: flaw.message }
    }
}

/// The message, and below it the condition with carets under the part that is meant.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.source.is_empty() {
            return Ok(());
        }
        // Control characters would move the carets; every character is one column here.
        let shown = |text: &str| text.replace(char::is_control, " ");
        let start = self.source.get(..self.at.start).map_or(0, |before| before.chars().count());
        let width = self.source.get(self.at.clone()).map_or(0, |part| part.chars().count());
        let (indent, carets) = (" ".repeat(start), "^".repeat(width.max(1)));
        write!(f, "\n  {}\n  {indent}{carets}", shown(&self.source))
    }
}

impl std::error::Error for Mistake {}

/// What is wrong with a part of the text, before it is joined with the text.
#[derive(Debug)]
struct Flaw {
    at: Range<usize>,
    message: String,
}

impl Flaw {
    fn new(at: &Range<usize>, message: impl Into<String>) -> Flaw {
        Flaw { at: at.clone(), message: message.into() }
    }
}

#[cfg(test)]
mod tests;
