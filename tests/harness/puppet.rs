//! Programs that make whatever traps the bytes say.

use std::rc::Rc;

use hothouse::abi::{
    Action, Body, Bytes, Class, Disposition, ExitStatus, Filter, Frame, Gate, LockId, LockKind,
    MaskHow, Name, Pid, Program, Protocol, Resume, Scheduling, Signal, SignalNumber, SignalSet,
    Span, Step, Tick, TimerId, Token, Trap, Value,
};

use super::draw::Draw;

/// A puppet: on a stack of its own, or stepped.
pub(super) fn puppet(choices: &Draw) -> Program {
    let mine = choices.clone();
    match choices.below(3) {
        0 => Program::stepped(Stepped { choices: mine, over: Vec::new() }),
        _ => Program::native(move |gate| native(&mine, gate)),
    }
}

fn native(choices: &Draw, gate: &dyn Gate) -> ExitStatus {
    let _last = choices.one_in(4).then(|| LastWords { choices, gate });
    while let Some(trap) = next(choices) {
        make(choices, gate, trap);
        if choices.below(256) == 255 {
            panic!("on purpose");
        }
    }
    ExitStatus::Exited(Value::Nil)
}

/// Makes one trap, and does what the kernel wants done before it answers.
fn make(choices: &Draw, gate: &dyn Gate, trap: Trap) {
    let mut frame = Frame::new(trap);
    loop {
        let _ = gate.trap(&mut frame);
        match frame.resume {
            Resume::Handler(_) => {
                let nested = choices.below(3);
                (0..nested).map_while(|_| next(choices)).for_each(|trap| make(choices, gate, trap));
                if choices.one_in(64) {
                    panic!("in a handler");
                }
                frame.trap = Trap::SigReturn;
            }
            Resume::Hooks => {
                let nested = choices.below(3);
                (0..nested).map_while(|_| next(choices)).for_each(|trap| make(choices, gate, trap));
                frame.trap = Trap::Exit { status: ExitStatus::Exited(Value::Nil) };
            }
            _ => return,
        }
    }
}

/// Makes traps as it is dropped.
struct LastWords<'a> {
    choices: &'a Draw,
    gate: &'a dyn Gate,
}

impl Drop for LastWords<'_> {
    fn drop(&mut self) {
        let count = self.choices.below(4);
        (0..count).map_while(|_| next(self.choices)).for_each(|trap| {
            let _ = self.gate.trap(&mut Frame::new(trap));
        });
    }
}

/// The same, stepped on the kernel's stack.
struct Stepped {
    choices: Draw,
    /// How many traps each handler that runs has left, the innermost last.
    over: Vec<usize>,
}

impl Body for Stepped {
    fn resume(&mut self, gate: &Rc<dyn Gate>, mut resume: Resume) -> Step {
        loop {
            let trap = match resume {
                Resume::Unwind => return Step::Ended(ExitStatus::Exited(Value::Nil)),
                Resume::Hooks => Some(Trap::Exit { status: ExitStatus::Exited(Value::Nil) }),
                Resume::Handler(_) => {
                    self.over.push(self.choices.below(3));
                    self.next()
                }
                _ => self.next(),
            };
            let Some(trap) = trap else { return Step::Ended(ExitStatus::Exited(Value::Nil)) };
            let mut frame = Frame::new(trap);
            if gate.trap(&mut frame) == hothouse::abi::Flow::Parked {
                return Step::Parked;
            }
            resume = frame.resume;
        }
    }

    fn place(&self) -> Option<String> {
        Some("its last trap".into())
    }
}

impl Stepped {
    fn next(&mut self) -> Option<Trap> {
        match self.over.last_mut() {
            Some(0) => {
                self.over.pop();
                Some(Trap::SigReturn)
            }
            Some(left) => {
                *left -= 1;
                next(&self.choices)
            }
            None => next(&self.choices),
        }
    }
}

/// The next trap; none once the choices are used up.
fn next(choices: &Draw) -> Option<Trap> {
    if choices.is_over() {
        return None;
    }
    let kind = choices.byte();
    match kind {
        0..=25 => process(choices, kind % 13),
        26..=39 => {
            let empty = choices.one_in(16);
            let program = (!empty).then(|| puppet(choices));
            Some(Trap::Spawn { name: name(choices), program })
        }
        40..=85 => Some(signals(choices)),
        86..=150 => Some(events(choices)),
        151..=170 => Some(names(choices)),
        171..=205 => Some(times(choices)),
        206..=253 => Some(locks(choices)),
        _ => Some(Trap::Getpid),
    }
}

