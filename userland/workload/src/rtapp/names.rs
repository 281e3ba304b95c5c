//! The names that events use, and what is odd about them once all tasks are known.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::report::Report;

/// What an event does with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Suspend,
    Resume,
    Wait,
    Sync,
    Signal,
    Acquire,
    Post,
    Lock,
    Unlock,
    Barrier,
    Fork,
}

/// Who uses a name how, and where first.
#[derive(Default)]
pub(super) struct Names {
    task: usize,
    uses: BTreeMap<(Role, String), BTreeMap<usize, Range<usize>>>,
}

impl Names {
    /// The uses from here on are those of another task.
    pub(super) fn next_task(&mut self) {
        self.task += 1;
    }

    pub(super) fn used(&mut self, role: Role, name: &str, span: &Range<usize>) {
        let uses = self.uses.entry((role, name.to_string())).or_default();
        uses.entry(self.task).or_insert_with(|| span.clone());
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
    pub(super) fn check(&self, report: &mut Report, tasks: &[String]) {
        for (name, uses) in self.of(Role::Fork) {
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
        let waits: [(Role, &[Role], &str, &str); 3] = [
            (Role::Suspend, &[Role::Resume], "suspended under", "resumes"),
            (Role::Wait, &[Role::Signal, Role::Sync], "waiting for", "signals"),
            (Role::Acquire, &[Role::Post], "waiting for", "posts"),
        ];
        for (role, others, doing, deed) in waits {
            for (name, span) in self.without(role, others) {
                let message = format!("a task {doing} \"{name}\" is never woken");
                report.warning(span, message, format!("nothing {deed} \"{name}\""));
            }
        }
        self.check_locks(report);
    }

    /// A mutex is given back by the task that takes it.
    fn check_locks(&self, report: &mut Report) {
        let pairs = [
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
