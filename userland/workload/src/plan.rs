//! A workload made ready to run: every name is a number, so that a step looks nothing up.

use std::rc::Rc;

use hothouse_abi::{Ceiling, Class, Name, Scheduling, Span};

use crate::{Dist, Step, Task, Workload};

/// All tasks, and what they share.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<TaskPlan>,
    pub(crate) mutexes: Names,
    /// Of each mutex, in the same order.
    pub(crate) ceilings: Vec<Ceiling>,
    pub(crate) conditions: Names,
    pub(crate) semaphores: Names,
    pub(crate) barriers: Names,
    /// How many processes each barrier waits for.
    pub(crate) parties: Vec<u64>,
    pub(crate) suspensions: Names,
    pub(crate) timers: Names,
    /// The names under which the instances of each task get messages.
    pub(crate) addresses: Vec<Vec<Name>>,
}

#[derive(Debug)]
pub(crate) struct TaskPlan {
    pub(crate) scheduling: Rc<Scheduling>,
    pub(crate) rounds: Option<u64>,
    pub(crate) phases: Vec<PhasePlan>,
    /// How many timers each of its processes has of its own.
    pub(crate) timers: usize,
    /// Whether it is a row of jobs, as it waits for time, and begins with one of them, not with a wait.
    pub(crate) begins_with_job: bool,
    /// Whether its jobs have deadlines by its own scheduling.
    pub(crate) has_deadline: bool,
    /// The period of its first timer.
    pub(crate) first_period: Option<Span>,
    /// Whether it draws random numbers.
    pub(crate) draws: bool,
    /// Whether messages are sent to it.
    pub(crate) gets_messages: bool,
}

#[derive(Debug)]
pub(crate) struct PhasePlan {
    pub(crate) rounds: u64,
    pub(crate) scheduling: Option<Rc<Scheduling>>,
    pub(crate) ops: Vec<Op>,
}

/// A [`Step`] with numbers for names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Run(Dist),
    Busy(Dist),
    Sleep(Dist),
    Timer { timer: usize, per_task: bool, period: Span, absolute: bool },
    Lock(usize),
    Unlock(usize),
    Wait { condition: usize, mutex: usize },
    Signal(usize),
    Broadcast(usize),
    Sync { condition: usize, mutex: usize },
    Barrier(usize),
    Suspend(usize),
    Resume(usize),
    Yield,
    Fork(usize),
    Post(usize),
    Acquire(usize),
    Send(usize),
    Receive(Option<Dist>),
    Call(usize),
    Reply,
}

