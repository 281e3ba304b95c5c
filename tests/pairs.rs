//! Every pair of calls at one instant: they are carried out one after the other, in the order in
//! which the callers became ready. So the answers, and all that is left of them, are those of a run in
//! which the second call comes a nanosecond later.

use hothouse::abi::{
    Action, Ceiling, Disposition, ExitStatus, Filter, Frame, Gate, LockId, LockKind, MaskHow, Pid,
    Program, Protocol, Resume, Scheduling, Signal, SignalSet, Span, Tick, TimerId, Token, Trap,
    Value,
};
use hothouse::{Captured, Held, Kernel, Limits, Until};
use hothouse_tests::Notes;

/// When both calls are made.
const THEN: u64 = 10_000_000;
const MS: u64 = 1_000_000;

/// Those who make the calls, and a bystander who does nothing.
const BYSTANDER: Pid = Pid::new(3);
const ZERO: Option<Span> = Some(Span::ZERO);
const SOON: Option<Span> = Some(Span::from_millis(3));

/// The locks, made by the first caller and open to the second as well.
const MUTEX: LockId = LockId::new(1);
const SEMAPHORE: LockId = LockId::new(2);
const CONDITION: LockId = LockId::new(3);
const BARRIER: LockId = LockId::new(4);

/// Every call, as made by a process whose peer this is. Those that may wait come with several
/// timeouts.
fn calls(peer: Pid) -> Vec<Trap> {
    let mut calls = vec![
        Trap::Getpid,
        Trap::Getppid,
        Trap::Getuser,
        Trap::Setuser { user: "ann".into() },
        Trap::Getname,
        Trap::Getplist,
        // What the peer is about to do shows in what is known of it.
        Trap::Getpinfo { pid: BYSTANDER },
        Trap::Nice { level: Some(3), pid: Some(peer) },
        Trap::SchedSetattr { pid: Some(peer), scheduling: Box::new(Scheduling::default()) },
        Trap::SchedGetattr { pid: Some(peer) },
        Trap::BeginJob { release: Tick::ZERO, deadline: None },
        Trap::EndJob,
        Trap::Sigprocmask { how: MaskHow::Block, set: SignalSet::SIGUSR1 },
        Trap::Sigpending,
        Trap::SigReturn,
        Trap::PeekEvent,
        Trap::QueueEvent { name: "own".into(), data: Value::Nil },
        Trap::SendService { service: "mine".into(), name: "served".into(), data: Value::Nil },
        Trap::Reply { pid: peer, token: Some(Token::FIRST), name: "re".into(), data: Value::Nil },
        Trap::Unregister { name: "mine".into() },
        Trap::Lookup { name: "new".into() },
        Trap::Spawn { name: "child".into(), program: Some(waits()) },
        Trap::Exit { status: exited() },
        Trap::AtExit { hooks: false },
        Trap::Notices { on: true },
        Trap::Monitor { pid: peer },
        Trap::Demonitor { pid: peer },
        Trap::Yield,
        Trap::Now,
        Trap::SleepUntil { tick: Tick::from_nanos(THEN + MS) },
        Trap::Alarm { at: Tick::from_nanos(THEN + 2 * MS) },
        Trap::Cancel { id: TimerId::new(1) },
        Trap::Log { text: "a line".into() },
        Trap::Random,
        Trap::CreateLock { kind: LockKind::Mutex(Protocol::Ceiling(Ceiling::default())) },
        Trap::TryLock { id: MUTEX },
        Trap::Unlock { id: MUTEX },
        Trap::TryAcquire { id: SEMAPHORE },
        Trap::Release { id: SEMAPHORE, permits: 1 },
        Trap::Notify { id: CONDITION, all: true },
    ];
    calls.extend([MUTEX, CONDITION].map(|id| Trap::DestroyLock { id }));
    calls.extend(["new", "mine"].map(|name| Trap::Register { name: name.into() }));
    calls.extend([0, MS].map(|nanos| Trap::Sleep { span: Span::from_nanos(nanos) }));
    // A burst that ends as a sleep does comes before it, whatever was asked for first.
    calls.extend([0, 2 * MS].map(|nanos| Trap::Compute { span: Span::from_nanos(nanos) }));
    calls.extend([0, MS].map(|nanos| Trap::Timer { span: Span::from_nanos(nanos) }));
    calls.extend([peer, BYSTANDER, Pid::new(99)].map(|pid| Trap::Send {
        pid,
        name: "word".into(),
        data: 7.into(),
    }));
    let signals =
        [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSTOP, Signal::SIGCONT, Signal::SIGUSR1];
    calls.extend(signals.map(|signal| Trap::Kill { pid: peer, signal: signal.into() }));
    calls.extend([Action::Ignore, Action::Event].map(|action| Trap::Sigaction {
        signal: Signal::SIGUSR1.into(),
        disposition: Some(Disposition::from(action)),
    }));
    for timeout in [None, ZERO, SOON] {
        calls.extend([
            Trap::Receive { filter: Filter::any(), timeout },
            Trap::Receive { filter: Filter::sender(peer), timeout },
            Trap::NextEvent { timeout },
            Trap::FilterEvent { names: vec!["word".into()], remote: false, timeout },
            Trap::Sigwait { set: SignalSet::SIGUSR1, timeout },
            Trap::Call { pid: peer, name: "ask".into(), data: Value::Nil, timeout },
            Trap::Wait { pid: None, timeout },
            Trap::Lock { id: MUTEX, timeout },
            Trap::Acquire { id: SEMAPHORE, timeout },
            Trap::WaitCondition { id: CONDITION, mutex: MUTEX, timeout },
            Trap::WaitBarrier { id: BARRIER, timeout },
        ]);
    }
    calls
}

