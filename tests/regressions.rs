//! Bugs that were found, each named by what broke.

use std::time::Duration;

use hothouse::policy::Prio;
use hothouse::{
    Action, Builder, Errno, Event, Filter, HostAction, Interrupt, Kernel, Limits, MaskHow, Mutex,
    Pid, Protocol, Signal, SignalSet, Span, Sys, Tick, Until, program,
};
use hothouse_tests::{Run, at_ms, child, join, ms, scenario, scenario_with, solo, solo_with};

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn spawn(kernel: &mut Kernel, main: impl FnOnce(&Sys) + 'static) {
    kernel.spawn("p", program(main)).expect("there is room");
}

fn kill_at(kernel: &mut Kernel, millis: u64, pid: u64, signal: Signal) {
    let action = HostAction::Kill { pid: Pid::new(pid), signal: signal.into() };
    kernel.at(at_ms(millis), action);
}

/// A killer, pid 1, whose victim strikes back from a destructor.
fn strike_back(signal: Signal, hooks: bool) -> Run {
    scenario(move |kernel| {
        spawn(kernel, move |sys| {
            let me = sys.getpid();
            if hooks {
                sys.at_exit(|sys| sys.log("hook"));
            }
            let victim = child(sys, move |sys| {
                let _strike = OnDrop(|| _ = sys.kill(me, signal));
                let _ = sys.sleep(ms(100));
            });
            sys.sleep(ms(1)).unwrap();
            let _ = sys.kill(victim, Signal::SIGKILL);
            sys.log("after");
        });
        kill_at(kernel, 5, 1, Signal::SIGCONT);
    })
}

#[test]
fn killer_killed_by_its_victims_destructor_broke_the_kernel() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let run = strike_back(signal, false);
        assert_eq!(run.exit(1).status, hothouse::ExitStatus::Signaled(signal));
        assert!(run.lines.is_empty());
    }
}

#[test]
fn killer_ended_by_its_victims_destructor_missed_its_hooks() {
    assert_eq!(strike_back(Signal::SIGTERM, true).lines, ["[0.001000000] 1 p: hook"]);
}

#[test]
fn killer_stopped_by_its_victims_destructor_went_on() {
    assert_eq!(strike_back(Signal::SIGSTOP, false).lines, ["[0.005000000] 1 p: after"]);
}

#[test]
fn killer_preempted_by_its_victims_destructor_was_queued_twice() {
    let prio = |builder: Builder| builder.policy(Box::new(Prio::default()));
    let main = |kernel: &mut Kernel| {
        spawn(kernel, |sys| {
            let urgent = child(sys, |sys| {
                sys.nice(-5, None).unwrap();
                let _ = sys.receive_event(Filter::any(), None);
                sys.log("urgent");
            });
            let victim = child(sys, move |sys| {
                let _wake = OnDrop(|| _ = sys.send_event(urgent, "wake", ()));
                let _ = sys.sleep(ms(100));
            });
            sys.sleep(ms(1)).unwrap();
            sys.kill(victim, Signal::SIGKILL).unwrap();
            sys.yield_now();
            sys.log("killer");
        });
    };
    let run = scenario_with(prio, main, || Until::Idle);
    assert_eq!(run.lines, ["[0.001000000] 2 child: urgent", "[0.001000000] 1 p: killer"]);
}

#[test]
fn burst_past_the_end_of_time_never_ended() {
    solo(|sys| {
        sys.sleep(ms(1)).unwrap();
        sys.compute(Duration::MAX).unwrap();
        assert_eq!(sys.now(), Tick::MAX);
    });
}

#[test]
fn destructor_that_traps_for_ever_hung_the_host() {
    let few = |builder: Builder| {
        builder.limits(Limits { steps_at_one_instant: 10_000, ..Limits::default() })
    };
    let main = |kernel: &mut Kernel| {
        spawn(kernel, |sys| {
            let _loops = OnDrop(|| {
                loop {
                    sys.getpid();
                }
            });
            let _ = sys.sleep(ms(100));
        });
        kill_at(kernel, 1, 1, Signal::SIGKILL);
    };
    let run = scenario_with(few, main, || Until::Idle);
    assert_eq!(run.report.counters.abandoned, 1);
}

#[test]
fn exit_hooks_served_the_burst_that_their_process_left() {
    let run = scenario(|kernel| {
        spawn(kernel, |sys| {
            sys.at_exit(|sys| {
                sys.sleep(ms(1)).unwrap();
                sys.log("hook");
            });
            let run = |sys: &Sys, _| {
                sys.sigprocmask(MaskHow::Block, SignalSet::SIGTERM);
                sys.kill(sys.getpid(), Signal::SIGTERM).unwrap();
            };
            sys.sigaction(Signal::SIGUSR1, Action::handler(run)).unwrap();
            sys.compute(Duration::from_secs(10)).unwrap();
        });
        kill_at(kernel, 1, 1, Signal::SIGUSR1);
    });
    assert_eq!(run.lines, ["[0.002000000] 1 p: hook"]);
}

