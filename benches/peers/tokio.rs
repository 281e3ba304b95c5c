//! Tokio's scheduler for the current thread.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hothouse::bench::{Peer, time};
use hothouse::{Stream, StreamKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::counter::Counter;
use super::customers::Customers;

const NAME: &str = "tokio";

pub(super) const PEERS: [Peer; 24] = [
    Peer { row: "yield", name: NAME, measure: |count| yields(1_000, count) },
    Peer { row: "yield-100k", name: NAME, measure: |count| yields(100_000.min(count), count) },
    Peer { row: "ping-pong", name: NAME, measure: |count| ping_pong(count, None) },
    Peer { row: "call", name: NAME, measure: call },
    Peer { row: "ring", name: NAME, measure: |count| ring(1_000, count) },
    Peer { row: "fan-in", name: NAME, measure: |count| fan_in(10_000.min(count), count) },
    Peer { row: "spawn", name: NAME, measure: spawn },
    Peer { row: "skynet", name: NAME, measure: skynet },
    Peer { row: "create", name: NAME, measure: |count| parked(count).create },
    Peer { row: "wake", name: NAME, measure: |count| parked(count).wake },
    Peer { row: "wake-random", name: NAME, measure: |count| parked(count).wake_at_random },
    Peer { row: "sleepers", name: NAME, measure: sleepers },
    Peer { row: "hold", name: NAME, measure: |count| hold(1_000, count) },
    Peer {
        row: "timeout",
        name: NAME,
        measure: |count| ping_pong(count, Some(Duration::from_secs(1))),
    },
    Peer { row: "select-name-10", name: NAME, measure: |count| select(By::Name, 10, count) },
    Peer { row: "select-sender-10", name: NAME, measure: |count| select(By::Sender, 10, count) },
    Peer { row: "select-both-10", name: NAME, measure: |count| select(By::Both, 10, count) },
    Peer { row: "select-name-1k", name: NAME, measure: |count| select(By::Name, 1_000, count) },
    Peer { row: "select-sender-1k", name: NAME, measure: |count| select(By::Sender, 1_000, count) },
    Peer { row: "select-both-1k", name: NAME, measure: |count| select(By::Both, 1_000, count) },
    Peer { row: "select-name-100k", name: NAME, measure: |count| select(By::Name, 100_000, count) },
    Peer {
        row: "select-sender-100k",
        name: NAME,
        measure: |count| select(By::Sender, 100_000, count),
    },
    Peer { row: "select-both-100k", name: NAME, measure: |count| select(By::Both, 100_000, count) },
    Peer { row: "mm1", name: NAME, measure: mm1 },
];

fn block_on<F: Future>(main: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(main)
}

/// With a clock that jumps to the next deadline.
fn block_on_paused<F: Future>(main: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime").block_on(main)
}

fn sum_below(count: u64) -> u64 {
    count * (count - 1) / 2
}

fn yields(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let sum = Counter::default();
    let nanos = block_on(async {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let sum = sum.clone();
                tokio::spawn(async move {
                    for _ in 0..rounds {
                        yield_now().await;
                        sum.add(1);
                    }
                })
            })
            .collect();
        time_async(async {
            for task in tasks {
                task.await.expect("it ends");
            }
        })
        .await
    });
    assert_eq!(sum.get(), tasks * rounds);
    nanos / (tasks * rounds) as f64
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the host's clock")]
async fn time_async(work: impl Future<Output = ()>) -> f64 {
    let started = std::time::Instant::now();
    work.await;
    started.elapsed().as_secs_f64() * 1e9
}

fn ping_pong(count: u64, timeout: Option<Duration>) -> f64 {
    let rounds = count.div_ceil(2);
    let sum = Counter::default();
    let nanos = block_on(async {
        let (to_echo, mut in_echo) = unbounded_channel::<u64>();
        let (to_main, mut in_main) = unbounded_channel::<u64>();
        tokio::spawn(async move {
            loop {
                let ball = match timeout {
                    None => in_echo.recv().await,
                    Some(timeout) => {
                        tokio::time::timeout(timeout, in_echo.recv()).await.expect("in time")
                    }
                };
                let Some(ball) = ball else { return };
                to_main.send(ball).expect("it waits");
            }
        });
        let sum = sum.clone();
        let main = async move {
            for i in 0..rounds {
                to_echo.send(i).expect("it waits");
                let ball = match timeout {
                    None => in_main.recv().await,
                    Some(timeout) => {
                        tokio::time::timeout(timeout, in_main.recv()).await.expect("in time")
                    }
                };
                sum.add(ball.expect("it echoes"));
            }
        };
        let main = tokio::spawn(main);
        time_async(async { main.await.expect("it ends") }).await
    });
    assert_eq!(sum.get(), sum_below(rounds));
    nanos / (2 * rounds) as f64
}

