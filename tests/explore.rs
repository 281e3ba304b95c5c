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