#[test]
fn sigkill_at_the_end_of_the_hooks_time_was_told_as_hooks_that_took_too_long() {
    let run = scenario(|kernel| {
        spawn(kernel, |sys| sys.at_exit(|sys| _ = sys.sleep(Duration::from_secs(5))));
        kill_at(kernel, 1000, 1, Signal::SIGKILL);
    });
    assert!(run.diagnostics.is_empty(), "{:?}", run.diagnostics);
}

#[test]
fn timeout_in_a_handler_took_the_interrupted_wait_out_of_the_same_queue() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let guard = mutex.lock(sys).unwrap();
        let waiter = child(sys, move |sys| {
            let run = move |sys: &Sys, _| {
                assert_eq!(mutex.lock_timeout(sys, ms(1)).err(), Some(Errno::ETIMEDOUT));
            };
            sys.sigaction(Signal::SIGUSR1, Action::handler(run)).unwrap();
            let guard = mutex.lock(sys);
            assert!(guard.is_ok());
            assert_eq!(sys.now(), at_ms(10));
        });
        sys.sleep(ms(1)).unwrap();
        sys.kill(waiter, Signal::SIGUSR1).unwrap();
        sys.sleep(ms(9)).unwrap();
        drop(guard);
        join(sys, waiter);
    });
}

#[test]
fn inheritance_ended_with_a_handler_over_the_wait() {
    let prio = |builder: Builder| builder.policy(Box::new(Prio::default()));
    solo_with(prio, |sys| {
        sys.nice(-10, None).unwrap();
        let [inner, outer] = [0, 1].map(|_| Mutex::with_protocol(sys, Protocol::Inherit).unwrap());
        let owner = child(sys, move |sys| {
            let _inner = inner.lock(sys).unwrap();
            sys.compute(ms(60)).unwrap();
        });
        sys.nice(5, owner).unwrap();
        sys.sleep(ms(1)).unwrap();
        let middle = child(sys, move |sys| {
            let run = |sys: &Sys, _| sys.sleep(ms(50)).unwrap();
            sys.sigaction(Signal::SIGUSR1, Action::handler(run)).unwrap();
            let _outer = outer.lock(sys).unwrap();
            let _inner = inner.lock(sys).unwrap();
        });
        sys.nice(4, middle).unwrap();
        sys.sleep(ms(1)).unwrap();
        sys.kill(middle, Signal::SIGUSR1).unwrap();
        sys.sleep(ms(20)).unwrap();
        let hog = child(sys, |sys| sys.compute(ms(100)).unwrap());
        sys.nice(3, hog).unwrap();
        drop(outer.lock(sys).unwrap());
        assert!(sys.now() < at_ms(100), "the owner had to wait for the hog: {}", sys.now());
    });
}

#[test]
fn report_and_process_left_out_the_burst_under_way() {
    let run = scenario_with(
        |builder| builder,
        |kernel| {
            spawn(kernel, |sys| sys.compute(ms(10)).unwrap());
            spawn(kernel, |_| ());
        },
        || Until::Time(at_ms(5)),
    );
    assert_eq!(run.report.utilisation(), 1.0);
    let times: Vec<_> =
        run.report.processes.iter().map(|info| (info.cpu_time, info.wait_time)).collect();
    let half = Span::from_millis(5);
    assert_eq!(times, [(half, Span::ZERO), (Span::ZERO, half)]);
}

#[test]
fn time_ready_before_a_stop_was_forgotten() {
    let run = scenario(|kernel| {
        spawn(kernel, |sys| sys.compute(ms(10)).unwrap());
        spawn(kernel, |sys| {
            sys.log(sys.getpinfo(sys.getpid()).unwrap().wait_time.to_string());
        });
        kill_at(kernel, 5, 2, Signal::SIGSTOP);
        kill_at(kernel, 7, 2, Signal::SIGCONT);
    });
    assert_eq!(run.lines, ["[0.010000000] 2 p: 0.008000000"]);
}

#[test]
fn events_down_were_without_bound() {
    let limits = Limits { mailbox_events: 10, ..Limits::default() };
    solo_with(
        move |builder| builder.limits(limits.clone()),
        |sys| {
            let missing = |_: &i32| sys.monitor(Pid::new(99)).is_ok();
            assert_eq!((0..100).take_while(missing).count(), 10);
            let down = |_: &i32| sys.filter_event(["down"], Some(Duration::ZERO)).is_ok();
            assert_eq!((0..100).take_while(down).count(), 10);
            let ended = |_: &i32| {
                let pid = child(sys, |_| ());
                let monitored = sys.monitor(pid);
                join(sys, pid);
                monitored.is_ok()
            };
            assert_eq!((0..100).take_while(ended).count(), 10);
        },
    );
}

