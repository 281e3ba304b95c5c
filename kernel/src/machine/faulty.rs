//! Faults on purpose, at the edge of traps and on the way of events.

use hothouse_abi::{Event, Pid, Resume, Signal, SignalNumber, Span, Tick, Token, Trap};

use super::clock::Alarm;
use super::inject::Action;
use super::process::{Key, State};
use super::{Machine, Verdict};
use crate::faults::{Fault, Faults, Route, When, may_fail};
use crate::oracle::Choice;
use crate::stream::{Stream, StreamKind};
use crate::timers::{Class, TimerKey};
use crate::trace::What;

/// What the machine keeps of the faults to inject.
pub(super) struct Injector {
    rules: Vec<Injected>,
    /// What is on its way, in the order of sending.
    late: Vec<Late>,
    last: u64,
}

/// One rule, and what came of it so far.
struct Injected {
    fault: Fault,
    when: When,
    stream: Stream,
    /// Occasions that fit, and faults injected.
    seen: u64,
    done: u64,
}

/// Something that comes later to a process, which takes it along when it ends.
struct Late {
    id: u64,
    timer: TimerKey,
    to: Pid,
    what: Coming,
}

enum Coming {
    /// An event or a reply. The next event from its sender is to overtake it, if `overtaken`.
    Mail { mail: Mail, overtaken: bool },
    /// The end of a stop.
    Continue,
}

/// An event on its way: one that was sent, or the reply to the call with its token.
#[derive(Clone)]
pub(super) struct Mail {
    pub(super) event: Event,
    pub(super) reply: Option<Token>,
}

/// What happens to a piece of mail.
enum Fate {
    Arrives,
    Dropped,
    Duplicated,
    Late { by: Span, overtaken: bool },
}

impl Injector {
    pub(super) fn new(faults: Faults, seed: u64) -> Box<Injector> {
        let rules = faults.rules.into_iter().zip(0..).map(|(rule, id)| Injected {
            fault: rule.fault,
            when: rule.when,
            stream: Stream::derive(seed, StreamKind::Faults, id),
            seen: 0,
            done: 0,
        });
        Box::new(Injector { rules: rules.collect(), late: Vec::new(), last: 0 })
    }
}

impl Injected {
    /// Whether a rule is for this occasion, as far as that does not depend on chance.
    fn is_due(&mut self, now: Tick) -> bool {
        let When { nth, every, max, after, before, .. } = self.when;
        let age = now - Tick::ZERO;
        if age < after || before.is_some_and(|before| age >= before) {
            return false;
        }
        self.seen += 1;
        nth.is_none_or(|nth| self.seen == nth)
            && every.is_none_or(|every| self.seen.is_multiple_of(every))
            && max.is_none_or(|max| self.done < max)
    }
}

impl Machine {
    /// The faults of a process at a trap that it is about to make. `Some`: the trap is not carried
    /// out.
    #[cold]
    pub(super) fn fault_at_trap(
        &mut self,
        key: Key,
        trap: &mut Trap,
        answer: &mut Resume,
    ) -> Option<Verdict> {
        let count = self.faults.as_ref()?.rules.len();
        (0..count).find_map(|rule| self.rule_at_trap(rule, key, trap, answer))
    }

    fn rule_at_trap(
        &mut self,
        rule: usize,
        key: Key,
        trap: &mut Trap,
        answer: &mut Resume,
    ) -> Option<Verdict> {
        let process = &self.table[key];
        let (pid, traps) = (process.pid(), process.traps);
        let fault = &self.faults.as_ref()?.rules[rule].fault;
        let is_here = |at: &Option<u64>| at.is_none_or(|at| at == traps);
        match fault {
            Fault::Kill { process: whom, at, signal } => {
                let (fits, signal) = (whom.fits(pid, &process.name) && is_here(at), *signal);
                (fits && self.strikes(rule, pid)).then(|| self.signal_at_trap(key, signal))?
            }
            Fault::Stop { process: whom, at, span } => {
                let (fits, span) = (whom.fits(pid, &process.name) && is_here(at), *span);
                if fits && self.strikes(rule, pid) {
                    self.signal_at_trap(key, Signal::SIGSTOP);
                    if let Some(span) = span {
                        self.come_later(pid, span, Class::Signal, Coming::Continue);
                    }
                }
                None
            }
            Fault::Skew { process: whom, ahead } => {
                let (fits, ahead) = (whom.fits(pid, &process.name), *ahead);
                fits.then(|| self.skew(trap, answer, ahead))?
            }
            Fault::Fail { process: whom, call, errno } => {
                let (name, errno) = (trap.name(), *errno);
                let fits = whom.fits(pid, &process.name)
                    && call.map_or(may_fail(name), |call| call == name);
                (fits && self.strikes(rule, pid)).then(|| {
                    *answer = Resume::Error(errno);
                    Verdict::Answered
                })
            }
            Fault::Drop(_) | Fault::Delay { .. } | Fault::Duplicate(_) | Fault::Reorder { .. } => {
                None
            }
        }
    }

