//! The texts of a column, each kept once.
//!
//! A column of a million rows often has a handful of texts, so a row holds the number of its text,
//! four bytes, and the texts stand one after the other in one buffer, in the order in which they
//! first come. What follows from a text alone can then be found once per text instead of once per
//! row (`counts`). Two columns are equal when their rows are, however they were numbered. It does
//! not know tables, files or what a text stands for.

use std::sync::Arc;

/// The number of no text: the row is missing.
const MISSING: u32 = u32::MAX;

/// One text per row, or none. The empty text is none.
#[derive(Clone, Default)]
pub struct Texts {
    codes: Vec<u32>,
    /// Shared with the columns that rows were taken from or into: it may know more texts than the
    /// rows have.
    known: Arc<Known>,
}

/// Texts, each once, by their numbers.
#[derive(Debug, Default)]
struct Known {
    bytes: String,
    /// Where each text ends in `bytes`; it starts where the one before it ends.
    ends: Vec<usize>,
}

/// Takes texts in, row after row.
#[derive(Debug, Default)]
pub struct Collector {
    codes: Vec<u32>,
    known: Known,
    /// The numbers of the texts by their hashes: a text is at the place of its hash, or at the
    /// first place after it that was free. At least half of the places are free.
    places: Vec<u32>,
}

impl Known {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, code: u32) -> Option<&str> {
        let code = code as usize;
        let end = *self.ends.get(code)?;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        Some(&self.bytes[start..end])
    }
}

impl Collector {
    /// One more row.
    ///
    /// # Panics
    /// When there are 2^32 - 1 different texts already.
    pub fn push(&mut self, text: Option<&str>) {
        let code = match text {
            None | Some("") => MISSING,
            Some(text) => self.code(text),
        };
        self.codes.push(code);
    }

    /// The column of all rows so far.
    pub fn finish(mut self) -> Texts {
        self.codes.shrink_to_fit();
        self.known.bytes.shrink_to_fit();
        self.known.ends.shrink_to_fit();
        Texts { codes: self.codes, known: Arc::new(self.known) }
    }

    fn code(&mut self, text: &str) -> u32 {
        if 2 * (self.known.len() + 1) > self.places.len() {
            self.spread();
        }
        let place = self.place(text);
        if self.places[place] == MISSING {
            assert!(self.known.len() < MISSING as usize, "2^32 - 1 different texts in a column");
            self.places[place] = self.known.len() as u32;
            self.known.bytes.push_str(text);
            self.known.ends.push(self.known.bytes.len());
        }
        self.places[place]
    }

    /// The place of a text, or the free one where it belongs.
    fn place(&self, text: &str) -> usize {
        let last = self.places.len() - 1;
        let mut place = hash(text) as usize & last;
        loop {
            let code = self.places[place];
            if code == MISSING || self.known.get(code) == Some(text) {
                return place;
            }
            place = (place + 1) & last;
        }
    }

    /// Twice as many places.
    fn spread(&mut self) {
        const FEWEST: usize = 16;
        self.places = vec![MISSING; (2 * self.places.len()).max(FEWEST)];
        for code in 0..self.known.len() as u32 {
            let place = self.place(self.known.get(code).unwrap_or_default());
            self.places[place] = code;
        }
    }
}

/// A hash that is the same in every process, by folded products of eight bytes each (as wyhash
/// does). It only decides where a number is looked for, never which it is.
fn hash(text: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |x: u64| {
        let product = u128::from(x ^ FACTOR) * u128::from(FACTOR);
        product as u64 ^ (product >> 64) as u64
    };
    let mut hash = fold(text.len() as u64);
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = fold(hash ^ u64::from_le_bytes(word));
    }
    hash
}

