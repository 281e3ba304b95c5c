use super::events::By;
use super::{Bench, BenchError, Kind, events, live, lua, parked, processes, signals, simulations};
use super::{sleepers, switches};

/// A workload that is measured.
#[derive(Debug)]
pub struct Row {
    /// Its number in docs/performance.md. A row with several figures is several of these.
    pub number: u32,
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What a figure counts.
    pub unit: Unit,
    /// What a figure should be at most; `None` for the unit of all.
    pub target: Option<f64>,
    /// The size of the work for a figure.
    pub size: u64,
    /// A size at which only the checks mean something.
    pub quick: u64,
    /// What kind of processes' memory it is about, if it is about memory.
    pub kind: Option<Kind>,
    pub(super) measure: fn(&Bench, u64) -> Result<f64, BenchError>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds of an operation.
    Nanos,
    /// Bytes of a process.
    Bytes,
    /// A ratio.
    Times,
}

/// The row of this name.
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The name of a row that is nearest to this one.
///
/// ```
/// assert_eq!(hothouse::bench::nearest("pingpong"), "ping-pong");
/// ```
pub fn nearest(name: &str) -> &'static str {
    let distance = |row: &&Row| strsim::damerau_levenshtein(name, row.name);
    ROWS.iter().min_by_key(distance).map_or("", |row| row.name)
}

