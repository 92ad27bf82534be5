//! One value against the rule of its field: from JSON, or from a text as tables have them.
//!
//! Strict unless the policy is lax: a number is a number, a truth value is none, nothing is
//! guessed. What is taken is put into the row where it stays, and may come with a warning. Knows
//! one field and no record.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::ml::cell::Cell;
use crate::ml::infer;
use crate::ml::package::input::{InputField, MAX_EXACT_INTEGER};
use crate::ml::schema::FieldType;
use crate::serve::complaint;
use crate::serve::errors::{self, Entry};
use crate::serve::policy::{Policy, Range};
use crate::serve::validation::Row;

/// The longest number that is read; more digits than this carry no value.
pub(crate) const MAX_NUMBER_LEN: usize = 64;

/// What the caller should know of a value that was taken.
pub(crate) type Warning = Option<Box<Entry>>;

/// What is wrong with a value.
pub(crate) enum Wrong {
    /// It is not one that the schema takes.
    Value(Box<Entry>),
    /// Its text is not JSON, which makes the whole body unreadable.
    Text(&'static str),
}

impl From<Entry> for Wrong {
    fn from(entry: Entry) -> Wrong {
        Wrong::Value(Box::new(entry))
    }
}

/// Checks a value of a record of JSON, and puts what the model sees of it into the row; `None` is a
/// field that was left out.
pub(crate) fn json(
    field: &InputField,
    policy: Policy,
    value: Option<&RawValue>,
    is_repeated: bool,
    row: &mut Row,
) -> Result<Warning, Wrong> {
    if is_repeated {
        return Err(complaint::repeated(field).into());
    }
    let Some(value) = value else { return Err(complaint::missing(field).into()) };
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'n') if field.nullable => Ok(row.take(Cell::Missing)),
        Some(b'n') => Err(complaint::null(field).into()),
        Some(b't' | b'f') => truth(field, text == "true", row),
        Some(b'"') => quoted(field, policy, text, row),
        Some(b'{' | b'[') => Err(complaint::wrong_type(field, None).into()),
        _ => number(field, policy, text, row),
    }
}

/// The same of a field of a row of CSV, by the rules by which tables are read for training.
pub(crate) fn text(
    field: &InputField,
    policy: Policy,
    text: &str,
    row: &mut Row,
) -> Result<Warning, Wrong> {
    let input = || Some(Value::from(errors::clip(text)));
    if infer::is_missing(text) {
        return match field.nullable {
            true => Ok(row.take(Cell::Missing)),
            false => Err(complaint::null(field).into()),
        };
    }
    match field.ty {
        FieldType::Integer | FieldType::Number => match infer::as_number(text) {
            Some(x) => checked(field, policy, x, text.trim(), input(), row),
            None => Err(complaint::unparsable(field, input()).into()),
        },
        FieldType::Boolean => match infer::as_boolean(text) {
            Some(truth) => Ok(row.take(Cell::Number(f64::from(truth)))),
            None => Err(complaint::unparsable(field, input()).into()),
        },
        FieldType::Category | FieldType::Text => worded(field, text, row),
    }
}

/// The truth value that a text spells, by Pydantic's list.
pub(crate) fn truth_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "t" | "true" | "y" | "yes" => Some(true),
        "0" | "off" | "f" | "false" | "n" | "no" => Some(false),
        _ => None,
    }
}

fn truth(field: &InputField, truth: bool, row: &mut Row) -> Result<Warning, Wrong> {
    if field.ty == FieldType::Boolean {
        return Ok(row.take(Cell::Number(f64::from(truth))));
    }
    Err(complaint::wrong_type(field, Some(Value::Bool(truth))).into())
}

fn quoted(
    field: &InputField,
    policy: Policy,
    quoted: &str,
    row: &mut Row,
) -> Result<Warning, Wrong> {
    let text = match quoted.get(1..quoted.len() - 1) {
        // Read once already, so that there is nothing else in it than what it says.
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        _ => {
            let parsed = serde_json::from_str::<String>(quoted);
            Cow::Owned(parsed.map_err(|_| Wrong::Text("a text with an invalid escape"))?)
        }
    };
    match field.ty {
        FieldType::Category | FieldType::Text => worded(field, &text, row),
        _ if policy.lax => spelled(field, policy, &text, row),
        _ => Err(complaint::wrong_type(field, Some(errors::clip(&text).into())).into()),
    }
}

/// A text where texts are wanted.
fn worded(field: &InputField, text: &str, row: &mut Row) -> Result<Warning, Wrong> {
    match field.ty {
        FieldType::Category => {
            let found = field.category(text);
            let place = found.ok_or_else(|| complaint::unknown_category(field, text))?;
            Ok(row.take_listed(Cell::Text(text.into()), place))
        }
        // As in a table, where the empty text is what is not there.
        _ if text.is_empty() && field.nullable => Ok(row.take(Cell::Missing)),
        _ if text.is_empty() => Err(complaint::null(field).into()),
        _ => {
            let input = Value::from(errors::clip(text));
            Ok(row.take(dated(field, Cell::Text(text.into()), Some(input))?))
        }
    }
}

