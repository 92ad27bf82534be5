//! Parameters: what a kind accepts, declared as data.
//!
//! From one declaration come the checks with their messages, the defaults that enter the recipe,
//! the help and the docs. Knows neither where a value was written nor what a kind does with it;
//! a complaint names the path of the value, and the graph finds the place in the file.

use serde_json::{Map, Value};

use crate::error::suggestion;

/// The name of a parameter with its type, default and meaning.
#[derive(Clone, Debug)]
pub struct Param {
    /// The name, as the field writes it (`max_depth`, `C`).
    pub name: &'static str,
    /// What values it takes.
    pub ty: Type,
    /// Whether it must be given, and what stands for it when it is not.
    pub presence: Presence,
    /// One line: what it means, in which unit.
    pub doc: &'static str,
}

/// Whether a parameter must be given.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// It must be given.
    Required,
    /// It may be left out, and is then absent from the recipe.
    Optional,
    /// It may be left out; this value then stands in the recipe.
    Default(Value),
}

/// The values that a parameter takes.
#[derive(Clone, Debug)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// An integer within both bounds, inclusive.
    Int(i64, i64),
    /// A finite number within both bounds, inclusive. An integer is taken as the number it is.
    Float(f64, f64),
    /// Any text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// Any scalar: a truth value, a number or a text.
    Scalar,
    /// A list of values of one type.
    List(Box<Type>),
    /// A table whose keys are the user's own and whose values are of one type.
    Map(Box<Type>),
    /// A table with these keys and no others.
    Record(Vec<Param>),
    /// A table whose text under `tag` chooses which further keys it has.
    Tagged {
        /// The key that chooses.
        tag: &'static str,
        /// Per value of the tag, the other keys.
        cases: Vec<(&'static str, Vec<Param>)>,
        /// The tag when it is left out.
        default: Option<&'static str>,
    },
    /// A table with these keys; a text stands for the table that has it under the first of them.
    Short(Vec<Param>),
    /// A value of the first of these types, or a list of them: `"a"` stands for `["a"]`.
    OneOrMany(Box<Type>),
}

/// The step from a table to one of its values, or from a list to one of its items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// An item of a list, counted from 0.
    Item(usize),
}

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// Where the value stands, from the table of parameters down.
    pub path: Vec<Step>,
    /// Whether the key is meant and not its value.
    pub at_key: bool,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Complaint {
    /// A complaint about the value of a top-level parameter.
    pub fn about(name: &str, message: impl Into<String>) -> Complaint {
        Complaint::at(vec![Step::Key(name.to_owned())], message)
    }

    /// A complaint about the value at a path.
    pub fn at(path: Vec<Step>, message: impl Into<String>) -> Complaint {
        Complaint { path, at_key: false, message: message.into(), hint: None }
    }

    /// The same complaint with advice.
    pub fn hinted(mut self, hint: impl Into<String>) -> Complaint {
        self.hint = Some(hint.into());
        self
    }
}

impl Param {
    /// A parameter that must be given.
    pub fn required(name: &'static str, ty: Type, doc: &'static str) -> Param {
        Param { name, ty, presence: Presence::Required, doc }
    }

    /// A parameter that may be left out, and is then absent.
    pub fn optional(name: &'static str, ty: Type, doc: &'static str) -> Param {
        Param { name, ty, presence: Presence::Optional, doc }
    }

    /// A parameter with a default, which must itself be of the type.
    pub fn new(
        name: &'static str,
        ty: Type,
        default: impl Into<Value>,
        doc: &'static str,
    ) -> Param {
        Param { name, ty, presence: Presence::Default(default.into()), doc }
    }
}

impl Type {
    /// A list of this type.
    pub fn list(self) -> Type {
        Type::List(Box::new(self))
    }

    /// A table of the user's own keys with values of this type.
    pub fn map(self) -> Type {
        Type::Map(Box::new(self))
    }

    /// One value of this type, or a list of them.
    pub fn one_or_many(self) -> Type {
        Type::OneOrMany(Box::new(self))
    }

