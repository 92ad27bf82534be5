//! Canonical JSON: one document, one sequence of bytes.
//!
//! Keys sorted by their bytes, two spaces of indent, the shortest text that reads back to the same
//! float, `\n` at the end. The engine has the same rules for its own documents; they are written
//! twice because neither side may know the other. JSON has no NaN and would hold `null` in its
//! place, so a number that must be there is marked with `finite`.

use serde::{Serialize, Serializer, ser};

/// The canonical bytes of a document.
///
/// # Errors
/// When it is not JSON: map keys that are not text, or a number marked `finite` that is not.
pub fn to_bytes<T: Serialize>(document: &T) -> Result<Vec<u8>, serde_json::Error> {
    // Through `Value`, whose maps are sorted: struct fields come out sorted, too.
    let value = serde_json::to_value(document)?;
    let mut bytes = serde_json::to_vec_pretty(&value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// For `#[serde(serialize_with = "json::finite")]`: a number that must be one.
///
/// # Errors
/// When it is NaN or infinite.
pub fn finite<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() {
        serializer.serialize_f64(*number)
    } else {
        Err(ser::Error::custom(format!("{number} stands where a finite number is expected")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Document {
        zebra: Option<f64>,
        #[serde(serialize_with = "finite")]
        apple: f64,
    }

    #[test]
    fn keys_are_sorted_and_floats_keep_their_point() {
        let bytes = to_bytes(&Document { zebra: None, apple: 1.0 }).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\n  \"apple\": 1.0,\n  \"zebra\": null\n}\n"
        );
    }

    #[test]
    fn a_number_that_must_be_there_is_never_null() {
        for number in [f64::NAN, f64::INFINITY] {
            assert!(to_bytes(&Document { zebra: None, apple: number }).is_err());
        }
    }
}
