use hothouse_abi::{Disposition, Errno, Resume, Signal};

use super::FakeGate;
use crate::{Action, Sys};

fn answer(action: hothouse_abi::Action) -> Resume {
    Resume::Disposition(action.into())
}

const INTERRUPTING: Resume =
    Resume::Disposition(Disposition { action: hothouse_abi::Action::Handler, interrupt: true });

#[test]
fn each_action_has_its_disposition() {
    use hothouse_abi::Action::Default;
    let gate = FakeGate::new([answer(Default), answer(Default), answer(Default), answer(Default)]);
    let sys = Sys::new(&gate);
    sys.sigaction(Signal::SIGTERM, Action::Ignore).unwrap();
    sys.sigaction(15, Action::Event).unwrap();
    sys.sigaction(15, Action::interrupting(|_, _| ())).unwrap();
    sys.sigaction(15, None).unwrap();
    let trap =
        |rest: &str| format!("Sigaction {{ signal: SignalNumber(15), disposition: {rest} }}");
    let expected = [
        trap("Some(Disposition { action: Ignore, interrupt: false })"),
        trap("Some(Disposition { action: Event, interrupt: false })"),
        trap("Some(Disposition { action: Handler, interrupt: true })"),
        trap("None"),
    ];
    assert_eq!(gate.traps(), expected);
}

#[test]
fn the_old_action_is_returned_with_its_handler() {
    use hothouse_abi::Action::{Default, Ignore};
    let gate = FakeGate::new([
        answer(Default),
        INTERRUPTING,
        INTERRUPTING,
        answer(Ignore),
        answer(hothouse_abi::Action::Event),
    ]);
    let sys = Sys::new(&gate);
    let handler = Action::interrupting(|_, _| ());
    assert_eq!(sys.sigaction(15, handler.clone()), Ok(Action::Default));
    assert_eq!(sys.sigaction(15, None), Ok(handler.clone()));
    assert_eq!(sys.sigaction(15, Action::Ignore), Ok(handler.clone()));
    assert_eq!(sys.sigaction(15, handler), Ok(Action::Ignore));
    assert_eq!(sys.sigaction(10, None), Ok(Action::Event));
}

#[test]
fn two_handlers_are_not_the_same_action() {
    let text = String::from("captured");
    let other = text.clone();
    let one = Action::handler(move |_, _| assert!(!text.is_empty()));
    let two = Action::handler(move |_, _| assert!(!other.is_empty()));
    assert_eq!(one, one.clone());
    assert_ne!(one, two);
}

#[test]
fn a_refused_action_changes_nothing() {
    use hothouse_abi::Action::{Default, Handler};
    let gate = FakeGate::new([
        answer(Default),
        Resume::Error(Errno::EAGAIN),
        answer(Handler),
        Resume::Error(Errno::EINVAL),
        Resume::Error(Errno::EINVAL),
        answer(Default),
    ]);
    let sys = Sys::new(&gate);
    let text = String::from("captured");
    let first = Action::handler(move |_, _| assert!(!text.is_empty()));
    sys.sigaction(15, first.clone()).unwrap();
    assert_eq!(sys.sigaction(15, Action::handler(|_, _| ())), Err(Errno::EAGAIN));
    assert_eq!(sys.sigaction(15, None), Ok(first.clone()));
    assert_eq!(sys.sigaction(9, first.clone()), Err(Errno::EINVAL));
    assert_eq!(sys.sigaction(99, first), Err(Errno::EINVAL));
    assert_eq!(sys.handlers.borrow().get(Signal::SIGKILL), None);
    assert_eq!(sys.sigaction(99, None), Ok(Action::Default));
}

#[test]
fn a_signal_delivered_by_sigaction_itself_finds_the_new_handler() {
    let gate = FakeGate::new([
        Resume::Handler(Signal::SIGTERM),
        Resume::Unit,
        answer(hothouse_abi::Action::Default),
    ]);
    let sys = Sys::new(&gate);
    sys.sigaction(15, Action::handler(|sys, _| sys.log("new"))).unwrap();
    assert_eq!(gate.names(), ["sigaction", "log", "sigreturn"]);
}

#[test]
fn what_a_handler_sets_during_a_sigaction_stays() {
    use hothouse_abi::Action::{Default, Handler};
    let gate = FakeGate::new([
        answer(Default),
        // `sigaction(Ignore)` is interrupted by the old handler, which installs another.
        Resume::Handler(Signal::SIGTERM),
        answer(Handler),
        answer(Handler),
        // That other one still runs.
        Resume::Handler(Signal::SIGTERM),
        Resume::Unit,
        Resume::Unit,
    ]);
    let sys = Sys::new(&gate);
    let old = Action::handler(|sys, signal| {
        let _ = sys.sigaction(signal, Action::handler(|sys, _| sys.log("other")));
    });
    sys.sigaction(15, old).unwrap();
    sys.sigaction(15, Action::Ignore).unwrap();
    sys.yield_now();
    assert_eq!(gate.names()[4..], ["yield_now", "log", "sigreturn"]);
}
