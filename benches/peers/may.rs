//! May's stackful coroutines, on one worker thread.

use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use hothouse::bench::{Peer, time};
use may::coroutine::{self, JoinHandle};
use may::sync::mpsc::{Receiver, Sender, channel};

const NAME: &str = "may";

pub(super) const PEERS: [Peer; 7] = [
    Peer { row: "yield", name: NAME, measure: yields },
    Peer { row: "ping-pong", name: NAME, measure: |count| ping_pong(count, None) },
    Peer { row: "call", name: NAME, measure: call },
    Peer { row: "ring", name: NAME, measure: ring },
    Peer { row: "fan-in", name: NAME, measure: fan_in },
    Peer { row: "spawn", name: NAME, measure: spawn },
    Peer {
        row: "timeout",
        name: NAME,
        measure: |count| ping_pong(count, Some(Duration::from_secs(1))),
    },
];

/// Starts a coroutine.
fn go<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        may::config().set_workers(1).set_stack_size(0x800).set_pool_capacity(20_000);
    });
    may::go!(main)
}

/// Runs `main` in a coroutine, since the host's thread is no worker.
fn on_worker<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> T {
    go(main).join().expect("it ends")
}

fn yields(count: u64) -> f64 {
    const TASKS: u64 = 1_000;
    let rounds = count.div_ceil(TASKS);
    let sum = Arc::new(AtomicU64::new(0));
    let total = sum.clone();
    let nanos = on_worker(move || {
        time(|| {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let total = total.clone();
                    go(move || {
                        for _ in 0..rounds {
                            coroutine::yield_now();
                            // One worker: nobody adds at the same time.
                            total.store(total.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().expect("it ends"));
        })
        .0
    });
    assert_eq!(sum.load(Ordering::Relaxed), TASKS * rounds);
    nanos / (TASKS * rounds) as f64
}

/// The timeout is one of the host's clock, the only one there is.
fn ping_pong(count: u64, timeout: Option<Duration>) -> f64 {
    let rounds = count.div_ceil(2);
    let receive = move |inbox: &Receiver<u64>| match timeout {
        None => inbox.recv().ok(),
        Some(timeout) => match inbox.recv_timeout(timeout) {
            Ok(ball) => Some(ball),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("a message took a second"),
        },
    };
    let (nanos, sum) = on_worker(move || {
        let (to_echo, in_echo) = channel::<u64>();
        let (to_main, in_main) = channel::<u64>();
        let echo = go(move || {
            while let Some(ball) = receive(&in_echo) {
                to_main.send(ball).expect("it waits");
            }
        });
        let timed = time(|| {
            let mut sum = 0;
            for i in 0..rounds {
                to_echo.send(i).expect("it waits");
                sum += receive(&in_main).expect("it echoes");
            }
            sum
        });
        drop(to_echo);
        echo.join().expect("it ends");
        timed
    });
    assert_eq!(sum, rounds * (rounds - 1) / 2);
    nanos / (2 * rounds) as f64
}

fn call(count: u64) -> f64 {
    let (nanos, sum) = on_worker(move || {
        let (requests, server) = channel::<(u64, Sender<u64>)>();
        let server = go(move || {
            while let Ok((number, reply)) = server.recv() {
                reply.send(number).expect("it waits");
            }
        });
        let timed = time(|| {
            let mut sum = 0;
            for i in 0..count {
                let (reply, answer) = channel();
                requests.send((i, reply)).expect("it serves");
                sum += answer.recv().expect("it answers");
            }
            sum
        });
        drop(requests);
        server.join().expect("it ends");
        timed
    });
    assert_eq!(sum, count * (count - 1) / 2);
    nanos / count as f64
}

fn ring(count: u64) -> f64 {
    const TASKS: u64 = 1_000;
    let rounds = count.div_ceil(TASKS);
    let (nanos, hops) = on_worker(move || {
        let (first, mut receiver) = channel::<u64>();
        let mut last = None;
        for task in 0..TASKS {
            let (sender, next) = channel::<u64>();
            let sender = if task + 1 == TASKS { first.clone() } else { sender };
            let inbox = std::mem::replace(&mut receiver, next);
            last = Some(go(move || {
                let mut hops = 0;
                for round in 1..=rounds {
                    hops = inbox.recv().expect("the ring is whole") + 1;
                    if task + 1 < TASKS || round < rounds {
                        sender.send(hops).expect("the ring is whole");
                    }
                }
                hops
            }));
        }
        let last = last.expect("there are tasks");
        time(|| {
            first.send(0).expect("it waits");
            last.join().expect("it ends")
        })
    });
    assert_eq!(hops, TASKS * rounds);
    nanos / (TASKS * rounds) as f64
}

fn fan_in(count: u64) -> f64 {
    let senders = 10_000.min(count);
    let each = count.div_ceil(senders);
    let total = senders * each;
    let (nanos, sum) = on_worker(move || {
        let (sender, inbox) = channel::<u64>();
        for number in 0..senders {
            let sender = sender.clone();
            go(move || {
                for i in 0..each {
                    sender.send(number * each + i).expect("it receives");
                }
            });
        }
        time(|| (0..total).map(|_| inbox.recv().expect("all send")).sum::<u64>())
    });
    assert_eq!(sum, total * (total - 1) / 2);
    nanos / total as f64
}

fn spawn(count: u64) -> f64 {
    const BATCH: u64 = 1_000;
    let batches = count.div_ceil(BATCH);
    let (nanos, ran) = on_worker(move || {
        time(|| {
            let mut ran = 0;
            for _ in 0..batches {
                let tasks: Vec<_> = (0..BATCH).map(|i| go(move || i)).collect();
                ran += tasks.into_iter().map(|task| task.join().expect("it ends") + 1).sum::<u64>();
            }
            ran
        })
    });
    assert_eq!(ran, batches * BATCH * (BATCH + 1) / 2);
    nanos / (batches * BATCH) as f64
}
