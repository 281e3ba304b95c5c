//! Faulty programs and their mended twins, in Rust. The same in Lua lie beside this file.

use std::time::Duration;

use hothouse::{Errno, ExitStatus, Filter, Pid, Shared, Signal, Sys};

/// A faulty program; with `true` its mended twin.
pub(crate) struct Bug {
    /// The name, also of its Lua file.
    pub(crate) name: &'static str,
    /// Its main function.
    pub(crate) main: fn(&Sys, bool) -> Result<(), Errno>,
}

pub(crate) const BUGS: [Bug; 8] = [
    Bug { name: "abba", main: abba },
    Bug { name: "check-then-act", main: check_then_act },
    Bug { name: "double-delivery", main: double_delivery },
    Bug { name: "election", main: election },
    Bug { name: "late-reply", main: late_reply },
    Bug { name: "lost-wakeup", main: lost_wakeup },
    Bug { name: "philosophers", main: philosophers },
    Bug { name: "readers-writer", main: readers_writer },
];

/// Waits for children.
fn join(sys: &Sys, children: impl IntoIterator<Item = Pid>) -> Result<(), Errno> {
    children.into_iter().try_for_each(|pid| sys.wait(pid, None).map(drop))
}

/// Two processes take two mutexes in opposite order; mended, in the same.
fn abba(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let (a, b) = (sys.mutex()?, sys.mutex()?);
    let takes = |first: hothouse::Mutex, second: hothouse::Mutex| {
        move |sys: &Sys| -> Result<(), Errno> {
            let _first = first.lock(sys)?;
            let _second = second.lock(sys)?;
            Ok(())
        }
    };
    let one = sys.spawn("one", takes(a, b))?;
    let two = sys.spawn("two", if mended { takes(a, b) } else { takes(b, a) })?;
    join(sys, [one, two])
}

/// Two processes take a name if it is free when they look; mended, the taking decides.
fn check_then_act(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let starts = move |sys: &Sys| {
        if sys.lookup("service").is_none() {
            let taken = sys.register("service").is_ok();
            assert!(taken || mended, "the service runs twice");
        }
    };
    let (one, two) = (sys.spawn("one", starts)?, sys.spawn("two", starts)?);
    join(sys, [one, two])
}

/// A worker that was killed is started again with its job; mended, the ledger knows the job.
fn double_delivery(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let ledger = sys.spawn("ledger", move |sys: &Sys| -> Result<(), Errno> {
        let mut known = false;
        while sys.receive_event(Filter::any(), None)?.name != "stop" {
            assert!(mended || !known, "the job came twice");
            known = true;
        }
        Ok(())
    })?;
    let work = move |sys: &Sys| {
        let sent = sys.send_event(ledger, "job", 1);
        sys.lookup("anything");
        sent
    };
    let worker = sys.spawn("worker", work)?;
    sys.spawn("killer", move |sys: &Sys| {
        let _ = sys.kill(worker, Signal::SIGKILL);
    })?;
    if let ExitStatus::Signaled(_) = sys.wait(worker, None)?.status {
        let again = sys.spawn("worker", work)?;
        sys.wait(again, None)?;
    }
    sys.send_event(ledger, "stop", ())?;
    join(sys, [ledger])
}

/// Nodes lead if they hear of none that is higher in time; mended, the leader owns a name.
fn election(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let node = |number: i64, delay: u64| {
        move |sys: &Sys| -> Result<(), Errno> {
            let other = sys.receive_event(Filter::name("start"), None)?;
            let other = other.data.as_pid().expect("the other's pid");
            sys.sleep(Duration::from_secs(delay))?;
            sys.send_event(other, "number", number)?;
            let filter = Filter::name("number").from(other);
            let heard = sys.receive_event(filter, Some(Duration::from_secs(1)));
            if heard.is_ok_and(|event| event.data.as_int() > Some(number)) {
                return Ok(());
            }
            let leads = sys.register("leader").is_ok();
            assert!(leads || mended, "there are two leaders");
            let _ = sys.receive_event(Filter::name("stop"), Some(Duration::from_secs(5)));
            Ok(())
        }
    };
    let (low, high) = (sys.spawn("low", node(1, 0))?, sys.spawn("high", node(2, 1))?);
    sys.send_event(low, "start", high)?;
    sys.send_event(high, "start", low)?;
    join(sys, [low, high])
}