/// A text that spells a number or a truth value, where Pydantic would read it.
fn spelled(
    field: &InputField,
    policy: Policy,
    text: &str,
    row: &mut Row,
) -> Result<Warning, Wrong> {
    let input = || Some(Value::from(errors::clip(text)));
    let unparsable = || Wrong::from(complaint::unparsable(field, input()));
    let trimmed = text.trim();
    if field.ty == FieldType::Boolean {
        let truth = truth_of(trimmed).ok_or_else(unparsable)?;
        return Ok(row.take(Cell::Number(f64::from(truth))));
    }
    let is_decimal = |b: u8| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let may_have_exponent = field.ty == FieldType::Number;
    let is_plain = trimmed.len() <= MAX_NUMBER_LEN
        && trimmed.bytes().all(is_decimal)
        && (may_have_exponent || !trimmed.contains(['e', 'E']));
    let parsed = trimmed.parse::<f64>().ok().filter(|x| is_plain && x.is_finite());
    let x = parsed.ok_or_else(unparsable)?;
    if field.ty == FieldType::Integer && x.fract() != 0.0 {
        return Err(unparsable());
    }
    checked(field, policy, x, trimmed, input(), row)
}

fn number(field: &InputField, policy: Policy, text: &str, row: &mut Row) -> Result<Warning, Wrong> {
    if text.len() > MAX_NUMBER_LEN {
        return Err(Wrong::Text("a number of too many digits"));
    }
    let parsed = text.parse::<f64>().ok().filter(|x| x.is_finite());
    let x = parsed.ok_or(Wrong::Text("a number out of range"))?;
    let input = || serde_json::from_str::<Value>(text).ok();
    match field.ty {
        // The input is only parsed again for a complaint.
        FieldType::Integer | FieldType::Number if is_as_wanted(field, x, text) => {
            Ok(row.take(Cell::Number(x)))
        }
        FieldType::Integer | FieldType::Number => checked(field, policy, x, text, input(), row),
        FieldType::Boolean if policy.lax && (x == 0.0 || x == 1.0) => Ok(row.take(Cell::Number(x))),
        FieldType::Boolean if policy.lax => Err(complaint::unparsable(field, input()).into()),
        _ => Err(complaint::wrong_type(field, input()).into()),
    }
}

/// Whether there is nothing to say about a number.
fn is_as_wanted(field: &InputField, x: f64, text: &str) -> bool {
    // Beyond 2^63 the conversion is another number; so is it for a fraction.
    let is_whole = || (x as i64) as f64 == x && !is_beyond_exact(x, text);
    (field.ty != FieldType::Integer || is_whole())
        && field.in_range(x)
        && field.is_date(&Cell::Number(x))
}

/// Checks a number, written as `text`, of a field of numbers.
fn checked(
    field: &InputField,
    policy: Policy,
    x: f64,
    text: &str,
    input: Option<Value>,
    row: &mut Row,
) -> Result<Warning, Wrong> {
    if field.ty == FieldType::Integer && x.fract() != 0.0 {
        return Err(complaint::fraction(field, input).into());
    }
    let mut warning = None;
    if !field.in_range(x) {
        let outside = || complaint::out_of_range(field, x, input.clone());
        match policy.range {
            Range::Reject => return Err(outside().into()),
            Range::Warn => warning = Some(Box::new(complaint::warned(field, outside()))),
            Range::Clip => {
                let used = x.max(field.min.unwrap_or(x)).min(field.max.unwrap_or(x));
                row.take(Cell::Number(used));
                row.clipped.push((row.cells.len() - 1, x));
                return Ok(Some(Box::new(complaint::clipped(field, used, outside()))));
            }
        }
    }
    if field.ty == FieldType::Integer && is_beyond_exact(x, text) {
        return Err(complaint::too_big(field, input).into());
    }
    row.take(dated(field, Cell::Number(x), input)?);
    Ok(warning)
}

/// Whether a number is beyond 2^53, where not every whole number is one of its own.
fn is_beyond_exact(x: f64, text: &str) -> bool {
    // 2^53 + 1 is rounded to 2^53, so that only the text can tell the two apart.
    let is_next = || text.parse::<i64>().is_ok_and(|n| n.unsigned_abs() == (1 << 53) + 1);
    x.abs() > MAX_EXACT_INTEGER || x.abs() == MAX_EXACT_INTEGER && is_next()
}

/// The cell, if it is a date where dates are wanted.
fn dated(field: &InputField, cell: Cell, input: Option<Value>) -> Result<Cell, Wrong> {
    if field.is_date(&cell) { Ok(cell) } else { Err(complaint::no_date(field, input).into()) }
}
