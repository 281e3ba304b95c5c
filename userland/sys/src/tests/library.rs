use std::time::Duration;

use hothouse_abi::{
    Disposition, Errno, Event, ExitStatus, Name, Pid, Resume, Signal, Tick, Token, Value,
};

use super::FakeGate;
use crate::programs::programs;
use crate::{Child, Deadline, GaveUp, Restart, Supervisor, Sys, rpc};

const DEFAULT: Resume =
    Resume::Disposition(Disposition { action: hothouse_abi::Action::Default, interrupt: false });
const EVENT: Resume =
    Resume::Disposition(Disposition { action: hothouse_abi::Action::Event, interrupt: false });

fn at(nanos: u64) -> Resume {
    Resume::Tick(Tick::from_nanos(nanos))
}

fn ended(pid: u64, key: &str, value: impl Into<Value>) -> Resume {
    let data = Value::map([("id", pid.into()), (key, value.into())]);
    Resume::Event(Event::kernel(Name::from("process_complete"), data))
}

fn child(name: &str) -> Child {
    Child::new(name, |_| ())
}

#[test]
fn a_deadline_is_one_for_several_calls() {
    let gate = FakeGate::new([at(10), at(12), at(15), at(15), at(16)]);
    let sys = Sys::new(&gate);
    let deadline = sys.deadline(Duration::from_nanos(5));
    assert_eq!(deadline, Deadline::at(Tick::from_nanos(15)));
    assert_eq!(deadline.timeout(&sys), Some(Duration::from_nanos(3)));
    assert_eq!(deadline.left(&sys), Duration::ZERO);
    assert!(deadline.has_passed(&sys));
    assert_eq!(deadline.left(&sys), Duration::ZERO);
}

fn request(name: &str, data: impl Into<Value>) -> Resume {
    let event = Event::sent(Pid::new(5), name, data);
    Resume::Event(Event { token: Some(Token::FIRST), ..event })
}

#[test]
fn a_server_answers_refuses_and_stops() {
    let gate = FakeGate::new([
        Resume::Unit,
        request("double", 4),
        Resume::Unit,
        request("double", "x"),
        Resume::Error(Errno::ECANCELED),
        request("nothing", ()),
        Resume::Unit,
        // A plain event runs the method and is not answered.
        Resume::Event(Event::sent(Pid::new(5), "double", 1)),
        request("stop", ()),
        Resume::Unit,
        Resume::Unit,
    ]);
    let sys = Sys::new(&gate);
    let mut calls = 0;
    let server = rpc::Server::new("maths").stop_on("stop").on("double", |_, request| {
        calls += 1;
        Ok((request.data.as_int().ok_or("no number")? * 2).into())
    });
    assert_eq!(server.serve(&sys), Ok(()));
    assert_eq!(calls, 3);
    let replies: Vec<_> =
        gate.traps().into_iter().filter(|trap| trap.starts_with("Reply")).collect();
    let reply = |name: &str, data: &str| {
        format!("Reply {{ pid: Pid(5), token: Some(Token(1)), name: \"{name}\", data: {data} }}")
    };
    let expected = [
        reply("double", "{ok = 8}"),
        reply("double", "{error = \"no number\"}"),
        reply("nothing", "{error = \"maths has no method nothing\"}"),
        reply("stop", "{}"),
    ];
    assert_eq!(replies, expected);
    assert_eq!(gate.names().last(), Some(&"unregister"));
}

#[test]
fn a_server_whose_name_is_taken_serves_nothing() {
    let gate = FakeGate::new([Resume::Error(Errno::EEXIST)]);
    assert_eq!(rpc::Server::new("maths").serve(&Sys::new(&gate)), Err(Errno::EEXIST));
    assert_eq!(gate.names(), ["register"]);
}

#[test]
fn a_client_tells_a_value_from_a_refusal_and_an_errno() {
    let found = || Resume::Found(Some(Pid::new(5)));
    let reply = |key, value: Value| {
        Resume::Event(Event::sent(Pid::new(5), "m", Value::map([(key, value)])))
    };
    let gate = FakeGate::new([
        found(),
        reply("ok", 8.into()),
        found(),
        reply("ok", Value::Nil),
        found(),
        reply("error", "no".into()),
        found(),
        Resume::Error(Errno::ETIMEDOUT),
        Resume::Found(None),
    ]);
    let sys = Sys::new(&gate);
    let call = || rpc::call(&sys, "maths", "m", 1, None);
    assert_eq!(call(), Ok(8.into()));
    assert_eq!(call(), Ok(Value::Nil));
    assert_eq!(call(), Err(rpc::Error::Refused("no".into())));
    assert_eq!(call(), Err(rpc::Error::Call(Errno::ETIMEDOUT)));
    assert_eq!(call(), Err(rpc::Error::Call(Errno::ENOENT)));
}

#[test]
fn a_supervisor_restarts_what_failed_and_ends_when_all_have_ended() {
    let gate = FakeGate::new([
        Resume::Unit,
        DEFAULT,
        Resume::Pid(Pid::new(2)),
        Resume::Pid(Pid::new(3)),
        // Child 3 ends well, a stranger ends, child 2 fails once.
        ended(3, "value", 0),
        ended(77, "error", "not ours"),
        ended(2, "error", "oh"),
        at(1),
        Resume::Pid(Pid::new(4)),
        ended(4, "value", true),
        Resume::Unit,
        EVENT,
    ]);
    let supervisor = Supervisor::new().child(child("a")).child(child("b"));
    assert_eq!(supervisor.run(&Sys::new(&gate)), Ok(()));
    let spawns = gate.traps().iter().filter(|trap| trap.starts_with("Spawn { name: \"a\"")).count();
    assert_eq!(spawns, 2);
}