    /// Checks a value and returns it as it enters the recipe: defaults filled in, numbers typed.
    ///
    /// # Errors
    /// Every complaint about the value, not just the first.
    pub fn check(&self, value: &Value) -> Result<Value, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let checked = self.walk(value, &mut Vec::new(), &mut complaints);
        if complaints.is_empty() { Ok(checked) } else { Err(complaints) }
    }

    /// What is expected, as the end of "expected …".
    pub fn expected(&self) -> String {
        match self {
            Type::Bool => "true or false".to_owned(),
            Type::Int(min, max) => format!("an integer{}", range(min, max, i64::MIN, i64::MAX)),
            Type::Float(min, max) => {
                format!("a number{}", range(min, max, f64::MIN, f64::MAX))
            }
            Type::Text => "a text".to_owned(),
            Type::Choice(options) => format!("one of {}", options.join(", ")),
            Type::Scalar => "a truth value, a number or a text".to_owned(),
            Type::List(item) => format!("a list, each item {}", item.expected()),
            Type::Map(item) => format!("a table, each value {}", item.expected()),
            Type::Record(_) => "a table".to_owned(),
            Type::Short(_) => "a text or a table".to_owned(),
            Type::Tagged { tag, .. } => format!("a table with the key `{tag}`"),
            Type::OneOrMany(item) => format!("{}, or a list of such", item.expected()),
        }
    }

    fn walk(&self, value: &Value, at: &mut Vec<Step>, out: &mut Vec<Complaint>) -> Value {
        match (self, value) {
            (Type::Bool, Value::Bool(_)) | (Type::Text, Value::String(_)) => value.clone(),
            (Type::Scalar, Value::Bool(_) | Value::Number(_) | Value::String(_)) => value.clone(),
            (Type::Int(min, max), Value::Number(n)) if n.is_i64() => {
                let inside = n.as_i64().is_some_and(|n| n >= *min && n <= *max);
                self.keep_if(inside, value.clone(), value, at, out)
            }
            (Type::Float(min, max), Value::Number(n)) => {
                let float = n.as_f64().filter(|f| f >= min && f <= max);
                self.keep_if(float.is_some(), float.into(), value, at, out)
            }
            (Type::Choice(options), Value::String(text)) => {
                if !options.contains(&text.as_str()) {
                    let mut complaint = self.mismatch(value, at);
                    complaint.hint = suggestion(text, options.iter().copied()).or(complaint.hint);
                    out.push(complaint);
                }
                value.clone()
            }
            (Type::List(item), Value::Array(values)) => {
                let step = |(i, v)| within(at, Step::Item(i), |at| item.walk(v, at, out));
                values.iter().enumerate().map(step).collect()
            }
            (Type::OneOrMany(item), Value::Array(_)) => item.clone().list().walk(value, at, out),
            (Type::OneOrMany(item), single) => Value::Array(vec![item.walk(single, at, out)]),
            (Type::Map(item), Value::Object(table)) => {
                let step = |(key, v): (&String, &Value)| {
                    let v = within(at, Step::Key(key.clone()), |at| item.walk(v, at, out));
                    (key.clone(), v)
                };
                Value::Object(table.iter().map(step).collect())
            }
            (Type::Record(params), Value::Object(table)) => {
                walk_record(params, table, None, at, out)
            }
            (Type::Short(params), Value::Object(table)) => {
                walk_record(params, table, None, at, out)
            }
            (Type::Short(params), Value::String(_)) => {
                let first = params.iter().map(|param| (param.name.to_owned(), value.clone()));
                walk_record(params, &first.take(1).collect(), None, at, out)
            }
            (Type::Tagged { .. }, Value::Object(table)) => self.walk_tagged(table, at, out),
            _ => {
                out.push(self.mismatch(value, at));
                Value::Null
            }
        }
    }

    fn walk_tagged(
        &self,
        table: &Map<String, Value>,
        at: &mut Vec<Step>,
        out: &mut Vec<Complaint>,
    ) -> Value {
        let Type::Tagged { tag, cases, default } = self else { return Value::Null };
        let names = || cases.iter().map(|(name, _)| *name);
        let chosen = match table.get(*tag) {
            Some(Value::String(text)) => Some(text.as_str()),
            Some(other) => {
                let mut complaint = Type::Text.mismatch(other, at);
                complaint.path.push(Step::Key((*tag).to_owned()));
                out.push(complaint);
                return Value::Null;
            }
            None => *default,
        };
        let Some(chosen) = chosen else {
            let known = names().collect::<Vec<_>>().join(", ");
            out.push(Complaint::at(at.clone(), format!("missing `{tag}`: one of {known}")));
            return Value::Null;
        };
        let Some((_, params)) = cases.iter().find(|(name, _)| *name == chosen) else {
            let mut path = at.clone();
            path.push(Step::Key((*tag).to_owned()));
            let mut complaint = Complaint::at(path, format!("unknown {tag} `{chosen}`"));
            let known = || format!("known: {}", names().collect::<Vec<_>>().join(", "));
            complaint.hint = Some(suggestion(chosen, names()).unwrap_or_else(known));
            out.push(complaint);
            return Value::Null;
        };
        walk_record(params, table, Some((tag, chosen)), at, out)
    }

    fn keep_if(
        &self,
        valid: bool,
        kept: Value,
        value: &Value,
        at: &[Step],
        out: &mut Vec<Complaint>,
    ) -> Value {
        if valid {
            return kept;
        }
        out.push(self.mismatch(value, at));
        Value::Null
    }

    fn mismatch(&self, value: &Value, at: &[Step]) -> Complaint {
        let message = format!("expected {}, found {}", self.expected(), describe(value));
        Complaint::at(at.to_vec(), message)
    }
}

