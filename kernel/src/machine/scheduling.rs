//! How processes ask to be scheduled, and their jobs.

use std::rc::Rc;

use hothouse_abi::{Class, Errno, Pid, Resume, Scheduling, Tick};

use super::process::{Key, Process, State};
use super::wait::On;
use super::{Machine, Outcome};
use crate::policy::{Reason, Stop, Task};
use crate::trace::What;

impl Machine {
    /// `sched_getattr`.
    pub(super) fn sched_getattr(&mut self, key: Key, pid: Option<Pid>) -> Result<Resume, Errno> {
        let target = self.subject(key, pid)?;
        let scheduling = Scheduling::clone(&self.table[target].task.scheduling);
        Ok(Resume::Scheduling(Box::new(scheduling)))
    }

    /// `sched_setattr`.
    pub(super) fn sched_setattr(
        &mut self,
        key: Key,
        pid: Option<Pid>,
        wanted: &Scheduling,
    ) -> Result<(), Errno> {
        let target = self.subject(key, pid)?;
        self.check_scheduling(wanted)?;
        let (caller, process) = (&self.table[key], &self.table[target]);
        let before = &process.task.scheduling;
        if !caller.is_root() && (caller.user != process.user || is_privileged(wanted, before)) {
            return Err(Errno::EPERM);
        }
        self.admit(Some(target), wanted)?;
        self.set_scheduling(target, Rc::new(wanted.clone()));
        Ok(())
    }

    fn subject(&self, key: Key, pid: Option<Pid>) -> Result<Key, Errno> {
        pid.map_or(Some(key), |pid| self.table.find(pid)).ok_or(Errno::ESRCH)
    }

    /// Whether this machine can schedule so at all.
    pub(super) fn check_scheduling(&self, wanted: &Scheduling) -> Result<(), Errno> {
        match wanted.problem(self.cpus.len() as u32) {
            None => Ok(()),
            Some(_) => Err(Errno::EINVAL),
        }
    }

    /// The admission test, if it is switched on: what is reserved, with `wanted` for `key`, is at
    /// most what the CPUs have.
    pub(super) fn admit(&self, key: Option<Key>, wanted: &Scheduling) -> Result<(), Errno> {
        let Some(own) = density(wanted).filter(|_| self.admission) else { return Ok(()) };
        let others = self.table.alive().filter(|&(other, _)| Some(other) != key);
        let others = others.filter_map(|(_, other)| density(&other.task.scheduling));
        let most = self.cpus.len() as u128 * DENSITY_OF_A_CPU;
        if others.sum::<u128>() + own <= most { Ok(()) } else { Err(Errno::EBUSY) }
    }

    /// Puts the classes above the policy when the first process of one comes: machines without any
    /// don't pay for them.
    pub(super) fn use_classes(&mut self, class: Class) {
        if class != Class::Normal && !self.has_classes {
            self.has_classes = true;
            self.policy.add_classes();
            self.preempts = self.policy.preempts();
        }
    }

    /// Changes how a process is scheduled; one that runs leaves its CPU if its class is another now,
    /// or if it may no longer use that CPU.
    fn set_scheduling(&mut self, key: Key, wanted: Rc<Scheduling>) {
        let queued = self.is_queued(key);
        let other_class = wanted.class != self.table[key].task.scheduling.class;
        if queued {
            self.policy.dequeue(&self.table[key].task, self.now);
        }
        self.use_classes(wanted.class);
        self.table[key].task.scheduling = wanted;
        let mut owners = Vec::new();
        if !self.update_urgency(key, false, &mut owners) {
            self.policy.changed(&self.table[key].task, false, self.now);
        }
        if queued {
            self.policy.enqueue(&self.table[key].task, Reason::Changed, self.now);
            self.preempt_for(key);
        }
        owners.into_iter().for_each(|owner| self.reprioritise(owner));
        self.reschedule(key);
        if let State::Running(cpu) = self.table[key].state
            && (other_class || !self.table[key].task.may_use(cpu))
        {
            self.leave_cpu(key, Stop::Changed);
            self.requeue(key, Reason::Changed);
            self.preempt_for(key);
        }
    }

    /// `begin_job`.
    pub(super) fn begin_job(&mut self, key: Key, release: Tick, deadline: Option<Tick>) -> Outcome {
        self.finish_job(key);
        let process = &mut self.table[key];
        let deadline = deadline.or_else(|| deadline_of(&process.task, release));
        let rare = process.rare();
        rare.deadline = deadline;
        rare.in_job = true;
        let deadline = deadline.unwrap_or(Tick::MAX);
        self.record(key, What::JobReleased { release, deadline });
        self.deadline_changed(key);
        if release > self.now {
            self.start_wait(key, release, || On::Sleep);
            return Outcome::Wait;
        }
        self.table[key].set_answer(Resume::Unit);
        self.reschedule(key);
        Outcome::Enter
    }

    /// `end_job`.
    pub(super) fn end_job(&mut self, key: Key) -> Result<(), Errno> {
        if !self.finish_job(key) {
            return Err(Errno::EINVAL);
        }
        self.deadline_changed(key);
        Ok(())
    }

    /// Tells all whom the deadline of a running process concerns; it keeps its CPU for now.
    fn deadline_changed(&mut self, key: Key) {
        let mut owners = Vec::new();
        self.update_urgency(key, false, &mut owners);
        owners.into_iter().for_each(|owner| self.reprioritise(owner));
    }

    fn finish_job(&mut self, key: Key) -> bool {
        let Some(rare) = &mut self.table[key].rare else { return false };
        if !std::mem::take(&mut rare.in_job) {
            return false;
        }
        rare.deadline = None;
        self.record(key, What::JobDone);
        true
    }

    /// A running process may have become less urgent than one that is queued.
    pub(super) fn reschedule(&mut self, key: Key) {
        if let State::Running(cpu) = self.table[key].state
            && self.ready > 0
            && self.policy.yields(&self.table[key].task, cpu, self.now)
        {
            self.preempt(cpu);
        }
    }
}

/// Densities are in units of 2^-40 of a CPU, rounded down: a full CPU is not too much.
const DENSITY_OF_A_CPU: u128 = 1 << 40;

/// Which part of a CPU a process has reserved, if it says: its runtime over its relative deadline,
/// or over its period if that is shorter.
fn density(scheduling: &Scheduling) -> Option<u128> {
    let runtime = scheduling.runtime?;
    let span = scheduling.relative_deadline()?;
    Some(u128::from(runtime.nanos()) * DENSITY_OF_A_CPU / u128::from(span.nanos()))
}

/// The deadline of a job that is released now and none is named for.
fn deadline_of(task: &Task, release: Tick) -> Option<Tick> {
    task.scheduling.relative_deadline().map(|span| release + span)
}

impl Process {
    /// Schedules a new process so, from `now` on.
    pub(super) fn adopt_scheduling(&mut self, scheduling: Rc<Scheduling>, now: Tick) {
        let task = &mut self.task;
        task.nice = scheduling.nice;
        task.class = scheduling.class;
        task.period = scheduling.period;
        task.scheduling = scheduling;
        task.deadline = deadline_of(task, now);
        if task.deadline.is_some() {
            self.rare().deadline = self.task.deadline;
        }
    }
}

/// Whether `wanted` takes more than anybody may have: a nice level below 0, or a class above the
/// rest, that is not there already.
pub(super) fn is_privileged(wanted: &Scheduling, before: &Scheduling) -> bool {
    let negative = wanted.nice < 0 && wanted.nice < before.nice;
    negative || (wanted.class != Class::Normal && wanted.class != before.class)
}
