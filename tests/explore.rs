//! The search through schedules: what it goes through, finds, shrinks, tells and repeats.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use hothouse::explore::{Bound, Explored, Explorer, Schedule, Strategy};
use hothouse::{Errno, Filter, Mutex, Pid, Shared, Signal, Sys};
use proptest::prelude::{
    Just, ProptestConfig, prop, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest,
};
use proptest::strategy::Strategy as _;

pub(crate) const ALL: Strategy = Strategy::Dfs { bound: Bound::None };
/// All, one by one, although the processes share no memory.
const UNREDUCED: Strategy = Strategy::Dfs { bound: Bound::Steps(u32::MAX) };

fn isolated(strategy: Strategy) -> Explorer {
    Explorer::new().isolated(true).strategy(strategy).schedules(2_000_000)
}

fn lost_update(sys: &Sys) -> Result<(), Errno> {
    let count = Shared::new(sys, 0);
    for name in ["one", "two"] {
        let count = count.clone();
        sys.spawn(name, move |sys: &Sys| {
            let seen = count.get(sys);
            count.set(sys, seen + 1);
        })?;
    }
    sys.wait(None, None)?;
    sys.wait(None, None)?;
    assert_eq!(count.get(sys), 2);
    Ok(())
}

#[test]
fn every_strategy_finds_a_lost_update() {
    for strategy in [
        Strategy::Random,
        Strategy::Pct { depth: 2 },
        ALL,
        UNREDUCED,
        Strategy::Dfs { bound: Bound::Preemptions(1) },
        Strategy::Dfs { bound: Bound::Delays(1) },
    ] {
        let explored = isolated(strategy).check(lost_update).unwrap();
        let found = explored.failure.unwrap_or_else(|| panic!("{strategy} found nothing"));
        assert_eq!(found.failure.word(), "panic", "{strategy}");
        assert_eq!(found.departures, 1, "{strategy}: {}", found.story.join("\n"));
        assert!(found.at <= 100, "{strategy} needed {} schedules", found.at);
    }
}

#[test]
fn a_found_run_is_repeated_by_its_string() {
    let explorer = isolated(Strategy::Random);
    let found = explorer.check(lost_update).unwrap().failure.unwrap();
    let schedule: Schedule = found.schedule.to_string().parse().unwrap();
    let again = explorer.replay(&schedule, lost_update).unwrap();
    assert_eq!(again.divergence, None);
    assert_eq!(again.failure, Some(found.failure));
    assert_eq!(again.story, found.story);
}

/// A step of a small program.
#[derive(Clone, Copy, Debug)]
enum Op {
    Send(u64),
    Poll,
    Receive,
    Late,
    Get,
    Add,
    Register,
    Lookup,
    Lock,
    Kill(u64),
    Sleep,
    Watch(u64),
    Compute,
}

fn ops() -> impl proptest::strategy::Strategy<Value = Vec<Vec<Op>>> {
    let op = prop_oneof![
        4 => (0u64..3).prop_map(Op::Send),
        2 => Just(Op::Poll),
        1 => Just(Op::Receive),
        1 => Just(Op::Late),
        1 => Just(Op::Get),
        1 => Just(Op::Add),
        1 => Just(Op::Register),
        1 => Just(Op::Lookup),
        2 => Just(Op::Lock),
        1 => (0u64..3).prop_map(Op::Kill),
        1 => Just(Op::Sleep),
        1 => Just(Op::Compute),
        1 => (0u64..3).prop_map(Op::Watch),
    ];
    prop::collection::vec(prop::collection::vec(op, 1..4), 2..4)
}

/// Does one step and says what came of it.
fn step(sys: &Sys, op: Op, cell: &Shared<u64>, lock: Mutex) -> String {
    // The processes are the children of pid 1, in order.
    let pid = |n| Pid::new(2 + n);
    match op {
        Op::Send(to) => format!("{:?}", sys.send_event(pid(to), "event", ()).is_ok()),
        Op::Poll => {
            let got = sys.receive_event(Filter::any(), Some(Duration::ZERO));
            format!("{:?}", got.map(|event| event.sender))
        }
        Op::Receive => {
            let got = sys.next_event(Some(Duration::from_secs(2)));
            format!("{:?}", got.map(|event| (event.sender, event.name)))
        }
        Op::Late => {
            let got = sys.receive_event(Filter::any(), Some(Duration::from_secs(1)));
            format!("{:?}", got.map(|event| event.sender))
        }
        Op::Get => cell.get(sys).to_string(),
        Op::Add => {
            cell.update(sys, |count| *count += 1);
            String::new()
        }
        Op::Register => format!("{:?}", sys.register("name")),
        Op::Lookup => format!("{:?}", sys.lookup("name")),
        Op::Lock => {
            let guard = lock.lock(sys);
            cell.update(sys, |count| *count += 10);
            format!("{:?}", guard.is_ok())
        }
        Op::Kill(whom) => format!("{:?}", sys.kill(pid(whom), Signal::SIGTERM)),
        Op::Compute => format!("{:?}", sys.compute(Duration::from_secs(1))),
        Op::Sleep => format!("{:?}", sys.sleep(Duration::from_secs(1))),
        Op::Watch(whom) => format!("{:?}", sys.monitor(pid(whom))),
    }
}

