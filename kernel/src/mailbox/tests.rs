use proptest::prelude::*;

use super::*;

/// Short ones, and some that are not held in place.
fn names() -> [Name; 6] {
    let long = |text: &str| Name::from(text.repeat(30));
    ["a".into(), "b".into(), "timer".into(), REMOTE_EVENT, long("a"), long("b")]
}

#[derive(Clone, Debug)]
enum Op {
    /// Pushes so many events from a seed.
    Push(usize, u64),
    /// Takes up to so many of what a filter matches.
    Sent(usize, Filter),
    /// So often, pushes an event and takes one of what each filter matches.
    Flow(usize, u64, Vec<Filter>),
    Next(usize),
    Named(usize, Vec<Name>, bool),
    Where(u64),
}

fn name() -> impl Strategy<Value = Name> {
    prop::sample::select(names().to_vec())
}

fn filter() -> impl Strategy<Value = Filter> {
    (prop::option::of(0..4u64), prop::option::of(name()))
        .prop_map(|(sender, name)| Filter { sender: sender.map(Pid::new), name })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..40usize, any::<u64>()).prop_map(|(count, seed)| Op::Push(count, seed)),
        4 => (1..20usize, filter()).prop_map(|(count, filter)| Op::Sent(count, filter)),
        3 => (1..100usize, any::<u64>(), prop::collection::vec(filter(), 1..3))
            .prop_map(|(count, seed, filters)| Op::Flow(count, seed, filters)),
        2 => (1..40usize).prop_map(Op::Next),
        3 => (1..20usize, prop::collection::vec(name(), 0..3), any::<bool>())
            .prop_map(|(count, names, remote)| Op::Named(count, names, remote)),
        1 => (0..7u64).prop_map(Op::Where),
    ]
}

