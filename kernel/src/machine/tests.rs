//! The machine driven by hand: no coroutine, no Lua, no driver.

use std::collections::{BTreeMap, VecDeque};

use hothouse_abi::{
    Action, Disposition, Errno, Event, ExitStatus, Filter, Frame, LockId, LockKind, Pid, Program,
    Protocol, Resume, Signal, Span, StateInfo, Tick, Trap, Value,
};

use super::process::Key;
use super::{After, Held, Machine, Next, Settings};
use crate::console::Captured;
use crate::error::RunError;
use crate::faults::Faults;
use crate::limits::{Costs, Limits};
use crate::policy::Fifo;

/// A machine whose processes make the traps of a script, one after the other, and then exit.
struct Hand {
    machine: Machine,
    scripts: BTreeMap<Pid, VecDeque<Trap>>,
    answers: BTreeMap<Pid, Vec<Resume>>,
}

/// What the driver would do next that is no run of a process.
#[derive(Debug, PartialEq)]
enum Came {
    Ran(Pid),
    Unwound(Pid),
    Advance(Tick),
    Limit,
    Stuck,
    Failed,
}

fn idle_program() -> Program {
    Program::native(|_| unreachable!("no program runs in these tests"))
}

impl Hand {
    fn new(cpus: u32) -> Hand {
        Hand::with(cpus, Limits::default(), Costs::default())
    }

    fn with(cpus: u32, limits: Limits, costs: Costs) -> Hand {
        let machine = Machine::new(Settings {
            policy: Box::new(Fifo::new()),
            cpus,
            seed: 1,
            costs,
            limits,
            console: Box::new(Captured::default()),
            listener: None,
            oracle: None,
            faults: Faults::default(),
            repeatable: false,
            admission: false,
        });
        Hand { machine, scripts: BTreeMap::new(), answers: BTreeMap::new() }
    }

    fn start(&mut self, script: impl IntoIterator<Item = Trap>) -> Pid {
        let pid = self.machine.spawn_from_outside("hand".into(), idle_program()).unwrap();
        self.scripts.insert(pid, script.into_iter().collect());
        pid
    }

    fn pid(&self, key: Key) -> Pid {
        self.machine.table[key].pid()
    }

    fn answer(&mut self, pid: Pid, answer: Resume) {
        self.answers.entry(pid).or_default().push(answer);
    }

    /// One decision of the machine, carried out.
    fn step(&mut self) -> Came {
        match self.machine.next(Tick::MAX) {
            Next::Run(key) => {
                let pid = self.pid(key);
                let answer = self.machine.take_answer(key);
                self.answer(pid, answer);
                self.run(key, pid);
                Came::Ran(pid)
            }
            Next::Unwind => {
                let key = self.machine.victims.pop_front().unwrap();
                let pid = self.pid(key);
                self.machine.bury(key);
                Came::Unwound(pid)
            }
            Next::Advance(to) => {
                self.machine.advance(to);
                Came::Advance(to)
            }
            Next::Limit => Came::Limit,
            Next::Stuck => Came::Stuck,
            Next::Failed => Came::Failed,
        }
    }

    /// Makes the traps of a running process until it leaves its CPU.
    fn run(&mut self, key: Key, pid: Pid) {
        loop {
            let Some(trap) = self.scripts.get_mut(&pid).and_then(VecDeque::pop_front) else {
                return self.machine.ended(key, ExitStatus::Exited(Value::Nil));
            };
            let mut frame = Frame::new(trap);
            match self.machine.trap(key, &mut frame) {
                After::Resume => self.answer(pid, frame.resume),
                After::Leave => return,
            }
        }
    }

    /// Goes on until nothing will happen any more.
    fn finish(&mut self) {
        loop {
            match self.step() {
                Came::Stuck => return,
                Came::Limit | Came::Failed => panic!("{:?}", self.machine.error),
                _ => {}
            }
        }
    }

    /// What a process was answered, its start left out.
    fn answers(&self, pid: Pid) -> &[Resume] {
        let answers = self.answers.get(&pid).map_or(&[][..], |answers| answers);
        answers.strip_prefix(&[Resume::Start]).unwrap_or(answers)
    }

    fn status(&self, pid: Pid) -> Option<&ExitStatus> {
        self.machine.records.iter().find(|exit| exit.pid == pid).map(|exit| &exit.status)
    }
}

fn send(pid: Pid, data: i64) -> Trap {
    Trap::Send { pid, name: "n".into(), data: data.into() }
}

fn receive(timeout: Option<Span>) -> Trap {
    Trap::Receive { filter: Filter::any(), timeout }
}

fn kill(pid: Pid, signal: Signal) -> Trap {
    Trap::Kill { pid, signal: signal.into() }
}

fn event(sender: Pid, data: i64) -> Resume {
    Resume::Event(Event::sent(sender, "n", data))
}

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

const ONE: Pid = Pid::new(1);
const TWO: Pid = Pid::new(2);

