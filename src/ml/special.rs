//! Tail probabilities of the distributions that tests of fit need.
//!
//! Written out with `libm`, because the platform's functions differ between machines.

/// How many terms are added before giving up; far more than any argument here needs.
const MAX_TERMS: usize = 100_000;

/// The probability that a chi-square variable of so many degrees of freedom is above a value.
pub fn chi_square_tail(value: f64, degrees: f64) -> f64 {
    gamma_q(degrees / 2.0, value / 2.0)
}

/// The regularised upper incomplete gamma function Q(a, x), for a above 0 and x of at least 0:
/// by its series below a + 1, by Lentz's continued fraction above (Press et al., "Numerical
/// Recipes", 6.2). Good to about 13 digits.
pub fn gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let scale = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let mut term = 1.0 / a;
        let mut sum = term;
        for n in 1..MAX_TERMS {
            term *= x / (a + n as f64);
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return (1.0 - sum * scale).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / f64::MIN_POSITIVE;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in 1..MAX_TERMS {
        let n = n as f64;
        let step = -n * (n - a);
        b += 2.0;
        let off_zero = |value: f64| if value == 0.0 { f64::MIN_POSITIVE } else { value };
        d = 1.0 / off_zero(step * d + b);
        c = off_zero(b + step / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (fraction * scale).clamp(0.0, 1.0)
}

/// The probability that Kolmogorov's limit of the scaled statistic is above a value:
/// `2 Σ (-1)^(k-1) exp(-2 k² x²)`, and for small values the form that converges there.
pub fn kolmogorov_tail(x: f64) -> f64 {
    const TERMS: i32 = 40;
    if x <= 0.0 {
        return 1.0;
    }
    if x < 0.82 {
        let pi = std::f64::consts::PI;
        let term = |k: i32| {
            let odd = f64::from(2 * k - 1);
            libm::exp(-odd * odd * pi * pi / (8.0 * x * x))
        };
        let below: f64 = (1..=TERMS).map(term).sum::<f64>() * (2.0 * pi).sqrt() / x;
        return (1.0 - below).clamp(0.0, 1.0);
    }
    let term = |k: i32| {
        let sign = if k % 2 == 0 { -1.0 } else { 1.0 };
        sign * libm::exp(-2.0 * f64::from(k * k) * x * x)
    };
    (2.0 * (1..=TERMS).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_scipy() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/profile.json")).unwrap();
        for case in golden["tails"].as_array().unwrap() {
            let number = |key: &str| case[key].as_f64().unwrap();
            let ours = match case["name"].as_str().unwrap() {
                "chi2" => chi_square_tail(number("x"), number("degrees")),
                _ => kolmogorov_tail(number("x")),
            };
            let error = (ours - number("tail")).abs();
            assert!(error < 1e-12, "{case}: {ours}");
        }
    }
}
