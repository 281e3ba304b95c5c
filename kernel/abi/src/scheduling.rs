use std::fmt;
use std::sync::Arc;

use crate::Span;

/// The class of a process: those of a higher class run before all others, whatever the machine's
/// policy.
///
/// The order is that of Linux: deadline, then real time by priority, then the rest.
///
/// Source: sched(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The machine's policy serves it.
    #[default]
    Normal,
    /// Fixed priority, 1 to 99, the highest first; a slice for equals.
    RoundRobin(u8),
    /// Fixed priority, 1 to 99, the highest first; runs until it blocks.
    Fifo(u8),
    /// Earliest deadline first, with a budget of CPU time a period.
    Deadline,
}

impl Class {
    /// The name, such as `"SCHED_FIFO"`.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Normal => "SCHED_OTHER",
            Class::RoundRobin(_) => "SCHED_RR",
            Class::Fifo(_) => "SCHED_FIFO",
            Class::Deadline => "SCHED_DEADLINE",
        }
    }

    /// The order among classes, the highest first to run: 0 for [`Class::Normal`], the priority for
    /// real time, 100 for [`Class::Deadline`].
    ///
    /// ```
    /// use hothouse_abi::Class;
    /// assert!(Class::Deadline.rank() > Class::Fifo(99).rank());
    /// assert_eq!(Class::Fifo(3).rank(), Class::RoundRobin(3).rank());
    /// ```
    pub const fn rank(self) -> u8 {
        match self {
            Class::Normal => 0,
            Class::RoundRobin(priority) | Class::Fifo(priority) => priority,
            Class::Deadline => 100,
        }
    }
}

/// A set of simulated CPUs; every CPU unless it is made of some.
///
/// ```
/// use hothouse_abi::CpuSet;
/// let cpus: CpuSet = [0, 70].into_iter().collect();
/// assert!(cpus.contains(70) && !cpus.contains(1));
/// assert!(CpuSet::all().contains(1_000));
/// assert_eq!(cpus.to_string(), "0,70");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CpuSet(Option<Arc<[u64]>>);

impl CpuSet {
    /// Every CPU.
    pub const fn all() -> CpuSet {
        CpuSet(None)
    }

    /// Whether it has every CPU there can be.
    pub const fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this CPU is in it.
    #[inline]
    pub fn contains(&self, cpu: u32) -> bool {
        let Some(words) = &self.0 else { return true };
        words.get(cpu as usize / 64).is_some_and(|word| word >> (cpu % 64) & 1 == 1)
    }

    /// The CPUs in it, ascending; `None` for every CPU.
    pub fn cpus(&self) -> Option<impl Iterator<Item = u32>> {
        let words = self.0.as_deref()?;
        Some((0..words.len() as u32 * 64).filter(|&cpu| self.contains(cpu)))
    }

    /// Whether no CPU below `count` is in it.
    pub fn is_empty_of(&self, count: u32) -> bool {
        self.cpus().is_some_and(|mut cpus| cpus.all(|cpu| cpu >= count))
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> CpuSet {
        let mut words = Vec::new();
        for cpu in cpus {
            let word = cpu as usize / 64;
            if word >= words.len() {
                words.resize(word + 1, 0u64);
            }
            words[word] |= 1 << (cpu % 64);
        }
        CpuSet(Some(words.into()))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cpus) = self.cpus() else { return f.write_str("all") };
        let cpus: Vec<_> = cpus.map(|cpu| cpu.to_string()).collect();
        f.write_str(&cpus.join(","))
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuSet({self})")
    }
}

/// How a process asks to be scheduled. What a policy does not know of, it leaves aside.
///
/// ```
/// use hothouse_abi::{Scheduling, Span};
/// let wanted = Scheduling {
///     runtime: Some(Span::from_millis(3)),
///     period: Some(Span::from_millis(20)),
///     ..Scheduling::default()
/// };
/// assert_eq!(wanted.relative_deadline(), wanted.period);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// Its class.
    pub class: Class,
    /// Its nice level, -20 to 19.
    pub nice: i8,
    /// Its share, for policies that deal in tickets; `None`: as its nice level says.
    pub tickets: Option<u32>,
    /// A slice of its own.
    pub slice: Option<Span>,
    /// The most CPU time that one job needs.
    pub runtime: Option<Span>,
    /// How long after its release a job is to be done; `None`: a period.
    pub deadline: Option<Span>,
    /// How far apart jobs are released, at least.
    pub period: Option<Span>,
    /// The CPUs that it may use.
    pub cpus: CpuSet,
}

impl Scheduling {
    /// Why no process of a machine with so many CPUs can be scheduled so; `None` if it can.
    ///
    /// ```
    /// use hothouse_abi::Scheduling;
    /// let wanted = Scheduling { nice: 20, ..Scheduling::default() };
    /// assert_eq!(wanted.problem(1), Some("the nice level is not from -20 to 19"));
    /// ```
    pub fn problem(&self, cpus: u32) -> Option<&'static str> {
        let relative = self.relative_deadline();
        let lengths = [self.slice, self.runtime, self.deadline, self.period];
        let over = |a: Option<Span>, b: Option<Span>| a.zip(b).is_some_and(|(a, b)| a > b);
        let bad_priority = match self.class {
            Class::Fifo(priority) | Class::RoundRobin(priority) => !(1..=99).contains(&priority),
            Class::Deadline | Class::Normal => false,
        };
        let problems = [
            (!(-20..=19).contains(&self.nice), "the nice level is not from -20 to 19"),
            (bad_priority, "the real-time priority is not from 1 to 99"),
            (self.tickets == Some(0), "there are no tickets"),
            (lengths.into_iter().flatten().any(Span::is_zero), "a length of time is zero"),
            (over(self.runtime, relative), "the runtime is longer than the deadline"),
            (over(self.deadline, self.period), "the deadline is after the period"),
            (
                self.class == Class::Deadline && (self.runtime.is_none() || relative.is_none()),
                "the class deadline needs a runtime and a deadline or a period",
            ),
            (self.cpus.is_empty_of(cpus), "the machine has none of its CPUs"),
        ];
        problems.into_iter().find_map(|(wrong, problem)| wrong.then_some(problem))
    }

    /// How long after its release a job is to be done, if that is said at all.
    pub fn relative_deadline(&self) -> Option<Span> {
        self.deadline.or(self.period)
    }

    /// What a child gets of it: all but what holds for its parent's jobs alone. As a child of a
    /// process with a deadline has none, it is of the class [`Class::Normal`].
    pub fn inherited(&self) -> Scheduling {
        let class = if self.class == Class::Deadline { Class::Normal } else { self.class };
        Scheduling { class, runtime: None, deadline: None, period: None, ..self.clone() }
    }
}
