//! Canonical JSON: one document, one sequence of bytes.
//!
//! Keys sorted by their bytes, two spaces of indent so that people and `diff` can read it, the
//! shortest text that reads back to the same float, integers without a point, `\n` at the end.
//! Everything that is hashed or compared is written by this module and by no other.

use std::io::{self, ErrorKind};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::sorted::Writer;

/// The canonical bytes of a document.
///
/// # Panics
/// When the document cannot be JSON (map keys that are not text). All documents of this crate can.
pub fn to_bytes<T: Serialize>(document: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.serialize(Writer::new(&mut bytes)).expect("documents of the engine are JSON");
    bytes.push(b'\n');
    bytes
}

/// Reads a document from a file.
///
/// # Errors
/// What reading gives; `InvalidData` with line and column when the text is not such a document.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    from_bytes(&crate::files::read(path)?)
}

/// Reads a document from bytes.
///
/// # Errors
/// `InvalidData` with line and column when the bytes are not such a document.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// A value on one line, as it is shown to people: texts bare, all else as JSON.
pub fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A document as it is stored: with the digest of its own bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<T> {
    check: Digest,
    document: T,
}

/// A document with the digest of its own canonical bytes.
pub fn seal<T: Serialize>(document: &T) -> Vec<u8> {
    let check = Digest::of(&to_bytes(document));
    to_bytes(&Sealed { check, document })
}

/// The document in sealed bytes, if they are what was written.
pub fn unseal<T: Serialize + for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<T> {
    let sealed: Sealed<T> = from_bytes(bytes).ok()?;
    let check = Digest::of(&to_bytes(&sealed.document));
    (check == sealed.check).then_some(sealed.document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_whatever_the_order_of_fields() {
        #[derive(Serialize)]
        struct Fields {
            zebra: i64,
            apple: f64,
        }
        let bytes = to_bytes(&Fields { zebra: 1, apple: 1.0 });
        assert_eq!(String::from_utf8(bytes).unwrap(), "{\n  \"apple\": 1.0,\n  \"zebra\": 1\n}\n");
    }

    #[test]
    fn floats_read_back_to_the_same_bits() {
        for float in [0.1, -0.0, 5e-324, 1.7976931348623157e308, 2.0f64.sqrt(), 1.0 / 3.0] {
            let back: f64 = from_bytes(&to_bytes(&float)).unwrap();
            assert_eq!(back.to_bits(), float.to_bits(), "{float}");
        }
    }

    #[test]
    fn an_integer_and_a_float_of_the_same_value_differ() {
        assert_ne!(to_bytes(&json!({"a": 1})), to_bytes(&json!({"a": 1.0})));
    }
}
