//! A stream of bytes, cut into records: lines, or rows of CSV, whose quoted fields may hold line
//! breaks.
//!
//! Holds one record at most, and none that is longer than the limit, so that its memory is bounded
//! whatever the stream. Only quotes and line breaks mean anything here.

/// Cuts a stream into records.
#[derive(Default)]
pub(crate) struct Splitter {
    record: Vec<u8>,
    max_len: usize,
    has_quotes: bool,
    in_quotes: bool,
    is_skipping: bool,
}

/// What a stream has next.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'s> {
    /// A record, its line break included.
    Whole(&'s [u8]),
    /// A record that was longer than the limit and is gone.
    TooLong,
}

impl Splitter {
    /// A splitter of records of at most `max_len` bytes, with or without quoted fields.
    pub(crate) fn new(max_len: usize, has_quotes: bool) -> Splitter {
        let record = Vec::new();
        Splitter { record, max_len, has_quotes, in_quotes: false, is_skipping: false }
    }

    /// Takes from `chunk` up to the end of the record; `None` when that is not in it.
    pub(crate) fn next(&mut self, chunk: &mut &[u8]) -> Option<Found<'_>> {
        if !self.in_quotes && !self.is_skipping && self.record.ends_with(b"\n") {
            self.record.clear();
        }
        let end = self.end_in(chunk);
        let (own, rest) = chunk.split_at(end.map_or(chunk.len(), |end| end + 1));
        *chunk = rest;
        if !self.is_skipping {
            self.record.extend_from_slice(own);
        }
        end?;
        self.in_quotes = false;
        Some(if std::mem::take(&mut self.is_skipping) {
            Found::TooLong
        } else {
            Found::Whole(&self.record)
        })
    }

    /// What is left when the stream ends without a line break.
    pub(crate) fn rest(&mut self) -> Option<Found<'_>> {
        let is_open = std::mem::take(&mut self.in_quotes);
        if std::mem::take(&mut self.is_skipping) {
            return Some(Found::TooLong);
        }
        let is_there = !self.record.is_empty() && (is_open || !self.record.ends_with(b"\n"));
        is_there.then_some(Found::Whole(&self.record))
    }

    /// Where the record ends in a chunk. From the byte on that is one too many it is skipped.
    fn end_in(&mut self, chunk: &[u8]) -> Option<usize> {
        let room = self.max_len - self.record.len();
        for (at, byte) in chunk.iter().enumerate() {
            if at == room && !self.is_skipping {
                // A quote that is never closed must not take the whole stream with it.
                (self.is_skipping, self.in_quotes) = (true, false);
                self.record = Vec::new();
            }
            match byte {
                b'"' if self.has_quotes && !self.is_skipping => self.in_quotes = !self.in_quotes,
                b'\n' if !self.in_quotes => return Some(at),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of a text that arrives in chunks; `None` for one that is too long.
    fn split(text: &[u8], chunk_len: usize, max_len: usize, quotes: bool) -> Vec<Option<Vec<u8>>> {
        let mut splitter = Splitter::new(max_len, quotes);
        let mut records = Vec::new();
        let owned = |found: Found<'_>| match found {
            Found::Whole(record) => Some(record.to_vec()),
            Found::TooLong => None,
        };
        for mut chunk in text.chunks(chunk_len.max(1)) {
            while let Some(found) = splitter.next(&mut chunk) {
                records.push(owned(found));
            }
        }
        records.extend(splitter.rest().map(owned));
        records
    }

    fn some(text: &str) -> Option<Vec<u8>> {
        Some(text.into())
    }

    #[test]
    fn a_line_break_in_quotes_ends_no_row_of_csv() {
        let text = b"a,\"b\n\"\"c\"\nd,e";
        assert_eq!(split(text, 3, 100, true), [some("a,\"b\n\"\"c\"\n"), some("d,e")]);
        assert_eq!(split(text, 3, 100, false).len(), 3);
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let text = b"ab\nabcdefghij\ncd\n";
        assert_eq!(split(text, 4, 5, false), [some("ab\n"), None, some("cd\n")]);
        let open = b"a,\"bcdefghij\nkl\nm\n";
        assert_eq!(split(open, 4, 5, true), [None, some("kl\n"), some("m\n")]);
        assert_eq!(split(b"abcdefgh", 3, 5, false), [None]);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "[a\",\n\r]{0,40}", len in 1..9_usize, quotes: bool) {
            let whole = split(text.as_bytes(), 100, 12, quotes);
            prop_assert_eq!(split(text.as_bytes(), len, 12, quotes), whole);
        }

        #[test]
        fn nothing_gets_lost(text in "[a\",\n]{0,40}", quotes: bool) {
            let records = split(text.as_bytes(), 7, 1000, quotes);
            let joined: Vec<u8> = records.into_iter().flatten().flatten().collect();
            prop_assert_eq!(joined, text.as_bytes());
        }
    }
}
