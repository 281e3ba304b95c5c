//! A run told as a story: who did what, in order, with the virtual time.

use std::collections::{BTreeMap, BTreeSet};

use crate::trace::{Record, What};
use crate::{Bytes, Candidate, Choice, ExitStatus, Name, Pid, Step, Tick, Value};

/// Longer data is cut.
const MOST_DATA: usize = 60;

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    lines: Vec<String>,
    names: BTreeMap<Pid, Name>,
    /// Who sleeps.
    asleep: BTreeSet<Pid>,
    /// A trap of which nothing else has been told yet.
    trap: Option<(Tick, Pid, &'static str)>,
    now: Tick,
}

impl Story {
    /// The lines, in order.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.tell_trap();
        self.lines
    }

    /// Takes note of a record.
    pub(super) fn record(&mut self, record: &Record<'_>) {
        let Record { time, pid, what, .. } = record;
        self.now = *time;
        if let What::Spawned { name, .. } = what {
            self.names.insert(*pid, (*name).clone());
        }
        if let What::Trap { name, .. } = what {
            self.tell_trap();
            self.trap = Some((*time, *pid, name));
            return;
        }
        let text = match what {
            What::Blocked { on: "sleep" } => {
                self.asleep.insert(*pid);
                Some("sleeps".to_owned())
            }
            What::TimedOut if self.asleep.remove(pid) => Some("wakes up".to_owned()),
            _ => self.sentence(what),
        };
        let Some(text) = text else { return };
        match self.trap {
            Some((_, by, _)) if by == *pid || is_of_another(what) => self.trap = None,
            _ => self.tell_trap(),
        }
        self.line(*time, *pid, &text);
    }

    /// Takes note of an answer that is not the usual one.
    pub(super) fn chosen(&mut self, choice: &Choice<'_>, answer: u64) {
        self.tell_trap();
        match choice {
            Choice::Next { candidates, goes_on, .. } => {
                let Some(chosen) = candidates.get(answer as usize) else { return };
                let chosen = self.candidate(chosen);
                let text = match candidates.first() {
                    Some(first) if *goes_on => {
                        format!("      -- {} waits; {chosen} goes first", self.candidate(first))
                    }
                    _ => format!("      -- {chosen} is next"),
                };
                self.lines.push(text);
            }
            // The trace tells of it when it strikes.
            Choice::Fault { .. } => {}
            Choice::Input { pid, .. } => {
                self.line(self.now, *pid, &format!("gets the input {answer}"));
            }
        }
    }

    fn tell_trap(&mut self) {
        if let Some((time, pid, name)) = self.trap.take() {
            self.line(time, pid, &format!("calls {name}"));
        }
    }

    fn line(&mut self, time: Tick, pid: Pid, text: &str) {
        let who = self.who(pid);
        self.lines.push(format!("[{time}] {who}: {}", text.replace('\n', "\n    ")));
    }

    fn who(&self, pid: Pid) -> String {
        match self.names.get(&pid) {
            Some(name) => format!("{pid} {name}"),
            None if pid.is_kernel() => "the kernel".to_owned(),
            None => pid.to_string(),
        }
    }

    fn candidate(&self, candidate: &Candidate) -> String {
        let who = self.who(candidate.pid);
        match candidate.step {
            Step::Trap(name) => format!("{who} ({name})"),
            Step::End => format!("{who} (its end)"),
            Step::Run => who,
            Step::Timeout => format!("the timeout of {who}"),
        }
    }

    /// `None`: it is not worth a line.
    fn sentence(&self, what: &What<'_>) -> Option<String> {
        Some(match what {
            What::Spawned { parent, .. } => format!("is started by {}", self.who(*parent)),
            What::Blocked { on } => format!("waits in {on}"),
            What::TimedOut => "its wait times out".to_owned(),
            What::Stopped => "is stopped".to_owned(),
            What::Continued => "is continued".to_owned(),
            What::BurstStarted { span } => format!("computes for {span}"),
            What::Sent { to, name, data } => {
                format!("sends \"{name}\"{} to {}", shown(data), self.who(*to))
            }
            What::Received { from, name } => format!("takes \"{name}\" from {}", self.who(*from)),
            What::DeadLetter { to, name } => format!("\"{name}\" to {to} reaches nobody"),
            What::Queued { name } => format!("queues \"{name}\""),
            What::Signaled { signal, by } => format!("gets {signal} from {}", self.who(*by)),
            What::HandlerStarted { signal } => format!("handles {signal}"),
            What::HandlerEnded => "its handler returns".to_owned(),
            What::TimerArmed { id, at } => format!("arms timer {id} for {at}"),
            What::TimerFired { id } => format!("its timer {id} fires"),
            What::TimerCancelled { id } => format!("cancels timer {id}"),
            What::Registered { name } => format!("takes the name \"{name}\""),
            What::Unregistered { name } => format!("loses the name \"{name}\""),
            What::LockTaken { id } => format!("gets lock {id}"),
            What::LockReleased { id } => format!("gives lock {id} back"),
            What::Called { to, name, .. } => format!("calls \"{name}\" of {}", self.who(*to)),
            What::Replied { to, .. } => format!("replies to {}", self.who(*to)),
            What::Monitored { pid } => format!("monitors {}", self.who(*pid)),
            What::Noticed { child } => format!("is told that {} ended", self.who(*child)),
            What::Exited { status: ExitStatus::Exited(Value::Nil) } => "ends".to_owned(),
            What::Exited { status } => format!("ends: {status}"),
            What::Injected { fault, rule } => format!("FAULT: {fault} (rule {rule})"),
            What::Faulted { signal } => format!("faults: {signal}"),
            What::Logged { text } => format!("says: {}", Bytes::from(*text)),
            _ => return None,
        })
    }
}

/// Whether a record tells what the trap of another process did.
fn is_of_another(what: &What<'_>) -> bool {
    matches!(what, What::Spawned { .. } | What::Signaled { .. })
}

fn shown(data: &Value) -> String {
    if *data == Value::Nil {
        return String::new();
    }
    let text = data.to_string();
    match text.char_indices().nth(MOST_DATA) {
        Some((end, _)) => format!(" {}..", &text[..end]),
        None => format!(" {text}"),
    }
}
