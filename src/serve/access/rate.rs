//! How often somebody may ask: a token bucket that is one number.
//!
//! The bucket holds as many tokens as the rate has requests, and is refilled evenly over its
//! period. What is kept of it is the instant at which it will be full again, as in the generic cell
//! rate algorithm (ITU-T I.371, annex A): a token moves that instant on by one interval, and there
//! is none when it would lie further ahead than a whole period. So a bucket needs no timer and no
//! lock, and one that nobody uses costs nothing. The time comes from outside, in nanoseconds.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most requests of a rate.
const MAX_COUNT: u32 = 1_000_000;

/// The periods of a rate, in seconds.
const PERIODS: [(&str, u32); 3] = [("s", 1), ("m", 60), ("h", 3600)];

/// So many requests in a period, all of which may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    /// In seconds.
    period: u32,
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `100/s`, `6000/m` or `20000/h`.
    fn from_str(text: &str) -> Result<Rate, String> {
        let read = || {
            let (count, unit) = text.split_once('/')?;
            let (_, period) = PERIODS.into_iter().find(|(name, _)| *name == unit)?;
            let is_plain = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
            let count = count.parse().ok().filter(|_| is_plain)?;
            (1..=MAX_COUNT).contains(&count).then_some(Rate { count, period })
        };
        read().ok_or_else(|| {
            format!("`{text}` is no rate: 1 to {MAX_COUNT} per second, minute or hour, as in 100/m")
        })
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = PERIODS.iter().find(|(_, period)| *period == self.period);
        write!(f, "{}/{}", self.count, unit.map_or("s", |(name, _)| name))
    }
}

/// What is left after a request, or why there was nothing for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// The rate that holds.
    pub(crate) rate: Rate,
    /// Whether there was a token.
    pub(crate) is_kept: bool,
    /// How many more requests there are tokens for now.
    pub(crate) left: u64,
    /// How long until there is a token for a request that had none, else until the bucket is full.
    pub(crate) wait: Duration,
}

impl Quota {
    /// The wait in whole seconds, never too few.
    pub(crate) fn seconds(self) -> u64 {
        let millis = self.wait.as_millis() as u64;
        millis.div_ceil(1000).max(u64::from(!self.is_kept))
    }

    /// The rate as `RateLimit-Policy` has it, by draft-ietf-httpapi-ratelimit-headers-10, which is
    /// an Internet-Draft and no RFC.
    pub(crate) fn policy(self) -> String {
        format!("\"default\";q={};w={}", self.rate.count, self.rate.period)
    }

    /// What is left as `RateLimit` has it, by the same draft.
    pub(crate) fn state(self) -> String {
        format!("\"default\";r={};t={}", self.left, self.seconds())
    }
}

impl Rate {
    /// The time between two tokens, in nanoseconds: at least a microsecond, by the largest rate.
    fn interval(self) -> u64 {
        u64::from(self.period) * 1_000_000_000 / u64::from(self.count)
    }

    /// Takes a token of a bucket that is full at an instant, if it has one by now; returns when it
    /// is full then.
    pub(crate) fn take(self, full_at: u64, now: u64) -> (u64, Quota) {
        let (interval, whole) = (self.interval(), self.interval() * u64::from(self.count));
        let then = full_at.max(now) + interval;
        let missing = then - now;
        let is_kept = missing <= whole;
        let (full_at, left, wait) = match is_kept {
            true => (then, (whole - missing) / interval, missing),
            false => (full_at, 0, missing - whole),
        };
        (full_at, Quota { rate: self, is_kept, left, wait: Duration::from_nanos(wait) })
    }
}

/// A bucket that many may take of at once.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes a token, if there is one.
    pub(crate) fn take(&self, rate: Rate, now: u64) -> Quota {
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let (then, quota) = rate.take(full_at, now);
            let order = Ordering::Relaxed;
            match self.full_at.compare_exchange_weak(full_at, then, order, order) {
                Ok(_) => return quota,
                // Another request took one meanwhile.
                Err(found) => full_at = found,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_rate_is_read_as_it_is_written_and_nothing_else_is() {
        for text in ["1/s", "100/m", "1000000/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "1", "0/s", "1000001/s", "-1/s", "+1/s", "1/d", "1.5/s", " 1/s", "1/s "] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(error.contains("1 to 1000000 per second"), "{error}");
        }
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_refilled_evenly() {
        let (bucket, rate) = (Bucket::default(), "4/s".parse().unwrap());
        let take = |now| bucket.take(rate, now);
        let start = 7 * SECOND;
        let left: Vec<_> = (0..4).map(|_| take(start).left).collect();
        assert_eq!(left, [3, 2, 1, 0]);
        let refused = take(start);
        assert!(!refused.is_kept);
        assert_eq!((refused.wait, refused.seconds()), (Duration::from_millis(250), 1));
        assert!(!take(start + SECOND / 4 - 1).is_kept, "a refusal costs nothing and gives nothing");
        assert!(take(start + SECOND / 4).is_kept);
        assert!(!take(start + SECOND / 4).is_kept);
        let rested = take(start + 100 * SECOND);
        assert_eq!((rested.left, rested.wait), (3, Duration::from_millis(250)), "never over full");
    }

    #[test]
    fn over_any_length_of_time_no_more_is_kept_than_the_rate_and_one_bucket() {
        let (bucket, rate) = (Bucket::default(), "10/m".parse().unwrap());
        let step = SECOND / 10;
        let kept = (0..36_000).filter(|i| bucket.take(rate, i * step).is_kept).count();
        assert!((600..=610).contains(&kept), "{kept} in an hour");
    }

    #[test]
    fn threads_share_a_bucket_without_a_token_too_many() {
        let (bucket, rate) = (Bucket::default(), "1000/h".parse().unwrap());
        let take = || (0..500).filter(|_| bucket.take(rate, SECOND).is_kept).count();
        let kept: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(kept, 1000);
    }

    #[test]
    fn what_is_left_is_told_in_the_words_of_the_draft() {
        let (_, quota) = "100/m".parse::<Rate>().unwrap().take(0, SECOND);
        assert_eq!(quota.policy(), "\"default\";q=100;w=60");
        assert_eq!(quota.state(), "\"default\";r=99;t=1");
    }
}
