//! The oracle: one place that decides what a run leaves open.
//!
//! Under a policy nothing is left open: the same seed gives the same run. Under an oracle every
//! trap is a point at which another process may go on, a timeout may come before or after what
//! happens at the same instant, and faults and inputs are asked for. Search, shrinking and replay
//! are oracles; without one nothing here costs anything.

use std::hash::{Hash, Hasher};

use hothouse_abi::{ExitStatus, LockId, Name, Pid, Tick};
use rustc_hash::FxHasher;

/// Decides what a run leaves open. Give one to [`Builder::oracle`](crate::Builder::oracle).
///
/// The machine asks in an order that only the program and the answers so far decide. So the list of
/// answers is the run: an oracle that gives the same list again repeats it.
///
/// # Faults
///
/// Fault injection asks too: whatever can go wrong at the trap's edge is a [`Choice::Fault`], and
/// only on a machine without an oracle is it drawn from the stream
/// [`StreamKind::Faults`](crate::StreamKind::Faults). Answer 0 is always "no fault"; the others are
/// numbered by the one who asks, in an order that never changes. It asks once for each occasion,
/// with the pid of the process that the fault would hit. Inside the machine that is
/// `Machine::choose`, which returns `None` without an oracle.
///
/// ```
/// use hothouse_abi::{Errno, ExitStatus, Frame, Program, Trap};
/// use hothouse_kernel::{Choice, Exploration, Kernel, Oracle};
///
/// /// Lets the last candidate go on, always.
/// struct Last;
///
/// impl Oracle for Last {
///     fn choose(&mut self, choice: &Choice<'_>) -> u64 {
///         match choice {
///             Choice::Next { .. } => choice.last(),
///             Choice::Fault { .. } => 0,
///             Choice::Input { drawn, .. } => *drawn,
///         }
///     }
/// }
///
/// let mut kernel = Kernel::builder().oracle(Last, Exploration::default()).build()?;
/// for name in ["one", "two"] {
///     kernel.spawn(name, Program::native(|gate| {
///         let _ = gate.trap(&mut Frame::new(Trap::Yield));
///         ExitStatus::Exited(0.into())
///     }))?;
/// }
/// kernel.run_until(hothouse_kernel::Until::Idle);
/// let ends: Vec<u64> = kernel.report().records.iter().map(|exit| exit.pid.number()).collect();
/// assert_eq!(ends, [2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Oracle {
    /// The answer: a number from 0 to [`Choice::last`]. A larger one counts as the last.
    fn choose(&mut self, choice: &Choice<'_>) -> u64;

    /// A process ended.
    #[expect(
        unused_variables,
        reason = "a default that does nothing; the names belong to the docs"
    )]
    fn ended(&mut self, pid: Pid, name: &Name, status: &ExitStatus) {}
}

/// Something that is left open. What has only one answer is not asked.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'a> {
    /// What happens next: the answer is the place of one of the candidates.
    Next {
        /// If the one that went last can go on, it comes first; the others follow in order of pid.
        candidates: &'a [Candidate],
        /// Whether the first is the one that went last.
        goes_on: bool,
        /// The virtual time.
        now: Tick,
    },
    /// Whether something goes wrong: 0 for no, else which of the faults that are possible here.
    Fault {
        /// The process that it would hit.
        pid: Pid,
        /// What would go wrong, for the story of the run, such as `"drop"`.
        what: &'static str,
        /// The greatest answer.
        last: u64,
    },
    /// A value that a program asks for.
    Input {
        /// Which process asks.
        pid: Pid,
        /// What its own stream gives.
        drawn: u64,
        /// The greatest value.
        last: u64,
    },
}

impl Choice<'_> {
    /// The greatest answer.
    ///
    /// ```
    /// use hothouse_abi::Pid;
    /// use hothouse_kernel::Choice;
    /// assert_eq!(Choice::Input { pid: Pid::new(1), drawn: 2, last: 5 }.last(), 5);
    /// ```
    pub fn last(&self) -> u64 {
        match self {
            Choice::Next { candidates, .. } => candidates.len().saturating_sub(1) as u64,
            Choice::Fault { last, .. } | Choice::Input { last, .. } => *last,
        }
    }
}

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// To whom.
    pub pid: Pid,
    /// What.
    pub step: Step,
    /// What that touches, if [`Exploration::touches`] asks for it.
    pub touches: Touches,
}