/// All rows, in order of number.
#[rustfmt::skip]
pub static ROWS: [Row; 34] = [
    Row { number: 1, name: "switch", kind: None, unit: Unit::Nanos, target: None, size: 10_000_000, quick: 20_000,
        about: "bare coroutine: suspend and resume",
        measure: switches::switch },
    Row { number: 2, name: "trap", kind: None, unit: Unit::Nanos, target: Some(8.0), size: 10_000_000, quick: 20_000,
        about: "empty trap (getpid)",
        measure: switches::trap },
    Row { number: 3, name: "yield", kind: None, unit: Unit::Nanos, target: Some(10.0), size: 5_000_000, quick: 20_000,
        about: "yield among 1,000 processes",
        measure: |bench, count| switches::yields(bench, 1_000, count) },
    Row { number: 4, name: "yield-100k", kind: None, unit: Unit::Nanos, target: Some(40.0), size: 5_000_000, quick: 20_000,
        about: "yield among 100,000 processes",
        measure: |bench, count| switches::yields(bench, 100_000.min(count), count) },
    Row { number: 5, name: "ping-pong", kind: None, unit: Unit::Nanos, target: Some(20.0), size: 4_000_000, quick: 20_000,
        about: "one-way message, matched by name",
        measure: events::ping_pong },
    Row { number: 6, name: "call", kind: None, unit: Unit::Nanos, target: Some(40.0), size: 2_000_000, quick: 20_000,
        about: "call and reply",
        measure: events::call },
    Row { number: 7, name: "ring", kind: None, unit: Unit::Nanos, target: Some(22.0), size: 4_000_000, quick: 20_000,
        about: "one hop in a ring of 1,000",
        measure: |bench, count| events::ring(bench, 1_000, count) },
    Row { number: 8, name: "fan-in", kind: None, unit: Unit::Nanos, target: Some(28.0), size: 1_000_000, quick: 20_000,
        about: "10,000 senders to one receiver, 100 each",
        measure: |bench, count| events::fan_in(bench, 10_000.min(count), count) },
    Row { number: 9, name: "spawn", kind: None, unit: Unit::Nanos, target: Some(45.0), size: 1_000_000, quick: 20_000,
        about: "spawn, run and exit, in batches of 1,000",
        measure: processes::spawn },
    Row { number: 10, name: "skynet", kind: None, unit: Unit::Nanos, target: Some(430.0), size: 1_111_111, quick: 1_111,
        about: "skynet, each of 1.11 million processes",
        measure: processes::skynet },
    Row { number: 11, name: "live", kind: Some(Kind::Native), unit: Unit::Bytes, target: Some(4_700.0), size: 1_000_000, quick: 2_000,
        about: "bytes of a parked process",
        measure: live::native_bytes },
    Row { number: 12, name: "create", kind: None, unit: Unit::Nanos, target: Some(1_900.0), size: 1_000_000, quick: 2_000,
        about: "create, until a million are parked",
        measure: parked::create },
    Row { number: 12, name: "wake", kind: None, unit: Unit::Nanos, target: Some(70.0), size: 1_000_000, quick: 2_000,
        about: "wake a million in order",
        measure: parked::wake },
    Row { number: 12, name: "wake-random", kind: None, unit: Unit::Nanos, target: Some(160.0), size: 1_000_000, quick: 2_000,
        about: "wake a million in random order",
        measure: parked::wake_at_random },
    Row { number: 13, name: "sleepers", kind: None, unit: Unit::Nanos, target: Some(900.0), size: 1_000_000, quick: 2_000,
        about: "a million sleepers, spawn to exit",
        measure: sleepers::sleepers },
    Row { number: 14, name: "hold", kind: None, unit: Unit::Nanos, target: Some(70.0), size: 2_000_000, quick: 20_000,
        about: "1,000 processes that sleep random times",
        measure: |bench, count| sleepers::hold(bench, 1_000, count) },
    Row { number: 15, name: "timeout", kind: None, unit: Unit::Nanos, target: Some(32.0), size: 4_000_000, quick: 20_000,
        about: "one-way message with a timeout that never fires",
        measure: events::timeout },
    Row { number: 16, name: "select-name-10", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by name behind 10 others",
        measure: |bench, count| events::select(bench, By::Name, 10, count) },
    Row { number: 16, name: "select-sender-10", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by sender behind 10 others",
        measure: |bench, count| events::select(bench, By::Sender, 10, count) },
    Row { number: 16, name: "select-both-10", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by both behind 10 others",
        measure: |bench, count| events::select(bench, By::Both, 10, count) },
    Row { number: 16, name: "select-name-1k", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by name behind 1,000 others",
        measure: |bench, count| events::select(bench, By::Name, 1_000, count) },
    Row { number: 16, name: "select-sender-1k", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by sender behind 1,000 others",
        measure: |bench, count| events::select(bench, By::Sender, 1_000, count) },
    Row { number: 16, name: "select-both-1k", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by both behind 1,000 others",
        measure: |bench, count| events::select(bench, By::Both, 1_000, count) },
    Row { number: 16, name: "select-name-100k", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by name behind 100,000 others",
        measure: |bench, count| events::select(bench, By::Name, 100_000, count) },
    Row { number: 16, name: "select-sender-100k", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by sender behind 100,000 others",
        measure: |bench, count| events::select(bench, By::Sender, 100_000, count) },
    Row { number: 16, name: "select-both-100k", kind: None, unit: Unit::Nanos, target: Some(35.0), size: 1_000_000, quick: 5_000,
        about: "receive by both behind 100,000 others",
        measure: |bench, count| events::select(bench, By::Both, 100_000, count) },
    Row { number: 17, name: "signal-self", kind: None, unit: Unit::Nanos, target: Some(20.0), size: 4_000_000, quick: 20_000,
        about: "signal with a handler, to oneself",
        measure: signals::to_oneself },
    Row { number: 17, name: "signal", kind: None, unit: Unit::Nanos, target: Some(40.0), size: 2_000_000, quick: 20_000,
        about: "signal with a handler, to another process",
        measure: signals::to_another },
    Row { number: 18, name: "mm1", kind: None, unit: Unit::Nanos, target: Some(260.0), size: 500_000, quick: 2_000,
        about: "M/M/1, each customer a process",
        measure: simulations::mm1 },
    Row { number: 19, name: "edf", kind: None, unit: Unit::Nanos, target: Some(300.0), size: 100, quick: 1,
        about: "EDF, 10 tasks, load 0.8, 100 s, each job",
        measure: simulations::edf },
    Row { number: 20, name: "lua-trap", kind: None, unit: Unit::Nanos, target: Some(60.0), size: 4_000_000, quick: 20_000,
        about: "Lua: a trap that does not park",
        measure: lua::trap },
    Row { number: 20, name: "lua-ping-pong", kind: None, unit: Unit::Nanos, target: Some(300.0), size: 1_000_000, quick: 20_000,
        about: "Lua: one-way message, matched by name",
        measure: lua::event },
    Row { number: 20, name: "lua-live", kind: Some(Kind::Lua), unit: Unit::Bytes, target: Some(1_700.0), size: 1_000_000, quick: 2_000,
        about: "Lua: bytes of a parked process",
        measure: live::lua_bytes },
    Row { number: 21, name: "listener", kind: None, unit: Unit::Times, target: Some(1.5), size: 4_000_000, quick: 20_000,
        about: "row 5 with a listener on the trace",
        measure: events::listener },
];