/// Names by number, in order of their first use.
#[derive(Debug, Default)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl Names {
    fn number(&mut self, name: &str) -> usize {
        self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Plan {
    /// A name that no task has, in [`Step::Fork`], [`Step::Send`] or [`Step::Call`], is returned as
    /// the error.
    pub(crate) fn new(workload: &Workload) -> Result<Plan, String> {
        let mut plan = Plan::default();
        for task in &workload.tasks {
            let planned = plan.task(workload, task)?;
            plan.tasks.push(planned);
            plan.addresses.push(addresses(task));
        }
        plan.count_parties(workload);
        plan.raise_ceilings();
        let sent_to: Vec<usize> = plan.ops().filter_map(receiver).collect();
        for index in sent_to {
            plan.tasks[index].gets_messages = true;
        }
        Ok(plan)
    }

    fn task(&mut self, workload: &Workload, task: &Task) -> Result<TaskPlan, String> {
        let mut own_timers = Names::default();
        let period = implied_period(task);
        let with_period = |scheduling: &Scheduling| {
            let mut scheduling = scheduling.clone();
            if scheduling.class != Class::Deadline && scheduling.deadline.is_none() {
                scheduling.period = scheduling.period.or(period);
            }
            Rc::new(scheduling)
        };
        let mut phases = Vec::new();
        for phase in &task.phases {
            let ops = phase.steps.iter().map(|step| self.op(workload, &mut own_timers, step));
            phases.push(PhasePlan {
                rounds: phase.rounds,
                scheduling: phase.scheduling.as_ref().map(with_period),
                ops: ops.collect::<Result<_, _>>()?,
            });
        }
        let steps = || task.phases.iter().flat_map(|phase| &phase.steps);
        Ok(TaskPlan {
            scheduling: with_period(&task.scheduling),
            rounds: task.rounds,
            phases,
            timers: own_timers.len(),
            begins_with_job: steps().any(waits_for_time)
                && !steps().next().is_some_and(waits_for_time),
            has_deadline: task.scheduling.relative_deadline().is_some(),
            first_period: steps().find_map(timer_period),
            draws: steps().any(is_random),
            gets_messages: false,
        })
    }

    fn op(&mut self, workload: &Workload, own: &mut Names, step: &Step) -> Result<Op, String> {
        let task = |name: &String| {
            let place = workload.tasks.iter().position(|task| task.name == *name);
            place.ok_or_else(|| name.clone())
        };
        Ok(match step {
            Step::Run(span) => Op::Run(*span),
            Step::Busy(span) => Op::Busy(*span),
            Step::Sleep(span) => Op::Sleep(*span),
            Step::Timer { reference, per_task, period, absolute } => {
                let names = if *per_task { own } else { &mut self.timers };
                let timer = names.number(reference);
                Op::Timer { timer, per_task: *per_task, period: *period, absolute: *absolute }
            }
            Step::Lock(name) => Op::Lock(self.mutexes.number(name)),
            Step::Unlock(name) => Op::Unlock(self.mutexes.number(name)),
            Step::Wait { condition, mutex } => Op::Wait {
                condition: self.conditions.number(condition),
                mutex: self.mutexes.number(mutex),
            },
            Step::Signal(name) => Op::Signal(self.conditions.number(name)),
            Step::Broadcast(name) => Op::Broadcast(self.conditions.number(name)),
            Step::Sync { condition, mutex } => Op::Sync {
                condition: self.conditions.number(condition),
                mutex: self.mutexes.number(mutex),
            },
            Step::Barrier(name) => Op::Barrier(self.barriers.number(name)),
            Step::Suspend(name) => Op::Suspend(self.suspensions.number(name)),
            Step::Resume(name) => Op::Resume(self.suspensions.number(name)),
            Step::Yield => Op::Yield,
            Step::Fork(name) => Op::Fork(task(name)?),
            Step::Post(name) => Op::Post(self.semaphores.number(name)),
            Step::Acquire(name) => Op::Acquire(self.semaphores.number(name)),
            Step::Send(name) => Op::Send(task(name)?),
            Step::Receive(timeout) => Op::Receive(*timeout),
            Step::Call(name) => Op::Call(task(name)?),
            Step::Reply => Op::Reply,
        })
    }

    fn ops(&self) -> impl Iterator<Item = &Op> {
        self.tasks.iter().flat_map(|task| &task.phases).flat_map(|phase| &phase.ops)
    }

    /// A barrier waits for the instances of all tasks that name it.
    fn count_parties(&mut self, workload: &Workload) {
        let mut parties = vec![0; self.barriers.len()];
        for (barrier, parties) in parties.iter_mut().enumerate() {
            for (task, planned) in workload.tasks.iter().zip(&self.tasks) {
                let mut ops = planned.phases.iter().flat_map(|phase| &phase.ops);
                if ops.any(|op| matches!(op, Op::Barrier(other) if *other == barrier)) {
                    *parties += u64::from(task.instances);
                }
            }
        }
        self.parties = parties.into_iter().map(|parties| parties.max(1)).collect();
    }

    /// The ceiling of a mutex is how urgent the most urgent task is that names it.
    fn raise_ceilings(&mut self) {
        let mut users: Vec<Vec<Rc<Scheduling>>> = vec![Vec::new(); self.mutexes.len()];
        for task in &self.tasks {
            let mut current = task.scheduling.clone();
            for phase in &task.phases {
                current = phase.scheduling.clone().unwrap_or(current);
                for op in &phase.ops {
                    if let Op::Lock(mutex) | Op::Wait { mutex, .. } | Op::Sync { mutex, .. } = op {
                        users[*mutex].push(current.clone());
                    }
                }
            }
        }
        self.ceilings =
            users.iter().map(|users| Ceiling::of(users.iter().map(|user| &**user))).collect();
    }
}

/// The name of the process of an instance, from 1.
pub(crate) fn process_name(task: &Task, instance: u64) -> String {
    if task.instances == 1 && instance == 1 {
        task.name.clone()
    } else {
        format!("{}#{instance}", task.name)
    }
}

fn addresses(task: &Task) -> Vec<Name> {
    (1..=u64::from(task.instances)).map(|k| Name::from(process_name(task, k).as_str())).collect()
}

fn receiver(op: &Op) -> Option<usize> {
    match op {
        Op::Send(task) | Op::Call(task) => Some(*task),
        _ => None,
    }
}

fn waits_for_time(step: &Step) -> bool {
    matches!(step, Step::Sleep(_) | Step::Timer { .. } | Step::Suspend(_))
}

fn timer_period(step: &Step) -> Option<Span> {
    match step {
        Step::Timer { period, .. } => Some(*period),
        _ => None,
    }
}

/// The period of a task that does not say one, by its timers: if all have the same.
fn implied_period(task: &Task) -> Option<Span> {
    let mut periods = task.phases.iter().flat_map(|phase| &phase.steps).filter_map(timer_period);
    let first = periods.next()?;
    (!first.is_zero() && periods.all(|period| period == first)).then_some(first)
}

fn is_random(step: &Step) -> bool {
    match step {
        Step::Run(span) | Step::Busy(span) | Step::Sleep(span) | Step::Receive(Some(span)) => {
            !matches!(span, Dist::Const(_))
        }
        _ => false,
    }
}