/// What a candidate does if it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The process makes this trap, before which it was held, and runs on to its next one.
    Trap(&'static str),
    /// The process, whose program has returned, ends.
    End,
    /// The process goes on with an answer that it has got, or starts.
    Run,
    /// The process's wait times out.
    Timeout,
}

/// How a machine under an oracle leaves things open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exploration {
    /// Whether processes share no memory but by traps. Then what happens inside one process is
    /// nobody else's business, and only what others could notice is a choice.
    pub isolated: bool,
    /// Whether candidates say what they touch. Then the oracle is asked also where there is only one.
    pub touches: bool,
}

/// A kernel object, as far as steps can be dependent through it.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
    /// That a process lives, and what others can see and change of it.
    Process(Pid),
    /// The order of events in a mailbox, and of exit records of children.
    Mailbox(Pid),
    /// A service name.
    Name(&'a Name),
    /// A lock and its queue.
    Lock(LockId),
    /// Every lock.
    AllLocks,
    /// Memory that is shared by traps.
    Cell(u64),
    /// The numbers that processes and locks get.
    Numbers,
}

/// The kernel objects that a step may read and write. Different objects may look the same, so that
/// two steps may seem dependent that are not, but never the other way round.
///
/// ```
/// use hothouse_abi::Pid;
/// use hothouse_kernel::{Object, Touches};
/// let mailbox = |n| Object::Mailbox(Pid::new(n));
/// let one = Touches::default().writing(mailbox(1));
/// assert!(one.depends(Touches::default().reading(mailbox(1))));
/// assert!(!one.depends(Touches::default().writing(mailbox(2))));
/// assert!(one.depends(Touches::EVERYTHING));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Touches {
    reads: u128,
    writes: u128,
}

impl Touches {
    /// All that there is.
    pub const EVERYTHING: Touches = Touches { reads: u128::MAX, writes: u128::MAX };

    /// The same, and reads this.
    #[must_use]
    pub fn reading(self, object: Object<'_>) -> Touches {
        Touches { reads: self.reads | bits(object), ..self }
    }

    /// The same, and changes this.
    #[must_use]
    pub fn writing(self, object: Object<'_>) -> Touches {
        Touches { writes: self.writes | bits(object), ..self }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Touches) -> Touches {
        Touches { reads: self.reads | other.reads, writes: self.writes | other.writes }
    }

    /// Whether the order of the two can matter.
    #[inline]
    pub fn depends(self, other: Touches) -> bool {
        self.writes & (other.reads | other.writes) != 0 || self.reads & other.writes != 0
    }
}

/// Where the bits of each kind of object begin, and how many there are.
const PROCESSES: (u32, u64) = (0, 40);
const MAILBOXES: (u32, u64) = (40, 40);
const LOCKS: (u32, u64) = (80, 20);
const CELLS: (u32, u64) = (100, 14);
const NAMES: (u32, u64) = (114, 13);
const NUMBERS: u128 = 1 << 127;

fn bits(object: Object<'_>) -> u128 {
    let bit = |(first, count): (u32, u64), number: u64| 1 << (first + (number % count) as u32);
    match object {
        Object::Process(pid) => bit(PROCESSES, pid.number()),
        Object::Mailbox(pid) => bit(MAILBOXES, pid.number()),
        Object::Lock(id) => bit(LOCKS, id.number()),
        Object::AllLocks => ((1 << LOCKS.1) - 1) << LOCKS.0,
        Object::Cell(cell) => bit(CELLS, cell),
        Object::Name(name) => {
            let mut hasher = FxHasher::default();
            name.hash(&mut hasher);
            bit(NAMES, hasher.finish() >> 32)
        }
        Object::Numbers => NUMBERS,
    }
}
