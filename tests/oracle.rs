//! A machine under an oracle: which choices there are, and that the answers are the run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use hothouse::{
    Action, Captured, Choice, End, ExitStatus, Exploration, Filter, Kernel, Oracle, Pid, Program,
    Signal, Until, program,
};

/// Gives answers from a list, 0 after it, and notes how many there were to choose from.
#[derive(Clone, Default)]
struct Script(Rc<RefCell<(Vec<u64>, Vec<u64>)>>);

impl Oracle for Script {
    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        let (answers, lasts) = &mut *self.0.borrow_mut();
        let at = lasts.len();
        lasts.push(choice.last());
        match choice {
            Choice::Input { drawn, .. } => *drawn,
            _ => answers.get(at).copied().unwrap_or(0),
        }
    }
}

/// Runs every list of answers. Returns what each run logged, with how often.
fn every_run(how: Exploration, spawn: impl Fn(&mut Kernel)) -> (usize, BTreeSet<Vec<String>>) {
    let (mut runs, mut seen) = (0, BTreeSet::new());
    let mut answers = Vec::new();
    loop {
        let script = Script::default();
        script.0.borrow_mut().0 = answers.clone();
        let captured = Captured::default();
        let mut kernel = Kernel::builder()
            .console(captured.clone())
            .oracle(script.clone(), how)
            .build()
            .unwrap();
        spawn(&mut kernel);
        kernel.run_until(Until::Idle);
        kernel.kill_all();
        assert_eq!(kernel.held(), hothouse::Held::default());
        runs += 1;
        seen.insert(captured.lines());
        let lasts = script.0.borrow().1.clone();
        answers.resize(lasts.len(), 0);
        while let Some(answer) = answers.pop() {
            if answer < lasts[answers.len()] {
                answers.push(answer + 1);
                break;
            }
        }
        if answers.is_empty() {
            return (runs, seen);
        }
    }
}

const ISOLATED: Exploration = Exploration { isolated: true, touches: false };

fn looks_up() -> Program {
    program(|sys| {
        sys.lookup("nobody");
        sys.getpid();
    })
}

#[test]
fn each_trap_and_each_end_is_a_point_of_choice() {
    let two = |kernel: &mut Kernel| {
        kernel.spawn("one", looks_up()).unwrap();
        kernel.spawn("two", looks_up()).unwrap();
    };
    // Each starts, makes two traps and ends: 8 steps in order, 4 of each.
    assert_eq!(every_run(Exploration::default(), two).0, 70);
    // What only the process itself could notice is no choice: 2 steps of each are left.
    assert_eq!(every_run(ISOLATED, two).0, 6);
}

#[test]
fn a_timeout_and_a_message_at_one_instant_come_in_either_order() {
    let (_, seen) = every_run(ISOLATED, |kernel| {
        kernel
            .spawn(
                "waits",
                program(|sys| {
                    let got = sys.receive_event(Filter::any(), Some(Duration::from_secs(1)));
                    sys.log(if got.is_ok() { "message" } else { "timeout" });
                }),
            )
            .unwrap();
        kernel
            .spawn(
                "sends",
                program(|sys| {
                    sys.sleep(Duration::from_secs(1)).unwrap();
                    let _ = sys.send_event(Pid::new(1), "late", ());
                }),
            )
            .unwrap();
    });
    let lines = |word| vec![format!("[1.000000000] 1 waits: {word}")];
    assert_eq!(seen, BTreeSet::from([lines("message"), lines("timeout")]));
}

