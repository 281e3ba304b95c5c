use proptest::prelude::*;

use super::*;

const NAMES: [Name; 4] = [Name::short("a"), Name::short("b"), Name::short("timer"), REMOTE_EVENT];

#[derive(Clone, Debug)]
enum Op {
    /// Pushes so many events from a seed.
    Push(usize, u64),
    /// Takes up to so many of what a filter matches.
    Sent(usize, Filter),
    Next(usize),
    Named(usize, Vec<Name>, bool),
    Where(u64),
}

fn name() -> impl Strategy<Value = Name> {
    (0..NAMES.len()).prop_map(|at| NAMES[at].clone())
}

fn filter() -> impl Strategy<Value = Filter> {
    (prop::option::of(0..4u64), prop::option::of(name()))
        .prop_map(|(sender, name)| Filter { sender: sender.map(Pid::new), name })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..40usize, any::<u64>()).prop_map(|(count, seed)| Op::Push(count, seed)),
        4 => (1..20usize, filter()).prop_map(|(count, filter)| Op::Sent(count, filter)),
        2 => (1..40usize).prop_map(Op::Next),
        3 => (1..20usize, prop::collection::vec(name(), 0..3), any::<bool>())
            .prop_map(|(count, names, remote)| Op::Named(count, names, remote)),
        1 => (0..7u64).prop_map(Op::Where),
    ]
}

/// An event that its number decides, numbered in its data.
fn event(number: u64, serial: usize) -> Event {
    let name = NAMES[(number >> 8) as usize % NAMES.len()].clone();
    let data = serial.into();
    let kind = match number % 4 {
        0 => EventKind::Kernel,
        1 => EventKind::Queued,
        _ => EventKind::Sent,
    };
    Event { sender: Pid::new((number >> 16) % 4), name, data, token: None, kind }
}

fn is_named(event: &Event, names: &[Name], remote: bool) -> bool {
    let seen = if remote && event.kind == EventKind::Sent { &REMOTE_EVENT } else { &event.name };
    names.contains(seen)
}

/// Takes from the model what it must give.
fn take(model: &mut Vec<Event>, matches: impl FnMut(&Event) -> bool) -> Option<Event> {
    model.iter().position(matches).map(|at| model.remove(at))
}

fn apply(op: Op, mailbox: &mut Mailbox, model: &mut Vec<Event>, serial: &mut usize) {
    match op {
        Op::Push(count, seed) => {
            for i in 0..count as u64 {
                *serial += 1;
                let event = event((seed ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8, *serial);
                mailbox.push(event.clone());
                model.push(event);
            }
        }
        Op::Sent(count, filter) => (0..count).for_each(|_| {
            let expected = take(model, |event| filter.matches(event));
            assert_eq!(mailbox.take_sent(&filter), expected);
        }),
        Op::Next(count) => (0..count).for_each(|_| {
            assert_eq!(mailbox.peek(), model.first());
            assert_eq!(mailbox.take_next(), take(model, |_| true));
        }),
        Op::Named(count, names, remote) => (0..count).for_each(|_| {
            let expected = take(model, |event| is_named(event, &names, remote));
            assert_eq!(mailbox.take_named(&names, remote), expected);
        }),
        Op::Where(rest) => {
            let holds = |event: &Event| event.data.as_int().unwrap() as u64 % 7 == rest;
            assert_eq!(mailbox.take_where(holds), take(model, holds));
        }
    }
}

proptest! {
    #[test]
    fn a_mailbox_behaves_as_a_vector(ops in prop::collection::vec(op(), 0..60)) {
        let (mut mailbox, mut model) = (Mailbox::new(), Vec::new());
        let (mut serial, mut peak) = (0, 0);
        for op in ops {
            apply(op, &mut mailbox, &mut model, &mut serial);
            peak = peak.max(model.len());
            prop_assert_eq!(mailbox.len(), model.len());
            prop_assert_eq!(mailbox.peek(), model.first());
            prop_assert_eq!(mailbox.bytes(), model.iter().map(Event::size).sum::<usize>());
            prop_assert_eq!(mailbox.peak() as usize, peak);
        }
        let rest: Vec<Event> = std::iter::from_fn(|| mailbox.take_next()).collect();
        prop_assert_eq!(rest, model);
        prop_assert_eq!((mailbox.len(), mailbox.bytes()), (0, 0));
    }
}

#[test]
fn it_is_indexed_from_a_far_look_on_and_until_nearly_empty() {
    let mut mailbox = Mailbox::new();
    let is_indexed = |mailbox: &Mailbox| matches!(mailbox.store, Store::Indexed(_));
    let nobodys = Filter::sender(Pid::new(9));
    (0..SCANNED).for_each(|i| mailbox.push(event(2, i)));
    assert_eq!(mailbox.take_sent(&nobodys), None);
    assert!(!is_indexed(&mailbox), "all of it was looked at");
    mailbox.push(event(2, SCANNED));
    mailbox.take_sent(&Filter::any()).unwrap();
    mailbox.push(event(2, SCANNED + 1));
    assert!(!is_indexed(&mailbox), "the first was wanted");
    assert_eq!(mailbox.take_sent(&nobodys), None);
    assert!(is_indexed(&mailbox));
    while mailbox.len() > NEARLY_EMPTY + 1 {
        mailbox.take_next();
        assert!(is_indexed(&mailbox));
    }
    mailbox.take_next();
    assert!(!is_indexed(&mailbox));
}

#[test]
fn an_empty_ring_gives_much_memory_back() {
    let mut mailbox = Mailbox::new();
    (0..2 * KEPT).for_each(|i| mailbox.push(event(2, i)));
    while mailbox.take_next().is_some() {}
    let Store::Ring(events) = &mailbox.store else { panic!("it takes what comes") };
    assert_eq!(events.capacity(), 0);
}

#[test]
fn lists_of_names_that_are_gone_are_gone() {
    let mut mailbox = Mailbox::new();
    (0..100).for_each(|i| mailbox.push(event(2, i)));
    for i in 10..10_000 {
        mailbox.push(Event::sent(Pid::new(i), format!("name {i}"), ()));
        mailbox.take_sent(&Filter::sender(Pid::new(i))).unwrap();
    }
    let Store::Indexed(deep) = &mailbox.store else { panic!("it has 100 events") };
    assert_eq!((deep.lists.len(), deep.index.len()), (5, 3));
    assert!(deep.lists.capacity() < 16);
}
