//! The shape of a CSV text: its names, its rows, and that every row has a field for every name.
//!
//! It does not read values: a library does that, and fills short rows, renames doubled columns and
//! guesses at stray quotes in silence. So the text is checked here first, by the strict rules of
//! RFC 4180, and every mistake is told with its line.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

const BOM: &[u8] = b"\xef\xbb\xbf";

const STRAY_QUOTE: &str = "a quote inside a field without quotes: quote the whole field and write \
                           the inner quote twice";

/// A CSV text that passed every check.
#[derive(Debug, PartialEq)]
pub struct Shape {
    /// The names of the columns.
    pub names: Vec<String>,
    /// The bytes of the header's fields, quotes and a byte-order mark included.
    pub header: Vec<Range<usize>>,
    /// How many rows follow the header, at least one.
    pub rows: usize,
    /// Where the last row ends, its line break included; only blank lines follow.
    pub end: usize,
}

/// What is wrong with a CSV text, and where.
#[derive(Debug, PartialEq)]
pub struct Malformed {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for Malformed {}

/// Checks a whole text: UTF-8, a header of distinct names, rows of the same width.
///
/// # Errors
/// The first mistake, with its line.
pub fn scan(bytes: &[u8], separator: u8) -> Result<Shape, Malformed> {
    check_utf8(bytes)?;
    let mut cursor = Cursor { bytes, separator, at: 0, line: 1 };
    if bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii().is_empty() {
        return Err(
            cursor.wrong("the file is empty: a line with the names of the columns is expected")
        );
    }
    if bytes.starts_with(BOM) {
        cursor.at = BOM.len();
    }
    let mut header = cursor.record()?;
    let names = names(bytes, &header, separator)?;
    if let Some(first) = header.first_mut() {
        first.start = 0;
    }
    let mut rows = 0;
    while !cursor.at_end(names.len()) {
        let line = cursor.line;
        let found = cursor.skip_record()?;
        if found != names.len() {
            let noun = if found == 1 { "field" } else { "fields" };
            let message = format!(
                "{found} {noun} where the header has {}: add or remove `{}`, or quote a field that \
                 contains one",
                names.len(),
                char::from(separator)
            );
            return Err(Malformed { line, message });
        }
        rows += 1;
    }
    if rows == 0 {
        return Err(cursor.wrong("there is no row below the header: at least one is expected"));
    }
    Ok(Shape { names, header, rows, end: cursor.at })
}

/// The texts of the fields of one record, its line break included or not, by the same rules.
///
/// # Errors
/// What is wrong with the record; its first line is line 1.
pub fn fields(record: &[u8], separator: u8) -> Result<Vec<Cow<'_, str>>, Malformed> {
    check_utf8(record)?;
    let mut cursor = Cursor { bytes: record, separator, at: 0, line: 1 };
    let spans = cursor.record()?;
    Ok(spans.into_iter().map(|span| unquoted(&record[span])).collect())
}

/// A place in the text.
struct Cursor<'a> {
    bytes: &'a [u8],
    separator: u8,
    at: usize,
    line: usize,
}

impl Cursor<'_> {
    fn wrong(&self, message: &str) -> Malformed {
        Malformed { line: self.line, message: message.to_owned() }
    }

    /// Whether only blank lines follow. In a table of one column a blank line is a missing value.
    fn at_end(&self, width: usize) -> bool {
        let rest = &self.bytes[self.at..];
        rest.is_empty() || width > 1 && rest.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// The spans of the fields up to the end of the record, which is passed over.
    fn record(&mut self) -> Result<Vec<Range<usize>>, Malformed> {
        let mut fields = Vec::new();
        loop {
            let (field, is_last) = self.field()?;
            fields.push(field);
            if is_last {
                return Ok(fields);
            }
        }
    }

    /// How many fields the record has that is passed over.
    fn skip_record(&mut self) -> Result<usize, Malformed> {
        let mut count = 1;
        while !self.field()?.1 {
            count += 1;
        }
        Ok(count)
    }

    /// The span of the next field, and whether it is the last of its record.
    fn field(&mut self) -> Result<(Range<usize>, bool), Malformed> {
        let start = self.at;
        if self.bytes.get(start) == Some(&b'"') {
            self.pass_quoted()?;
            let end = self.at;
            let rest = &self.bytes[end..];
            if rest.starts_with(b"\r\n") {
                self.at += 1;
            } else if !rest.is_empty() && rest[0] != self.separator && rest[0] != b'\n' {
                return Err(self.wrong(
                    "text after a closing quote: write a quote inside a quoted field twice",
                ));
            }
            return Ok((start..end, self.pass_ending()));
        }
        let ends = |byte: &u8| *byte == self.separator || matches!(byte, b'\n' | b'"');
        let rest = &self.bytes[start..];
        let len = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += len;
        if rest.get(len) == Some(&b'"') {
            return Err(self.wrong(STRAY_QUOTE));
        }
        let field = &rest[..len];
        let is_line_end = rest.get(len).is_none_or(|byte| *byte == b'\n');
        let len =
            if is_line_end { field.strip_suffix(b"\r").map_or(len, <[u8]>::len) } else { len };
        Ok((start..start + len, self.pass_ending()))
    }

    /// Passes over a quoted field, both quotes included.
    fn pass_quoted(&mut self) -> Result<(), Malformed> {
        let opened = self.line;
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => {
                    let message = "a quoted field that is opened here is never closed".to_owned();
                    return Err(Malformed { line: opened, message });
                }
                Some(b'"') if self.bytes.get(self.at + 1) == Some(&b'"') => self.at += 1,
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\n') => self.line += 1,
                Some(_) => {}
            }
            self.at += 1;
        }
    }

    /// Passes over what ends a field; whether it ends the record, too.
    fn pass_ending(&mut self) -> bool {
        let ending = self.bytes.get(self.at);
        self.at += usize::from(ending.is_some());
        self.line += usize::from(ending == Some(&b'\n'));
        ending != Some(&self.separator)
    }
}

