//! Reserved bandwidth with deadlines: the class `SCHED_DEADLINE`, a constant bandwidth server for
//! each task.
//!
//! A task has reserved a runtime Q every period T, and a relative deadline D (a period, unless it
//! says).
//!
//! 1. The ready task whose server has the earliest deadline runs first, until it blocks or has used
//!    its budget.
//! 2. When a task becomes ready at time t and its server has passed its deadline d, or the budget q
//!    it has left is too much for the time until then (q / (d - t) > Q / T), the server gets the
//!    budget Q and the deadline t + D; else it keeps what it has.
//! 3. A task that has used its budget and needs more is throttled: it does not run until the next
//!    period of its server, at d - D + T; then the server gets the budget Q and the deadline d + T.
//! 4. A task that is in this class only by what it inherits through a mutex has no server: it runs
//!    by the deadline that it inherits, and is not throttled.
//!
//! Sources: Abeni and Buttazzo 1998, "Integrating multimedia applications in hard real-time
//! systems"; Linux's Documentation/scheduler/sched-deadline.

use std::collections::BTreeSet;

use hothouse_abi::{Class, Span, Tick};

use super::{CpuId, Ordered, Pick, Task, TaskId, cut};

/// The servers, and who is ready.
#[derive(Debug, Default)]
pub(super) struct Bandwidth {
    ready: Ordered<Tick>,
    /// The tasks that wait for their next period, by when that is.
    throttled: BTreeSet<(Tick, TaskId)>,
    servers: Vec<Option<Server>>,
}

#[derive(Clone, Debug)]
struct Server {
    task: Task,
    budget: Span,
    deadline: Tick,
    /// When its next period begins, while it is throttled.
    until: Option<Tick>,
}

impl Server {
    fn reserved(task: &Task) -> (Span, Span, Span) {
        let asked = &task.scheduling;
        let runtime = asked.runtime.expect("invariant: this class has a runtime");
        let deadline = asked.relative_deadline().expect("invariant: and a deadline");
        (runtime, deadline, asked.period.unwrap_or(deadline))
    }

    /// Rule 2.
    fn wake(&mut self, now: Tick) {
        let (runtime, deadline, period) = Server::reserved(&self.task);
        let time = u128::from(self.deadline.nanos().saturating_sub(now.nanos()));
        let (budget, runtime_nanos) =
            (u128::from(self.budget.nanos()), u128::from(runtime.nanos()));
        if time == 0 || budget * u128::from(period.nanos()) > runtime_nanos * time {
            self.budget = runtime;
            self.deadline = now + deadline;
        }
    }

    /// When the next period begins.
    fn next_period(&self) -> Tick {
        let (_, deadline, period) = Server::reserved(&self.task);
        let start = self.deadline.nanos().saturating_sub(deadline.nanos());
        Tick::from_nanos(start) + period
    }

    fn replenish(&mut self, now: Tick) {
        let (runtime, _, period) = Server::reserved(&self.task);
        self.budget = runtime;
        self.deadline += period;
        if self.deadline <= now {
            self.wake(now);
        }
    }
}

impl Bandwidth {
    fn server(&mut self, id: TaskId) -> &mut Option<Server> {
        let index = id.0 as usize;
        if index >= self.servers.len() {
            self.servers.resize(index + 1, None);
        }
        &mut self.servers[index]
    }

    /// Queues a task; `woke` tells that it was not ready until now.
    pub(super) fn enqueue(&mut self, task: &Task, woke: bool, now: Tick) {
        if task.scheduling.class != Class::Deadline {
            return self.ready.push(task.deadline.unwrap_or(Tick::MAX), task);
        }
        let new = Server { task: task.clone(), budget: Span::ZERO, deadline: now, until: None };
        let server = self.server(task.id).get_or_insert(new);
        server.task = task.clone();
        if woke {
            server.wake(now);
        }
        // One whose burst was served to the end may go on with its code.
        let needs_more = task.burst.is_some_and(|left| !left.is_zero());
        if server.budget.is_zero() && server.next_period() <= now {
            server.replenish(now);
        }
        if server.budget.is_zero() && needs_more {
            let until = server.next_period();
            server.until = Some(until);
            self.throttled.insert((until, task.id));
        } else {
            let deadline = server.deadline;
            self.ready.push(deadline, task);
        }
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        match self.server(id).as_mut().and_then(|server| server.until.take()) {
            Some(until) => {
                self.throttled.remove(&(until, id));
            }
            None => {
                self.ready.remove(id);
            }
        }
    }

    pub(super) fn pick(&mut self, cpu: CpuId) -> Option<Pick> {
        let (_, task) = self.ready.pop_for(cpu)?;
        Some(Pick { task, slice: self.reserved_for(task).map(|server| server.budget) })
    }

    /// The server that a running task uses.
    fn reserved_for(&self, id: TaskId) -> Option<&Server> {
        let server = self.servers.get(id.0 as usize)?.as_ref();
        server.filter(|server| server.task.scheduling.class == Class::Deadline)
    }

    pub(super) fn put_prev(&mut self, task: &Task, ran: Span) {
        if let Some(server) = self.server(task.id) {
            server.budget = Span::from_nanos(server.budget.nanos().saturating_sub(ran.nanos()));
        }
    }

    /// Whether a queued task waits for its next period.
    pub(super) fn is_throttled(&self, id: TaskId) -> bool {
        let server = self.servers.get(id.0 as usize).and_then(Option::as_ref);
        server.is_some_and(|server| server.until.is_some())
    }

    /// By which deadline a task runs here.
    pub(super) fn deadline(&self, task: &Task) -> Tick {
        let server =
            self.reserved_for(task.id).filter(|_| task.scheduling.class == Class::Deadline);
        server.map_or(task.deadline.unwrap_or(Tick::MAX), |server| server.deadline)
    }

    /// The earliest deadline of those that may use a CPU.
    pub(super) fn best_for(&self, cpu: CpuId) -> Option<Tick> {
        self.ready.first_for(cpu).map(|(deadline, _)| deadline)
    }

    /// Moves a queued task whose inherited deadline changed.
    pub(super) fn changed(&mut self, task: &Task) {
        if task.scheduling.class != Class::Deadline {
            self.ready.remove(task.id);
            self.ready.push(task.deadline.unwrap_or(Tick::MAX), task);
        }
    }

    /// When the next throttled task may run again.
    pub(super) fn next_timer(&self) -> Option<Tick> {
        self.throttled.first().map(|&(until, _)| until)
    }

    /// Lets those run again whose next period has begun. Returns them.
    pub(super) fn timer(&mut self, now: Tick) -> Vec<Task> {
        let mut released = Vec::new();
        while let Some(&(until, id)) = self.throttled.first()
            && until <= now
        {
            self.throttled.pop_first();
            let server =
                self.server(id).as_mut().expect("invariant: who is throttled has a server");
            server.until = None;
            server.replenish(now);
            let (deadline, task) = (server.deadline, server.task.clone());
            self.ready.push(deadline, &task);
            released.push(task);
        }
        released
    }

    pub(super) fn forget(&mut self, id: TaskId) {
        if let Some(server) = self.servers.get_mut(id.0 as usize) {
            *server = None;
        }
    }

    /// Gives back the memory for tasks with numbers from `tasks` on.
    pub(super) fn trim(&mut self, tasks: usize) {
        self.ready.trim(tasks);
        cut(&mut self.servers, tasks);
    }
}