    /// Whether a rule strikes on this occasion, which fits. If so, it is noted.
    fn strikes(&mut self, rule: usize, pid: Pid) -> bool {
        let now = self.now;
        let Some(injector) = &mut self.faults else { return false };
        let injected = &mut injector.rules[rule];
        if !injected.is_due(now) {
            return false;
        }
        let (what, p) = (injected.fault.word(), injected.when.probability);
        let struck = if p >= 1.0 {
            true
        } else {
            match self.choose(&Choice::Fault { pid, what, last: 1 }) {
                Some(answer) => answer == 1,
                None => self.draw_fault(rule) < p,
            }
        };
        if struck {
            if let Some(injector) = &mut self.faults {
                injector.rules[rule].done += 1;
            }
            self.counters.injected += 1;
            if let Some(key) = self.table.find(pid) {
                self.record(key, What::Injected { fault: what, rule: rule as u64 + 1 });
            }
        }
        struck
    }

    /// A draw from a rule's own stream, from 0 to 1.
    fn draw_fault(&mut self, rule: usize) -> f64 {
        self.faults.as_mut().map_or(1.0, |injector| injector.rules[rule].stream.unit_f64())
    }

    /// Signals a process that is in a trap. `Some`: it is dead.
    fn signal_at_trap(&mut self, key: Key, signal: Signal) -> Option<Verdict> {
        self.post(key, signal, Pid::KERNEL);
        (self.table[key].state == State::Dead).then_some(Verdict::Exit)
    }

    /// Lets a process that is `ahead` of time have its own idea of it.
    fn skew(&self, trap: &mut Trap, answer: &mut Resume, ahead: i64) -> Option<Verdict> {
        let from = |tick: Tick, by: i64| Tick::from_nanos(tick.nanos().saturating_add_signed(by));
        match trap {
            Trap::Now => {
                *answer = Resume::Tick(from(self.now, ahead));
                return Some(Verdict::Answered);
            }
            Trap::SleepUntil { tick } => *tick = from(*tick, ahead.saturating_neg()),
            Trap::Alarm { at } => *at = from(*at, ahead.saturating_neg()),
            Trap::BeginJob { release, deadline } => {
                *release = from(*release, ahead.saturating_neg());
                *deadline = deadline.map(|deadline| from(deadline, ahead.saturating_neg()));
            }
            _ => {}
        }
        None
    }

    /// Carries mail from a process to another, with the faults that befall it.
    #[cold]
    pub(super) fn carry(&mut self, from: Key, to: Key, mail: Mail) {
        if self.faults.is_none() {
            return self.hand_over_mail(to, mail);
        }
        let (sender, target) = (self.table[from].pid(), self.table[to].pid());
        match self.fate(from, to, &mail) {
            Fate::Dropped => {}
            Fate::Late { by, overtaken } => {
                let coming = Coming::Mail { mail, overtaken };
                return self.come_later(target, by, Class::Event, coming);
            }
            Fate::Duplicated => {
                self.arrive(target, mail.clone());
                self.arrive(target, mail);
            }
            Fate::Arrives => self.arrive(target, mail),
        }
        self.overtake(sender, target);
    }

    fn fate(&mut self, from: Key, to: Key, mail: &Mail) -> Fate {
        let count = self.faults.as_ref().map_or(0, |injector| injector.rules.len());
        for rule in 0..count {
            let Some(injector) = &self.faults else { break };
            let fault = &injector.rules[rule].fault;
            let Some(route) = route(fault) else { continue };
            // A reply stands alone: there is nothing to double or to overtake.
            let stands = mail.reply.is_some()
                && matches!(fault, Fault::Duplicate(_) | Fault::Reorder { .. });
            if stands || !self.is_on(route, from, to, mail) {
                continue;
            }
            let (fault, victim) = (fault.clone(), self.table[to].pid());
            if !self.strikes(rule, victim) {
                continue;
            }
            return match fault {
                Fault::Drop(_) => Fate::Dropped,
                Fault::Duplicate(_) => Fate::Duplicated,
                Fault::Reorder { within, .. } => Fate::Late { by: within, overtaken: true },
                Fault::Delay { least, most, .. } => {
                    let more = most.nanos() - least.nanos();
                    let more = (self.draw_fault(rule) * more as f64) as u64;
                    Fate::Late { by: least + Span::from_nanos(more), overtaken: false }
                }
                _ => Fate::Arrives,
            };
        }
        Fate::Arrives
    }

