//! Placeholders: `{train}` in a word or a script stands for the path of that input or output.
//!
//! `{{` and `}}` are braces. Knows names and paths, not what they are.

use std::collections::BTreeMap;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it is.
    Text(String),
    /// The name of a port.
    Port(String),
}

/// Takes a word apart.
///
/// # Errors
/// A sentence when a brace is not closed.
pub(crate) fn parse(word: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let brace = &from[..1];
        if let Some(after) = from[1..].strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if brace == "}" {
            text.push('}');
            rest = &from[1..];
        } else {
            let Some((name, after)) = from[1..].split_once('}') else {
                return Err(format!("a brace is not closed in `{}`", shortened(from)));
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Port(name.to_owned()));
            rest = after;
        }
    }
    text.push_str(rest);
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 20;
    text.chars().take(SHOWN_CHARS).collect()
}

/// The arguments that one word stands for: a word that is just a port is one argument per path,
/// else several paths are joined by a space.
pub(crate) fn arguments(word: &str, paths: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let pieces = parse(word).unwrap_or_default();
    let of = |name: &String| paths.get(name).map(Vec::as_slice).unwrap_or_default();
    if let [Piece::Port(name)] = pieces.as_slice() {
        return of(name).to_vec();
    }
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Port(name) => of(name).join(" "),
    };
    vec![pieces.iter().map(text).collect()]
}

/// A script with its placeholders replaced by quoted paths.
pub(crate) fn script(text: &str, paths: &BTreeMap<String, Vec<String>>) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Port(name) => {
            let paths = paths.get(name).map(Vec::as_slice).unwrap_or_default();
            paths.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(" ")
        }
    };
    parse(text).unwrap_or_default().iter().map(piece).collect()
}

/// A word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> BTreeMap<String, Vec<String>> {
        let of = |name: &str, paths: &[&str]| {
            (name.to_owned(), paths.iter().map(|path| (*path).to_owned()).collect())
        };
        BTreeMap::from([of("a", &["x y"]), of("many", &["1", "2"])])
    }

    #[test]
    fn placeholders_become_paths_and_doubled_braces_are_braces() {
        assert_eq!(arguments("--in={a}", &paths()), ["--in=x y"]);
        assert_eq!(arguments("{many}", &paths()), ["1", "2"]);
        assert_eq!(arguments("-{many}-", &paths()), ["-1 2-"]);
        assert_eq!(arguments("{{a}}", &paths()), ["{a}"]);
        assert_eq!(arguments("", &paths()), [""]);
    }

    #[test]
    fn paths_in_a_script_are_quoted() {
        assert_eq!(script("cat {a} {many} > $o", &paths()), "cat 'x y' 1 2 > $o");
        assert_eq!(script("awk '{{print $1}}' {many}", &paths()), "awk '{print $1}' 1 2");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }

    #[test]
    fn a_brace_that_is_not_closed_is_told() {
        assert_eq!(parse("a {b").unwrap_err(), "a brace is not closed in `{b`");
    }
}
