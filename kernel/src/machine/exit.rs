//! How a process ends, and who is told.

use hothouse_abi::{Errno, Event, EventKind, Exit, ExitStatus, Name, Pid, Resume, Span, Value};

use super::clock::Alarm;
use super::process::{Key, State};
use super::wait::On;
use super::{Machine, Outcome};
use crate::policy::Stop;
use crate::timers::Class;
use crate::trace::What;

const PROCESS_COMPLETE: Name = Name::short("process_complete");
const DOWN: Name = Name::short("down");

impl Machine {
    /// `exit`: hooks first, if there are any and they have not run.
    pub(super) fn exit(&mut self, key: Key, status: &mut ExitStatus) -> Outcome {
        let status = std::mem::replace(status, ExitStatus::Exited(Value::Nil));
        if self.begin_exit(key, status) {
            return Outcome::Exit;
        }
        // A handler may have asked for it, over a wait that no one must complete any more.
        self.break_off(key);
        Outcome::Answer(Resume::Hooks)
    }

    /// Starts to end a process. Returns whether it is dead already, having no hooks to run.
    pub(super) fn begin_exit(&mut self, key: Key, status: ExitStatus) -> bool {
        let process = &mut self.table[key];
        if let Some(first) = process.rare.as_mut().and_then(|rare| rare.exiting.take()) {
            self.condemn(key, first);
            return true;
        }
        if !process.rare_if(|rare| rare.has_hooks) {
            self.condemn(key, status);
            return true;
        }
        let over = self.now + self.limits.exit_time;
        let timer = self.timers.arm(over, Class::Timer, Alarm::Exit(key));
        self.due |= over <= self.now;
        let rare = self.table[key].rare();
        rare.exiting = Some(status);
        rare.exit_timer = Some(timer);
        false
    }

    /// Makes a process that is ending run its hooks, whatever it was doing.
    pub(super) fn run_hooks(&mut self, key: Key) {
        self.break_off(key);
        self.table[key].set_answer(Resume::Hooks);
        match self.table[key].state {
            State::Waiting => self.make_ready(key, crate::policy::Reason::Wakeup),
            State::Running(cpu) => self.break_burst(cpu),
            State::Ready | State::Dead => {}
        }
    }

    /// Takes from a process what it was doing or waiting for, and what it was going to get.
    pub(super) fn break_off(&mut self, key: Key) {
        self.drop_held(key);
        let process = &mut self.table[key];
        if process.has_answer() {
            process.drop_answer();
        }
        process.task.burst = None;
        let has_frames = process.rare_if(|rare| !rare.frames.is_empty());
        if process.wait.is_none() && !has_frames {
            return;
        }
        let wait = process.wait.take();
        let frames = process.rare.as_mut().map(|rare| std::mem::take(&mut rare.frames));
        let under = frames.into_iter().flatten().filter_map(|frame| frame.wait);
        for wait in wait.into_iter().chain(under) {
            self.disarm(&wait);
            if let On::Reply { token, .. } = wait.on {
                self.give_up(key, token);
            }
            self.leave_queue(&wait);
        }
    }

    /// The hooks of a process took too long.
    pub(super) fn exit_time_over(&mut self, key: Key) {
        let is_dead = self.table[key].state == State::Dead;
        let rare = self.table[key].rare();
        rare.exit_timer = None;
        if is_dead {
            return;
        }
        let status = rare.exiting.take().expect("invariant: the timer runs while it exits");
        self.say(key, "its exit hooks took too long and were broken off");
        self.condemn(key, status);
    }

    /// From here on a process is dead for every call of others. It is unwound before any other
    /// program code runs, and then buried.
    pub(crate) fn condemn(&mut self, key: Key, status: ExitStatus) {
        if self.table[key].state == State::Dead {
            return;
        }
        self.table[key].rare().status = Some(status);
        self.depart(key);
        self.victims.push_back(key);
    }

    /// Takes a process out of everything in which it takes part.
    fn depart(&mut self, key: Key) {
        match self.table[key].state {
            State::Running(_) => self.leave_cpu(key, Stop::Ended),
            State::Ready if self.is_queued(key) => self.dequeue(key),
            _ => {}
        }
        self.break_off(key);
        self.table[key].account(self.now);
        self.table.hide(key);
    }

    /// The program of a running process came to its end by itself.
    pub(crate) fn ended(&mut self, key: Key, status: ExitStatus) {
        if self.table[key].state == State::Dead {
            // It was told to unwind, and has done so sooner.
            self.victims.retain(|&victim| victim != key);
            return self.bury(key);
        }
        let status = self.final_status(key, status);
        self.depart(key);
        self.bury_as(key, status);
    }

