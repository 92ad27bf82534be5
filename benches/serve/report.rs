//! Figures as tables.

use std::fmt::Write as _;

use crate::contender::Ask;

/// What one round of one server has given, in seconds and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// Processor time of the server per request.
    pub(crate) cpu: f64,
    /// Requests per second.
    pub(crate) per_second: Option<f64>,
    /// How long half of the answers took at most.
    pub(crate) half: Option<f64>,
    /// And ninety-nine of a hundred.
    pub(crate) most: Option<f64>,
    /// Memory after it.
    pub(crate) memory: Option<f64>,
    /// From the server's start until it was ready.
    pub(crate) start: Option<f64>,
}

/// The medians of every server that was asked this, the first one as the measure.
pub(crate) fn table<'a>(ask: Ask, rows: impl Iterator<Item = (&'a str, &'a [Round])>) -> String {
    let rows: Vec<_> = rows.filter(|(_, rounds)| !rounds.is_empty()).collect();
    let what = match ask {
        Ask::One => "one record",
        Ask::Refused => "one record that is refused",
        Ask::Thousand => "a thousand records in one body",
    };
    let mut text = format!("\n{what}\n");
    let head = ["server", "CPU us", "CPU", "req/s", "p50 ms", "p99 ms", "MB", "ready ms"];
    let _ = writeln!(
        text,
        "{:<10}{:>11}{:>9}{:>9}{:>9}{:>9}{:>8}{:>10}",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]
    );
    let first = rows.first().map_or(f64::NAN, |(_, rounds)| median(rounds, |r| Some(r.cpu)));
    for (name, rounds) in rows {
        let of = |value: fn(&Round) -> Option<f64>, scale: f64, digits: usize| {
            let median = scale * median(rounds, value);
            if median.is_nan() { "-".to_owned() } else { format!("{median:.digits$}") }
        };
        let ratio = median(rounds, |r| Some(r.cpu)) / first;
        let _ = writeln!(
            text,
            "{name:<10}{:>11}{:>8.2}x{:>9}{:>9}{:>9}{:>8}{:>10}",
            of(|r| Some(r.cpu), 1e6, 1),
            ratio,
            of(|r| r.per_second, 1.0, 0),
            of(|r| r.half, 1e3, 2),
            of(|r| r.most, 1e3, 2),
            of(|r| r.memory, 1e-6, 1),
            of(|r| r.start, 1e3, 1),
        );
    }
    text
}

/// The middle one, or the mean of the two; NaN of nothing.
fn median(rounds: &[Round], value: impl Fn(&Round) -> Option<f64>) -> f64 {
    let mut values: Vec<f64> = rounds.iter().filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}