impl Texts {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The text of a row; `None` is missing.
    ///
    /// # Panics
    /// When the row is not below `len()`.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.known.get(self.codes[row])
    }

    /// The texts of all rows, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> + Clone {
        self.codes.iter().map(|code| self.known.get(*code))
    }

    /// The different texts that rows have, sorted by their bytes, each with the number of rows.
    pub fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts = vec![0; self.known.len()];
        for code in &self.codes {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += 1;
            }
        }
        let counted = (0..).zip(counts).filter(|(_, count)| *count > 0);
        let mut texts: Vec<(&str, usize)> =
            counted.filter_map(|(code, count)| Some((self.known.get(code)?, count))).collect();
        texts.sort_unstable();
        texts
    }

    /// Per row the place of its text among the different ones, sorted by their bytes, and how many
    /// these are; `None` is missing.
    pub fn places(&self) -> (Vec<Option<u32>>, u32) {
        let mut order: Vec<u32> = self.codes.clone();
        order.sort_unstable();
        order.dedup();
        order.retain(|code| *code != MISSING);
        order.sort_unstable_by_key(|code| self.known.get(*code));
        let mut places = vec![None; self.known.len()];
        for (place, code) in (0..).zip(&order) {
            places[*code as usize] = Some(place);
        }
        let place = |code: &u32| places.get(*code as usize).copied().flatten();
        (self.codes.iter().map(place).collect(), order.len() as u32)
    }

    /// The rows at these indices, in this order; an index may come more than once.
    ///
    /// # Panics
    /// When an index is not below `len()`.
    pub fn take(&self, indices: &[usize]) -> Texts {
        let codes = indices.iter().map(|index| self.codes[*index]).collect();
        Texts { codes, known: Arc::clone(&self.known) }
    }
}

impl<S: AsRef<str>> FromIterator<Option<S>> for Texts {
    fn from_iter<I: IntoIterator<Item = Option<S>>>(texts: I) -> Texts {
        let mut collector = Collector::default();
        for text in texts {
            collector.push(text.as_ref().map(AsRef::as_ref));
        }
        collector.finish()
    }
}

impl<S: AsRef<str>> From<Vec<Option<S>>> for Texts {
    fn from(texts: Vec<Option<S>>) -> Texts {
        texts.into_iter().collect()
    }
}

impl<S: AsRef<str>, const N: usize> From<[Option<S>; N]> for Texts {
    fn from(texts: [Option<S>; N]) -> Texts {
        texts.into_iter().collect()
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Texts) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_kept_once_and_the_empty_one_is_missing() {
        let texts: Texts = [Some("b"), None, Some("a"), Some("b"), Some("")].into_iter().collect();
        assert_eq!(texts.iter().collect::<Vec<_>>(), [Some("b"), None, Some("a"), Some("b"), None]);
        assert_eq!((texts.known.bytes.as_str(), texts.known.len()), ("ba", 2));
        assert_eq!(texts.counts(), [("a", 1), ("b", 2)]);
    }

    #[test]
    fn rows_that_are_taken_share_the_texts_and_count_their_own() {
        let texts: Texts = ["x", "y", "z"].map(Some).into_iter().collect();
        let taken = texts.take(&[2, 0, 2]);
        assert!(Arc::ptr_eq(&taken.known, &texts.known));
        assert_eq!(taken.counts(), [("x", 1), ("z", 2)]);
        assert_eq!(taken, ["z", "x", "z"].map(Some).into_iter().collect(), "numbered otherwise");
        assert_ne!(taken, texts);
        assert!(texts.take(&[]).is_empty());
    }

    #[test]
    fn texts_that_are_alike_are_told_apart() {
        // Lengths around the eight bytes that are hashed at once, and bytes that fill them with 0.
        let texts: Vec<Option<String>> = (1..40)
            .flat_map(|n| [Some("\0".repeat(n)), Some("a".repeat(n)), Some(format!("{n:020}"))])
            .collect();
        let column = Texts::from(texts.clone());
        assert_eq!(column.known.len(), texts.len());
        assert!(column.iter().eq(texts.iter().map(Option::as_deref)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_row_comes_back(rows in proptest::collection::vec(
            proptest::option::of("[ab]{0,3}|\\PC{0,12}"), 0..300)) {
            let column: Texts = rows.iter().map(Option::as_deref).collect();
            prop_assert_eq!(column.len(), rows.len());
            for (row, text) in rows.iter().enumerate() {
                prop_assert_eq!(column.get(row), text.as_deref().filter(|text| !text.is_empty()));
            }
            let counted: usize = column.counts().iter().map(|(_, count)| count).sum();
            prop_assert_eq!(counted, column.iter().flatten().count());
        }
    }
}
