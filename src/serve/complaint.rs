//! What is said about a field that is not as the schema wants it.
//!
//! All texts of validation stand here, side by side: Pydantic's type and words, for clients that
//! were written for FastAPI, and a sentence that names the field, its rule and nothing else. Knows
//! the rules of a field and not how a value was found to break them.

use serde_json::{Value, json};

use crate::ml::package::input::{self, InputField};
use crate::ml::schema::FieldType;
use crate::serve::errors::{self, Entry};

/// The most categories that an answer lists.
const MAX_EXPECTED: usize = 20;

/// An entry about a field, with its rule: every answer says what would have been right.
fn about(field: &InputField, kind: &'static str, msg: &str, message: String) -> Entry {
    let loc = vec![errors::name("body"), errors::name(&field.name)];
    let mut entry = Entry::new(kind, loc, msg, message);
    entry.valid_range = range(field).map(|(min, max)| [min, max]);
    let listed = |names: &Vec<String>| names.iter().take(MAX_EXPECTED).cloned().collect();
    entry.expected = field.categories.as_ref().map(listed);
    entry
}

/// A field that was left out.
pub(crate) fn missing(field: &InputField) -> Entry {
    let null = if field.nullable { "; send null when it is not known" } else { "" };
    let message = format!("field '{}' is required and must be {}{null}", field.name, rule(field));
    about(field, "missing", "Field required", message)
}

/// A field that was given more than once.
pub(crate) fn repeated(field: &InputField) -> Entry {
    let message = format!("field '{}' is given more than once", field.name);
    about(field, "duplicate_key", "Key must not be repeated", message)
}

/// A null, or an empty text, where the data had none.
pub(crate) fn null(field: &InputField) -> Entry {
    let mut entry = wrong_type(field, Some(Value::Null));
    entry.message = format!("field '{}' must not be empty; it must be {}", field.name, rule(field));
    entry
}

/// A value of another type.
pub(crate) fn wrong_type(field: &InputField, input: Option<Value>) -> Entry {
    let message = format!("field '{}' must be {}", field.name, rule(field));
    let (kind, msg) = match field.ty {
        FieldType::Integer => ("int_type", "Input should be a valid integer"),
        FieldType::Number => ("float_type", "Input should be a valid number"),
        FieldType::Boolean => ("bool_type", "Input should be a valid boolean"),
        FieldType::Text => ("string_type", "Input should be a valid string"),
        FieldType::Category => return literal(field, input, message),
    };
    Entry { input, ..about(field, kind, msg, message) }
}

/// A text that does not spell what is wanted, or a number that is no truth value.
pub(crate) fn unparsable(field: &InputField, input: Option<Value>) -> Entry {
    let message = format!("field '{}' must be {}", field.name, rule(field));
    let (kind, msg) = match field.ty {
        FieldType::Integer => {
            ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
        }
        FieldType::Boolean => {
            ("bool_parsing", "Input should be a valid boolean, unable to interpret input")
        }
        _ => {
            ("float_parsing", "Input should be a valid number, unable to parse string as a number")
        }
    };
    Entry { input, ..about(field, kind, msg, message) }
}

/// A number that training never saw and that is used all the same.
pub(crate) fn warned(field: &InputField, outside: Entry) -> Entry {
    let message =
        format!("field '{}' is not {}: the model was not trained there", field.name, bounds(field));
    Entry { message, ..outside }
}

/// A number that training never saw, in whose place the nearest one that it saw is used.
pub(crate) fn clipped(field: &InputField, used: f64, outside: Entry) -> Entry {
    let used = input::plain(&as_typed(field, used));
    let message =
        format!("field '{}' is not {}: {used} was used instead", field.name, bounds(field));
    Entry { message, ..outside }
}

/// A number with a fraction where whole numbers are wanted.
pub(crate) fn fraction(field: &InputField, input: Option<Value>) -> Entry {
    let message = format!("field '{}' must be {}", field.name, rule(field));
    let msg = "Input should be a valid integer, got a number with a fractional part";
    Entry { input, ..about(field, "int_from_float", msg, message) }
}

/// A whole number that a model cannot hold exactly.
pub(crate) fn too_big(field: &InputField, input: Option<Value>) -> Entry {
    let message = format!("field '{}' must be within 2^53 of zero", field.name);
    let msg = "Unable to parse input string as an integer, exceeded maximum size";
    Entry { input, ..about(field, "int_parsing_size", msg, message) }
}

/// A number that training never saw.
pub(crate) fn out_of_range(field: &InputField, x: f64, input: Option<Value>) -> Entry {
    let message = format!("field '{}' must be {}", field.name, bounds(field));
    let is_below = field.min.is_some_and(|min| x < min);
    let (kind, word, bound) = match is_below {
        true => ("greater_than_equal", "greater", field.min),
        false => ("less_than_equal", "less", field.max),
    };
    let bound = bound.map_or(Value::Null, |bound| as_typed(field, bound));
    let msg = format!("Input should be {word} than or equal to {}", input::plain(&bound));
    let mut ctx = serde_json::Map::new();
    for (key, bound) in [("ge", field.min), ("le", field.max)] {
        if let Some(bound) = bound {
            ctx.insert(key.to_owned(), as_typed(field, bound));
        }
    }
    Entry { input, ctx: Some(Value::Object(ctx)), ..about(field, kind, &msg, message) }
}

