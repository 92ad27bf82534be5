//! A number's place among the quantiles of the training rows: scikit-learn's `QuantileTransformer`
//! without its random subsample, so that no draw has a say.
//!
//! Between two quantiles it is interpolated. A number that equals several quantiles gets the middle
//! of their places; below all of them it is 0, above all 1. Spread to a normal distribution, these
//! ends are 1e-7 and 1 - 1e-7, which is 5.2 standard deviations.

use serde::{Deserialize, Serialize};

use super::LARGEST;
use super::params::Distribution;

/// How far from 0 and 1 places are kept before they are spread to a normal distribution, and how
/// close to the outermost quantile a number counts as beyond it: scikit-learn's bound.
const BOUND: f64 = 1e-7;

/// Quantiles of a column, evenly spaced from the smallest to the largest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quantiles {
    /// Ascending; empty when the column had no value.
    values: Vec<f64>,
    distribution: Distribution,
}

impl Quantiles {
    /// The quantiles of values, `n` of them.
    pub(super) fn fit(values: &[f64], n: usize, distribution: Distribution) -> Quantiles {
        let mut sorted: Vec<f64> = values.iter().map(|x| x.clamp(-LARGEST, LARGEST)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = if sorted.is_empty() { 0 } else { n };
        // Rounding may put an interpolated quantile behind the next one.
        let mut least = f64::NEG_INFINITY;
        let ascending = |i: usize| {
            // In percent and back, as there: it decides whether a quantile is one of equal values.
            least = percentile(&sorted, share(i, n) * 100.0 / 100.0).max(least);
            least
        };
        Quantiles { values: (0..n).map(ascending).collect(), distribution }
    }

    /// The place of a number, NaN for NaN; 0 when there are no quantiles.
    pub(super) fn place(&self, x: f64) -> f64 {
        let (Some(first), Some(last)) = (self.values.first(), self.values.last()) else {
            return if x.is_nan() { x } else { 0.0 };
        };
        if x.is_nan() {
            return x;
        }
        match self.distribution {
            Distribution::Uniform if x == *first => 0.0,
            Distribution::Uniform if x == *last => 1.0,
            Distribution::Uniform => self.between(x),
            Distribution::Normal => {
                let place = if x - BOUND < *first {
                    0.0
                } else if x + BOUND > *last {
                    1.0
                } else {
                    self.between(x)
                };
                let bound = BOUND - f64::EPSILON;
                normal_quantile(place.clamp(bound, 1.0 - bound))
            }
        }
    }

    /// The middle of the places from below and from above.
    fn between(&self, x: f64) -> f64 {
        let (xs, n) = (&self.values, self.values.len());
        let lower = xs.partition_point(|value| *value <= x);
        let from_below = match lower {
            0 => 0.0,
            _ if lower == n => share(n - 1, n),
            _ => share(lower - 1, n) + self.rise(lower, x - xs[lower - 1]),
        };
        let upper = xs.partition_point(|value| *value < x);
        let from_above = match upper {
            0 => 0.0,
            _ if upper == n => share(n - 1, n),
            _ => share(upper, n) - self.rise(upper, xs[upper] - x),
        };
        0.5 * (from_below + from_above)
    }

    /// By how much the place rises over a distance below the quantile `i`, which is above the one
    /// before. The distance is divided first: two quantiles may be too close for a slope.
    fn rise(&self, i: usize, distance: f64) -> f64 {
        let n = self.values.len();
        let part = distance / (self.values[i] - self.values[i - 1]);
        (share(i, n) - share(i - 1, n)) * part
    }

    /// What `place` relies on, for quantiles that were read from a file.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_sound = |x: &f64| x.abs() <= LARGEST;
        if self.values.iter().all(is_sound) && self.values.is_sorted() {
            Ok(())
        } else {
            Err("quantiles that are not ascending")
        }
    }
}

