//! Whether a request is one the model was trained for: a table of rules made from the package.
//!
//! Strict: a number is a number, a truth value is none, nothing is guessed and nothing is dropped.
//! Every wrong field of every record is reported, in schema order, unknown keys last. Knows no
//! HTTP beyond the problem it returns, and not what the model does with a row.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::ml::cell::Cell;
use crate::ml::package::input::{InputField, InputSchema, MAX_EXACT_INTEGER};
use crate::ml::schema::FieldType;
use crate::serve::complaint;
use crate::serve::document::{self, Raw, Records};
use crate::serve::errors::{self, Entry, Loc, MAX_ENTRIES, Problem};

/// The longest number that is read; more digits than this carry no value.
const MAX_NUMBER_LEN: usize = 64;

/// The rules of one package.
pub(crate) struct Validator {
    names: Vec<String>,
    fields: Vec<InputField>,
}

/// The rows of a valid body.
#[derive(Debug, PartialEq)]
pub(crate) enum Rows {
    /// The body was one record.
    One(Vec<Cell>),
    /// The body was a list of records.
    Many(Vec<Vec<Cell>>),
}

impl Validator {
    /// The rules of a schema.
    pub(crate) fn new(schema: &InputSchema) -> Validator {
        let names = schema.fields.iter().map(|field| field.name.clone()).collect();
        Validator { names, fields: schema.fields.clone() }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// 400 when the body is not JSON; 422 with every wrong field.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Rows, Problem> {
        if body.trim_ascii().is_empty() {
            return Err(Problem::invalid(vec![complaint::empty_body()], 0));
        }
        let mut check = Check {
            validator: self,
            rows: Vec::new(),
            entries: Vec::new(),
            omitted: 0,
            unreadable: None,
        };
        let is_list = document::read(body, &mut check)?;
        if let Some(problem) = check.unreadable {
            return Err(problem);
        }
        if !check.entries.is_empty() {
            return Err(Problem::invalid(check.entries, check.omitted));
        }
        if is_list {
            return Ok(Rows::Many(check.rows));
        }
        check.rows.pop().map(Rows::One).ok_or_else(Problem::internal)
    }
}

/// One pass over one body.
struct Check<'v> {
    validator: &'v Validator,
    rows: Vec<Vec<Cell>>,
    entries: Vec<Entry>,
    omitted: usize,
    unreadable: Option<Problem>,
}

impl Records for Check<'_> {
    fn names(&self) -> &[String] {
        &self.validator.names
    }

    fn record(&mut self, index: Option<usize>, raw: &Raw<'_>) {
        if self.entries.len() >= MAX_ENTRIES {
            // A list of many bad records must not cost more than a list of good ones.
            return;
        }
        let mut row = Vec::with_capacity(self.validator.fields.len());
        for (i, field) in self.validator.fields.iter().enumerate() {
            let value = raw.values.get(i).copied().flatten();
            match check_field(field, value, raw.repeated.contains(&i)) {
                Ok(cell) => row.push(cell),
                Err(Wrong::Value(entry)) => self.complain(index, *entry),
                Err(Wrong::Text(reason)) => self.give_up(index, &field.name, reason),
            }
        }
        for (name, value) in &raw.extras {
            self.complain(index, complaint::unknown_field(name, scalar(value)));
        }
        self.omitted += raw.more_extras;
        if self.entries.is_empty() {
            self.rows.push(row);
        }
    }

    fn other(&mut self, index: Option<usize>) {
        self.complain(index, complaint::not_a_record());
    }
}

impl Check<'_> {
    fn complain(&mut self, index: Option<usize>, mut entry: Entry) {
        if self.entries.len() >= MAX_ENTRIES {
            self.omitted += 1;
            return;
        }
        if let Some(index) = index {
            entry.loc.insert(1, Loc::Index(index));
            entry.message = format!("record {index}: {}", entry.message);
        }
        self.entries.push(entry);
    }

    fn give_up(&mut self, index: Option<usize>, name: &str, reason: &'static str) {
        if self.unreadable.is_some() {
            return;
        }
        let record = index.map_or(String::new(), |index| format!("record {index}: "));
        let message = format!("{record}field '{name}' is not valid JSON: {reason}");
        let place = index.map(Loc::Index).into_iter().chain([errors::name(name)]);
        let loc = errors::body().into_iter().chain(place).collect();
        self.unreadable = Some(Problem::malformed(loc, reason, message));
    }
}

