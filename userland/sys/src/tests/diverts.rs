use std::cell::RefCell;
use std::rc::Rc;

use hothouse_abi::{Disposition, Errno, Event, ExitStatus, Filter, Pid, Resume, Signal, Tick};

use super::{Ended, FakeGate};
use crate::{Action, Sys};

const DEFAULT: Resume =
    Resume::Disposition(Disposition { action: hothouse_abi::Action::Default, interrupt: false });

fn ping() -> Event {
    Event::sent(Pid::new(2), "ping", 1)
}

#[test]
fn the_answer_after_a_handler_is_that_of_the_interrupted_call() {
    let gate = FakeGate::new([
        DEFAULT,
        Resume::Handler(Signal::SIGINT),
        Resume::Tick(Tick::from_nanos(3)),
        Resume::Unit,
        Resume::Event(ping()),
    ]);
    let ended = gate.run(|sys| {
        let handler = Action::handler(|sys, signal| sys.log(format!("{signal} at {}", sys.now())));
        sys.sigaction(Signal::SIGINT, handler)?;
        sys.receive_event(Filter::any(), None).map(|event| event.data)
    });
    assert_eq!(ended, Ended::Returned(ExitStatus::Exited(1.into())));
    let traps = ["sigaction", "receive_event", "now", "log", "sigreturn"];
    assert_eq!(gate.names(), traps);
    assert_eq!(gate.traps()[3], "Log { text: \"SIGINT at 0.000000003\" }");
}

#[test]
fn several_handlers_run_before_one_answer_and_may_nest() {
    let gate = FakeGate::new([
        DEFAULT,
        DEFAULT,
        // In the sleep comes SIGHUP; in its handler's own call comes SIGINT; then SIGHUP again.
        Resume::Handler(Signal::SIGHUP),
        Resume::Handler(Signal::SIGINT),
        Resume::Pid(Pid::new(1)),
        Resume::Pid(Pid::new(1)),
        Resume::Handler(Signal::SIGHUP),
        Resume::Pid(Pid::new(1)),
        Resume::Error(Errno::EINTR),
    ]);
    let order = Rc::new(RefCell::new(Vec::new()));
    let seen = order.clone();
    let ended = gate.run(move |sys| {
        let inner = seen.clone();
        let outer = Action::handler(move |sys, signal| {
            inner.borrow_mut().push(format!("{signal} begins"));
            sys.getpid();
            inner.borrow_mut().push(format!("{signal} ends"));
        });
        sys.sigaction(Signal::SIGHUP, outer.clone())?;
        sys.sigaction(Signal::SIGINT, outer)?;
        sys.sleep(std::time::Duration::ZERO)
    });
    assert_eq!(ended, Ended::Returned(ExitStatus::Failed("Interrupted system call".into())));
    let expected = [
        "SIGHUP begins",
        "SIGINT begins",
        "SIGINT ends",
        "SIGHUP ends",
        "SIGHUP begins",
        "SIGHUP ends",
    ];
    assert_eq!(*order.borrow(), expected);
    let names = gate.names();
    assert_eq!(names.iter().filter(|name| **name == "sigreturn").count(), 3);
}

#[test]
fn a_handler_may_replace_itself_while_it_runs() {
    struct Alive(Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.borrow_mut().push("dropped");
        }
    }
    let gate = FakeGate::new([
        DEFAULT,
        Resume::Handler(Signal::SIGINT),
        Resume::Disposition(hothouse_abi::Action::Handler.into()),
        Resume::Unit,
    ]);
    let log = Rc::new(RefCell::new(Vec::new()));
    let alive = Alive(log.clone());
    let ended = gate.run(move |sys| {
        let handler = Action::handler(move |sys, signal| {
            sys.sigaction(signal, Action::Ignore).map(drop).unwrap();
            alive.0.borrow_mut().push("still runs");
        });
        sys.sigaction(Signal::SIGINT, handler)?;
        sys.sleep(std::time::Duration::ZERO)
    });
    assert_eq!(ended, Ended::Returned(ExitStatus::Exited(().into())));
    assert_eq!(*log.borrow(), ["still runs", "dropped"]);
}

#[test]
fn a_panic_in_a_handler_goes_through_the_call() {
    let gate = FakeGate::new([DEFAULT, Resume::Handler(Signal::SIGINT)]);
    let ended = gate.run(|sys| {
        sys.sigaction(Signal::SIGINT, Action::handler(|_, _| panic!("in the handler")))?;
        sys.sleep(std::time::Duration::ZERO)
    });
    assert_eq!(ended, Ended::Panicked("in the handler".into()));
    assert_eq!(gate.names(), ["sigaction", "sleep"]);
}

#[test]
fn a_signal_without_a_handler_only_returns() {
    let gate = FakeGate::new([Resume::Handler(Signal::SIGINT), Resume::Unit]);
    assert_eq!(Sys::new(&gate).sleep(std::time::Duration::ZERO), Ok(()));
    assert_eq!(gate.names(), ["sleep", "sigreturn"]);
}