#[test]
fn a_process_starts_traps_and_ends() {
    let mut hand = Hand::new(1);
    assert_eq!(hand.start([Trap::Getpid, Trap::Getppid, Trap::Now]), ONE);
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(
        hand.answers(ONE),
        [Resume::Pid(ONE), Resume::Pid(Pid::KERNEL), Resume::Tick(Tick::ZERO)]
    );
    assert_eq!(hand.step(), Came::Stuck);
    assert_eq!(hand.status(ONE), Some(&ExitStatus::Exited(Value::Nil)));
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn an_event_is_handed_to_a_waiting_receiver() {
    let mut hand = Hand::new(1);
    hand.start([receive(None)]);
    hand.start([send(ONE, 7)]);
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert!(hand.answers(ONE).is_empty(), "it is parked");
    assert_eq!(hand.step(), Came::Ran(TWO));
    assert_eq!(hand.answers(TWO), [Resume::Unit]);
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(hand.answers(ONE), [event(TWO, 7)]);
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn time_moves_only_when_told() {
    let mut hand = Hand::new(1);
    hand.start([Trap::Sleep { span: ms(5) }, receive(Some(ms(3))), Trap::Now]);
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(hand.step(), Came::Advance(Tick::from_nanos(5_000_000)));
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(hand.step(), Came::Advance(Tick::from_nanos(8_000_000)));
    assert_eq!(hand.step(), Came::Ran(ONE));
    let now = Resume::Tick(Tick::from_nanos(8_000_000));
    assert_eq!(hand.answers(ONE), [Resume::Unit, Resume::Error(Errno::ETIMEDOUT), now]);
    assert_eq!(hand.machine.held().timers, 0);
}

#[test]
fn a_limit_before_the_next_deadline_is_told() {
    let mut hand = Hand::new(1);
    hand.start([Trap::Sleep { span: ms(5) }]);
    hand.step();
    let limit = Tick::from_nanos(4_000_000);
    assert!(matches!(hand.machine.next(limit), Next::Limit));
    hand.machine.advance(limit);
    assert_eq!(hand.step(), Came::Advance(Tick::from_nanos(5_000_000)));
}

#[test]
fn a_killed_process_is_unwound_before_any_other_runs() {
    let mut hand = Hand::new(1);
    hand.start([receive(None)]);
    hand.start([kill(ONE, Signal::SIGKILL), kill(ONE, Signal::SIGTERM)]);
    hand.start([]);
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(hand.step(), Came::Ran(TWO));
    // The next trap finds it gone, though only the driver unwinds it.
    assert_eq!(hand.answers(TWO), [Resume::Unit, Resume::Error(Errno::ESRCH)]);
    assert_eq!(hand.step(), Came::Unwound(ONE));
    assert_eq!(hand.status(ONE), Some(&ExitStatus::Signaled(Signal::SIGKILL)));
    assert_eq!(hand.step(), Came::Ran(Pid::new(3)));
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn a_handler_lies_over_a_wait() {
    let mut hand = Hand::new(1);
    let handler = Some(Disposition::from(Action::Handler));
    hand.start([
        Trap::Sigaction { signal: Signal::SIGINT.into(), disposition: handler },
        receive(Some(ms(10))),
        // The handler makes these two, then the receive goes on.
        receive(None),
        Trap::SigReturn,
    ]);
    hand.start([
        kill(ONE, Signal::SIGINT),
        Trap::Yield,
        send(ONE, 1),
        Trap::Sleep { span: ms(4) },
        send(ONE, 2),
    ]);
    hand.finish();
    let old = Resume::Disposition(Disposition::default());
    assert_eq!(
        hand.answers(ONE),
        [old, Resume::Handler(Signal::SIGINT), event(TWO, 1), event(TWO, 2)]
    );
    assert_eq!(hand.machine.now, Tick::from_nanos(4_000_000));
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn a_handler_that_returns_twice_is_told_so() {
    let mut hand = Hand::new(1);
    hand.start([Trap::SigReturn]);
    hand.finish();
    assert_eq!(hand.answers(ONE), [Resume::Error(Errno::EINVAL)]);
}

#[test]
fn a_stopped_process_is_not_run() {
    let mut hand = Hand::new(1);
    hand.start([Trap::Yield, Trap::Yield]);
    hand.start([kill(ONE, Signal::SIGSTOP), Trap::Yield, Trap::Yield, kill(ONE, Signal::SIGCONT)]);
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(hand.step(), Came::Ran(TWO));
    assert_eq!(hand.machine.info(ONE).unwrap().state, StateInfo::Stopped);
    assert_eq!(hand.step(), Came::Ran(TWO));
    assert_eq!(hand.step(), Came::Ran(TWO));
    assert_eq!(hand.step(), Came::Ran(ONE));
    hand.finish();
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn cpus_take_turns_at_one_instant_and_bursts_overlap() {
    let mut hand = Hand::new(2);
    for _ in 0..3 {
        hand.start([Trap::Compute { span: ms(2) }]);
    }
    assert_eq!(hand.step(), Came::Ran(ONE));
    assert_eq!(hand.step(), Came::Ran(TWO));
    assert_eq!(hand.step(), Came::Advance(Tick::from_nanos(2_000_000)));
    hand.finish();
    assert_eq!(hand.machine.now, Tick::from_nanos(4_000_000));
    let busy: Vec<_> = hand.machine.cpu_times().iter().map(|cpu| cpu.busy).collect();
    assert_eq!(busy, [ms(4), ms(2)]);
}

#[test]
fn traps_cost_what_the_settings_say() {
    let costs = Costs { trap: Span::from_nanos(100), ..Costs::default() };
    let mut hand = Hand::with(1, Limits::default(), costs);
    hand.start([Trap::Getpid, Trap::Getpid, Trap::Now]);
    hand.finish();
    // The answer to `now` is of the time at which it was asked, before it was paid for.
    assert_eq!(hand.answers(ONE)[2], Resume::Tick(Tick::from_nanos(200)));
    assert_eq!(hand.machine.now, Tick::from_nanos(300));
    assert_eq!(hand.machine.records[0].cpu_time, Span::from_nanos(300));
}

#[test]
fn a_dead_owner_leaves_its_mutex_to_the_next() {
    let mut hand = Hand::new(1);
    let id = LockId::new(1);
    hand.start([
        Trap::CreateLock { kind: LockKind::Mutex(Protocol::None) },
        Trap::Lock { id, timeout: None },
        Trap::Yield,
    ]);
    hand.start([Trap::Lock { id, timeout: None }, Trap::Unlock { id }]);
    hand.finish();
    assert_eq!(hand.answers(ONE), [Resume::Lock(id), Resume::Flag(false), Resume::Unit]);
    assert_eq!(hand.answers(TWO), [Resume::Flag(true), Resume::Unit]);
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn destructors_of_the_dead_never_park() {
    let mut hand = Hand::new(1);
    hand.start([receive(None)]);
    hand.start([kill(ONE, Signal::SIGKILL), receive(Some(ms(1)))]);
    hand.step();
    hand.step();
    assert!(matches!(hand.machine.next(Tick::MAX), Next::Unwind));
    let key = hand.machine.victims.pop_front().unwrap();
    let mut dying = |trap| {
        let mut frame = Frame::new(trap);
        let flow = hand.machine.trap_of_the_dying(key, &mut frame);
        (flow == hothouse_abi::Flow::Done).then_some(frame.resume)
    };
    assert_eq!(dying(receive(None)), Some(Resume::Error(Errno::EINTR)));
    assert_eq!(dying(Trap::Getpid), Some(Resume::Pid(ONE)));
    assert_eq!(dying(send(TWO, 3)), Some(Resume::Unit));
    assert_eq!(dying(kill(ONE, Signal::SIGTERM)), Some(Resume::Error(Errno::ESRCH)));
    assert_eq!(dying(Trap::Register { name: "late".into() }), Some(Resume::Unit));
    assert_eq!(dying(Trap::Exit { status: ExitStatus::Exited(1.into()) }), None);
    hand.machine.bury(key);
    hand.finish();
    assert_eq!(hand.answers(TWO)[1], event(ONE, 3));
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn a_failed_spawn_leaves_the_program_with_the_caller() {
    let mut hand = Hand::with(1, Limits { processes: 1, ..Limits::default() }, Costs::default());
    hand.start([]);
    let Next::Run(key) = hand.machine.next(Tick::MAX) else { panic!("it is ready") };
    assert_eq!(hand.machine.take_answer(key), Resume::Start);
    let mut frame = Frame::new(Trap::Spawn { name: "child".into(), program: Some(idle_program()) });
    assert_eq!(hand.machine.trap(key, &mut frame), After::Resume);
    assert_eq!(frame.resume, Resume::Error(Errno::EAGAIN));
    assert!(matches!(frame.trap, Trap::Spawn { program: Some(_), .. }));
    hand.machine.ended(key, ExitStatus::Exited(Value::Nil));
    assert_eq!(hand.machine.held(), Held::default());
}

#[test]
fn a_livelock_ends_the_run() {
    let limits = Limits { steps_at_one_instant: 50, ..Limits::default() };
    let mut hand = Hand::with(1, limits, Costs::default());
    hand.start((0..100).map(|_| Trap::Yield));
    while hand.step() == Came::Ran(ONE) {}
    assert!(matches!(hand.machine.error, Some(RunError::Livelock { limit: 50, .. })));
}

#[test]
fn a_deadlock_names_its_circle() {
    let mut hand = Hand::new(1);
    for other in [TWO, ONE] {
        let filter = Filter::sender(other);
        hand.start([Trap::Receive { filter, timeout: None }]);
    }
    hand.finish();
    assert_eq!(hand.machine.deadlock().cycles, [[ONE, TWO]]);
}
