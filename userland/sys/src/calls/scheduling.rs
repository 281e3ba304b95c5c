use hothouse_abi::{Errno, Pid, Resume, Scheduling, Tick, Trap};

use crate::Sys;

impl Sys<'_> {
    /// How a process is scheduled, or the caller for `None`.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process.
    pub fn sched_getattr(&self, pid: impl Into<Option<Pid>>) -> Result<Scheduling, Errno> {
        call!(self, Trap::SchedGetattr { pid: pid.into() }, owned Resume::Scheduling(now) => *now)
    }

    /// Changes how a process is scheduled, or the caller for `None`. What of it counts is the
    /// policy's to say.
    ///
    /// ```
    /// # use hothouse_sys::{Class, Errno, Scheduling, Span, Sys};
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let wanted = Scheduling { slice: Some(Span::from_millis(1)), ..sys.sched_getattr(None)? };
    /// sys.sched_setattr(None, wanted)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` for a nice level outside -20..=19, a priority outside 1..=99, no tickets at all, a
    /// length of 0, a runtime over the deadline, a deadline over the period, the class
    /// [`Deadline`](hothouse_abi::Class::Deadline) without a runtime and a deadline, and no CPU that
    /// the machine has; `EPERM` for another user's process, and for a lower nice level below 0 or
    /// another class above the rest, if the caller is not root; `ESRCH` if there is no such process;
    /// `EBUSY` if the machine has an admission test and what is reserved does not fit.
    pub fn sched_setattr(
        &self,
        pid: impl Into<Option<Pid>>,
        scheduling: Scheduling,
    ) -> Result<(), Errno> {
        let trap = Trap::SchedSetattr { pid: pid.into(), scheduling: Box::new(scheduling) };
        call!(self, trap, Resume::Unit => ())
    }

    /// Begins a job: the one that the caller is in, if any, is done, and the call returns at the
    /// release of the next; at once if that has passed. The deadline of the job is the one that is
    /// named, or as long after the release as the caller's scheduling says.
    ///
    /// A process that never begins a job is one job, released when it was created and done when it
    /// ends.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Span, Sys};
    /// # use std::time::Duration;
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let mut release = sys.now();
    /// for _ in 0..3 {
    ///     sys.begin_job(release, None)?;
    ///     sys.compute(Duration::from_millis(2))?;
    ///     release += Span::from_millis(10);
    /// }
    /// sys.end_job()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINTR` after an interrupting handler.
    pub fn begin_job(&self, release: Tick, deadline: impl Into<Option<Tick>>) -> Result<(), Errno> {
        let trap = Trap::BeginJob { release, deadline: deadline.into() };
        call!(self, trap, Resume::Unit => ())
    }

    /// Ends the caller's job.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is in none.
    pub fn end_job(&self) -> Result<(), Errno> {
        call!(self, Trap::EndJob, Resume::Unit => ())
    }
}
