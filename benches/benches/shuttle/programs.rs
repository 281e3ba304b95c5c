//! The same programs for shuttle, where it can express them: it has no time, no signals and no
//! names, and threads and channels for processes and events.

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread::{JoinHandle, spawn};

/// The faulty programs, by the name that they have elsewhere.
pub(crate) const TWINS: [(&str, fn()); 5] = [
    ("abba", abba),
    ("check-then-act", check_then_act),
    ("lost-wakeup", lost_wakeup),
    ("philosophers", philosophers),
    ("readers-writer", readers_writer),
];

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("it fails by itself"));
}

/// A server and two clients, who ask it three times each.
pub(crate) fn protocol() {
    let (ask, requests) = channel::<(i64, Sender<i64>)>();
    let server = spawn(move || {
        for _ in 0..6 {
            let (number, reply) = requests.recv().expect("a request");
            reply.send(number).expect("the client waits");
        }
    });
    let client = |ask: Sender<(i64, Sender<i64>)>| {
        move || {
            let (reply, replies) = channel();
            for number in 0..3 {
                ask.send((number, reply.clone())).expect("the server waits");
                assert_eq!(replies.recv(), Ok(number));
            }
        }
    };
    join([server, spawn(client(ask.clone())), spawn(client(ask))]);
}

fn takes(first: Arc<Mutex<()>>, second: Arc<Mutex<()>>) -> JoinHandle<()> {
    spawn(move || {
        let _first = first.lock().expect("nobody panics");
        let _second = second.lock().expect("nobody panics");
    })
}

fn abba() {
    let (a, b) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
    join([takes(a.clone(), b.clone()), takes(b, a)]);
}

fn check_then_act() {
    let taken = Arc::new(AtomicBool::new(false));
    let starts = |taken: Arc<AtomicBool>| {
        spawn(move || {
            if !taken.load(Ordering::SeqCst) {
                assert!(!taken.swap(true, Ordering::SeqCst), "the service runs twice");
            }
        })
    };
    join([starts(taken.clone()), starts(taken)]);
}

fn lost_wakeup() {
    let ready = Arc::new(AtomicBool::new(false));
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    let (seen, waits) = (ready.clone(), pair.clone());
    let waiter = spawn(move || {
        while !seen.load(Ordering::SeqCst) {
            let guard = waits.0.lock().expect("nobody panics");
            drop(waits.1.wait(guard).expect("nobody panics"));
        }
    });
    let notifier = spawn(move || {
        ready.store(true, Ordering::SeqCst);
        pair.1.notify_one();
    });
    join([waiter, notifier]);
}

fn philosophers() {
    let forks: Vec<Arc<Mutex<()>>> = (0..3).map(|_| Arc::new(Mutex::new(()))).collect();
    let dines = |seat: usize| takes(forks[seat].clone(), forks[(seat + 1) % 3].clone());
    let seated: Vec<JoinHandle<()>> = (0..3).map(dines).collect();
    join(seated);
}

enum Request {
    Read(Sender<()>),
    Write(Sender<()>),
    Done,
}

fn readers_writer() {
    let (ask, requests) = channel();
    let lock = spawn(move || {
        let (mut reading, mut overtaken, mut writer) = (0, 0, None);
        while let Ok(request) = requests.recv() {
            match request {
                Request::Write(granted) => writer = Some(granted),
                Request::Done => reading -= 1,
                Request::Read(granted) => {
                    overtaken += u32::from(writer.is_some());
                    assert!(overtaken < 2, "the writer is kept out");
                    reading += 1;
                    granted.send(()).expect("the reader waits");
                }
            }
            if reading == 0
                && let Some(granted) = writer.take()
            {
                granted.send(()).expect("the writer waits");
                // Only the writer has anything to say now: what else comes is too early.
                reading += 1;
            }
        }
    });
    let uses = |ask: Sender<Request>, request: fn(Sender<()>) -> Request, rounds: u32| {
        spawn(move || {
            let (granted, grants) = channel();
            for _ in 0..rounds {
                ask.send(request(granted.clone())).expect("the lock waits");
                grants.recv().expect("the lock answers");
                ask.send(Request::Done).expect("the lock waits");
            }
        })
    };
    let all = [
        uses(ask.clone(), Request::Read, 2),
        uses(ask.clone(), Request::Read, 1),
        uses(ask, Request::Write, 1),
    ];
    join(all);
    join([lock]);
}
