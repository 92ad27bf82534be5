//! What an expectation is called, what it takes and how it is made: declared as data.
//!
//! From one list (`expect::declarations`) follow the parameters with their checks, the docs and
//! which code runs, so that no name can be in one of them and not in the others. Parameters are
//! described here in plain words, because `ml` does not know how a stage declares its own.

use serde_json::{Map, Value};

use super::rule::Rule;

/// An expectation that can be written in a suite.
pub struct Declaration {
    /// The name, that of Great Expectations where it has one.
    pub name: &'static str,
    /// One line: what must be true.
    pub doc: &'static str,
    /// What it looks at, which decides the parameters that it shares with others.
    pub about: About,
    /// Its own parameters.
    pub own: &'static [Parameter],
    /// Makes the rule from parameters.
    pub(super) make: fn(&Given<'_>) -> Result<Box<dyn Rule>, Wrong>,
}

/// What an expectation looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Each value of a column.
    Values,
    /// A column as a whole.
    Column,
    /// Each row of two columns.
    Pair,
    /// Each row of several columns.
    Columns,
    /// Each row.
    Rows,
    /// The table as a whole.
    Table,
}

/// A parameter of an expectation.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// What values it takes.
    pub takes: Takes,
    /// Whether it must be given.
    pub presence: Presence,
    /// One line: what it means.
    pub doc: &'static str,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// `true` or `false`.
    Bool,
    /// A whole number of at least 0.
    Count,
    /// Any finite number.
    Number,
    /// A number from 0 to 1.
    Share,
    /// A finite number of at least 0.
    Magnitude,
    /// A text.
    Text,
    /// A condition on rows, as a text.
    Condition,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of such values.
    List(&'static Takes),
    /// A number, a text or a truth value.
    Scalar,
    /// A table with these keys.
    Record(&'static [Parameter]),
}

/// Whether a parameter must be given, and what stands for it when it is not.
#[derive(Clone, Copy, Debug)]
pub enum Presence {
    /// It must be given.
    Required,
    /// It may be left out, and then says nothing.
    Optional,
    /// It may be left out and is then this truth value.
    Bool(bool),
    /// It may be left out and is then this number.
    Number(f64),
    /// It may be left out and is then this text.
    Text(&'static str),
}

/// What is wrong with one parameter of an expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// The parameter; empty when the expectation as a whole is meant.
    pub param: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// The parameters of one expectation as they were given, defaults behind them.
pub(super) struct Given<'a> {
    declaration: &'a Declaration,
    values: &'a Map<String, Value>,
}

const COLUMN: Parameter = required("column", Takes::Text, "the name of the column");
const COLUMN_A: Parameter = required("column_A", Takes::Text, "the name of the first column");
const COLUMN_B: Parameter = required("column_B", Takes::Text, "the name of the second column");
const COLUMN_LIST: Parameter =
    required("column_list", Takes::List(&Takes::Text), "the names of the columns, two or more");
const MOSTLY: Parameter = Parameter {
    name: "mostly",
    takes: Takes::Share,
    presence: Presence::Number(1.0),
    doc: "the least share of what is looked at that must hold, 0 to 1; what misses values is \
          passed over",
};
/// Leaves rows out.
pub(super) const ROW_CONDITION: Parameter = optional(
    "row_condition",
    Takes::Condition,
    "only rows of which this is true are looked at, as in `plan == \"x\" and months > 3`",
);
const IGNORE_PAIR: Parameter = Parameter {
    name: "ignore_row_if",
    takes: Takes::Choice(&["both_values_are_missing", "either_value_is_missing", "neither"]),
    presence: Presence::Text("both_values_are_missing"),
    doc: "which rows are passed over",
};
const IGNORE_LIST: Parameter = Parameter {
    name: "ignore_row_if",
    takes: Takes::Choice(&["all_values_are_missing", "any_value_is_missing", "never"]),
    presence: Presence::Text("all_values_are_missing"),
    doc: "which rows are passed over",
};
const SEVERITY: Parameter = Parameter {
    name: "severity",
    takes: Takes::Choice(&["error", "warning"]),
    presence: Presence::Text("error"),
    doc: "`error` fails the stage, `warning` is only told",
};

/// A parameter that must be given.
pub(super) const fn required(name: &'static str, takes: Takes, doc: &'static str) -> Parameter {
    Parameter { name, takes, presence: Presence::Required, doc }
}

/// A parameter that may be left out, and then says nothing.
pub(super) const fn optional(name: &'static str, takes: Takes, doc: &'static str) -> Parameter {
    Parameter { name, takes, presence: Presence::Optional, doc }
}

/// A truth value that may be left out and is then `false`.
pub(super) const fn flag(name: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, takes: Takes::Bool, presence: Presence::Bool(false), doc }
}