fn check_utf8(bytes: &[u8]) -> Result<(), Malformed> {
    let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
    let before = &bytes[..error.valid_up_to()];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let message = "not UTF-8: save the file in that encoding, uncompressed".to_owned();
    Err(Malformed { line, message })
}

fn names(bytes: &[u8], header: &[Range<usize>], separator: u8) -> Result<Vec<String>, Malformed> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    let wrong = |message: String| Err(Malformed { line: 1, message });
    for (at, span) in header.iter().enumerate() {
        let name = unquoted(&bytes[span.clone()]);
        if name.trim().is_empty() {
            return wrong(format!(
                "column {} has no name: name it, or remove it (a column of row numbers is often \
                 written so)",
                at + 1
            ));
        }
        if !seen.insert(name.clone()) {
            return wrong(format!("two columns have the name `{name}`: rename or remove one"));
        }
        names.push(name.into_owned());
    }
    let other = [b',', b';', b'\t', b'|'].into_iter().filter(|other| *other != separator);
    match names.as_slice() {
        [name] if other.clone().any(|other| name.as_bytes().contains(&other)) => wrong(format!(
            "one column named `{}`: separate the fields by `{}`",
            name.escape_debug(),
            char::from(separator).escape_debug()
        )),
        _ => Ok(names),
    }
}

/// The text of a field without its quotes. The bytes were checked to be UTF-8.
fn unquoted(field: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(field);
    match field {
        [b'"', .., b'"'] => Cow::Owned(text[1..text.len() - 1].replace("\"\"", "\"")),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(text: &str) -> (Vec<String>, usize) {
        let shape = scan(text.as_bytes(), b',').unwrap();
        (shape.names, shape.rows)
    }

    #[track_caller]
    fn refuses(text: &[u8], expected: &str) {
        let told = scan(text, b',').unwrap_err().to_string();
        assert!(told.starts_with(expected), "{told}");
    }

    #[test]
    fn names_and_rows_are_found_whatever_the_line_ends() {
        let expected = (vec!["a".to_owned(), "b  c".to_owned()], 2);
        for text in
            ["a,b  c\n1,2\n3,4\n", "a,b  c\r\n1,2\r\n3,4", "\u{feff}a,\"b  c\"\n1,2\n3,\n\n\n"]
        {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn a_quoted_field_may_hold_quotes_separators_and_lines() {
        assert_eq!(
            shape("\"a \"\"x\"\"\",b\n\"1,\n2\",\"\"\n"),
            (vec!["a \"x\"".into(), "b".into()], 1)
        );
    }

    #[test]
    fn a_blank_line_is_a_value_only_where_there_is_one_column() {
        assert_eq!(shape("a\n1\n\n3\n").1, 3);
        refuses(b"a,b\n1,2\n\n3,4\n", "line 3: 1 field where the header has 2");
    }

    #[test]
    fn a_record_alone_is_read_by_the_same_rules() {
        assert_eq!(fields(b"a,\"b,\n\"\"c\"\r\n", b',').unwrap(), ["a", "b,\n\"c"]);
        assert_eq!(fields(b"", b',').unwrap(), [""]);
        assert!(fields(b"a\"b,c\n", b',').unwrap_err().message.starts_with("a quote inside"));
        assert!(fields(b"\xff", b',').is_err());
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        refuses(b"", "line 1: the file is empty");
        refuses(b" \n\n", "line 1: the file is empty");
        refuses(b"a,b\n", "line 2: there is no row below the header");
        refuses(b"a,b\n1,2\n3\n", "line 3: 1 field where the header has 2");
        refuses(b"a,b\n\"x\ny\",2\n3,4,5\n", "line 4: 3 fields where the header has 2");
        refuses(b"a,a\n1,2\n", "line 1: two columns have the name `a`");
        refuses(b",a\n0,2\n", "line 1: column 1 has no name");
        refuses(b"a,b\n1,\xff\n", "line 2: not UTF-8");
        refuses(b"a,b\n1,\"2\n", "line 2: a quoted field that is opened here is never closed");
        refuses(b"a,b\n1,\"2\"3\n", "line 2: text after a closing quote");
        refuses(b"a,b\n1,2\"3\n", "line 2: a quote inside a field without quotes");
        refuses(b"a;b\n1;2\n", "line 1: one column named `a;b`: separate the fields by `,`");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(prop_oneof![
            Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()
        ], 0..60)) {
            if let Ok(shape) = scan(&bytes, b',') {
                prop_assert!(shape.end <= bytes.len());
                prop_assert_eq!(shape.names.len(), shape.header.len());
            }
        }
    }
}
