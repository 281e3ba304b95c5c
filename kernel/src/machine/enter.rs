//! What a process that has a CPU does next, and how it comes to wait and to go on.

use hothouse_abi::{Errno, Resume, Signal, Tick};

use super::Machine;
use super::cpu::Phase;
use super::effect::Effect;
use super::process::{Key, Process, State};
use super::wait::{On, Wait};
use crate::machine::clock::Alarm;
use crate::policy::{CpuId, Reason, Stop};
use crate::timers::Class;
use crate::trace::What;

/// What became of a process that was to go on.
#[must_use]
#[derive(Debug)]
pub(super) enum Entry {
    /// It runs, with the answer in its record.
    Run,
    /// It waits, was stopped, is in a burst, or is dead.
    Left,
}

impl Machine {
    /// Decides what running process `key` does next: a signal comes before the CPU time it owes,
    /// that before its answer, and with no answer it waits.
    pub(super) fn enter(&mut self, key: Key) -> Entry {
        loop {
            if let Some(signal) = self.deliverable(key).filter(|_| !self.is_ending(key)) {
                match self.deliver(key, signal) {
                    Some(entry) => return entry,
                    None => continue,
                }
            }
            let process = &mut self.table[key];
            if !process.debt.is_zero() {
                let owed = std::mem::take(&mut process.debt);
                process.task.burst = Some(process.task.burst.unwrap_or_default() + owed);
            }
            if process.task.burst.is_some_and(|left| !left.is_zero()) {
                self.start_burst(key);
                return Entry::Left;
            }
            process.task.burst = None;
            if process.has_answer() {
                return Entry::Run;
            }
            if process.wait.is_none()
                && let Some(entry) = self.carry_out(key)
            {
                return entry;
            }
            match self.look_again(key) {
                Some(answer) => self.table[key].set_answer(answer),
                None => {
                    self.park(key);
                    return Entry::Left;
                }
            }
        }
    }

    /// The signal that comes next for a process, if it may get one now.
    #[inline]
    pub(super) fn deliverable(&self, key: Key) -> Option<Signal> {
        let process = &self.table[key];
        let open = process.pending.difference(process.mask);
        if open.is_empty() || process.is_exiting() {
            return None;
        }
        open.signals().find(|&signal| self.has_room_for(process, signal))
    }

    /// Whether what a signal does can be done now: a full mailbox or too many handlers over one
    /// another keep it pending.
    fn has_room_for(&self, process: &Process, signal: Signal) -> bool {
        match process.effect(signal) {
            Effect::Event => process.mailbox.len() < self.limits.mailbox_events,
            Effect::Handler { .. } => {
                process.rare_if(|rare| rare.frames.len()) < self.limits.nested_handlers
            }
            Effect::End | Effect::Stop | Effect::Ignore => true,
        }
    }

    /// Delivers a pending signal to a running process. `None`: nothing of it is left to see.
    fn deliver(&mut self, key: Key, signal: Signal) -> Option<Entry> {
        let process = &mut self.table[key];
        process.pending.remove(signal.into());
        match process.effect(signal) {
            Effect::Ignore => None,
            Effect::Event => {
                self.signal_event(key, signal);
                None
            }
            Effect::Handler { interrupt } => Some(self.start_handler(key, signal, interrupt)),
            Effect::Stop => {
                self.stop(key);
                Some(Entry::Left)
            }
            Effect::End => Some(self.end_by_signal_here(key, signal)),
        }
    }

    /// Lays a handler over what the process was doing.
    fn start_handler(&mut self, key: Key, signal: Signal, interrupt: bool) -> Entry {
        if interrupt {
            self.interrupt_suspended(key);
        }
        self.table[key].interrupt_for(signal);
        self.record(key, What::HandlerStarted { signal });
        Entry::Run
    }