    /// The status with which a process ends that was perhaps ending already.
    pub(super) fn final_status(&mut self, key: Key, status: ExitStatus) -> ExitStatus {
        let first = self.table[key].rare.as_mut().and_then(|rare| rare.exiting.take());
        match (first, status) {
            // Told again after the hooks, with the place.
            (Some(ExitStatus::Panicked(_)), again @ ExitStatus::Panicked(_)) => again,
            (Some(first), _) => first,
            (None, status) => status,
        }
    }

    /// Removes a dead process that was unwound, and tells those who are to know.
    pub(crate) fn bury(&mut self, key: Key) {
        let status = self.table[key].rare().status.take();
        self.bury_as(key, status.expect("invariant: the condemned have a status"));
    }

    fn bury_as(&mut self, key: Key, status: ExitStatus) {
        if self.table[key].rare.is_some() {
            self.free_names(key);
            self.drop_timers(key);
            self.drop_locks(key);
        }
        while let Some(child) = self.table[key].siblings.first_child.get() {
            self.table.orphan(child);
        }
        self.record(key, What::Exited { status: &status });
        let parent = self.table.parent(key);
        self.table.orphan(key);
        self.policy.forget(self.table[key].task.id);
        let process = &mut self.table[key];
        process.check_accounts(self.now);
        let mut rare = process.rare.take();
        let exit = Box::new(Exit {
            pid: process.pid(),
            name: std::mem::take(&mut process.name),
            status,
            place: rare.as_mut().and_then(|rare| rare.place.take()),
            cpu_time: process.cpu_time,
            ended_at: self.now,
        });
        self.tell_oracle(&exit);
        self.table.vacate(key);
        self.counters.ended += 1;
        self.drop_late(exit.pid);
        let Some(rare) = rare else { return self.tell_parent(parent, exit) };
        let pid = exit.pid;
        let told = (!rare.monitored_by.is_empty()).then(|| exit.clone());
        self.tell_parent(parent, exit);
        self.unread -= rare.records.len();
        self.forget_monitors(pid, &rare.monitors);
        if let Some(exit) = told {
            self.tell_monitors(&exit, &rare.monitored_by);
        }
        self.tell_watchers(pid, &rare.watchers);
    }

    /// Keeps the record of a child of the kernel for the report; that of pid 1 always.
    fn keep_record(&mut self, exit: Exit) {
        if self.records.len() < self.limits.records || exit.pid == Pid::new(1) {
            self.records.push(exit);
        }
    }

    fn tell_parent(&mut self, parent: Pid, exit: Box<Exit>) {
        let Some(parent) = self.table.find(parent) else { return self.keep_record(*exit) };
        let process = &self.table[parent];
        let waits = process.state == State::Waiting
            && !process.stopped
            && process.wait.as_ref().is_some_and(|wait| match wait.on {
                On::Child(pid) => pid.is_none_or(|pid| pid == exit.pid),
                _ => false,
            });
        if waits {
            self.complete(parent, Resume::Exit(exit));
            return;
        }
        self.unread += 1;
        let (child, notice) = (exit.pid, self.table[parent].notices.then(|| told(&exit)));
        self.table[parent].rare().records.push(exit);
        if let Some(data) = notice {
            self.record(parent, What::Noticed { child });
            self.deliver_event(parent, Event::kernel(PROCESS_COMPLETE, Value::map(data)));
        }
    }

    fn tell_monitors(&mut self, exit: &Exit, monitors: &std::collections::BTreeSet<Pid>) {
        for &monitor in monitors {
            let Some(monitor) = self.table.find(monitor) else { continue };
            self.table[monitor].rare().monitors.remove(&exit.pid);
            let mut data = told(exit);
            data.push(("status".into(), word(&exit.status).into()));
            self.deliver_event(monitor, Event::kernel(DOWN, Value::map(data)));
        }
    }

    fn forget_monitors(&mut self, pid: Pid, monitored: &std::collections::BTreeSet<Pid>) {
        for &target in monitored {
            if let Some(target) = self.table.find(target) {
                self.table[target].rare().monitored_by.remove(&pid);
            }
        }
    }

    /// Ends the waits that only the dead process could have ended.
    fn tell_watchers(&mut self, dead: Pid, watchers: &[Pid]) {
        for &watcher in watchers {
            let Some(watcher) = self.table.find(watcher) else { continue };
            let process = &self.table[watcher];
            if process.state != State::Waiting || process.stopped {
                continue;
            }
            let Some(wait) = &process.wait else { continue };
            let hopeless = match &wait.on {
                On::Sent(filter) => {
                    filter.sender == Some(dead)
                        && self.sender_is_gone(watcher, dead, wait.times_out())
                }
                On::Reply { peer, .. } => *peer == dead,
                _ => false,
            };
            if hopeless {
                self.complete(watcher, Resume::Error(Errno::ESRCH));
            }
        }
    }

