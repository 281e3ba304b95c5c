//! Native processes that make no more calls are found by the host's clock, named, and cut off.

use std::hint::black_box;
use std::time::Duration;

use hothouse::{
    Action, Captured, End, ExitStatus, Filter, Held, Kernel, Pid, RunError, Signal, Sys, Until,
    program,
};
use hothouse_tests::ms;

use crate::hostile::{Defer, overflow};

/// How long a process may go without a call. It decides how long the tests take, and nothing else.
const LIMIT: Duration = Duration::from_millis(100);
/// A shorter one, for tests that outlast it or need many.
const SHORT: Duration = Duration::from_millis(20);

#[inline(never)]
fn spin_for_ever() {
    loop {
        black_box(1);
    }
}

/// Runs a victim, pid 2, beside a bystander, pid 1, until the watchdog ends the run. The bystander
/// goes on afterwards.
fn found(victim: fn(&Sys)) -> (RunError, Captured) {
    found_within(LIMIT, victim)
}

fn found_within(limit: Duration, victim: fn(&Sys)) -> (RunError, Captured) {
    let captured = Captured::default();
    let builder = Kernel::builder().watchdog(Some(limit)).console(captured.clone());
    let mut kernel = builder.build().expect("good settings");
    let bystander = program(|sys| {
        (0..20).for_each(|_| sys.sleep(ms(10)).expect("it lives"));
        let exit = sys.receive_event(Filter::name("more"), None).expect("it comes");
        exit.data.as_int().expect("a number")
    });
    kernel.spawn("bystander", bystander).expect("there is room");
    kernel.spawn("victim", program(victim)).expect("there is room");
    let end = kernel.run_until(Until::Time(hothouse_tests::at_ms(50)));
    let End::Failed(error) = end else { panic!("it was not found: {end}") };
    let exit = kernel.report().exit(Pid::new(2)).expect("it ended").status.clone();
    assert!(matches!(exit, ExitStatus::Signaled(Signal::SIGXCPU | Signal::SIGKILL)), "{exit}");
    kernel.send(Pid::new(1), "more", 7).expect("the bystander lives");
    assert!(matches!(kernel.run(), End::Done));
    assert_eq!(kernel.report().records.last().unwrap().status, ExitStatus::Exited(7.into()));
    assert_eq!(kernel.held(), Held::default());
    assert_eq!(kernel.report().counters.abandoned, 1);
    (error, captured)
}

fn place(error: &RunError) -> &str {
    let RunError::Unresponsive { pid, name, place } = error else { panic!("{error}") };
    assert_eq!((pid.number(), &name[..]), (2, "victim"));
    place
}

#[test]
fn a_loop_without_calls_is_found_with_its_place() {
    let (error, captured) = found(|_| spin_for_ever());
    assert!(place(&error).contains("watchdog::spin_for_ever"), "{error}");
    assert!(place(&error).contains("tests/watchdog.rs:"), "{error}");
    let line = &captured.diagnostics()[0];
    assert!(line.contains("2 victim: ended by SIGXCPU: no call for longer"), "{line}");
}

#[test]
fn a_loop_that_allocates_is_found_outside_the_allocator() {
    // Wherever it is interrupted: in the allocator, in the loop, or on the way there and back.
    for _ in 0..50 {
        let (error, _) = found_within(SHORT / 2, |_| {
            loop {
                black_box(vec![1u8; black_box(100)]);
            }
        });
        assert!(place(&error).contains("tests/watchdog.rs:"), "{error}");
    }
}

#[test]
fn a_loop_in_a_handler_is_found() {
    let (error, _) = found(|sys| {
        let action = Action::handler(|_, _| spin_for_ever());
        sys.sigaction(Signal::SIGUSR1, action).expect("it can be caught");
        sys.kill(sys.getpid(), Signal::SIGUSR1).expect("it lives");
    });
    assert!(place(&error).contains("spin_for_ever"), "{error}");
}

