//! A machine under an oracle: traps are held until their process is chosen, and what happens next
//! is asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hothouse_abi::{Exit, ExitStatus, Frame, Pid, Resume, Tick, Trap};

use super::enter::Entry;
use super::process::{Key, State};
use super::turns::Turns;
use super::wait::On;
use super::{Machine, Verdict};
use crate::oracle::{Candidate, Choice, Exploration, Oracle, Step, Touches};
use crate::policy::{CpuId, Pick, Policy, Reason, Stop, Task};
use crate::trace::What;

/// What the machine keeps when an oracle decides.
pub(super) struct Explored {
    oracle: Box<dyn Oracle>,
    how: Exploration,
    /// By key, what each process was held before, the innermost handler's last.
    held: Vec<Vec<Held>>,
    /// Who went last.
    last: Option<Key>,
    turns: Turns,
    candidates: Vec<(Key, Pid, Step)>,
    /// The same as it is shown to the oracle.
    shown: Vec<Candidate>,
}

/// In the place of a policy: who is ready is looked up when it is asked for.
pub(super) struct ByOracle;

impl Policy for ByOracle {
    fn spec(&self) -> String {
        "oracle".to_owned()
    }

    fn enqueue(&mut self, _: &Task, _: Reason, _: Tick) {}

    fn dequeue(&mut self, _: &Task, _: Tick) {}

    fn pick_next(&mut self, _: CpuId, _: Tick) -> Option<Pick> {
        None
    }
}

/// What a process does when it is chosen.
enum Held {
    Trap(Trap),
    /// Its program has returned.
    End(ExitStatus),
}

impl Explored {
    pub(super) fn new((oracle, how): (Box<dyn Oracle>, Exploration)) -> Box<Explored> {
        Box::new(Explored {
            oracle,
            how,
            held: Vec::new(),
            last: None,
            turns: Turns::default(),
            candidates: Vec::new(),
            shown: Vec::new(),
        })
    }

    fn hold(&mut self, key: Key, held: Held) {
        if key >= self.held.len() {
            self.held.resize_with(key + 1, Vec::new);
        }
        self.held[key].push(held);
    }

    /// What was held may carry a program, whose destructors are code of others.
    #[cold]
    fn forget(&mut self, key: Key) {
        let Some(held) = self.held.get_mut(key).map(std::mem::take) else { return };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(held))) {
            std::mem::forget(payload);
        }
    }

    fn top(&self, key: Key) -> Option<&Held> {
        self.held.get(key)?.last()
    }
}

impl Machine {
    /// The oracle's answer, if there is an oracle.
    #[inline]
    pub(crate) fn choose(&mut self, choice: &Choice<'_>) -> Option<u64> {
        let explored = self.explored.as_mut()?;
        let last = choice.last();
        Some(if last == 0 { 0 } else { explored.oracle.choose(choice).min(last) })
    }

    /// Shows a trap to the listener, or holds it until the oracle chooses its process. Returns
    /// whether it is held.
    #[cold]
    pub(super) fn show_or_hold(&mut self, key: Key, frame: &mut Frame) -> bool {
        if !self.holds(key, frame) {
            let (name, kind) = (frame.trap.name(), frame.trap.kind());
            self.record(key, What::Trap { name, kind });
            return false;
        }
        let trap = std::mem::replace(&mut frame.trap, Trap::Now);
        self.put_off(key, Held::Trap(trap));
        true
    }

    fn holds(&mut self, key: Key, frame: &Frame) -> bool {
        let Some(explored) = &self.explored else { return false };
        let how = explored.how;
        if frame.unwinding || frame.atomic || is_internal(&frame.trap) {
            return false;
        }
        if how.isolated && self.is_private(key, &frame.trap) {
            return false;
        }
        // With nobody else to go there would be nothing to choose.
        let alone = self.ready == 0 && self.timers.is_empty();
        if !alone || how.touches || matches!(frame.trap, Trap::Yield) {
            return true;
        }
        self.note_step(key);
        false
    }

    /// A process makes a step that others can notice.
    fn note_step(&mut self, key: Key) {
        if let Some(explored) = &mut self.explored {
            explored.last = Some(key);
            explored.turns.went(key);
        }
    }

    /// Takes the CPU from a running process until it is chosen.
    fn put_off(&mut self, key: Key, held: Held) {
        let explored = self.explored.as_mut().expect("invariant: only an oracle holds");
        explored.hold(key, held);
        self.leave_cpu(key, Stop::Yield);
        self.requeue(key, Reason::Yield);
    }

