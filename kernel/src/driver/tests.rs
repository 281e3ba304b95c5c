use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hothouse_abi::{
    Errno, Event, ExitStatus, Filter, Frame, Gate, Pid, Program, Resume, Signal, Span, Tick, Trap,
    Value,
};

use super::{End, Kernel, Until};
use crate::Captured;

fn trap(gate: &dyn Gate, trap: Trap) -> Resume {
    let mut frame = Frame::new(trap);
    let _ = gate.trap(&mut frame);
    frame.resume
}

fn kernel() -> Kernel {
    Kernel::builder().console(Captured::default()).hash(true).build().unwrap()
}

fn program(main: impl FnOnce(&dyn Gate) + 'static) -> Program {
    Program::native(move |gate| {
        main(gate);
        ExitStatus::Exited(Value::Nil)
    })
}

#[test]
fn ping_pong_between_two_natives() {
    let mut kernel = kernel();
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    kernel
        .spawn(
            "pong",
            program(move |gate| {
                for i in 0..100 {
                    let Resume::Event(Event { sender, data, .. }) =
                        trap(gate, Trap::Receive { filter: Filter::name("ping"), timeout: None })
                    else {
                        panic!("no event")
                    };
                    assert_eq!(data.as_int(), Some(i));
                    seen.set(seen.get() + 1);
                    trap(gate, Trap::Send { pid: sender, name: "pong".into(), data });
                }
            }),
        )
        .unwrap();
    kernel
        .spawn(
            "ping",
            program(|gate| {
                for i in 0..100 {
                    let pid = Pid::new(1);
                    trap(gate, Trap::Send { pid, name: "ping".into(), data: i.into() });
                    trap(gate, Trap::Receive { filter: Filter::sender(pid), timeout: None });
                }
            }),
        )
        .unwrap();
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    assert_eq!(count.get(), 100);
    assert_eq!(kernel.held(), crate::Held::default());
    assert_eq!(kernel.now(), Tick::ZERO);
}

#[test]
fn sleepers_wake_exactly_and_in_order() {
    let mut kernel = kernel();
    let woken = Rc::new(RefCell::new(Vec::new()));
    for i in 0..10u64 {
        let woken = woken.clone();
        let span = Span::from_nanos(1_000 - 100 * i + 1);
        kernel
            .spawn(
                "sleeper",
                program(move |gate| {
                    trap(gate, Trap::Sleep { span });
                    let Resume::Tick(now) = trap(gate, Trap::Now) else { panic!() };
                    assert_eq!(now.nanos(), span.nanos());
                    woken.borrow_mut().push(i);
                }),
            )
            .unwrap();
    }
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    assert_eq!(*woken.borrow(), (0..10).rev().collect::<Vec<_>>());
}

#[test]
fn a_kill_unwinds_before_it_returns() {
    let mut kernel = kernel();
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let guard = Dropped(dropped.clone());
    kernel
        .spawn(
            "victim",
            program(move |gate| {
                let _guard = guard;
                trap(gate, Trap::Receive { filter: Filter::any(), timeout: None });
                unreachable!();
            }),
        )
        .unwrap();
    let seen = dropped.clone();
    kernel
        .spawn(
            "killer",
            program(move |gate| {
                let pid = Pid::new(1);
                trap(gate, Trap::Kill { pid, signal: Signal::SIGKILL.into() });
                assert!(seen.get());
                let again = trap(gate, Trap::Kill { pid, signal: 0.into() });
                assert_eq!(again, Resume::Error(Errno::ESRCH));
            }),
        )
        .unwrap();
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    let report = kernel.report();
    assert_eq!(report.records[0].status, ExitStatus::Signaled(Signal::SIGKILL));
    assert_eq!(report.records[1].status, ExitStatus::Exited(Value::Nil));
    assert_eq!(kernel.held(), crate::Held::default());
}

#[test]
fn a_panic_ends_only_its_process() {
    let captured = Captured::default();
    let mut kernel = Kernel::builder().console(captured.clone()).build().unwrap();
    kernel.spawn("bad", program(|_| panic!("oh no"))).unwrap();
    kernel.spawn("good", program(|_| {})).unwrap();
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    let records = kernel.report().records;
    assert!(matches!(&records[0].status, ExitStatus::Panicked(m) if m.starts_with("oh no at ")));
    assert_eq!(records[1].status, ExitStatus::Exited(Value::Nil));
    assert!(captured.diagnostics()[0].contains("panicked: oh no"));
}

#[test]
fn a_lone_receiver_is_a_deadlock() {
    let mut kernel = kernel();
    kernel
        .spawn(
            "alone",
            program(|gate| {
                trap(gate, Trap::Receive { filter: Filter::name("never"), timeout: None });
            }),
        )
        .unwrap();
    let End::Deadlock(deadlock) = kernel.run() else { panic!() };
    assert_eq!(deadlock.waiters[0].what, "an event \"never\"");
}

#[test]
fn bursts_share_two_cpus() {
    let mut kernel = Kernel::builder().cpus(2).console(Captured::default()).build().unwrap();
    for _ in 0..4 {
        let burst = program(|gate| {
            trap(gate, Trap::Compute { span: Span::from_millis(10) });
        });
        kernel.spawn("worker", burst).unwrap();
    }
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    assert_eq!(kernel.now().nanos(), 20_000_000);
    assert_eq!(kernel.report().utilisation(), 1.0);
}

#[test]
fn an_event_at_the_instant_of_the_timeout_wins() {
    let mut kernel = kernel();
    let at = Span::from_millis(5);
    kernel
        .spawn(
            "receiver",
            program(move |gate| {
                let filter = Filter::any();
                let got = trap(gate, Trap::Receive { filter, timeout: Some(at) });
                assert!(matches!(got, Resume::Event(_)), "{got:?}");
                let filter = Filter::any();
                let got = trap(gate, Trap::Receive { filter, timeout: Some(at) });
                assert_eq!(got, Resume::Error(Errno::ETIMEDOUT));
            }),
        )
        .unwrap();
    kernel
        .spawn(
            "sender",
            program(move |gate| {
                trap(gate, Trap::Sleep { span: at });
                trap(gate, Trap::Send { pid: Pid::new(1), name: "x".into(), data: Value::Nil });
            }),
        )
        .unwrap();
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    assert!(kernel.report().records.iter().all(|exit| exit.status.is_success()));
}
