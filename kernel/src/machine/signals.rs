//! Signals: sending them, what they do, masks.

use hothouse_abi::{
    Action, Disposition, Errno, Event, ExitStatus, MaskHow, Name, Pid, Resume, Signal,
    SignalNumber, SignalSet, Span, Value,
};

use super::effect::Effect;
use super::enter::Entry;
use super::process::{Key, State};
use super::wait::On;
use super::{Machine, Outcome};
use crate::trace::What;

/// The signals that stop by default. A `SIGCONT` discards them, and they discard it.
const STOPS: SignalSet = SignalSet::SIGSTOP
    .union(SignalSet::SIGTSTP)
    .union(SignalSet::SIGTTIN)
    .union(SignalSet::SIGTTOU);

impl Machine {
    /// `kill`.
    pub(super) fn kill(&mut self, key: Key, pid: Pid, signal: SignalNumber) -> Outcome {
        match self.may_signal(key, pid, signal) {
            Err(errno) => Err::<(), _>(errno).into(),
            Ok((_, None)) => Outcome::Answer(Resume::Unit),
            Ok((target, Some(signal))) => {
                let by = self.table[key].pid();
                self.post(target, signal, by);
                if target != key {
                    self.kick(target);
                } else if self.table[key].state == State::Dead {
                    return Outcome::Exit;
                }
                // The caller finds its own signal before it goes on with the answer.
                Outcome::Answer(Resume::Unit)
            }
        }
    }

    fn may_signal(
        &self,
        key: Key,
        pid: Pid,
        signal: SignalNumber,
    ) -> Result<(Key, Option<Signal>), Errno> {
        let signal = signal.check()?;
        let target = self.target(key, pid)?;
        Ok((target, signal))
    }

    /// The process that `key` may act on under this pid.
    pub(super) fn target(&self, key: Key, pid: Pid) -> Result<Key, Errno> {
        if pid.is_kernel() {
            return Err(Errno::EPERM);
        }
        let target = self.table.find(pid).ok_or(Errno::ESRCH)?;
        let caller = &self.table[key];
        if !caller.is_root() && caller.user != self.table[target].user {
            return Err(Errno::EPERM);
        }
        Ok(target)
    }

    /// Sends a signal to a live process. Unless that is the one that runs, a [`Machine::kick`] is to
    /// follow.
    pub(super) fn post(&mut self, key: Key, signal: Signal, by: Pid) {
        self.counters.signals += 1;
        self.record(key, What::Signaled { signal, by });
        if signal == Signal::SIGKILL {
            self.condemn(key, ExitStatus::Signaled(signal));
            return;
        }
        let process = &mut self.table[key];
        if signal == Signal::SIGCONT {
            process.pending.remove(STOPS);
        } else if STOPS.has(signal) {
            process.pending.remove(SignalSet::SIGCONT);
        }
        // A signal that is held back may have another action by the time it is let in.
        let held = process.mask.has(signal) || process.awaits_signal(signal);
        if held || process.effect(signal) != Effect::Ignore {
            process.pending.insert(signal.into());
        }
        if signal == Signal::SIGCONT {
            self.resume_stopped(key);
        }
    }

    /// Acts on the pending signals of a process as far as that can be done from outside it.
    pub(super) fn kick(&mut self, key: Key) {
        let process = &self.table[key];
        // A stopped process finds its signals when it goes on.
        if process.stopped || process.state == State::Dead {
            return;
        }
        let waiting = process.state == State::Waiting;
        if waiting && process.pending.signals().any(|signal| process.awaits_signal(signal)) {
            self.suspend(key);
            return;
        }
        while let Some(signal) = self.deliverable(key) {
            let process = &mut self.table[key];
            let effect = process.effect(signal);
            if let Effect::Handler { .. } = effect {
                return self.kick_handler(key);
            }
            process.pending.remove(signal.into());
            match effect {
                Effect::Event => self.signal_event(key, signal),
                Effect::Stop => return self.stop(key),
                Effect::End => return self.end_by_signal(key, signal),
                Effect::Ignore | Effect::Handler { .. } => {}
            }
        }
    }

    /// A pending signal with a handler: a waiting process is made ready, a burst is broken off,
    /// any other finds it when it goes on.
    fn kick_handler(&mut self, key: Key) {
        match self.table[key].state {
            State::Waiting => self.suspend(key),
            State::Running(cpu) => self.break_burst(cpu),
            State::Ready | State::Dead => {}
        }
    }

