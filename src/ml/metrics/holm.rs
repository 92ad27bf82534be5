//! Holm's correction: what p-values are worth when many are looked at (Holm 1979, "A simple
//! sequentially rejective multiple test procedure").
//!
//! Among twenty comparisons of equal models one has p < 0.05. An adjusted p-value below 0.05 holds
//! although all others were made; the correction needs no independence.

/// The adjusted p-values, in the order of those given. A test that could not be made is `None` and
/// does not count.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> =
        p.iter().enumerate().filter_map(|(i, p)| p.map(|p| (p, i))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut adjusted = vec![None; p.len()];
    let mut least = 0.0_f64;
    for (rank, (p, i)) in order.iter().enumerate() {
        let tests = (order.len() - rank) as f64;
        least = least.max((p * tests).min(1.0));
        adjusted[*i] = Some(least);
    }
    adjusted
}
