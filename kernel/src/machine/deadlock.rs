//! Who waits for whom, when nobody can ever run again.

use std::collections::BTreeMap;
use std::fmt;

use hothouse_abi::{Name, Pid, Tick};

use super::Machine;
use super::process::State;

/// A machine in which nobody can ever run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// When it was found.
    pub at: Tick,
    /// All live processes, in order of pid.
    pub waiters: Vec<Waiter>,
    /// The circles among them, each from its lowest pid on.
    pub cycles: Vec<Vec<Pid>>,
}

/// One process in a deadlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Who.
    pub pid: Pid,
    /// Its name.
    pub name: Name,
    /// What it waits for, in words.
    pub what: String,
    /// Whom it needs to go on, where that is known.
    pub from: Option<Pid>,
    /// Since when.
    pub since: Tick,
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deadlock at {}: nobody can ever run again", self.at)?;
        for waiter in &self.waiters {
            let Waiter { pid, name, what, since, .. } = waiter;
            write!(f, "\n  {pid} {name} waits for {what} since {since}")?;
        }
        for cycle in &self.cycles {
            f.write_str("\n  cycle:")?;
            for pid in cycle {
                let name = self.waiters.iter().find(|w| w.pid == *pid).map(|w| &w.name);
                write!(f, " {pid} {} ->", name.cloned().unwrap_or_default())?;
            }
            write!(f, " {}", cycle[0])?;
        }
        Ok(())
    }
}

impl Machine {
    /// Who waits for what, from whom, since when.
    pub(crate) fn deadlock(&self) -> Deadlock {
        let keys = self.table.pids().into_iter().filter_map(|pid| self.table.find(pid));
        let waiters: Vec<Waiter> = keys.map(|key| self.waiter(key)).collect();
        let needs = waiters.iter().filter_map(|w| Some((w.pid, w.from?))).collect();
        Deadlock { at: self.now, cycles: cycles(&needs), waiters }
    }

    fn waiter(&self, key: super::Key) -> Waiter {
        let process = &self.table[key];
        let (pid, name) = (process.pid(), process.name.clone());
        match &process.wait {
            Some(wait) if process.state == State::Waiting && !process.stopped => {
                let owner = self.owner_of(&wait.on).map(|owner| self.table[owner].pid());
                let from = owner.or(wait.on.peer());
                Waiter { pid, name, what: self.with_lock_owner(wait), from, since: wait.since }
            }
            _ => {
                let what = "SIGCONT (it is stopped)".to_owned();
                Waiter { pid, name, what, from: None, since: process.since }
            }
        }
    }
}

/// The circles of a map in which each points to at most one other.
fn cycles(needs: &BTreeMap<Pid, Pid>) -> Vec<Vec<Pid>> {
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for &start in needs.keys() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(pid) = at.filter(|pid| seen.insert(*pid)) {
            path.push(pid);
            at = needs.get(&pid).copied();
        }
        if let Some(first) = at.and_then(|pid| path.iter().position(|on| *on == pid)) {
            let mut cycle = path.split_off(first);
            let lowest = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
            cycle.rotate_left(lowest);
            found.push(cycle);
        }
    }
    found
}