    /// Queues the event `signal`, for which there is room.
    pub(super) fn signal_event(&mut self, key: Key, signal: Signal) {
        const SIGNAL: Name = Name::short("signal");
        let data = Value::map([("signal", Value::from(signal.number()))]);
        self.deliver_event(key, Event::kernel(SIGNAL, data));
    }

    /// Whether a process would notice a signal and live on.
    pub(crate) fn awaits(&self, key: Key, signal: Signal) -> bool {
        matches!(self.table[key].disposition(signal).action, Action::Event | Action::Handler)
    }

    /// Ends a process by a signal, after its exit hooks.
    fn end_by_signal(&mut self, key: Key, signal: Signal) {
        self.log_place(key, signal);
        if self.begin_exit(key, ExitStatus::Signaled(signal)) {
            return;
        }
        self.run_hooks(key);
    }

    /// The same for the process that is about to go on.
    pub(super) fn end_by_signal_here(&mut self, key: Key, signal: Signal) -> Entry {
        self.log_place(key, signal);
        if self.begin_exit(key, ExitStatus::Signaled(signal)) {
            return Entry::Left;
        }
        self.break_off(key);
        self.table[key].set_answer(Resume::Hooks);
        Entry::Run
    }

    /// QUIT and ABRT say where the process was.
    fn log_place(&mut self, key: Key, signal: Signal) {
        if !matches!(signal, Signal::SIGQUIT | Signal::SIGABRT) {
            return;
        }
        let process = &mut self.table[key];
        process.rare().tells_place = true;
        let place = match &process.wait {
            Some(wait) => format!("waiting for {} since {}", wait.on, wait.since),
            None if process.task.burst.is_some() => "in compute".to_owned(),
            None => "ready to run".to_owned(),
        };
        self.say(key, &format!("ended by {signal} while {place}"));
    }

    /// `sigaction`.
    pub(super) fn sigaction(
        &mut self,
        key: Key,
        signal: SignalNumber,
        disposition: Option<Disposition>,
    ) -> Result<Resume, Errno> {
        let signal = signal.check()?.ok_or(Errno::EINVAL)?;
        if !signal.is_catchable() {
            return Err(Errno::EINVAL);
        }
        let process = &mut self.table[key];
        let old = process.disposition(signal);
        if let Some(new) = disposition {
            process.set_disposition(signal, new);
            // POSIX: setting a pending signal to be ignored discards it.
            if process.effect(signal) == Effect::Ignore {
                process.pending.remove(signal.into());
            }
        }
        Ok(Resume::Disposition(old))
    }

    /// `sigprocmask`.
    pub(super) fn sigprocmask(&mut self, key: Key, how: MaskHow, set: SignalSet) -> Outcome {
        let process = &mut self.table[key];
        let old = process.mask;
        let new = match how {
            MaskHow::Block => old.union(set),
            MaskHow::Unblock => old.difference(set),
            MaskHow::Set => set,
        };
        process.mask = new.difference(SignalSet::UNMASKABLE);
        Outcome::Answer(Resume::Signals(old))
    }

    /// `sigpending`.
    pub(super) fn sigpending(&mut self, key: Key) -> Outcome {
        Outcome::Answer(Resume::Signals(self.table[key].pending))
    }

    /// `sigwait`.
    pub(super) fn sigwait(&mut self, key: Key, set: SignalSet, timeout: Option<Span>) -> Outcome {
        let set = set.difference(SignalSet::UNMASKABLE);
        if set.is_empty() {
            return Err::<(), _>(Errno::EINVAL).into();
        }
        let deadline = self.deadline(timeout);
        self.start_wait(key, deadline, || On::Signals(set));
        Outcome::Enter
    }

    /// Takes the lowest pending signal of a set.
    pub(super) fn take_pending(&mut self, key: Key, set: SignalSet) -> Option<Signal> {
        let process = &mut self.table[key];
        let signal = process.pending.intersection(set).lowest()?;
        process.pending.remove(signal.into());
        Some(signal)
    }

    /// A handler returned: the process goes on with what it lay over.
    pub(super) fn sigreturn(&mut self, key: Key) -> Outcome {
        if !self.table[key].go_back() {
            return Err::<(), _>(Errno::EINVAL).into();
        }
        self.record(key, What::HandlerEnded);
        Outcome::Enter
    }
}
