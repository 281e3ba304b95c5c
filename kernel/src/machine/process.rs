//! The record of a process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::offset_of;
use std::num::NonZeroU32;
use std::ops::Range;
use std::rc::Rc;

use hothouse_abi::{
    Code, Disposition, Event, EventKind, ExitStatus, LockId, Name, Personality, Pid, Program,
    Resume, Scheduling, Signal, SignalSet, Span, Tick, TimerId, Token, Value,
};

use super::interrupted::Interrupted;
use super::records::Records;
use super::siblings::Siblings;
use super::wait::{On, Wait};
use crate::mailbox::Mailbox;
use crate::memory::LINE;
use crate::policy::{CpuId, Task};
use crate::stream::Stream;
use crate::timers::TimerKey;

/// A place in the process table; used again after the process was buried.
pub(crate) type Key = usize;

/// All that the machine knows of one process.
///
/// Its life: `Ready` after spawn, `Running` while it has a CPU, `Waiting` while a trap of it is
/// parked, `Dead` once it counts as dead for the others and until it was unwound and buried. A
/// stop leaves the state as it is and only keeps the process off the ready queue.
///
/// The fields are in the order in which they are used together: a trap and a turn on a CPU look at
/// the first 64 bytes, the policy at the next.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Process {
    pub(crate) state: State,
    pub(crate) pending: SignalSet,
    pub(crate) mask: SignalSet,
    /// CPU time that its traps have cost and that it has not yet used.
    pub(crate) debt: Span,
    pub(crate) traps: u64,
    /// Since when it is ready, waiting or stopped.
    pub(crate) since: Tick,
    pub(super) answered: Answered,
    pub(crate) stopped: bool,
    pub(crate) personality: Personality,
    pub(crate) notices: bool,
    /// One more than the number of the CPU that it used last, if any.
    last_cpu: Option<NonZeroU32>,
    /// What most processes never need.
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) mailbox: Mailbox,
    /// What policies see of it.
    pub(crate) task: Task,
    /// What its parked trap waits for.
    ///
    /// invariant: set while `Waiting`. Set in another state, the wait is suspended: a signal or a
    /// stop came in between, and it is looked at again before the process goes on.
    pub(crate) wait: Option<Wait>,
    /// The answer, if it is [`Answered::Kept`]; else [`NOTHING`], or an event like it.
    pub(super) kept: Resume,
    pub(crate) siblings: Siblings,
    pub(crate) name: Name,
    pub(crate) user: Rc<Name>,
    pub(crate) cpu_time: Span,
    /// What switches and migrations cost it.
    pub(crate) overhead: Span,
    pub(crate) wait_time: Span,
    pub(crate) blocked_time: Span,
    pub(crate) started_at: Tick,
    /// What it runs, until it runs first.
    pub(crate) code: Option<Code>,
}

const _: () = assert!(offset_of!(Process, task) == 64);
const _: () = assert!(size_of::<Process>() == 384, "six cache lines of each process");

/// The record's cache lines in which a kept answer lies.
pub(crate) const KEPT_ANSWER: Range<usize> = {
    let start = offset_of!(Process, kept);
    start / LINE..(start + size_of::<Resume>()).div_ceil(LINE)
};

/// In the place of an answer, so that an event can be moved there field by field.
pub(super) const NOTHING: Resume = Resume::Event(Event::EMPTY);

#[inline(never)]
fn give(kept: &mut Resume, resume: &mut Resume) {
    resume.set(std::mem::replace(kept, NOTHING));
}

/// Whether a process has an answer that it gets when it runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    No,
    /// The answer is `Start`. For it and the next two, the most frequent of all, no second place is
    /// looked at.
    Start,
    /// The answer is `Unit`.
    Unit,
    /// The answer is to run this signal's handler.
    Handler(Signal),
    Kept,
}

const _: () = assert!(size_of::<Answered>() == 1);

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Running(CpuId),
    Waiting,
    Dead,
}

/// The part of the record that most processes never need.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// What each signal does, where it was changed.
    pub(crate) dispositions: Vec<(Signal, Disposition)>,
    /// Traps that handlers lie over, the innermost last.
    pub(crate) frames: Vec<Interrupted>,
    /// Set from the first `exit` on, while the hooks run.
    pub(crate) exiting: Option<ExitStatus>,
    pub(crate) has_hooks: bool,
    /// A signal that tells where the process was ends it, and its body has not been asked.
    pub(crate) tells_place: bool,
    /// Whether it began a job and has not ended it.
    pub(crate) in_job: bool,
    /// When its job is to be done, without what it inherits.
    pub(crate) deadline: Option<Tick>,
    pub(crate) stopped_time: Span,
    pub(crate) exit_timer: Option<TimerKey>,
    /// Why it is dead.
    pub(crate) status: Option<ExitStatus>,
    /// Where a fault struck.
    pub(crate) place: Option<String>,
    pub(crate) timers: BTreeMap<TimerId, TimerKey>,
    /// Fired timers whose events are still queued.
    pub(crate) fired_timers: usize,
    pub(crate) names: BTreeSet<Name>,
    /// Whom it monitors, and who monitors it.
    pub(crate) monitors: BTreeSet<Pid>,
    pub(crate) monitored_by: BTreeSet<Pid>,
    pub(super) records: Records,
    /// Who may wait for an event or a reply of this process. A hint: entries can be stale.
    pub(crate) watchers: Vec<Pid>,
    /// How long `watchers` may grow before stale entries are removed.
    pub(crate) watchers_limit: usize,
    pub(crate) calls: Calls,
    /// Locks that it holds open, and mutexes that it owns.
    pub(crate) locks: BTreeSet<LockId>,
    pub(crate) owned: BTreeSet<LockId>,
    pub(crate) stream: Option<Stream>,
}

