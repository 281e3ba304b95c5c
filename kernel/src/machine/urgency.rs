//! How urgent a process is, by itself and by what it inherits through locks.

use std::collections::BTreeMap;

use hothouse_abi::{Ceiling, Class, Span, Tick};

use crate::policy::Task;

/// What decides among processes, each for itself: the least is the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Urgency {
    class: ByRank,
    nice: i8,
    deadline: Tick,
    period: Span,
}

/// A class by how far it is below the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ByRank(u8, Class);

impl From<Class> for ByRank {
    fn from(class: Class) -> ByRank {
        ByRank(u8::MAX - class.rank(), class)
    }
}

impl Urgency {
    /// That of nobody.
    pub(super) const LEAST: Urgency = Urgency {
        class: ByRank(u8::MAX, Class::Normal),
        nice: i8::MAX,
        deadline: Tick::MAX,
        period: Span::MAX,
    };

    /// The effective one of a task.
    pub(super) fn of(task: &Task) -> Urgency {
        Urgency {
            class: task.class.into(),
            nice: task.nice,
            deadline: task.deadline.unwrap_or(Tick::MAX),
            period: task.period.unwrap_or(Span::MAX),
        }
    }

    /// What a task has without its locks.
    pub(super) fn own(task: &Task, deadline: Option<Tick>) -> Urgency {
        Urgency {
            class: task.scheduling.class.into(),
            nice: task.scheduling.nice,
            deadline: deadline.unwrap_or(Tick::MAX),
            period: task.scheduling.period.unwrap_or(Span::MAX),
        }
    }

    /// What a mutex with a ceiling lends to one who got it at `since`.
    pub(super) fn of_ceiling(ceiling: &Ceiling, since: Tick) -> Urgency {
        Urgency {
            class: ceiling.class.into(),
            nice: ceiling.nice.unwrap_or(i8::MAX),
            deadline: ceiling.deadline.map_or(Tick::MAX, |span| since + span),
            period: ceiling.period.unwrap_or(Span::MAX),
        }
    }

    /// The more urgent of two in everything.
    pub(super) fn most(self, other: Urgency) -> Urgency {
        Urgency {
            class: self.class.min(other.class),
            nice: self.nice.min(other.nice),
            deadline: self.deadline.min(other.deadline),
            period: self.period.min(other.period),
        }
    }

    /// Makes it the effective one of a task.
    pub(super) fn apply(self, task: &mut Task) {
        task.class = self.class.1;
        task.nice = self.nice;
        task.deadline = Some(self.deadline).filter(|&deadline| deadline < Tick::MAX);
        task.period = Some(self.period).filter(|&period| period < Span::MAX);
    }
}

/// The most urgent of many who come and go, each in O(log n).
#[derive(Debug, Default)]
pub(super) struct Lenders {
    classes: Counts<ByRank>,
    nices: Counts<i8>,
    deadlines: Counts<Tick>,
    periods: Counts<Span>,
}

impl Lenders {
    pub(super) fn add(&mut self, urgency: &Urgency) {
        self.classes.add(urgency.class);
        self.nices.add(urgency.nice);
        self.deadlines.add(urgency.deadline);
        self.periods.add(urgency.period);
    }

    pub(super) fn remove(&mut self, urgency: &Urgency) {
        self.classes.remove(urgency.class);
        self.nices.remove(urgency.nice);
        self.deadlines.remove(urgency.deadline);
        self.periods.remove(urgency.period);
    }

    /// The most urgent of all in everything.
    pub(super) fn most(&self) -> Urgency {
        let least = Urgency::LEAST;
        Urgency {
            class: self.classes.least().unwrap_or(least.class),
            nice: self.nices.least().unwrap_or(least.nice),
            deadline: self.deadlines.least().unwrap_or(least.deadline),
            period: self.periods.least().unwrap_or(least.period),
        }
    }
}

/// How many there are of each.
#[derive(Debug)]
struct Counts<K>(BTreeMap<K, usize>);

impl<K> Default for Counts<K> {
    fn default() -> Counts<K> {
        Counts(BTreeMap::new())
    }
}

impl<K: Ord + Copy> Counts<K> {
    fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    fn remove(&mut self, key: K) {
        let Some(count) = self.0.get_mut(&key) else { return };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&key);
        }
    }

    fn least(&self) -> Option<K> {
        self.0.first_key_value().map(|(&key, _)| key)
    }
}
