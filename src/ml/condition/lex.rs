//! The words of a condition: its text cut into tokens, each with its place.

use std::ops::Range;

use super::Flaw;

/// A word and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) word: Word,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Number(f64),
    Text(String),
    /// A column, or a function where a parenthesis follows.
    Name(String),
    /// A column between backticks.
    Quoted(String),
    Keyword(Keyword),
    Symbol(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
    In,
    Is,
    Null,
    True,
    False,
}

const KEYWORDS: [(&str, Keyword); 8] = [
    ("and", Keyword::And),
    ("or", Keyword::Or),
    ("not", Keyword::Not),
    ("in", Keyword::In),
    ("is", Keyword::Is),
    ("null", Keyword::Null),
    ("true", Keyword::True),
    ("false", Keyword::False),
];

/// Longer ones before those that they begin with.
const SYMBOLS: [&str; 15] =
    ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ","];

/// What people write who come from another language, and what to write here.
const FOREIGN: [(&str, &str); 9] = [
    ("<>", "write `!=`"),
    ("=", "write `==`"),
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("&", "write `and`"),
    ("|", "write `or`"),
    ("!", "write `not`"),
    ("~", "write `not`"),
    (";", "a condition is one expression"),
];

/// The tokens of a text.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Flaw> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (word, len) = word(source, at, first)?;
        tokens.push(Token { word, at: at..at + len });
        at += len;
    }
    Ok(tokens)
}

/// The word that begins at a place, and its length.
fn word(source: &str, at: usize, first: char) -> Result<(Word, usize), Flaw> {
    let rest = &source[at..];
    let starts_number = |text: &str| {
        let digits = text.strip_prefix('.').unwrap_or(text);
        digits.starts_with(|c: char| c.is_ascii_digit())
    };
    if matches!(first, '"' | '\'' | '`') {
        let (text, len) = quoted(source, at, first)?;
        let is_name = first == '`';
        return Ok((if is_name { Word::Quoted(text) } else { Word::Text(text) }, len));
    }
    if starts_number(rest) {
        return number(rest, at);
    }
    if first == '_' || first.is_alphabetic() {
        let len = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..len];
        let keyword = KEYWORDS.iter().find(|(text, _)| *text == name);
        let word =
            keyword.map_or_else(|| Word::Name(name.to_owned()), |(_, word)| Word::Keyword(*word));
        return Ok((word, len));
    }
    if !rest.starts_with("<>")
        && let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol))
    {
        return Ok((Word::Symbol(symbol), symbol.len()));
    }
    let foreign = FOREIGN.iter().find(|(text, _)| rest.starts_with(text));
    Err(match foreign {
        Some((text, advice)) => {
            Flaw::new(&(at..at + text.len()), format!("`{text}` is not understood: {advice}"))
        }
        None => Flaw::new(&(at..at + first.len_utf8()), format!("`{first}` is not understood")),
    })
}

/// A text between quotes; `\` keeps a quote or itself.
fn quoted(source: &str, at: usize, quote: char) -> Result<(String, usize), Flaw> {
    let mut text = String::new();
    let mut rest = source[at..].char_indices().skip(1);
    while let Some((offset, c)) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some((_, escaped)) if escaped == quote || escaped == '\\' => text.push(escaped),
                Some((end, other)) => {
                    let place = at + offset..at + end + other.len_utf8();
                    let message = format!("`\\{other}` is not understood: write `\\\\` for a `\\`");
                    return Err(Flaw::new(&place, message));
                }
                None => break,
            },
            _ if c == quote => return Ok((text, offset + 1)),
            _ => text.push(c),
        }
    }
    Err(Flaw::new(&(at..at + 1), format!("the {quote} that is opened here is never closed")))
}

fn number(rest: &str, at: usize) -> Result<(Word, usize), Flaw> {
    let bytes = rest.as_bytes();
    let is_exponent_sign =
        |i: usize| matches!(bytes[i], b'+' | b'-') && i > 0 && matches!(bytes[i - 1], b'e' | b'E');
    let belongs = |i: &usize| {
        bytes[*i].is_ascii_alphanumeric()
            || matches!(bytes[*i], b'.' | b'_')
            || is_exponent_sign(*i)
    };
    let len = (0..bytes.len()).take_while(belongs).count();
    let text = &rest[..len];
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    match text.parse::<f64>() {
        Ok(number) if is_plain && number.is_finite() => Ok((Word::Number(number), len)),
        _ => Err(Flaw::new(&(at..at + len), format!("`{text}` is no number"))),
    }
}