/// The calls that a process made and that may still be answered.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) last: Option<Token>,
    /// Replies that came while a handler lay over the call.
    pub(crate) replies: Vec<Event>,
    /// Calls that it gave up, oldest first, so that a late reply can be told so.
    pub(crate) given_up: VecDeque<Token>,
}

impl Process {
    pub(crate) fn new(task: Task, name: Name, user: Rc<Name>, program: Program) -> Process {
        Process {
            task,
            state: State::Ready,
            stopped: false,
            personality: program.personality,
            notices: program.personality == Personality::Phoenix,
            answered: Answered::Start,
            kept: NOTHING,
            wait: None,
            debt: Span::ZERO,
            mask: SignalSet::empty(),
            pending: SignalSet::empty(),
            siblings: Siblings::default(),
            name,
            user,
            mailbox: Mailbox::new(),
            traps: 0,
            cpu_time: Span::ZERO,
            overhead: Span::ZERO,
            wait_time: Span::ZERO,
            blocked_time: Span::ZERO,
            since: Tick::ZERO,
            started_at: Tick::ZERO,
            last_cpu: None,
            code: Some(program.code),
            rare: None,
        }
    }

    /// Makes the record of a dead process, which owns nothing any more, that of a new one. In place,
    /// since a record is copied twice on the way from [`Process::new`]: 150 of the 1,000 instructions
    /// of a spawn.
    pub(crate) fn renew(&mut self, task: Task, mut name: Name, user: Rc<Name>, program: Program) {
        let Process {
            state,
            pending,
            mask,
            debt,
            traps,
            since,
            answered,
            stopped,
            personality,
            notices,
            last_cpu,
            task: old_task,
            // What `vacate` leaves empty.
            wait: _,
            mailbox: _,
            kept: _,
            rare: _,
            siblings,
            name: old_name,
            user: old_user,
            cpu_time,
            overhead,
            wait_time,
            blocked_time,
            started_at,
            code,
        } = self;
        *state = State::Ready;
        (*pending, *mask) = (SignalSet::empty(), SignalSet::empty());
        (*debt, *traps, *since) = (Span::ZERO, 0, Tick::ZERO);
        *answered = Answered::Start;
        *personality = program.personality;
        *notices = program.personality == Personality::Phoenix;
        (*stopped, *last_cpu) = (false, None);
        *old_task = task;
        *siblings = Siblings::default();
        name.move_to(old_name);
        *old_user = user;
        (*cpu_time, *overhead) = (Span::ZERO, Span::ZERO);
        (*wait_time, *blocked_time) = (Span::ZERO, Span::ZERO);
        *started_at = Tick::ZERO;
        *code = Some(program.code);
    }

    /// Whether there is no process: the place in the table is to be used again.
    pub(crate) fn is_vacant(&self) -> bool {
        self.task.pid == Pid::KERNEL
    }

    /// Drops what is left of a dead process, but for what all have.
    pub(crate) fn vacate(&mut self, scheduling: &Rc<Scheduling>, user: &Rc<Name>) {
        self.task.pid = Pid::KERNEL;
        if self.has_answer() {
            self.drop_answer();
        }
        self.wait = None;
        self.rare = None;
        self.code = None;
        if self.mailbox.peak() > 0 {
            self.mailbox = Mailbox::new();
        }
        self.name = Name::default();
        self.user = user.clone();
        self.state = State::Dead;
        self.task.scheduling = scheduling.clone();
    }

    /// Accounts for the time in the state that it is about to leave. Time with a CPU is accounted
    /// for as it is used.
    #[inline(always)]
    pub(crate) fn account(&mut self, now: Tick) {
        if self.since < now {
            self.account_passed(now);
        }
    }

    fn account_passed(&mut self, now: Tick) {
        let passed = now - self.since;
        self.since = now;
        match self.state {
            _ if self.stopped => self.rare().stopped_time += passed,
            State::Ready => self.wait_time += passed,
            State::Waiting => self.blocked_time += passed,
            State::Running(_) | State::Dead => {}
        }
    }

    /// Checks that the time since it was created is what went into its states, to the nanosecond.
    pub(crate) fn check_accounts(&self, now: Tick) {
        let run = self.cpu_time + self.overhead;
        let away = self.wait_time + self.blocked_time + self.stopped_time();
        assert_eq!(
            run + away,
            now - self.started_at,
            "invariant: run + ready + blocked + stopped = lifetime, but not for pid {} {}: {self:?}",
            self.pid(),
            self.name
        );
    }

