//! Every limit: reached, told, and the machine fully usable afterwards.

use std::cell::Cell;
use std::rc::Rc;

use hothouse::{
    Action, End, Errno, ExitStatus, Filter, Limits, MaskHow, Pid, RunError, Signal, SignalSet,
    Span, Sys, Until, program,
};
use hothouse_tests::{Run, at_ms, child, join, ms, scenario_with, solo_with};

/// Runs `main` as pid 1 under these limits.
fn limited(limits: Limits, main: impl Fn(&Sys) + Clone + 'static) -> Run {
    solo_with(move |builder| builder.limits(limits.clone()), main)
}

fn forever(sys: &Sys) {
    loop {
        let _ = sys.receive_event(Filter::any(), None);
    }
}

#[test]
fn processes_over_the_limit_are_eagain_until_one_ends() {
    limited(Limits { processes: 3, ..Limits::default() }, |sys| {
        let [a, _] = [0, 1].map(|_| child(sys, forever));
        assert_eq!(sys.spawn("c", forever), Err(Errno::EAGAIN));
        sys.kill(a, Signal::SIGKILL).unwrap();
        // Its record is unread, and counts.
        assert_eq!(sys.spawn("c", forever), Err(Errno::EAGAIN));
        sys.wait(a, None).unwrap();
        assert_eq!(sys.spawn("c", forever), Ok(Pid::new(4)));
    });
}

#[test]
fn records_whose_notice_was_delivered_do_not_count() {
    limited(Limits { processes: 2, ..Limits::default() }, |sys| {
        sys.notices(true);
        for _ in 0..5 {
            child(sys, |_| ());
            sys.next_event(None).unwrap();
        }
    });
}

#[test]
fn records_go_with_the_parent() {
    limited(Limits { processes: 4, ..Limits::default() }, |sys| {
        for _ in 0..5 {
            let middle = child(sys, |sys| {
                child(sys, |_| ());
                child(sys, |_| ());
                sys.yield_now();
                assert_eq!(sys.spawn("x", |_| ()), Err(Errno::EAGAIN));
            });
            join(sys, middle);
        }
    });
}

#[test]
fn processes_from_outside_over_the_limit_are_eagain() {
    let limits = Limits { processes: 1, ..Limits::default() };
    scenario_with(
        move |builder| builder.limits(limits.clone()),
        |kernel| {
            kernel.spawn("one", program(|_| ())).unwrap();
            assert_eq!(kernel.spawn("two", program(|_| ())), Err(Errno::EAGAIN));
            assert_eq!(kernel.spawn("n".repeat(256), program(|_| ())), Err(Errno::ENAMETOOLONG));
        },
        || Until::Idle,
    );
}

#[test]
fn mailbox_events_let_kernel_events_in() {
    limited(Limits { mailbox_events: 1, ..Limits::default() }, |sys| {
        sys.timer(ms(1)).unwrap();
        sys.send_event(sys.getpid(), "x", ()).unwrap();
        sys.sleep(ms(2)).unwrap();
        assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, "x");
        assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, "timer");
    });
}

#[test]
fn signal_event_that_finds_the_mailbox_full_stays_pending() {
    limited(Limits { mailbox_events: 2, ..Limits::default() }, |sys| {
        let me = sys.getpid();
        sys.sigaction(Signal::SIGUSR1, Action::Event).unwrap();
        sys.sigaction(Signal::SIGUSR2, Action::handler(|sys, _| sys.log("through"))).unwrap();
        for _ in 0..2 {
            sys.send_event(me, "x", ()).unwrap();
        }
        sys.kill(me, Signal::SIGUSR1).unwrap();
        assert_eq!(sys.sigpending(), SignalSet::SIGUSR1);
        // It is in nobody's way.
        sys.kill(me, Signal::SIGUSR2).unwrap();
        assert_eq!(sys.sigpending(), SignalSet::SIGUSR1);
        assert_eq!(sys.next_event(None).unwrap().name, "x");
        assert_eq!(sys.sigpending(), SignalSet::empty());
        assert_eq!(sys.next_event(None).unwrap().name, "x");
        assert_eq!(sys.next_event(None).unwrap().name, "signal");
    });
}

