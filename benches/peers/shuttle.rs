//! Shuttle, which explores schedules of threads: one schedule, round robin. It does a tenth of the
//! work, since it takes so much longer.

use std::sync::Mutex;

use hothouse::bench::{Peer, time};
use shuttle::scheduler::RoundRobinScheduler;
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::{Config, MaxSteps, Runner, thread};

const NAME: &str = "shuttle";

pub(super) const PEERS: [Peer; 6] = [
    Peer { row: "yield", name: NAME, measure: |count| yields(count.div_ceil(10)) },
    Peer { row: "ping-pong", name: NAME, measure: |count| ping_pong(count.div_ceil(10)) },
    Peer { row: "call", name: NAME, measure: |count| call(count.div_ceil(10)) },
    Peer { row: "ring", name: NAME, measure: |count| ring(count.div_ceil(10)) },
    Peer { row: "fan-in", name: NAME, measure: |count| fan_in(count.div_ceil(10)) },
    Peer { row: "spawn", name: NAME, measure: |count| spawn(count.div_ceil(10)) },
];

/// Runs `main` once, and gives what it gives.
fn once<T: Send + 'static>(main: impl Fn() -> T + Send + Sync + 'static) -> T {
    let mut config = Config::new();
    config.max_steps = MaxSteps::None;
    let result = std::sync::Arc::new(Mutex::new(None));
    let given = result.clone();
    Runner::new(RoundRobinScheduler::new(1), config).run(move || {
        *given.lock().expect("it is alone") = Some(main());
    });
    result.lock().expect("it is alone").take().expect("it ran")
}

fn yields(count: u64) -> f64 {
    const TASKS: u64 = 1_000;
    let rounds = count.div_ceil(TASKS);
    let (nanos, sum) = once(move || {
        let work = move || {
            let mut sum = 0;
            for _ in 0..rounds {
                thread::yield_now();
                sum += 1;
            }
            sum
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| thread::spawn(work)).collect();
        time(|| tasks.into_iter().map(|task| task.join().expect("it ends")).sum::<u64>())
    });
    assert_eq!(sum, TASKS * rounds);
    nanos / (TASKS * rounds) as f64
}

fn ping_pong(count: u64) -> f64 {
    let rounds = count.div_ceil(2);
    let (nanos, sum) = once(move || {
        let (to_echo, in_echo) = channel::<u64>();
        let (to_main, in_main) = channel::<u64>();
        let echo = thread::spawn(move || {
            while let Ok(ball) = in_echo.recv() {
                to_main.send(ball).expect("it waits");
            }
        });
        let timed = time(|| {
            let mut sum = 0;
            for i in 0..rounds {
                to_echo.send(i).expect("it waits");
                sum += in_main.recv().expect("it echoes");
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
    let (nanos, sum) = once(move || {
        let (requests, server) = channel::<(u64, Sender<u64>)>();
        let server = thread::spawn(move || {
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
    let (nanos, hops) = once(move || {
        let (first, mut receiver) = channel::<u64>();
        let mut last = None;
        for task in 0..TASKS {
            let (sender, next) = channel::<u64>();
            let sender = if task + 1 == TASKS { first.clone() } else { sender };
            let inbox = std::mem::replace(&mut receiver, next);
            last = Some(thread::spawn(move || {
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
    let (nanos, sum) = once(move || {
        let (sender, inbox) = channel::<u64>();
        for number in 0..senders {
            let sender = sender.clone();
            thread::spawn(move || {
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
    let (nanos, ran) = once(move || {
        time(|| {
            let mut ran = 0;
            for _ in 0..batches {
                let tasks: Vec<_> = (0..BATCH).map(|i| thread::spawn(move || i)).collect();
                ran += tasks.into_iter().map(|task| task.join().expect("it ends") + 1).sum::<u64>();
            }
            ran
        })
    });
    assert_eq!(ran, batches * BATCH * (BATCH + 1) / 2);
    nanos / (batches * BATCH) as f64
}
