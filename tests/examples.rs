//! The example workloads show what they are there to show.

use hothouse::sim::{Compare, Measured, Protocol, Run, Simulation, examples};

fn example(name: &str) -> Simulation {
    let found = examples().iter().find(|example| example.name == name);
    Simulation::new(found.unwrap_or_else(|| panic!("no example {name}")).workload())
}

fn run(simulation: &Simulation) -> Run {
    let first = simulation.run().expect("it runs");
    assert_eq!(first.report.hash, simulation.run().expect("it runs").report.hash);
    assert!(!first.has_failed());
    first
}

fn task<'a>(run: &'a Run, name: &str) -> &'a Measured {
    run.metrics.task(name).expect("it is a task")
}

fn turnaround_max(measured: &Measured) -> u64 {
    measured.turnaround.expect("jobs were done").max_ns / 1_000_000
}

#[test]
fn pathfinder_misses_its_deadline_unless_priority_is_inherited() {
    // The urgent task waits for 8 ms of the mutex, and for the 150 ms of the middle one: 33 ms
    // with its own 25, or 180.
    for (protocol, worst, misses) in
        [(Protocol::None, 180, 10), (Protocol::Inherit, 33, 0), (Protocol::Ceiling, 30, 0)]
    {
        let run = run(&example("pathfinder").protocol(protocol));
        let urgent = task(&run, "bc_dist");
        assert_eq!((turnaround_max(urgent), urgent.misses), (worst, misses), "{protocol:?}");
        assert_eq!(urgent.jobs, 81);
    }
}

#[test]
fn a_convoy_waits_behind_the_long_burst() {
    let fifo = run(&example("convoy").policy("fifo"));
    assert_eq!((task(&fifo, "io").jobs, task(&fifo, "long").jobs), (455, 90));
    assert_eq!(turnaround_max(task(&fifo, "io")), 100);
    // Ten times as many short bursts, and the CPU is used more, too.
    let slices = run(&example("convoy").policy("rr:slice=1ms"));
    assert_eq!((task(&slices, "io").jobs, task(&slices, "long").jobs), (4546, 51));
    assert_eq!(turnaround_max(task(&slices, "io")), 5);
    let utilisation = |run: &Run| run.metrics.machine.utilisation;
    assert_eq!((utilisation(&fifo), utilisation(&slices)), (0.955, 0.9745));
}

#[test]
fn the_last_in_rank_starves() {
    let fixed = run(&example("starvation"));
    assert_eq!((task(&fixed, "last").jobs, task(&fixed, "last").cpu_time_ns), (0, 0));
    assert_eq!((task(&fixed, "first").misses, task(&fixed, "second").misses), (0, 0));
    for policy in ["cfs", "stride", "lottery", "mlfq:boost=1s", "bsdmlfq"] {
        let fair = run(&example("starvation").policy(policy));
        assert_eq!(task(&fair, "last").jobs, 1, "{policy}");
    }
}

#[test]
fn a_gamer_gets_the_cpu_where_giving_it_up_is_rewarded() {
    let gamed = run(&example("gaming"));
    assert_eq!(task(&gamed, "gamer").cpu_time_ns, 9_890_200_000);
    let fair = run(&example("gaming").policy("mlfq"));
    assert_eq!(task(&fair, "gamer").cpu_time_ns, 4_970_000_000);
}

#[test]
fn a_heavy_tail_hurts_who_waits_in_line() {
    let comparison = Compare::policies(&example("web"), ["fifo", "rr:slice=1ms", "srtf"]);
    let comparison = comparison.seeds(1..=5).run().expect("it runs");
    let slowdown = comparison.row("slowdown mean").expect("it is defined");
    assert_eq!(slowdown.winner, Some(2));
    let [fifo, rr, srtf] = [0, 1, 2].map(|index| slowdown.means[index].mean);
    assert!(fifo > 10.0 * rr && rr > 2.0 * srtf, "{fifo} {rr} {srtf}");
    // Processor sharing is insensitive to the law: the mean slowdown is 1 / (1 - load).
    assert!((rr - 1.0 / (1.0 - 0.7)).abs() < 0.5, "{rr}");
}

#[test]
fn an_overload_makes_all_miss_under_edf_and_one_under_rm() {
    let misses = |policy: &str| {
        let run = run(&example("overload").policy(policy));
        assert!(run.warnings[0].contains("need 1.150 CPUs"), "{:?}", run.warnings);
        ["fast", "middle", "slow"].map(|name| (task(&run, name).misses, task(&run, name).jobs))
    };
    assert_eq!(misses("edf"), [(1081, 1089), (433, 435), (217, 217)]);
    assert_eq!(misses("rm"), [(0, 1250), (0, 500), (179, 178)]);
}

#[test]
fn a_day_begins() {
    // The whole day takes a minute or more of the host's time; a part of it will do here.
    let minute = example("day").duration(hothouse::Span::from_secs(10));
    let run = run(&minute);
    assert_eq!(run.metrics.machine.measured.processes, 1_000);
    assert_eq!(task(&run, "control").misses, 0);
    let utilisation = run.metrics.machine.utilisation;
    assert!((0.5..1.0).contains(&utilisation), "{utilisation}");
}