/// What is wrong with a field.
enum Wrong {
    /// The value is not one that the schema takes.
    Value(Box<Entry>),
    /// The text is not JSON, which makes the whole body unreadable.
    Text(&'static str),
}

impl From<Entry> for Wrong {
    fn from(entry: Entry) -> Wrong {
        Wrong::Value(Box::new(entry))
    }
}

fn check_field(
    field: &InputField,
    value: Option<&RawValue>,
    is_repeated: bool,
) -> Result<Cell, Wrong> {
    if is_repeated {
        return Err(complaint::repeated(field).into());
    }
    let Some(value) = value else { return Err(complaint::missing(field).into()) };
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'n') if field.nullable => Ok(Cell::Missing),
        Some(b'n') => Err(complaint::null(field).into()),
        Some(b't' | b'f') => check_truth(field, text),
        Some(b'"') => check_text(field, text),
        Some(b'{' | b'[') => Err(complaint::wrong_type(field, None).into()),
        _ => check_number(field, text),
    }
}

fn check_truth(field: &InputField, text: &str) -> Result<Cell, Wrong> {
    let truth = text == "true";
    if field.ty == FieldType::Boolean {
        return Ok(Cell::Number(f64::from(truth)));
    }
    Err(complaint::wrong_type(field, Some(Value::Bool(truth))).into())
}

fn check_text(field: &InputField, quoted: &str) -> Result<Cell, Wrong> {
    let parsed = serde_json::from_str::<String>(quoted);
    let text = parsed.map_err(|_| Wrong::Text("a text with an invalid escape"))?;
    match field.ty {
        FieldType::Category if field.has_category(&text) => Ok(Cell::Text(text)),
        FieldType::Category => Err(complaint::unknown_category(field, &text).into()),
        // As in a table, where the empty text is what is not there.
        FieldType::Text if text.is_empty() && field.nullable => Ok(Cell::Missing),
        FieldType::Text if text.is_empty() => Err(complaint::null(field).into()),
        FieldType::Text => {
            let input = Value::from(errors::clip(&text));
            dated(field, Cell::Text(text), Some(input))
        }
        _ => Err(complaint::wrong_type(field, Some(errors::clip(&text).into())).into()),
    }
}

fn check_number(field: &InputField, text: &str) -> Result<Cell, Wrong> {
    if text.len() > MAX_NUMBER_LEN {
        return Err(Wrong::Text("a number of too many digits"));
    }
    let parsed = text.parse::<f64>().ok().filter(|x| x.is_finite());
    let x = parsed.ok_or(Wrong::Text("a number out of range"))?;
    let input = || serde_json::from_str::<Value>(text).ok();
    match field.ty {
        FieldType::Integer | FieldType::Number => {}
        _ => return Err(complaint::wrong_type(field, input()).into()),
    }
    let is_whole = x.fract() == 0.0;
    if field.ty == FieldType::Integer && !is_whole {
        return Err(complaint::fraction(field, input()).into());
    }
    if !field.in_range(x) {
        return Err(complaint::out_of_range(field, x, input()).into());
    }
    if field.ty == FieldType::Integer && x.abs() > MAX_EXACT_INTEGER {
        return Err(complaint::too_big(field, input()).into());
    }
    dated(field, Cell::Number(x), input())
}

/// The cell, if it is a date where dates are wanted.
fn dated(field: &InputField, cell: Cell, input: Option<Value>) -> Result<Cell, Wrong> {
    if field.is_date(&cell) { Ok(cell) } else { Err(complaint::no_date(field, input).into()) }
}

/// A value of an unknown key as an answer may repeat it: scalars only, texts cut.
fn scalar(value: &RawValue) -> Option<Value> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') => None,
        Some(b'"') => serde_json::from_str::<String>(text).ok().map(|s| errors::clip(&s).into()),
        _ if text.len() > MAX_NUMBER_LEN => None,
        _ => serde_json::from_str(text).ok(),
    }
}
