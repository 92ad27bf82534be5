//! A rule, the rows that it looks at, and what it finds.
//!
//! Rows that a condition leaves out are not there for a rule; those that it names keep the numbers
//! that they have in the table.

use serde_json::Value;

use super::TOLD_ROWS;
use super::reason::Reason;
use crate::ml::table::{Column, Table};

/// What an expectation checks.
pub(super) trait Rule: Send + Sync {
    /// Checks the rows.
    ///
    /// # Errors
    /// Only when the rule does not fit the table: a column that it does not have, or one of another
    /// type than a condition needs.
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding>;

    /// Columns that it needs beside those that its parameters name.
    fn columns(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Rows of a table.
pub(super) struct Rows<'a> {
    pub(super) table: &'a Table,
    /// The rows that are looked at, ascending; all when there is no condition.
    pub(super) chosen: Option<Vec<usize>>,
}

/// What a rule found.
pub(super) struct Finding {
    pub(super) success: bool,
    pub(super) observed: Value,
    pub(super) looked_at: usize,
    pub(super) missing: usize,
    pub(super) unexpected: usize,
    /// The first rows that do not hold, counted from 0, with what stands there.
    pub(super) told: Vec<(usize, Option<String>)>,
    pub(super) reason: Option<Reason>,
}

impl Rows<'_> {
    pub(super) fn len(&self) -> usize {
        self.chosen.as_ref().map_or(self.table.rows(), Vec::len)
    }

    /// The numbers of the rows in the table, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|at| self.chosen.as_ref().map_or(at, |rows| rows[at]))
    }

    /// The column of a name.
    ///
    /// # Errors
    /// When the table does not have it.
    pub(super) fn column(&self, name: &str) -> anyhow::Result<&Column> {
        self.table.column(name).ok_or_else(|| anyhow::anyhow!("no column `{name}`"))
    }
}

impl Finding {
    /// About a column or table as a whole.
    pub(super) fn whole(success: bool, observed: Value, reason: Option<Reason>) -> Finding {
        Finding {
            success,
            observed,
            looked_at: 0,
            missing: 0,
            unexpected: 0,
            told: Vec::new(),
            reason: reason.filter(|_| !success),
        }
    }

    /// About rows one by one: which of those looked at do not hold, and what stands there.
    pub(super) fn of_rows(
        looked_at: usize,
        missing: usize,
        unexpected: &[usize],
        mostly: f64,
        shown: impl Fn(usize) -> Option<String>,
    ) -> Finding {
        let holding = (looked_at - unexpected.len()) as f64;
        Finding {
            success: looked_at == 0 || holding / looked_at as f64 >= mostly,
            observed: Value::Null,
            looked_at,
            missing,
            unexpected: unexpected.len(),
            told: unexpected.iter().take(TOLD_ROWS).map(|row| (*row, shown(*row))).collect(),
            reason: None,
        }
    }
}
