//! The tasks of a workload as programs, which make ordinary traps.

mod locks;
mod messages;
mod walk;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use hothouse_abi::{Errno, Filter, LockId, LockKind, Program, Protocol as LockProtocol, Tick};
use hothouse_sys::{Sys, program};

use crate::plan::{Plan, process_name};
use crate::{Command, Protocol, Workload};
use walk::Walk;

/// Where the random numbers of one instance of a task come from.
pub type Draws = Box<dyn FnMut() -> u64>;

/// Finds the program that a task names.
type Resolve = dyn Fn(&Command) -> Option<Program>;

/// The tasks of a workload, ready to run as processes of one machine.
///
/// ```
/// use hothouse_workload::{Runtime, Step, Task, Workload};
/// let workload = Workload { tasks: vec![Task::once("a", vec![Step::Yield])], ..Workload::default() };
/// let runtime = Runtime::new(workload, |_, _| Box::new(|| 4), |_| None).unwrap();
/// assert_eq!(runtime.process_name(0, 1), "a");
/// ```
pub struct Runtime {
    workload: Workload,
    plan: Plan,
    draws: Box<dyn Fn(usize, u64) -> Draws>,
    resolve: Box<Resolve>,
    shared: RefCell<Shared>,
}

/// What the processes share.
#[derive(Debug, Default)]
struct Shared {
    mutexes: Vec<LockId>,
    conditions: Vec<LockId>,
    semaphores: Vec<LockId>,
    barriers: Vec<LockId>,
    /// A mutex and a condition for each name.
    suspensions: Vec<(LockId, LockId)>,
    /// Somebody can be reached who could not before.
    arrivals: Option<(LockId, LockId)>,
    timers: Vec<Option<Tick>>,
    instances: Vec<u64>,
    /// How many mutexes are held.
    holding: usize,
    /// Whether those end who hold no mutex.
    closing: bool,
    warnings: Vec<String>,
}

impl Runtime {
    /// Makes the tasks ready. `draws` gives the random numbers of an instance (from 1) of a task
    /// (from 0); `resolve` finds the program that a task names.
    ///
    /// # Errors
    ///
    /// The name that a step forks or sends to, if no task has it.
    pub fn new(
        workload: Workload,
        draws: impl Fn(usize, u64) -> Draws + 'static,
        resolve: impl Fn(&Command) -> Option<Program> + 'static,
    ) -> Result<Rc<Runtime>, String> {
        let plan = Plan::new(&workload)?;
        let shared = Shared {
            timers: vec![None; plan.timers.len()],
            instances: vec![0; workload.tasks.len()],
            ..Shared::default()
        };
        let (draws, resolve) = (Box::new(draws), Box::new(resolve));
        let shared = RefCell::new(shared);
        Ok(Rc::new(Runtime { workload, plan, draws, resolve, shared }))
    }

    /// The workload.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The program that makes the locks and then waits for ever, so that they stay. It is to run,
    /// alone, before all others.
    pub fn init(self: &Rc<Self>) -> Program {
        let runtime = self.clone();
        program(move |sys: &Sys| {
            runtime.make_locks(sys)?;
            let forever = Filter::name("never");
            sys.receive_event(forever, None).map(drop)
        })
    }

    fn make_locks(&self, sys: &Sys) -> Result<(), Errno> {
        let plan = &self.plan;
        let many = |count: usize, kind: &dyn Fn(usize) -> LockKind| {
            (0..count).map(|index| sys.create_lock(kind(index))).collect::<Result<Vec<_>, _>>()
        };
        let pair = || {
            let mutex = sys.create_lock(LockKind::Mutex(LockProtocol::None))?;
            Ok((mutex, sys.create_lock(LockKind::Condition)?))
        };
        let mutexes = many(plan.mutexes.len(), &|index| LockKind::Mutex(self.protocol(index)))?;
        let conditions = many(plan.conditions.len(), &|_| LockKind::Condition)?;
        let semaphores =
            many(plan.semaphores.len(), &|index| LockKind::Semaphore(self.value(index)))?;
        let barriers = many(plan.parties.len(), &|index| LockKind::Barrier(plan.parties[index]))?;
        let suspensions = (0..plan.suspensions.len()).map(|_| pair());
        let suspensions = suspensions.collect::<Result<_, Errno>>()?;
        let messages = plan.tasks.iter().any(|task| task.gets_messages);
        let arrivals = if messages { Some(pair()?) } else { None };
        let mut shared = self.shared.borrow_mut();
        (shared.mutexes, shared.conditions) = (mutexes, conditions);
        (shared.semaphores, shared.barriers) = (semaphores, barriers);
        (shared.suspensions, shared.arrivals) = (suspensions, arrivals);
        Ok(())
    }

    fn protocol(&self, mutex: usize) -> LockProtocol {
        let name = &self.plan.mutexes.0[mutex];
        let own = self.workload.mutexes.iter().find(|mutex| mutex.name == *name);
        match own.map_or(self.workload.machine.protocol, |mutex| mutex.protocol) {
            Protocol::None => LockProtocol::None,
            Protocol::Inherit => LockProtocol::Inherit,
            Protocol::Ceiling => LockProtocol::Ceiling(self.plan.ceilings[mutex]),
        }
    }

    /// How often a semaphore can be taken at first.
    fn value(&self, semaphore: usize) -> u64 {
        let name = &self.plan.semaphores.0[semaphore];
        let own = self.workload.semaphores.iter().find(|semaphore| semaphore.name == *name);
        own.map_or(0, |semaphore| semaphore.value)
    }

    /// The number of the next instance of a task, from 1.
    pub fn next_instance(&self, task: usize) -> u64 {
        let instance = &mut self.shared.borrow_mut().instances[task];
        *instance += 1;
        *instance
    }

    /// The name of the process of an instance: that of the task, with `#` and the number of the
    /// instance unless it is the only one.
    pub fn process_name(&self, task: usize, instance: u64) -> String {
        process_name(&self.workload.tasks[task], instance)
    }

    /// What an instance of a task runs, which is released at `release`.
    ///
    /// # Panics
    ///
    /// If the task names a program that `resolve` does not know.
    pub fn program(self: &Rc<Self>, task: usize, instance: u64, release: Tick) -> Program {
        let scheduling = self.plan.tasks[task].scheduling.clone();
        let named = self.workload.tasks[task].program.as_ref();
        let found = named.map(|command| {
            (self.resolve)(command).unwrap_or_else(|| panic!("no program {}", command.program))
        });
        let runtime = self.clone();
        let own =
            || program(move |sys: &Sys| Walk::new(&runtime, sys, task, instance, release).walk());
        found.unwrap_or_else(own).scheduled(scheduling)
    }

    /// How many mutexes are held by processes of tasks.
    pub fn holding(&self) -> usize {
        self.shared.borrow().holding
    }

    /// Lets every process end after its next step, unless it holds a mutex.
    pub fn close(&self) {
        self.shared.borrow_mut().closing = true;
    }

    /// What was odd about the run so far, each thing once.
    pub fn warnings(&self) -> Vec<String> {
        self.shared.borrow().warnings.clone()
    }

    fn warn(&self, warning: String) {
        let warnings = &mut self.shared.borrow_mut().warnings;
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("plan", &self.plan).field("shared", &self.shared).finish()
    }
}