    /// Whether nothing comes before what it is about to do: no signal and no CPU time owed.
    #[inline(always)]
    pub(crate) fn is_free(&self) -> bool {
        self.pending.difference(self.mask).is_empty() && self.debt.is_zero()
    }

    /// Whether it has an answer that it gets when it runs next.
    #[inline(always)]
    pub(crate) fn has_answer(&self) -> bool {
        self.answered != Answered::No
    }

    /// Sets that answer.
    #[inline(always)]
    pub(crate) fn set_answer(&mut self, answer: Resume) {
        if self.answered == Answered::Kept {
            self.drop_answer();
        }
        match answer {
            Resume::Unit => self.answered = Answered::Unit,
            Resume::Handler(signal) => self.answered = Answered::Handler(signal),
            answer => {
                self.answered = Answered::Kept;
                // There is nothing to drop.
                std::mem::forget(std::mem::replace(&mut self.kept, answer));
            }
        }
    }

    /// Makes a sent event that answer, in the place where it stays.
    #[inline(always)]
    pub(crate) fn set_event(
        &mut self,
        sender: Pid,
        name: &mut Name,
        data: &mut Value,
        token: Option<Token>,
    ) {
        if self.answered == Answered::Kept {
            self.drop_answer();
        }
        self.answered = Answered::Kept;
        let Resume::Event(event) = &mut self.kept else {
            unreachable!("invariant: without an answer there is an event in its place")
        };
        event.sender = sender;
        name.move_to(&mut event.name);
        data.move_to(&mut event.data);
        event.token = token;
        event.kind = EventKind::Sent;
    }

    /// Takes the answer.
    pub(crate) fn take_answer(&mut self) -> Option<Resume> {
        match std::mem::replace(&mut self.answered, Answered::No) {
            Answered::No => None,
            Answered::Start => Some(Resume::Start),
            Answered::Unit => Some(Resume::Unit),
            Answered::Handler(signal) => Some(Resume::Handler(signal)),
            Answered::Kept => Some(std::mem::replace(&mut self.kept, NOTHING)),
        }
    }

    /// Puts the answer into a frame, and says whether there was one.
    #[inline(always)]
    pub(crate) fn give_answer(&mut self, resume: &mut Resume) -> bool {
        match std::mem::replace(&mut self.answered, Answered::No) {
            Answered::No => return false,
            Answered::Start => resume.set(Resume::Start),
            Answered::Unit => resume.set(Resume::Unit),
            Answered::Handler(signal) => resume.set(Resume::Handler(signal)),
            Answered::Kept => match (&mut self.kept, &mut *resume) {
                (Resume::Event(from), Resume::Event(to)) => from.move_to(to),
                (kept, _) => give(kept, resume),
            },
        }
        true
    }

    /// Whether its answer lies in the record's lines [`KEPT_ANSWER`].
    pub(crate) fn has_kept_answer(&self) -> bool {
        self.answered == Answered::Kept
    }

    #[inline(never)]
    pub(crate) fn drop_answer(&mut self) {
        self.answered = Answered::No;
        self.kept = NOTHING;
    }

    pub(crate) fn pid(&self) -> Pid {
        self.task.pid
    }

    /// Notes that it uses this CPU. Returns whether the last one was another.
    pub(super) fn ran_on(&mut self, cpu: CpuId) -> bool {
        let number = NonZeroU32::MIN.saturating_add(cpu.0);
        self.last_cpu.replace(number).is_some_and(|last| last != number)
    }

    /// When its job is to be done, without what it inherits.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.rare_if(|rare| rare.deadline)
    }

    /// How long it was stopped.
    pub(super) fn stopped_time(&self) -> Span {
        self.rare_if(|rare| rare.stopped_time)
    }

    /// Notes whether it has exit hooks.
    pub(super) fn set_hooks(&mut self, hooks: bool) {
        if hooks || self.rare.is_some() {
            self.rare().has_hooks = hooks;
        }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The rare part, where its absence means that there is nothing of the kind.
    pub(crate) fn rare_if<T: Default>(&self, read: impl FnOnce(&Rare) -> T) -> T {
        self.rare.as_deref().map(read).unwrap_or_default()
    }

    /// What its trap waits for, and what those under handlers do.
    #[cfg(feature = "invariants")]
    pub(super) fn waits(&self) -> impl Iterator<Item = &Wait> {
        let frames = self.rare.iter().flat_map(|rare| &rare.frames);
        self.wait.iter().chain(frames.filter_map(|frame| frame.wait.as_ref()))
    }

    pub(crate) fn is_root(&self) -> bool {
        *self.user == "root"
    }

    pub(crate) fn is_exiting(&self) -> bool {
        self.rare_if(|rare| rare.exiting.is_some())
    }

    /// Whether its wait is for signals, this one among them.
    pub(crate) fn awaits_signal(&self, signal: Signal) -> bool {
        self.wait.as_ref().is_some_and(|wait| match wait.on {
            On::Signals(set) => set.has(signal),
            _ => false,
        })
    }
}
