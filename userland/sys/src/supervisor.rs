use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use hothouse_abi::{Errno, Event, ExitStatus, Name, Pid, Program, Signal, Tick};

use crate::{Action, Deadline, Outcome, Sys, program};

/// When a supervised child is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Restart {
    /// However it ended.
    Always,
    /// When it failed, panicked, was signaled, or exited with a value that is no success.
    #[default]
    OnFailure,
    /// Never.
    Never,
}

/// One child of a [`Supervisor`].
pub struct Child {
    name: Name,
    start: Box<dyn Fn() -> Program>,
    restart: Restart,
}

impl Child {
    /// A child of this name that runs `main`, and is started again on failure.
    ///
    /// ```
    /// use hothouse_sys::{Child, Restart};
    /// let worker = Child::new("worker", |sys| sys.log("at work")).restart(Restart::Always);
    /// ```
    pub fn new<F, R>(name: impl Into<Name>, main: F) -> Child
    where
        F: Fn(&Sys) -> R + Clone + 'static,
        R: Outcome,
    {
        Child::from_programs(name, move || program(main.clone()))
    }

    /// A child of this name that runs a program which `start` makes anew for each start.
    pub fn from_programs(name: impl Into<Name>, start: impl Fn() -> Program + 'static) -> Child {
        Child { name: name.into(), start: Box::new(start), restart: Restart::default() }
    }

    /// Says when it is started again.
    #[must_use]
    pub fn restart(self, restart: Restart) -> Child {
        Child { restart, ..self }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({}, {:?})", self.name, self.restart)
    }
}

/// Starts children, starts them again when they fail, and gives up when that happens too often.
///
/// ```
/// use hothouse_sys::{Child, Supervisor, program};
/// use std::time::Duration;
///
/// let first = program(|sys| {
///     Supervisor::new()
///         .child(Child::new("store", |sys| sys.sleep(Duration::from_secs(60))))
///         .child(Child::new("web", |sys| sys.sleep(Duration::from_secs(60))))
///         .give_up_after(3, Duration::from_secs(5))
///         .grace(Duration::from_millis(500))
///         .run(sys)
/// });
/// ```
#[derive(Debug)]
#[must_use = "a supervisor does nothing before it runs"]
pub struct Supervisor {
    children: Vec<(Child, Option<Pid>)>,
    restarts: usize,
    within: Duration,
    grace: Duration,
    recent: VecDeque<Tick>,
}

/// Why a [`Supervisor`] gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// Children failed too often; this one failed last.
    TooManyRestarts(Name),
    /// This child could not be started.
    Spawn(Name, Errno),
    /// A call of the supervisor's own failed.
    Call(Errno),
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaveUp::TooManyRestarts(name) => write!(f, "too many restarts, {name} failed last"),
            GaveUp::Spawn(name, errno) => write!(f, "{name} could not be started: {errno}"),
            GaveUp::Call(errno) => errno.fmt(f),
        }
    }
}

impl std::error::Error for GaveUp {}

impl From<Errno> for GaveUp {
    fn from(errno: Errno) -> GaveUp {
        GaveUp::Call(errno)
    }
}

impl Default for Supervisor {
    fn default() -> Supervisor {
        Supervisor::new()
    }
}

impl Supervisor {
    /// A supervisor without children, that gives up at the fourth restart within five seconds and
    /// gives children one second to end.
    pub fn new() -> Supervisor {
        Supervisor {
            children: Vec::new(),
            restarts: 3,
            within: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            recent: VecDeque::new(),
        }
    }

    /// Adds a child. Children are started in this order and ended in the opposite one.
    pub fn child(mut self, child: Child) -> Supervisor {
        self.children.push((child, None));
        self
    }

    /// Allows this many restarts within a length of virtual time; one more makes it give up.
    pub fn give_up_after(self, restarts: usize, within: Duration) -> Supervisor {
        Supervisor { restarts, within, ..self }
    }

