//! What acting on predictions is worth: rows predicted positive are contacted, and some of the
//! positive ones are won over.
//!
//! Money in any unit, as long as it is the same. Knows no score and no threshold.

use std::fmt;

use super::Confusion;

/// What contacting rows costs and brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profit {
    /// What a positive row is worth once it is won over; at least 0.
    pub value: f64,
    /// What contacting a row costs; at least 0.
    pub cost: f64,
    /// How often contact wins a positive row over, in [0, 1].
    pub success: f64,
    /// How many rows can be contacted; `None` when there is no limit.
    pub budget: Option<Budget>,
}

/// A limit of contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most rows that can be contacted.
    pub contacts: u64,
    /// Among how many rows: of half as many, half can be contacted. `None` means whatever rows the
    /// threshold is chosen by.
    pub per_rows: Option<u64>,
}

impl Profit {
    /// What is expected to be gained by contacting the rows that are predicted positive: `tp *
    /// success * value - (tp + fp) * cost`.
    pub fn of(&self, confusion: &Confusion) -> f64 {
        let won = confusion.tp as f64 * (self.success * self.value);
        won - confusion.predicted() as f64 * self.cost
    }

    /// Whether so many contacts among `n` rows are within the budget.
    pub(super) fn allows(&self, contacts: u64, n: u64) -> bool {
        self.budget.is_none_or(|budget| {
            let per_rows = budget.per_rows.unwrap_or(n);
            u128::from(contacts) * u128::from(per_rows)
                <= u128::from(budget.contacts) * u128::from(n)
        })
    }
}

/// As it is declared: `profit value 500, cost 5, success 0.3, budget 100 per 2000 rows`.
impl fmt::Display for Profit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profit value {}, cost {}, success {}", self.value, self.cost, self.success)?;
        if let Some(Budget { contacts, per_rows }) = self.budget {
            write!(f, ", budget {contacts}")?;
            if let Some(per_rows) = per_rows {
                write!(f, " per {per_rows} rows")?;
            }
        }
        Ok(())
    }
}