impl Declaration {
    /// All parameters in the order in which people read them: what is looked at, what must hold,
    /// and how much of it.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        let (before, after) = self.about.shared();
        before.iter().chain(self.own).chain(after)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters().find(|parameter| parameter.name == name)
    }
}

impl About {
    /// The parameters before and after an expectation's own.
    fn shared(self) -> (&'static [Parameter], &'static [Parameter]) {
        match self {
            About::Values => (&[COLUMN], &[MOSTLY, ROW_CONDITION, SEVERITY]),
            About::Column => (&[COLUMN], &[ROW_CONDITION, SEVERITY]),
            About::Pair => (&[COLUMN_A, COLUMN_B], &[IGNORE_PAIR, MOSTLY, ROW_CONDITION, SEVERITY]),
            About::Columns => (&[COLUMN_LIST], &[IGNORE_LIST, MOSTLY, ROW_CONDITION, SEVERITY]),
            About::Rows => (&[], &[MOSTLY, ROW_CONDITION, SEVERITY]),
            About::Table => (&[], &[SEVERITY]),
        }
    }
}

impl Parameter {
    /// What stands for it when it is left out.
    pub fn default(&self) -> Option<Value> {
        match self.presence {
            Presence::Required | Presence::Optional => None,
            Presence::Bool(truth) => Some(truth.into()),
            Presence::Number(number) => Some(number.into()),
            Presence::Text(text) => Some(text.into()),
        }
    }
}

impl Wrong {
    /// Something wrong with a parameter.
    pub(super) fn about(param: &'static str, message: impl Into<String>) -> Wrong {
        Wrong { param, message: message.into() }
    }

    /// Something wrong with the expectation as a whole.
    pub(super) fn whole(message: impl Into<String>) -> Wrong {
        Wrong::about("", message)
    }
}

impl<'a> Given<'a> {
    /// The parameters of an expectation.
    ///
    /// # Errors
    /// A key that is no parameter of it, and a parameter that is missing.
    pub(super) fn new(
        declaration: &'a Declaration,
        values: &'a Map<String, Value>,
    ) -> Result<Given<'a>, Wrong> {
        let unknown = values
            .keys()
            .find(|key| key.as_str() != super::TAG && declaration.parameter(key).is_none());
        if let Some(unknown) = unknown {
            return Err(Wrong::whole(format!("unknown parameter `{unknown}`")));
        }
        let given = Given { declaration, values };
        for parameter in declaration.parameters() {
            if matches!(parameter.presence, Presence::Required)
                && given.value(parameter.name).is_none()
            {
                return Err(Wrong::about(parameter.name, "it is missing"));
            }
        }
        Ok(given)
    }

    /// The value of a parameter or its default; `None` when it says nothing.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let given = self.values.get(name).filter(|value| !value.is_null()).cloned();
        given.or_else(|| self.declaration.parameter(name)?.default())
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.value(name)?.as_f64()
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.value(name).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.as_str().map(str::to_owned)
    }

    pub(super) fn list(&self, name: &str) -> Vec<Value> {
        self.value(name).and_then(|value| value.as_array().cloned()).unwrap_or_default()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.list(name);
        texts.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The columns that the table must have for the expectation to be checked at all.
    pub(super) fn columns(&self) -> Vec<String> {
        match self.declaration.about {
            About::Values | About::Column => self.text("column").into_iter().collect(),
            About::Pair => {
                ["column_A", "column_B"].iter().filter_map(|name| self.text(name)).collect()
            }
            About::Columns => self.texts("column_list"),
            About::Rows | About::Table => Vec::new(),
        }
    }
}
