//! The figures of the kernel against a bare coroutine's round trip in the same run.
//!
//! `cargo bench` prints the table; `cargo bench -- --quick` does a hundredth of the work, for the
//! checksums only.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::{Captured, End, Filter, Kernel, Limits, Name, Pid, Sys, Until, Value, program};
use hothouse_benches::{bare_round_trip, median, resident, time};

const PING: Name = Name::short("ping");

/// How much work each row does.
#[derive(Clone, Copy)]
struct Scale {
    operations: u64,
    processes: u64,
    runs: usize,
}

/// A row: its name, and what measures it.
type Row<T> = (&'static str, fn(Scale) -> T);

const TIMES: [Row<f64>; 6] = [
    ("empty trap (getpid)", |scale| empty_trap(scale.operations)),
    ("yield among 1,000", |scale| yields(1_000, scale.operations)),
    ("one-way message, ping-pong by name", |scale| ping_pong(scale.operations)),
    ("spawn, run and exit", |scale| spawn_to_exit(scale.operations / 10)),
    ("Lua: trap that does not park (getpid)", |scale| lua_traps(scale.operations / 10)),
    ("Lua: one-way message, ping-pong by name", |scale| lua_messages(scale.operations / 10)),
];

const BYTES: [Row<u64>; 2] = [
    ("live native processes", |scale| live_native(scale.processes)),
    ("live Lua processes", |scale| live_lua(scale.processes)),
];

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let quick = args.iter().any(|arg| arg == "--quick" || arg == "--test");
    args.retain(|arg| !arg.starts_with("--"));
    let wanted =
        |name: &str| args.is_empty() || args.iter().any(|arg| name.starts_with(arg.as_str()));
    let scale = if quick {
        Scale { operations: 20_000, processes: 2_000, runs: 1 }
    } else {
        Scale { operations: 2_000_000, processes: 100_000, runs: 5 }
    };
    let unit = median(scale.runs, || bare_round_trip(scale.operations));
    println!("{:<44} {:>10} {:>8}", "row", "ns", "x unit");
    println!("{:<44} {unit:>10.1} {:>8.1}", "bare coroutine, suspend and resume", 1.0);
    for (name, measure) in TIMES.into_iter().filter(|(name, _)| wanted(name)) {
        let nanos = median(scale.runs, || measure(scale));
        println!("{name:<44} {nanos:>10.1} {:>8.1}", nanos / unit);
    }
    println!("\n{:<44} {:>10}", "row", "bytes each");
    for (name, measure) in BYTES.into_iter().filter(|(name, _)| wanted(name)) {
        println!("{name:<44} {:>10}", measure(scale));
    }
}

fn kernel() -> Kernel {
    let limits = Limits { steps_at_one_instant: u64::MAX, ..Limits::default() };
    Kernel::builder().limits(limits).console(Captured::default()).build().expect("a kernel")
}

/// Runs until nobody can run, and requires that everything ended.
fn run(mut kernel: Kernel) {
    let end = kernel.run_until(Until::Idle);
    assert!(matches!(end, End::Done), "{end}");
    for exit in kernel.report().records {
        assert!(exit.status.is_success(), "{}", exit.status);
    }
}

fn empty_trap(count: u64) -> f64 {
    let mut kernel = kernel();
    let figure = Rc::new(Cell::new(0.0));
    let result = figure.clone();
    let main = program(move |sys: &Sys| {
        result.set(time(|| {
            let sum: u64 = (0..count).map(|_| sys.getpid().number()).sum();
            assert_eq!(sum, count);
            count
        }));
    });
    kernel.spawn("traps", main).expect("room");
    run(kernel);
    figure.get()
}

fn yields(processes: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(processes);
    let mut kernel = kernel();
    let sum = Rc::new(Cell::new(0));
    for _ in 0..processes {
        let sum = sum.clone();
        let main = program(move |sys: &Sys| {
            for _ in 0..rounds {
                sys.yield_now();
                sum.set(sum.get() + 1);
            }
        });
        kernel.spawn("yields", main).expect("room");
    }
    // All stacks are bound and all programs have started before the clock does.
    for _ in 0..processes {
        assert!(kernel.step().is_none());
    }
    let figure = time(|| {
        run(kernel);
        processes * rounds
    });
    assert_eq!(sum.get(), processes * rounds);
    figure
}

