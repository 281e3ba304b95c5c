use std::time::Duration;

use hothouse_abi::{Errno, Resume, Tick, TimerId, Trap};

use crate::Sys;

impl Sys<'_> {
    /// Lets others run. The caller stays ready.
    #[inline]
    pub fn yield_now(&self) {
        // A dying process can't let others run, and need not know.
        let _: Result<(), Errno> = call!(self, Trap::Yield, Resume::Unit => ());
    }

    /// The virtual time.
    #[inline]
    pub fn now(&self) -> Tick {
        call!(self, Trap::Now, Resume::Tick(now) => now).unwrap_or_default()
    }

    /// Waits for this long. Events that arrive meanwhile stay queued.
    ///
    /// # Errors
    ///
    /// `EINTR` after an interrupting handler.
    #[inline]
    pub fn sleep(&self, duration: Duration) -> Result<(), Errno> {
        call!(self, Trap::Sleep { span: duration.into() }, Resume::Unit => ())
    }

    /// Waits until this time; not at all if it has passed.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Span, Sys};
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let mut next = sys.now();
    /// for _ in 0..3 {
    ///     next += Span::from_millis(100);
    ///     sys.sleep_until(next)?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINTR` after an interrupting handler.
    #[inline]
    pub fn sleep_until(&self, tick: Tick) -> Result<(), Errno> {
        call!(self, Trap::SleepUntil { tick }, Resume::Unit => ())
    }

    /// Uses the CPU for this long, under the policy.
    ///
    /// # Errors
    ///
    /// `EINTR` if the process is dying.
    #[inline]
    pub fn compute(&self, duration: Duration) -> Result<(), Errno> {
        call!(self, Trap::Compute { span: duration.into() }, Resume::Unit => ())
    }

    /// Arms a timer: once this long has passed, the event `timer` with `{id}` arrives in the
    /// caller's mailbox, for [`next_event`](Sys::next_event).
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of timers for a process.
    #[inline]
    pub fn timer(&self, duration: Duration) -> Result<TimerId, Errno> {
        call!(self, Trap::Timer { span: duration.into() }, Resume::Timer(id) => id)
    }

    /// Arms an alarm: at this time, the event `alarm` with `{id}` arrives in the caller's mailbox,
    /// for [`next_event`](Sys::next_event); at once if it has passed.
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of timers for a process.
    pub fn alarm(&self, at: Tick) -> Result<TimerId, Errno> {
        call!(self, Trap::Alarm { at }, Resume::Timer(id) => id)
    }

    /// Cancels a timer or an alarm and returns the time that was left.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Sys};
    /// # use std::time::Duration;
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let id = sys.timer(Duration::from_secs(3))?;
    /// sys.sleep(Duration::from_secs(1))?;
    /// assert_eq!(sys.cancel(id), Ok(Duration::from_secs(2)));
    /// assert_eq!(sys.cancel(id), Err(Errno::EINVAL));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` for one that is another's, unknown, fired or cancelled.
    #[inline]
    pub fn cancel(&self, id: TimerId) -> Result<Duration, Errno> {
        call!(self, Trap::Cancel { id }, Resume::Span(left) => left.duration())
    }
}
