//! Faults on purpose: what is to go wrong in a run, and when.
//!
//! A list of rules is read from text (see [`Faults`]) or built from [`Rule`]s, and given to
//! [`Builder::faults`](crate::Builder::faults). Each rule draws from a stream of its own, derived
//! from the machine's seed and its place in the list, so that neither a rule nor its draws change what
//! others do. What is injected is in the trace.

mod pattern;
mod spec;

use std::str::FromStr;

use hothouse_abi::{Errno, Signal, Span};

pub use pattern::Pattern;
pub use spec::FaultError;
pub(crate) use spec::may_fail;

/// What is to go wrong in a run: a list of rules.
///
/// In text a rule is `fault:key=value,..`; rules are parted by `;` or stand on lines of their own,
/// and `#` starts a comment. docs/faults.md has the faults and their keys.
///
/// ```
/// use hothouse_kernel::faults::{Fault, Faults};
///
/// let faults: Faults = "drop:from=client*,to=server,p=0.1; kill:process=server,at=40".parse()?;
/// assert_eq!(faults.rules.len(), 2);
/// assert!(matches!(faults.rules[1].fault, Fault::Kill { .. }));
///
/// let error = "drop:form=client".parse::<Faults>().unwrap_err();
/// assert_eq!((error.line, error.column), (1, 6));
/// assert!(error.message.contains(r#"did you mean "from"?"#));
/// # Ok::<(), hothouse_kernel::faults::FaultError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The rules. Of those that fit an event, the first that strikes does.
    pub rules: Vec<Rule>,
}

impl FromStr for Faults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Faults, FaultError> {
        spec::parse(text)
    }
}

/// What goes wrong, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What.
    pub fault: Fault,
    /// When.
    pub when: When,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// An event, a request or a reply never arrives. Its sender does not notice.
    Drop(Route),
    /// It arrives later, and others may overtake it.
    Delay {
        /// Which.
        route: Route,
        /// By this long at least.
        least: Span,
        /// And at most.
        most: Span,
    },
    /// It arrives twice.
    Duplicate(Route),
    /// The next one between the same two processes overtakes it.
    Reorder {
        /// Which.
        route: Route,
        /// It arrives after this long if none comes.
        within: Span,
    },
    /// A process is signalled as it makes a trap, before that is carried out.
    Kill {
        /// Which processes.
        process: Pattern,
        /// At the trap of this number, from 1; `None`: at any.
        at: Option<u64>,
        /// By which signal.
        signal: Signal,
    },
    /// A process is stopped at a trap.
    Stop {
        /// Which processes.
        process: Pattern,
        /// At the trap of this number, from 1; `None`: at any.
        at: Option<u64>,
        /// It goes on after this long; `None`: when somebody continues it.
        span: Option<Span>,
    },
    /// A process's clock is wrong: `now` tells it another time, and the times that it names for
    /// `sleep_until`, `alarm` and `begin_job` are of that clock.
    Skew {
        /// Which processes.
        process: Pattern,
        /// By how many nanoseconds it is ahead; below 0 it is behind.
        ahead: i64,
    },
    /// A call fails, and does nothing.
    Fail {
        /// Which processes.
        process: Pattern,
        /// The name of the call, such as `send_event`; `None`: any.
        call: Option<&'static str>,
        /// With this errno.
        errno: Errno,
    },
}

impl Fault {
    /// Its name, such as `"drop"`.
    pub const fn word(&self) -> &'static str {
        match self {
            Fault::Drop(_) => "drop",
            Fault::Delay { .. } => "delay",
            Fault::Duplicate(_) => "duplicate",
            Fault::Reorder { .. } => "reorder",
            Fault::Kill { .. } => "kill",
            Fault::Stop { .. } => "stop",
            Fault::Skew { .. } => "skew",
            Fault::Fail { .. } => "fail",
        }
    }
}

/// Events between some processes. Those from outside are never faulty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// From whom; `None`: from any process.
    pub from: Option<Pattern>,
    /// To whom; `None`: to any process.
    pub to: Option<Pattern>,
    /// Of which name; `None`: of any.
    pub event: Option<String>,
}

/// On which of the occasions that fit a rule strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// With this probability, on each. Under an oracle a probability below 1 makes it a choice.
    pub probability: f64,
    /// Only on the one of this number, from 1.
    pub nth: Option<u64>,
    /// Only on every one whose number is a multiple of this.
    pub every: Option<u64>,
    /// At most so often.
    pub max: Option<u64>,
    /// Not before this time.
    pub after: Span,
    /// Not from this time on.
    pub before: Option<Span>,
}

impl Default for When {
    /// On each.
    fn default() -> When {
        When {
            probability: 1.0,
            nth: None,
            every: None,
            max: None,
            after: Span::ZERO,
            before: None,
        }
    }
}
