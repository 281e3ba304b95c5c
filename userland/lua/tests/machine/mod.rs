//! A kernel in miniature, to step Lua programs with: first come first served, virtual time, no
//! limits, and no more of the contract than these tests need.

// Each test file uses a part of it.
#![allow(dead_code)]

mod traps;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use hothouse_abi::{
    Action, Body, Code, Errno, Event, EventKind, Exit, ExitStatus, Filter, Flow, Frame, Gate, Name,
    Pid, Program, Resume, Signal, Span, Step, Tick, Token, Trap, Value,
};
use hothouse_lua::{LuaHost, LuaSettings};

/// What a parked process waits for.
#[derive(Debug)]
enum Wait {
    Receive(Filter),
    Any,
    Names(Vec<Name>),
    Sleep,
    Child(Option<Pid>),
    Reply(Token),
    Ready,
    Ended,
}

#[derive(Default)]
struct Process {
    parent: u64,
    name: Name,
    mailbox: VecDeque<Event>,
    wait: Option<(Wait, Option<Tick>)>,
    interrupted: Vec<Option<(Wait, Option<Tick>)>>,
    resumes: VecDeque<Resume>,
    actions: BTreeMap<Signal, Action>,
    hooks: bool,
    status: Option<ExitStatus>,
    exits: VecDeque<Exit>,
    token: Option<Token>,
}

#[derive(Default)]
pub(crate) struct World {
    processes: BTreeMap<u64, Process>,
    bodies: BTreeMap<u64, Option<Box<dyn Body>>>,
    ready: VecDeque<u64>,
    names: BTreeMap<Name, u64>,
    now: Tick,
    random: u64,
    last_pid: u64,
    /// Lines of the console.
    pub(crate) log: Vec<String>,
    /// Messages about programs.
    pub(crate) diagnoses: Vec<String>,
    /// How each process ended.
    pub(crate) ends: BTreeMap<u64, ExitStatus>,
    /// Bursts that programs asked for.
    pub(crate) computed: Vec<Span>,
    /// Whether doubtful order is an error.
    pub(crate) strict: bool,
    /// Names of the traps made.
    pub(crate) traps: Vec<&'static str>,
}

struct Port {
    world: Rc<RefCell<World>>,
    pid: u64,
}

/// The machine.
#[derive(Clone, Default)]
pub(crate) struct Machine(pub(crate) Rc<RefCell<World>>);

impl Machine {
    pub(crate) fn spawn(&self, program: Program) -> u64 {
        self.0.borrow_mut().spawn(0, Name::from("main"), program)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.0.borrow().log.clone()
    }

    pub(crate) fn now(&self) -> Tick {
        self.0.borrow().now
    }

    pub(crate) fn end(&self, pid: u64) -> Option<ExitStatus> {
        self.0.borrow().ends.get(&pid).cloned()
    }

    pub(crate) fn kill(&self, pid: u64, signal: Signal) {
        let body = self.0.borrow_mut().signal(pid, signal);
        drop(body);
    }

    /// Runs until nobody can.
    pub(crate) fn run(&self) {
        while let Some(pid) = self.next() {
            self.step(pid);
        }
    }

    fn next(&self) -> Option<u64> {
        let mut world = self.0.borrow_mut();
        if let Some(pid) = world.ready.pop_front() {
            return Some(pid);
        }
        let soonest = world
            .processes
            .iter()
            .filter_map(|(&pid, process)| Some((process.wait.as_ref()?.1?, pid)))
            .min()?;
        world.now = soonest.0.max(world.now);
        let process = world.processes.get_mut(&soonest.1)?;
        let (wait, _) = process.wait.take()?;
        let sleeps = matches!(wait, Wait::Sleep);
        let answer = if sleeps { Resume::Unit } else { Resume::Error(Errno::ETIMEDOUT) };
        process.resumes.push_back(answer);
        Some(soonest.1)
    }

