use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hothouse_kernel::Builder;
use hothouse_kernel::trace::Record;
use hothouse_sys::{Errno, Event, Filter, Name, Pid, Sys, program};

use super::watch::Watch;
use super::{Bench, BenchError, check, finish, run};

const PING: Name = Name::short("ping");
const OTHER: Name = Name::short("other");

fn number(event: &Event) -> u64 {
    event.data.as_int().map_or(0, i64::cast_unsigned)
}

/// The sum of 0, 1, .. below `count`.
fn sum_below(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

/// Row 5: two processes send each other numbers. One way is an operation.
pub(super) fn ping_pong(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    ping_pong_on(bench.builder("fifo", 2), count, None)
}

/// Row 15: the same with a timeout that never fires.
pub(super) fn timeout(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    ping_pong_on(bench.builder("fifo", 2), count, Some(Duration::from_secs(1)))
}

/// Row 21: what a listener that only counts makes of row 5, as a ratio.
pub(super) fn listener(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let without = ping_pong_on(bench.builder("fifo", 2), count, None)?;
    let heard = Rc::new(Cell::new(0));
    let counter = heard.clone();
    let listener = move |_: &Record<'_>| counter.set(counter.get() + 1);
    let builder = bench.builder("fifo", 2).listener(listener);
    let with = ping_pong_on(builder, count, None)?;
    // Each message is sent and received.
    check("the records of messages", heard.get().min(2 * count), 2 * count)?;
    Ok(with / without)
}

fn ping_pong_on(
    builder: Builder,
    count: u64,
    timeout: Option<Duration>,
) -> Result<f64, BenchError> {
    let rounds = count.div_ceil(2);
    let mut kernel = builder.build()?;
    let echo = program(move |sys: &Sys| {
        for _ in 0..rounds {
            let ping = sys.receive_event(Filter::name(PING), timeout)?;
            sys.send_event(ping.sender, PING, ping.data)?;
        }
        Ok::<(), Errno>(())
    });
    let echo = kernel.spawn("echo", echo).expect("room");
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, total) = (watch.clone(), sum.clone());
    let main = program(move |sys: &Sys| {
        clock.start();
        let mut sum = 0;
        for i in 0..rounds {
            sys.send_event(echo, PING, i)?;
            sum += number(&sys.receive_event(Filter::name(PING), timeout)?);
        }
        clock.stop();
        total.set(sum);
        Ok::<(), Errno>(())
    });
    kernel.spawn("ping", main).expect("room");
    let nanos = run(kernel, &watch, 2 * rounds)?;
    check("the sum of numbers sent back", sum.get(), sum_below(rounds))?;
    Ok(nanos)
}

/// Row 6: a client calls, a server replies.
pub(super) fn call(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(2)?;
    let server = program(move |sys: &Sys| {
        for _ in 0..count {
            let request = sys.receive_event(Filter::any(), None)?;
            sys.reply(&request, request.data.clone())?;
        }
        Ok::<(), Errno>(())
    });
    let server = kernel.spawn("server", server).expect("room");
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, total) = (watch.clone(), sum.clone());
    let main = program(move |sys: &Sys| {
        clock.start();
        let mut sum = 0;
        for i in 0..count {
            sum += number(&sys.call(server, PING, i, None)?);
        }
        clock.stop();
        total.set(sum);
        Ok::<(), Errno>(())
    });
    kernel.spawn("client", main).expect("room");
    let nanos = run(kernel, &watch, count)?;
    check("the sum of replies", sum.get(), sum_below(count))?;
    Ok(nanos)
}

/// Row 7: a number goes round a ring of processes, each of which adds one to it.
pub(super) fn ring(bench: &Bench, processes: u64, count: u64) -> Result<f64, BenchError> {
    let rounds = count.div_ceil(processes);
    let mut kernel = bench.kernel(processes)?;
    let (watch, result) = (Watch::new(), Rc::new(Cell::new(0)));
    for i in 0..processes {
        let (watch, result) = (watch.clone(), result.clone());
        let next = Pid::new((i + 1) % processes + 1);
        let main = program(move |sys: &Sys| {
            for round in 1..=rounds {
                let hops = number(&sys.receive_event(Filter::name(PING), None)?) + 1;
                if i + 1 == processes && round == rounds {
                    watch.stop();
                    result.set(hops);
                } else {
                    sys.send_event(next, PING, hops)?;
                }
            }
            Ok::<(), Errno>(())
        });
        kernel.spawn("hop", main).expect("room");
    }
    for _ in 0..processes {
        kernel.step();
    }
    watch.start();
    kernel.send(Pid::new(1), PING, 0).expect("it waits");
    let nanos = run(kernel, &watch, processes * rounds)?;
    check("the number of hops", result.get(), processes * rounds)?;
    Ok(nanos)
}

/// Row 8: many processes send to one.
pub(super) fn fan_in(bench: &Bench, senders: u64, count: u64) -> Result<f64, BenchError> {
    let each = count.div_ceil(senders);
    let total = senders * each;
    let mut kernel = bench.kernel(total.max(senders + 1))?;
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, result) = (watch.clone(), sum.clone());
    let main = program(move |sys: &Sys| {
        let mut sum = 0;
        for _ in 0..total {
            sum += number(&sys.receive_event(Filter::name(PING), None)?);
        }
        clock.stop();
        result.set(sum);
        Ok::<(), Errno>(())
    });
    let receiver = kernel.spawn("receiver", main).expect("room");
    for sender in 0..senders {
        let main = program(move |sys: &Sys| {
            sys.yield_now();
            for i in 0..each {
                sys.send_event(receiver, PING, sender * each + i)?;
            }
            Ok::<(), Errno>(())
        });
        kernel.spawn("sender", main).expect("room");
    }
    for _ in 0..=senders {
        kernel.step();
    }
    watch.start();
    let nanos = run(kernel, &watch, total)?;
    check("the sum of what arrived", sum.get(), sum_below(total))?;
    Ok(nanos)
}

/// What a receive asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Name,
    Sender,
    Both,
}

/// Row 16: a process sends itself an event and takes it from behind others that stay.
pub(super) fn select(bench: &Bench, by: By, depth: u64, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(depth)?;
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, total) = (watch.clone(), sum.clone());
    let main = program(move |sys: &Sys| {
        let me = sys.getpid();
        let filter = match by {
            By::Name => Filter::name(PING),
            By::Sender => Filter::sender(me),
            By::Both => Filter::name(PING).from(me),
        };
        // Of those asked for by both, half have the name and half the sender.
        for _ in 0..if matches!(by, By::Both) { depth / 2 } else { 0 } {
            sys.send_event(me, OTHER, 0)?;
        }
        clock.start();
        let mut sum = 0;
        for i in 0..count {
            sys.send_event(me, PING, i)?;
            sum += number(&sys.receive_event(filter.clone(), None)?);
        }
        clock.stop();
        total.set(sum);
        Ok::<(), Errno>(())
    });
    let pid = kernel.spawn("selects", main).expect("room");
    let (others, name) = match by {
        By::Both => (depth - depth / 2, PING),
        By::Name | By::Sender => (depth, OTHER),
    };
    for _ in 0..others {
        kernel.send(pid, name.clone(), 0).expect("room");
    }
    finish(&mut kernel)?;
    check("the events that were sent", kernel.report().counters.events, depth + count)?;
    check("the sum of what was taken", sum.get(), sum_below(count))?;
    watch.nanos_each(count)
}
