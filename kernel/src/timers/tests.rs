use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// Arms so far after the time reached.
    Arm(u64, usize),
    /// Cancels one of those armed.
    Cancel(prop::sample::Index),
    /// Asks for the next deadline up to a limit, and jumps to it or to the limit, if at all.
    Next(u64, bool),
    /// Pops all up to a class that are due when so much time has passed.
    Pop(u64, usize),
    /// Gives memory back.
    Trim,
}

/// Spans of every magnitude, with many equal ones.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..4u64,
        4 => (0..64u32, 0..3u64).prop_map(|(bit, add)| (1u64 << bit).saturating_add(add)),
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let step = prop_oneof![8 => 0..200u64, 1 => (0..50u32).prop_map(|bit| 1u64 << bit)];
    prop_oneof![
        5 => (span(), 0..6usize).prop_map(|(after, class)| Op::Arm(after, class)),
        2 => any::<prop::sample::Index>().prop_map(Op::Cancel),
        2 => (span(), any::<bool>()).prop_map(|(after, jump)| Op::Next(after, jump)),
        3 => (step, 0..6usize).prop_map(|(step, class)| Op::Pop(step, class)),
        1 => Just(Op::Trim),
    ]
}

/// The model: each entry by its place in the order of expiry.
type Model = BTreeMap<(Tick, Class, u32), TimerKey>;

fn pop_all(timers: &mut Timers<u32>, model: &mut Model, now: Tick, upto: Class) {
    loop {
        let first = model.keys().find(|(at, class, _)| *at <= now && *class <= upto).copied();
        let expected = first.map(|(_, class, seq)| (class, seq));
        assert_eq!(timers.pop_due(now, upto), expected);
        let Some(first) = first else { return };
        model.remove(&first);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn entries_expire_as_in_a_sorted_map(start in span(), ops in prop::collection::vec(op(), 0..80)) {
        let mut timers = Timers::new();
        let mut model = Model::new();
        let mut now = Tick::from_nanos(start);
        prop_assert_eq!(timers.pop_due(now, Class::Timeout), None);
        for (seq, op) in ops.into_iter().enumerate() {
            let seq = seq as u32;
            match op {
                Op::Arm(after, class) => {
                    let at = Tick::from_nanos(now.nanos().saturating_add(after));
                    let class = Class::ALL[class];
                    let key = timers.arm(at, class, seq);
                    model.insert((at, class, seq), key);
                    prop_assert_eq!(timers.deadline(key), at);
                }
                Op::Cancel(_) if model.is_empty() => {}
                Op::Cancel(which) => {
                    let entry = *model.keys().nth(which.index(model.len())).unwrap();
                    let key = model.remove(&entry).unwrap();
                    prop_assert_eq!(timers.deadline(key), entry.0);
                    timers.cancel(key);
                }
                Op::Next(after, jump) => {
                    let limit = Tick::from_nanos(now.nanos().saturating_add(after));
                    let first = model.keys().next().map(|(at, ..)| *at).filter(|at| *at <= limit);
                    prop_assert_eq!(timers.next_at(limit), first);
                    if jump {
                        now = now.max(first.unwrap_or(limit));
                    }
                }
                Op::Trim => timers.trim(),
                Op::Pop(step, upto) => {
                    now = Tick::from_nanos(now.nanos().saturating_add(step));
                    pop_all(&mut timers, &mut model, now, Class::ALL[upto]);
                }
            }
            prop_assert_eq!(timers.len(), model.len());
            prop_assert_eq!(timers.is_empty(), model.is_empty());
        }
        pop_all(&mut timers, &mut model, Tick::MAX, Class::Timeout);
        prop_assert!(timers.is_empty());
    }
}

#[test]
fn an_entry_armed_for_now_takes_its_place() {
    let mut timers = Timers::new();
    let now = Tick::from_nanos(5);
    timers.arm(now, Class::Event, 1);
    timers.arm(now, Class::Timer, 3);
    assert_eq!(timers.pop_due(now, Class::Timeout), Some((Class::Event, 1)));
    timers.arm(now, Class::Signal, 2);
    timers.arm(now, Class::Timer, 4);
    assert_eq!(timers.pop_due(now, Class::Timeout), Some((Class::Signal, 2)));
    assert_eq!(timers.pop_due(now, Class::Timeout), Some((Class::Timer, 3)));
    assert_eq!(timers.pop_due(now, Class::Timeout), Some((Class::Timer, 4)));
}

#[test]
fn memory_is_bounded_by_the_armed_entries() {
    let mut timers = Timers::new();
    for round in 0..10_000 {
        let key = timers.arm(Tick::from_nanos(round * 1_000_000_007), Class::Timeout, ());
        timers.cancel(key);
    }
    assert_eq!(timers.entries.len(), 1);
}

#[test]
#[should_panic(expected = "was popped or cancelled")]
fn a_key_is_used_once() {
    let mut timers = Timers::new();
    let key = timers.arm(Tick::ZERO, Class::Timer, ());
    timers.cancel(key);
    timers.arm(Tick::ZERO, Class::Timer, ());
    timers.cancel(key);
}

#[test]
#[should_panic(expected = "nothing is armed for the past")]
fn nothing_is_armed_for_the_past() {
    let mut timers = Timers::new();
    timers.pop_due(Tick::from_nanos(10), Class::Timeout);
    timers.arm(Tick::from_nanos(9), Class::Timer, ());
}

#[test]
fn those_that_come_near_with_few_others_are_told_once() {
    for (count, told) in [(FEW, FEW), (FEW + 1, 0)] {
        let mut timers = Timers::new();
        // All in one slot of the second wheel, which goes to the first when the time comes near.
        for at in 0..count as u64 {
            timers.arm(Tick::from_nanos(64 + at), Class::Timer, at);
        }
        assert!(!timers.are_some_soon());
        assert_eq!(timers.next_at(Tick::MAX), Some(Tick::from_nanos(64)));
        let mut soon: Vec<u64> = std::iter::from_fn(|| timers.next_soon().copied()).collect();
        soon.sort_unstable();
        assert_eq!(soon, (0..told as u64).collect::<Vec<_>>());
        assert!(!timers.are_some_soon());
    }
}