    /// The answer to a suspended wait, if it has come to an end by now.
    pub(super) fn look_again(&mut self, key: Key) -> Option<Resume> {
        let process = &mut self.table[key];
        let wait = process.wait.as_ref().expect("invariant: no answer means a wait");
        let expired = wait.is_over(self.now);
        let found = match &wait.on {
            On::Sent(filter) => process.mailbox.take_sent(filter).map(Resume::Event),
            On::Next => process.mailbox.take_next().map(Resume::Event),
            On::Named { names, remote } => {
                process.mailbox.take_named(names, *remote).map(Resume::Event)
            }
            On::Sleep => expired.then_some(Resume::Unit),
            On::Child(pid) => {
                let pid = *pid;
                self.take_record(key, pid).map(Resume::Exit)
            }
            On::Signals(set) => {
                let set = *set;
                self.take_pending(key, set).map(Resume::Signal)
            }
            On::Reply { token, .. } => {
                let token = *token;
                self.take_reply(key, token).map(Resume::Event)
            }
            // Locks complete the wait themselves, suspended or not.
            On::Mutex(_) | On::Relock { .. } | On::Semaphore(_) => None,
            On::Condition { .. } | On::Barrier(_) => None,
        };
        if let Some(Resume::Event(event)) = &found {
            self.taken(key, event);
        }
        let found = found.or_else(|| self.hopeless(key).map(Resume::Error));
        if found.is_none() && expired {
            return self.expire(key);
        }
        if found.is_some() {
            self.table[key].wait = None;
        }
        found
    }

    /// Why a wait can never end, if it is so.
    fn hopeless(&self, key: Key) -> Option<Errno> {
        let process = &self.table[key];
        let wait = process.wait.as_ref()?;
        match &wait.on {
            On::Sent(filter) => {
                let sender = filter.sender?;
                self.sender_is_gone(key, sender, wait.times_out()).then_some(Errno::ESRCH)
            }
            On::Reply { peer, .. } => self.table.find(*peer).is_none().then_some(Errno::ESRCH),
            On::Child(pid) => (!self.has_child(key, *pid)).then_some(Errno::ECHILD),
            _ => None,
        }
    }

    /// Ends a wait whose deadline has passed. `None`: it goes on, for the mutex of a condition.
    fn expire(&mut self, key: Key) -> Option<Resume> {
        let wait = self.table[key].wait.take().expect("invariant: only a wait expires");
        self.record(key, What::TimedOut);
        match wait.on {
            On::Sleep => Some(Resume::Unit),
            On::Reply { token, .. } => {
                self.give_up(key, token);
                Some(Resume::Error(Errno::ETIMEDOUT))
            }
            On::Condition { mutex, .. } => {
                self.leave_queue(&wait);
                self.relock(key, mutex, wait.since, Errno::ETIMEDOUT)
            }
            _ => {
                self.leave_queue(&wait);
                Some(Resume::Error(Errno::ETIMEDOUT))
            }
        }
    }

    /// Breaks a wait off, as a handler with the flag `INTERRUPT` does. That for the mutex of a
    /// condition goes on: without it the call can't return.
    fn interrupt(&mut self, key: Key) {
        let breaks = |wait: &mut Wait| !matches!(wait.on, On::Relock { .. });
        let Some(wait) = self.table[key].wait.take_if(breaks) else { return };
        self.disarm(&wait);
        let answer = match wait.on {
            On::Reply { token, .. } => {
                self.give_up(key, token);
                Some(Resume::Error(Errno::EINTR))
            }
            On::Condition { mutex, .. } => {
                self.leave_queue(&wait);
                self.relock(key, mutex, wait.since, Errno::EINTR)
            }
            _ => {
                self.leave_queue(&wait);
                Some(Resume::Error(Errno::EINTR))
            }
        };
        if let Some(answer) = answer {
            self.table[key].set_answer(answer);
        }
    }

    /// Makes running process `key` wait for what its record says.
    #[inline(never)]
    pub(super) fn park(&mut self, key: Key) {
        if let State::Running(cpu) = self.table[key].state {
            self.break_burst(cpu);
            self.park_code(key, cpu);
        }
    }

    /// The same, for a process whose code runs: no burst is under way.
    #[inline(always)]
    pub(super) fn park_code(&mut self, key: Key, cpu: CpuId) {
        self.arm_wait(key);
        if self.listener.is_some() {
            let on = self.table[key].wait.as_ref().map_or("", |wait| wait.on.word());
            self.record(key, What::Blocked { on });
        }
        self.leave_code(key, cpu, Stop::Blocked);
        let process = &mut self.table[key];
        process.account(self.now);
        process.state = State::Waiting;
    }

    /// Arms the timer of a wait that has a deadline.
    #[inline(always)]
    fn arm_wait(&mut self, key: Key) {
        let Some(wait) = &mut self.table[key].wait else { return };
        if wait.times_out() {
            let deadline = wait.deadline;
            let class = match wait.on {
                On::Sleep => Class::Timer,
                _ => Class::Timeout,
            };
            wait.timer = Some(self.timers.arm(deadline, class, Alarm::Wait(key)));
            self.due |= deadline <= self.now;
        }
    }

