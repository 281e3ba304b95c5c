//! Bare coroutines of corosensei under a ring or a pair: no kernel at all, so that nobody can be
//! faster.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use hothouse::bench::{Peer, time};
use hothouse::{Stream, StreamKind};

pub(super) const PEERS: [Peer; 5] = [
    Peer { row: "yield", name: "corosensei", measure: |count| yields(1_000, count) },
    Peer { row: "ping-pong", name: "corosensei", measure: ping_pong },
    Peer { row: "ring", name: "corosensei", measure: |count| ring(1_000, count) },
    Peer { row: "spawn", name: "corosensei", measure: spawn },
    Peer { row: "hold", name: "corosensei", measure: |count| hold(1_000, count) },
];

fn yields(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let sum = Rc::new(Cell::new(0));
    let mut coroutines: Vec<_> = (0..tasks)
        .map(|_| {
            let sum = sum.clone();
            let stack = DefaultStack::new(16 << 10).expect("room for a stack");
            Coroutine::<(), (), (), _>::with_stack(stack, move |yielder, ()| {
                loop {
                    sum.set(sum.get() + 1);
                    yielder.suspend(());
                }
            })
        })
        .collect();
    let (nanos, ()) = time(|| {
        for _ in 0..rounds {
            for coroutine in &mut coroutines {
                coroutine.resume(());
            }
        }
    });
    assert_eq!(sum.get(), tasks * rounds);
    nanos / (tasks * rounds) as f64
}

fn ping_pong(count: u64) -> f64 {
    let rounds = count.div_ceil(2);
    let mut echo = Coroutine::<u64, u64, (), _>::new(|yielder, mut ball| {
        loop {
            ball = yielder.suspend(ball);
        }
    });
    let (nanos, sum) = time(|| {
        let mut sum = 0;
        for i in 0..rounds {
            let CoroutineResult::Yield(ball) = echo.resume(i) else { unreachable!("it loops") };
            sum += ball;
        }
        sum
    });
    assert_eq!(sum, rounds * (rounds - 1) / 2);
    nanos / (2 * rounds) as f64
}

/// Whoever resumes them hands the number on.
fn ring(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let mut coroutines: Vec<_> = (0..tasks)
        .map(|_| {
            let stack = DefaultStack::new(16 << 10).expect("room for a stack");
            Coroutine::<u64, u64, (), _>::with_stack(stack, |yielder, mut hops| {
                loop {
                    hops = yielder.suspend(hops + 1);
                }
            })
        })
        .collect();
    let (nanos, hops) = time(|| {
        let mut hops = 0;
        for _ in 0..rounds {
            for coroutine in &mut coroutines {
                hops = coroutine.resume(hops).as_yield().expect("it loops");
            }
        }
        hops
    });
    assert_eq!(hops, tasks * rounds);
    nanos / (tasks * rounds) as f64
}

/// With a binary heap of who wakes when.
fn hold(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let exact = Rc::new(Cell::new(0));
    let mut coroutines: Vec<_> = (0..tasks)
        .map(|task| {
            let exact = exact.clone();
            let mut stream = Stream::derive(14, StreamKind::Workload, task);
            let stack = DefaultStack::new(16 << 10).expect("room for a stack");
            Coroutine::<u64, u64, (), _>::with_stack(stack, move |yielder, mut now| {
                for _ in 0..rounds {
                    let until = now + 1 + stream.below(1_000_000);
                    now = yielder.suspend(until);
                    exact.set(exact.get() + u64::from(now == until));
                }
            })
        })
        .collect();
    let (nanos, ()) = time(|| {
        let mut timers: BinaryHeap<_> = (0..coroutines.len()).map(|at| Reverse((0, at))).collect();
        while let Some(Reverse((now, at))) = timers.pop() {
            if let CoroutineResult::Yield(until) = coroutines[at].resume(now) {
                timers.push(Reverse((until, at)));
            }
        }
    });
    assert_eq!(exact.get(), tasks * rounds);
    nanos / (tasks * rounds) as f64
}

fn spawn(count: u64) -> f64 {
    let mut stack = DefaultStack::new(16 << 10).expect("room for a stack");
    let ran = Rc::new(Cell::new(0));
    let (nanos, _stack) = time(|| {
        for _ in 0..count {
            let ran = ran.clone();
            let mut coroutine = Coroutine::<(), (), (), _>::with_stack(stack, move |_, ()| {
                ran.set(ran.get() + 1);
            });
            coroutine.resume(());
            stack = coroutine.into_stack();
        }
        stack
    });
    assert_eq!(ran.get(), count);
    nanos / count as f64
}