    /// The code of a process is over: it ends, when it is chosen if there is an oracle.
    pub(crate) fn returned(&mut self, key: Key, status: ExitStatus) {
        let running = matches!(self.table[key].state, State::Running(_));
        if self.explored.is_none() || !running {
            return self.ended(key, status);
        }
        // No code of it is left that could run.
        self.table[key].set_hooks(false);
        self.put_off(key, Held::End(status));
    }

    /// Whether a process has no code left to run, and only its end is to come.
    #[inline]
    pub(super) fn is_ending(&self, key: Key) -> bool {
        match &self.explored {
            None => false,
            Some(explored) => matches!(explored.top(key), Some(Held::End(_))),
        }
    }

    /// Forgets what was held of a process that is broken off.
    #[inline]
    pub(super) fn drop_held(&mut self, key: Key) {
        if let Some(explored) = &mut self.explored {
            explored.forget(key);
        }
    }

    /// Carries out what a process was held before. `None`: nothing was held.
    pub(super) fn carry_out(&mut self, key: Key) -> Option<Entry> {
        let explored = self.explored.as_mut()?;
        match explored.held.get_mut(key)?.pop()? {
            Held::End(status) => {
                let status = self.final_status(key, status);
                self.condemn(key, status);
                Some(Entry::Left)
            }
            Held::Trap(trap) => Some(self.carry_out_trap(key, trap)),
        }
    }

    fn carry_out_trap(&mut self, key: Key, mut trap: Trap) -> Entry {
        let (name, kind) = (trap.name(), trap.kind());
        self.record(key, What::Trap { name, kind });
        if matches!(trap, Trap::Yield) {
            self.note_yield(key);
        }
        let mut answer = Resume::Unit;
        let verdict = match self.fault_at_trap(key, &mut trap, &mut answer) {
            Some(verdict) => verdict,
            None => self.dispatch_trap(key, &mut trap, &mut answer),
        };
        match verdict {
            Verdict::Answered => self.table[key].set_answer(answer),
            Verdict::Exit | Verdict::Leave => return Entry::Left,
            Verdict::Enter | Verdict::Wait => {}
        }
        // Victims are unwound before any program code runs.
        if !self.victims.is_empty() || !matches!(self.table[key].state, State::Running(_)) {
            return Entry::Left;
        }
        self.enter(key)
    }

    /// Lets the oracle choose what happens next at this instant. Returns whether anything does.
    pub(super) fn pick_by_oracle(&mut self) -> bool {
        let Some(cpu) = (0..self.cpus.len()).find(|&cpu| self.is_idle(cpu)) else { return false };
        let mut explored = self.explored.take().expect("invariant: there is an oracle");
        self.list_candidates(&mut explored);
        let chosen = self.choose_next(&mut explored);
        let isolated = explored.how.isolated;
        self.explored = Some(explored);
        let Some((key, step)) = chosen else { return false };
        if !isolated || step != Step::Run {
            self.note_step(key);
        }
        if step == Step::Timeout {
            let timer = self.table[key].wait.as_ref().and_then(|wait| wait.timer);
            self.timers.cancel(timer.expect("invariant: what may time out is armed"));
            self.wait_expired(key);
        } else {
            self.dequeue(key);
            self.place_on(key, CpuId(cpu as u32), None);
        }
        true
    }

    /// Asks which candidate goes on, if there is any.
    fn choose_next(&self, explored: &mut Explored) -> Option<(Key, Step)> {
        let &(first, _, step) = explored.candidates.first()?;
        let eager = explored.how.isolated && step == Step::Run;
        if eager || (explored.candidates.len() == 1 && !explored.how.touches) {
            return Some((first, step));
        }
        let mut shown = std::mem::take(&mut explored.shown);
        shown.clear();
        shown.extend(explored.candidates.iter().map(|&(key, pid, step)| {
            let touches = match explored.how.touches {
                true => self.touches_of_step(explored, key, step),
                false => Touches::default(),
            };
            Candidate { pid, step, touches }
        }));
        let goes_on = explored.last == Some(first) && step != Step::Timeout;
        let choice = Choice::Next { candidates: &shown, goes_on, now: self.now };
        let answer = explored.oracle.choose(&choice).min(choice.last());
        explored.shown = shown;
        let (key, _, step) = explored.candidates[answer as usize];
        Some((key, step))
    }

