//! One process on its way through the steps of its task.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use hothouse_abi::{Errno, Event, Span, Tick};
use hothouse_sys::Sys;

use super::{Draws, Runtime};
use crate::Dist;
use crate::plan::Op;

/// A step that is busy for a span of time looks at the clock this often.
const GLANCE: Span = Span::from_micros(100);

/// What a process could not do.
pub(super) struct Failed {
    process: String,
    /// Its phase, and the number of the step from 0.
    place: Option<(String, usize)>,
    what: &'static str,
    errno: Errno,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failed { process, place, what, errno } = self;
        write!(f, "{process}, ")?;
        if let Some((phase, step)) = place {
            write!(f, "phase \"{phase}\", step {}, ", step + 1)?;
        }
        write!(f, "{what}: {errno}")
    }
}

/// One process on its way through the steps of its task.
pub(super) struct Walk<'a> {
    pub(super) runtime: &'a Rc<Runtime>,
    pub(super) sys: &'a Sys<'a>,
    pub(super) task: usize,
    pub(super) instance: u64,
    pub(super) release: Tick,
    pub(super) timers: Vec<Option<Tick>>,
    /// The mutexes that it holds.
    pub(super) held: Vec<usize>,
    pub(super) draws: Option<Draws>,
    /// Whose turn it is to get a message, among the instances of each task.
    pub(super) turns: Vec<usize>,
    pub(super) request: Option<Event>,
    /// It takes its last step.
    pub(super) nothing_follows: bool,
}