#[test]
fn name_bytes_hold_for_names_of_every_kind() {
    limited(Limits { name_bytes: 4, ..Limits::default() }, |sys| {
        let me = sys.getpid();
        let long = Err(Errno::ENAMETOOLONG);
        assert_eq!(sys.register("12345"), long);
        assert_eq!(sys.send_event(me, "12345", ()), long);
        assert_eq!(sys.queue_event("12345", ()), long);
        assert_eq!(sys.setuser("12345"), long);
        assert_eq!(sys.spawn("12345", |_| ()).map(drop), long);
        assert_eq!(sys.register("1234"), Ok(()));
        assert_eq!(sys.send_service_event("1234", "1234", ()), Ok(()));
    });
}

#[test]
fn names_per_process_over_the_limit_are_eagain() {
    limited(Limits { names_per_process: 2, ..Limits::default() }, |sys| {
        sys.register("a").unwrap();
        sys.register("b").unwrap();
        assert_eq!(sys.register("c"), Err(Errno::EAGAIN));
        assert_eq!(sys.lookup("c"), None);
        let other = child(sys, |sys| sys.register("c"));
        join(sys, other);
        sys.unregister("a").unwrap();
        assert_eq!(sys.register("c"), Ok(()));
    });
}

#[test]
fn timers_per_process_over_the_limit_are_eagain() {
    limited(Limits { timers_per_process: 2, ..Limits::default() }, |sys| {
        let first = sys.timer(ms(1)).unwrap();
        sys.alarm(at_ms(2)).unwrap();
        assert_eq!(sys.timer(ms(3)).map(drop), Err(Errno::EAGAIN));
        assert_eq!(sys.alarm(at_ms(3)).map(drop), Err(Errno::EAGAIN));
        sys.cancel(first).unwrap();
        sys.timer(ms(3)).unwrap();
        sys.sleep(ms(5)).unwrap();
        // Both have fired; as long as their events are queued they count.
        assert_eq!(sys.timer(ms(1)).map(drop), Err(Errno::EAGAIN));
        sys.next_event(None).unwrap();
        assert!(sys.timer(ms(1)).is_ok());
    });
}

#[test]
fn monitors_per_process_over_the_limit_are_eagain() {
    limited(Limits { monitors_per_process: 1, ..Limits::default() }, |sys| {
        let [a, b] = [0, 1].map(|_| child(sys, forever));
        sys.monitor(a).unwrap();
        assert_eq!(sys.monitor(a), Ok(()), "it is the same one");
        assert_eq!(sys.monitor(b), Err(Errno::EAGAIN));
        sys.demonitor(a);
        assert_eq!(sys.monitor(b), Ok(()));
        sys.kill(b, Signal::SIGKILL).unwrap();
        assert_eq!(sys.monitor(a), Ok(()));
    });
}

#[test]
fn locks_per_process_over_the_limit_are_eagain() {
    limited(Limits { locks_per_process: 2, ..Limits::default() }, |sys| {
        let first = sys.mutex().unwrap();
        sys.semaphore(1).unwrap();
        assert_eq!(sys.condition().map(drop), Err(Errno::EAGAIN));
        sys.destroy_lock(first.id()).unwrap();
        assert!(sys.condition().is_ok());
        assert_eq!(sys.mutex().map(drop), Err(Errno::EAGAIN));
    });
}

#[test]
fn locks_that_others_destroy_do_not_count() {
    limited(Limits { locks_per_process: 1, ..Limits::default() }, |sys| {
        let mutex = sys.mutex().unwrap();
        let other = child(sys, move |sys| sys.destroy_lock(mutex.id()));
        join(sys, other);
        assert!(sys.mutex().is_ok());
    });
}

