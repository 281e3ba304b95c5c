//! Faults on purpose: each kind, by script and by chance, on events, requests, replies and traps.

use std::time::Duration;

use hothouse::faults::Faults;
use hothouse::{
    Builder, Captured, Choice, End, Errno, ExitStatus, Exploration, Filter, Kernel, Oracle, Pid,
    Signal, Sys, Tick, Until, program,
};
use hothouse_tests::{Notes, Run, at_ms, ms, scenario_with, solo_with};

fn faults(rules: &'static str) -> impl Fn(Builder) -> Builder {
    move |builder| builder.faults(rules.parse::<Faults>().unwrap_or_else(|error| panic!("{error}")))
}

/// What a receiver, pid 1, gets of ten numbers that a sender, pid 2, sends it a millisecond apart.
fn received(rules: &'static str) -> String {
    let notes = Notes::default();
    let noted = notes.clone();
    let run = scenario_with(
        faults(rules),
        move |kernel| {
            let notes = noted.clone();
            let receiver = program(move |sys: &Sys| {
                while let Ok(event) = sys.receive_event(Filter::any(), Some(ms(100))) {
                    notes.add(event.data.to_string());
                }
            });
            kernel.spawn("receiver", receiver).expect("there is room");
            let sender = program(|sys: &Sys| {
                for number in 0..10 {
                    sys.send_event(Pid::new(1), "number", number).expect("the receiver lives");
                    sys.sleep(ms(1)).expect("it lives");
                }
            });
            kernel.spawn("sender", sender).expect("there is room");
        },
        || Until::Idle,
    );
    assert!(run.exit(1).status.is_success() && run.exit(2).status.is_success(), "{run:?}");
    let mut all = notes.take();
    // The scenario runs twice.
    let second = all.split_off(all.len() / 2);
    assert_eq!(all, second);
    all.join(" ")
}

#[test]
fn events_are_dropped_by_script() {
    assert_eq!(received("drop:nth=3"), "0 1 3 4 5 6 7 8 9");
    assert_eq!(received("drop:from=sender,to=receiver,every=2"), "0 2 4 6 8");
    assert_eq!(received("drop:event=number,max=3"), "3 4 5 6 7 8 9");
    assert_eq!(received("drop:from=2,to=1,after=2ms,before=4ms"), "0 1 4 5 6 7 8 9");
    assert_eq!(received("drop:from=s*r,to=rec*"), "");
}

#[test]
fn rules_that_fit_nothing_change_nothing() {
    let all = "0 1 2 3 4 5 6 7 8 9";
    for rules in ["drop:from=receiver", "drop:to=sender", "drop:event=word", "drop:p=0"] {
        assert_eq!(received(rules), all, "{rules}");
    }
}

#[test]
fn events_are_delayed_and_overtaken() {
    assert_eq!(received("delay:nth=1,by=2500us"), "1 2 0 3 4 5 6 7 8 9");
    assert_eq!(received("delay:nth=9,by=50ms"), "0 1 2 3 4 5 6 7 9 8");
}

#[test]
fn events_are_duplicated() {
    assert_eq!(received("duplicate:nth=2"), "0 1 1 2 3 4 5 6 7 8 9");
}

#[test]
fn events_are_reordered() {
    assert_eq!(received("reorder:nth=2"), "0 2 1 3 4 5 6 7 8 9");
    // Nothing overtakes the last one: it comes by itself.
    assert_eq!(received("reorder:nth=10,within=5ms"), "0 1 2 3 4 5 6 7 8 9");
    assert_eq!(received("reorder:every=2"), "0 2 1 4 3 6 5 8 7 9");
}

#[test]
fn the_first_rule_that_strikes_does() {
    assert_eq!(received("drop:nth=2; duplicate:max=3"), "0 0 2 2 3 3 4 5 6 7 8 9");
}

#[test]
fn chance_is_drawn_from_the_seed() {
    let some = received("drop:p=0.5");
    let count = some.split(' ').count();
    assert!((1..10).contains(&count), "{some}");
    // A rule does not shift the draws of another.
    assert_eq!(received("drop:p=0.5; drop:event=word,p=0.5"), some);
    assert_ne!(received("drop:event=word,p=0.5; drop:p=0.5"), some, "each has its own stream");
}

