//! From the bytes of a body to records: JSON, as strictly as a service needs it.
//!
//! Syntax, encoding, depth and repeated keys are settled here; what a value must be is not known
//! here. The body is read once and no tree is built: each record is handed on as slices of the
//! body, so that a good request costs one pass and a bad one no memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::serve::errors::{self, Loc, Problem};

/// How deep values may be nested; a list of records needs 2.
const MAX_DEPTH: usize = 8;

/// The most unknown keys of a record that are kept; more are only counted.
const MAX_EXTRAS: usize = errors::MAX_ENTRIES;

/// A record as it stands in the body.
#[derive(Default)]
pub(crate) struct Raw<'a> {
    /// Per field of the schema the value, if it was given.
    pub(crate) values: Vec<Option<&'a RawValue>>,
    /// The fields that were given more than once.
    pub(crate) repeated: Vec<usize>,
    /// Keys that are no fields, with their values.
    pub(crate) extras: Vec<(String, &'a RawValue)>,
    /// How many more such keys there were.
    pub(crate) more_extras: usize,
}

/// Who takes the records.
pub(crate) trait Records {
    /// The names of the fields, in schema order.
    fn names(&self) -> &[String];
    /// Takes a record; `index` is its place in the list, if the body is a list.
    fn record(&mut self, index: Option<usize>, raw: &Raw<'_>);
    /// Takes what should be a record and is none.
    fn other(&mut self, index: Option<usize>);
}

/// Reads a body and hands on each of its records. Returns whether the body is a list.
///
/// # Errors
/// When the body is not JSON text, or is nested too deep.
pub(crate) fn read(body: &[u8], records: &mut dyn Records) -> Result<bool, Problem> {
    let text = characters(body)?;
    let mut at = At::default();
    let mut raw = Raw::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let reader = Reader { records: &mut *records, at: &mut at, raw: &mut raw };
    let read = reader.deserialize(&mut json).and_then(|is_list| json.end().map(|()| is_list));
    // Records of plain values, which is what almost every body holds, cannot be nested too deep.
    if at.is_nested || read.is_err() {
        check_depth(body)?;
    }
    read.map_err(|error| syntax_problem(&error, text, &at, records.names()))
}

/// Hands on a value, which stands in a list at `index`, as the record that it should be.
///
/// # Errors
/// When a text of it is no JSON, which only reading can tell.
pub(crate) fn read_item(
    value: &RawValue,
    index: usize,
    records: &mut dyn Records,
) -> Result<(), Problem> {
    let mut at = At { index: Some(index), ..At::default() };
    let mut raw = Raw::default();
    let mut json = serde_json::Deserializer::from_str(value.get());
    let reader = Reader { records: &mut *records, at: &mut at, raw: &mut raw };
    reader
        .deserialize(&mut json)
        .map(drop)
        .map_err(|error| syntax_problem(&error, value.get(), &at, records.names()))
}

/// A body as the text that JSON must be: UTF-8, of whole characters, not nested too deep.
///
/// # Errors
/// Which of these it is not.
pub(crate) fn text(body: &[u8]) -> Result<&str, Problem> {
    let text = characters(body)?;
    check_depth(body)?;
    Ok(text)
}

fn check_depth(body: &[u8]) -> Result<(), Problem> {
    if is_too_deep(body) {
        let message = format!("the body is nested deeper than {MAX_DEPTH} levels");
        return Err(Problem::malformed(errors::body(), "nested too deep", message));
    }
    Ok(())
}

fn characters(body: &[u8]) -> Result<&str, Problem> {
    let Ok(text) = std::str::from_utf8(body) else {
        let message = "the body is not valid UTF-8".to_owned();
        return Err(Problem::malformed(errors::body(), "invalid UTF-8", message));
    };
    if let Some(byte) = lone_surrogate(text) {
        let message = "a text has half of a surrogate pair, which is no character".to_owned();
        let loc = vec![errors::name("body"), Loc::Index(byte)];
        return Err(Problem::malformed(loc, "lone surrogate", message));
    }
    Ok(text)
}

/// The place that is being read, for the message when the text breaks there; and what was seen on
/// the way.
#[derive(Default)]
struct At {
    index: Option<usize>,
    key: Option<Key>,
    /// The fields of the record before, as they came: the next one has them in the same order.
    order: Vec<usize>,
    /// Whether a list or an object was where a plain value belongs.
    is_nested: bool,
}

fn syntax_problem(error: &serde_json::Error, text: &str, at: &At, names: &[String]) -> Problem {
    let line_start: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let byte = (line_start + error.column().saturating_sub(1)).min(text.len());
    let name = match &at.key {
        Some(Key::Field(i)) => names.get(*i),
        Some(Key::Extra(name)) => Some(name),
        None => None,
    };
    let field = name.map_or(String::new(), |name| format!(", in field '{name}'"));
    let record = at.index.map_or(String::new(), |index| format!(", in record {index}"));
    let message = format!("the body is not valid JSON: {error}{field}{record}");
    let loc = vec![errors::name("body"), Loc::Index(byte)];
    Problem::malformed(loc, &error.to_string(), message)
}

/// Whether brackets outside of texts are nested beyond the limit.
fn is_too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Where an escape is half of a surrogate pair. Looked for in the whole body, because texts that
/// nobody reads, such as those of unknown fields, are not decoded.
fn lone_surrogate(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('\\') {
        at += found;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => return Some(at),
            // Whatever is escaped, a second backslash among them, is passed over.
            _ => at += 1 + usize::from(bytes.get(at + 1).is_some_and(u8::is_ascii)),
        }
    }
    None
}