    fn is_on(&self, route: &Route, from: Key, to: Key, mail: &Mail) -> bool {
        let fits = |pattern: &Option<crate::faults::Pattern>, key: Key| {
            let process = &self.table[key];
            pattern.as_ref().is_none_or(|pattern| pattern.fits(process.pid(), &process.name))
        };
        let named = route.event.as_ref().is_none_or(|name| mail.event.name == name[..]);
        named && fits(&route.from, from) && fits(&route.to, to)
    }

    /// Gives mail to its receiver, who is there and has room.
    fn hand_over_mail(&mut self, to: Key, mail: Mail) {
        match mail.reply {
            Some(token) => {
                let Event { sender, mut name, mut data, .. } = mail.event;
                self.give_reply(to, token, sender, &mut name, &mut data);
            }
            None => self.deliver_event(to, mail.event),
        }
    }

    /// Mail arrives, if its receiver is there and has room, as on any way that gives no warranty.
    fn arrive(&mut self, to: Pid, mail: Mail) {
        let Some(target) = self.table.find(to) else { return };
        let event = &mail.event;
        let can = match mail.reply {
            Some(token) => self.find_call(target, event.sender, token),
            None => self.check_room(target, &event.name, &event.data),
        };
        match can {
            Ok(()) => self.hand_over_mail(target, mail),
            Err(_) => self.counters.dead_letters += 1,
        }
    }

    /// Lets something come to a process later.
    fn come_later(&mut self, to: Pid, by: Span, class: Class, what: Coming) {
        let at = self.now + by;
        let Some(injector) = &mut self.faults else { return };
        injector.last += 1;
        let id = injector.last;
        let timer = self.timers.arm(at, class, Alarm::Late(id));
        self.due |= at <= self.now;
        injector.late.push(Late { id, timer, to, what });
    }

    /// What was on its way comes now.
    pub(super) fn came_late(&mut self, id: u64) {
        let Some(injector) = &mut self.faults else { return };
        let Some(at) = injector.late.iter().position(|late| late.id == id) else { return };
        let Late { to, what, .. } = injector.late.remove(at);
        match what {
            Coming::Mail { mail, .. } => self.arrive(to, mail),
            Coming::Continue => {
                self.act(Action::Kill { pid: to, signal: SignalNumber::from(Signal::SIGCONT) });
            }
        }
    }

    /// Something from `from` has gone ahead of what was held back for that.
    fn overtake(&mut self, from: Pid, to: Pid) {
        let Some(injector) = &mut self.faults else { return };
        let waits = |late: &Late| match &late.what {
            Coming::Mail { mail, overtaken: true } => late.to == to && mail.event.sender == from,
            _ => false,
        };
        let Some(at) = injector.late.iter().position(waits) else { return };
        let Late { timer, what, .. } = injector.late.remove(at);
        self.timers.cancel(timer);
        if let Coming::Mail { mail, .. } = what {
            self.arrive(to, mail);
        }
    }

    /// What is on its way to a process that has ended gets lost.
    pub(super) fn drop_late(&mut self, pid: Pid) {
        let Some(injector) = &mut self.faults else { return };
        let (lost, kept) = std::mem::take(&mut injector.late)
            .into_iter()
            .partition::<Vec<_>, _>(|late| late.to == pid);
        injector.late = kept;
        for late in lost {
            self.timers.cancel(late.timer);
        }
    }
}

/// The events that a fault is about.
fn route(fault: &Fault) -> Option<&Route> {
    match fault {
        Fault::Drop(route) | Fault::Duplicate(route) => Some(route),
        Fault::Delay { route, .. } | Fault::Reorder { route, .. } => Some(route),
        Fault::Kill { .. } | Fault::Stop { .. } | Fault::Skew { .. } | Fault::Fail { .. } => None,
    }
}