/// A client takes a late reply for that to its next question; mended, replies have numbers.
fn late_reply(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let server = sys.spawn("server", |sys: &Sys| -> Result<(), Errno> {
        loop {
            let question = sys.receive_event(Filter::any(), None)?;
            if question.data.as_int() == Some(1) {
                sys.sleep(Duration::from_secs(1))?;
            }
            sys.send_event(question.sender, "reply", question.data)?;
        }
    })?;
    for number in 1..=2 {
        sys.send_event(server, "question", number)?;
        let reply = || sys.receive_event(Filter::sender(server), Some(Duration::from_secs(1)));
        while let Ok(reply) = reply() {
            let known = reply.data.as_int() == Some(number);
            assert!(known || mended, "this is the reply to another question");
            if known {
                break;
            }
        }
    }
    Ok(())
}

/// A waiter looks, and then waits for a condition; mended, it holds the mutex all the time.
fn lost_wakeup(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let ready = Shared::new(sys, false);
    let (mutex, condition) = (sys.mutex()?, sys.condition()?);
    let seen = ready.clone();
    let waiter = sys.spawn("waiter", move |sys: &Sys| -> Result<(), Errno> {
        if mended {
            let mut guard = mutex.lock(sys)?;
            while !seen.get(sys) {
                condition.wait(&mut guard)?;
            }
        } else {
            while !seen.get(sys) {
                condition.wait(&mut mutex.lock(sys)?)?;
            }
        }
        Ok(())
    })?;
    let notifier = sys.spawn("notifier", move |sys: &Sys| -> Result<(), Errno> {
        let guard = if mended { Some(mutex.lock(sys)?) } else { None };
        ready.set(sys, true);
        condition.notify_one(sys)?;
        drop(guard);
        Ok(())
    })?;
    join(sys, [waiter, notifier])
}

/// Three philosophers take the left fork first; mended, that of the lower number.
fn philosophers(sys: &Sys, mended: bool) -> Result<(), Errno> {
    const SEATS: usize = 3;
    let forks = [sys.mutex()?, sys.mutex()?, sys.mutex()?];
    let mut seated = Vec::new();
    for seat in 0..SEATS {
        let (mut first, mut second) = (seat, (seat + 1) % SEATS);
        if mended && second < first {
            std::mem::swap(&mut first, &mut second);
        }
        let dines = move |sys: &Sys| -> Result<(), Errno> {
            let _first = forks[first].lock(sys)?;
            let _second = forks[second].lock(sys)?;
            Ok(())
        };
        seated.push(sys.spawn(format!("philosopher{seat}"), dines)?);
    }
    join(sys, seated)
}

/// Readers overtake a writer that waits; mended, they wait behind it.
fn readers_writer(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let lock = sys.spawn("lock", move |sys: &Sys| lock_server(sys, mended))?;
    let uses = move |request: &'static str, rounds: u32| {
        move |sys: &Sys| -> Result<(), Errno> {
            for _ in 0..rounds {
                sys.send_event(lock, request, ())?;
                sys.receive_event(Filter::sender(lock), None)?;
                sys.send_event(lock, "done", ())?;
            }
            Ok(())
        }
    };
    let all = [
        sys.spawn("reader1", uses("read", 2))?,
        sys.spawn("reader2", uses("read", 1))?,
        sys.spawn("writer", uses("write", 1))?,
    ];
    join(sys, all)
}

fn lock_server(sys: &Sys, mended: bool) -> Result<(), Errno> {
    let (mut reading, mut overtaken, mut writer, mut queue) = (0, 0, None, Vec::new());
    loop {
        let request = sys.receive_event(Filter::any(), None)?;
        if request.name == "write" {
            writer = Some(request.sender);
        } else if request.name == "done" {
            reading -= 1;
        } else if mended && writer.is_some() {
            queue.push(request.sender);
        } else {
            overtaken += u32::from(writer.is_some());
            assert!(overtaken < 2, "the writer is kept out");
            reading += 1;
            sys.send_event(request.sender, "granted", ())?;
        }
        if reading == 0
            && let Some(pid) = writer.take()
        {
            sys.send_event(pid, "granted", ())?;
            sys.receive_event(Filter::sender(pid), None)?;
            for reader in queue.drain(..) {
                reading += 1;
                sys.send_event(reader, "granted", ())?;
            }
        }
    }
}