fn pid(draw: &Draw) -> Pid {
    Pid::new(draw.pick(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1 << 40, u64::MAX]))
}

fn some<T>(draw: &Draw, value: impl FnOnce(&Draw) -> T) -> Option<T> {
    draw.one_in(2).then(|| value(draw))
}

fn name(draw: &Draw) -> Name {
    let long = "a name with more bytes than fit in place";
    Name::from(draw.pick(&["a", "b", "c", "timer", "signal", "down", "remote_event", "", long]))
}

fn span(draw: &Draw) -> Span {
    const MS: u64 = 1_000_000;
    Span::from_nanos(draw.pick(&[
        0,
        1,
        1,
        999,
        MS,
        MS,
        2 * MS,
        5 * MS,
        700 * MS,
        1 << 62,
        u64::MAX,
    ]))
}

fn timeout(draw: &Draw) -> Option<Span> {
    (!draw.one_in(4)).then(|| span(draw))
}

fn value(draw: &Draw, depth: usize) -> Value {
    match draw.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Nil,
        1 => Value::Bool(draw.one_in(2)),
        2 => Value::Int(draw.byte().into()),
        3 => Value::Float(draw.pick(&[0.5, -0.0, f64::NAN, f64::INFINITY])),
        4 => Value::Bytes(Bytes::from(vec![b'x'; draw.below(200)])),
        5 => Value::from(pid(draw)),
        6 => Value::list((0..draw.below(4)).map(|_| value(draw, depth - 1)).collect::<Vec<_>>()),
        _ => {
            let entries = (0..draw.below(3)).map(|_| (value(draw, 0), value(draw, depth - 1)));
            Value::try_map(entries.collect()).unwrap_or_default()
        }
    }
}

fn signal(draw: &Draw) -> SignalNumber {
    let often = [2, 9, 10, 12, 15, 17, 18, 18, 19, 20, 23];
    let odd = [0, 1, 6, 14, 21, 31, 32, -1, i64::MAX];
    if draw.one_in(4) { draw.pick(&odd).into() } else { draw.pick(&often).into() }
}

fn signal_set(draw: &Draw) -> SignalSet {
    (0..draw.below(4)).filter_map(|_| Signal::new(1 + draw.below(31) as i64)).collect()
}

fn scheduling(draw: &Draw) -> Scheduling {
    let classes =
        [Class::Normal, Class::Normal, Class::RoundRobin(3), Class::Fifo(50), Class::Deadline];
    Scheduling {
        class: draw.pick(&classes),
        nice: draw.pick(&[-20, -3, 0, 0, 5, 19, 100]),
        tickets: some(draw, |draw| draw.byte().into()),
        slice: some(draw, span),
        runtime: some(draw, span),
        deadline: some(draw, span),
        period: some(draw, span),
        cpus: some(draw, |draw| [draw.byte() as u32 % 4].into_iter().collect()).unwrap_or_default(),
    }
}

fn process(draw: &Draw, kind: u8) -> Option<Trap> {
    Some(match kind {
        0 => Trap::Getppid,
        1 => Trap::Setuser { user: Name::from(draw.pick(&["root", "ann", ""])) },
        2 => Trap::Getplist,
        3 => Trap::Getpinfo { pid: pid(draw) },
        4 => Trap::Nice {
            level: some(draw, |draw| draw.pick(&[-21, -20, 0, 3, 19, 20])),
            pid: some(draw, pid),
        },
        5 => Trap::SchedSetattr { pid: some(draw, pid), scheduling: Box::new(scheduling(draw)) },
        6 => Trap::BeginJob { release: tick(draw), deadline: some(draw, tick) },
        7 => Trap::EndJob,
        8 if draw.one_in(3) => Trap::Exit { status: ExitStatus::Failed("asked to".into()) },
        8 | 9 => Trap::Wait { pid: some(draw, pid), timeout: timeout(draw) },
        10 => Trap::Notices { on: draw.one_in(2) },
        11 => Trap::AtExit { hooks: draw.one_in(2) },
        _ => Trap::SchedGetattr { pid: some(draw, pid) },
    })
}

