//! JSON with sorted keys, written while a document is walked.
//!
//! By way of `serde_json::Value`, whose maps are sorted, the document of ten thousand stages would
//! take ten times its own bytes and most of the time of writing it: here what is written of a map
//! is put in order once the map ends. What the bytes are is the matter of `canonical`.

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{self, Error as _, Serializer};
use serde_json::{Error, Value};

/// How far a table or list stands inside of another.
const INDENT: &[u8] = b"  ";

/// Writes one value behind what is already written.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out, depth: 0 }
    }

    /// Texts, numbers and the like are what they are in any JSON.
    fn scalar<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(self.out, value)
    }

    fn list(self) -> List<'a> {
        self.out.push(b'[');
        List { out: self.out, depth: self.depth + 1, is_empty: true, ends: b"]" }
    }

    fn table(self) -> Table<'a> {
        self.out.push(b'{');
        let begin = self.out.len();
        Table { out: self.out, depth: self.depth + 1, begin, entries: Vec::new(), ends: b"}" }
    }

    /// A table whose only entry is a variant's; what is in it is written next.
    fn variant(&mut self, name: &str) -> Result<(), Error> {
        self.out.push(b'{');
        self.depth += 1;
        new_line(self.out, self.depth);
        serde_json::to_writer(&mut *self.out, name)?;
        self.out.extend(b": ");
        Ok(())
    }
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    (0..depth).for_each(|_| out.extend(INDENT));
}

/// Closes what was opened; around a variant's content its table is closed, too.
fn close(out: &mut Vec<u8>, depth: usize, is_empty: bool, ends: &[u8]) {
    for (i, end) in ends.iter().enumerate() {
        if i > 0 || !is_empty {
            new_line(out, depth - 1 - i);
        }
        out.push(*end);
    }
}

/// A list that is being written.
pub(crate) struct List<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    is_empty: bool,
    ends: &'static [u8],
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        new_line(self.out, self.depth);
        value.serialize(Writer { out: self.out, depth: self.depth })
    }

    fn finish(self) {
        close(self.out, self.depth, self.is_empty, self.ends);
    }
}

/// A table that is being written: its entries in the order in which they come.
pub(crate) struct Table<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    /// Where its first entry begins.
    begin: usize,
    /// The keys, and where each entry stands, from its new line on.
    entries: Vec<(Cow<'static, str>, Range<usize>)>,
    ends: &'static [u8],
}

impl Table<'_> {
    fn key(&mut self, key: Cow<'static, str>) -> Result<(), Error> {
        if !self.entries.is_empty() {
            self.out.push(b',');
        }
        let begin = self.out.len();
        new_line(self.out, self.depth);
        serde_json::to_writer(&mut *self.out, &key)?;
        self.out.extend(b": ");
        self.entries.push((key, begin..begin));
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer { out: self.out, depth: self.depth })?;
        let end = self.out.len();
        if let Some((_, place)) = self.entries.last_mut() {
            place.end = end;
        }
        Ok(())
    }

    fn finish(mut self) {
        if !self.entries.is_sorted_by(|a, b| a.0 < b.0) {
            self.entries.sort_by(|a, b| a.0.cmp(&b.0));
            let written = self.out.split_off(self.begin);
            for (i, (_, place)) in self.entries.iter().enumerate() {
                if i > 0 {
                    self.out.push(b',');
                }
                let entry = place.start - self.begin..place.end - self.begin;
                self.out.extend(&written[entry]);
            }
        }
        close(self.out, self.depth, self.entries.is_empty(), self.ends);
    }
}

/// A key as JSON has it: a text, whatever it was.
fn key_of<T: Serialize + ?Sized>(key: &T) -> Result<String, Error> {
    match serde_json::to_value(key)? {
        Value::String(key) => Ok(key),
        key @ (Value::Number(_) | Value::Bool(_)) => Ok(key.to_string()),
        _ => Err(Error::custom("a key must be a text")),
    }
}

macro_rules! scalars {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.scalar(&value)
        })*
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Table<'a>;
    type SerializeStruct = Table<'a>;
    type SerializeStructVariant = Table<'a>;

    scalars! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f64: f64
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.scalar(&f64::from(value))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.scalar(&())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.scalar(&())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Error> {
        self.scalar(&())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.scalar(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant)?;
        let Writer { out, depth } = self;
        value.serialize(Writer { out, depth })?;
        close(out, depth, false, b"}");
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _len: usize) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'a>, Error> {
        self.variant(variant)?;
        Ok(List { ends: b"]}", ..self.list() })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Table<'a>, Error> {
        Ok(self.table())
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Table<'a>, Error> {
        Ok(self.table())
    }

    fn serialize_struct_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Table<'a>, Error> {
        self.variant(variant)?;
        Ok(Table { ends: b"}}", ..self.table() })
    }
}

macro_rules! lists {
    ($($trait:ident $method:ident),*) => {
        $(impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish();
                Ok(())
            }
        })*
    };
}

lists! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

macro_rules! tables {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Table<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.key(key.into())?;
                self.value(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish();
                Ok(())
            }
        })*
    };
}

tables! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Table<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key(key_of(key)?.into())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, Serialize)]
    enum Shape {
        Nothing,
        One(i64),
        Two(f64, Option<String>),
        Named { zebra: Vec<Shape>, apple: BTreeMap<String, Shape> },
    }

    #[derive(Clone, Debug, Serialize)]
    struct Unit;

    #[derive(Clone, Debug, Serialize)]
    struct Document {
        zebra: Shape,
        by_number: BTreeMap<i8, (bool, char, Unit)>,
        #[serde(skip_serializing_if = "Option::is_none")]
        apple: Option<Box<Document>>,
    }

    fn shape() -> impl Strategy<Value = Shape> {
        let leaf = prop_oneof![
            Just(Shape::Nothing),
            any::<i64>().prop_map(Shape::One),
            (any::<f64>(), any::<Option<String>>()).prop_map(|(a, b)| Shape::Two(a, b)),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            let zebra = prop::collection::vec(inner.clone(), 0..4);
            let apple = prop::collection::btree_map(any::<String>(), inner, 0..4);
            (zebra, apple).prop_map(|(zebra, apple)| Shape::Named { zebra, apple })
        })
    }

    fn document() -> impl Strategy<Value = Document> {
        let by_number = prop::collection::btree_map(any::<i8>(), any::<(bool, char)>(), 0..4);
        let one = (shape(), by_number).prop_map(|(zebra, by_number)| {
            let by_number = by_number.into_iter().map(|(n, (b, c))| (n, (b, c, Unit))).collect();
            Document { zebra, by_number, apple: None }
        });
        let one = one.boxed();
        (one.clone(), prop::option::of(one))
            .prop_map(|(document, apple)| Document { apple: apple.map(Box::new), ..document })
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_a_tree_with_sorted_keys(document in document()) {
            let mut written = Vec::new();
            document.serialize(Writer::new(&mut written)).unwrap();
            let tree = serde_json::to_value(&document).unwrap();
            let expected = serde_json::to_vec_pretty(&tree).unwrap();
            prop_assert_eq!(String::from_utf8(written), String::from_utf8(expected));
        }
    }

    #[test]
    fn a_key_that_is_no_text_is_refused() {
        let map = BTreeMap::from([(vec![1], 2)]);
        assert!(map.serialize(Writer::new(&mut Vec::new())).is_err());
    }
}