/// The place of the quantile `i` of `n`, rounded as numpy's `linspace` does.
fn share(i: usize, n: usize) -> f64 {
    match n {
        0 | 1 => 0.0,
        _ if i == n - 1 => 1.0,
        _ => i as f64 * (1.0 / (n - 1) as f64),
    }
}

/// The quantile of a share of values that are sorted and not empty, interpolated between the two
/// that it lies between (numpy's default).
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = (at.floor() as usize).min(sorted.len() - 1);
    let (lower, upper) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    let t = at - below as f64;
    // From the nearer end, as numpy does, so that t = 1 gives the upper one exactly.
    if t < 0.5 { lower + (upper - lower) * t } else { upper - (upper - lower) * (1.0 - t) }
}

/// The number below which a normal variable falls with probability `p`, in (0, 1).
///
/// Wichura (1988), "Algorithm AS 241: The Percentage Points of the Normal Distribution", PPND16:
/// right to about one part in 10^16.
fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRE);
    }
    let r = libm::sqrt(-libm::log(if q < 0.0 { p } else { 1.0 - p }));
    let distance = if r <= 5.0 { ratio(r - 1.6, &SHOULDER) } else { ratio(r - 5.0, &TAIL) };
    if q < 0.0 { -distance } else { distance }
}

/// The ratio of two polynomials, coefficients from the constant on.
fn ratio(r: f64, [above, below]: &[[f64; 8]; 2]) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| {
        let mut sum = 0.0;
        for coefficient in coefficients.iter().rev() {
            sum = sum * r + coefficient;
        }
        sum
    };
    polynomial(above) / polynomial(below)
}

/// AS 241, coefficients a and b: p within 0.425 of one half.
const CENTRE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];

/// AS 241, coefficients c and d: p down to 1.4e-11 from 0 or 1.
const SHOULDER: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        0.000_774_545_014_278_341_4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        0.000_547_593_808_499_534_5,
        1.050_750_071_644_416_9e-9,
    ],
];

/// AS 241, coefficients e and f: p beyond that.
const TAIL: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        0.000_786_869_131_145_613_3,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_7e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_right_in_all_three_parts() {
        // scipy.stats.norm.ppf.
        for (p, expected) in [
            (0.5, 0.0),
            (0.25, -0.674_489_750_196_081_7),
            (0.975, 1.959_963_984_540_054),
            (1e-3, -3.090_232_306_167_813_5),
            (1e-7, -5.199_337_582_192_817),
            (1e-14, -7.650_628_092_935_27),
        ] {
            let found = normal_quantile(p);
            assert!((found - expected).abs() < 1e-13 * expected.abs().max(1.0), "{p} {found}");
        }
    }

    #[test]
    fn a_number_that_equals_several_quantiles_is_in_their_middle() {
        let quantiles = Quantiles::fit(&[0.0, 1.0, 1.0, 1.0, 2.0], 5, Distribution::Uniform);
        assert_eq!(quantiles.place(1.0), 0.5);
        assert_eq!(quantiles.place(0.5), 0.125);
        assert_eq!((quantiles.place(-9.0), quantiles.place(9.0)), (0.0, 1.0));
        assert!(quantiles.place(f64::NAN).is_nan());
    }

    #[test]
    fn quantiles_that_are_as_close_as_numbers_can_be_have_places() {
        let tiny = f64::from_bits(1);
        let quantiles = Quantiles::fit(&[0.0, tiny, 2.0 * tiny], 3, Distribution::Uniform);
        assert_eq!(quantiles.place(tiny), 0.5);
    }

    #[test]
    fn the_ends_of_a_normal_spread_are_finite() {
        let quantiles = Quantiles::fit(&[0.0, 1.0, 2.0], 3, Distribution::Normal);
        assert!((quantiles.place(-1.0) + 5.199_337_582_605_575).abs() < 1e-12);
        assert!((quantiles.place(3.0) - 5.199_337_582_703_42).abs() < 1e-12);
        assert_eq!(quantiles.place(1.0), 0.0);
    }
}