#[test]
fn reply_to_a_caller_in_its_exit_hooks_was_told_as_a_second_reply() {
    solo(|sys| {
        let me = sys.getpid();
        child(sys, move |sys| {
            sys.at_exit(|sys| _ = sys.sleep(ms(1)));
            let _ = sys.call(me, "ask", (), None);
        });
        let request: Event = sys.receive_event(Filter::name("ask"), None).unwrap();
        sys.kill(request.sender, Signal::SIGTERM).unwrap();
        assert_eq!(sys.reply(&request, 1), Err(Errno::ECANCELED));
    });
}

/// A program that waits for SIGINT as an event, and ends then.
fn until_interrupted(sys: &Sys) {
    sys.sigaction(Signal::SIGINT, Action::Event).unwrap();
    let _ = sys.next_event(None);
    sys.log("interrupted");
}

#[test]
fn real_time_run_waited_an_hour_past_its_limit_for_an_interrupt() {
    let mut kernel = Kernel::builder().real_time(true).build().unwrap();
    spawn(&mut kernel, until_interrupted);
    let end = kernel.run_until(Until::TimeOrEnded(at_ms(30), Pid::new(1)));
    assert!(matches!(end, hothouse::End::Stopped));
    assert_eq!(kernel.now(), at_ms(30));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an operator interrupts from another thread")]
fn interrupt_while_a_real_time_run_waited_for_its_limit_ended_the_run() {
    let (interrupt, console) = (Interrupt::default(), hothouse::Captured::default());
    let builder = Kernel::builder().real_time(true).interrupt(interrupt.clone());
    let mut kernel = builder.console(console.clone()).build().unwrap();
    spawn(&mut kernel, until_interrupted);
    spawn(&mut kernel, |sys| sys.sleep(Duration::from_secs(3600)).unwrap());
    let operator = std::thread::spawn(move || {
        std::thread::sleep(ms(50));
        interrupt.raise();
    });
    let end = kernel.run_until(Until::TimeOrEnded(at_ms(60_000), Pid::new(1)));
    operator.join().unwrap();
    assert!(matches!(end, hothouse::End::Done));
    assert_eq!(console.lines().len(), 1);
}

#[test]
fn owner_died_was_forgotten_when_a_condition_timed_out() {
    for free in [true, false] {
        let run = scenario(|kernel| {
            spawn(kernel, move |sys| {
                let (mutex, condition) = (sys.mutex().unwrap(), sys.condition().unwrap());
                let waiter = child(sys, move |sys| {
                    let mut guard = mutex.lock(sys).unwrap();
                    let waited = condition.wait_timeout(&mut guard, ms(10)).map(drop);
                    assert_eq!(waited, Err(Errno::ETIMEDOUT));
                });
                // Dies with the mutex, before the waiter wants it again or while it does.
                let owner = child(sys, move |sys| {
                    // Without a guard, which would unlock it when the stack unwinds.
                    sys.lock(mutex.id(), None).unwrap();
                    sys.compute(ms(if free { 5 } else { 15 })).unwrap();
                    sys.kill(sys.getpid(), Signal::SIGKILL).unwrap();
                });
                for pid in [waiter, owner] {
                    sys.wait(pid, None).unwrap();
                }
                let guard = mutex.lock(sys).unwrap();
                sys.log(format!("owner died: {}", guard.owner_died()));
            });
        });
        assert_eq!(run.lines.len(), 1, "{run:?}");
        assert!(run.lines[0].ends_with("owner died: true"), "free: {free}: {}", run.lines[0]);
    }
}

#[test]
fn lua_errors_named_the_runtime_or_nothing_at_all() {
    crate::lua::lua(
        "local ipc = require 'system.ipc'
        local function says(text, ok, err)
          assert(not ok and err == text, tostring(err) .. ' is not ' .. text)
        end
        says('main.lua:6: e', pcall(coroutine.wrap(function()
          error('e')
        end)))
        says(\"main.lua:9: bad argument #1 to 'random' (number has no integer representation)\",
          pcall(function() local _ = math.random(1.5) end))
        local function park() return (ipc.receiveEvent(nil, nil, 1)) end
        local ok, err = xpcall(error, park, 'first')
        assert(not ok and err:find('receive_event cannot wait here', 1, true), err)",
    );
}

#[test]
fn hooks_at_the_end_of_time_were_never_broken_off() {
    let limits = Limits { steps_at_one_instant: 10_000, ..Limits::default() };
    let run = solo_with(
        move |builder| builder.limits(limits.clone()),
        |sys| {
            sys.alarm(Tick::MAX).unwrap();
            sys.next_event(None).unwrap();
            assert_eq!(sys.now(), Tick::MAX);
            sys.at_exit(|sys| {
                loop {
                    sys.yield_now();
                }
            });
        },
    );
    assert!(run.diagnostics[0].contains("took too long"), "{:?}", run.diagnostics);
}