fn walk_record(
    params: &[Param],
    table: &Map<String, Value>,
    tag: Option<(&str, &str)>,
    at: &mut Vec<Step>,
    out: &mut Vec<Complaint>,
) -> Value {
    let mut checked = Map::new();
    if let Some((key, chosen)) = tag {
        checked.insert(key.to_owned(), chosen.into());
    }
    for (key, value) in table {
        if tag.is_some_and(|(tag, _)| tag == key) {
            continue;
        }
        let path = Step::Key(key.clone());
        if let Some(param) = params.iter().find(|param| param.name == key) {
            let value = within(at, path, |at| param.ty.walk(value, at, out));
            checked.insert(key.clone(), value);
        } else {
            let of = tag.map_or(String::new(), |(tag, chosen)| format!(" for {tag} `{chosen}`"));
            let message = format!("unknown parameter `{key}`{of}");
            let mut complaint = within(at, path, |at| Complaint::at(at.clone(), message));
            complaint.at_key = true;
            complaint.hint = suggestion(key, params.iter().map(|param| param.name))
                .or_else(|| Some(known_names(params)));
            out.push(complaint);
        }
    }
    for param in params {
        match &param.presence {
            Presence::Required if !table.contains_key(param.name) => {
                let message = format!("missing parameter `{}`: {}", param.name, param.doc);
                out.push(Complaint::at(at.clone(), message));
            }
            Presence::Default(default) if !table.contains_key(param.name) => {
                // A default goes through the same check, so that nested defaults are filled in.
                let value = param.ty.walk(default, at, out);
                checked.insert(param.name.to_owned(), value);
            }
            _ => {}
        }
    }
    Value::Object(checked)
}

fn known_names(params: &[Param]) -> String {
    match params {
        [] => "it takes no parameters".to_owned(),
        _ => {
            let names: Vec<_> = params.iter().map(|param| param.name).collect();
            format!("known: {}", names.join(", "))
        }
    }
}

fn within<T>(at: &mut Vec<Step>, step: Step, f: impl FnOnce(&mut Vec<Step>) -> T) -> T {
    at.push(step);
    let result = f(at);
    at.pop();
    result
}

fn range<T: PartialEq + ToString>(min: &T, max: &T, lowest: T, highest: T) -> String {
    match (*min == lowest, *max == highest) {
        (true, true) => String::new(),
        (false, true) => format!(" of at least {}", min.to_string()),
        (true, false) => format!(" of at most {}", max.to_string()),
        (false, false) => format!(" between {} and {}", min.to_string(), max.to_string()),
    }
}

fn describe(value: &Value) -> String {
    const SHOWN_CHARS: usize = 40;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => {
            format!("the text \"{}\"", text.chars().take(SHOWN_CHARS).collect::<String>())
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}