fn exited() -> ExitStatus {
    ExitStatus::Exited(Value::Nil)
}

/// A process that only waits.
fn waits() -> Program {
    Program::native(|gate| {
        let filter = Filter::name("never");
        let _ = gate.trap(&mut Frame::new(Trap::Receive { filter, timeout: None }));
        exited()
    })
}

/// Makes a call, and runs the handler that may come before its answer.
fn make(gate: &dyn Gate, trap: Trap, notes: &Notes) -> Resume {
    let mut frame = Frame::new(trap);
    let _ = gate.trap(&mut frame);
    while let Resume::Handler(signal) = frame.resume {
        notes.add(format!("handled {signal}"));
        frame.trap = Trap::SigReturn;
        let _ = gate.trap(&mut frame);
    }
    frame.resume
}

/// Does what it needs before, makes its call at a time, and notes what came of it.
fn caller(first: bool, call: usize, at: u64, notes: Notes) -> Program {
    Program::native(move |gate| {
        let peer = Pid::new(if first { 2 } else { 1 });
        let say =
            |text: String| notes.add(format!("{}: {text}", if first { "first" } else { "second" }));
        let handler = Some(Disposition::from(Action::Handler));
        let before = [
            Trap::Sigaction { signal: Signal::SIGUSR1.into(), disposition: handler },
            Trap::Timer { span: Span::from_secs(1) },
        ];
        before.into_iter().for_each(|trap| _ = make(gate, trap, &notes));
        if first {
            let kinds = [
                LockKind::Mutex(Protocol::None),
                LockKind::Semaphore(1),
                LockKind::Condition,
                LockKind::Barrier(2),
            ];
            for kind in kinds {
                make(gate, Trap::CreateLock { kind }, &notes);
            }
            make(gate, Trap::Register { name: "mine".into() }, &notes);
        }
        make(gate, Trap::SleepUntil { tick: Tick::from_nanos(MS) }, &notes);
        make(gate, Trap::SleepUntil { tick: Tick::from_nanos(at) }, &notes);
        say(format!("{:?}", make(gate, calls(peer).swap_remove(call), &notes)));
        for wait in [None, Some(THEN + 4 * MS)] {
            if let Some(until) = wait {
                make(gate, Trap::SleepUntil { tick: Tick::from_nanos(until) }, &notes);
            }
            while let Resume::Event(event) = make(gate, Trap::NextEvent { timeout: ZERO }, &notes) {
                say(format!("got {} from {}: {}", event.name, event.sender, event.data));
            }
        }
        exited()
    })
}

/// What two calls come to, each later by so many nanoseconds.
fn outcome(pair: [usize; 2], cpus: u32, later: [u64; 2]) -> Vec<String> {
    let notes = Notes::default();
    let captured = Captured::default();
    let limits = Limits { processes: 8, ..Limits::default() };
    let builder = Kernel::builder().cpus(cpus).limits(limits).console(captured.clone());
    let mut kernel = builder.build().expect("good settings");
    let [first, second] = pair;
    kernel
        .spawn("one", caller(true, first, THEN + later[0], notes.clone()))
        .expect("there is room");
    kernel
        .spawn("two", caller(false, second, THEN + later[1], notes.clone()))
        .expect("there is room");
    kernel.spawn("bystander", waits()).expect("there is room");
    let end = Tick::from_nanos(THEN + 8 * MS);
    kernel.run_until(Until::TimeOrIdle(end));
    for process in kernel.processes() {
        notes.add(format!("{} {} with {}", process.pid, process.state, process.mailbox_depth));
    }
    for exit in kernel.report().records {
        notes.add(format!("{} {}", exit.pid, exit.status));
    }
    captured.lines().into_iter().for_each(|line| notes.add(line));
    kernel.kill_all();
    assert_eq!(kernel.held(), Held::default());
    // The nanosecond itself is no difference.
    let at = |nanos: u64| Tick::from_nanos(nanos).to_string();
    notes.take().iter().map(|line| line.replace(&at(THEN + 1), &at(THEN))).collect()
}

#[test]
fn every_pair_of_calls_at_one_instant_is_one_after_the_other() {
    let all = calls(BYSTANDER);
    let mut differences = Vec::new();
    for (first, call) in all.iter().enumerate() {
        for (second, other) in all.iter().enumerate() {
            // Who yields lets the other go first.
            let yields = matches!(call, Trap::Yield) && !matches!(other, Trap::Yield);
            let later = if yields { [1, 0] } else { [0, 1] };
            for cpus in [1, 2] {
                let tie = outcome([first, second], cpus, [0, 0]);
                let sequence = outcome([first, second], cpus, later);
                if tie != sequence {
                    let pair = format!("{call:?} and {other:?} on {cpus} CPUs");
                    differences.push(format!("{pair}:\n  {tie:?}\n  {sequence:?}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}\n{}", differences.len(), differences.join("\n"));
}