/// Reads the body, or an item of the list that it is. Yields whether it was a list.
struct Reader<'r, 'de> {
    records: &'r mut dyn Records,
    at: &'r mut At,
    /// The record before, whose memory the next one takes.
    raw: &'r mut Raw<'de>,
}

impl Reader<'_, '_> {
    /// Takes a value that should be a record and is none.
    fn other<E>(self) -> Result<bool, E> {
        self.records.other(self.at.index);
        Ok(false)
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, 'de> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or a list of records")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        self.other()
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        self.other()
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        self.other()
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        self.other()
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        self.other()
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        self.other()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        if self.at.index.is_some() {
            self.at.is_nested = true;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return self.other();
        }
        let Reader { records, at, raw } = self;
        for index in 0.. {
            at.index = Some(index);
            let item = Reader { records: &mut *records, at: &mut *at, raw: &mut *raw };
            if seq.next_element_seed(item)?.is_none() {
                break;
            }
        }
        at.index = None;
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Reader { records, at, raw } = self;
        raw.clear(records.names().len());
        let (mut n_fields, mut next) = (0, 0);
        loop {
            let guess = at.order.get(n_fields).copied().unwrap_or(next);
            let Some(key) = map.next_key_seed(KeySeed { names: records.names(), guess })? else {
                break;
            };
            if let Key::Field(place) = key {
                match at.order.get_mut(n_fields) {
                    Some(known) => *known = place,
                    None if n_fields < records.names().len() => at.order.push(place),
                    None => {}
                }
                (n_fields, next) = (n_fields + 1, place + 1);
            }
            at.key = Some(key.clone());
            let value: &RawValue = map.next_value()?;
            at.is_nested |= value.get().starts_with(['{', '[']);
            raw.put(key, value);
        }
        at.key = None;
        records.record(at.index, raw);
        Ok(false)
    }
}

impl<'a> Raw<'a> {
    /// A record of `n_fields` fields from its keys and their values.
    pub(crate) fn of(n_fields: usize, keys: &[Key], values: &[&'a RawValue]) -> Raw<'a> {
        let mut raw = Raw::default();
        raw.clear(n_fields);
        for (key, value) in keys.iter().zip(values) {
            raw.put(key.clone(), value);
        }
        raw
    }

    /// A record of `n_fields` fields of which none was given.
    fn clear(&mut self, n_fields: usize) {
        self.values.clear();
        self.values.resize(n_fields, None);
        self.repeated.clear();
        self.extras.clear();
        self.more_extras = 0;
    }

    fn put(&mut self, key: Key, value: &'a RawValue) {
        match key {
            Key::Field(i) => match self.values.get_mut(i) {
                Some(slot) if slot.is_none() => *slot = Some(value),
                _ if self.repeated.contains(&i) => {}
                _ => self.repeated.push(i),
            },
            Key::Extra(name) if self.extras.len() < MAX_EXTRAS => self.extras.push((name, value)),
            Key::Extra(_) => self.more_extras += 1,
        }
    }
}

/// A key of a record.
#[derive(Clone)]
pub(crate) enum Key {
    /// A field, by its place.
    Field(usize),
    /// Anything else, cut to what an answer may repeat.
    Extra(String),
}

impl Key {
    /// The key of a name; `place` finds it among the fields.
    pub(crate) fn of(name: &str, place: Option<usize>) -> Key {
        place.map_or_else(|| Key::Extra(errors::clip(name)), Key::Field)
    }
}

/// Finds a key among the fields, first at a place where it may be.
struct KeySeed<'n> {
    names: &'n [String],
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        if self.names.get(self.guess).is_some_and(|name| name == key) {
            return Ok(Key::Field(self.guess));
        }
        Ok(Key::of(key, self.names.iter().position(|name| name == key)))
    }
}
