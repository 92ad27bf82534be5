//! What the service counts while it answers, whatever answers: what follows from the package is in
//! `counts`.
//!
//! A request adds to a few atomic numbers and takes no lock. All labels come from lists that are
//! known when the service starts, so that no client can make a series: what is on no list is
//! counted as `other`. How the numbers are written is in `exposition`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use warp::http::{Method, StatusCode};

/// What is counted where it is on no list.
pub(crate) const OTHER: &str = "other";

/// Where the numbers are.
pub(crate) const METRICS: &str = "/metrics";

/// The routes that are told apart.
const ROUTES: [&str; 16] = [
    "/predict",
    "/predict/batch",
    "/health",
    "/health/ready",
    "/health/live",
    METRICS,
    "/",
    "/openapi.json",
    "/drift",
    "/shadow",
    "/invocations",
    "/ping",
    "/version",
    "/v2",
    "/admin/reload",
    OTHER,
];

/// The methods that are told apart.
const METHODS: [&str; 5] = ["GET", "POST", "HEAD", "OPTIONS", OTHER];

/// The statuses that are told apart; the last stands for all others.
const STATUSES: [u16; 19] =
    [200, 422, 503, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 431, 500, 504, 505, 0];

/// The upper bounds of the buckets of durations, in microseconds.
pub(crate) const BOUNDS: [u64; 18] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The numbers of a service.
pub(crate) struct Metrics {
    /// By route, method and status.
    requests: Vec<AtomicU64>,
    /// By route.
    durations: Vec<Durations>,
    /// How many requests are worked on.
    pub(crate) in_flight: AtomicUsize,
    /// How many requests were not worked on because of too many others.
    pub(crate) shed: AtomicU64,
    /// How often another package took over, and how often one should have and could not.
    pub(crate) swaps: Swaps,
}

/// How the changes of what is served went.
#[derive(Default)]
pub(crate) struct Swaps {
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// How long requests took.
#[derive(Default)]
struct Durations {
    /// Per bucket, and those above the last bound.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// A request that is counted when its answer is known.
#[derive(Clone, Copy)]
pub(crate) struct Labels {
    route: usize,
    method: usize,
}

pub(crate) fn counters(n: usize) -> Vec<AtomicU64> {
    std::iter::repeat_with(AtomicU64::default).take(n).collect()
}

/// The place on a list, or that of `other`, which is the last.
pub(crate) fn place<T: PartialEq>(list: &[T], item: &T) -> usize {
    list.iter().position(|found| found == item).unwrap_or(list.len() - 1)
}

impl Labels {
    /// Of a path and a method.
    pub(crate) fn of(path: &str, method: &Method) -> Labels {
        let route = if path.starts_with("/v2/") { "/v2" } else { path };
        Labels { route: place(&ROUTES, &route), method: place(&METHODS, &method.as_str()) }
    }

    /// Of what is no request.
    pub(crate) fn none() -> Labels {
        Labels { route: ROUTES.len() - 1, method: METHODS.len() - 1 }
    }

    pub(crate) fn route(self) -> &'static str {
        ROUTES[self.route]
    }

    pub(crate) fn method(self) -> &'static str {
        METHODS[self.method]
    }
}

impl Metrics {
    /// The numbers of a service that has answered nothing yet.
    pub(crate) fn new() -> Metrics {
        Metrics {
            requests: counters(ROUTES.len() * METHODS.len() * STATUSES.len()),
            durations: ROUTES.iter().map(|_| Durations::default()).collect(),
            in_flight: AtomicUsize::new(0),
            shed: AtomicU64::new(0),
            swaps: Swaps::default(),
        }
    }

    /// Counts an answer, and how long it took if it was worked on.
    pub(crate) fn answered(&self, labels: Labels, status: StatusCode, took: Option<Duration>) {
        let status = place(&STATUSES, &status.as_u16());
        self.requests[index(labels.route, labels.method, status)].fetch_add(1, Ordering::Relaxed);
        let Some(took) = took else { return };
        let durations = &self.durations[labels.route];
        // No request takes five hundred years.
        let nanoseconds = took.as_nanos() as u64;
        let bucket = BOUNDS.iter().position(|bound| nanoseconds <= bound * 1000);
        let bucket = &durations.counts[bucket.unwrap_or(BOUNDS.len())];
        bucket.fetch_add(1, Ordering::Relaxed);
        durations.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Every answer that was given, with its route, method and status.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, &'static str, u16, u64)> {
        let all = self.requests.iter().enumerate().map(|(i, count)| {
            let (method, status) = (i / STATUSES.len() % METHODS.len(), i % STATUSES.len());
            let route = i / STATUSES.len() / METHODS.len();
            (ROUTES[route], METHODS[method], STATUSES[status], count.load(Ordering::Relaxed))
        });
        all.filter(|(.., count)| *count > 0)
    }

    /// Per route that was asked, how many requests took up to each bound, and the sum in seconds.
    pub(crate) fn durations(&self) -> impl Iterator<Item = (&'static str, Vec<u64>, f64)> {
        ROUTES.into_iter().zip(&self.durations).filter_map(|(route, durations)| {
            let sum = durations.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
            let mut below = 0;
            let counts = durations.counts.iter().map(|count| {
                below += count.load(Ordering::Relaxed);
                below
            });
            let counts: Vec<_> = counts.collect();
            (below > 0).then_some((route, counts, sum))
        })
    }
}

fn index(route: usize, method: usize, status: usize) -> usize {
    (route * METHODS.len() + method) * STATUSES.len() + status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_no_list_is_counted_as_other() {
        let metrics = Metrics::new();
        for path in ["/a", "/b", "/predict/", "/v2"] {
            let labels = Labels::of(path, &Method::from_bytes(b"BREW").unwrap());
            metrics.answered(labels, StatusCode::IM_A_TEAPOT, None);
        }
        metrics.answered(Labels::of("/v2/models/m", &Method::GET), StatusCode::OK, None);
        let counted: Vec<_> = metrics.requests().collect();
        let expected = [("/v2", "GET", 200, 1), ("/v2", OTHER, 0, 1), (OTHER, OTHER, 0, 3)];
        assert_eq!(counted, expected);
    }

    #[test]
    fn a_duration_is_in_the_bucket_whose_bound_it_reaches() {
        let metrics = Metrics::new();
        let labels = Labels::of("/predict", &Method::POST);
        for nanoseconds in [0, 25_000, 25_001, 10_000_000_001] {
            let took = Some(Duration::from_nanos(nanoseconds));
            metrics.answered(labels, StatusCode::OK, took);
        }
        let (route, below, sum) = metrics.durations().next().unwrap();
        assert_eq!((route, &below[..3], below[17], below[18]), ("/predict", &[2, 3, 3][..], 3, 4));
        assert!((sum - 10.000_050_002).abs() < 1e-12, "{sum}");
    }
}
