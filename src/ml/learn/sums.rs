//! What is summed of rows, in whole numbers.
//!
//! A tree asks for sums of a numerator and a denominator over rows: of class weights and weights in
//! a decision tree, of the negative gradient and the curvature of a loss in boosting. Both are
//! rounded once per row to a fixed point of 30 bits, a finer step than the single precision that
//! other boosters sum in. From there on all sums are of integers: they are exact, so neither the
//! order of rows nor threads nor the instruction set can change one, and a sibling's sum is its
//! parent's less its own. Knows no features and no trees.

/// The largest number of a row in fixed point. 2^32 rows of it stay below 2^63.
const LARGEST: f64 = (1_u64 << 30) as f64;

/// What one row adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Term {
    /// The numerator, in steps of `Units::g`.
    pub(super) g: i32,
    /// The denominator, in steps of `Units::h`.
    pub(super) h: i32,
}

/// The sum over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Of the numerators.
    pub(super) g: i64,
    /// Of the denominators.
    pub(super) h: i64,
    /// How many rows, whatever they weigh.
    pub(super) n: u64,
}

/// What one step of the fixed point is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Units {
    /// Of the numerators, a power of two.
    pub(super) g: f64,
    /// Of the denominators, a power of two.
    pub(super) h: f64,
}

impl Term {
    /// What so many rows like this add; the units leave room for that.
    pub(super) fn times(self, count: u32) -> Term {
        let count = count as i32;
        Term { g: self.g.saturating_mul(count), h: self.h.saturating_mul(count) }
    }
}

impl Sum {
    /// One more row.
    pub(super) fn add(&mut self, term: Term) {
        self.g += i64::from(term.g);
        self.h += i64::from(term.h);
        self.n += 1;
    }

    /// Both together.
    pub(super) fn plus(self, other: Sum) -> Sum {
        Sum { g: self.g + other.g, h: self.h + other.h, n: self.n + other.n }
    }

    /// What is left without a part of it.
    pub(super) fn minus(self, part: Sum) -> Sum {
        Sum { g: self.g - part.g, h: self.h - part.h, n: self.n - part.n }
    }
}

impl Units {
    /// Units in which no numerator and no denominator of a row is larger than these.
    pub(super) fn of(largest_g: f64, largest_h: f64) -> Units {
        Units { g: unit(largest_g), h: unit(largest_h) }
    }

    /// What a row adds.
    pub(super) fn term(self, g: f64, h: f64) -> Term {
        // The inverse of a power of two is exact.
        Term { g: round(g * (1.0 / self.g)), h: round(h * (1.0 / self.h)) }
    }
}

/// The least power of two of which `largest` is at most `LARGEST` steps.
fn unit(largest: f64) -> f64 {
    // 2^-1000 and 2^1000 are far from where powers of two and their inverses stop being exact.
    let (mut unit, mut at_most) = (1.0_f64, LARGEST);
    while at_most < largest && unit < 1e300 {
        (unit, at_most) = (unit * 2.0, at_most * 2.0);
    }
    while at_most * 0.5 >= largest && largest > 0.0 && unit > 1e-290 {
        (unit, at_most) = (unit * 0.5, at_most * 0.5);
    }
    unit
}

/// The sum of numbers, the same in any order: each is cut to a fixed point of 62 bits below the
/// largest, and whole numbers are added. A sum of fewer than 2^64 numbers that are within 2^9 of
/// the largest is exact but for its own rounding.
pub(super) fn sum_in_any_order(values: impl Iterator<Item = f64> + Clone) -> f64 {
    const FINER: f64 = 1.0 / (1_u64 << 32) as f64;
    let unit = unit(values.clone().fold(0.0, |most: f64, x| most.max(x.abs()))) * FINER;
    let whole: i128 = values.map(|x| i128::from((x / unit) as i64)).sum();
    whole as f64 * unit
}

/// The nearest whole number, halves away from 0. Written out, because `f64::round` is a call into
/// the C library on CPUs without SSE4.1.
fn round(x: f64) -> i32 {
    (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_weights_stay_exact() {
        let units = Units::of(3.0, 3.0);
        for x in [0.0, 1.0, 2.0, 3.0] {
            let term = units.term(-x, x);
            assert_eq!([f64::from(term.g) * units.g, f64::from(term.h) * units.h], [-x, x]);
        }
    }

    #[test]
    fn a_sum_has_no_order_and_loses_nothing_to_cancellation() {
        let numbers = [1e16, 0.5, -1e16, 0.25, 3.0];
        let sum = |order: [usize; 5]| sum_in_any_order(order.iter().map(|i| numbers[*i]));
        assert_eq!(sum([0, 1, 2, 3, 4]), 3.75);
        assert_eq!(sum([4, 2, 3, 1, 0]), 3.75);
        assert_eq!(sum_in_any_order(std::iter::empty()), 0.0);
    }

    #[test]
    fn nothing_at_all_has_a_unit_too() {
        let units = Units::of(0.0, 0.0);
        assert_eq!((units.g, units.term(0.0, 0.0)), (1.0, Term::default()));
    }

    proptest! {
        #[test]
        fn a_row_is_off_by_at_most_half_a_step(
            rows in proptest::collection::vec((-1e9..1e9_f64, 1e-12..1e3_f64), 1..50),
            scale in -200..200_i32,
        ) {
            let scale = libm::pow(2.0, f64::from(scale));
            let rows: Vec<(f64, f64)> = rows.iter().map(|(g, h)| (g * scale, h * scale)).collect();
            let largest_g = rows.iter().fold(0.0_f64, |most, row| most.max(row.0.abs()));
            let largest_h = rows.iter().fold(0.0_f64, |most, row| most.max(row.1));
            let units = Units::of(largest_g, largest_h);
            prop_assert!(units.g <= largest_g / LARGEST * 2.0);
            for (g, h) in rows {
                let term = units.term(g, h);
                prop_assert!((g - f64::from(term.g) * units.g).abs() <= 0.5 * units.g);
                prop_assert!((h - f64::from(term.h) * units.h).abs() <= 0.5 * units.h);
            }
        }
    }
}
