//! Shuttle, which explores schedules of threads: one schedule, round robin. It does a tenth of the
//! work, since it takes so much longer.

use std::sync::Mutex;

use hothouse::bench::{Peer, time};
use shuttle::scheduler::RoundRobinScheduler;
use shuttle::sync::mpsc::channel;
use shuttle::{Config, MaxSteps, Runner, thread};

const NAME: &str = "shuttle";

pub(super) const PEERS: [Peer; 2] = [
    Peer { row: "yield", name: NAME, measure: |count| yields(count.div_ceil(10)) },
    Peer { row: "ping-pong", name: NAME, measure: |count| ping_pong(count.div_ceil(10)) },
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
