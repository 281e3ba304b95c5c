//! What there is to run: tasks of phases of steps, and the machine for them.

use hothouse_abi::{Scheduling, Span};

use crate::{Diagnostic, Dist, Place};

/// A set of tasks and the machine that they are meant for.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_workload::{Dist, Step, Task, Workload};
/// let half = Task::once("half", vec![Step::Run(Dist::Const(Span::from_millis(5)))]);
/// let workload = Workload { name: "one job".into(), tasks: vec![half], ..Workload::default() };
/// assert_eq!(workload.tasks[0].instances, 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// What it is called: the name of its file, unless it says otherwise.
    pub name: String,
    /// What it says of the machine.
    pub machine: MachineSettings,
    /// The mutexes that have a protocol of their own.
    pub mutexes: Vec<Mutex>,
    /// The semaphores that do not begin at zero.
    pub semaphores: Vec<Semaphore>,
    /// Its tasks, in the order in which they are written.
    pub tasks: Vec<Task>,
    /// What is odd about it, without being wrong.
    pub warnings: Vec<Diagnostic>,
}

/// What a workload says of the machine; `None`: nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachineSettings {
    /// How many CPUs.
    pub cpus: Option<u32>,
    /// The policy, as it is written on the command line, such as `rr:slice=10ms`.
    pub policy: Option<String>,
    /// Where the policy is written.
    pub policy_place: Place,
    /// What its random draws come from.
    pub seed: Option<u64>,
    /// How long it runs.
    pub duration: Option<Span>,
    /// CPU time for a switch from one process to another.
    pub switch_cost: Option<Span>,
    /// CPU time for a process that comes from another CPU.
    pub migration_cost: Option<Span>,
    /// CPU time for a call of the kernel.
    pub trap_cost: Option<Span>,
    /// Whether tasks whose reservation does not fit are refused.
    pub admission: bool,
    /// What mutexes that have no protocol of their own do against priority inversion.
    pub protocol: Protocol,
}

/// A mutex that has a protocol of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutex {
    /// Its name, as steps say it.
    pub name: String,
    /// What it does against priority inversion.
    pub protocol: Protocol,
}

/// A semaphore that does not begin at zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semaphore {
    /// Its name, as steps say it.
    pub name: String,
    /// How often it can be taken at first.
    pub value: u64,
}

/// What a lock does against priority inversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing.
    #[default]
    None,
    /// Its holder runs at the priority of its most urgent waiter.
    Inherit,
    /// Its holder runs at the priority of the most urgent task that uses it.
    Ceiling,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Protocol; 3] = [Protocol::None, Protocol::Inherit, Protocol::Ceiling];

    /// Its name, as files say it.
    ///
    /// ```
    /// assert_eq!(hothouse_workload::Protocol::Inherit.name(), "inherit");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::None => "none",
            Protocol::Inherit => "inherit",
            Protocol::Ceiling => "ceiling",
        }
    }
}

/// A program of phases, and how many processes run it from when on.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name, unique in the workload.
    pub name: String,
    /// How many processes run it; what [`Step::Fork`] starts comes on top.
    pub instances: u32,
    /// Whether it starts by [`Step::Fork`] alone.
    pub only_forked: bool,
    /// When the first instance starts, after boot.
    pub start: Dist,
    /// How long after an instance the next one starts; `None`: all start together.
    pub every: Option<Dist>,
    /// How it is scheduled at first.
    pub scheduling: Scheduling,
    /// How often it goes through its phases; `None`: for ever.
    pub rounds: Option<u64>,
    /// Its phases, in order.
    pub phases: Vec<Phase>,
    /// The program that it runs in place of phases.
    pub program: Option<Command>,
    /// Where its name is written.
    pub place: Place,
}

/// A program and its arguments: a built-in one, or a Lua file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The name of a built-in program, or the path of a Lua file, from the workload's folder.
    pub program: String,
    /// What it gets as arguments.
    pub args: Vec<String>,
}