/// A text or a number that is no date of the field's format.
pub(crate) fn no_date(field: &InputField, input: Option<Value>) -> Entry {
    let message = format!("field '{}' must be {}", field.name, rule(field));
    let ctx = field.date.as_ref().map(|format| json!({ "format": format.to_string() }));
    Entry { input, ctx, ..about(field, "date_parsing", "Input should be a valid date", message) }
}

/// A text that is none of the categories.
pub(crate) fn unknown_category(field: &InputField, text: &str) -> Entry {
    let message = format!("field '{}' must be {}", field.name, rule(field));
    literal(field, Some(errors::clip(text).into()), message)
}

/// A key that is no field.
pub(crate) fn unknown_field(name: &str, input: Option<Value>) -> Entry {
    let loc = vec![errors::name("body"), errors::name(name)];
    let message = format!("field '{}' is not known to the model", errors::clip(name));
    let msg = "Extra inputs are not permitted";
    Entry { input, ..Entry::new("extra_forbidden", loc, msg, message) }
}

/// A body, or an item of a list, that is no record.
pub(crate) fn not_a_record() -> Entry {
    let msg = "Input should be a valid dictionary or object to extract fields from";
    let message = "a record must be a JSON object with the model's fields".to_owned();
    Entry::new("model_attributes_type", errors::body(), msg, message)
}

/// A list that is longer than what is answered at once.
pub(crate) fn too_long(max: usize, actual: usize, message: String) -> Entry {
    let msg = format!("List should have at most {max} items after validation, not {actual}");
    let ctx = json!({ "field_type": "List", "max_length": max, "actual_length": actual });
    Entry { ctx: Some(ctx), ..Entry::new("too_long", errors::body(), &msg, message) }
}

/// No body at all.
pub(crate) fn empty_body() -> Entry {
    let message = "the body is empty; send a JSON object with the model's fields".to_owned();
    let entry = Entry::new("missing", errors::body(), "Field required", message);
    Entry { input: Some(Value::Null), ..entry }
}

fn literal(field: &InputField, input: Option<Value>, message: String) -> Entry {
    let expected = alternatives(field);
    let msg = format!("Input should be {expected}");
    let ctx = Some(json!({ "expected": expected }));
    Entry { input, ctx, ..about(field, "literal_error", &msg, message) }
}

/// What a field must be, as the end of "must be …".
pub(crate) fn rule(field: &InputField) -> String {
    if let Some(format) = &field.date {
        let noun = if field.ty == FieldType::Text { "a text" } else { "a number" };
        return format!("a date of the format {format}, {noun}");
    }
    match field.ty {
        FieldType::Integer if field.min.and(field.max).is_some() => {
            format!("a whole number {}", bounds(field))
        }
        FieldType::Integer => "a whole number".to_owned(),
        FieldType::Number if field.min.and(field.max).is_some() => {
            format!("a number {}", bounds(field))
        }
        FieldType::Number => "a number".to_owned(),
        FieldType::Boolean => "true or false".to_owned(),
        FieldType::Text => "a text".to_owned(),
        FieldType::Category => format!("one of {}", alternatives(field)),
    }
}

/// The range of a field, as the end of "must be …".
fn bounds(field: &InputField) -> String {
    let show = |bound: f64| input::plain(&as_typed(field, bound));
    match (field.min, field.max) {
        (Some(min), Some(max)) => format!("between {} and {}", show(min), show(max)),
        (Some(min), None) => format!("at least {}", show(min)),
        (None, Some(max)) => format!("at most {}", show(max)),
        (None, None) => "a finite number".to_owned(),
    }
}

fn range(field: &InputField) -> Option<(Value, Value)> {
    let (min, max) = field.min.zip(field.max)?;
    Some((as_typed(field, min), as_typed(field, max)))
}

fn as_typed(field: &InputField, bound: f64) -> Value {
    input::number(bound, field.ty == FieldType::Integer)
}

/// The categories as Pydantic lists them: `'a', 'b' or 'c'`.
fn alternatives(field: &InputField) -> String {
    let known = field.categories.as_deref().unwrap_or_default();
    let quoted: Vec<String> =
        known.iter().take(MAX_EXPECTED).map(|name| format!("'{}'", errors::clip(name))).collect();
    if known.len() > MAX_EXPECTED {
        let more = known.len() - MAX_EXPECTED;
        return format!("{} or {more} others", quoted.join(", "));
    }
    match quoted.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{} or {last}", init.join(", ")),
        [single] => single.clone(),
        _ => "nothing: the data had no value".to_owned(),
    }
}
