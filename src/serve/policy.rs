//! What a service does with what training has not seen: the operator's choice, strict by default.
//!
//! A policy never changes what a model is: an unknown category, a missing value where there was
//! none or a repeated key is refused under every one of them. Knows no request and no schema.

use serde::Deserialize;

/// What becomes of a number beyond the range of the training data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// The request is refused.
    #[default]
    Reject,
    /// The number is used as it is, and the answer says so.
    Warn,
    /// The nearest number of the range is used, and the answer says so.
    Clip,
}

/// What becomes of a field that the model does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extra {
    /// The request is refused.
    #[default]
    Reject,
    /// The field is passed over, unread.
    Ignore,
}

/// How strict validation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Of numbers beyond the range of the training data.
    pub range: Range,
    /// Of fields that the model does not know.
    pub extra: Extra,
    /// Whether texts are read as the numbers and truth values that they spell, as Pydantic does
    /// unless it is told to be strict: for clients of a Python service that are to be kept.
    pub lax: bool,
}
