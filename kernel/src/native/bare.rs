use corosensei::{Coroutine, CoroutineResult};

/// Switches to a bare coroutine and back `count` times, with nothing of a kernel around it, and
/// returns a sum of what came through. It is what a switch costs on this host: the unit in which
/// benchmarks are told.
///
/// ```
/// assert_eq!(hothouse_kernel::bare_round_trips(4), 3 * (0 + 1 + 2 + 3));
/// ```
pub fn bare_round_trips(count: u64) -> u64 {
    let mut coroutine = Coroutine::new(|yielder, mut input: u64| {
        loop {
            input = yielder.suspend(input.wrapping_mul(3));
        }
    });
    let mut sum = 0_u64;
    for i in 0..count {
        let CoroutineResult::Yield(output) = coroutine.resume(i);
        sum = sum.wrapping_add(output);
    }
    sum
}
