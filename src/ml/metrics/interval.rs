//! Intervals: where a figure would lie for other rows of the same kind.

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end, not below `low`.
    pub high: f64,
}

/// An interval, or why there is none.
pub type Bounded = Result<Interval, &'static str>;

impl Interval {
    /// The same with both ends moved into a range, because no value can be outside of it.
    pub fn within(self, least: f64, most: f64) -> Interval {
        Interval { low: self.low.clamp(least, most), high: self.high.clamp(least, most) }
    }

    /// Whether a value lies in it.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The quantile of sorted values at a fraction in [0, 1], linear between two of them (type 7 of
/// Hyndman & Fan 1996; NumPy's default), rounded as `numpy.quantile` rounds. 0 when there are none.
pub fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = fraction * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    between(sorted[below], sorted[above], place - below as f64)
}

/// The value at a fraction of the way from `a` to `b`, reckoned from the nearer end.
pub(super) fn between(a: f64, b: f64, fraction: f64) -> f64 {
    let step = b - a;
    if fraction >= 0.5 { b - step * (1.0 - fraction) } else { a + step * fraction }
}
