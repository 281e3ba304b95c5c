//! The same seed gives the same run, byte for byte: again, whoever listens, and in every build.
//!
//! `golden/hashes.txt` has the trace hash of each built-in program under several policies,
//! `hashes_lua.txt` that of each example in Lua, `hashes_sim.txt` that of some workloads. A change of
//! one is a change of what users replay; `HOTHOUSE_BLESS=1 cargo test -p hothouse-tests
//! determinism` writes it anew.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::policy::policy;
use hothouse::programs::programs;
use hothouse::sim::{Simulation, read};
use hothouse::trace::Record;
use hothouse::{
    Builder, Captured, Filter, Kernel, Pid, Report, Span, Stream, StreamKind, Sys, Tick, Until,
    program,
};
use hothouse_tests::golden;

use crate::programs::start;

/// Policies with the number of CPUs.
const MACHINES: [(&str, u32); 6] =
    [("fifo", 1), ("fifo", 3), ("rr:slice=2ms", 2), ("prio", 1), ("random", 1), ("random", 3)];

fn builder(spec: &str, cpus: u32, seed: u64) -> Builder {
    let policy = policy(spec, Stream::derive(seed, StreamKind::Policy, 0)).expect("a good policy");
    Kernel::builder().policy(policy).cpus(cpus).seed(seed).console(Captured::default())
}

fn finish(mut kernel: Kernel) -> Report {
    kernel.run_until(Until::Done);
    kernel.report()
}

fn hash(spec: &str, cpus: u32, seed: u64, set_up: impl Fn(&mut Kernel)) -> u64 {
    let mut kernel = builder(spec, cpus, seed).hash(true).build().expect("good settings");
    set_up(&mut kernel);
    finish(kernel).hash.expect("the hash was asked for")
}

/// A program in which the order of things matters: clients race for a server's answers, with
/// bursts, random pauses and a lock.
fn race(kernel: &mut Kernel) {
    kernel.spawn("race", program(contest)).expect("there is room");
}

fn contest(sys: &Sys) {
    let parent = sys.getpid();
    let mutex = sys.mutex().expect("there is room");
    for _ in 0..8 {
        let client = move |sys: &Sys| {
            for _ in 0..5 {
                sys.compute(Duration::from_micros(1 + sys.random() % 3)).expect("it lives");
                let guard = mutex.lock(sys).expect("it is there");
                sys.send_event(parent, "done", sys.random() as i64).expect("it is there");
                sys.yield_now();
                drop(guard);
                sys.sleep(Duration::from_micros(sys.random() % 3)).expect("it lives");
            }
        };
        sys.spawn("client", client).expect("there is room");
    }
    for _ in 0..40 {
        let done = sys.receive_event(Filter::name("done"), None).expect("there are forty");
        sys.log(format!("{} from {}", done.data, done.sender));
    }
}

#[test]
fn hashes_of_the_builtin_programs() {
    let mut lines = String::new();
    for builtin in programs() {
        for (spec, cpus) in MACHINES {
            let hash = hash(spec, cpus, 7, |kernel| start(kernel, builtin.name));
            lines.push_str(&format!("{} {spec} {cpus} {hash:016x}\n", builtin.name));
        }
    }
    golden("hashes", &lines);
}

#[test]
fn hashes_of_the_lua_programs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../userland/lua/programs");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the programs are there")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    let mut lines = String::new();
    for name in names {
        let source = std::fs::read(folder.join(format!("{name}.lua"))).expect("a program");
        for (spec, cpus) in MACHINES {
            let hash = hash(spec, cpus, 7, |kernel| {
                // By its text, so that the path of this checkout is not in the trace.
                let host = LuaHost::new(LuaSettings::default());
                let program =
                    host.load_source(&format!("{name}.lua"), &source, Some(&folder), vec![]);
                kernel.spawn(&name[..], program.expect("it is good Lua")).expect("there is room");
            });
            lines.push_str(&format!("{name} {spec} {cpus} {hash:016x}\n"));
        }
    }
    golden("hashes_lua", &lines);
}

/// A workload of each kind of file.
const WORKLOADS: [(&str, &str); 3] = [
    (
        "threads.json",
        r#"{ "tasks": {
            "ticker": { "instance": 3, "loop": 20, "lock": "m", "run": 900, "unlock": "m",
                "timer": { "ref": "unique", "period": 4000 }, "priority": -3 },
            "sleeper": { "loop": 10, "run": 2500, "sleep": 1500 } },
          "global": { "duration": 1 } }"#,
    ),
    (
        "list.csv",
        "name, arrival, burst, priority\na, 0ms, 30ms, 3\nb, 1ms, 12ms, 1\nc, 5ms, 7ms, 2\n",
    ),
    (
        "log.swf",
        "1 0 -1 9 1 -1 -1 1 9 -1 1 1 1 1 1 1 -1 -1\n2 1 -1 5 2 -1 -1 2 5 -1 1 2 1 1 1 1 -1 -1\n",
    ),
];