#[test]
fn what_counts_as_a_failure_and_who_is_restarted_anyway() {
    for (restart, key, value, again) in [
        (Restart::OnFailure, "value", Value::from(1), true),
        (Restart::OnFailure, "value", Value::from(false), true),
        (Restart::OnFailure, "value", Value::from(0), false),
        (Restart::OnFailure, "signal", Value::from(9), true),
        (Restart::Always, "value", Value::from(0), true),
        (Restart::Never, "error", Value::from("oh"), false),
    ] {
        let mut script = vec![Resume::Unit, DEFAULT, Resume::Pid(Pid::new(2))];
        script.push(ended(2, key, value.clone()));
        if again {
            script.push(at(1));
        }
        script.extend([Resume::Unit, EVENT]);
        let gate = FakeGate::new(script);
        let supervisor = Supervisor::new()
            .child(child("a").restart(restart))
            .give_up_after(0, Duration::from_secs(1));
        let gave_up = supervisor.run(&Sys::new(&gate)).is_err();
        assert_eq!(gave_up, again, "{restart:?} after {key} {value}");
    }
}

#[test]
fn a_supervisor_gives_up_only_after_too_many_restarts_in_the_time() {
    // Two restarts within 10 ns are allowed. Those at 1 and 2 are forgotten at 13, so that the
    // third within the time is the one at 15.
    let mut script = vec![Resume::Unit, DEFAULT, Resume::Pid(Pid::new(2))];
    for (pid, now) in [(2, 1), (3, 2), (4, 13), (5, 14)] {
        script.extend([ended(pid, "error", "oh"), at(now), Resume::Pid(Pid::new(pid + 1))]);
    }
    script.extend([ended(6, "error", "oh"), at(15), Resume::Unit, EVENT]);
    let gate = FakeGate::new(script);
    let supervisor = Supervisor::new().child(child("a")).give_up_after(2, Duration::from_nanos(10));
    let gave_up = supervisor.run(&Sys::new(&gate)).unwrap_err();
    assert_eq!(gave_up, GaveUp::TooManyRestarts("a".into()));
}

#[test]
fn sigterm_ends_the_children_in_reverse_order_and_kills_the_stubborn() {
    let sigterm = Event::kernel(
        Name::from("signal"),
        Value::map([("signal", i64::from(Signal::SIGTERM.number()))]),
    );
    let sighup = Event::kernel(Name::from("signal"), Value::map([("signal", 1)]));
    let gate = FakeGate::new([
        Resume::Unit,
        DEFAULT,
        Resume::Pid(Pid::new(2)),
        Resume::Pid(Pid::new(3)),
        Resume::Event(sighup),
        Resume::Event(sigterm),
        // Child 3 ends in time.
        Resume::Unit,
        at(0),
        at(0),
        ended(3, "signal", 15),
        // Child 2 does not.
        Resume::Unit,
        at(5),
        at(5),
        Resume::Error(Errno::ETIMEDOUT),
        Resume::Unit,
        at(15),
        ended(2, "signal", 9),
        Resume::Unit,
        EVENT,
    ]);
    let supervisor =
        Supervisor::new().child(child("a")).child(child("b")).grace(Duration::from_nanos(10));
    assert_eq!(supervisor.run(&Sys::new(&gate)), Ok(()));
    let kills: Vec<_> = gate.traps().into_iter().filter(|trap| trap.starts_with("Kill")).collect();
    let kill = |pid, signal| format!("Kill {{ pid: Pid({pid}), signal: SignalNumber({signal}) }}");
    assert_eq!(kills, [kill(3, 15), kill(2, 15), kill(2, 9)]);
    let traps = gate.traps();
    let last = "Sigaction { signal: SignalNumber(15), \
                disposition: Some(Disposition { action: Default, interrupt: false }) }";
    assert_eq!(traps[traps.len() - 2..], ["Notices { on: false }", last]);
}

#[test]
fn a_child_that_cannot_be_started_ends_those_before_it() {
    let gate = FakeGate::new([
        Resume::Unit,
        DEFAULT,
        Resume::Pid(Pid::new(2)),
        Resume::Error(Errno::EAGAIN),
        Resume::Unit,
        at(0),
        at(0),
        ended(2, "signal", 15),
        Resume::Unit,
        EVENT,
    ]);
    let supervisor = Supervisor::new().child(child("a")).child(child("b"));
    let gave_up = supervisor.run(&Sys::new(&gate)).unwrap_err();
    assert_eq!(gave_up, GaveUp::Spawn("b".into(), Errno::EAGAIN));
    assert_eq!(gave_up.to_string(), "b could not be started: Resource temporarily unavailable");
}

#[test]
fn the_programs_are_listed_in_order_and_fail_on_errors() {
    let names: Vec<_> = programs().iter().map(|builtin| builtin.name).collect();
    assert!(names.is_sorted() && names.len() == 7, "{names:?}");
    for builtin in programs() {
        // A machine that refuses everything: the program says so, instead of panicking.
        let refusals = vec![Resume::Error(Errno::EAGAIN); 1];
        let gate = FakeGate::new(refusals);
        let ended = gate.run_program((builtin.start)(Vec::new()));
        match builtin.name {
            "supervisor" => assert_eq!(ended, super::Ended::Unwound),
            name => {
                let failed = ExitStatus::Failed("Resource temporarily unavailable".into());
                assert_eq!(ended, super::Ended::Returned(failed), "{name}");
            }
        }
    }
}