impl Task {
    /// One process that starts at boot and takes these steps once.
    ///
    /// ```
    /// use hothouse_workload::{Step, Task};
    /// let polite = Task::once("polite", vec![Step::Yield]);
    /// assert_eq!(polite.phases[0].steps, [Step::Yield]);
    /// ```
    pub fn once(name: impl Into<String>, steps: Vec<Step>) -> Task {
        let name = name.into();
        let phase = Phase { name: name.clone(), rounds: 1, scheduling: None, steps };
        Task {
            name,
            instances: 1,
            only_forked: false,
            start: Dist::Const(Span::ZERO),
            every: None,
            scheduling: Scheduling::default(),
            rounds: Some(1),
            phases: vec![phase],
            program: None,
            place: Place::default(),
        }
    }
}

/// Steps that are taken together, some number of times.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name; two phases of a task may have the same.
    pub name: String,
    /// How often its steps are taken; [`u64::MAX`] for ever.
    pub rounds: u64,
    /// How the task is scheduled from here on, in full; `None`: as before.
    pub scheduling: Option<Scheduling>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// One thing that a task does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Uses so much CPU time.
    Run(Dist),
    /// Uses the CPU until so much time has passed, its preemptions included.
    Busy(Dist),
    /// Sleeps so long.
    Sleep(Dist),
    /// Sleeps until the next point of a grid, which begins at the start of the task that uses the
    /// timer first: each use moves the point on by the period, and waits for it if it is to come.
    Timer {
        /// Which timer.
        reference: String,
        /// Whether each process has a timer of its own under that name.
        per_task: bool,
        /// How far apart the points are.
        period: Span,
        /// Whether a point that is past leaves the grid where it is, so that the task catches up;
        /// if not, the grid begins anew at the time of the overrun.
        absolute: bool,
    },
    /// Takes a mutex.
    Lock(String),
    /// Gives a mutex back.
    Unlock(String),
    /// Waits for a condition, with this mutex given back meanwhile.
    Wait {
        /// The condition.
        condition: String,
        /// The mutex.
        mutex: String,
    },
    /// Wakes one that waits for a condition.
    Signal(String),
    /// Wakes all that wait for a condition.
    Broadcast(String),
    /// Wakes one that waits for a condition, then waits for it itself.
    Sync {
        /// The condition.
        condition: String,
        /// The mutex.
        mutex: String,
    },
    /// Waits until all instances of the tasks that name this barrier have come to it.
    Barrier(String),
    /// Waits until somebody resumes this name; usually it is the task's own.
    Suspend(String),
    /// Wakes all that are suspended under this name; has no memory.
    Resume(String),
    /// Lets others run.
    Yield,
    /// Starts one more process of a task.
    Fork(String),
    /// Adds one to a semaphore.
    Post(String),
    /// Takes one from a semaphore, waiting for it.
    Acquire(String),
    /// Sends a message to a task; to its instances in turn, if it has several.
    Send(String),
    /// Waits for a message or a request, at most so long.
    Receive(Option<Dist>),
    /// Sends a request to a task, as [`Step::Send`] does, and waits for the reply.
    Call(String),
    /// Replies to the request that was received last.
    Reply,
}

impl Step {
    /// The word for it, as native files say it.
    ///
    /// ```
    /// assert_eq!(hothouse_workload::Step::Lock("bus".into()).word(), "lock");
    /// ```
    pub const fn word(&self) -> &'static str {
        match self {
            Step::Run(_) => "run",
            Step::Busy(_) => "busy",
            Step::Sleep(_) => "sleep",
            Step::Timer { .. } => "period",
            Step::Lock(_) => "lock",
            Step::Unlock(_) => "unlock",
            Step::Wait { .. } => "wait",
            Step::Signal(_) => "signal",
            Step::Broadcast(_) => "broadcast",
            Step::Sync { .. } => "sync",
            Step::Barrier(_) => "barrier",
            Step::Suspend(_) => "suspend",
            Step::Resume(_) => "resume",
            Step::Yield => "yield",
            Step::Fork(_) => "fork",
            Step::Post(_) => "sem_post",
            Step::Acquire(_) => "sem_wait",
            Step::Send(_) => "send",
            Step::Receive(_) => "receive",
            Step::Call(_) => "call",
            Step::Reply => "reply",
        }
    }
}