    /// Resumes one process once.
    fn step(&self, pid: u64) {
        let (body, resume) = {
            let mut world = self.0.borrow_mut();
            let Some(process) = world.processes.get_mut(&pid) else { return };
            let Some(resume) = process.resumes.pop_front() else { return };
            (world.bodies.get_mut(&pid).and_then(Option::take), resume)
        };
        let Some(mut body) = body else { return };
        let gate: Rc<dyn Gate> = Rc::new(Port { world: self.0.clone(), pid });
        let unwinding = resume == Resume::Unwind;
        let step = body.resume(&gate, resume);
        let mut world = self.0.borrow_mut();
        let Some(process) = world.processes.get_mut(&pid) else { return };
        match step {
            Step::Parked => {
                assert!(
                    process.wait.is_some() || !process.resumes.is_empty(),
                    "a body that says it parked has made a trap that parks"
                );
                world.bodies.insert(pid, Some(body));
            }
            Step::Ended(status) if unwinding => {
                let status = process.status.take().unwrap_or(status);
                world.finish(pid, status);
            }
            Step::Ended(status) => {
                assert!(!process.hooks, "a body with hooks exits by a trap");
                world.finish(pid, status);
            }
        }
    }
}

impl World {
    fn spawn(&mut self, parent: u64, name: Name, program: Program) -> u64 {
        let Code::Stepped(body) = program.code else { panic!("only Lua programs here") };
        self.last_pid += 1;
        let pid = self.last_pid;
        let mut process = Process { parent, name, ..Process::default() };
        process.resumes.push_back(Resume::Start);
        self.processes.insert(pid, process);
        self.bodies.insert(pid, Some(body));
        self.ready.push_back(pid);
        pid
    }

    fn finish(&mut self, pid: u64, status: ExitStatus) {
        let Some(process) = self.processes.remove(&pid) else { return };
        self.names.retain(|_, owner| *owner != pid);
        self.ends.insert(pid, status.clone());
        let exit = Exit {
            pid: Pid::new(pid),
            name: process.name,
            status,
            place: None,
            cpu_time: Span::ZERO,
            ended_at: self.now,
        };
        if let Some(parent) = self.processes.get_mut(&process.parent) {
            parent.exits.push_back(exit);
        }
        self.wake(process.parent);
        let waiting: Vec<u64> = self.processes.keys().copied().collect();
        waiting.into_iter().for_each(|other| self.wake(other));
    }

    /// Answers what a process waits for, if the answer is there or can't come any more.
    fn wake(&mut self, pid: u64) {
        self.poll_waiting(pid);
        // With a deadline it is waited out.
        let orphan = match self.processes.get(&pid).and_then(|process| process.wait.as_ref()) {
            Some((Wait::Receive(Filter { sender: Some(sender), .. }), None)) => {
                !self.processes.contains_key(&sender.number())
            }
            _ => false,
        };
        if let Some(process) = self.processes.get_mut(&pid).filter(|_| orphan) {
            process.wait = None;
            process.resumes.push_back(Resume::Error(Errno::ESRCH));
            self.ready.push_back(pid);
        }
    }

    fn poll(process: &mut Process, wait: &Wait) -> Option<Resume> {
        let at = match wait {
            Wait::Receive(filter) => process.mailbox.iter().position(|e| filter.matches(e)),
            Wait::Any => (!process.mailbox.is_empty()).then_some(0),
            Wait::Names(names) => process.mailbox.iter().position(|e| {
                let remote = Name::from("remote_event");
                names.contains(if e.kind == EventKind::Sent { &remote } else { &e.name })
            }),
            Wait::Reply(token) => process
                .mailbox
                .iter()
                .position(|e| e.kind == EventKind::Queued && e.token == Some(*token)),
            Wait::Child(pid) => {
                let at = process.exits.iter().position(|e| pid.is_none_or(|pid| pid == e.pid))?;
                return process.exits.remove(at).map(|exit| Resume::Exit(Box::new(exit)));
            }
            Wait::Ready => return Some(Resume::Unit),
            Wait::Sleep | Wait::Ended => None,
        }?;
        process.mailbox.remove(at).map(Resume::Event)
    }

    fn deliver(&mut self, pid: u64, event: Event) -> Resume {
        let Some(process) = self.processes.get_mut(&pid) else {
            return Resume::Error(Errno::ESRCH);
        };
        process.mailbox.push_back(event);
        self.poll_waiting(pid);
        Resume::Unit
    }

