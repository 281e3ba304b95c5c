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

const MS: Duration = Duration::from_millis(1);
const STOPS: SignalSet = SignalSet::SIGSTOP
    .union(SignalSet::SIGTSTP)
    .union(SignalSet::SIGTTIN)
    .union(SignalSet::SIGTTOU);

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
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
enum Does {
    Default,
    Ignore,
    Event,
    Handler,
    Interrupting,
}

const ACTIONS: [Does; 5] =
    [Does::Default, Does::Ignore, Does::Event, Does::Handler, Does::Interrupting];

#[derive(Clone, Copy, Debug)]
struct Case {
    state: State,
    signal: Signal,
    action: Does,
    blocked: bool,
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
struct Seen {
    /// What `kill` returned.
    killed: Option<Result<(), Errno>>,
    /// Whether it was stopped at 15.
    stopped: bool,
    /// When the handler ran.
    handled: Vec<u64>,
    /// What the call of the state returned, when, and how many handlers had run by then; the call
    /// is made again after an `EINTR`.
    results: Vec<String>,
    /// Whether the signal was pending after that.
    pending: bool,
    /// Events `signal` in the mailbox before and after the mask was opened.
    events: (usize, usize),
    /// Whether it was stopped at 60.
    stopped_late: bool,
    /// Its exit status, and when.
    end: Option<(String, u64)>,
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
        Burst => sys.compute(20 * MS).map(|()| "computed".into()),
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

/// What a signal comes to once it is delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    End,
    Stop,
    Nothing,
    Event,
    Handler,
    Interrupt,
}

fn effect(case: Case) -> Effect {
    use Signal::*;
    match (case.signal, case.action) {
        (SIGKILL, _) => Effect::End,
        (SIGSTOP, _) => Effect::Stop,
        (_, Does::Ignore) => Effect::Nothing,
        (_, Does::Event) => Effect::Event,
        (_, Does::Handler) => Effect::Handler,
        (_, Does::Interrupting) => Effect::Interrupt,
        (SIGTSTP | SIGTTIN | SIGTTOU, Does::Default) => Effect::Stop,
        (SIGCHLD | SIGURG | SIGWINCH | SIGCONT, Does::Default) => Effect::Nothing,
        (_, Does::Default) => Effect::End,
    }
}

/// What an undisturbed call of the state returns, and when.
fn undisturbed(state: State) -> (&'static str, u64) {
    match state {
        Ready => ("slept", 10),
        RunningSelf => ("killed", 10),
        Receive | Stopped | InHandler | NextEvent | FilterEvent => ("go", 30),
        Sleep => ("slept", 30),
        Wait => ("exited", 30),
        SigwaitOther => ("other", 30),
        SigwaitSame => ("ETIMEDOUT", 40),
        Call => ("ask", 30),
        Mutex => ("locked", 30),
        Semaphore => ("acquired", 30),
        Condition => ("woken", 30),
        Barrier => ("open", 30),
        Burst => ("computed", 20),
        NotStarted => ("started", 10),
        Exiting | Dead => unreachable!("exit does not return"),
    }
}

/// The oracle: what the contract says of a case.
fn expected(case: Case) -> Seen {
    let Case { state, signal, blocked, .. } = case;
    let mut seen = Seen::default();
    seen.killed = (state != RunningSelf).then_some(Ok(()));
    let signaled = |time| Some((ExitStatus::Signaled(signal).to_string(), time));
    match state {
        Dead => {
            seen.killed = Some(Err(Errno::ESRCH));
            seen.end = Some(("exited 7".into(), 0));
            return seen;
        }
        // A signal other than KILL is held while the hooks run.
        Exiting => {
            let killed = signal == Signal::SIGKILL;
            seen.end = if killed { signaled(10) } else { Some(("exited 7".into(), 30)) };
            return seen;
        }
        _ => {}
    }
    // A stopped process acts on its signals when it goes on, which discards pending stops.
    let resumes = if signal == Signal::SIGCONT { 10 } else { 20 };
    let time = if state == Stopped { resumes } else { 10 };
    let effect = match effect(case) {
        _ if state == Stopped && STOPS.has(signal) => Effect::Nothing,
        effect => effect,
    };
    seen.stopped = state == Stopped && signal != Signal::SIGCONT;
    if signal == Signal::SIGKILL {
        seen.stopped = false;
        seen.end = signaled(10);
        return seen;
    }
    if blocked { masked(case, effect, seen) } else { open(case, effect, time, seen) }
}

fn masked(case: Case, effect: Effect, mut seen: Seen) -> Seen {
    let (mut text, mut last) = undisturbed(case.state);
    // POSIX leaves it open whether a signal that is masked and ignored is kept; here it is, so that
    // it waits for sigwait or for the mask like any other.
    if case.state == SigwaitSame {
        (text, last) = ("same", 10);
    } else {
        seen.pending = case.state != Stopped || !STOPS.has(case.signal);
    }
    seen.results.push(format!("{text} at {last} after 0"));
    seen.end = Some(("exited 7".into(), last));
    if !seen.pending {
        return seen;
    }
    match effect {
        Effect::End => seen.end = Some((ExitStatus::Signaled(case.signal).to_string(), last)),
        Effect::Stop => {
            // A stop at 20 comes after the controller has looked, whose CPU has its turn first.
            seen.stopped |= last < 15;
            seen.stopped_late = last >= 20;
            seen.end = Some(("exited 7".into(), if last < 15 { 20 } else { 60 }));
        }
        Effect::Event => seen.events.1 = 1,
        Effect::Handler | Effect::Interrupt => seen.handled.push(last),
        Effect::Nothing => {}
    }
    seen
}

fn open(case: Case, effect: Effect, time: u64, mut seen: Seen) -> Seen {
    let (mut text, mut last) = undisturbed(case.state);
    let waits = !matches!(case.state, Ready | RunningSelf | Burst | NotStarted | InHandler);
    match effect {
        Effect::End => {
            seen.end = Some((ExitStatus::Signaled(case.signal).to_string(), time));
            return seen;
        }
        Effect::Stop => {
            seen.stopped = true;
            last = match case.state {
                Ready | RunningSelf | NotStarted => 20,
                Burst => 30,
                _ => last,
            };
        }
        Effect::Event if case.state == NextEvent => (text, last) = ("signal", time),
        Effect::Event => seen.events.0 = 1,
        Effect::Handler => seen.handled.push(time),
        Effect::Interrupt => {
            seen.handled.push(time);
            if waits {
                seen.results.push(format!("EINTR at {time} after 1"));
            }
        }
        Effect::Nothing => {}
    }
    seen.results.push(format!("{text} at {last} after {}", seen.handled.len()));
    seen.end = Some(("exited 7".into(), last));
    seen
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
