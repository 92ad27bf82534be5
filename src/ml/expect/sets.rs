//! Expectations on the set of distinct values of a column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::declaration::{About, Declaration, Given, Parameter, Takes, Wrong, flag, required};
use super::reason::Reason;
use super::rule::{Finding, Rows, Rule};
use super::values::{text, value_set};
use crate::ml::table::Column;

/// How many values are told of each difference.
const TOLD_VALUES: usize = 20;

const VALUE_SET: Parameter =
    required("value_set", Takes::List(&Takes::Scalar), "the set; 1, 1.0 and \"1\" are the same");

/// Expectations on the set of distinct values.
pub(super) const DECLARATIONS: &[Declaration] = &[
    Declaration {
        name: "expect_column_distinct_values_to_be_in_set",
        doc: "the column has no value outside of a set",
        about: About::Column,
        own: &[VALUE_SET],
        make: |given| distinct(given, Relation { may_miss: true, may_exceed: false }),
    },
    Declaration {
        name: "expect_column_distinct_values_to_contain_set",
        doc: "the column has every value of a set",
        about: About::Column,
        own: &[VALUE_SET],
        make: |given| distinct(given, Relation { may_miss: false, may_exceed: true }),
    },
    Declaration {
        name: "expect_column_distinct_values_to_equal_set",
        doc: "the column has every value of a set and no other",
        about: About::Column,
        own: &[VALUE_SET],
        make: |given| distinct(given, Relation { may_miss: false, may_exceed: false }),
    },
    Declaration {
        name: "expect_column_most_common_value_to_be_in_set",
        doc: "the value that comes most often is one of a set",
        about: About::Column,
        own: &[
            VALUE_SET,
            flag("ties_okay", "whether values outside of the set may come as often, and no more"),
        ],
        make: |given| {
            let column = given.text("column").unwrap_or_default();
            let (set, ties_okay) = (value_set(given)?, given.is("ties_okay"));
            Ok(Box::new(MostCommon { column, set, ties_okay }))
        },
    },
];

/// What a column may have beside a set, and lack of it.
struct Relation {
    may_miss: bool,
    may_exceed: bool,
}

struct DistinctValues {
    column: String,
    set: BTreeSet<String>,
    relation: Relation,
}

fn distinct(given: &Given<'_>, relation: Relation) -> Result<Box<dyn Rule>, Wrong> {
    let column = given.text("column").unwrap_or_default();
    Ok(Box::new(DistinctValues { column, set: value_set(given)?, relation }))
}

impl Rule for DistinctValues {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let counts = counts(column, rows);
        let unexpected: Vec<_> =
            counts.keys().filter(|value| !self.set.contains(value.as_str())).collect();
        let missing: Vec<_> =
            self.set.iter().filter(|value| !counts.contains_key(value.as_str())).collect();
        let holds = (self.relation.may_exceed || unexpected.is_empty())
            && (self.relation.may_miss || missing.is_empty());
        let reason = match self.relation.may_exceed || unexpected.is_empty() {
            true => None,
            false => Reason::not_in_set(column),
        };
        let observed = json!({
            "missing": missing.iter().take(TOLD_VALUES).collect::<Vec<_>>(),
            "missing_count": missing.len(),
            "unexpected": unexpected.iter().take(TOLD_VALUES).collect::<Vec<_>>(),
            "unexpected_count": unexpected.len(),
        });
        Ok(Finding::whole(holds, observed, reason))
    }
}

/// How often each value comes.
pub(super) fn counts(column: &Column, rows: &Rows<'_>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::<String, usize>::new();
    for row in rows.iter().filter(|row| !column.is_missing(*row)) {
        let text = text(column, row);
        match counts.get_mut(text.as_ref()) {
            Some(count) => *count += 1,
            None => {
                counts.insert(text.into_owned(), 1);
            }
        }
    }
    counts
}

struct MostCommon {
    column: String,
    set: BTreeSet<String>,
    ties_okay: bool,
}

impl Rule for MostCommon {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let counts = counts(column, rows);
        let most = counts.values().copied().max();
        let tied: Vec<_> = counts
            .iter()
            .filter(|(_, count)| Some(**count) == most)
            .map(|(value, _)| value)
            .collect();
        let inside = tied.iter().filter(|value| self.set.contains(value.as_str())).count();
        let holds = inside > 0 && (self.ties_okay || tied.len() == 1);
        let told: Vec<_> = tied.iter().take(TOLD_VALUES).collect();
        Ok(Finding::whole(holds, json!(told), Reason::not_in_set(column).filter(|_| inside == 0)))
    }
}
