//! The names that events use, and what is odd about them once all tasks are known.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::report::Report;

/// What an event does with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Suspend,
    Resume,
    Wait,
    Sync,
    Signal,
    Acquire,
    Post,
    Lock,
    Unlock,
    /// It is given back during a wait.
    Guard,
    Barrier,
    Fork,
    /// The name is that of the task that gets it.
    Send,
    /// The name is the task's own.
    Receive,
}

/// Who uses a name how, and where first.
#[derive(Default)]
pub(crate) struct Names {
    task: usize,
    uses: BTreeMap<(Role, String), BTreeMap<usize, Range<usize>>>,
    /// The locks that are described apart from their use, by the role in which they have to be used.
    declared: Vec<(Role, String, Range<usize>)>,
}

impl Names {
    /// The uses from here on are those of another task.
    pub(crate) fn next_task(&mut self) {
        self.task += 1;
    }

    pub(crate) fn used(&mut self, role: Role, name: &str, span: &Range<usize>) {
        let uses = self.uses.entry((role, name.to_string())).or_default();
        uses.entry(self.task).or_insert_with(|| span.clone());
    }

    /// A lock is described, which some task is to use in this role.
    pub(crate) fn declared(&mut self, role: Role, name: &str, span: &Range<usize>) {
        self.declared.push((role, name.to_string(), span.clone()));
    }

    fn of(&self, role: Role) -> impl Iterator<Item = (&str, &BTreeMap<usize, Range<usize>>)> {
        let all = self.uses.iter().filter(move |((found, _), _)| *found == role);
        all.map(|((_, name), uses)| (name.as_str(), uses))
    }

    /// The first place of each name that has one role and none of the others.
    fn without(&self, role: Role, others: &[Role]) -> Vec<(&str, &Range<usize>)> {
        let served = |name: &str| {
            others.iter().any(|&other| self.uses.contains_key(&(other, name.to_string())))
        };
        let alone = self.of(role).filter(|(name, _)| !served(name));
        alone.filter_map(|(name, uses)| Some((name, uses.values().next()?))).collect()
    }

    /// Says what is wrong or odd about the names, given those of all tasks.
    pub(crate) fn check(&self, report: &mut Report, tasks: &[String]) {
        for (name, uses) in self.of(Role::Fork).chain(self.of(Role::Send)) {
            if !tasks.iter().any(|task| task == name) {
                for span in uses.values() {
                    report.unknown(span, "task", name, tasks.iter().map(String::as_str));
                }
            }
        }
        for (name, span) in self.without(Role::Resume, &[Role::Suspend]) {
            let message = format!("resume of nobody: no task is suspended under \"{name}\"");
            report.warning(span, message, "it has no effect");
        }
        let waits: [(Role, &[Role], &str, &str); 4] = [
            (Role::Suspend, &[Role::Resume], "suspended under", "resumes"),
            (Role::Wait, &[Role::Signal, Role::Sync], "waiting for", "signals"),
            (Role::Acquire, &[Role::Post], "waiting for", "posts"),
            (Role::Receive, &[Role::Send], "receiving as", "sends to"),
        ];
        for (role, others, doing, deed) in waits {
            for (name, span) in self.without(role, others) {
                let message = format!("a task {doing} \"{name}\" is never woken");
                report.warning(span, message, format!("nothing {deed} \"{name}\""));
            }
        }
        self.check_locks(report);
        for (role, name, span) in &self.declared {
            if !self.uses.contains_key(&(*role, name.clone())) {
                let message = format!("no step uses \"{name}\"");
                report.warning(span, message, "it is described in vain");
            }
        }
    }

    /// A mutex is given back by the task that takes it.
    fn check_locks(&self, report: &mut Report) {
        let pairs = [
            (Role::Guard, Role::Lock, "is given back in a wait, but never locked in this task"),
            (Role::Lock, Role::Unlock, "is locked, but never unlocked in this task"),
            (Role::Unlock, Role::Lock, "is unlocked, but never locked in this task"),
        ];
        for (role, counterpart, odd) in pairs {
            for (name, uses) in self.of(role) {
                let others = self.uses.get(&(counterpart, name.to_string()));
                for (task, span) in uses {
                    if !others.is_some_and(|others| others.contains_key(task)) {
                        let help = "a lock is given back by the task that took it";
                        report.warning(span, format!("the mutex \"{name}\" {odd}"), help);
                    }
                }
            }
        }
    }
}