#[test]
fn a_process_is_killed_before_each_of_its_traps_and_after_the_last() {
    let (_, seen) = every_run(ISOLATED, |kernel| {
        kernel
            .spawn(
                "victim",
                program(|sys| {
                    for step in ["one", "two"] {
                        sys.lookup("nobody");
                        sys.log(step);
                    }
                }),
            )
            .unwrap();
        kernel
            .spawn(
                "killer",
                program(|sys| {
                    let done = sys.kill(Pid::new(1), Signal::SIGKILL);
                    sys.log(if done.is_ok() { "killed" } else { "late" });
                }),
            )
            .unwrap();
    });
    let runs: BTreeSet<String> = seen
        .into_iter()
        .map(|lines| {
            lines.iter().filter_map(|l| l.rsplit(' ').next()).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let all = ["killed", "one killed", "one two killed", "one two late"];
    assert_eq!(runs, all.map(str::to_owned).into());
}

#[test]
fn a_yield_lets_another_go_first() {
    let run = |answers: Vec<u64>| {
        let script = Script::default();
        script.0.borrow_mut().0 = answers;
        let mut kernel =
            Kernel::builder().oracle(script.clone(), Exploration::default()).build().unwrap();
        let spin = |sys: &hothouse::Sys| {
            while sys.lookup("ready").is_none() {
                sys.yield_now();
            }
        };
        kernel.spawn("spins", program(spin)).unwrap();
        kernel
            .spawn(
                "registers",
                program(|sys| {
                    sys.register("ready").unwrap();
                    sys.receive_event(Filter::any(), None).map(drop)
                }),
            )
            .unwrap();
        let end = kernel.run_until(Until::Done);
        assert!(matches!(end, End::Done), "{end}");
    };
    // The oracle would let pid 1 spin for ever.
    run(Vec::new());
}

#[test]
fn handlers_and_hooks_run_over_what_was_held() {
    let (_, seen) = every_run(ISOLATED, |kernel| {
        kernel
            .spawn(
                "handles",
                program(|sys| {
                    sys.sigaction(
                        Signal::SIGUSR1,
                        Action::handler(|sys, _| {
                            sys.lookup("nobody");
                            sys.log("handler");
                        }),
                    )
                    .unwrap();
                    sys.register("here").unwrap();
                    sys.lookup("nobody");
                    sys.log("end");
                }),
            )
            .unwrap();
        kernel
            .spawn(
                "signals",
                program(|sys| {
                    if let Some(pid) = sys.lookup("here") {
                        let _ = sys.kill(pid, Signal::SIGUSR1);
                    }
                }),
            )
            .unwrap();
    });
    let mut orders: Vec<usize> = seen.iter().map(Vec::len).collect();
    orders.sort_unstable();
    // Never signaled or too late; in between; the handler before the end, and after it never.
    assert_eq!(orders, [1, 2], "{seen:?}");
}

#[test]
fn lua_makes_traps_where_it_cannot_yield() {
    let host = hothouse::lua::LuaHost::new(hothouse::lua::LuaSettings::default());
    let source = r#"
        local ipc = require "system.ipc"
        local shown = setmetatable({}, { __tostring = function()
            ipc.lookup("nobody")
            return "shown"
        end })
        print(tostring(shown))
    "#;
    let (runs, seen) = every_run(Exploration::default(), |kernel| {
        for name in ["one", "two"] {
            kernel
                .spawn(name, host.load_source(name, source.as_bytes(), None, Vec::new()).unwrap())
                .unwrap();
        }
    });
    assert!(runs > 1);
    assert!(seen.iter().all(|lines| lines.len() == 2), "{seen:?}");
}

#[test]
fn the_oracle_hears_of_each_end() {
    #[derive(Clone, Default)]
    struct Ends(Rc<RefCell<Vec<(Pid, bool)>>>);
    impl Oracle for Ends {
        fn choose(&mut self, _: &Choice<'_>) -> u64 {
            0
        }
        fn ended(&mut self, pid: Pid, _: &hothouse::Name, status: &ExitStatus) {
            self.0.borrow_mut().push((pid, status.is_success()));
        }
    }
    let ends = Ends::default();
    let captured = Captured::default();
    let mut kernel =
        Kernel::builder().console(captured).oracle(ends.clone(), ISOLATED).build().unwrap();
    kernel.spawn("good", program(|_| ())).unwrap();
    kernel.spawn("bad", program(|_| -> () { panic!("on purpose") })).unwrap();
    kernel.run_until(Until::Idle);
    assert_eq!(*ends.0.borrow(), [(Pid::new(1), true), (Pid::new(2), false)]);
}