#[test]
fn a_loop_in_a_destructor_of_a_killed_process_is_found() {
    let (error, captured) = found(|sys| {
        let _defer = Defer(spin_for_ever);
        let _ = sys.kill(sys.getpid(), Signal::SIGKILL);
    });
    assert!(place(&error).contains("spin_for_ever"), "{error}");
    assert!(captured.diagnostics()[0].contains("in a destructor"), "{:?}", captured.diagnostics());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a call of the host that takes for ever")]
fn a_process_that_waits_for_the_host_is_found() {
    let (error, _) = found(|_| {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    });
    assert!(place(&error).contains("tests/watchdog.rs:"), "{error}");
}

#[test]
fn a_loop_in_a_kernel_in_a_process_is_found_by_the_inner_one() {
    let main = |sys: &Sys| {
        let (error, _) = found(|_| spin_for_ever());
        sys.log(place(&error).replace('\n', ";"));
    };
    let captured = Captured::default();
    let mut outer = Kernel::builder().console(captured.clone()).build().expect("good settings");
    outer.spawn("outer", program(main)).expect("there is room");
    assert!(matches!(outer.run(), End::Done));
    assert!(outer.report().records[0].status.is_success(), "{:?}", outer.report().records);
    assert!(captured.lines()[0].contains("spin_for_ever"), "{:?}", captured.lines());
}

/// Drives a kernel under a watchdog for one step of a process that sleeps, and does `work` then.
fn drive_and(work: fn()) {
    let builder = Kernel::builder().watchdog(Some(SHORT)).console(Captured::default());
    let mut inner = builder.build().expect("good settings");
    let sleeper = program(|sys| sys.sleep(ms(10)).expect("it lives"));
    inner.spawn("sleeper", sleeper).expect("there is room");
    let until = Until::Predicate(Box::new(move |_| {
        work();
        true
    }));
    assert!(matches!(inner.run_until(until), End::Stopped));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the kernel is slow by the host's clock")]
fn a_kernel_in_a_process_may_take_its_time() {
    let mut outer = Kernel::builder().console(Captured::default()).build().expect("good settings");
    let main = program(|_| drive_and(|| std::thread::sleep(10 * SHORT)));
    outer.spawn("outer", main).expect("there is room");
    assert!(matches!(outer.run(), End::Done));
    assert!(outer.report().records[0].status.is_success(), "{:?}", outer.report().records);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "calls for a while by the host's clock")]
fn a_kernel_whose_process_was_cut_off_is_watched_no_longer() {
    let calls = |sys: &Sys| {
        for _ in 0..100 {
            let start = std::time::Instant::now();
            while start.elapsed() < SHORT / 10 {}
            let _ = sys.getpid();
        }
    };
    let builder = Kernel::builder().watchdog(Some(SHORT)).console(Captured::default());
    let mut outer = builder.build().expect("good settings");
    let faults = program(|_| drive_and(|| _ = black_box(overflow(0))));
    outer.spawn("faults", faults).expect("there is room");
    let calls = outer.spawn("calls", program(calls)).expect("there is room");
    assert!(matches!(outer.run_until(Until::Ended(calls)), End::Done));
    assert!(outer.report().exit(calls).expect("it ended").status.is_success());
    let spins = outer.spawn("spins", program(|_| spin_for_ever())).expect("there is room");
    let end = outer.run_until(Until::Ended(spins));
    assert!(matches!(end, End::Failed(RunError::Unresponsive { .. })), "{end}");
}

#[test]
fn processes_that_make_calls_are_left_alone() {
    let builder = Kernel::builder().watchdog(Some(SHORT));
    let mut kernel = builder.console(Captured::default()).build().expect("good settings");
    let main = program(|sys| (0..300_000).for_each(|_| _ = sys.getpid()));
    kernel.spawn("busy", main).expect("there is room");
    assert!(matches!(kernel.run(), End::Done));
}
