//! Rows as other protocols send them: lists of records, rows under names of columns, or columns.
//!
//! Whatever the shape, each row becomes a record and is checked by the same rules as one that came
//! through `/predict`, with the same complaints. Knows no protocol.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::serve::document::{self, Key, Raw, Records};
use crate::serve::errors::{self, Entry, Problem};
use crate::serve::validation::{Row, Validator};

/// Values under names: `{"age": [1, 2], "plan": ["a", "b"]}`.
pub(super) type Columns<'a> = Vec<(String, Vec<&'a RawValue>)>;

/// The rows of a list whose items are records, or rows of values in the order of the fields.
///
/// # Errors
/// 400 when a text is no JSON; 422 with every wrong field.
pub(super) fn items(validator: &Validator, items: &[&RawValue]) -> Result<Vec<Row>, Problem> {
    let names: Vec<&str> = validator.fields().iter().map(|field| field.name.as_str()).collect();
    let keys = keys(validator, &names);
    let mut check = validator.check();
    for (index, item) in items.iter().enumerate() {
        if item.get().starts_with('[') {
            let values = list(item)?;
            take(&mut check, index, &keys, &values);
        } else {
            document::read_item(item, index, &mut check)?;
        }
    }
    check.end()
}

/// The rows of values under the names of their columns.
///
/// # Errors
/// 400 when a text is no JSON; 422 with every wrong field.
pub(super) fn rows<N: AsRef<str>>(
    validator: &Validator,
    names: &[N],
    rows: &[Vec<&RawValue>],
) -> Result<Vec<Row>, Problem> {
    let keys = keys(validator, names);
    let mut check = validator.check();
    for (index, values) in rows.iter().enumerate() {
        take(&mut check, index, &keys, values);
    }
    check.end()
}

/// The rows of columns, which must all be of one length.
///
/// # Errors
/// 400 when a text is no JSON; 422 with every wrong field, or when lengths differ.
pub(super) fn columns(validator: &Validator, columns: &Columns<'_>) -> Result<Vec<Row>, Problem> {
    let Some(n_rows) = columns.first().map(|(_, values)| values.len()) else {
        return Err(shapeless("there is no column".to_owned()));
    };
    if let Some((name, values)) = columns.iter().find(|(_, values)| values.len() != n_rows) {
        let (name, len) = (errors::clip(name), values.len());
        return Err(shapeless(format!(
            "column '{name}' has {len} values where others have {n_rows}"
        )));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let row = |at: usize| columns.iter().map(|(_, values)| values[at]).collect();
    rows(validator, &names, &(0..n_rows).map(row).collect::<Vec<_>>())
}

/// A request whose parts do not fit each other.
pub(super) fn shapeless(message: String) -> Problem {
    Problem::unprocessable(Entry::new("value_error", errors::body(), "Value error", message))
}

/// The items of a list, unread.
///
/// # Errors
/// 422 when the value is no list.
pub(super) fn list(value: &RawValue) -> Result<Vec<&RawValue>, Problem> {
    let read = serde_json::from_str(value.get());
    read.map_err(|_| shapeless("a list of values is expected".to_owned()))
}

fn keys<N: AsRef<str>>(validator: &Validator, names: &[N]) -> Vec<Key> {
    let key = |name: &N| Key::of(name.as_ref(), validator.place(name.as_ref()));
    names.iter().map(key).collect()
}

fn take(records: &mut dyn Records, index: usize, keys: &[Key], values: &[&RawValue]) {
    if values.len() == keys.len() {
        let n_fields = records.names().len();
        records.record(Some(index), &Raw::of(n_fields, keys, values));
    } else {
        records.other(Some(index));
    }
}

/// Reads an object of lists in the order of its keys; one that comes twice stays twice, so that it
/// is refused as in any record.
pub(super) fn columns_of<'a>(value: &'a RawValue) -> Result<Columns<'a>, Problem> {
    let mut json = serde_json::Deserializer::from_str(value.get());
    let read = Pairs.deserialize(&mut json);
    read.map_err(|_| {
        shapeless("lists of values under the names of columns are expected".to_owned())
    })
}

struct Pairs;

impl<'de> DeserializeSeed<'de> for Pairs {
    type Value = Columns<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Columns<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pairs {
    type Value = Columns<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of lists")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns<'de>, A::Error> {
        let mut columns = Vec::new();
        while let Some(pair) = map.next_entry()? {
            columns.push(pair);
        }
        Ok(columns)
    }
}
