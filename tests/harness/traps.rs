//! Sequences of traps: some processes make whatever calls the bytes say, on a machine whose limits
//! are so low that all are reached.

use hothouse::abi::{Pid, Signal, Span, Tick, Value};
use hothouse::policy::{POLICIES, policy};
use hothouse::{
    Builder, Captured, Costs, Counters, End, Held, HostAction, Kernel, Limits, Stream, StreamKind,
    Until,
};

use super::draw::Draw;
use super::puppet::puppet;

/// How often a run is stirred, which is a tenth of a virtual second each.
const ROUNDS: u64 = 200;

/// What goes wrong on purpose in some of the runs.
const FAULTS: &str = "drop:p=0.05; delay:p=0.1,by=1ns..3ms; duplicate:p=0.1; reorder:p=0.1; \
    kill:process=*,p=0.01; stop:process=*,p=0.02,for=1ms; skew:process=2,by=-1ms; \
    fail:p=0.02,errno=EINTR";

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// What happened, in numbers.
    pub counters: Counters,
    /// The hash of the trace.
    pub hash: Option<u64>,
}

/// Runs the bytes twice, and compares the traces.
///
/// # Panics
///
/// If the runs differ, something is left when all processes have ended, or an invariant breaks.
pub fn check(bytes: &[u8]) {
    let (first, second) = (run(bytes, true), run(bytes, true));
    assert_eq!(first, second, "two runs of the same bytes differ");
}

/// Runs the bytes once; with the hash of the trace if it is asked for.
///
/// # Panics
///
/// If something is left when all processes have ended, or an invariant breaks.
pub fn run(bytes: &[u8], hash: bool) -> Outcome {
    let choices = Draw::new(bytes);
    let mut kernel = kernel(&choices, hash);
    let first = 1 + choices.below(4);
    for _ in 0..first {
        // Over the limit on processes it is refused, which is fine.
        let _ = kernel.spawn("puppet", puppet(&choices));
    }
    let actions = choices.below(6);
    for _ in 0..actions {
        let time = Tick::from_nanos(choices.pick(&[0, 1, 1_000_000, 5_000_000]));
        kernel.at(time, action(&choices));
    }
    // Those of a run that fails may never come to pass.
    let mut to_come = 0;
    for round in 1..ROUNDS {
        let end = kernel.run_until(Until::TimeOrIdle(Tick::from_nanos(round * 100_000_000)));
        if let End::Failed(_) = end {
            to_come = actions;
            break;
        }
        if choices.is_over() {
            break;
        }
        // All wait, for long or for ever: somebody new has to stir them.
        if kernel.spawn("puppet", puppet(&choices)).is_err() {
            let pids: Vec<_> = kernel.processes().iter().map(|info| info.pid).collect();
            let _ = kernel.kill(choices.pick(&pids), Signal::SIGKILL);
        }
    }
    kernel.kill_all();
    let report = kernel.report();
    let (stacks, timers) = (report.held.stacks, report.held.timers.min(to_come));
    assert_eq!(report.held, Held { stacks, timers, ..Held::default() }, "something is left");
    assert!(stacks as u64 <= report.counters.abandoned, "stacks are left: {stacks}");
    Outcome { counters: report.counters, hash: report.hash }
}

fn kernel(draw: &Draw, hash: bool) -> Kernel {
    let limits = Limits {
        processes: 4 + draw.below(12),
        mailbox_events: 1 + draw.below(40),
        mailbox_bytes: 100 + 8 * usize::from(draw.byte()),
        name_bytes: 20,
        names_per_process: 2,
        timers_per_process: 3,
        monitors_per_process: 2,
        locks_per_process: 3,
        nested_handlers: 2,
        exit_time: Span::from_millis(2),
        steps_at_one_instant: 3_000,
        steps: 20_000,
        records: 5,
        ..Limits::default()
    };
    let (id, ..) = POLICIES[draw.below(POLICIES.len())];
    let stream = Stream::derive(1, StreamKind::Policy, 0);
    let policy = policy(id, stream).expect("the ids are good");
    let costs = draw.one_in(3).then(|| Costs {
        trap: Span::from_nanos(draw.pick(&[0, 1, 1_000])),
        switch: Span::from_nanos(draw.pick(&[0, 5_000])),
        migration: Span::from_nanos(draw.pick(&[0, 3])),
    });
    let faults = draw.one_in(3).then(|| FAULTS.parse().expect("good rules"));
    let builder: Builder = Kernel::builder()
        .faults(faults.unwrap_or_default())
        .policy(policy)
        .cpus(1 + draw.below(3) as u32)
        .costs(costs.unwrap_or_default())
        .limits(limits)
        .admission_test(draw.one_in(4))
        .console(Captured::default())
        .hash(hash);
    builder.build().expect("the settings are good")
}

fn action(choices: &Draw) -> HostAction {
    let kind = choices.below(3);
    let pid = Pid::new(choices.below(6) as u64);
    match kind {
        0 => HostAction::Spawn { name: "late".into(), program: puppet(choices) },
        1 => HostAction::Send { pid, name: "a".into(), data: Value::Nil },
        _ => {
            let signals = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGCONT, Signal::SIGSTOP];
            HostAction::Kill { pid, signal: choices.pick(&signals).into() }
        }
    }
}
