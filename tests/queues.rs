//! Results of queueing theory, reproduced by simulated workloads of one process a customer.
//!
//! Debug builds run fewer customers, so their tolerances are wider: an optimised build (`cargo test
//! --release -p hothouse-tests queues`) runs them all.

use hothouse::Span;
use hothouse::sim::{Dist, Estimate, Run, Simulation, Step, Task, Workload};

/// The mean service time.
const SERVICE: Span = Span::from_millis(1);

/// Customers arrive at random, so many for each mean service time.
const LOAD: f64 = 0.8;

/// A run of so many customers whose service times are of this law, of mean 1 ms.
fn queue(policy: &str, law: Dist, customers: u32, seed: u64) -> Run {
    let between = Dist::Exp { mean: Span::from_nanos((SERVICE.nanos() as f64 / LOAD) as u64) };
    let customer = Task {
        instances: customers,
        start: between,
        every: Some(between),
        ..Task::once("customer", vec![Step::Run(law)])
    };
    let workload = Workload { tasks: vec![customer], ..Workload::default() };
    let simulation = Simulation::new(workload).policy(policy).seed(seed).hash(false);
    let run = simulation.run().expect("it can run");
    assert_eq!(run.metrics.machine.measured.jobs, u64::from(customers));
    run
}

/// In service times.
fn mean_time_in_system(run: &Run) -> f64 {
    let turnaround = run.metrics.machine.measured.turnaround.expect("there are customers");
    turnaround.mean_ns / SERVICE.nanos() as f64
}

fn mean_wait(run: &Run) -> f64 {
    let waiting = run.metrics.machine.measured.waiting.expect("there are customers");
    waiting.mean_ns / SERVICE.nanos() as f64
}

/// Erlang: 1 / (1 - load) = 5 service times.
#[test]
fn m_m_1_at_load_0_8_takes_5_service_times() {
    let times: Vec<f64> = (1..=20)
        .map(|seed| mean_time_in_system(&queue("fifo", Dist::Exp { mean: SERVICE }, 10_000, seed)))
        .collect();
    let estimate = Estimate::of(&times);
    let half_width = estimate.half_width.expect("there are many runs");
    assert!(half_width < 0.5, "the interval is narrow: {estimate:?}");
    assert!((estimate.mean - 5.0).abs() <= half_width, "{estimate:?}");
}

/// Little 1961, in whole nanoseconds: the simulator itself asserts it at the end of each run, and
/// the report says the same.
#[test]
fn littles_law_is_exact() {
    for policy in ["fifo", "srtf", "rr:slice=100us", "lottery:slice=300us"] {
        let run = queue(policy, Dist::Exp { mean: SERVICE }, 2_000, 3);
        let little = run.metrics.machine.little;
        let product = little.arrivals_per_s * little.mean_time_ns / 1e9;
        assert!((product / little.mean_jobs - 1.0).abs() < 1e-12, "{policy}: {little:?}");
    }
}

/// Pollaczek and Khinchine: the mean wait in order of arrival, in service times, if the second
/// moment of the service times is this.
fn pollaczek_khinchine(second_moment: f64) -> f64 {
    LOAD * second_moment / (2.0 * (1.0 - LOAD))
}

/// The mean time in system under round robin, in service times.
///
/// The wait of the same customers in order of arrival is the control variate, for its mean is known:
/// what a sample waits longer than that there, it also takes longer here, by a factor that the
/// runs tell.
fn round_robin(law: Dist, second_moment: f64, runs: u64, customers: u32) -> Estimate {
    let both = (1..=runs).map(|seed| {
        let fifo = mean_wait(&queue("fifo", law, customers, seed));
        let shared = mean_time_in_system(&queue("rr:slice=1us", law, customers, seed));
        (shared, fifo - pollaczek_khinchine(second_moment))
    });
    let both: Vec<(f64, f64)> = both.collect();
    let mean =
        |value: &dyn Fn(&(f64, f64)) -> f64| both.iter().map(value).sum::<f64>() / runs as f64;
    let (shared, excess) = (mean(&|it| it.0), mean(&|it| it.1));
    let covariance = mean(&|it| (it.0 - shared) * (it.1 - excess));
    let factor = covariance / mean(&|it| (it.1 - excess).powi(2));
    Estimate::of(&both.iter().map(|it| it.0 - factor * it.1).collect::<Vec<_>>())
}

/// Round robin with a slice of a thousandth of the mean service is as good as processor sharing:
/// whatever the law of the service times is, customers take 1 / (1 - load) service times in the mean.
/// Sakata, Noguchi and Oizumi 1971.
#[test]
fn round_robin_in_thousandths_does_not_feel_the_law_of_the_service_times() {
    let (runs, customers, tolerance) =
        if cfg!(debug_assertions) { (4, 300, 0.5) } else { (20, 5_000, 0.02) };
    let nanos = SERVICE.nanos() as f64;
    // Of mean 1 ms: the mean of a log-normal law is its median times exp(sigma^2 / 2).
    let sigma = 0.75f64;
    let median = Span::from_nanos((nanos / (sigma * sigma / 2.0).exp()) as u64);
    for (law, second_moment) in [
        (Dist::Const(SERVICE), 1.0),
        (Dist::Uniform { low: Span::ZERO, high: SERVICE + SERVICE }, 4.0 / 3.0),
        (Dist::Exp { mean: SERVICE }, 2.0),
        (Dist::LogNormal { median, sigma }, (sigma * sigma).exp()),
    ] {
        let estimate = round_robin(law, second_moment, runs, customers);
        let error = (estimate.mean / 5.0 - 1.0).abs();
        assert!(error <= tolerance, "{law:?}: {estimate:?}");
    }
}
