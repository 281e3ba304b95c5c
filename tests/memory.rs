//! Memory under floods: whatever a program sends, spawns, arms or registers, the heap stays under
//! the bounds of docs/syscalls.md. A binary of its own, since it counts what the whole host allocates.

use std::cell::Cell;
use std::rc::Rc;

use hothouse::{Captured, End, Errno, Filter, Held, Kernel, Limits, Sys, program};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a machine without processes may take, and what the test itself does.
const BASE: usize = 1 << 20;

/// Runs a flood under these limits. The heap must stay under `bound`, and be what it was afterwards.
fn flood(what: &str, limits: Limits, bound: usize, main: fn(&Sys) -> u64) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let builder = Kernel::builder().limits(limits).console(Captured::default());
    let mut kernel = builder.build().expect("good settings");
    let told = Rc::new(Cell::new(0));
    let tries = told.clone();
    kernel.spawn("flood", program(move |sys| tries.set(main(sys)))).expect("there is room");
    let end = kernel.run();
    assert!(matches!(end, End::Done), "{what}: {end}");
    assert!(
        kernel.report().records[0].status.is_success(),
        "{what}: {:?}",
        kernel.report().records
    );
    let peak = HEAP.peak_usage() - before;
    println!("{what}: {} tries, {peak} bytes of {bound}", told.get());
    assert!(told.get() > 0, "{what}: it was refused at least once");
    assert!(peak <= bound + BASE, "{what}: {peak} bytes, more than {bound}");
    kernel.kill_all();
    assert_eq!(kernel.held(), Held::default(), "{what}");
    drop(kernel);
    let after = HEAP.current_usage();
    assert!(after <= before + BASE / 4, "{what}: {after} bytes are held, {before} before");
}

/// How often a try is refused before the flood ends.
const REFUSALS: u64 = 1_000;

/// Tries until it was refused often enough.
fn insist(mut attempt: impl FnMut(u64) -> Result<(), Errno>) -> u64 {
    let mut refused = 0;
    for number in 0.. {
        match attempt(number) {
            Ok(()) => {}
            Err(Errno::EAGAIN) => refused += 1,
            Err(errno) => panic!("{errno:?}"),
        }
        if refused == REFUSALS {
            return refused;
        }
    }
    refused
}

/// An event counts with 64 bytes, its name and its data; a mailbox takes at most six times that.
const EVENT: usize = 6;

fn events(sys: &Sys) -> u64 {
    insist(|_| sys.send_event(sys.getpid(), "x", ()))
}

/// Events of which no two have a name in common, the worst for the index of a mailbox.
fn named_events(sys: &Sys) -> u64 {
    let refused = insist(|number| sys.send_event(sys.getpid(), format!("{number}"), number as i64));
    assert!(sys.receive_event(Filter::name("77"), None).is_ok());
    refused
}

fn large_events(sys: &Sys) -> u64 {
    insist(|number| sys.send_event(sys.getpid(), "x", vec![number as u8; 10_000]))
}

fn spawns(sys: &Sys) -> u64 {
    insist(|_| sys.spawn("child", |sys| _ = sys.receive_event(Filter::any(), None)).map(drop))
}

/// Children that end at once, whose records nobody reads.
fn records(sys: &Sys) -> u64 {
    insist(|number| {
        let spawned = sys.spawn("child", |_| ()).map(drop);
        if number % 100 == 0 {
            sys.yield_now();
        }
        spawned
    })
}

fn timers(sys: &Sys) -> u64 {
    insist(|number| sys.timer(std::time::Duration::from_millis(1 + number % 1000)).map(drop))
}

/// Timers that are taken back and armed anew.
fn cancelled_timers(sys: &Sys) -> u64 {
    for number in 0..100_000 {
        let timer =
            sys.timer(std::time::Duration::from_secs(1 + number % 7)).expect("there is room");
        sys.cancel(timer).expect("it is armed");
    }
    timers(sys)
}

fn names(sys: &Sys) -> u64 {
    insist(|number| sys.register(format!("a service with a long name, number {number}")))
}

fn monitors(sys: &Sys) -> u64 {
    let child = |_| sys.spawn("child", |sys| _ = sys.receive_event(Filter::any(), None));
    let children: Vec<_> =
        (0..200).map(|number: u64| child(number).expect("there is room")).collect();
    insist(|number| sys.monitor(children[number as usize % children.len()]))
}

fn locks(sys: &Sys) -> u64 {
    insist(|_| sys.mutex().map(drop))
}

#[test]
fn memory_under_floods_stays_under_its_bounds() {
    let one = || Limits { processes: 1_000, ..Limits::default() };
    const MIB: usize = 1 << 20;
    let bytes = || Limits { mailbox_bytes: 4 * MIB, ..one() };
    flood("events", bytes(), 4 * MIB * EVENT, events);
    flood("named events", bytes(), 4 * MIB * EVENT, named_events);
    flood("large events", bytes(), 4 * MIB * EVENT, large_events);
    let few = Limits { mailbox_events: 10_000, ..one() };
    flood("few events", few, 10_000 * 70 * EVENT, events);
    let many = Limits { processes: 10_000, ..Limits::default() };
    flood("processes", many.clone(), 10_000 * 2048, spawns);
    flood("unread exit records", many, 10_000 * 2048, records);
    let limits = Limits { timers_per_process: 20_000, ..one() };
    flood("timers", limits.clone(), 20_000 * 256, timers);
    flood("cancelled timers", limits, 20_000 * 256, cancelled_timers);
    let limits = Limits { names_per_process: 20_000, ..one() };
    flood("names", limits, 20_000 * 384, names);
    let limits = Limits { monitors_per_process: 100, ..one() };
    flood("monitors", limits, 1_000 * 2048, monitors);
    let limits = Limits { locks_per_process: 20_000, ..one() };
    flood("locks", limits, 20_000 * 384, locks);
}
