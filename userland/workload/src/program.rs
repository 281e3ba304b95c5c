//! The tasks of a workload as programs, which make ordinary traps.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use hothouse_abi::{
    Errno, Event, Filter, LockId, LockKind, Name, Program, Protocol as LockProtocol, Span, Tick,
};
use hothouse_sys::{Sys, program};

use crate::plan::{Op, Plan, process_name};
use crate::{Command, Dist, Protocol, Workload};

/// A step that is busy for a span of time looks at the clock this often.
const GLANCE: Span = Span::from_micros(100);

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

/// What a process could not do.
struct Failed {
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
struct Walk<'a> {
    runtime: &'a Rc<Runtime>,
    sys: &'a Sys<'a>,
    task: usize,
    instance: u64,
    release: Tick,
    timers: Vec<Option<Tick>>,
    /// The mutexes that it holds.
    held: Vec<usize>,
    draws: Option<Draws>,
    /// Whose turn it is to get a message, among the instances of each task.
    turns: Vec<usize>,
    request: Option<Event>,
    /// It takes its last step.
    nothing_follows: bool,
}

impl Drop for Walk<'_> {
    /// A process that ends, by whatever means, holds nothing any more.
    fn drop(&mut self) {
        self.runtime.shared.borrow_mut().holding -= self.held.len();
    }
}

impl<'a> Walk<'a> {
    fn new(
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

    fn walk(mut self) -> Result<(), Failed> {
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

    fn draw(&mut self, span: Dist) -> Duration {
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
    fn deadline(&self, release: Tick, period: Option<Span>) -> Option<Tick> {
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
    fn next_job(&self, release: Tick, period: Option<Span>) -> Result<(), Errno> {
        if self.nothing_follows {
            let _ = self.sys.end_job();
            return self.sys.sleep_until(release);
        }
        self.sys.begin_job(release, self.deadline(release, period))
    }

    fn lock(&mut self, mutex: usize) -> Result<(), Errno> {
        self.sys.lock(self.mutex(mutex), None)?;
        self.hold(mutex);
        Ok(())
    }

    fn unlock(&mut self, mutex: usize) -> Result<(), Errno> {
        self.let_go(mutex);
        self.sys.unlock(self.mutex(mutex))
    }

    fn hold(&mut self, mutex: usize) {
        self.held.push(mutex);
        self.runtime.shared.borrow_mut().holding += 1;
    }

    fn let_go(&mut self, mutex: usize) {
        if let Some(place) = self.held.iter().rposition(|&held| held == mutex) {
            self.held.remove(place);
            self.runtime.shared.borrow_mut().holding -= 1;
        }
    }

    fn wait(&mut self, condition: usize, mutex: usize) -> Result<(), Errno> {
        self.let_go(mutex);
        self.sys.wait_condition(self.condition(condition), self.mutex(mutex), None)?;
        self.hold(mutex);
        Ok(())
    }

    /// Waits for a `resume` that comes after; it ends one job and begins the next.
    fn suspend(&mut self, name: usize) -> Result<(), Errno> {
        let (mutex, condition) = self.runtime.shared.borrow().suspensions[name];
        self.sys.lock(mutex, None)?;
        let _ = self.sys.end_job();
        self.sys.wait_condition(condition, mutex, None)?;
        self.sys.unlock(mutex)?;
        if self.nothing_follows {
            return Ok(());
        }
        let now = self.sys.now();
        self.sys.begin_job(now, self.deadline(now, None))
    }

    fn resume(&mut self, name: usize) -> Result<(), Errno> {
        let (mutex, condition) = self.runtime.shared.borrow().suspensions[name];
        self.sys.lock(mutex, None)?;
        self.sys.notify(condition, true)?;
        self.sys.unlock(mutex)
    }

    fn fork(&mut self, task: usize) -> Result<(), Errno> {
        let instance = self.runtime.next_instance(task);
        let name = self.runtime.process_name(task, instance);
        let program = self.runtime.program(task, instance, self.sys.now());
        self.sys.spawn_program(name, program).map(drop)
    }

    /// Takes the name under which this process gets messages, and tells those who wait for it.
    fn arrive(&mut self) -> Result<(), Errno> {
        self.sys.register(self.runtime.process_name(self.task, self.instance))?;
        let arrivals = self.runtime.shared.borrow().arrivals;
        let (mutex, condition) = arrivals.ok_or(Errno::EINVAL)?;
        self.sys.lock(mutex, None)?;
        self.sys.notify(condition, true)?;
        self.sys.unlock(mutex)
    }

    /// The instance of a task whose turn it is to get a message; waits until it is there.
    fn receiver(&mut self, task: usize) -> Result<hothouse_abi::Pid, Errno> {
        let addresses = &self.runtime.plan.addresses[task];
        if self.turns.len() <= task {
            self.turns.resize(task + 1, 0);
        }
        let turn = &mut self.turns[task];
        let address: &Name = addresses.get(*turn).ok_or(Errno::ESRCH)?;
        *turn = (*turn + 1) % addresses.len();
        if let Some(pid) = self.sys.lookup(address) {
            return Ok(pid);
        }
        let arrivals = self.runtime.shared.borrow().arrivals;
        let (mutex, condition) = arrivals.ok_or(Errno::EINVAL)?;
        self.sys.lock(mutex, None)?;
        let found = loop {
            if let Some(pid) = self.sys.lookup(address) {
                break pid;
            }
            self.sys.wait_condition(condition, mutex, None)?;
        };
        self.sys.unlock(mutex)?;
        Ok(found)
    }

    fn receive(&mut self, timeout: Option<Dist>) -> Result<(), Errno> {
        let timeout = timeout.map(|timeout| self.draw(timeout));
        match self.sys.receive_event(Filter::any(), timeout) {
            Ok(event) => {
                self.request = Some(event).filter(|event| event.token.is_some());
                Ok(())
            }
            Err(Errno::ETIMEDOUT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn mutex(&self, index: usize) -> LockId {
        self.runtime.shared.borrow().mutexes[index]
    }

    fn condition(&self, index: usize) -> LockId {
        self.runtime.shared.borrow().conditions[index]
    }

    fn semaphore(&self, index: usize) -> LockId {
        self.runtime.shared.borrow().semaphores[index]
    }
}