#[test]
fn nested_handlers_past_the_limit_stay_pending() {
    limited(Limits { nested_handlers: 2, ..Limits::default() }, |sys| {
        let order = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];
        let (depth, deepest, runs) =
            (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for signal in order {
            let (depth, deepest, runs) = (depth.clone(), deepest.clone(), runs.clone());
            let handler = Action::handler(move |sys, _| {
                runs.set(runs.get() + 1);
                depth.set(depth.get() + 1);
                deepest.set(deepest.get().max(depth.get()));
                sys.sleep(ms(1)).unwrap();
                depth.set(depth.get() - 1);
            });
            sys.sigaction(signal, handler).unwrap();
        }
        let set: SignalSet = order.into_iter().collect();
        sys.sigprocmask(MaskHow::Block, set);
        for signal in order {
            sys.kill(sys.getpid(), signal).unwrap();
        }
        sys.sigprocmask(MaskHow::Unblock, set);
        assert_eq!((deepest.get(), runs.get()), (2, 3));
    });
}

#[inline(never)]
fn deep(levels: u32) -> u64 {
    let block = std::hint::black_box([u64::from(levels); 64]);
    if levels == 0 { block[0] } else { block[63] + deep(levels - 1) }
}

#[test]
fn stack_bytes_overflowed_end_only_the_process() {
    let run = limited(Limits { stack_bytes: 128 << 10, ..Limits::default() }, |sys| {
        let pid = child(sys, |_| std::hint::black_box(deep(1_000_000)) as i64);
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Signaled(Signal::SIGSEGV));
        let fine = child(sys, |_| assert!(std::hint::black_box(deep(20)) > 0));
        join(sys, fine);
    });
    assert!(run.diagnostics[0].contains("SIGSEGV"), "{:?}", run.diagnostics);
}

#[test]
fn exit_time_is_a_setting() {
    limited(Limits { exit_time: Span::from_millis(3), ..Limits::default() }, |sys| {
        let pid = child(sys, |sys| sys.at_exit(|sys| sys.sleep(ms(9)).unwrap()));
        assert_eq!(join(sys, pid).ended_at, at_ms(3));
    });
}

/// A run that `limits` end, and that goes on with other processes afterwards.
fn failing(limits: Limits, main: fn(&Sys)) -> RunError {
    let console = hothouse::Captured::default();
    let builder = hothouse::Kernel::builder().console(console).limits(limits);
    let mut kernel = builder.build().unwrap();
    let pid = kernel.spawn("busy", program(main)).unwrap();
    let End::Failed(error) = kernel.run() else { panic!("it ran on") };
    assert_eq!(kernel.process(pid).unwrap().name, "busy");
    kernel.kill_all();
    assert_eq!(kernel.held(), hothouse::Held::default());
    error
}

#[test]
fn steps_at_one_instant_over_the_limit_are_a_livelock_that_names_the_busy() {
    let limits = Limits { steps_at_one_instant: 1_000, ..Limits::default() };
    let error = failing(limits, |sys| {
        sys.sleep(ms(1)).unwrap();
        loop {
            sys.yield_now();
        }
    });
    let RunError::Livelock { limit, at, who } = error else { panic!("{error}") };
    assert_eq!((limit, at, &who[..]), (1_000, at_ms(1), "1 busy"));
}

#[test]
fn steps_of_a_run_over_the_limit_end_it() {
    let error = failing(Limits { steps: 1_000, ..Limits::default() }, |sys| {
        loop {
            let _ = sys.sleep(ms(1));
        }
    });
    assert!(matches!(error, RunError::Steps { limit: 1_000, at } if at > at_ms(0)), "{error}");
}

#[test]
fn steps_at_one_instant_start_anew_when_time_passes() {
    limited(Limits { steps_at_one_instant: 50, ..Limits::default() }, |sys| {
        for _ in 0..20 {
            for _ in 0..20 {
                sys.yield_now();
            }
            sys.sleep(ms(1)).unwrap();
        }
    });
}

#[test]
fn records_of_the_report_are_bounded_and_the_rest_only_counted() {
    let limits = Limits { records: 2, ..Limits::default() };
    let run = scenario_with(
        move |builder| builder.limits(limits.clone()),
        |kernel| {
            for _ in 0..5 {
                kernel.spawn("p", program(|_| ())).unwrap();
            }
        },
        || Until::Idle,
    );
    assert_eq!(run.report.records.len(), 2);
    assert_eq!(run.report.counters.ended, 5);
}
