//! Random draws that are the same on every platform and in every version.
//!
//! ChaCha8 gives the bits (`rand_chacha`, portable by its own promise); what becomes of them is
//! written out here, because other crates change their sampling between versions. Knows nothing of
//! what is drawn for; a seed comes from the stage and a label, so that a draw added in one place
//! changes no other.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random bits.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: [u8; 32]) -> Random {
        Random(ChaCha8Rng::from_seed(seed))
    }

    /// The stream of one of many equal uses of a seed, such as one tree of a forest.
    pub fn nth(seed: &[u8; 32], index: u64) -> Random {
        let mut hasher = blake3::Hasher::new_derive_key("pipeline 2026-11 indexed seed v1");
        hasher.update(seed);
        hasher.update(&index.to_le_bytes());
        Random::new(*hasher.finalize().as_bytes())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in [0, 1), one of 2^53 equally spaced and equally likely ones.
    pub fn uniform(&mut self) -> f64 {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.bits() >> 11) as f64 * UNIT
    }

    /// An integer in [0, n), every one equally likely (Lemire 2019, "Fast random integer
    /// generation in an interval"); 0 when n is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // Products below 2^64 mod n would favour some integers, and are drawn again.
        let unfair = if n == 0 { 0 } else { n.wrapping_neg() % n };
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// Draws `times` integers in [0, n), every one equally likely, two from each 64 random bits:
    /// for many draws of few values. None when n is 0.
    pub fn repeat_below(&mut self, n: u32, times: usize, mut each: impl FnMut(usize)) {
        if n == 0 {
            return;
        }
        let unfair = n.wrapping_neg() % n;
        let mut n_drawn = 0;
        while n_drawn < times {
            let bits = self.bits();
            for half in [bits as u32, (bits >> 32) as u32] {
                let product = u64::from(half) * u64::from(n);
                if product as u32 >= unfair && n_drawn < times {
                    each((product >> 32) as usize);
                    n_drawn += 1;
                }
            }
        }
    }

    /// Shuffles a list (Fisher-Yates); every order is equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.draw(items, items.len());
    }

    /// Moves `n` items, drawn without replacement, to the front of the list in the order drawn.
    pub fn draw<T>(&mut self, items: &mut [T], n: usize) {
        for i in 0..n.min(items.len()) {
            let j = i + self.below((items.len() - i) as u64) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_in_every_version() {
        let mut random = Random::new([7; 32]);
        let bits: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        let below: Vec<u64> = (0..8).map(|_| random.below(10)).collect();
        let mut items: Vec<u32> = (0..8).collect();
        random.shuffle(&mut items);
        let uniform = random.uniform();
        let golden = format!("{bits:x?} {below:?} {items:?} {uniform}");
        let expected = "[391ebc3f59cbd0e4, d4f5378bda8143e6, 4a74f9d90c0982d7] \
                        [3, 7, 1, 6, 5, 5, 9, 2] [5, 0, 7, 3, 1, 4, 6, 2] 0.062282046565814375";
        assert_eq!(golden, expected);
    }

    #[test]
    fn the_streams_of_one_seed_differ() {
        let first = |index| Random::nth(&[1; 32], index).bits();
        assert_ne!(first(0), first(1));
        assert_ne!(first(0), Random::new([1; 32]).bits());
    }

    #[test]
    fn integers_are_in_range_and_about_equally_frequent() {
        let mut random = Random::new([1; 32]);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn repeated_integers_are_in_range_as_many_as_asked_for_and_about_equally_frequent() {
        let mut random = Random::new([4; 32]);
        let mut counts = [0_u32; 7];
        random.repeat_below(7, 70_001, |i| counts[i] += 1);
        assert_eq!(counts.iter().sum::<u32>(), 70_001);
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        let mut first = Vec::new();
        Random::new([7; 32]).repeat_below(10, 5, |i| first.push(i));
        // The low half of 391ebc3f59cbd0e4 comes first: 0.35, then 0.22.
        assert_eq!(first[..2], [3, 2]);
        random.repeat_below(0, 3, |_| panic!("nothing can be drawn"));
    }

    #[test]
    fn uniform_numbers_are_in_range_and_centred() {
        let mut random = Random::new([2; 32]);
        let draws: Vec<f64> = (0..10_000).map(|_| random.uniform()).collect();
        assert!(draws.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((draws.iter().sum::<f64>() / 10_000.0 - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_draw_without_replacement_repeats_nothing() {
        let mut random = Random::new([3; 32]);
        let mut items: Vec<u32> = (0..100).collect();
        random.draw(&mut items, 20);
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        random.draw(&mut items, 1000);
    }
}