/// An event that its number decides, numbered in its data.
fn event(number: u64, serial: usize) -> Event {
    let name = names()[(number >> 8) as usize % 6].clone();
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

/// What a mailbox is compared with.
#[derive(Default)]
struct Model {
    events: Vec<Event>,
    pushed: usize,
    peak: usize,
}

impl Model {
    /// Pushes an event to both.
    fn push(&mut self, mailbox: &mut Mailbox, event: Event) {
        let Event { sender, mut name, mut data, token, kind } = event.clone();
        if kind == EventKind::Sent && self.pushed.is_multiple_of(2) {
            mailbox.push_sent(sender, &mut name, &mut data, token);
            assert_eq!((name, data), (Name::default(), Value::Nil));
        } else {
            mailbox.push(event.clone());
        }
        self.events.push(event);
        self.pushed += 1;
        self.peak = self.peak.max(self.events.len());
    }

    fn push_some(&mut self, mailbox: &mut Mailbox, seed: u64) {
        let number = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
        self.push(mailbox, event(number, self.pushed));
    }

    /// What a mailbox must give.
    fn take(&mut self, matches: impl FnMut(&Event) -> bool) -> Option<Event> {
        self.events.iter().position(matches).map(|at| self.events.remove(at))
    }

    fn take_sent(&mut self, mailbox: &mut Mailbox, filter: &Filter) {
        let expected = self.take(|event| filter.matches(event));
        if self.pushed.is_multiple_of(3) {
            return assert_eq!(mailbox.take_sent(filter), expected);
        }
        let old = Event::sent(Pid::new(7), "a name that is not held in place", Value::list([1]));
        let mut place = old.clone();
        assert_eq!(mailbox.move_sent(filter, &mut place), expected.is_some());
        assert_eq!(place, expected.unwrap_or(old));
    }

    fn take_next(&mut self, mailbox: &mut Mailbox) {
        assert_eq!(mailbox.peek(), self.events.first());
        assert_eq!(mailbox.take_next(), self.take(|_| true));
    }

    fn take_named(&mut self, mailbox: &mut Mailbox, names: &[Name], remote: bool) {
        let expected = self.take(|event| is_named(event, names, remote));
        assert_eq!(mailbox.take_named(names, remote), expected);
    }

    fn apply(&mut self, mailbox: &mut Mailbox, op: Op) {
        match op {
            Op::Push(count, seed) => {
                (0..count as u64).for_each(|i| self.push_some(mailbox, seed ^ i));
            }
            Op::Sent(count, filter) => (0..count).for_each(|_| self.take_sent(mailbox, &filter)),
            Op::Flow(count, seed, filters) => (0..count as u64).for_each(|i| {
                self.push_some(mailbox, seed ^ i);
                filters.iter().for_each(|filter| self.take_sent(mailbox, filter));
            }),
            Op::Next(count) => (0..count).for_each(|_| self.take_next(mailbox)),
            Op::Named(count, names, remote) => {
                (0..count).for_each(|_| self.take_named(mailbox, &names, remote));
            }
            Op::Where(rest) => {
                let holds = |event: &Event| event.data.as_int().unwrap() as u64 % 7 == rest;
                assert_eq!(mailbox.take_where(holds), self.take(holds));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_mailbox_behaves_as_a_vector(ops in prop::collection::vec(op(), 0..60)) {
        let (mut mailbox, mut model) = (Mailbox::new(), Model::default());
        for op in ops {
            model.apply(&mut mailbox, op);
            prop_assert_eq!(mailbox.len(), model.events.len());
            prop_assert_eq!(mailbox.peek(), model.events.first());
            prop_assert_eq!(mailbox.bytes(), model.events.iter().map(Event::size).sum::<usize>());
            prop_assert_eq!(mailbox.peak() as usize, model.peak);
        }
        let rest: Vec<Event> = std::iter::from_fn(|| mailbox.take_next()).collect();
        prop_assert_eq!(rest, model.events);
        prop_assert_eq!((mailbox.len(), mailbox.bytes()), (0, 0));
    }
}

fn store(mailbox: &Mailbox) -> &Store {
    &mailbox.0.as_ref().expect("events were queued").store
}

fn deep(mailbox: &Mailbox) -> Option<&Deep> {
    match store(mailbox) {
        Store::Ring(_) => None,
        Store::Deep(deep) => Some(deep),
    }
}

/// A mailbox with so many events of no sender that is asked for, which was made deep.
fn made_deep(count: usize) -> Mailbox {
    let mut mailbox = Mailbox::new();
    (0..count.max(SCANNED + 1)).for_each(|i| mailbox.push(Event::sent(Pid::new(8), "x", i)));
    assert_eq!(mailbox.take_sent(&Filter::sender(Pid::new(9))), None);
    assert!(deep(&mailbox).is_some());
    while mailbox.len() > count {
        mailbox.take_next();
    }
    mailbox
}

#[test]
fn it_is_deep_from_a_far_look_on() {
    let mut mailbox = Mailbox::new();
    let nobodys = Filter::sender(Pid::new(9));
    (0..SCANNED).for_each(|i| mailbox.push(event(2, i)));
    assert_eq!(mailbox.take_sent(&nobodys), None);
    assert!(deep(&mailbox).is_none(), "all of it was looked at");
    mailbox.push(event(2, SCANNED));
    mailbox.take_sent(&Filter::any()).unwrap();
    mailbox.push(event(2, SCANNED + 1));
    assert!(deep(&mailbox).is_none(), "the first was wanted");
    assert_eq!(mailbox.take_sent(&nobodys), None);
    assert!(deep(&mailbox).is_some());
}

#[test]
fn much_memory_is_given_back() {
    let mut mailbox = Mailbox::new();
    (0..2 * KEPT).for_each(|i| mailbox.push(event(2, i)));
    while mailbox.take_next().is_some() {}
    let Store::Ring(events) = store(&mailbox) else { panic!("it takes what comes") };
    assert_eq!(events.capacity(), 0);

    let mut mailbox = made_deep(2 * KEPT);
    while mailbox.len() > NEARLY_EMPTY {
        assert!(deep(&mailbox).is_some());
        mailbox.take_next();
    }
    let Store::Ring(events) = store(&mailbox) else { panic!("few are left of many") };
    assert!(events.capacity() <= 2 * NEARLY_EMPTY);
}

/// Each way to ask, of events that differ in each respect, in every order of a few steps.
#[test]
fn every_short_sequence_behaves_as_a_vector() {
    const STEPS: usize = 11;
    const LENGTH: u32 = 5;
    let (one, name) = (Pid::new(1), || Name::short("b"));
    for depth in [0, 1] {
        for sequence in 0..STEPS.pow(LENGTH) {
            let mut mailbox = made_deep(depth);
            let events = mailbox.events().cloned().collect();
            let mut model = Model { events, ..Model::default() };
            let steps = (0..LENGTH).map(|at| sequence / STEPS.pow(at) % STEPS);
            // At the end all is taken.
            for step in steps.chain([8; LENGTH as usize + 1]) {
                let sender = Pid::new(1 + step as u64 % 2);
                let sent = |name| Event::sent(sender, name, step);
                let (names, mailbox) = ([name(), REMOTE_EVENT], &mut mailbox);
                match step {
                    0 | 1 => model.push(mailbox, sent(name())),
                    2 => model.push(mailbox, sent(REMOTE_EVENT)),
                    3 => model.push(mailbox, Event { kind: EventKind::Queued, ..sent(name()) }),
                    4 => model.take_sent(mailbox, &Filter::name("b")),
                    5 => model.take_sent(mailbox, &Filter::sender(one)),
                    6 => model.take_sent(mailbox, &Filter::name("b").from(one)),
                    7 => model.take_sent(mailbox, &Filter::any()),
                    8 => model.take_next(mailbox),
                    9 => model.take_named(mailbox, &names, true),
                    _ => model.take_named(mailbox, &names[..1], false),
                }
                assert_eq!(
                    (mailbox.len(), mailbox.peek()),
                    (model.events.len(), model.events.first())
                );
            }
            assert!(mailbox.is_empty());
        }
    }
}

/// However long it goes on, with an event that stays in front: memory follows what is queued.
#[test]
fn memory_follows_what_is_queued() {
    let filter = |way: u64, i: u64| match way % 3 {
        0 => Filter::name(format!("name {i}")),
        1 => Filter::sender(Pid::new(i)),
        _ => Filter::name(format!("name {i}")).from(Pid::new(i)),
    };
    for (queued, ways) in [(20, 0..1), (20, 1..2), (20, 0..3), (200, 0..3), (200, 2..3)] {
        let mut mailbox = made_deep(1);
        for i in 10..10_000 {
            mailbox.push(Event::sent(Pid::new(i), format!("name {i}"), ()));
            if i >= 10 + queued {
                let way = ways.start + i % (ways.end - ways.start);
                // Not the oldest, so that there are holes.
                let taken = (i ^ 7) - queued / 2;
                if mailbox.take_sent(&filter(way, taken)).is_none() {
                    mailbox.take_sent(&filter(way + 1, i)).unwrap();
                }
            }
        }
        let capacity = deep(&mailbox).expect("many are left").capacity();
        assert!(capacity <= 8 * (mailbox.len() + 64), "{capacity} for {}", mailbox.len());
    }
}

#[test]
fn an_index_forgets_what_has_left_in_front() {
    let mut mailbox = made_deep(20);
    for i in 0..10_000 {
        mailbox.push(Event::sent(Pid::new(1), format!("name {i}"), i));
        assert_eq!(mailbox.take_sent(&Filter::name("nobody's")), None);
        mailbox.take_next().unwrap();
    }
    let capacity = deep(&mailbox).expect("many are left").capacity();
    assert!(capacity <= 512, "{capacity}");
}

#[test]
fn a_hollow_queue_gives_memory_back() {
    let mut mailbox = made_deep(20);
    (0..5000).for_each(|i| mailbox.push(Event::sent(Pid::new(1), "b", i)));
    mailbox.push(Event::sent(Pid::new(2), "last", ()));
    (0..5000)
        .for_each(|i| assert_eq!(mailbox.take_where(|e| e.name == "b").unwrap().data, i.into()));
    assert_eq!(mailbox.len(), 21);
    let capacity = deep(&mailbox).expect("many are left").capacity();
    assert!(capacity <= 512, "{capacity}");
}

#[test]
fn what_is_taken_at_once_is_never_indexed() {
    let mut mailbox = made_deep(100);
    for i in 0..1000 {
        mailbox.push(Event::sent(Pid::new(1), "b", i));
        let filters = [Filter::name("b"), Filter::sender(Pid::new(1)), Filter::any()];
        assert!(mailbox.take_sent(&filters[i % 2]).is_some());
    }
    let deep = deep(&mailbox).expect("many are left");
    assert_eq!((deep.queue.span(), deep.queue.end()), (100, 100));
    assert!(deep.capacity() <= 256);
}
