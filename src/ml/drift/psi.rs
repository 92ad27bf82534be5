//! The population stability index of two rows of counts over the same bins, and its p-value.
//!
//! With shares `p` and `q` per bin it is the sum of `(q - p) ln(q / p)`, an empty share counting as
//! 0.0001. Where both were drawn from the same, the index divided by `1/n + 1/m` is chi-square with
//! one degree less than there are bins (Yurdakul and Naranjo, "Statistical properties of the
//! population stability index", Journal of Risk Model Validation 14(4), 2020), as long as bins hold
//! more than a few. Knows counts alone: a table that is profiled and a service that counts while it
//! answers have the same number for the same counts.

use crate::ml::describe::sum;
use crate::ml::special::chi_square_tail;

/// The share that stands for an empty bin.
const EMPTY_SHARE: f64 = 1e-4;

/// The index, and how likely as much of it is by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Psi {
    /// The index, 0 or more.
    pub psi: f64,
    /// The probability of at least as much of it where nothing has moved, 0 to 1.
    pub p_value: f64,
}

impl Psi {
    /// The index of two rows of counts over the same bins; none when either holds nothing.
    pub fn of(reference: &[u64], table: &[u64]) -> Option<Psi> {
        let (n, m) = (reference.iter().sum::<u64>(), table.iter().sum::<u64>());
        if n == 0 || m == 0 {
            return None;
        }
        let (size, table_size) = (n as f64, m as f64);
        // Bins that are empty on both sides say nothing.
        let pairs = || reference.iter().zip(table).filter(|(a, b)| **a + **b > 0);
        let psi = sum(pairs().map(|(a, b)| {
            let filled = |share: f64| if share == 0.0 { EMPTY_SHARE } else { share };
            let (p, q) = (filled(*a as f64 / size), filled(*b as f64 / table_size));
            (q - p) * libm::log(q / p)
        }));
        let effective = size * table_size / (size + table_size);
        let degrees = pairs().count() as f64 - 1.0;
        let p_value = if degrees > 0.0 { chi_square_tail(psi * effective, degrees) } else { 1.0 };
        Some(Psi { psi, p_value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_the_same_proportions_have_not_moved() {
        let same = Psi::of(&[10, 20, 0, 30], &[100, 200, 0, 300]).unwrap();
        assert!(same.psi.abs() < 1e-15 && (same.p_value - 1.0).abs() < 1e-12, "{same:?}");
        assert_eq!(Psi::of(&[7], &[9]), Some(Psi { psi: 0.0, p_value: 1.0 }));
    }

    #[test]
    fn nothing_on_either_side_has_no_index() {
        assert_eq!(Psi::of(&[0, 0], &[1, 2]), None);
        assert_eq!(Psi::of(&[1, 2], &[]), None);
    }

    #[test]
    fn the_index_and_its_p_value_are_those_of_numpy_and_scipy() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/golden/psi.json")).unwrap();
        let list = |value: &serde_json::Value| -> Vec<u64> {
            value.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
        };
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 8);
        for case in cases {
            let found = Psi::of(&list(&case["reference"]), &list(&case["table"])).unwrap();
            for (key, found) in [("psi", found.psi), ("p_value", found.p_value)] {
                let expected = case[key].as_f64().unwrap();
                let is_near = (found - expected).abs() <= 1e-9 * expected.abs() + 1e-14;
                assert!(is_near, "{key}: {found}, {expected} of {case}");
            }
        }
    }
}
