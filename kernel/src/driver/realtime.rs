//! Real time: the host's clock paces the virtual one.

use std::time::{Duration, Instant};

use hothouse_abi::Tick;

/// How long an interrupt may go unseen.
const NAP: Duration = Duration::from_millis(20);

/// Ties a point in virtual time to one on the host's clock.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
}

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "real-time mode is paced by the host's clock")]
    pub(super) fn new() -> Pace {
        Pace { start: Instant::now() }
    }

    /// Waits until the host's clock reaches a virtual time, or until `interrupted` says so.
    /// Returns the virtual time to go on at.
    #[expect(clippy::disallowed_methods, reason = "real-time mode waits for the host's clock")]
    pub(super) fn wait_until(&self, to: Tick, interrupted: impl Fn() -> bool) -> Tick {
        let target = Duration::from_nanos(to.nanos());
        loop {
            let elapsed = self.start.elapsed();
            if elapsed >= target {
                return to;
            }
            if interrupted() {
                return self.now().min(to);
            }
            std::thread::sleep((target - elapsed).min(NAP));
        }
    }

    /// The virtual time that the host's clock stands for.
    pub(super) fn now(&self) -> Tick {
        let elapsed = self.start.elapsed().as_nanos();
        Tick::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}
