//! Checks across the sides of a split: what a later side shares with an earlier one, and has new.

use std::collections::BTreeSet;

use super::{Finding, Subject, row_keys, share};
use crate::ml::schema::Role;
use crate::ml::table::{Column, Table};

/// How many new values a finding names.
const NAMED_VALUES: usize = 5;

pub(super) fn samples_mix(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let columns = |table| {
        let mut columns = subject.with(table, Role::Feature);
        columns.extend(subject.with(table, Role::Target));
        columns
    };
    shared(subject, columns, "have the features and the target of a row of")
}

pub(super) fn shared_ids(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    if subject.with(subject.table, Role::Id).is_empty() {
        return None;
    }
    shared(subject, |table| subject.with(table, Role::Id), "have the id of a row of")
}

/// The rows of each side whose columns are those of a row of an earlier side.
fn shared<'a>(
    subject: &Subject<'a>,
    columns: impl Fn(&'a Table) -> Vec<&'a Column>,
    told: &str,
) -> Option<Vec<Finding>> {
    let keys: Vec<_> =
        (subject.sides.iter()).map(|(_, table)| row_keys(&columns(table), table.rows())).collect();
    let known: Vec<BTreeSet<&[u8; 32]>> = keys.iter().map(|keys| keys.iter().collect()).collect();
    let mut findings = Vec::new();
    for (later, (name, table)) in subject.sides.iter().enumerate() {
        for (earlier, (other, _)) in subject.sides[..later].iter().enumerate() {
            let count = keys[later].iter().filter(|key| known[earlier].contains(key)).count();
            let told = format!("of {name} {told} {other}");
            findings.push(share(Some(format!("{name}, {other}")), count, table.rows(), &told));
        }
    }
    (!findings.is_empty()).then_some(findings)
}

pub(super) fn new_categories(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    unknown(subject, Role::Feature)
}

pub(super) fn new_labels(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    unknown(subject, Role::Target)
}

/// The rows of each later side with a value that the first side, train, does not have.
fn unknown(subject: &Subject<'_>, role: Role) -> Option<Vec<Finding>> {
    let ((train_name, train), later) = subject.sides.split_first()?;
    if *train_name != "train" || later.is_empty() {
        return None;
    }
    let mut findings = Vec::new();
    for column in subject.with(train, role) {
        let known: BTreeSet<String> =
            (0..column.len()).filter_map(|row| column.text(row)).collect();
        if !is_category(column, role, known.len(), subject.max_categories) {
            continue;
        }
        for (name, table) in later {
            findings
                .extend(table.column(&column.name).map(|other| new_values(other, name, &known)));
        }
    }
    Some(findings)
}

fn is_category(column: &Column, role: Role, distinct: usize, max_categories: usize) -> bool {
    use crate::ml::table::ColumnType::{Boolean, Text};
    let is_named = matches!(column.ty(), Text | Boolean) || role == Role::Target;
    is_named && distinct <= max_categories
}

fn new_values(column: &Column, side: &str, known: &BTreeSet<String>) -> Finding {
    let texts = (0..column.len()).filter_map(|row| column.text(row));
    let new: Vec<String> = texts.filter(|text| !known.contains(text)).collect();
    let distinct: BTreeSet<&String> = new.iter().collect();
    let named: Vec<_> =
        distinct.iter().take(NAMED_VALUES).map(|text| format!("`{text}`")).collect();
    let more = if distinct.len() > named.len() { ", …" } else { "" };
    let told = format!(
        "of {side} have a value of `{}` that train does not have: {}{more}",
        column.name,
        named.join(", ")
    );
    share(Some(format!("{}, {side}", column.name)), new.len(), column.len(), &told)
}