fn call(rules: &'static str, timeout: Option<Duration>) -> (Result<i64, Errno>, Tick, Run) {
    let notes = Notes::default();
    let noted = notes.clone();
    let run = scenario_with(
        faults(rules),
        move |kernel| {
            let notes = noted.clone();
            let client = program(move |sys: &Sys| {
                let reply = sys.call(Pid::new(2), "ask", 20, timeout);
                let number = reply.map(|reply| reply.data.as_int().expect("a number"));
                notes.add(format!("{number:?} at {}", sys.now()));
                number
                    .map(drop)
                    .or_else(|errno| if errno == Errno::ETIMEDOUT { Ok(()) } else { Err(errno) })
            });
            kernel.spawn("client", client).expect("there is room");
            let server = program(|sys: &Sys| {
                while let Ok(request) = sys.receive_event(Filter::name("ask"), Some(ms(50))) {
                    let number = request.data.as_int().expect("a number");
                    // A request that came twice is answered once.
                    let _ = sys.reply(&request, number + 1);
                }
            });
            kernel.spawn("server", server).expect("there is room");
        },
        || Until::Idle,
    );
    let text = notes.take().remove(0);
    let (number, at) = text.split_once(" at ").expect("as it was noted");
    let number = match number {
        "Ok(21)" => Ok(21),
        "Err(ETIMEDOUT)" => Err(Errno::ETIMEDOUT),
        other => panic!("{other}"),
    };
    let nanos = at.replace('.', "").parse().expect("a time");
    (number, Tick::from_nanos(nanos), run)
}

#[test]
fn requests_and_replies_are_dropped_and_delayed() {
    let soon = Some(ms(5));
    assert_eq!(call("drop:from=client", soon).0, Err(Errno::ETIMEDOUT));
    assert_eq!(call("drop:from=server", soon).0, Err(Errno::ETIMEDOUT));
    let (answer, at, _) = call("delay:from=server,by=2ms", soon);
    assert_eq!((answer, at), (Ok(21), at_ms(2)));
    let (answer, at, _) = call("delay:by=2ms", soon);
    assert_eq!((answer, at), (Ok(21), at_ms(4)));
    // It comes when nobody waits for it any more, and is lost.
    let (answer, at, run) = call("delay:from=server,by=9ms", soon);
    assert_eq!((answer, at), (Err(Errno::ETIMEDOUT), at_ms(5)));
    assert!(run.exit(2).status.is_success());
    let (answer, ..) = call("duplicate", soon);
    assert_eq!(answer, Ok(21));
}

#[test]
fn what_is_under_way_to_one_that_ends_is_lost() {
    let run = scenario_with(
        faults("delay:by=1s; stop:process=receiver,at=1,for=2s"),
        |kernel| {
            let receiver = program(|sys: &Sys| _ = sys.receive_event(Filter::any(), None));
            kernel.spawn("receiver", receiver).expect("there is room");
            let main = program(|sys: &Sys| {
                sys.send_event(Pid::new(1), "late", ()).expect("it lives");
                sys.sleep(ms(1)).expect("it lives");
                sys.kill(Pid::new(1), Signal::SIGKILL).expect("it lives");
            });
            kernel.spawn("killer", main).expect("there is room");
        },
        || Until::Idle,
    );
    assert_eq!(run.report.now, at_ms(1));
}

#[test]
fn a_process_is_killed_at_its_nth_trap() {
    let run = scenario_with(
        faults("kill:process=victim,at=3"),
        |kernel| {
            let main = program(|sys: &Sys| (0..9).for_each(|number| sys.log(number.to_string())));
            kernel.spawn("victim", main).expect("there is room");
        },
        || Until::Idle,
    );
    assert_eq!(run.exit(1).status, ExitStatus::Signaled(Signal::SIGKILL));
    let texts: Vec<_> = run.lines.iter().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(texts, ["0", "1"]);
    assert_eq!(run.report.counters.injected, 1);
}

#[test]
fn other_signals_come_as_the_process_sent_them_to_itself() {
    solo_with(faults("kill:process=solo,at=2,signal=USR1"), |sys| {
        let notes = Notes::default();
        let noted = notes.clone();
        let handler = move |_: &Sys, signal: Signal| noted.add(signal.name());
        sys.sigaction(Signal::SIGUSR1, hothouse::Action::handler(handler))
            .expect("it can be caught");
        sys.getpid();
        assert_eq!(notes.take(), ["SIGUSR1"]);
    });
}

#[test]
fn a_process_is_stopped_at_its_nth_trap_for_a_while() {
    let run = solo_with(faults("stop:process=1,at=2,for=7ms"), |sys| {
        sys.log("before");
        sys.log("stopped in this call");
        assert_eq!(sys.now(), at_ms(7));
    });
    assert_eq!(run.lines.len(), 2);
}

#[test]
fn a_clock_is_skewed() {
    let run = scenario_with(
        faults("skew:process=fast,by=+5ms; skew:process=slow,by=-2ms"),
        |kernel| {
            for (name, first, second) in [("fast", 6, 8), ("slow", 0, 6), ("right", 1, 8)] {
                let main = program(move |sys: &Sys| {
                    sys.sleep(ms(1)).expect("it lives");
                    assert_eq!(sys.now(), at_ms(first));
                    sys.sleep_until(at_ms(second)).expect("it lives");
                    sys.log(format!("{}", sys.now()));
                });
                kernel.spawn(name, main).expect("there is room");
            }
        },
        || Until::Idle,
    );
    assert_eq!(
        run.lines,
        [
            "[0.003000000] 1 fast: 0.008000000",
            "[0.008000000] 2 slow: 0.006000000",
            "[0.008000000] 3 right: 0.008000000"
        ]
    );
}

