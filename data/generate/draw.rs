//! Random draws from the stream of one row.
//!
//! Every row has a ChaCha stream of its own: the seed makes the key, the row's number the stream.
//! So any row can be made again without those before it, and a longer file starts with the
//! shorter one. Knows nothing of subscribers. Logarithms come from `libm`, because those of the
//! C library differ in the last bit from machine to machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Keeps these streams apart from any other use of the same seed.
const LABEL: &[u8; 24] = b"example data subscribers";

/// The draws of one row, in the order in which they are asked for.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of row `row` of the table of `seed`.
    pub(crate) fn of_row(seed: u64, row: u64) -> Draw {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(LABEL);
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(row);
        Draw(rng)
    }

    /// Uniform in [0, 1): 53 random bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// One of these, by weights that sum to 1.
    pub(crate) fn choose<T: Copy>(&mut self, weighted: &[(T, f64)]) -> T {
        let mut left = self.uniform();
        let mut chosen = weighted[0].0;
        for &(item, weight) in weighted {
            chosen = item;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }

    /// A waiting time: exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.uniform())
    }

    /// Standard normal, by Box and Muller's formula.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential(1.0)).sqrt();
        radius * libm::cos(core::f64::consts::TAU * self.uniform())
    }

    /// A count of independent events: Poisson, by waiting until `mean` is used up.
    pub(crate) fn count(&mut self, mean: f64) -> u32 {
        let mut left = mean - self.exponential(1.0);
        let mut events = 0;
        while left >= 0.0 {
            events += 1;
            left -= self.exponential(1.0);
        }
        events
    }
}
