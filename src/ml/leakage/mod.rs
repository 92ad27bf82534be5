//! Checks for leakage and contamination: what makes a model look better than it is.
//!
//! The names are those of Deepchecks, and so are the bounds where it has one. Checks of one table
//! look at its features and target; checks of sides compare the tables that a split made. A check
//! for which something is not there (no target, no other side) is left out. What is found is a
//! reason to look and no proof, so a check warns unless another severity is set.

mod one;
mod sides;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::expect::Severity;
use super::json;
use super::profile::roles_of;
use super::schema::{Role, Roles};
use super::table::{Column, Table};

/// How many findings are told of each check.
const TOLD: usize = 10;

/// A check that can be asked for.
pub struct Check {
    /// The name.
    pub name: &'static str,
    /// One line: what is looked for.
    pub doc: &'static str,
    /// What a finding is measured by, and the bound above which it is told.
    pub bound: Bound,
    /// All that it measures, whatever the bound; `None` when it cannot be run.
    run: fn(&Subject<'_>) -> Option<Vec<Finding>>,
}

/// The bound of a check.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The name of the parameter.
    pub name: &'static str,
    /// The value when it is left out, 0 to 1.
    pub default: f64,
    /// One line: what it bounds.
    pub doc: &'static str,
}

const MAX_RATIO: Bound =
    Bound { name: "max_ratio", default: 0.0, doc: "the greatest share of rows that is not told" };

/// All checks.
pub const CHECKS: &[Check] = &[
    Check {
        name: "is_single_value",
        doc: "features of which every value that is there is the same",
        bound: Bound { name: "max_ratio", default: 0.0, doc: "the greatest share of features" },
        run: one::single_values,
    },
    Check {
        name: "identifier_features",
        doc: "features of whole numbers or texts whose values name rows: a model learns them by heart",
        bound: Bound {
            name: "max_unique",
            default: 0.98,
            doc: "the greatest share of values that may come once only",
        },
        run: one::identifiers,
    },
    Check {
        name: "data_duplicates",
        doc: "rows whose features and target are those of an earlier row",
        bound: Bound { default: 0.05, ..MAX_RATIO },
        run: one::duplicates,
    },
    Check {
        name: "conflicting_labels",
        doc: "rows whose features are those of another row with another target",
        bound: MAX_RATIO,
        run: one::conflicts,
    },
    Check {
        name: "feature_label_correlation",
        doc: "features that alone give the target away: |2 AUC - 1| of a number against a class, \
              Cramér's V of categories and of missing values, |Spearman| against a number",
        bound: Bound {
            name: "max_score",
            default: 0.8,
            doc: "the greatest score, 0 to 1; 0.8 is a ROC AUC of 0.9",
        },
        run: one::giveaways,
    },
    Check {
        name: "train_test_samples_mix",
        doc: "rows of a later side whose features and target are those of a row of an earlier one",
        bound: Bound { default: 0.05, ..MAX_RATIO },
        run: sides::samples_mix,
    },
    Check {
        name: "index_train_test_leakage",
        doc: "rows of a later side whose id an earlier side has, too",
        bound: MAX_RATIO,
        run: sides::shared_ids,
    },
    Check {
        name: "category_mismatch_train_test",
        doc: "rows of a later side with a category that train does not have",
        bound: MAX_RATIO,
        run: sides::new_categories,
    },
    Check {
        name: "new_label_train_test",
        doc: "rows of a later side with a target that train does not have",
        bound: MAX_RATIO,
        run: sides::new_labels,
    },
];

/// What is checked.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The table.
    pub table: &'a Table,
    /// What its columns are for.
    pub roles: &'a Roles,
    /// The sides of a split, those that there are, in the order of training, choosing, judging.
    pub sides: &'a [(&'static str, Table)],
    /// A text column with more distinct values than this is free text and no category.
    pub max_categories: usize,
}

/// A check as it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its name.
    pub check: String,
    /// Its bound; its default when left out.
    pub bound: Option<f64>,
    /// What a finding means.
    pub severity: Severity,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckOutcome {
    /// Its name.
    pub check: String,
    /// Whether nothing was found above the bound.
    pub success: bool,
    /// What it means when something was.
    pub severity: Severity,
    /// The bound.
    #[serde(serialize_with = "json::finite")]
    pub bound: f64,
    /// The greatest share or score that was found.
    #[serde(serialize_with = "json::finite")]
    pub worst: f64,
    /// What was found above the bound, worst first, at most `TOLD`.
    pub findings: Vec<Finding>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The column or the sides that it is about; none when it is about the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The share or score.
    #[serde(serialize_with = "json::finite")]
    pub value: f64,
    /// What it is, for people.
    pub told: String,
}

/// Runs the checks that are asked for, those that can be run, in that order.
pub fn check(subject: &Subject<'_>, asked: &[Asked]) -> Vec<CheckOutcome> {
    let outcomes: Vec<Option<CheckOutcome>> = asked
        .par_iter()
        .map(|asked| {
            let check = CHECKS.iter().find(|check| check.name == asked.check)?;
            let bound = asked.bound.unwrap_or(check.bound.default);
            let mut findings = (check.run)(subject)?;
            // Worst first; the sort is stable, so equal ones keep the order of columns and sides.
            findings.sort_by(|a, b| b.value.total_cmp(&a.value));
            let worst = findings.first().map_or(0.0, |finding| finding.value);
            findings.retain(|finding| finding.value > bound);
            let success = findings.is_empty();
            findings.truncate(TOLD);
            let check = asked.check.clone();
            Some(CheckOutcome { check, success, severity: asked.severity, bound, worst, findings })
        })
        .collect();
    outcomes.into_iter().flatten().collect()
}

impl CheckOutcome {
    /// One line for people: the check and what it found.
    pub fn sentence(&self) -> String {
        let told: Vec<_> = self.findings.iter().map(|finding| finding.told.as_str()).collect();
        format!("{}: {}", self.check, told.join("; "))
    }
}

impl Subject<'_> {
    /// The columns of a table that have a role.
    fn with<'t>(&self, table: &'t Table, role: Role) -> Vec<&'t Column> {
        let has = |column: &&Column| roles_of(&column.name, self.roles).contains(&role);
        table.columns().iter().filter(has).collect()
    }

    fn features(&self) -> Vec<&Column> {
        self.with(self.table, Role::Feature)
    }

    fn target(&self) -> Option<&Column> {
        self.with(self.table, Role::Target).first().copied()
    }
}

/// What stands in a row, as a digest: equal rows have equal ones.
fn row_key(columns: &[&Column], row: usize) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for column in columns {
        match column.text(row) {
            None => hasher.update(&[0]),
            Some(text) => hasher
                .update(&[1])
                .update(&(text.len() as u64).to_le_bytes())
                .update(text.as_bytes()),
        };
    }
    *hasher.finalize().as_bytes()
}

fn row_keys(columns: &[&Column], rows: usize) -> Vec<[u8; 32]> {
    (0..rows).into_par_iter().map(|row| row_key(columns, row)).collect()
}

/// A finding about a share of rows.
fn share(about: Option<String>, part: usize, whole: usize, told: &str) -> Finding {
    let value = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let told = format!("{part} of {whole} rows ({:.2} %) {told}", 100.0 * value);
    Finding { about, value, told }
}

#[cfg(test)]
mod tests;