    /// Takes the timer of a wait away.
    pub(super) fn disarm(&mut self, wait: &Wait) {
        if let Some(timer) = wait.timer {
            self.timers.cancel(timer);
        }
    }

    /// Suspends the wait of a waiting process, which is then ready to run something else first.
    pub(super) fn suspend(&mut self, key: Key) {
        let wait = self.table[key].wait.as_mut().expect("invariant: the waiting have a wait");
        if let Some(timer) = wait.timer.take() {
            self.timers.cancel(timer);
        }
        self.make_ready(key, Reason::Wakeup);
    }

    /// Breaks off a suspended wait, unless what it waits for has come meanwhile.
    fn interrupt_suspended(&mut self, key: Key) {
        let process = &self.table[key];
        if process.wait.is_none() || process.has_answer() {
            return;
        }
        match self.look_again(key) {
            Some(answer) => self.table[key].set_answer(answer),
            None => self.interrupt(key),
        }
    }

    /// Ends the wait of a waiting process with this answer.
    pub(super) fn complete(&mut self, key: Key, answer: Resume) {
        self.table[key].set_answer(answer);
        self.end_wait(key);
    }

    /// Ends the wait of a waiting process that has its answer.
    #[inline(always)]
    pub(super) fn end_wait(&mut self, key: Key) {
        let process = &mut self.table[key];
        if let Some(wait) = &mut process.wait {
            if let Some(timer) = wait.timer {
                self.timers.cancel(timer);
            }
            if wait.owns_nothing() {
                std::mem::forget(process.wait.take());
            } else {
                process.wait = None;
            }
        }
        if process.state == State::Waiting {
            self.make_ready(key, Reason::Wakeup);
        }
    }

    /// The deadline of a waiting process has come.
    pub(super) fn wait_expired(&mut self, key: Key) {
        let process = &mut self.table[key];
        let wait = process.wait.as_mut().expect("invariant: an armed wait is there");
        wait.timer = None;
        // A stopped process finds out when it goes on.
        if process.stopped {
            return;
        }
        match self.expire(key) {
            Some(answer) => self.complete(key, answer),
            None => debug_assert!(self.table[key].wait.is_some(), "invariant: it waits on"),
        }
    }

    /// A wait that begins now. What it is for is made in the place where it stays.
    #[inline(always)]
    pub(super) fn start_wait(&mut self, key: Key, deadline: Tick, on: impl FnOnce() -> On) {
        let since = self.now;
        let place = &mut self.table[key].wait;
        if place.is_some() {
            *place = None;
        }
        place.get_or_insert_with(|| Wait { on: on(), since, deadline, timer: None });
    }

    /// Puts a process that can run where the policy will find it.
    #[inline(always)]
    pub(super) fn make_ready(&mut self, key: Key, reason: Reason) {
        let process = &mut self.table[key];
        process.account(self.now);
        process.state = State::Ready;
        if process.stopped {
            return;
        }
        self.record(key, What::Woken);
        self.enqueue(key, reason);
        self.preempt_for(key);
    }

    /// Stops a process: it keeps all it has, but is not scheduled.
    pub(super) fn stop(&mut self, key: Key) {
        let process = &mut self.table[key];
        if process.stopped {
            return;
        }
        process.account(self.now);
        process.stopped = true;
        self.record(key, What::Stopped);
        match self.table[key].state {
            State::Running(cpu) => {
                debug_assert!(self.cpus[cpu.0 as usize].phase != Phase::Idle);
                self.leave_cpu(key, Stop::Stopped);
                self.table[key].state = State::Ready;
            }
            State::Ready => self.dequeue(key),
            State::Waiting | State::Dead => {}
        }
    }

    /// Lets a stopped process go on: what happened meanwhile is looked at first.
    pub(super) fn resume_stopped(&mut self, key: Key) {
        let process = &mut self.table[key];
        if !process.stopped {
            return;
        }
        process.account(self.now);
        process.stopped = false;
        let state = process.state;
        self.record(key, What::Continued);
        match state {
            State::Waiting => self.suspend(key),
            State::Ready => self.make_ready(key, Reason::Continued),
            State::Running(_) | State::Dead => {}
        }
    }
}
