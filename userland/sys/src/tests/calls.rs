use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use hothouse_abi::{
    Errno, Event, Exit, ExitStatus, Filter, Frame, LockId, LockKind, MaskHow, Name, Pid,
    ProcessInfo, Protocol, Resume, Scheduling, Signal, SignalSet, Span, StateInfo, Tick, TimerId,
    Token, Trap,
};

use super::FakeGate;
use crate::Sys;

const P: Pid = Pid::new(7);
const L: LockId = LockId::new(4);
const D: Option<Duration> = Some(Duration::from_nanos(5));

/// Every trap that a row of this file has made, by name.
#[derive(Default)]
struct Seen(BTreeSet<&'static str>);

impl Seen {
    /// One row: the call makes exactly this trap, and decodes this answer to that value.
    fn row<T: Debug + PartialEq>(
        &mut self,
        call: impl FnOnce(&Sys) -> T,
        trap: &str,
        answer: Resume,
        value: T,
    ) {
        let gate = FakeGate::new([answer]);
        assert_eq!(call(&Sys::new(&gate)), value, "the answer to {trap}");
        assert_eq!(gate.traps(), [trap]);
        self.0.extend(gate.names());
    }

    /// A row of a call that may fail: it must also pass an errno on.
    fn fallible<T: Debug + PartialEq>(
        &mut self,
        call: impl Fn(&Sys) -> Result<T, Errno>,
        trap: &str,
        answer: Resume,
        value: T,
    ) {
        let gate = FakeGate::new([Resume::Error(Errno::EIO)]);
        assert_eq!(call(&Sys::new(&gate)), Err(Errno::EIO), "an error of {trap}");
        self.row(call, trap, answer, Ok(value));
    }
}

#[test]
fn every_call_makes_its_trap_and_reads_its_answer() {
    let seen = &mut Seen::default();
    process_rows(seen);
    child_rows(seen);
    signal_rows(seen);
    event_rows(seen);
    name_rows(seen);
    time_rows(seen);
    lock_rows(seen);
    let all: BTreeSet<_> = Trap::NAMES.into_iter().collect();
    // Those have tests of their own: they do more than trap once.
    let elsewhere = BTreeSet::from(["sigreturn", "exit", "sigaction", "at_exit"]);
    assert_eq!(seen.0.union(&elsewhere).copied().collect::<BTreeSet<_>>(), all);
    assert!(seen.0.is_disjoint(&elsewhere));
}

fn process_rows(seen: &mut Seen) {
    seen.row(|sys| sys.getpid(), "Getpid", Resume::Pid(P), P);
    seen.row(|sys| sys.getppid(), "Getppid", Resume::Pid(P), P);
    let root = || Name::from("root");
    seen.row(|sys| sys.getuser(), "Getuser", Resume::Bytes("root".into()), root());
    seen.row(|sys| sys.getname(), "Getname", Resume::Bytes("root".into()), root());
    seen.fallible(|sys| sys.setuser("me"), "Setuser { user: \"me\" }", Resume::Unit, ());
    seen.row(|sys| sys.getplist(), "Getplist", Resume::Pids(vec![P]), vec![P]);
    let info = ProcessInfo {
        pid: P,
        name: root(),
        user: root(),
        parent: Pid::KERNEL,
        state: StateInfo::Ready,
        cpu_time: Span::ZERO,
        wait_time: Span::ZERO,
        traps: 3,
        mailbox_depth: 0,
        mailbox_peak: 1,
        nice: 0,
        started_at: Tick::ZERO,
    };
    let answer = Resume::Info(Box::new(info.clone()));
    seen.fallible(|sys| sys.getpinfo(P), "Getpinfo { pid: Pid(7) }", answer, info);
    let nice = "Nice { level: Some(5), pid: None }";
    seen.fallible(|sys| sys.nice(5, None), nice, Resume::Nice(5), 5);
    let nice = "Nice { level: Some(-21), pid: Some(Pid(7)) }";
    seen.fallible(|sys| sys.nice(-21, P), nice, Resume::Nice(0), 0);
    let nice = "Nice { level: None, pid: Some(Pid(7)) }";
    seen.fallible(|sys| sys.getnice(P), nice, Resume::Nice(3), 3);
    seen.row(|sys| sys.log("a line"), "Log { text: \"a line\" }", Resume::Unit, ());
    seen.row(|sys| sys.diagnose("oh"), "Diagnose { text: \"oh\" }", Resume::Unit, ());
    let trap = "Unrepeatable { why: \"because\" }";
    seen.row(|sys| sys.unrepeatable("because"), trap, Resume::Flag(true), true);
    seen.row(|sys| sys.random(), "Random", Resume::Number(u64::MAX), u64::MAX);
    seen.row(|sys| sys.choose(5), "Choose { last: 4 }", Resume::Number(4), 4);
    seen.row(|sys| sys.create_cell(), "CreateCell", Resume::Number(2), 2);
    let access = "Access { cell: 2, write: true }";
    seen.row(|sys| sys.access(2, true), access, Resume::Unit, ());
}

fn child_rows(seen: &mut Seen) {
    let own = || Scheduling { nice: 3, ..Scheduling::default() };
    let told = || Resume::Scheduling(Box::new(own()));
    let get = "SchedGetattr { pid: Some(Pid(7)) }";
    seen.fallible(|sys| sys.sched_getattr(P), get, told(), own());
    let set = format!("SchedSetattr {{ pid: None, scheduling: {:?} }}", own());
    seen.fallible(|sys| sys.sched_setattr(None, own()), &set, Resume::Unit, ());
    let spawn = "Spawn { name: \"kid\", program: Some(Program(native, Posix)) }";
    seen.fallible(|sys| sys.spawn("kid", |_| ()), spawn, Resume::Pid(P), P);
    let exit = Exit {
        pid: P,
        name: "kid".into(),
        status: ExitStatus::Signaled(Signal::SIGTERM),
        place: None,
        cpu_time: Span::ZERO,
        ended_at: Tick::from_nanos(9),
    };
    let answer = Resume::Exit(Box::new(exit.clone()));
    let wait = "Wait { pid: Some(Pid(7)), timeout: Some(Span(0.000000005)) }";
    seen.fallible(|sys| sys.wait(P, D), wait, answer.clone(), exit.clone());
    let wait = "Wait { pid: None, timeout: None }";
    seen.fallible(|sys| sys.wait(None, None), wait, answer, exit);
    seen.row(|sys| sys.notices(true), "Notices { on: true }", Resume::Unit, ());
    seen.fallible(|sys| sys.monitor(P), "Monitor { pid: Pid(7) }", Resume::Unit, ());
    seen.row(|sys| sys.demonitor(P), "Demonitor { pid: Pid(7) }", Resume::Unit, ());
}

fn signal_rows(seen: &mut Seen) {
    let kill = "Kill { pid: Pid(7), signal: SignalNumber(15) }";
    seen.fallible(|sys| sys.kill(P, Signal::SIGTERM), kill, Resume::Unit, ());
    let kill = "Kill { pid: Pid(7), signal: SignalNumber(-3) }";
    seen.fallible(|sys| sys.kill(P, -3), kill, Resume::Unit, ());
    let set = SignalSet::SIGINT | SignalSet::SIGTERM;
    let mask = "Sigprocmask { how: Block, set: SignalSet(SIGINT | SIGTERM) }";
    let answer = || Resume::Signals(SignalSet::SIGHUP);
    seen.row(|s| s.sigprocmask(MaskHow::Block, set), mask, answer(), SignalSet::SIGHUP);
    seen.row(|sys| sys.sigpending(), "Sigpending", answer(), SignalSet::SIGHUP);
    let wait = "Sigwait { set: SignalSet(SIGINT | SIGTERM), timeout: None }";
    let answer = Resume::Signal(Signal::SIGINT);
    seen.fallible(|sys| sys.sigwait(set, None), wait, answer, Signal::SIGINT);
}

fn event_rows(seen: &mut Seen) {
    let send = "Send { pid: Pid(7), name: \"n\", data: 1 }";
    seen.fallible(|sys| sys.send_event(P, "n", 1), send, Resume::Unit, ());
    let send = "SendService { service: \"s\", name: \"n\", data: \"x\" }";
    seen.fallible(|sys| sys.send_service_event("s", "n", "x"), send, Resume::Unit, ());
    let event = || Event::sent(P, "n", 1);
    let receive = "Receive { filter: Filter { sender: Some(Pid(7)), name: Some(\"n\") }, \
                   timeout: Some(Span(0.000000005)) }";
    let filter = || Filter::name("n").from(P);
    let answer = || Resume::Event(event());
    seen.fallible(|sys| sys.receive_event(filter(), D), receive, answer(), event());
    seen.fallible(|sys| sys.next_event(None), "NextEvent { timeout: None }", answer(), event());
    let trap = "FilterEvent { names: [\"a\", \"b\"], remote: false, timeout: None }";
    seen.fallible(|sys| sys.filter_event(["a", "b"], None), trap, answer(), event());
    seen.row(|sys| sys.peek_event(), "PeekEvent", Resume::Peeked(None), None);
    let peeked = Resume::Peeked(Some(Box::new(event())));
    seen.row(|sys| sys.peek_event(), "PeekEvent", peeked, Some(event()));
    let queue = "QueueEvent { name: \"n\", data: nil }";
    seen.fallible(|sys| sys.queue_event("n", ()), queue, Resume::Unit, ());
    let call = "Call { pid: Pid(7), name: \"n\", data: 1, timeout: Some(Span(0.000000005)) }";
    seen.fallible(|sys| sys.call(P, "n", 1, D), call, answer(), event());
    let request = Event { token: Some(Token::FIRST.next()), ..event() };
    let reply = "Reply { pid: Pid(7), token: Some(Token(2)), name: \"n\", data: 2 }";
    seen.fallible(|sys| sys.reply(&request, 2), reply, Resume::Unit, ());
}

fn name_rows(seen: &mut Seen) {
    seen.fallible(|sys| sys.register("n"), "Register { name: \"n\" }", Resume::Unit, ());
    seen.fallible(|sys| sys.unregister("n"), "Unregister { name: \"n\" }", Resume::Unit, ());
    seen.row(|sys| sys.lookup("n"), "Lookup { name: \"n\" }", Resume::Found(Some(P)), Some(P));
    seen.row(|sys| sys.lookup("n"), "Lookup { name: \"n\" }", Resume::Found(None), None);
}

fn time_rows(seen: &mut Seen) {
    let (d, at) = (Duration::from_nanos(5), Tick::from_nanos(6));
    let id = TimerId::new(3);
    seen.row(|sys| sys.yield_now(), "Yield", Resume::Unit, ());
    seen.row(|sys| sys.now(), "Now", Resume::Tick(at), at);
    seen.fallible(|sys| sys.sleep(d), "Sleep { span: Span(0.000000005) }", Resume::Unit, ());
    let until = "SleepUntil { tick: Tick(0.000000006) }";
    seen.fallible(|sys| sys.sleep_until(at), until, Resume::Unit, ());
    let job = "BeginJob { release: Tick(0.000000006), deadline: None }";
    seen.fallible(|sys| sys.begin_job(at, None), job, Resume::Unit, ());
    seen.fallible(|sys| sys.end_job(), "EndJob", Resume::Unit, ());
    seen.fallible(|sys| sys.compute(d), "Compute { span: Span(0.000000005) }", Resume::Unit, ());
    seen.fallible(|sys| sys.timer(d), "Timer { span: Span(0.000000005) }", Resume::Timer(id), id);
    seen.fallible(|sys| sys.alarm(at), "Alarm { at: Tick(0.000000006) }", Resume::Timer(id), id);
    let left = Resume::Span(Span::from_nanos(5));
    seen.fallible(|sys| sys.cancel(id), "Cancel { id: TimerId(3) }", left, d);
}

fn lock_rows(seen: &mut Seen) {
    let kind = LockKind::Mutex(Protocol::Inherit);
    let create = "CreateLock { kind: Mutex(Inherit) }";
    seen.fallible(|sys| sys.create_lock(kind), create, Resume::Lock(L), L);
    let id = "id: LockId(4)";
    seen.fallible(|s| s.destroy_lock(L), &format!("DestroyLock {{ {id} }}"), Resume::Unit, ());
    let lock = format!("Lock {{ {id}, timeout: Some(Span(0.000000005)) }}");
    seen.fallible(|sys| sys.lock(L, D), &lock, Resume::Flag(true), true);
    seen.fallible(|s| s.try_lock(L), &format!("TryLock {{ {id} }}"), Resume::Flag(false), false);
    seen.fallible(|s| s.unlock(L), &format!("Unlock {{ {id} }}"), Resume::Unit, ());
    let acquire = format!("Acquire {{ {id}, timeout: None }}");
    seen.fallible(|sys| sys.acquire(L, None), &acquire, Resume::Unit, ());
    seen.fallible(|s| s.try_acquire(L), &format!("TryAcquire {{ {id} }}"), Resume::Unit, ());
    let release = format!("Release {{ {id}, permits: 2 }}");
    seen.fallible(|sys| sys.release(L, 2), &release, Resume::Unit, ());
    let wait = format!("WaitCondition {{ {id}, mutex: LockId(9), timeout: None }}");
    let mutex = LockId::new(9);
    seen.fallible(|s| s.wait_condition(L, mutex, None), &wait, Resume::Flag(true), true);
    let notify = format!("Notify {{ {id}, all: true }}");
    seen.fallible(|sys| sys.notify(L, true), &notify, Resume::Unit, ());
    let barrier = format!("WaitBarrier {{ {id}, timeout: None }}");
    seen.fallible(|sys| sys.wait_barrier(L, None), &barrier, Resume::Flag(true), true);
}

#[test]
fn calls_without_an_errno_give_the_empty_value_when_refused() {
    let refused = || FakeGate::new([Resume::Error(Errno::EINTR)]);
    assert_eq!(Sys::new(&refused()).lookup("n"), None);
    assert_eq!(Sys::new(&refused()).getpid(), Pid::KERNEL);
    assert_eq!(Sys::new(&refused()).peek_event(), None);
    assert_eq!(Sys::new(&refused()).sigpending(), SignalSet::empty());
    Sys::new(&refused()).yield_now();
    Sys::new(&refused()).log("nobody hears");
}

#[test]
fn a_timeout_beyond_the_end_of_time_is_the_longest() {
    let gate = FakeGate::new([Resume::Unit]);
    Sys::new(&gate).sleep(Duration::MAX).unwrap();
    assert_eq!(gate.traps(), [format!("Sleep {{ span: {:?} }}", Span::MAX)]);
}

#[test]
#[should_panic(expected = "the kernel answered getpid with")]
fn an_answer_of_the_wrong_kind_is_named() {
    let gate = FakeGate::new([Resume::Number(1)]);
    Sys::new(&gate).getpid();
}

#[test]
fn a_frame_stays_small() {
    // It lies on the stack of each parked process, and is filled in on each trap.
    assert!(size_of::<Frame>() <= 192, "{} bytes", size_of::<Frame>());
}
