//! `kill` and `sigaction`, exhaustively: every state of the victim, every signal, every action,
//! masked and not, against an oracle that only knows the contract.
//!
//! All runs share one timetable. The victim gets ready at 0 and begins what the state says. The
//! signal comes at 10 ms, a stopped victim is looked for at 15 and continued at 20, and at 30 it
//! gets what it waits for. Then it looks at what is pending and queued, opens its mask, looks again
//! and exits with 7. What is still stopped at 60 ms is continued.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hothouse::{
    Action, Errno, Exit, ExitStatus, Filter, LockId, LockKind, MaskHow, Pid, Protocol, Signal,
    SignalSet, StateInfo, Sys, Tick, Until, program,
};
use hothouse_tests::{scenario_with, solo};

use crate::signal_oracle::{Effect, effect, expected};

const MS: Duration = Duration::from_millis(1);
pub(crate) const STOPS: SignalSet = SignalSet::SIGSTOP
    .union(SignalSet::SIGTSTP)
    .union(SignalSet::SIGTTIN)
    .union(SignalSet::SIGTTOU);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Ready,
    RunningSelf,
    Receive,
    NextEvent,
    FilterEvent,
    Sleep,
    Wait,
    SigwaitOther,
    SigwaitSame,
    Call,
    Mutex,
    Semaphore,
    Condition,
    Barrier,
    Burst,
    Stopped,
    InHandler,
    NotStarted,
    Exiting,
    Dead,
}

use State::*;

const STATES: [State; 20] = [
    Ready,
    RunningSelf,
    Receive,
    NextEvent,
    FilterEvent,
    Sleep,
    Wait,
    SigwaitOther,
    SigwaitSame,
    Call,
    Mutex,
    Semaphore,
    Condition,
    Barrier,
    Burst,
    Stopped,
    InHandler,
    NotStarted,
    Exiting,
    Dead,
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Does {
    Default,
    Ignore,
    Event,
    Handler,
    Interrupting,
}

const ACTIONS: [Does; 5] =
    [Does::Default, Does::Ignore, Does::Event, Does::Handler, Does::Interrupting];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) state: State,
    pub(crate) signal: Signal,
    pub(crate) action: Does,
    pub(crate) blocked: bool,
}

impl Case {
    /// Whether the combination can be had at all.
    fn exists(&self) -> bool {
        let plain = self.action == Does::Default && !self.blocked;
        match self.state {
            NotStarted | Dead => plain,
            SigwaitSame => self.signal.is_catchable(),
            _ => plain || self.signal.is_catchable(),
        }
    }

    /// A signal other than the one under test.
    fn other(&self) -> Signal {
        if self.signal == Signal::SIGUSR1 { Signal::SIGUSR2 } else { Signal::SIGUSR1 }
    }
}

/// What is seen of a victim. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// What `kill` returned.
    pub(crate) killed: Option<Result<(), Errno>>,
    /// Whether it was stopped at 15.
    pub(crate) stopped: bool,
    /// When the handler ran.
    pub(crate) handled: Vec<u64>,
    /// What the call of the state returned, when, and how many handlers had run by then; the call
    /// is made again after an `EINTR`.
    pub(crate) results: Vec<String>,
    /// Whether the signal was pending after that.
    pub(crate) pending: bool,
    /// Events `signal` in the mailbox before and after the mask was opened.
    pub(crate) events: (usize, usize),
    /// Whether it was stopped at 60.
    pub(crate) stopped_late: bool,
    /// Its exit status, and when.
    pub(crate) end: Option<(String, u64)>,
}

type Shared = Rc<RefCell<Seen>>;

fn ms(tick: Tick) -> u64 {
    tick.nanos() / 1_000_000
}

fn at(sys: &Sys, time: u64) {
    // An interrupted sleep ends early, as the test wants it to.
    let _ = sys.sleep_until(Tick::from_nanos(time * 1_000_000));
}

/// The locks that victims wait for, the mutex held by the controller.
#[derive(Clone, Copy)]
struct Locks {
    mutex: LockId,
    semaphore: LockId,
    condition: LockId,
    free: LockId,
    barrier: LockId,
}