fn call(count: u64) -> f64 {
    let sum = Counter::default();
    let nanos = block_on(async {
        let (requests, mut server) = unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        tokio::spawn(async move {
            while let Some((number, reply)) = server.recv().await {
                reply.send(number).expect("it waits");
            }
        });
        let sum = sum.clone();
        let client = tokio::spawn(async move {
            for i in 0..count {
                let (reply, answer) = oneshot::channel();
                requests.send((i, reply)).expect("it serves");
                sum.add(answer.await.expect("it answers"));
            }
        });
        time_async(async { client.await.expect("it ends") }).await
    });
    assert_eq!(sum.get(), sum_below(count));
    nanos / count as f64
}

fn ring(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let result = Counter::default();
    let nanos = block_on(async {
        let (first, mut receiver) = unbounded_channel::<u64>();
        let mut last = None;
        for task in 0..tasks {
            let (sender, next) = unbounded_channel::<u64>();
            let sender = if task + 1 == tasks { first.clone() } else { sender };
            let mut inbox = std::mem::replace(&mut receiver, next);
            let result = result.clone();
            last = Some(tokio::spawn(async move {
                for round in 1..=rounds {
                    let hops = inbox.recv().await.expect("the ring is whole") + 1;
                    if task + 1 == tasks && round == rounds {
                        result.add(hops);
                    } else {
                        sender.send(hops).expect("the ring is whole");
                    }
                }
            }));
        }
        yield_now().await;
        let last = last.expect("there are tasks");
        time_async(async {
            first.send(0).expect("it waits");
            last.await.expect("it ends");
        })
        .await
    });
    assert_eq!(result.get(), tasks * rounds);
    nanos / (tasks * rounds) as f64
}

fn fan_in(senders: u64, count: u64) -> f64 {
    let each = count.div_ceil(senders);
    let total = senders * each;
    let sum = Counter::default();
    let nanos = block_on(async {
        let (sender, mut inbox) = unbounded_channel::<u64>();
        for number in 0..senders {
            let sender = sender.clone();
            tokio::spawn(async move {
                for i in 0..each {
                    sender.send(number * each + i).expect("it receives");
                }
            });
        }
        let sum = sum.clone();
        let receiver = tokio::spawn(async move {
            for _ in 0..total {
                sum.add(inbox.recv().await.expect("all send"));
            }
        });
        time_async(async { receiver.await.expect("it ends") }).await
    });
    assert_eq!(sum.get(), sum_below(total));
    nanos / total as f64
}

fn spawn(count: u64) -> f64 {
    const BATCH: u64 = 1_000;
    let batches = count.div_ceil(BATCH);
    let ran = Counter::default();
    let nanos = block_on(time_async(async {
        let mut tasks = Vec::new();
        for _ in 0..batches {
            tasks.extend((0..BATCH).map(|_| {
                let ran = ran.clone();
                tokio::spawn(async move { ran.add(1) })
            }));
            for task in tasks.drain(..) {
                task.await.expect("it ends");
            }
        }
    }));
    assert_eq!(ran.get(), batches * BATCH);
    nanos / (batches * BATCH) as f64
}

fn skynet(most: u64) -> f64 {
    let (mut leaves, mut tasks) = (1, 1);
    while tasks + leaves * 10 <= most {
        leaves *= 10;
        tasks += leaves;
    }
    let sum = Counter::default();
    let nanos = block_on(time_async(async { sum.add(subtree(0, leaves).await) }));
    assert_eq!(sum.get(), sum_below(leaves));
    nanos / tasks as f64
}

fn subtree(first: u64, leaves: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let (sender, mut sums) = unbounded_channel();
        for child in 0..10 {
            let sender = sender.clone();
            tokio::spawn(async move {
                let sum = subtree(first + child * (leaves / 10), leaves / 10).await;
                sender.send(sum).expect("the parent waits");
            });
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += sums.recv().await.expect("each child sends");
        }
        sum
    })
}

#[derive(Default)]
struct Parked {
    create: f64,
    wake: f64,
    wake_at_random: f64,
}

fn parked(count: u64) -> Parked {
    let sum = Counter::default();
    let total = sum.clone();
    let mut took = Parked::default();
    block_on(async {
        let mut inboxes = Vec::new();
        took.create = time_async(async {
            for _ in 0..count {
                let (sender, mut inbox) = unbounded_channel::<u64>();
                let sum = sum.clone();
                tokio::spawn(async move {
                    while let Some(number) = inbox.recv().await {
                        sum.add(number);
                    }
                });
                inboxes.push((inboxes.len() as u64 + 1, sender));
            }
            yield_now().await;
        })
        .await;
        took.wake = wake_all(&inboxes, &total).await;
        let mut stream = Stream::derive(12, StreamKind::Workload, 0);
        for last in (1..inboxes.len()).rev() {
            let other = stream.below(last as u64 + 1);
            inboxes.swap(last, usize::try_from(other).expect("it is at most last"));
        }
        took.wake_at_random = wake_all(&inboxes, &total).await;
    });
    // Each task adds what it is sent: its own number, twice.
    assert_eq!(sum.get(), count * (count + 1));
    for nanos in [&mut took.create, &mut took.wake, &mut took.wake_at_random] {
        *nanos /= count as f64;
    }
    took
}

