//! Seeded random streams: one seed, a stream of its own for whoever draws.
//!
//! The algorithm is frozen: the same seed gives the same draws in every version. Streams are
//! PCG-XSL-RR with a 128-bit multiplicative congruential state; their states are derived from the
//! seed by the finalizer of SplitMix64.
//!
//! Sources: O'Neill 2014, "PCG: a family of simple fast space-efficient statistically good
//! algorithms for random number generation"; Steele, Lea and Flood 2014, "Fast splittable
//! pseudorandom number generators"; Lemire 2019, "Fast random integer generation in an interval".

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Who draws. A draw from one stream never shifts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum StreamKind {
    /// A process; the id is its pid.
    Process = 1,
    /// A task of a workload; the id is its number.
    Task = 2,
    /// The policy; the id is 0.
    Policy = 3,
    /// Fault injection; the id is 0.
    Faults = 4,
    /// A workload's generator; the id is its number.
    Workload = 5,
    /// A search through schedules; the id is the number of the run.
    Exploration = 6,
}

/// A stream of random numbers.
///
/// ```
/// use hothouse_kernel::{Stream, StreamKind};
/// let mut one = Stream::derive(42, StreamKind::Process, 1);
/// let mut same = Stream::derive(42, StreamKind::Process, 1);
/// let mut other = Stream::derive(42, StreamKind::Process, 2);
/// let draw = one.next_u64();
/// assert_eq!(draw, same.next_u64());
/// assert_ne!(draw, other.next_u64());
/// assert!(one.below(6) < 6);
/// ```
#[derive(Clone, Debug)]
pub struct Stream(Pcg64Mcg);

const _: () = assert!(size_of::<Stream>() == 16);

impl Stream {
    /// The stream of one drawer under a seed.
    pub fn derive(seed: u64, kind: StreamKind, id: u64) -> Stream {
        let low = mix(mix(mix(seed) ^ kind as u64) ^ id);
        let high = mix(low);
        Stream(Pcg64Mcg::new(u128::from(high) << 64 | u128::from(low)))
    }

    /// Any number, each equally likely.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, each exactly equally likely.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no number is below 0");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            // The 2^64 draws don't divide evenly by n: the few left over are drawn again.
            let leftover = n.wrapping_neg() % n;
            while (product as u64) < leftover {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A float from 0 (included) to 1 (not included), a multiple of 2^-53.
    #[inline]
    pub fn unit_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// One step of SplitMix64: the state advanced by the golden gamma, then the finalizer.
const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [StreamKind; 5] = [
        StreamKind::Process,
        StreamKind::Task,
        StreamKind::Policy,
        StreamKind::Faults,
        StreamKind::Workload,
    ];

    #[test]
    fn the_algorithm_is_frozen() {
        // The first output of SplitMix64 with seed 0, as its authors' code gives it.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        let draws: Vec<u64> = KINDS
            .iter()
            .map(|&kind| {
                let mut stream = Stream::derive(42, kind, 7);
                stream.next_u64();
                stream.next_u64()
            })
            .collect();
        let golden: [u64; 5] = [
            0x4895_38e5_5550_129f,
            0x1fcf_3e75_14ca_ec82,
            0xd10e_fca6_8654_55c2,
            0x835a_75a5_9baf_eebe,
            0x46c8_bfeb_1a4f_f5a5,
        ];
        assert_eq!(draws, golden);
        let mut stream = Stream::derive(u64::MAX, StreamKind::Process, u64::MAX);
        assert_eq!(stream.below(1_000_000), 525778);
        assert_eq!(stream.unit_f64().to_bits(), 0x3fd2_c22f_3b2f_7146);
        // So wide a range that many draws are refused.
        let golden: [u64; 3] =
            [0x6753_b3de_39f7_f5c5, 0x40bd_4593_c0f4_41da, 0x7b74_fd48_e46a_e9eb];
        let wide: Vec<u64> = (0..3).map(|_| stream.below((1 << 63) + 1)).collect();
        assert_eq!(wide, golden);
    }

    #[test]
    fn streams_are_apart() {
        let mut first: Vec<u64> = Vec::new();
        for seed in 0..4 {
            for kind in KINDS {
                first.extend((0..100).map(|id| Stream::derive(seed, kind, id).next_u64()));
            }
        }
        let count = first.len();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), count);
    }

    #[test]
    fn below_is_uniform() {
        let mut stream = Stream::derive(1, StreamKind::Policy, 0);
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[stream.below(6) as usize] += 1);
        // Five standard deviations of a binomial count.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 460), "{counts:?}");
    }

    proptest! {
        #[test]
        fn draws_are_in_range(seed: u64, n in 1..=u64::MAX) {
            let mut stream = Stream::derive(seed, StreamKind::Task, 0);
            for _ in 0..50 {
                prop_assert!(stream.below(n) < n);
                prop_assert!((0.0..1.0).contains(&stream.unit_f64()));
            }
        }
    }

    #[test]
    #[should_panic(expected = "no number is below 0")]
    fn nothing_is_below_zero() {
        Stream::derive(0, StreamKind::Task, 0).below(0);
    }
}