impl Locks {
    fn new(sys: &Sys) -> Result<Locks, Errno> {
        let locks = Locks {
            mutex: sys.create_lock(LockKind::Mutex(Protocol::None))?,
            semaphore: sys.create_lock(LockKind::Semaphore(0))?,
            condition: sys.create_lock(LockKind::Condition)?,
            free: sys.create_lock(LockKind::Mutex(Protocol::None))?,
            barrier: sys.create_lock(LockKind::Barrier(2))?,
        };
        sys.lock(locks.mutex, None).map(|_| locks)
    }
}

fn set_up(sys: &Sys, case: Case, seen: &Shared) {
    let seen = seen.clone();
    let run = move |sys: &Sys, signal: Signal| {
        assert_eq!(signal, case.signal);
        seen.borrow_mut().handled.push(ms(sys.now()));
    };
    let action = match case.action {
        Does::Default => Action::Default,
        Does::Ignore => Action::Ignore,
        Does::Event => Action::Event,
        Does::Handler => Action::handler(run),
        Does::Interrupting => Action::interrupting(run),
    };
    let set = sys.sigaction(case.signal, action);
    assert_eq!(set.is_ok(), case.signal.is_catchable());
    if case.blocked {
        sys.sigprocmask(MaskHow::Block, case.signal.into());
    }
}

/// Makes the call of the state, and gives its result in words.
fn attempt(sys: &Sys, case: Case, locks: Locks, child: Option<Pid>) -> Result<String, Errno> {
    let named = |event: hothouse::Event| event.name.to_string();
    match case.state {
        Ready => sys.sleep(3 * MS).map(|()| "slept".into()),
        RunningSelf => sys.kill(sys.getpid(), case.signal).map(|()| "killed".into()),
        Receive | Stopped | InHandler => sys.receive_event(Filter::name("go"), None).map(named),
        NextEvent => sys.next_event(None).map(named),
        FilterEvent => sys.filter_event(["go"], None).map(named),
        Sleep => sys.sleep_until(Tick::from_nanos(30_000_000)).map(|()| "slept".into()),
        Wait => sys.wait(child, None).map(|exit| exit.status.to_string()),
        SigwaitOther => sys.sigwait(case.other().into(), None).map(|_| "other".into()),
        SigwaitSame => {
            let left = Tick::from_nanos(40_000_000) - sys.now();
            sys.sigwait(case.signal.into(), Some(left.duration())).map(|_| "same".into())
        }
        Call => sys.call(Pid::new(1), "ask", (), None).map(named),
        Mutex => sys.lock(locks.mutex, None).map(|_| "locked".into()),
        Semaphore => sys.acquire(locks.semaphore, None).map(|()| "acquired".into()),
        Condition => sys.wait_condition(locks.condition, locks.free, None).map(|_| "woken".into()),
        Barrier => sys.wait_barrier(locks.barrier, None).map(|_| "open".into()),
        // A little more, so that the controller looks at 20 ms before the victim goes on.
        Burst => sys.compute(20 * MS + Duration::from_nanos(1)).map(|()| "computed".into()),
        NotStarted => Ok("started".into()),
        Exiting | Dead => sys.exit(7),
    }
}

/// What the state needs before its call.
fn prepare(sys: &Sys, case: Case, locks: Locks) -> Option<Pid> {
    match case.state {
        // So that at 10 ms the controller, whose sleep began before, wakes first.
        Ready => at(sys, 7),
        RunningSelf => at(sys, 10),
        SigwaitOther => {
            sys.sigprocmask(MaskHow::Block, case.other().into());
        }
        Condition => assert_eq!(sys.lock(locks.free, None), Ok(false)),
        Wait => return Some(sys.spawn("grandchild", |sys| at(sys, 30)).expect("there is room")),
        Exiting => sys.at_exit(|sys| at(sys, 30)),
        InHandler => {
            let long = |sys: &Sys, _| at(sys, 25);
            sys.sigaction(case.other(), Action::handler(long)).expect("it can be caught");
        }
        _ => {}
    }
    None
}

