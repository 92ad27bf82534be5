//! What the categories that a schema lists become, worked out once.
//!
//! A service has found each text of a request among those that the schema lists; searching for it
//! again in the transform of its column would cost more than everything else that a small model
//! does. Here each listed category is encoded in advance, by the very function that encodes cells.
//! Knows neither the schema nor requests.

use super::{Encoder, Feature};
use crate::ml::cell::Cell;

/// A column whose categories become more numbers than this together is not known in advance.
const MAX_NUMBERS: usize = 1 << 16;

/// The numbers of listed categories, per feature of an encoder.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<Vec<f64>>);

impl Known {
    /// Encodes what each feature's column lists, given in the order of the features; a column that
    /// is none of categories lists nothing.
    pub fn new<'a>(encoder: &Encoder, listed: impl Iterator<Item = Option<&'a [String]>>) -> Known {
        let numbers = |(feature, listed): (&Feature, Option<&[String]>)| {
            let listed = listed.unwrap_or_default();
            if listed.len().saturating_mul(feature.width()) > MAX_NUMBERS {
                return Vec::new();
            }
            let mut numbers = vec![0.0; listed.len() * feature.width()];
            for (text, own) in listed.iter().zip(numbers.chunks_mut(feature.width().max(1))) {
                feature.encode(&Cell::Text(text.into()), own);
            }
            numbers
        };
        Known(encoder.features().iter().zip(listed).map(numbers).collect())
    }

    /// The numbers of the category at a place of what the column of a feature lists.
    fn numbers(&self, feature: usize, place: u32, width: usize) -> Option<&[f64]> {
        let start = (place as usize).checked_mul(width)?;
        self.0.get(feature)?.get(start..start + width)
    }
}

impl Encoder {
    /// Writes the numbers of a row as `encode` does, to the last bit. `places` has, for a cell that
    /// was found among what its column lists, where; a cell without one is encoded by itself.
    pub fn encode_known(
        &self,
        row: &[Cell],
        places: &[Option<u32>],
        known: &Known,
        out: &mut [f64],
    ) {
        self.encode_by(row, out, |i, feature, cell, own| {
            let place = places.get(i).copied().flatten();
            match place.and_then(|place| known.numbers(i, place, own.len())) {
                Some(numbers) => own.copy_from_slice(numbers),
                None => feature.encode(cell, own),
            }
        });
    }
}
