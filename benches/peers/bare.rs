//! Bare coroutines of corosensei under a ring or a pair: no kernel at all, so that nobody can be
//! faster.

use std::cell::Cell;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use hothouse::bench::{Peer, time};

pub(super) const PEERS: [Peer; 3] = [
    Peer { row: "yield", name: "corosensei", measure: |count| yields(1_000, count) },
    Peer { row: "ping-pong", name: "corosensei", measure: ping_pong },
    Peer { row: "spawn", name: "corosensei", measure: spawn },
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
