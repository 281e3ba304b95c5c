#![expect(
    clippy::disallowed_methods,
    reason = "within a simulation it is a virtual clock, and outside of it a benchmark reads the host's"
)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hothouse_kernel::{Stream, StreamKind};
use madsim::runtime::Runtime;
use madsim::task::spawn;
use madsim::time::{sleep, sleep_until};
use tokio::sync::Semaphore;

use super::counter::Counter;
use super::customers::Customers;

pub(crate) fn measure(row: &str, count: u64) -> f64 {
    match row {
        "sleepers" => sleepers(count),
        "hold" => hold(1_000, count),
        "mm1" => mm1(count),
        _ => panic!("madsim does not do row {row}"),
    }
}

/// The host's clock is read outside of the simulation, which has one of its own.
fn simulate<T>(main: impl Future<Output = T>) -> (f64, T) {
    let started = Instant::now();
    let result = Runtime::new().block_on(main);
    (started.elapsed().as_secs_f64() * 1e9, result)
}

/// No sleep is shorter than a millisecond, and each time that a task runs takes some 75 ns.
fn sleepers(count: u64) -> f64 {
    let woke = Counter::default();
    let (nanos, ()) = simulate(async {
        let mut stream = Stream::derive(13, StreamKind::Workload, 0);
        let mut tasks = Vec::new();
        for _ in 0..count {
            let span = Duration::from_nanos(1 + stream.below(1_000_000_000));
            let woke = woke.clone();
            tasks.push(spawn(async move {
                let until = Instant::now() + span;
                sleep_until(until).await;
                woke.add(u64::from(Instant::now() >= until));
            }));
        }
        for task in tasks {
            task.await.expect("it ends");
        }
    });
    assert_eq!(woke.get(), count);
    nanos / count as f64
}

/// Times are in milliseconds instead of microseconds, since no sleep is shorter.
fn hold(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let woke = Counter::default();
    let (nanos, ()) = simulate(async {
        let mut handles = Vec::new();
        for task in 0..tasks {
            let woke = woke.clone();
            let mut stream = Stream::derive(14, StreamKind::Workload, task);
            handles.push(spawn(async move {
                for _ in 0..rounds {
                    let span = Duration::from_millis(1 + stream.below(1_000));
                    let until = Instant::now() + span;
                    sleep(span).await;
                    woke.add(u64::from(Instant::now() >= until));
                }
            }));
        }
        for handle in handles {
            handle.await.expect("it ends");
        }
    });
    assert_eq!(woke.get(), tasks * rounds);
    nanos / (tasks * rounds) as f64
}

/// Times are whole milliseconds, as in `hold`.
fn mm1(count: u64) -> f64 {
    let (served, sojourn) = (Counter::default(), Counter::default());
    let (nanos, expected) = simulate(async {
        let (server, start) = (Arc::new(Semaphore::new(1)), Instant::now());
        let mut customers = Customers::new(count, 1_000.0);
        for customer in customers.by_ref() {
            let arrival = start + Duration::from_millis(customer.arrival);
            sleep_until(arrival).await;
            let (server, served, sojourn) = (server.clone(), served.clone(), sojourn.clone());
            spawn(async move {
                let _turn = server.acquire().await.expect("it is open");
                sleep(Duration::from_millis(customer.service)).await;
                served.add(1);
                sojourn.add(arrival.elapsed().as_micros() as u64);
            });
        }
        while served.get() < count {
            sleep(Duration::from_secs(1)).await;
        }
        1_000 * customers.sojourn
    });
    assert_eq!(served.get(), count);
    // Its tasks take time themselves: a little more than by Lindley's recursion.
    let sojourn = sojourn.get();
    assert!(sojourn >= expected && sojourn - expected < expected / 100, "{sojourn} {expected}");
    nanos / count as f64
}
