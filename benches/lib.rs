//! What the benchmarks share: the unit, the clock, resident memory.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use corosensei::{Coroutine, CoroutineResult};

/// Times `work`, which says how many operations it did.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the host's clock")]
pub fn time(work: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    let operations = work();
    nanos(start.elapsed()) / operations as f64
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// The median of several measurements.
///
/// # Panics
///
/// If `runs` is 0.
pub fn median(runs: usize, mut measure: impl FnMut() -> f64) -> f64 {
    let mut figures: Vec<f64> = (0..runs).map(|_| measure()).collect();
    figures.sort_by(f64::total_cmp);
    figures[runs / 2]
}

/// One suspend and resume of a bare coroutine: the unit of all figures, in nanoseconds.
pub fn bare_round_trip(count: u64) -> f64 {
    let mut coroutine = Coroutine::new(|yielder, mut input: u64| {
        loop {
            input = yielder.suspend(input.wrapping_mul(3));
        }
    });
    time(|| {
        let mut sum = 0_u64;
        for i in 0..count {
            let CoroutineResult::Yield(output) = coroutine.resume(i);
            sum = sum.wrapping_add(output);
        }
        std::hint::black_box(sum);
        count
    })
}

/// Resident memory of this process in bytes, as Linux tells it; 0 elsewhere.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    // Page tables are memory too, and grow with the number of stacks.
    (field("VmRSS:").unwrap_or(0) + field("VmPTE:").unwrap_or(0)) * 1024
}
