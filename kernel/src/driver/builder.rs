//! How a kernel is made.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::bodies::{Bodies, Shared};
use super::kernel::{About, Interrupt, Kernel};
use crate::console::{Console, StdConsole};
use crate::error::RunError;
use crate::faults::Faults;
use crate::limits::{Costs, Limits};
use crate::machine::{Machine, Settings};
use crate::native::Arena;
use crate::oracle::{Exploration, Oracle};
use crate::policy::{Fifo, Policy};
use crate::trace::{Listener, Record, TraceHash};

/// Slots for stacks beyond the limit on processes, since a stack given up is not used again.
const SPARE_STACKS: usize = 1 << 16;

/// How long a native process may go without a call, by the host's clock.
const WATCHDOG: Duration = Duration::from_secs(10);

/// The settings of a kernel to be. See [`Kernel::builder`].
#[must_use]
pub struct Builder {
    policy: Box<dyn Policy>,
    cpus: u32,
    seed: u64,
    costs: Costs,
    limits: Limits,
    console: Box<dyn Console>,
    listeners: Vec<Box<dyn Listener>>,
    oracle: Option<(Box<dyn Oracle>, Exploration)>,
    faults: Faults,
    hash: bool,
    repeatable: bool,
    admission: bool,
    real_time: bool,
    interrupt: Interrupt,
    watchdog: Option<Duration>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            policy: Box::new(Fifo::new()),
            cpus: 1,
            seed: 0,
            costs: Costs::default(),
            limits: Limits::default(),
            console: Box::new(StdConsole),
            listeners: Vec::new(),
            oracle: None,
            faults: Faults::default(),
            hash: false,
            repeatable: false,
            admission: false,
            real_time: false,
            interrupt: Interrupt::default(),
            watchdog: Some(WATCHDOG),
        }
    }

    /// Who runs when: `fifo` by default. [`policy`](crate::policy::policy) makes one from text.
    pub fn policy(self, policy: Box<dyn Policy>) -> Builder {
        Builder { policy, ..self }
    }

    /// How many simulated CPUs: 1 by default, and at least 1.
    pub fn cpus(self, cpus: u32) -> Builder {
        Builder { cpus, ..self }
    }

    /// The seed of all random streams: 0 by default.
    pub fn seed(self, seed: u64) -> Builder {
        Builder { seed, ..self }
    }

    /// What traps, switches and migrations cost: nothing by default.
    pub fn costs(self, costs: Costs) -> Builder {
        Builder { costs, ..self }
    }

    /// The bounds of the machine.
    pub fn limits(self, limits: Limits) -> Builder {
        Builder { limits, ..self }
    }

    /// Where lines and messages go: standard output and error by default.
    pub fn console(self, console: impl Console + 'static) -> Builder {
        Builder { console: Box::new(console), ..self }
    }

    /// Gets every record of the trace. May be called more than once.
    pub fn listener(mut self, listener: impl Listener + 'static) -> Builder {
        self.listeners.push(Box::new(listener));
        self
    }

    /// What is to go wrong on purpose: nothing by default. Under an oracle a fault with a probability
    /// below 1 is a choice.
    ///
    /// ```
    /// use hothouse_kernel::Kernel;
    /// let faults = "drop:from=client,to=server,p=0.1; kill:process=server,at=40".parse()?;
    /// let kernel = Kernel::builder().seed(7).faults(faults).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn faults(self, faults: Faults) -> Builder {
        Builder { faults, ..self }
    }

    /// Lets an oracle decide what the run leaves open, instead of the policy. The costs of the
    /// machine should then be 0, so that no trap takes time.
    pub fn oracle(self, oracle: impl Oracle + 'static, how: Exploration) -> Builder {
        Builder { oracle: Some((Box::new(oracle), how)), ..self }
    }

    /// Whether the report has a hash of the trace. It costs time for every record.
    pub fn hash(self, hash: bool) -> Builder {
        Builder { hash, ..self }
    }

    /// Whether what may differ from run to run is an error to the program that does it.
    pub fn repeatable(self, repeatable: bool) -> Builder {
        Builder { repeatable, ..self }
    }

    /// Whether there is an admission test: a process whose runtime does not fit into what the CPUs
    /// have left of its relative deadline, beside all others that reserve any, is refused with
    /// `EBUSY`. On one CPU and under `edf` this is enough for that no deadline is missed; on several
    /// it is not.
    pub fn admission_test(self, admission: bool) -> Builder {
        Builder { admission, ..self }
    }

    /// Whether the machine waits for the host's clock instead of jumping to the next deadline.
    pub fn real_time(self, real_time: bool) -> Builder {
        Builder { real_time, ..self }
    }

    /// How the host breaks in, for instance from a signal handler.
    pub fn interrupt(self, interrupt: Interrupt) -> Builder {
        Builder { interrupt, ..self }
    }

    /// How long a native process may go without a call, by the host's clock: 10 seconds by default.
    /// One that takes longer is cut off, and ends with `Signaled(SIGXCPU)`; the run ends with
    /// [`RunError::Unresponsive`], which says where it was. `None`: as long as it likes.
    ///
    /// Only how long the host takes decides that, never virtual time.
    pub fn watchdog(self, limit: Option<Duration>) -> Builder {
        Builder { watchdog: limit, ..self }
    }

    /// Makes the kernel.
    ///
    /// # Errors
    ///
    /// [`RunError::Stacks`] if the host refuses the reservation for stacks.
    pub fn build(self) -> Result<Kernel, RunError> {
        let slots = self.limits.processes.saturating_add(SPARE_STACKS);
        let reserve = self.limits.spare_stacks;
        let arena = Arena::with_reserve(self.limits.stack_bytes, slots, reserve)
            .map_err(RunError::Stacks)?;
        let (machine, about) = self.machine();
        let shared = Shared::new(machine);
        let bodies = Bodies::new(arena, &shared);
        Ok(Kernel::new(shared, bodies, about))
    }

    /// The machine, and what the kernel keeps beside it.
    pub(super) fn machine(self) -> (Machine, About) {
        let hash = self.hash.then(|| Rc::new(RefCell::new(TraceHash::new())));
        let about = About {
            seed: self.seed,
            policy: self.policy.spec(),
            hash: hash.clone(),
            interrupt: self.interrupt,
            real_time: self.real_time,
            watchdog: self.watchdog,
        };
        let machine = Machine::new(Settings {
            policy: self.policy,
            cpus: self.cpus,
            seed: self.seed,
            costs: self.costs,
            limits: self.limits,
            console: self.console,
            listener: listener(self.listeners, hash),
            oracle: self.oracle,
            faults: self.faults,
            repeatable: self.repeatable,
            admission: self.admission,
        });
        (machine, about)
    }
}

/// One listener for all who listen; none if nobody does.
fn listener(
    mut listeners: Vec<Box<dyn Listener>>,
    hash: Option<Rc<RefCell<TraceHash>>>,
) -> Option<Box<dyn Listener>> {
    if let Some(hash) = hash {
        listeners.push(Box::new(move |record: &Record<'_>| hash.borrow_mut().update(record)));
    }
    match listeners.len() {
        0 | 1 => listeners.pop(),
        _ => Some(Box::new(move |record: &Record<'_>| {
            listeners.iter_mut().for_each(|listener| listener.record(record));
        })),
    }
}