/// Until all have added their numbers.
async fn wake_all(inboxes: &[(u64, UnboundedSender<u64>)], sum: &Counter) -> f64 {
    let expected = sum.get() + sum_below(inboxes.len() as u64 + 1);
    time_async(async {
        for (number, inbox) in inboxes {
            inbox.send(*number).expect("it waits");
        }
        while sum.get() < expected {
            yield_now().await;
        }
    })
    .await
}

/// Tokio's timers tell milliseconds apart, no more.
fn sleepers(count: u64) -> f64 {
    let woke = Counter::default();
    let (nanos, ()) = time(|| {
        block_on_paused(async {
            let mut stream = Stream::derive(13, StreamKind::Workload, 0);
            let mut tasks = Vec::new();
            for _ in 0..count {
                let span = Duration::from_nanos(1 + stream.below(1_000_000_000));
                let woke = woke.clone();
                tasks.push(tokio::spawn(async move {
                    tokio::time::sleep(span).await;
                    woke.add(1);
                }));
            }
            for task in tasks {
                task.await.expect("it ends");
            }
        });
    });
    assert_eq!(woke.get(), count);
    nanos / count as f64
}

/// Times are in milliseconds instead of microseconds, since Tokio's timers tell no less apart.
fn hold(tasks: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(tasks);
    let woke = Counter::default();
    let (nanos, ()) = time(|| {
        block_on_paused(async {
            let mut handles = Vec::new();
            for task in 0..tasks {
                let woke = woke.clone();
                let mut stream = Stream::derive(14, StreamKind::Workload, task);
                handles.push(tokio::spawn(async move {
                    for _ in 0..rounds {
                        tokio::time::sleep(Duration::from_millis(1 + stream.below(1_000))).await;
                        woke.add(1);
                    }
                }));
            }
            for handle in handles {
                handle.await.expect("it ends");
            }
        });
    });
    assert_eq!(woke.get(), tasks * rounds);
    nanos / (tasks * rounds) as f64
}

/// What a receive asks for.
#[derive(Clone, Copy)]
enum By {
    Name,
    Sender,
    Both,
}

struct Message {
    name: &'static str,
    sender: u64,
    number: u64,
}

/// Receives from a channel, selectively: what nobody has asked for yet is kept, in order.
struct Mailbox {
    channel: UnboundedReceiver<Message>,
    kept: VecDeque<Message>,
}

impl Mailbox {
    async fn receive(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        let kept = self.kept.iter().position(&wanted).and_then(|at| self.kept.remove(at));
        if let Some(message) = kept {
            return message;
        }
        loop {
            let message = self.channel.recv().await.expect("it is sent");
            if wanted(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }
}

/// It does less work behind more others, since each receive looks at all of them.
fn select(by: By, depth: u64, count: u64) -> f64 {
    const ME: u64 = 1;
    const OTHER: u64 = 0;
    let count = count.div_ceil(depth.div_ceil(10)).max(10);
    let sum = Counter::default();
    let total = sum.clone();
    let nanos = block_on(async move {
        let (sender, channel) = unbounded_channel();
        for i in 0..depth {
            // Of those asked for by both, half have the name and half the sender.
            let (name, from) = match by {
                By::Both if i < depth / 2 => ("other", ME),
                By::Both => ("ping", OTHER),
                By::Name | By::Sender => ("other", OTHER),
            };
            let other = Message { name, sender: from, number: i };
            sender.send(other).expect("it receives");
        }
        let wanted = move |message: &Message| match by {
            By::Name => message.name == "ping",
            By::Sender => message.sender == ME,
            By::Both => message.name == "ping" && message.sender == ME,
        };
        let mut mailbox = Mailbox { channel, kept: VecDeque::new() };
        let send = move |number| sender.send(Message { name: "ping", sender: ME, number });
        let task = tokio::spawn(async move {
            // The first receive has them all in the mailbox.
            send(0).expect("it receives");
            total.add(mailbox.receive(wanted).await.number);
            time_async(async {
                for i in 1..=count {
                    send(i).expect("it receives");
                    total.add(mailbox.receive(wanted).await.number);
                }
            })
            .await
        });
        task.await.expect("it ends")
    });
    assert_eq!(sum.get(), sum_below(count + 1));
    nanos / count as f64
}

/// Times are whole milliseconds, as in `hold`.
fn mm1(count: u64) -> f64 {
    let (served, sojourn) = (Counter::default(), Counter::default());
    let (nanos, expected) = time(|| {
        block_on_paused(async {
            let (server, start) = (Arc::new(Semaphore::new(1)), Instant::now());
            let mut customers = Customers::new(count, 1_000.0);
            for customer in customers.by_ref() {
                let arrival = start + Duration::from_millis(customer.arrival);
                tokio::time::sleep_until(arrival).await;
                let (server, served, sojourn) = (server.clone(), served.clone(), sojourn.clone());
                tokio::spawn(async move {
                    let _turn = server.acquire().await.expect("it is open");
                    tokio::time::sleep(Duration::from_millis(customer.service)).await;
                    served.add(1);
                    sojourn.add(arrival.elapsed().as_millis() as u64);
                });
            }
            while served.get() < count {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            customers.sojourn
        })
    });
    assert_eq!(served.get(), count);
    assert_eq!(sojourn.get(), expected);
    nanos / count as f64
}
