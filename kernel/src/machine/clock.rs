//! The clock and what is due: who runs next, and when time moves on.

use hothouse_abi::{Errno, Resume, Tick, TimerId};

use super::inject::Action;
use super::process::Key;
use super::{After, Machine};
use crate::error::RunError;
use crate::policy::CpuId;
use crate::timers::Class;

/// What a timer of the machine stands for.
#[derive(Debug)]
pub(crate) enum Alarm {
    /// The deadline of a wait.
    Wait(Key),
    /// A timer or an alarm of a program.
    Timer { key: Key, id: TimerId, alarm: bool },
    /// The end of a burst or of a slice.
    Cpu(CpuId),
    /// The end of the time that exit hooks have.
    Exit(Key),
    /// Something from outside.
    Action(Box<Action>),
    /// What a fault holds back.
    Late(u64),
}

/// What a driver does next.
#[must_use]
#[derive(Debug)]
pub(crate) enum Next {
    /// Resumes a process with the answer in its record: see [`Machine::take_answer`].
    Run(Key),
    /// Unwinds the machine's victims and asks again.
    Unwind,
    /// Moves the clock on to this time with [`Machine::advance`], and asks again.
    Advance(Tick),
    /// The next thing to happen lies past the limit.
    Limit,
    /// Nothing will ever happen again.
    Stuck,
    /// The run cannot go on.
    Failed,
}

impl Machine {
    /// Who runs next, if nothing else is to be done first; [`Machine::next`] finds out what.
    #[inline(always)]
    pub(crate) fn next_at_once(&mut self) -> Option<Key> {
        if self.due || self.error.is_some() || !self.victims.is_empty() {
            return None;
        }
        self.counters.steps += 1;
        self.steps_here += 1;
        let next = if self.is_over_steps() { None } else { self.dispatch() };
        if next.is_none() && self.victims.is_empty() {
            // `next` will count the step.
            self.counters.steps -= 1;
            self.steps_here -= 1;
        }
        next
    }

    #[inline(always)]
    fn is_over_steps(&self) -> bool {
        self.steps_here > self.limits.steps_at_one_instant
            || self.counters.steps > self.limits.steps
    }

    /// Whether [`Machine::awakes_soon`] knows somebody.
    #[inline(always)]
    pub(crate) fn are_some_soon(&self) -> bool {
        self.timers.are_some_soon()
    }

    /// Somebody whose wait is going to time out soon, each once, as far as that is known at no cost.
    pub(crate) fn awakes_soon(&mut self) -> Option<Key> {
        while self.timers.are_some_soon() {
            if let Some(Alarm::Wait(key)) = self.timers.next_soon() {
                return Some(*key);
            }
        }
        None
    }

    /// Who runs next, or what else is to be done.
    #[inline(never)]
    pub(crate) fn next(&mut self, limit: Tick) -> Next {
        self.counters.steps += 1;
        self.steps_here += 1;
        if self.is_over_steps() {
            return self.too_many_steps();
        }
        let mut jumped = false;
        loop {
            if self.due {
                self.fire_due();
            }
            if self.error.is_some() {
                return Next::Failed;
            }
            if !self.victims.is_empty() {
                return Next::Unwind;
            }
            if let Some(key) = self.dispatch() {
                return Next::Run(key);
            }
            if !self.victims.is_empty() {
                return Next::Unwind;
            }
            if self.due {
                continue;
            }
            // Nothing else can run now: this is when timeouts may expire, one at a time.
            if let Some((_, alarm)) = self.timers.pop_due(self.now, Class::Timeout) {
                self.fire(alarm);
                continue;
            }
            match self.next_time(limit) {
                // Once: between two jumps the driver looks at the host's interrupt.
                Next::Advance(to) if self.jumps && !jumped && to > self.now => {
                    jumped = true;
                    self.advance(to);
                    self.counters.steps += 1;
                    self.steps_here += 1;
                    if self.is_over_steps() {
                        return self.too_many_steps();
                    }
                }
                next => return next,
            }
        }
    }

    /// Where the clock goes when nothing can run now.
    fn next_time(&mut self, limit: Tick) -> Next {
        let wanted = self.policy.next_timer().filter(|_| self.is_active());
        let in_time = wanted.filter(|&at| at <= limit);
        match self.timers.next_at(limit).into_iter().chain(in_time).min() {
            Some(at) => Next::Advance(at),
            None if self.timers.is_empty() && wanted.is_none() => Next::Stuck,
            None => Next::Limit,
        }
    }

    /// Puts the answer with which a process is resumed into its frame.
    #[inline(always)]
    pub(crate) fn give_answer(&mut self, key: Key, resume: &mut Resume) {
        let had_one = self.table[key].give_answer(resume);
        assert!(had_one, "invariant: who runs next has an answer");
    }

    /// The answer with which a process is resumed.
    #[inline]
    pub(crate) fn take_answer(&mut self, key: Key) -> Resume {
        self.table[key].take_answer().expect("invariant: who runs next has an answer")
    }

    /// Moves the clock on to a time that [`Machine::next`] named, or to a limit before it.
    pub(crate) fn advance(&mut self, to: Tick) {
        if to > self.now {
            self.now = to;
            self.steps_here = 0;
            self.cursor = 0;
        }
        self.due = true;
    }

    fn fire_due(&mut self) {
        while let Some((_, alarm)) = self.timers.pop_due(self.now, Class::Arrival) {
            self.fire(alarm);
        }
        self.due = false;
        if self.is_active() {
            self.policy_timer();
        }
    }

    fn fire(&mut self, alarm: Alarm) {
        match alarm {
            Alarm::Wait(key) => self.wait_expired(key),
            Alarm::Timer { key, id, alarm } => self.timer_fired(key, id, alarm),
            Alarm::Cpu(cpu) => self.burst_timer(cpu),
            Alarm::Exit(key) => self.exit_time_over(key),
            Alarm::Action(action) => self.act(*action),
            Alarm::Late(id) => self.came_late(id),
        }
    }

    fn too_many_steps(&mut self) -> Next {
        let at = self.now;
        let error = if self.counters.steps > self.limits.steps {
            RunError::Steps { limit: self.limits.steps, at }
        } else {
            self.livelock(None)
        };
        self.error.get_or_insert(error);
        Next::Failed
    }

    /// A process makes trap after trap and time stands still: the run ends, before this one.
    #[cold]
    pub(super) fn stop_livelock(&mut self, key: Key) -> After {
        let error = self.livelock(Some(key));
        self.error.get_or_insert(error);
        self.table[key].set_answer(Resume::Error(Errno::EAGAIN));
        After::Leave
    }

    /// A process made no call for longer than the watchdog allows: the run ends.
    pub(crate) fn unresponsive(&mut self, key: Key, place: String) {
        let process = &self.table[key];
        let (pid, name) = (process.pid(), process.name.to_string());
        self.error.get_or_insert(RunError::Unresponsive { pid, name, place });
    }

    /// Who runs while time stands still: `key`, or all who can.
    fn livelock(&self, key: Option<Key>) -> RunError {
        let pids = match key {
            Some(key) => vec![self.table[key].pid()],
            None => self.table.pids(),
        };
        let keys = pids.into_iter().filter_map(|pid| self.table.find(pid));
        let busy = keys.map(|key| &self.table[key]).filter(|p| p.wait.is_none() && !p.stopped);
        let names = busy.take(8).map(|process| format!("{} {}", process.pid(), process.name));
        RunError::Livelock {
            limit: self.limits.steps_at_one_instant,
            at: self.now,
            who: names.collect::<Vec<_>>().join(", "),
        }
    }
}
