//! One value of one column of one row, as a model sees it.

use compact_str::CompactString;

/// A value of a row. A number is never NaN: what is not there is `Missing`.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Missing,
    /// A finite number; a truth value is 0 or 1.
    Number(f64),
    /// A text: the name of a category. One of up to 24 bytes is held in place.
    Text(CompactString),
}