fn ping_pong(count: u64) -> f64 {
    let mut kernel = kernel();
    let rounds = i64::try_from(count / 2).expect("a small count");
    let echo = program(move |sys: &Sys| {
        for _ in 0..rounds {
            let ping = sys.receive_event(Filter::name(PING), None)?;
            sys.send_event(ping.sender, PING, ping.data)?;
        }
        Ok::<(), hothouse::Errno>(())
    });
    let figure = Rc::new(Cell::new(0.0));
    let result = figure.clone();
    let echo = kernel.spawn("echo", echo).expect("room");
    let main = program(move |sys: &Sys| {
        result.set(time(|| {
            let mut sum = 0;
            for i in 0..rounds {
                sys.send_event(echo, PING, i).expect("it lives");
                let pong = sys.receive_event(Filter::name(PING), None).expect("a reply");
                sum += pong.data.as_int().expect("a number");
            }
            assert_eq!(sum, rounds * (rounds - 1) / 2);
            count
        }));
    });
    kernel.spawn("ping", main).expect("room");
    run(kernel);
    figure.get()
}

fn spawn_to_exit(count: u64) -> f64 {
    const BATCH: u64 = 1_000;
    let batches = count.div_ceil(BATCH);
    let mut kernel = kernel();
    let ran = Rc::new(Cell::new(0));
    let counter = ran.clone();
    let figure = Rc::new(Cell::new(0.0));
    let result = figure.clone();
    let main = program(move |sys: &Sys| {
        result.set(time(|| {
            for _ in 0..batches {
                for _ in 0..BATCH {
                    let counter = counter.clone();
                    let child = move |_: &Sys| counter.set(counter.get() + 1);
                    sys.spawn("child", child).expect("room");
                }
                for _ in 0..BATCH {
                    sys.wait(None, None).expect("a child");
                }
            }
            batches * BATCH
        }));
    });
    kernel.spawn("parent", main).expect("room");
    run(kernel);
    assert_eq!(ran.get(), batches * BATCH);
    figure.get()
}

fn lua(kernel: &mut Kernel, host: &LuaHost, name: &str, source: &str, args: Vec<Value>) -> Pid {
    let main = host.load_source(name, source.as_bytes(), None::<&Path>, args).expect("it compiles");
    kernel.spawn(name, main).expect("room")
}

fn lua_traps(count: u64) -> f64 {
    let mut kernel = kernel();
    let host = LuaHost::new(LuaSettings::default());
    let source = "local process = require 'system.process'
        local getpid, sum, count = process.getpid, 0, ...
        for i = 1, count do sum = sum + getpid() end
        assert(sum == count)";
    lua(&mut kernel, &host, "traps", source, vec![count.into()]);
    time(|| {
        run(kernel);
        count
    })
}

fn lua_messages(count: u64) -> f64 {
    let mut kernel = kernel();
    let host = LuaHost::new(LuaSettings::default());
    let rounds = count / 2;
    let echo = "local ipc = require 'system.ipc'
        for i = 1, (...) do
            local _, n = ipc.receiveEvent(nil, 'ping')
            ipc.sendEvent(2, 'ping', n)
        end";
    let ping = "local ipc = require 'system.ipc'
        local sum, rounds = 0, ...
        for i = 1, rounds do
            ipc.sendEvent(1, 'ping', i)
            local _, n = ipc.receiveEvent(nil, 'ping')
            sum = sum + n
        end
        assert(sum == rounds * (rounds + 1) // 2)";
    lua(&mut kernel, &host, "echo", echo, vec![rounds.into()]);
    lua(&mut kernel, &host, "ping", ping, vec![rounds.into()]);
    time(|| {
        run(kernel);
        count
    })
}

/// Bytes of each of many processes that wait for an event.
fn live(count: u64, mut spawn: impl FnMut(&mut Kernel)) -> u64 {
    let before = resident();
    let mut kernel = kernel();
    for _ in 0..count {
        spawn(&mut kernel);
    }
    assert!(matches!(kernel.run_until(Until::Idle), End::Deadlock(_)));
    let live = kernel.processes().len() as u64;
    assert_eq!(live, count);
    let bytes = resident().saturating_sub(before) / count;
    for pid in 1..=count {
        kernel.send(Pid::new(pid), PING, ()).expect("it waits");
    }
    run(kernel);
    bytes
}

fn live_native(count: u64) -> u64 {
    live(count, |kernel| {
        let main = program(|sys: &Sys| sys.receive_event(Filter::name(PING), None).map(drop));
        kernel.spawn("waiter", main).expect("room");
    })
}

fn live_lua(count: u64) -> u64 {
    let file = std::env::temp_dir().join(format!("hothouse-waiter-{}.lua", std::process::id()));
    std::fs::write(&file, "require('system.ipc').receiveEvent(nil, 'ping')").expect("a file");
    let host = LuaHost::new(LuaSettings::default());
    let bytes = live(count, |kernel| {
        let main = host.load(&file, Vec::new()).expect("it compiles");
        kernel.spawn("waiter", main).expect("room");
    });
    std::fs::remove_file(&file).expect("it is there");
    bytes
}