fn drain(sys: &Sys, case: Case) -> usize {
    let mut signals = 0;
    while let Ok(event) = sys.next_event(Some(Duration::ZERO)) {
        assert_eq!(event.name, "signal");
        assert_eq!(event.data.get("signal").as_int(), Some(case.signal.number().into()));
        assert!(event.sender.is_kernel());
        signals += 1;
    }
    signals
}

fn victim(sys: &Sys, case: Case, locks: Locks, seen: &Shared) -> i32 {
    if !matches!(case.state, NotStarted) {
        set_up(sys, case, seen);
    }
    let child = prepare(sys, case, locks);
    loop {
        let result = attempt(sys, case, locks, child);
        let mut seen = seen.borrow_mut();
        let text = result.clone().unwrap_or_else(|errno| errno.name().to_owned());
        let line = format!("{text} at {} after {}", ms(sys.now()), seen.handled.len());
        seen.results.push(line);
        drop(seen);
        if case.state == Condition {
            assert_eq!(sys.try_lock(locks.free), Err(Errno::EDEADLK), "the mutex is held again");
        }
        if result != Err(Errno::EINTR) {
            break;
        }
    }
    let pending = sys.sigpending();
    assert!((SignalSet::from(case.signal)).contains(pending), "nothing else is pending");
    seen.borrow_mut().pending = pending.has(case.signal);
    seen.borrow_mut().events.0 = drain(sys, case);
    sys.sigprocmask(MaskHow::Set, SignalSet::empty());
    seen.borrow_mut().events.1 = drain(sys, case);
    7
}

/// Gives the victim what it waits for; it may be dead by now, or have given up.
fn complete(sys: &Sys, case: Case, locks: Locks, victim: Pid) {
    match case.state {
        SigwaitOther => _ = sys.kill(victim, case.other()),
        Call => {
            while let Ok(request) = sys.receive_event(Filter::name("ask"), Some(Duration::ZERO)) {
                let _ = sys.reply(&request, ());
            }
        }
        Mutex => sys.unlock(locks.mutex).expect("it is held"),
        Semaphore => sys.release(locks.semaphore, 1).expect("it is there"),
        Condition => {
            let held = sys.lock(locks.free, Some(Duration::ZERO)).is_ok();
            sys.notify(locks.condition, false).expect("it is there");
            if held {
                sys.unlock(locks.free).expect("it is held");
            }
        }
        Barrier => _ = sys.wait_barrier(locks.barrier, Some(MS)),
        Receive | NextEvent | FilterEvent | Stopped | InHandler => {
            let _ = sys.send_event(victim, "go", ());
        }
        _ => {}
    }
}

fn is_stopped(sys: &Sys, pid: Pid) -> bool {
    sys.getpinfo(pid).is_ok_and(|info| info.state == StateInfo::Stopped)
}

fn control(sys: &Sys, case: Case, seen: &Shared) -> Result<(), Errno> {
    let locks = Locks::new(sys)?;
    let start = |sys: &Sys| {
        let seen = seen.clone();
        sys.spawn("victim", move |sys| victim(sys, case, locks, &seen))
    };
    let mut pid = Pid::KERNEL;
    if case.state != NotStarted {
        pid = start(sys)?;
    }
    at(sys, 5);
    match case.state {
        Stopped => sys.kill(pid, Signal::SIGSTOP)?,
        InHandler => sys.kill(pid, case.other())?,
        _ => {}
    }
    at(sys, 10);
    if case.state == NotStarted {
        pid = start(sys)?;
    }
    if case.state != RunningSelf {
        let killed = sys.kill(pid, case.signal);
        seen.borrow_mut().killed = Some(killed);
    }
    if case.signal == Signal::SIGKILL {
        assert_eq!(sys.kill(pid, 0), Err(Errno::ESRCH), "it is gone when kill returns");
    }
    at(sys, 15);
    seen.borrow_mut().stopped = is_stopped(sys, pid);
    at(sys, 20);
    if is_stopped(sys, pid) {
        sys.kill(pid, Signal::SIGCONT)?;
    }
    at(sys, 30);
    complete(sys, case, locks, pid);
    at(sys, 60);
    seen.borrow_mut().stopped_late = is_stopped(sys, pid);
    if is_stopped(sys, pid) {
        sys.kill(pid, Signal::SIGCONT)?;
    }
    let Exit { status, ended_at, .. } = sys.wait(pid, Some(MS))?;
    seen.borrow_mut().end = Some((status.to_string(), ms(ended_at)));
    Ok(())
}