#[test]
fn calls_fail_with_an_errno() {
    solo_with(faults("fail:call=register,errno=EIO,nth=2; fail:call=sleep,errno=EINTR"), |sys| {
        assert_eq!(sys.register("a"), Ok(()));
        assert_eq!(sys.register("b"), Err(Errno::EIO));
        assert_eq!(sys.lookup("b"), None, "nothing was done");
        assert_eq!(sys.register("b"), Ok(()));
        assert_eq!(sys.sleep(ms(1)), Err(Errno::EINTR));
        assert_eq!(sys.now(), at_ms(0));
    });
}

/// A ring in which a token goes round, with a watchman who starts it anew.
fn ring(kernel: &mut Kernel) {
    const NODES: u64 = 4;
    for node in 1..=NODES {
        let next = Pid::new(node % NODES + 1);
        let main = program(move |sys: &Sys| {
            if node == 1 {
                let _ = sys.send_event(next, "token", 0);
            }
            for _ in 0..50 {
                let token = sys.receive_event(Filter::name("token"), Some(ms(20)));
                let round = token.map_or(0, |token| token.data.as_int().unwrap_or(0) + 1);
                let _ = sys.send_event(next, "token", round);
                let _ = sys.compute(Duration::from_micros(sys.random() % 500));
            }
        });
        kernel.spawn(format!("node{node}"), main).expect("there is room");
    }
}

const STORM: &str = "drop:p=0.02; delay:p=0.1,by=1ms..30ms; duplicate:p=0.05; reorder:p=0.1; \
    stop:process=node*,p=0.01,for=40ms; kill:process=node*,p=0.001; skew:process=node3,by=+1s; \
    fail:call=send_event,p=0.05,errno=EAGAIN; fail:p=0.01,errno=EINTR";

#[test]
fn a_storm_of_faults_repeats_and_leaves_nothing_behind() {
    let mut hashes = std::collections::BTreeSet::new();
    let mut injected = 0;
    for seed in 0..20 {
        let run = scenario_with(
            |builder| faults(STORM)(builder.cpus(2).seed(seed)),
            ring,
            || Until::Idle,
        );
        hashes.insert(run.report.hash);
        injected += run.report.counters.injected;
    }
    assert_eq!(hashes.len(), 20);
    assert!(injected > 500, "{injected}");
}

#[test]
fn faults_are_in_the_trace_with_their_rule() {
    let told = Notes::default();
    let heard = told.clone();
    let listen = move |record: &hothouse::trace::Record<'_>| {
        if let hothouse::trace::What::Injected { .. } = record.what {
            heard.add(record.to_string());
        }
    };
    let rules: Faults = "drop:event=x; kill:process=1,at=2".parse().expect("good rules");
    let builder = Kernel::builder().faults(rules).listener(listen).console(Captured::default());
    let mut kernel = builder.build().expect("good settings");
    let main = program(|sys: &Sys| {
        sys.send_event(sys.getpid(), "x", ()).expect("it lives");
    });
    kernel.spawn("one", main).expect("there is room");
    assert!(matches!(kernel.run(), End::Done));
    assert_eq!(told.take(), ["[0.000000000] cpu 0 pid 1 injected fault=kill rule=2"]);
}

/// Answers whether a fault strikes in turn, and notes what it was asked.
struct Answers {
    asked: Notes,
    strikes: Vec<u64>,
}

impl Oracle for Answers {
    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        match choice {
            Choice::Fault { pid, what, last } => {
                self.asked.add(format!("{what} {pid} of {last}"));
                self.strikes.pop().unwrap_or(0)
            }
            Choice::Input { drawn, .. } => *drawn,
            Choice::Next { .. } => 0,
        }
    }
}

#[test]
fn under_an_oracle_chance_is_a_choice_and_a_script_is_none() {
    for (strikes, lines) in [(vec![0, 0], 2), (vec![0, 1], 1), (vec![1, 0], 1), (vec![1, 1], 0)] {
        let asked = Notes::default();
        let captured = Captured::default();
        let rules: Faults = "drop:event=x,p=0.001; drop:event=y".parse().expect("good rules");
        let oracle = Answers { asked: asked.clone(), strikes: strikes.clone() };
        let builder = Kernel::builder().faults(rules).console(captured.clone());
        let mut kernel =
            builder.oracle(oracle, Exploration::default()).build().expect("good settings");
        let main = program(|sys: &Sys| {
            for name in ["x", "y", "x"] {
                sys.send_event(sys.getpid(), name, ()).expect("it lives");
            }
            while let Ok(event) = sys.receive_event(Filter::any(), Some(ms(0))) {
                sys.log(event.name.to_string());
            }
        });
        kernel.spawn("one", main).expect("there is room");
        assert!(matches!(kernel.run(), End::Done));
        assert_eq!(captured.lines().len(), lines, "{strikes:?}");
        assert_eq!(asked.take(), ["drop 1 of 1"; 2], "{strikes:?}");
    }
}