    fn poll_waiting(&mut self, pid: u64) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some((wait, deadline)) = process.wait.take() else { return };
        match Self::poll(process, &wait) {
            Some(answer) => {
                process.resumes.push_back(answer);
                self.ready.push_back(pid);
            }
            None => process.wait = Some((wait, deadline)),
        }
    }

    fn signal(&mut self, pid: u64, signal: Signal) -> Option<Box<dyn Body>> {
        let process = self.processes.get_mut(&pid)?;
        if signal == Signal::SIGKILL {
            let body = self.bodies.get_mut(&pid).and_then(Option::take);
            self.finish(pid, ExitStatus::Signaled(signal));
            return body;
        }
        match process.actions.get(&signal) {
            Some(Action::Handler) => {
                let wait = process.wait.take();
                process.interrupted.push(wait);
                process.resumes.push_back(Resume::Handler(signal));
                self.ready.push_back(pid);
            }
            Some(Action::Event) => {
                let data = Value::map([("signal", signal.number())]);
                self.deliver(pid, Event::kernel(Name::from("signal"), data));
            }
            _ => {
                process.wait = None;
                process.status = Some(ExitStatus::Signaled(signal));
                let hooks = std::mem::take(&mut process.hooks);
                process.resumes.clear();
                process.resumes.push_back(if hooks { Resume::Hooks } else { Resume::Unwind });
                self.ready.push_back(pid);
            }
        }
        None
    }

    /// The answer, or `None` if the caller parked.
    fn wait(&mut self, pid: u64, wait: Wait, timeout: Option<Span>) -> Option<Resume> {
        let deadline = timeout.map(|span| self.now + span);
        let dead = match &wait {
            Wait::Receive(Filter { sender: Some(sender), .. }) => {
                !self.processes.contains_key(&sender.number())
            }
            _ => false,
        };
        let process = self.processes.get_mut(&pid)?;
        if let Some(answer) = Self::poll(process, &wait) {
            return Some(answer);
        }
        if dead && timeout.is_none() {
            return Some(Resume::Error(Errno::ESRCH));
        }
        if timeout == Some(Span::ZERO) && !matches!(wait, Wait::Sleep) {
            return Some(Resume::Error(Errno::ETIMEDOUT));
        }
        process.wait = Some((wait, deadline));
        None
    }
}

impl Gate for Port {
    fn trap(&self, frame: &mut Frame) -> Flow {
        let trap = std::mem::replace(&mut frame.trap, Trap::Getpid);
        let killed = match &trap {
            Trap::Kill { pid, signal } if pid.number() != self.pid => {
                let signal = signal.check();
                signal.ok().flatten().and_then(|s| self.world.borrow_mut().signal(pid.number(), s))
            }
            _ => None,
        };
        drop(killed);
        let mut world = self.world.borrow_mut();
        world.traps.push(trap.name());
        match world.trap(self.pid, trap, frame.unwinding) {
            Some(answer) => {
                frame.resume = answer;
                Flow::Done
            }
            None => {
                assert!(!frame.unwinding, "a trap of a dying process parked");
                Flow::Parked
            }
        }
    }
}

/// Little memory and a small budget.
pub(crate) fn settings() -> LuaSettings {
    LuaSettings {
        memory_per_state: 16 << 20,
        instruction_budget: Some(200_000),
        ..LuaSettings::default()
    }
}

/// Runs a program to its end as pid 1.
pub(crate) fn run_with(settings: LuaSettings, source: &str) -> Machine {
    let host = LuaHost::new(settings);
    let machine = Machine::default();
    machine.spawn(host.load_source("main.lua", source.as_bytes(), None, vec![]).unwrap());
    machine.run();
    drop(host);
    machine
}

pub(crate) fn run(source: &str) -> Machine {
    run_with(settings(), source)
}

#[track_caller]
pub(crate) fn prints(source: &str, lines: &[&str]) {
    let machine = run(source);
    assert_eq!(machine.log(), lines, "{:?}", machine.0.borrow().diagnoses);
    assert_eq!(machine.end(1), Some(ExitStatus::Exited(Value::Nil)));
}

#[track_caller]
pub(crate) fn fails(source: &str) -> (String, Machine) {
    let machine = run(source);
    match machine.end(1) {
        Some(ExitStatus::Failed(text)) => (text, machine),
        other => panic!("ended {other:?}, log {:?}", machine.log()),
    }
}