fn observed(case: Case) -> Seen {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let run = scenario_with(
        // A burst keeps its CPU; the controller needs another one.
        |builder| builder.cpus(if case.state == Burst { 2 } else { 1 }),
        |kernel| {
            seen.take();
            let seen = seen.clone();
            let main = program(move |sys| control(sys, case, &seen));
            kernel.spawn("control", main).expect("there is room");
        },
        || Until::Idle,
    );
    assert_eq!(run.exit(1).status, ExitStatus::Exited(().into()), "{case:?}");
    seen.take()
}

#[test]
fn every_state_signal_action_and_mask() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for state in STATES {
        for signal in Signal::ALL {
            for action in ACTIONS {
                for blocked in [false, true] {
                    let case = Case { state, signal, action, blocked };
                    if !case.exists() {
                        continue;
                    }
                    count += 1;
                    let (seen, expected) = (observed(case), expected(case));
                    if seen != expected {
                        wrong.push(format!(
                            "{case:?}\n  seen     {seen:?}\n  expected {expected:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
    assert_eq!(count, 17 * (29 * 10 + 2) + 29 * 10 + 2 * 31);
}

/// An action whose handler counts, by kind.
fn action(does: Does, count: &Rc<Cell<u32>>) -> Action {
    let count = count.clone();
    let run = move |_: &Sys, _| count.set(count.get() + 1);
    match does {
        Does::Default => Action::Default,
        Does::Ignore => Action::Ignore,
        Does::Event => Action::Event,
        Does::Handler => Action::handler(run),
        Does::Interrupting => Action::interrupting(run),
    }
}

/// Changes an action, with the signal pending or not, and checks what comes of it.
fn change(sys: &Sys, signal: Signal, old: Does, new: Does, pending: bool) {
    let counts = [Rc::new(Cell::new(0)), Rc::new(Cell::new(0))];
    let (first, second) = (action(old, &counts[0]), action(new, &counts[1]));
    sys.sigaction(signal, first.clone()).expect("it can be caught");
    sys.sigprocmask(MaskHow::Set, signal.into());
    if pending {
        sys.kill(sys.getpid(), signal).expect("it is oneself");
    }
    assert_eq!(sys.sigaction(signal, second.clone()), Ok(first));
    assert_eq!(sys.sigaction(signal, None), Ok(second));

    let effect = effect(Case { state: Ready, signal, action: new, blocked: true });
    let kept = pending && effect != Effect::Nothing;
    assert_eq!(sys.sigpending().has(signal), kept, "{signal} {old:?} {new:?}");
    if matches!(effect, Effect::End | Effect::Stop) {
        assert_eq!(sys.sigwait(signal.into(), Some(Duration::ZERO)).is_ok(), kept);
    }
    sys.sigprocmask(MaskHow::Set, SignalSet::empty());
    let handles = matches!(effect, Effect::Handler | Effect::Interrupt);
    assert_eq!((counts[0].get(), counts[1].get()), (0, u32::from(kept && handles)));
    let event = sys.next_event(Some(Duration::ZERO));
    assert_eq!(event.is_ok(), kept && effect == Effect::Event, "{signal} {old:?} {new:?}");
}

#[test]
fn every_change_of_action() {
    solo(|sys| {
        for signal in Signal::ALL {
            for (old, new) in ACTIONS.into_iter().flat_map(|a| ACTIONS.map(|b| (a, b))) {
                if signal.is_catchable() {
                    change(sys, signal, old, new, false);
                    change(sys, signal, old, new, true);
                } else {
                    let none = Rc::default();
                    assert_eq!(sys.sigaction(signal, action(new, &none)), Err(Errno::EINVAL));
                }
            }
        }
    });
}
