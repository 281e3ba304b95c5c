//! What the lifetime of processes consists of.

use std::ops::AddAssign;

use hothouse_abi::Span;

/// The parts of a lifetime; each is measured by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// CPU time.
    pub(super) cpu: Span,
    /// What switches and migrations took of the CPU's time for it.
    pub(super) overhead: Span,
    /// Ready, without a CPU.
    pub(super) ready: Span,
    pub(super) blocked: Span,
    pub(super) stopped: Span,
}

impl Times {
    /// How long it could have run.
    pub(super) fn runnable(&self) -> Span {
        self.cpu + self.overhead + self.ready
    }

    /// The accounting identity: run + ready + blocked + stopped = lifetime.
    ///
    /// # Panics
    ///
    /// If it does not hold for a process that lived for so long.
    pub(super) fn check(&self, process: &str, lifetime: Span) {
        let sum = self.runnable() + self.blocked + self.stopped;
        assert_eq!(
            sum, lifetime,
            "run + ready + blocked + stopped = lifetime of {process}: {self:?}"
        );
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Times) {
        self.cpu += other.cpu;
        self.overhead += other.overhead;
        self.ready += other.ready;
        self.blocked += other.blocked;
        self.stopped += other.stopped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_the_sum_of_its_parts() {
        let ms = Span::from_millis;
        let mut times = Times { cpu: ms(1), overhead: ms(2), ready: ms(4), ..Times::default() };
        times += Times { blocked: ms(8), stopped: ms(16), ..Times::default() };
        assert_eq!(times.runnable(), ms(7));
        times.check("p", ms(31));
        let wrong = std::panic::catch_unwind(|| times.check("p", ms(30)));
        assert!(wrong.is_err());
    }
}
