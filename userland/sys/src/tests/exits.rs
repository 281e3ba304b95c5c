use std::panic::{AssertUnwindSafe, catch_unwind};

use hothouse_abi::{Errno, ExitStatus, Pid, Resume, Signal, Value};

use super::{Ended, FakeGate};

fn exited(value: impl Into<Value>) -> ExitStatus {
    ExitStatus::Exited(value.into())
}

#[test]
fn a_plain_return_makes_no_trap() {
    let gate = FakeGate::new([]);
    assert_eq!(gate.run(|_| 3), Ended::Returned(exited(3)));
    let failed = gate.run(|_| Err::<(), _>(Errno::EPERM));
    assert_eq!(failed, Ended::Returned(ExitStatus::Failed("Permission denied".into())));
    assert!(gate.traps().is_empty());
}

#[test]
fn hooks_run_oldest_first_before_the_second_exit() {
    let gate = FakeGate::new([Resume::Unit, Resume::Hooks, Resume::Unit, Resume::Unit]);
    let ended = gate.run(|sys| {
        sys.at_exit(|sys| sys.log("one"));
        sys.at_exit(|sys| sys.log("two"));
        4
    });
    assert_eq!(ended, Ended::Unwound);
    let expected = [
        "AtExit { hooks: true }",
        "Exit { status: Exited(4) }",
        "Log { text: \"one\" }",
        "Log { text: \"two\" }",
        "Exit { status: Exited(4) }",
    ];
    assert_eq!(gate.traps(), expected);
}

#[test]
fn a_hook_may_add_a_hook() {
    let gate = FakeGate::new([Resume::Unit, Resume::Hooks, Resume::Unit, Resume::Unit]);
    let ended = gate.run(|sys| sys.at_exit(|sys| sys.at_exit(|sys| sys.log("late"))));
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.names(), ["at_exit", "exit", "at_exit", "log", "exit"]);
}

#[test]
fn a_panic_in_a_hook_does_not_stop_the_others() {
    let gate = FakeGate::new([Resume::Unit, Resume::Hooks, Resume::Unit, Resume::Unit]);
    let ended = gate.run(|sys| {
        sys.at_exit(|_| panic!("oh {}", "no"));
        sys.at_exit(|sys| sys.log("still runs"));
    });
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.traps()[2], "Diagnose { text: \"an exit hook panicked: oh no\" }");
    assert_eq!(gate.names()[3..], ["log", "exit"]);
}

#[test]
fn a_hook_that_is_killed_unwinds_at_once() {
    // Nothing is left in the script at the hook's sleep: the gate unwinds.
    let gate = FakeGate::new([Resume::Unit, Resume::Hooks]);
    let ended = gate.run(|sys| {
        sys.at_exit(|sys| sys.sleep(std::time::Duration::ZERO).unwrap());
        sys.at_exit(|sys| sys.log("not run"));
    });
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.names(), ["at_exit", "exit", "sleep"]);
}

#[test]
fn a_process_ended_in_another_call_runs_its_hooks_there() {
    let gate = FakeGate::new([Resume::Unit, Resume::Hooks, Resume::Unit]);
    let ended = gate.run(|sys| {
        sys.at_exit(|sys| sys.log("bye"));
        let _ = sys.wait(None, None);
        sys.log("not reached");
    });
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.names(), ["at_exit", "wait", "log", "exit"]);
}

#[test]
fn after_a_panic_hooks_run_and_the_panic_goes_on_to_the_kernel() {
    let gate = FakeGate::new([Resume::Unit, Resume::Hooks, Resume::Unit]);
    let ended = gate.run(|sys| -> () {
        sys.at_exit(|sys| sys.log("bye"));
        panic!("broken");
    });
    assert_eq!(ended, Ended::Panicked("broken".into()));
    let traps = gate.traps();
    assert_eq!(traps[1], "Exit { status: Panicked(\"broken\") }");
    assert_eq!(gate.names(), ["at_exit", "exit", "log"]);
}

#[test]
fn a_handler_may_run_between_a_panic_and_its_hooks() {
    let gate =
        FakeGate::new([Resume::Unit, Resume::Handler(Signal::SIGINT), Resume::Hooks, Resume::Unit]);
    let ended = gate.run(|sys| -> () {
        sys.at_exit(|sys| sys.log("bye"));
        panic!("broken");
    });
    assert_eq!(ended, Ended::Panicked("broken".into()));
    assert_eq!(gate.names(), ["at_exit", "exit", "sigreturn", "log"]);
}

#[test]
fn a_panic_without_hooks_makes_no_trap() {
    let gate = FakeGate::new([]);
    let ended = gate.run(|_| -> () { panic!("broken") });
    assert_eq!(ended, Ended::Panicked("broken".into()));
    assert!(gate.traps().is_empty());
}

#[test]
fn exit_unwinds_and_runs_destructors_that_may_trap() {
    struct Last<'a>(&'a crate::Sys<'a>);
    impl Drop for Last<'_> {
        fn drop(&mut self) {
            self.0.log("destructor");
            assert_eq!(self.0.sleep(std::time::Duration::ZERO), Err(Errno::EINTR));
        }
    }
    let gate = FakeGate::new([]);
    let ended = gate.run(|sys| -> () {
        let _last = Last(sys);
        sys.exit(ExitStatus::Failed("enough".into()))
    });
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.traps()[0], "Exit { status: Failed(\"enough\") }");
    assert_eq!(gate.names(), ["exit", "log", "sleep"]);
}

#[test]
fn exit_never_returns_even_if_its_trap_does() {
    let gate = FakeGate::new([Resume::Error(Errno::EINTR)]);
    let ended = gate.run(|sys| {
        // A process that swallows its unwinding gets it again from its next exit.
        let _ = catch_unwind(AssertUnwindSafe(|| sys.exit(())));
        sys.exit(())
    });
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.names(), ["exit", "exit"]);
}

#[test]
fn a_refused_hook_is_not_run() {
    let gate = FakeGate::new([Resume::Error(Errno::EINTR), Resume::Pid(Pid::new(1))]);
    let ended = gate.run(|sys| {
        sys.at_exit(|sys| sys.log("never"));
        sys.getpid();
    });
    assert_eq!(ended, Ended::Returned(exited(())));
}

#[test]
fn a_main_that_never_returns_needs_no_annotation() {
    let gate = FakeGate::new([Resume::Unit]);
    let ended = gate.run(|sys| {
        loop {
            sys.yield_now();
        }
    });
    assert_eq!(ended, Ended::Unwound);
}
