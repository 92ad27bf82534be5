//! What a request asks for behind the question mark.
//!
//! As strict as a body: a name that is not known is refused and not passed over, because a caller
//! who mistypes `explain` would wait for explanations that never come.

use crate::serve::errors::{self, Entry, Problem};
use crate::serve::field::truth_of;

/// What may be asked for with a prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// What each field adds to the answer.
    pub(crate) explain: bool,
}

impl Query {
    /// Reads a query, without its question mark.
    ///
    /// # Errors
    /// 422 for a name that is not known or comes twice, or a value that is no truth value.
    pub(crate) fn read(text: &str) -> Result<Query, Problem> {
        let mut explain = None;
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name).unwrap_or_else(|| name.to_owned());
            let value = decoded(value).unwrap_or_else(|| value.to_owned());
            if name != "explain" {
                return Err(unknown(&name));
            }
            if explain.is_some() {
                return Err(wrong("duplicate_key", "Key must not be repeated", "given once", None));
            }
            let truth = truth_of(&value);
            let msg = "Input should be a valid boolean, unable to interpret input";
            let refused = || wrong("bool_parsing", msg, "true or false", Some(&value));
            explain = Some(truth.ok_or_else(refused)?);
        }
        Ok(Query { explain: explain.unwrap_or_default() })
    }
}

fn unknown(name: &str) -> Problem {
    let loc = vec![errors::name("query"), errors::name(name)];
    let message =
        format!("the query parameter '{}' is not known; there is 'explain'", errors::clip(name));
    let msg = "Extra inputs are not permitted";
    Problem::unprocessable(Entry::new("extra_forbidden", loc, msg, message))
}

fn wrong(kind: &'static str, msg: &str, must_be: &str, input: Option<&str>) -> Problem {
    let loc = vec![errors::name("query"), errors::name("explain")];
    let message = format!("the query parameter 'explain' must be {must_be}");
    let entry = Entry::new(kind, loc, msg, message);
    Problem::unprocessable(Entry { input: input.map(|text| errors::clip(text).into()), ..entry })
}

/// A part of a URI without its percents; `None` when they are not of UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|digits| !digits.starts_with('+'));
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &others[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_strictly() {
        let explain = |text: &str| Query::read(text).map(|query| query.explain);
        for text in ["explain=true", "explain=1", "%65xplain=Yes", "&explain=on&"] {
            assert_eq!(explain(text), Ok(true), "{text}");
        }
        for text in ["", "explain=false", "explain=0"] {
            assert_eq!(explain(text), Ok(false), "{text}");
        }
        for (text, kind) in [
            ("explain", "bool_parsing"),
            ("explain=maybe", "bool_parsing"),
            ("explain=1&explain=1", "duplicate_key"),
            ("explian=1", "extra_forbidden"),
        ] {
            assert_eq!(explain(text).unwrap_err().entries[0].kind, kind, "{text}");
        }
    }

    #[test]
    fn percents_are_taken_as_they_were_meant() {
        assert_eq!(decoded("a%20b%C3%BC").as_deref(), Some("a bü"));
        assert_eq!(decoded("100%").as_deref(), Some("100%"));
        assert_eq!(decoded("%+1%zz").as_deref(), Some("%+1%zz"));
        assert_eq!(decoded("%ff"), None);
    }
}
