//! Parameters that several kinds share, and what they mean for a table.
//!
//! What columns are for is said once for a pipeline and enters every stage that knows it. Whether
//! a column exists is known only when the table is read, so that is checked here, too, and told
//! with a suggestion.

use anyhow::ensure;
use engine::error::suggestion;
use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ml::schema::{Role, Roles};
use crate::ml::table::{Column, Table};

/// The types of output that are a table: a file or a directory of parts of the project, or what a
/// stage wrote.
pub const TABLES: &[&str] = &[engine::kind::FILE, engine::kind::DIRECTORY, "table"];

/// `columns`: what columns are for, by their names.
pub fn columns() -> Param {
    let roles = Type::Choice(&["id", "target", "feature", "segment", "weight", "ignore"]);
    let doc = "what columns are for: id, target, feature, segment, weight, ignore; not listed is a \
               feature";
    Param::new("columns", roles.one_or_many().map(), json!({}), doc)
}

/// `positive`: the value of the target that is predicted.
pub fn positive() -> Param {
    let doc = "the value of the target whose probability is predicted";
    Param::optional("positive", Type::Scalar, doc)
}

/// `task`, where it decides about few things: what is predicted.
pub fn task() -> Param {
    let doc = "what is predicted: a class, of which every part has rows, or a number";
    Param::new("task", Type::Choice(&["classification", "regression"]), "classification", doc)
}

/// What is predicted of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Which of two classes it is of.
    #[default]
    Classification,
    /// A number.
    Regression,
}

/// The task that parameters declare.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Declared {
    /// Classification when it is left out.
    #[serde(default)]
    pub task: Task,
}

/// Whether parameters declare a regression.
pub fn is_regression(params: &Value) -> bool {
    Declared::deserialize(params).is_ok_and(|declared| declared.task == Task::Regression)
}

/// The type of output that is a model for the declared task. They differ so that a regression
/// cannot be plugged in where a probability is needed: that is told before any work starts.
pub fn model_types(params: &Value) -> &'static [&'static str] {
    if is_regression(params) { &["regressor"] } else { &["model"] }
}

/// The type of output that is what an evaluation of the declared task found.
pub fn metrics_types(params: &Value) -> &'static [&'static str] {
    if is_regression(params) { &["regression_metrics"] } else { &["metrics"] }
}

/// Roles that no column can have together, and a second target or weight.
pub fn check_columns(params: &Value) -> Vec<Complaint> {
    let roles = params.get("columns").map(Roles::deserialize).and_then(Result::ok);
    let mut complaints = Vec::new();
    let mut sole: [Option<&String>; 2] = [None, None];
    let roles = roles.unwrap_or_default();
    for (name, roles) in &roles {
        let mut complain = |message: String| {
            let path = vec![Step::Key("columns".to_owned()), Step::Key(name.clone())];
            complaints.push(Complaint::at(path, message));
        };
        let lonely = [(Role::Target, "target"), (Role::Weight, "weight"), (Role::Ignore, "ignore")];
        for (role, alone) in lonely {
            if roles.contains(&role) && roles.iter().any(|other| *other != role) {
                complain(format!("`{name}` is `{alone}` and something else: remove one"));
            }
        }
        if roles.contains(&Role::Id) && roles.contains(&Role::Feature) {
            complain(format!(
                "`{name}` is `id` and `feature`: a model would learn rows by name; remove one"
            ));
        }
        let only = [
            (Role::Target, "target", "only one column is predicted"),
            (Role::Weight, "weight", "only one column tells what a row counts"),
        ];
        for ((role, noun, why), first) in only.into_iter().zip(&mut sole) {
            match first {
                _ if !roles.contains(&role) => {}
                Some(first) => complain(format!("`{first}` and `{name}` are both `{noun}`: {why}")),
                None => *first = Some(name),
            }
        }
    }
    complaints
}

/// What `evaluate` tells where a column tells weights.
pub fn weighted(roles: &Roles) -> Option<String> {
    let (name, _) = roles.iter().find(|(_, roles)| roles.contains(&Role::Weight))?;
    Some(format!(
        "metrics by `{name}` stand under `weighted`; all else counts every row once: thresholds, \
         champion, gates, intervals"
    ))
}

/// Checks that a table has every column that has a role.
///
/// # Errors
/// Every column that it does not have, with what may be meant.
pub fn check_roles(roles: &Roles, table: &Table) -> anyhow::Result<()> {
    check_names("columns", roles.keys().map(String::as_str), table)
}

/// Checks that a table has every column that a parameter names.
///
/// # Errors
/// Every column that it does not have, with what may be meant.
pub fn check_names<'a>(
    param: &str,
    names: impl Iterator<Item = &'a str>,
    table: &Table,
) -> anyhow::Result<()> {
    let told = |name: &str| match suggestion(name, table.names()) {
        Some(hint) => format!("`{name}` ({hint})"),
        None => format!("`{name}`"),
    };
    let mut unknown: Vec<_> = names.filter(|name| table.column(name).is_none()).map(told).collect();
    unknown.dedup();
    let known: Vec<_> = table.names().collect();
    ensure!(
        unknown.is_empty(),
        "`{param}` names what the table does not have: {}; its columns are {}",
        unknown.join(", "),
        known.join(", ")
    );
    Ok(())
}

/// The columns of a role, in the order of the table.
pub fn with_role<'a>(table: &'a Table, roles: &Roles, role: Role) -> Vec<&'a Column> {
    let has = |column: &&Column| roles.get(&column.name).is_some_and(|roles| roles.contains(&role));
    table.columns().iter().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::Values;

    fn messages(columns: Value) -> Vec<String> {
        let ty = Type::Record(vec![super::columns(), positive()]);
        let params = ty.check(&json!({"columns": columns, "positive": 1})).unwrap();
        check_columns(&params).into_iter().map(|complaint| complaint.message).collect()
    }

    #[test]
    fn a_feature_may_be_a_segment_and_nothing_else_may_be_two_things() {
        let fine = json!({"a": "id", "b": ["feature", "segment"], "c": "target", "d": "ignore"});
        assert_eq!(messages(fine), [] as [&str; 0]);
        assert_eq!(messages(json!({"a": ["id", "feature"]})).len(), 1);
        assert_eq!(messages(json!({"a": ["target", "feature"]})).len(), 1);
        assert_eq!(messages(json!({"a": ["ignore", "segment"]})).len(), 1);
        assert_eq!(
            messages(json!({"a": "target", "b": "target"})),
            ["`a` and `b` are both `target`: only one column is predicted"]
        );
        assert_eq!(messages(json!({"a": "weight"})), [] as [&str; 0]);
        assert_eq!(
            messages(json!({"a": ["weight", "feature"], "b": "weight"})),
            [
                "`a` is `weight` and something else: remove one",
                "`a` and `b` are both `weight`: only one column tells what a row counts"
            ]
        );
    }

    #[test]
    fn a_column_that_is_not_there_gets_a_suggestion() {
        let table =
            Table::new(vec![Column::new("tenure", Values::Integer(vec![Some(1)]))]).unwrap();
        let roles = |name: &str| Roles::from([(name.to_owned(), vec![Role::Id])]);
        assert!(check_roles(&roles("tenure"), &table).is_ok());
        assert_eq!(
            check_roles(&roles("tenur"), &table).unwrap_err().to_string(),
            "`columns` names what the table does not have: `tenur` (did you mean `tenure`?); its \
             columns are tenure"
        );
        assert_eq!(with_role(&table, &roles("tenure"), Role::Id).len(), 1);
    }
}