fn signals(draw: &Draw) -> Trap {
    match draw.below(12) {
        0..=4 => Trap::Kill { pid: pid(draw), signal: signal(draw) },
        5..=7 => {
            let action =
                draw.pick(&[Action::Default, Action::Ignore, Action::Event, Action::Handler]);
            let new = Disposition { action, interrupt: draw.one_in(2) };
            Trap::Sigaction { signal: signal(draw), disposition: some(draw, |_| new) }
        }
        8 => {
            let how = draw.pick(&[MaskHow::Block, MaskHow::Unblock, MaskHow::Set]);
            Trap::Sigprocmask { how, set: signal_set(draw) }
        }
        9 => Trap::Sigpending,
        10 => Trap::Sigwait { set: signal_set(draw), timeout: timeout(draw) },
        _ => Trap::SigReturn,
    }
}

fn events(draw: &Draw) -> Trap {
    let filter = |draw: &Draw| Filter { sender: some(draw, pid), name: some(draw, name) };
    match draw.below(15) {
        0..=3 => Trap::Send { pid: pid(draw), name: name(draw), data: value(draw, 3) },
        4 => Trap::SendService { service: name(draw), name: name(draw), data: value(draw, 1) },
        5 | 6 => Trap::Receive { filter: filter(draw), timeout: timeout(draw) },
        7 => Trap::NextEvent { timeout: timeout(draw) },
        8 => {
            let names = (0..draw.below(3)).map(|_| name(draw)).collect();
            Trap::FilterEvent { names, remote: draw.one_in(2), timeout: timeout(draw) }
        }
        9 => Trap::PeekEvent,
        10 => Trap::QueueEvent { name: name(draw), data: value(draw, 1) },
        11 => {
            let (pid, name, data) = (pid(draw), name(draw), value(draw, 1));
            Trap::Call { pid, name, data, timeout: timeout(draw) }
        }
        12 => {
            let token = Some(if draw.one_in(2) { Token::FIRST } else { Token::FIRST.next() });
            Trap::Reply { pid: pid(draw), token, name: name(draw), data: value(draw, 1) }
        }
        13 => Trap::Monitor { pid: pid(draw) },
        _ => Trap::Demonitor { pid: pid(draw) },
    }
}

fn names(draw: &Draw) -> Trap {
    match draw.below(7) {
        0..=2 => Trap::Register { name: name(draw) },
        3 => Trap::Unregister { name: name(draw) },
        4 => Trap::Lookup { name: name(draw) },
        5 => Trap::Log { text: Bytes::from("a line") },
        _ => Trap::Random,
    }
}

fn tick(draw: &Draw) -> Tick {
    Tick::ZERO + span(draw)
}

fn times(draw: &Draw) -> Trap {
    match draw.below(9) {
        0 => Trap::Yield,
        1 => Trap::Now,
        2 => Trap::Sleep { span: span(draw) },
        3 => Trap::SleepUntil { tick: tick(draw) },
        4 | 5 => Trap::Compute { span: span(draw) },
        6 => Trap::Timer { span: span(draw) },
        7 => Trap::Alarm { at: tick(draw) },
        _ => Trap::Cancel { id: TimerId::new(draw.below(8) as u64) },
    }
}

fn locks(draw: &Draw) -> Trap {
    let id = |draw: &Draw| LockId::new(draw.below(7) as u64);
    match draw.below(13) {
        0 | 1 => {
            let kinds = [
                LockKind::Mutex(Protocol::None),
                LockKind::Mutex(Protocol::Inherit),
                LockKind::Mutex(Protocol::Ceiling(hothouse::abi::Ceiling::default())),
                LockKind::Semaphore(0),
                LockKind::Semaphore(u64::MAX),
                LockKind::Condition,
                LockKind::Barrier(2),
                LockKind::Barrier(0),
            ];
            Trap::CreateLock { kind: draw.pick(&kinds) }
        }
        2 => Trap::DestroyLock { id: id(draw) },
        3 | 4 => Trap::Lock { id: id(draw), timeout: timeout(draw) },
        5 => Trap::TryLock { id: id(draw) },
        6 | 7 => Trap::Unlock { id: id(draw) },
        8 => Trap::Acquire { id: id(draw), timeout: timeout(draw) },
        9 => Trap::Release { id: id(draw), permits: draw.pick(&[0, 1, 1, 2, u64::MAX]) },
        10 => Trap::WaitCondition { id: id(draw), mutex: id(draw), timeout: timeout(draw) },
        11 => Trap::Notify { id: id(draw), all: draw.one_in(2) },
        _ => Trap::WaitBarrier { id: id(draw), timeout: timeout(draw) },
    }
}