    /// `wait`.
    pub(super) fn wait(
        &mut self,
        key: Key,
        pid: Option<Pid>,
        timeout: Option<Span>,
        answer: &mut Resume,
    ) -> Outcome {
        if let Some(exit) = self.take_record(key, pid) {
            answer.set(Resume::Exit(exit));
            return Outcome::Answered;
        }
        if !self.has_child(key, pid) {
            return Outcome::Answer(Resume::Error(Errno::ECHILD));
        }
        if timeout.is_some_and(Span::is_zero) {
            return Outcome::Answer(Resume::Error(Errno::ETIMEDOUT));
        }
        let deadline = self.deadline(timeout);
        self.start_wait(key, deadline, || On::Child(pid));
        Outcome::Wait
    }

    pub(super) fn has_child(&self, key: Key, pid: Option<Pid>) -> bool {
        let process = &self.table[key];
        let alive = match pid {
            Some(pid) => {
                let child = self.table.find(pid);
                child.is_some_and(|child| self.table[child].siblings.parent.get() == Some(key))
            }
            None => process.siblings.first_child.get().is_some(),
        };
        alive || process.rare_if(|rare| rare.records.has(pid))
    }

    /// Reads an exit record. The notice of the same exit, if it is still queued, goes with it.
    pub(super) fn take_record(&mut self, key: Key, pid: Option<Pid>) -> Option<Box<Exit>> {
        let process = &mut self.table[key];
        let exit = process.rare.as_mut()?.records.take(pid)?;
        self.unread -= 1;
        if process.notices {
            process.mailbox.take_where(|event| is_notice(event, exit.pid));
        }
        Some(exit)
    }

    /// The notice of a child's exit was delivered: its record goes.
    pub(super) fn drop_record(&mut self, key: Key, child: Pid) {
        let Some(rare) = &mut self.table[key].rare else { return };
        if rare.records.take(Some(child)).is_some() {
            self.unread -= 1;
        }
    }

    /// `notices`.
    pub(super) fn notices(&mut self, key: Key, on: bool) -> Outcome {
        self.table[key].notices = on;
        Outcome::Answer(Resume::Unit)
    }

    /// `at_exit`.
    pub(super) fn at_exit(&mut self, key: Key, hooks: bool) -> Outcome {
        self.table[key].set_hooks(hooks);
        Outcome::Answer(Resume::Unit)
    }

    /// `monitor`.
    pub(super) fn monitor(&mut self, key: Key, pid: Pid) -> Result<(), Errno> {
        let process = &self.table[key];
        let limit = self.limits.monitors_per_process;
        let is_new = !process.rare_if(|rare| rare.monitors.contains(&pid));
        let is_over = process.rare_if(|rare| rare.monitors.len() >= limit)
            || process.mailbox.len() >= self.limits.mailbox_events;
        if is_new && is_over {
            return Err(Errno::EAGAIN);
        }
        let Some(target) = self.table.find(pid) else {
            let data = [("id", Value::from(pid)), ("status", "unknown".into())];
            self.deliver_event(key, Event::kernel(DOWN, Value::map(data)));
            return Ok(());
        };
        let watcher = self.table[key].pid();
        self.table[key].rare().monitors.insert(pid);
        self.table[target].rare().monitored_by.insert(watcher);
        self.record(key, What::Monitored { pid });
        Ok(())
    }

    /// `demonitor`.
    pub(super) fn demonitor(&mut self, key: Key, pid: Pid) -> Outcome {
        let watcher = self.table[key].pid();
        self.table[key].rare().monitors.remove(&pid);
        if let Some(target) = self.table.find(pid) {
            self.table[target].rare().monitored_by.remove(&watcher);
        }
        Outcome::Answer(Resume::Unit)
    }
}

fn is_notice(event: &Event, child: Pid) -> bool {
    event.kind == EventKind::Kernel
        && event.name == PROCESS_COMPLETE
        && event.data.get("id").as_pid() == Some(child)
}

/// What a notice tells of an exit.
fn told(exit: &Exit) -> Vec<(Value, Value)> {
    let (key, value) = match &exit.status {
        ExitStatus::Exited(value) => ("value", value.clone()),
        ExitStatus::Failed(text) | ExitStatus::Panicked(text) => ("error", text.as_str().into()),
        ExitStatus::Signaled(signal) => ("signal", signal.number().into()),
    };
    vec![("id".into(), exit.pid.into()), (key.into(), value)]
}

fn word(status: &ExitStatus) -> &'static str {
    match status {
        ExitStatus::Exited(_) => "exited",
        ExitStatus::Failed(_) => "failed",
        ExitStatus::Panicked(_) => "panicked",
        ExitStatus::Signaled(_) => "signaled",
    }
}