impl Drop for Walk<'_> {
    /// A process that ends, by whatever means, holds nothing any more.
    fn drop(&mut self) {
        self.runtime.shared.borrow_mut().holding -= self.held.len();
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        runtime: &'a Rc<Runtime>,
        sys: &'a Sys<'a>,
        task: usize,
        instance: u64,
        release: Tick,
    ) -> Walk<'a> {
        let plan = &runtime.plan.tasks[task];
        Walk {
            runtime,
            sys,
            task,
            instance,
            release,
            timers: vec![None; plan.timers],
            held: Vec::new(),
            draws: plan.draws.then(|| (runtime.draws)(task, instance)),
            turns: Vec::new(),
            request: None,
            nothing_follows: false,
        }
    }

    pub(super) fn walk(mut self) -> Result<(), Failed> {
        let plan = &self.runtime.plan.tasks[self.task];
        if plan.gets_messages {
            self.arrive().map_err(|errno| self.failed(None, "register", errno))?;
        }
        if plan.begins_with_job {
            let deadline = self.deadline(self.release, plan.first_period);
            let begun = self.sys.begin_job(self.release, deadline);
            begun.map_err(|errno| self.failed(None, "begin_job", errno))?;
        }
        let mut round = 0;
        while plan.rounds.is_none_or(|rounds| round < rounds) {
            round += 1;
            for phase in 0..plan.phases.len() {
                let last = plan.rounds == Some(round) && phase + 1 == plan.phases.len();
                if self.phase(phase, last)? {
                    return Ok(());
                }
            }
        }
        for &mutex in &self.held {
            let task = &self.runtime.workload.tasks[self.task].name;
            let mutex = &self.runtime.plan.mutexes.0[mutex];
            self.runtime.warn(format!("task \"{task}\" ended with the mutex \"{mutex}\" locked"));
        }
        Ok(())
    }

    /// Takes the steps of a phase, which may be the last one. Returns whether the process is to end.
    fn phase(&mut self, index: usize, last: bool) -> Result<bool, Failed> {
        let phase = &self.runtime.plan.tasks[self.task].phases[index];
        if let Some(scheduling) = &phase.scheduling {
            let set = self.sys.sched_setattr(None, (**scheduling).clone());
            set.map_err(|errno| self.failed(Some((index, 0)), "sched_setattr", errno))?;
        }
        let mut round = 0;
        while round < phase.rounds {
            round += 1;
            for (step, &op) in phase.ops.iter().enumerate() {
                self.nothing_follows = last && round == phase.rounds && step + 1 == phase.ops.len();
                let taken = self.take(op);
                taken.map_err(|errno| {
                    let steps = &self.runtime.workload.tasks[self.task].phases[index].steps;
                    self.failed(Some((index, step)), steps[step].word(), errno)
                })?;
                if self.held.is_empty() && self.runtime.shared.borrow().closing {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn failed(&self, place: Option<(usize, usize)>, what: &'static str, errno: Errno) -> Failed {
        let phases = &self.runtime.workload.tasks[self.task].phases;
        let place = place.map(|(phase, step)| (phases[phase].name.clone(), step));
        let process = self.runtime.process_name(self.task, self.instance);
        Failed { process, place, what, errno }
    }

    fn take(&mut self, op: Op) -> Result<(), Errno> {
        let sys = self.sys;
        match op {
            Op::Run(span) => sys.compute(self.draw(span)),
            Op::Busy(span) => self.be_busy(span),
            Op::Sleep(span) => {
                let release = sys.now() + self.draw(span).into();
                self.next_job(release, None)
            }
            Op::Timer { timer, per_task, period, absolute } => {
                self.timer(timer, per_task, period, absolute)
            }
            Op::Lock(mutex) => self.lock(mutex),
            Op::Unlock(mutex) => self.unlock(mutex),
            Op::Wait { condition, mutex } => self.wait(condition, mutex),
            Op::Signal(condition) => sys.notify(self.condition(condition), false),
            Op::Broadcast(condition) => sys.notify(self.condition(condition), true),
            Op::Sync { condition, mutex } => {
                sys.notify(self.condition(condition), false)?;
                self.wait(condition, mutex)
            }
            Op::Barrier(barrier) => {
                let id = self.runtime.shared.borrow().barriers[barrier];
                sys.wait_barrier(id, None).map(drop)
            }
            Op::Suspend(name) => self.suspend(name),
            Op::Resume(name) => self.resume(name),
            Op::Yield => {
                sys.yield_now();
                Ok(())
            }
            Op::Fork(task) => self.fork(task),
            Op::Post(semaphore) => sys.release(self.semaphore(semaphore), 1),
            Op::Acquire(semaphore) => sys.acquire(self.semaphore(semaphore), None),
            Op::Send(task) => {
                let to = self.receiver(task)?;
                sys.send_event(to, "message", ())
            }
            Op::Receive(timeout) => self.receive(timeout),
            Op::Call(task) => {
                let to = self.receiver(task)?;
                sys.call(to, "request", (), None).map(drop)
            }
            Op::Reply => {
                let request = self.request.take().ok_or(Errno::EINVAL)?;
                sys.reply(&request, ())
            }
        }
    }

    pub(super) fn draw(&mut self, span: Dist) -> Duration {
        match (span, &mut self.draws) {
            (Dist::Const(span), _) => span.duration(),
            (span, Some(draws)) => span.sample(draws).duration(),
            (_, None) => Duration::ZERO,
        }
    }

    fn be_busy(&mut self, span: Dist) -> Result<(), Errno> {
        let end = self.sys.now() + self.draw(span).into();
        loop {
            let now = self.sys.now();
            if now >= end {
                return Ok(());
            }
            self.sys.compute((end - now).min(GLANCE).duration())?;
        }
    }

    /// The deadline of a job, where its process's own scheduling says none.
    pub(super) fn deadline(&self, release: Tick, period: Option<Span>) -> Option<Tick> {
        let declared = self.runtime.plan.tasks[self.task].has_deadline;
        period.filter(|_| !declared).map(|period| release + period)
    }

    fn timer(
        &mut self,
        timer: usize,
        per_task: bool,
        period: Span,
        absolute: bool,
    ) -> Result<(), Errno> {
        let now = self.sys.now();
        let (start, runtime) = (self.release, self.runtime);
        let mut shared = runtime.shared.borrow_mut();
        let point = if per_task { &mut self.timers[timer] } else { &mut shared.timers[timer] };
        let next = point.unwrap_or(start) + period;
        let next = if next < now && !absolute { now } else { next };
        *point = Some(next);
        drop(shared);
        self.next_job(next, Some(period))
    }

    /// Ends a job and begins the next one, whose release may be to come. After the last step there is
    /// no next one, only the time to pass.
    pub(super) fn next_job(&self, release: Tick, period: Option<Span>) -> Result<(), Errno> {
        if self.nothing_follows {
            let _ = self.sys.end_job();
            return self.sys.sleep_until(release);
        }
        self.sys.begin_job(release, self.deadline(release, period))
    }
}