/// What each process saw, in all runs of a search.
fn outcomes(strategy: Strategy, programs: &[Vec<Op>]) -> (Explored, BTreeSet<Vec<Vec<String>>>) {
    let seen = Rc::new(RefCell::new(BTreeSet::new()));
    let (all, programs) = (seen.clone(), programs.to_vec());
    let explored = isolated(strategy)
        .failing(false)
        .schedules(5_000)
        .check(move |sys| {
            let cell = Shared::new(sys, 0);
            let lock = sys.mutex().unwrap();
            let notes = Rc::new(RefCell::new(vec![Vec::new(); programs.len()]));
            for (index, ops) in programs.iter().enumerate() {
                let (cell, lock, notes) = (cell.clone(), lock, notes.clone());
                let ops = ops.clone();
                let runs = move |sys: &Sys| {
                    for op in ops {
                        let note = step(sys, op, &cell, lock);
                        notes.borrow_mut()[index].push(note);
                    }
                };
                sys.spawn("process", runs).unwrap();
            }
            while sys.wait(None, None).is_ok() {}
            let end = format!("{}", cell.get(sys));
            notes.borrow_mut().push(vec![end]);
            all.borrow_mut().insert(notes.take());
        })
        .unwrap();
    drop(explored.to_string());
    let seen = seen.take();
    (explored, seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn the_reduction_loses_no_outcome(programs in ops()) {
        let (all, every) = outcomes(UNREDUCED, &programs);
        prop_assume!(all.exhausted);
        let (reduced, outcomes) = outcomes(ALL, &programs);
        prop_assert!(reduced.exhausted);
        prop_assert!(reduced.schedules <= all.schedules);
        prop_assert_eq!(outcomes, every);
    }
}

fn failure(explorer: &Explorer, main: fn(&Sys)) -> String {
    let explored = explorer.check(main).unwrap();
    explored.failure.map_or("nothing".to_owned(), |found| found.failure.to_string())
}

#[test]
fn a_livelock_is_a_failure_and_a_fair_loop_is_none() {
    let explorer = isolated(Strategy::Random).steps(2_000).schedules(20);
    let waits_for_ever = |sys: &Sys| {
        while sys.lookup("nobody").is_none() {
            sys.yield_now();
        }
    };
    assert!(failure(&explorer, waits_for_ever).starts_with("livelock at 0.000000000"));
    for strategy in [Strategy::Random, Strategy::Pct { depth: 3 }, UNREDUCED] {
        let explorer = isolated(strategy).steps(2_000).schedules(200);
        let waits_for_others = |sys: &Sys| {
            for name in ["one", "two"] {
                sys.spawn(name, move |sys: &Sys| {
                    sys.register(name).unwrap();
                    sys.receive_event(Filter::any(), None).map(drop)
                })
                .unwrap();
            }
            while sys.lookup("one").is_none() || sys.lookup("two").is_none() {
                sys.yield_now();
            }
        };
        assert_eq!(failure(&explorer, waits_for_others), "nothing", "{strategy}");
    }
}

#[test]
fn inputs_are_gone_through_and_made_smaller() {
    let breaks_past_10 = |sys: &Sys| assert!(sys.choose(100) <= 10, "too much");
    for strategy in [Strategy::Random, ALL, UNREDUCED] {
        let found = isolated(strategy).check(breaks_past_10).unwrap().failure.unwrap();
        let answers: Vec<u64> = found.schedule.decisions.iter().map(|d| d.answer).collect();
        assert_eq!(answers, [11], "{strategy}");
    }
    let large = |sys: &Sys| assert!(sys.random() < 1 << 60, "too much");
    let found = isolated(Strategy::Random).check(large).unwrap().failure.unwrap();
    assert_eq!(found.schedule.decisions[0].answer, 1 << 60);
    let all = isolated(ALL).check(|sys: &Sys| assert!(sys.choose(3) < 3)).unwrap();
    assert!(all.exhausted && all.schedules == 3);
}

#[test]
fn properties_are_checked_in_every_run() {
    use hothouse::Span;
    use hothouse::trace::What;
    let two = |sys: &Sys| {
        for name in ["one", "two"] {
            sys.spawn(name, move |sys: &Sys| sys.log(name)).unwrap();
        }
        sys.sleep(Duration::from_secs(2)).unwrap();
        sys.log("main");
    };
    let says = |word: &'static str| move || move |record: &hothouse::trace::Record<'_>| matches!(record.what, What::Logged { text } if text == word.as_bytes());
    let never = isolated(ALL).never("two is silent", says("two"));
    assert!(failure(&never, two).starts_with("\"two is silent\" at 0.000000000"));
    let late = isolated(ALL).eventually("main speaks", Span::from_secs(1), says("main"));
    let text = failure(&late, two);
    assert_eq!(text, "\"main speaks\" at 1.000000000: it has not happened by then");
    let in_time = isolated(ALL).eventually("main speaks", Span::from_secs(2), says("main"));
    assert_eq!(failure(&in_time, two), "nothing");
    let silent = isolated(ALL).eventually("three speaks", Span::from_secs(5), says("three"));
    assert!(failure(&silent, two).contains("when the run was over"));
}

#[test]
fn what_is_left_is_a_failure_if_asked_for() {
    let leaves = |sys: &Sys| {
        sys.spawn("left", |sys: &Sys| sys.receive_event(Filter::any(), None).map(drop)).unwrap();
    };
    assert_eq!(failure(&isolated(ALL), leaves), "nothing");
    assert_eq!(failure(&isolated(ALL).leaks(true), leaves), "left at the end: process 2 left");
}

#[test]
fn bounds_leave_out_what_they_say() {
    let count = |strategy| {
        let explored = isolated(strategy).check(|sys: &Sys| {
            for name in ["one", "two"] {
                sys.spawn(name, |sys: &Sys| {
                    sys.lookup("a");
                    sys.lookup("b");
                })
                .unwrap();
            }
        });
        let explored = explored.unwrap();
        assert!(explored.exhausted && explored.distinct == explored.schedules, "{strategy}");
        explored.schedules
    };
    let preemptions = |n| Strategy::Dfs { bound: Bound::Preemptions(n) };
    let delays = |n| Strategy::Dfs { bound: Bound::Delays(n) };
    assert_eq!(count(delays(0)), 1);
    assert!(count(delays(1)) > 1 && count(delays(1)) < count(delays(2)));
    assert!(count(preemptions(0)) > 1, "who goes on after an end is free");
    assert!(count(preemptions(1)) < count(preemptions(2)));
    assert!(count(preemptions(2)) < count(UNREDUCED));
    // Looking up free names depends on nothing.
    assert!(count(ALL) < 20, "{}", count(ALL));
}

#[test]
fn a_send_to_a_process_that_is_to_come_races_with_its_start() {
    let seen = Rc::new(RefCell::new(BTreeSet::new()));
    let all = seen.clone();
    let explored = isolated(ALL).check(move |sys: &Sys| {
        let all = all.clone();
        sys.spawn("sender", move |sys: &Sys| {
            all.borrow_mut().insert(sys.send_event(Pid::new(3), "event", ()).is_ok());
        })
        .unwrap();
        sys.spawn("receiver", |sys: &Sys| sys.receive_event(Filter::any(), None).map(drop))
            .unwrap();
    });
    assert!(explored.unwrap().exhausted);
    assert_eq!(seen.take(), BTreeSet::from([false, true]));
}

#[test]
fn faults_are_part_of_the_search() {
    let asks = |sys: &Sys| {
        let server = sys.spawn("server", |sys: &Sys| -> Result<(), Errno> {
            loop {
                let request = sys.receive_event(Filter::any(), None)?;
                sys.send_event(request.sender, "reply", ())?;
            }
        });
        let server = server.unwrap();
        for _ in 0..3 {
            sys.send_event(server, "request", ()).unwrap();
            sys.receive_event(Filter::sender(server), None).unwrap();
        }
    };
    assert_eq!(failure(&isolated(ALL), asks), "nothing");
    for strategy in [Strategy::Random, Strategy::Pct { depth: 2 }, ALL] {
        let explorer = isolated(strategy).faults("drop:p=0.5,max=2".parse().unwrap());
        let found = explorer.check(asks).unwrap().failure.unwrap();
        assert_eq!(found.failure.word(), "deadlock");
        assert_eq!(found.departures, 1, "one lost event is enough: {:?}", found.story);
        let faults = found.story.iter().filter(|line| line.contains("FAULT: drop")).count();
        assert_eq!(faults, 1, "{:?}", found.story);
        let again = explorer.replay(&found.schedule, asks).unwrap();
        assert_eq!((again.failure, again.divergence), (Some(found.failure), None));
    }
}