#[test]
fn hashes_of_simulations() {
    let mut lines = String::new();
    for (file, text) in WORKLOADS {
        let workload = read(file, text).unwrap_or_else(|error| panic!("{error}"));
        for (policy, cpus) in [("fifo", 1), ("rr", 2), ("cfs", 2), ("mlfq", 1), ("lottery", 2)] {
            let simulation = Simulation::new(workload.clone()).policy(policy).cpus(cpus).seed(7);
            let hash = simulation.run().expect("it can run").report.hash.expect("it is asked for");
            lines.push_str(&format!("{file} {policy} {cpus} {hash:016x}\n"));
        }
    }
    golden("hashes_sim", &lines);
}

#[test]
fn host_threads_change_nothing() {
    let all = |seed: u64| MACHINES.map(|(spec, cpus)| hash(spec, cpus, seed, race));
    let alone: Vec<_> = (0..8).map(all).collect();
    for threads in [2, 8] {
        let together: Vec<_> = std::thread::scope(|scope| {
            let some = |first: u64| (first..8).step_by(threads).map(|seed| (seed, all(seed)));
            let threads: Vec<_> = (0..threads as u64)
                .map(|first| scope.spawn(move || some(first).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(together.len(), alone.len());
        for (seed, hashes) in together {
            assert_eq!(
                hashes, alone[seed as usize],
                "seed {seed} beside others on {threads} threads"
            );
        }
    }
}

#[test]
fn one_seed_one_run() {
    for (spec, cpus) in MACHINES {
        for seed in [0, 1, u64::MAX] {
            let (first, second) = (hash(spec, cpus, seed, race), hash(spec, cpus, seed, race));
            assert_eq!(first, second, "{spec} on {cpus} CPUs with seed {seed}");
        }
    }
}

#[test]
fn another_seed_another_run() {
    for (spec, cpus) in MACHINES {
        let hashes: BTreeSet<_> = (0..20).map(|seed| hash(spec, cpus, seed, race)).collect();
        assert_eq!(hashes.len(), 20, "{spec} on {cpus} CPUs");
    }
}

#[test]
fn the_seed_of_the_random_policy_is_its_own() {
    let order = |seed| {
        let captured = Captured::default();
        let policy =
            policy(&format!("random:seed={seed}"), Stream::derive(0, StreamKind::Policy, 0));
        let builder = Kernel::builder().policy(policy.expect("a good policy"));
        let mut kernel = builder.console(captured.clone()).build().expect("good settings");
        for _ in 0..10 {
            let main = program(|sys: &Sys| sys.log(sys.getpid().to_string()));
            kernel.spawn("one", main).expect("there is room");
        }
        kernel.run_until(Until::Idle);
        captured.lines()
    };
    assert_eq!(order(1), order(1));
    assert!((2..10).any(|seed| order(seed) != order(1)));
}

#[test]
fn a_listener_changes_nothing() {
    for (spec, cpus) in MACHINES {
        let listened = Rc::new(Cell::new(0u64));
        let heard = listened.clone();
        let mut with = builder(spec, cpus, 3)
            .hash(true)
            .listener(move |_: &Record<'_>| heard.set(heard.get() + 1))
            .build()
            .expect("good settings");
        race(&mut with);
        let with = finish(with);
        assert_eq!(with.hash, Some(hash(spec, cpus, 3, race)));
        assert!(listened.get() > 500);

        let mut without = builder(spec, cpus, 3).build().expect("good settings");
        race(&mut without);
        let without = finish(without);
        assert_eq!(without.hash, None);
        assert_eq!((with.counters, with.now), (without.counters, without.now));
        assert_eq!((with.records, with.cpus), (without.records, without.cpus));
    }
}

#[test]
fn stepping_is_running() {
    for (spec, cpus) in MACHINES {
        let mut stepped = builder(spec, cpus, 5).hash(true).build().expect("good settings");
        race(&mut stepped);
        while stepped.process(Pid::new(1)).is_some() {
            assert!(stepped.step().is_none(), "pid 1 lives");
        }
        assert_eq!(stepped.report().hash, Some(hash(spec, cpus, 5, race)));

        let mut sliced = builder(spec, cpus, 5).hash(true).build().expect("good settings");
        race(&mut sliced);
        let mut until = Tick::ZERO;
        while sliced.process(Pid::new(1)).is_some() {
            until += Span::from_nanos(777);
            sliced.run_until(Until::TimeOrEnded(until, Pid::new(1)));
        }
        assert_eq!(sliced.report().hash, Some(hash(spec, cpus, 5, race)));
    }
}

#[test]
fn streams_are_apart() {
    // What one process draws does not shift what another draws.
    let draws = |greedy: bool| {
        let captured = Captured::default();
        let builder = Kernel::builder().seed(9).console(captured.clone());
        let mut kernel = builder.build().expect("good settings");
        let first =
            move |sys: &Sys| (0..if greedy { 100 } else { 1 }).for_each(|_| _ = sys.random());
        kernel.spawn("first", program(first)).expect("there is room");
        let second = |sys: &Sys| (0..3).for_each(|_| sys.log(sys.random().to_string()));
        kernel.spawn("second", program(second)).expect("there is room");
        kernel.run_until(Until::Idle);
        captured.lines()
    };
    assert_eq!(draws(true), draws(false));
}