    /// How long a child may take to end after `SIGTERM`, before `SIGKILL` ends it. An interrupting
    /// handler of the supervisor's process cuts it short.
    pub fn grace(self, grace: Duration) -> Supervisor {
        Supervisor { grace, ..self }
    }

    /// Supervises until every child has ended for good, or `SIGTERM` arrives; then the children
    /// that are left are ended in order.
    ///
    /// It takes the events `process_complete` and `signal` of its process, so the process should
    /// have no other children. Notices are off when it returns.
    ///
    /// # Errors
    ///
    /// [`GaveUp`] if children fail too often, can't be started, or a call fails. The other children
    /// are ended first.
    pub fn run(mut self, sys: &Sys) -> Result<(), GaveUp> {
        sys.notices(true);
        let old = sys.sigaction(Signal::SIGTERM, Action::Event)?;
        let result = self.supervise(sys);
        self.shut_down(sys);
        sys.notices(false);
        sys.sigaction(Signal::SIGTERM, old)?;
        result
    }

    fn supervise(&mut self, sys: &Sys) -> Result<(), GaveUp> {
        for at in 0..self.children.len() {
            self.start(sys, at)?;
        }
        while self.children.iter().any(|(_, pid)| pid.is_some()) {
            let event = sys.filter_event(["process_complete", "signal"], None)?;
            if event.name == "signal" {
                if event.data.get("signal").as_int() == Some(Signal::SIGTERM.number().into()) {
                    return Ok(());
                }
                continue;
            }
            let Some(at) = self.take_ended(&event) else { continue };
            let restart = match self.children[at].0.restart {
                Restart::Always => true,
                Restart::OnFailure => has_failed(&event),
                Restart::Never => false,
            };
            if restart {
                if !self.may_restart(sys.now()) {
                    return Err(GaveUp::TooManyRestarts(self.children[at].0.name.clone()));
                }
                self.start(sys, at)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, sys: &Sys, at: usize) -> Result<(), GaveUp> {
        let (child, pid) = &mut self.children[at];
        let spawned = sys.spawn_program(&child.name, (child.start)());
        *pid = Some(spawned.map_err(|errno| GaveUp::Spawn(child.name.clone(), errno))?);
        Ok(())
    }

    /// Marks the child that the notice is about as ended, and returns its place.
    fn take_ended(&mut self, notice: &Event) -> Option<usize> {
        let pid = notice.data.get("id").as_pid()?;
        let at = self.children.iter().position(|(_, running)| *running == Some(pid))?;
        self.children[at].1 = None;
        Some(at)
    }

    /// Counts a restart; false if it is one too many.
    fn may_restart(&mut self, now: Tick) -> bool {
        let within = self.within.into();
        while self.recent.front().is_some_and(|&then| now - then > within) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.recent.len() <= self.restarts
    }

    /// Ends the children that run, the youngest first.
    fn shut_down(&mut self, sys: &Sys) {
        for at in (0..self.children.len()).rev() {
            let Some(pid) = self.children[at].1 else { continue };
            // A child that has ended already is told of by its notice below.
            let _ = sys.kill(pid, Signal::SIGTERM);
            let deadline = sys.deadline(self.grace);
            if !self.await_end(sys, at, deadline) {
                let _ = sys.kill(pid, Signal::SIGKILL);
                self.await_end(sys, at, deadline);
            }
        }
    }

    /// Waits for a child's notice; false if it has not come by `deadline`, or the wait failed.
    fn await_end(&mut self, sys: &Sys, at: usize, deadline: Deadline) -> bool {
        while self.children[at].1.is_some() {
            match sys.filter_event(["process_complete"], deadline.timeout(sys)) {
                Ok(notice) => drop(self.take_ended(&notice)),
                Err(_) => return false,
            }
        }
        true
    }
}

/// Whether the child that a notice is about failed.
fn has_failed(notice: &Event) -> bool {
    let data = &notice.data;
    !data.get("error").is_nil()
        || !data.get("signal").is_nil()
        || !ExitStatus::Exited(data.get("value").clone()).is_success()
}
