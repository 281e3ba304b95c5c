use std::time::Duration;

use hothouse_abi::{
    Disposition, Errno, MaskHow, Pid, Resume, Signal, SignalNumber, SignalSet, Trap,
};

use crate::{Action, Sys};

impl Sys<'_> {
    /// Signals a process. Returns at once, except that a signal to oneself that is not masked is
    /// delivered, and its handler run, before it returns, and that after `SIGKILL` the target is
    /// gone. Signal 0 only checks whether the target exists and may be signalled.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Pid, Signal, Sys};
    /// # fn demo(sys: &Sys, child: Pid) -> Result<(), Errno> {
    /// let alive = sys.kill(child, 0).is_ok();
    /// sys.kill(child, Signal::SIGTERM)?;
    /// assert_eq!(sys.kill(child, 99), Err(Errno::EINVAL));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process; `EPERM` for another user's process if the caller is not
    /// root, and for pid 0; `EINVAL` for a number outside 0..=31.
    #[inline]
    pub fn kill(&self, pid: Pid, signal: impl Into<SignalNumber>) -> Result<(), Errno> {
        call!(self, Trap::Kill { pid, signal: signal.into() }, Resume::Unit => ())
    }

    /// Changes what a signal does and returns the old action; with `None` it only tells it.
    ///
    /// The signal is masked while its handler runs. The handler may make any call, wait, exit, or
    /// change the action. A panic in it ends the process.
    ///
    /// ```
    /// # use hothouse_sys::{Action, Errno, Signal, Sys};
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let old = sys.sigaction(Signal::SIGTERM, Action::handler(|sys, _| sys.exit(0)))?;
    /// assert_eq!(old, Action::Default);
    /// sys.sigaction(Signal::SIGTERM, old)?;
    /// assert_eq!(sys.sigaction(Signal::SIGTERM, None)?, Action::Default);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` for `SIGKILL`, `SIGSTOP` and a number outside 1..=31; nothing is changed then.
    pub fn sigaction(
        &self,
        signal: impl Into<SignalNumber>,
        action: impl Into<Option<Action>>,
    ) -> Result<Action, Errno> {
        let number = signal.into();
        let action = action.into();
        let disposition = action.as_ref().map(Action::disposition);
        let Ok(Some(signal)) = number.check() else {
            return self.trap_sigaction(number, disposition).map(|old| Action::of(old, None));
        };
        // The kernel may deliver a signal that was pending before it answers: a new handler must
        // be there by then, and an old one may still be needed.
        let old = self.handlers.borrow().get(signal);
        let new = match &action {
            Some(Action::Handler(handler)) => Some(handler.clone()),
            _ => None,
        };
        if new.is_some() {
            self.handlers.borrow_mut().replace(signal, new.clone());
        }
        let answer = self.trap_sigaction(number, disposition);
        let unused = match answer {
            Ok(_) if action.is_some() && new.is_none() => old.as_ref().map(|old| (old, None)),
            Err(_) => new.as_ref().map(|new| (new, old.clone())),
            Ok(_) => None,
        };
        // What a handler that ran meanwhile has put there stays.
        if let Some((unused, restored)) = unused
            && self.handlers.borrow().get(signal).as_ref() == Some(unused)
        {
            self.handlers.borrow_mut().replace(signal, restored);
        }
        answer.map(|disposition| Action::of(disposition, old))
    }

    fn trap_sigaction(
        &self,
        signal: SignalNumber,
        disposition: Option<Disposition>,
    ) -> Result<Disposition, Errno> {
        call!(self, Trap::Sigaction { signal, disposition }, Resume::Disposition(old) => old)
    }

    /// Changes the caller's signal mask and returns the old one. `SIGKILL` and `SIGSTOP` are never
    /// masked. A signal that waited for the mask is delivered before it returns.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, MaskHow, SignalSet, Sys};
    /// # fn demo(sys: &Sys) {
    /// let old = sys.sigprocmask(MaskHow::Block, SignalSet::SIGTERM);
    /// sys.sigprocmask(MaskHow::Set, old);
    /// # }
    /// ```
    pub fn sigprocmask(&self, how: MaskHow, set: SignalSet) -> SignalSet {
        let trap = Trap::Sigprocmask { how, set };
        call!(self, trap, Resume::Signals(old) => old).unwrap_or_default()
    }

    /// The signals that wait for the caller's mask.
    pub fn sigpending(&self) -> SignalSet {
        call!(self, Trap::Sigpending, Resume::Signals(set) => set).unwrap_or_default()
    }

    /// Takes a pending signal of `set`, the one of the lowest number, or waits for one. Its action
    /// is not run. The signals of the set should be masked, or their actions run first.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `EINVAL` if the set has nothing to wait for; `EINTR` after an interrupting
    /// handler of another signal.
    pub fn sigwait(&self, set: SignalSet, timeout: Option<Duration>) -> Result<Signal, Errno> {
        let trap = Trap::Sigwait { set, timeout: timeout.map(Into::into) };
        call!(self, trap, Resume::Signal(signal) => signal)
    }
}
