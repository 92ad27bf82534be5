//! What was drawn: rows, churn and the best reachable ROC AUC, overall and per plan.
//!
//! The AUC is that of the true probability against the drawn label. True probabilities are whole
//! millionths, so counting rows per millionth gives it exactly, ties included, in the same memory
//! (at most 32 MB) for nine thousand rows or ten million. Knows nothing of how a row came about.

use std::fmt;

use crate::churn::MILLION;
use crate::subscriber::Plan;
use crate::table::plan_name;

const PLANS: [Plan; 2] = [Plan::Prepaid, Plan::Postpaid];

/// Counts per plan and true probability.
pub(crate) struct Summary {
    plans: [Histogram; 2],
}

/// Per true probability in millionths, how many stayed and how many left.
struct Histogram(Vec<[u64; 2]>);

/// What is told about some rows.
#[derive(Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) rows: u64,
    pub(crate) churned: u64,
    /// `None` when all rows have the same label.
    pub(crate) best_roc_auc: Option<f64>,
}

impl Summary {
    pub(crate) fn new() -> Summary {
        let empty = || Histogram(vec![[0; 2]; MILLION as usize + 1]);
        Summary { plans: [empty(), empty()] }
    }

    /// Counts one row.
    pub(crate) fn add(&mut self, plan: Plan, millionths: u32, churned: bool) {
        let histogram = &mut self.plans[usize::from(plan == Plan::Postpaid)];
        histogram.0[millionths as usize][usize::from(churned)] += 1;
    }

    /// The figures over all rows, or over those of one plan.
    pub(crate) fn figures(&self, plan: Option<Plan>) -> Figures {
        let chosen = PLANS.iter().zip(&self.plans).filter(|(p, _)| plan.is_none_or(|of| of == **p));
        let histograms: Vec<&Histogram> = chosen.map(|(_, histogram)| histogram).collect();
        let (mut stayed, mut left, mut pairs_won_twice) = (0_u64, 0_u64, 0_u128);
        for millionths in 0..=MILLION as usize {
            let count = |label: usize| histograms.iter().map(|h| h.0[millionths][label]).sum();
            let [stayed_here, left_here]: [u64; 2] = [count(0), count(1)];
            // Against those who stayed: lower probabilities are won, equal ones half won.
            pairs_won_twice += u128::from(left_here) * u128::from(2 * stayed + stayed_here);
            stayed += stayed_here;
            left += left_here;
        }
        let pairs = u128::from(stayed) * u128::from(left);
        Figures {
            rows: stayed + left,
            churned: left,
            best_roc_auc: (pairs > 0).then(|| pairs_won_twice as f64 / (2 * pairs) as f64),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:>10} {:>8} {:>18}", "", "rows", "churn", "best reachable AUC")?;
        write_line(f, "all", &self.figures(None))?;
        for plan in PLANS {
            write_line(f, plan_name(plan), &self.figures(Some(plan)))?;
        }
        Ok(())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, name: &str, figures: &Figures) -> fmt::Result {
    let churn = 100.0 * figures.churned as f64 / figures.rows.max(1) as f64;
    write!(f, "{name:<10} {:>10} {churn:>6.2} %", figures.rows)?;
    match figures.best_roc_auc {
        Some(auc) => writeln!(f, " {auc:>18.4}"),
        None => writeln!(f, " {:>18}", "-"),
    }
}