    /// What can happen next: the one that went last first, the others in order of pid.
    fn list_candidates(&self, explored: &mut Explored) {
        explored.candidates.clear();
        for (key, process) in self.table.alive() {
            let Some(step) = self.step_of(explored, key) else { continue };
            if explored.how.isolated && step == Step::Run {
                // Its code up to its next trap is nobody else's business.
                explored.candidates.clear();
            }
            explored.candidates.push((key, process.pid(), step));
            if explored.how.isolated && step == Step::Run {
                return;
            }
        }
        if explored.turns.is_any() {
            let Explored { candidates, turns, .. } = explored;
            let goes = |key: Key| !candidates.iter().any(|&(other, ..)| turns.awaits(key, other));
            if candidates.iter().any(|&(key, ..)| goes(key)) {
                let keep: Vec<bool> = candidates.iter().map(|&(key, ..)| goes(key)).collect();
                let mut keep = keep.into_iter();
                candidates.retain(|_| keep.next() == Some(true));
            }
        }
        let candidates = &mut explored.candidates;
        // Keys are in order of pid until one is used again.
        if !candidates.is_sorted_by_key(|&(_, pid, _)| pid) {
            candidates.sort_unstable_by_key(|&(_, pid, _)| pid);
        }
        let last = explored.last;
        let goes_on =
            |&(key, _, step): &(Key, Pid, Step)| last == Some(key) && step != Step::Timeout;
        if let Some(place) = candidates.iter().position(goes_on) {
            candidates[..=place].rotate_right(1);
        }
    }

    /// What a process can do next, if it can do anything.
    fn step_of(&self, explored: &Explored, key: Key) -> Option<Step> {
        let process = &self.table[key];
        if process.stopped {
            return None;
        }
        match (process.state, &process.wait) {
            (State::Ready, _) => Some(match explored.top(key) {
                Some(Held::Trap(trap)) => Step::Trap(trap.name()),
                Some(Held::End(_)) => Step::End,
                None => Step::Run,
            }),
            (State::Waiting, Some(wait)) => {
                let due = wait.timer.is_some() && wait.times_out() && wait.deadline <= self.now;
                (due && !matches!(wait.on, On::Sleep)).then_some(Step::Timeout)
            }
            _ => None,
        }
    }

    fn touches_of_step(&self, explored: &Explored, key: Key, step: Step) -> Touches {
        if step == Step::Timeout {
            return self.touches_of_timeout(key);
        }
        let touches = match explored.top(key) {
            Some(Held::Trap(trap)) => self.touches_of(key, trap),
            Some(Held::End(_)) => self.touches_of_end(key),
            None => return Touches::default(),
        };
        // A signal comes first, and may end the process.
        if self.deliverable(key).is_some() {
            touches.and(self.touches_of_end(key))
        } else {
            touches
        }
    }

    /// Whether nobody but the caller could notice a trap, nor when it is made.
    fn is_private(&self, key: Key, trap: &Trap) -> bool {
        match trap {
            Trap::Getpid
            | Trap::Getuser
            | Trap::Getname
            | Trap::Now
            | Trap::Sleep { .. }
            | Trap::SleepUntil { .. }
            | Trap::Log { .. }
            | Trap::Random
            | Trap::Choose { .. }
            | Trap::CreateCell
            | Trap::BeginJob { .. }
            | Trap::EndJob => !self.is_interruptible(key),
            other => self.is_private_wait(key, other),
        }
    }

    /// A process yielded. If it did so before, those who could go since and did not go first now.
    fn note_yield(&mut self, key: Key) {
        let Some(mut explored) = self.explored.take() else { return };
        let others = self.table.alive().map(|(other, _)| other).filter(|&other| other != key);
        let ready: Vec<Key> =
            others.filter(|&other| self.step_of(&explored, other).is_some()).collect();
        explored.turns.yielded(key, &ready);
        self.explored = Some(explored);
    }

    /// Tells the oracle of an end.
    #[inline]
    pub(super) fn tell_oracle(&mut self, exit: &Exit) {
        if let Some(explored) = &mut self.explored {
            explored.oracle.ended(exit.pid, &exit.name, &exit.status);
        }
    }
}

/// Whether a trap is made by the runtime of a program on its own account.
fn is_internal(trap: &Trap) -> bool {
    matches!(trap, Trap::SigReturn | Trap::Diagnose { .. } | Trap::Unrepeatable { .. })
}
