//! The machine against a reference model: puppets are told what call to make next, the machine and
//! the reference do the same, and after each step all that can be seen of both must be equal.
//!
//! `PROPTEST_CASES` sets how many cases are tried, `PROPTEST_RNG_SEED` which ones. Without them they
//! are the same in every run.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use hothouse::{
    Action, Captured, Errno, Event, Filter, Held, Kernel, LockId, LockKind, Pid, Protocol, Signal,
    SignalSet, StateInfo, Sys, Tick, TimerId, Until, program,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::model_commands::{Act, Command, Step, steps};
use crate::model_reference::{FIRST, LAST, MUTEXES, On, World};

/// What the host and the puppets share.
#[derive(Debug, Default)]
struct Desk {
    /// The command of each puppet.
    commands: RefCell<BTreeMap<u64, Command>>,
    /// What each was answered, and which handlers it ran.
    logs: RefCell<BTreeMap<u64, Vec<String>>>,
    /// For each puppet a semaphore on which it waits for a command; then the locks of the test.
    locks: RefCell<Vec<LockId>>,
}

impl Desk {
    fn log(&self, sys: &Sys, text: String) {
        self.logs.borrow_mut().entry(sys.getpid().number()).or_default().push(text);
    }

    fn gate(&self, pid: u64) -> LockId {
        self.locks.borrow()[(pid - FIRST) as usize]
    }

    fn mutex(&self, id: usize) -> LockId {
        self.locks.borrow()[(LAST - FIRST) as usize + 1 + id]
    }

    fn semaphore(&self) -> LockId {
        self.mutex(MUTEXES)
    }
}

/// The first process: makes the locks and the first puppet, and hands out commands.
fn direct(sys: &Sys, desk: &Rc<Desk>) -> Result<(), Errno> {
    for _ in FIRST..=LAST {
        desk.locks.borrow_mut().push(sys.create_lock(LockKind::Semaphore(0))?);
    }
    for _ in 0..MUTEXES {
        desk.locks.borrow_mut().push(sys.create_lock(LockKind::Mutex(Protocol::None))?);
    }
    desk.locks.borrow_mut().push(sys.create_lock(LockKind::Semaphore(0))?);
    let first = desk.clone();
    sys.spawn("puppet", move |sys| Puppet::new(first).run(sys))?;
    loop {
        let pid = sys.receive_event(Filter::any(), None)?.data.as_pid().expect("a pid");
        sys.release(desk.gate(pid.number()), 1)?;
    }
}

struct Puppet {
    desk: Rc<Desk>,
    requests: VecDeque<Event>,
    actions: BTreeMap<u8, (Act, Action)>,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An answer in the words of the reference.
fn told<T>(answer: Result<T, Errno>, show: impl FnOnce(T) -> String) -> String {
    answer.map_or_else(|errno| errno.name().to_owned(), show)
}

fn done<T>(answer: Result<T, Errno>) -> String {
    told(answer, |_| "ok".to_owned())
}

fn shown<T: Display>(answer: Result<T, Errno>) -> String {
    told(answer, |value| value.to_string())
}

impl Puppet {
    fn new(desk: Rc<Desk>) -> Puppet {
        Puppet { desk, requests: VecDeque::new(), actions: BTreeMap::new() }
    }

    fn run(mut self, sys: &Sys) {
        let pid = sys.getpid().number();
        loop {
            if sys.acquire(self.desk.gate(pid), None).is_ok() {
                let command = self.desk.commands.borrow_mut().remove(&pid);
                let text = self.obey(sys, command.expect("the gate opens for a command"));
                self.desk.log(sys, text);
            }
        }
    }

    fn obey(&mut self, sys: &Sys, command: Command) -> String {
        use Command::*;
        let target = Pid::new;
        match command {
            Spawn => {
                let desk = self.desk.clone();
                shown(sys.spawn("puppet", move |sys| Puppet::new(desk).run(sys)))
            }
            Exit { value } => sys.exit(value),
            Wait { child, timeout } => {
                let exit = sys.wait(child.map(target), timeout.map(ms));
                told(exit, |exit| format!("{} {}", exit.pid, exit.status))
            }
            Monitor { of } => done(sys.monitor(target(of))),
            Demonitor { of } => {
                sys.demonitor(target(of));
                "ok".to_owned()
            }
            Timer { span } => told(sys.timer(ms(span)), |id| id.number().to_string()),
            Cancel { id } => {
                told(sys.cancel(TimerId::new(id)), |left| format!("{} left", left.as_millis()))
            }
            Sleep { span } => done(sys.sleep(ms(span))),
            Register { name } => done(sys.register(name)),
            Unregister { name } => done(sys.unregister(name)),
            Lookup { name } => format!("{:?}", sys.lookup(name).map(Pid::number)),
            Kill { .. } | Sigaction { .. } | Sigprocmask { .. } | Sigpending => {
                self.signal(sys, command)
            }
            Lock { .. }
            | TryLock { .. }
            | Unlock { .. }
            | Acquire { .. }
            | TryAcquire
            | Release { .. } => self.lock(sys, &command),
            _ => self.event(sys, command),
        }
    }

    fn signal(&mut self, sys: &Sys, command: Command) -> String {
        let numbers =
            |set: SignalSet| -> BTreeSet<u8> { set.signals().map(Signal::number).collect() };
        match command {
            Command::Kill { to, signal } => done(sys.kill(Pid::new(to), i32::from(signal))),
            Command::Sigaction { signal, act } => self.sigaction(sys, signal, act),
            Command::Sigprocmask { how, signal } => {
                let set = Signal::new(signal.into()).expect("a signal").into();
                format!("{:?}", numbers(sys.sigprocmask(how, set)))
            }
            _ => format!("{:?}", numbers(sys.sigpending())),
        }
    }

    fn sigaction(&mut self, sys: &Sys, signal: u8, act: Act) -> String {
        let desk = self.desk.clone();
        let run = move |sys: &Sys, signal: Signal| {
            desk.log(sys, format!("handled {}", signal.number()));
        };
        let action = match act {
            Act::Default => Action::Default,
            Act::Ignore => Action::Ignore,
            Act::Event => Action::Event,
            Act::Handler => Action::handler(run),
            Act::Interrupting => Action::interrupting(run),
        };
        told(sys.sigaction(i32::from(signal), action.clone()), |old| {
            let before = self.actions.insert(signal, (act, action));
            let (act, action) = before.unwrap_or((Act::Default, Action::Default));
            assert_eq!(old, action);
            format!("{act:?}")
        })
    }

    fn event(&mut self, sys: &Sys, command: Command) -> String {
        use Command::*;
        match command {
            Send { to, name, data } => done(sys.send_event(Pid::new(to), name, data)),
            SendService { service, name, data } => {
                done(sys.send_service_event(service, name, data))
            }
            Receive { sender, name, timeout } => {
                let filter = Filter { sender: sender.map(Pid::new), name: name.map(Into::into) };
                self.received(sys.receive_event(filter, timeout.map(ms)))
            }
            Next { timeout } => self.received(sys.next_event(timeout.map(ms))),
            Queue { name } => done(sys.queue_event(name, ())),
            Call { to, timeout } => {
                self.received(sys.call(Pid::new(to), "ask", (), timeout.map(ms)))
            }
            Reply { keep } => {
                let request =
                    if keep { self.requests.front().cloned() } else { self.requests.pop_front() };
                match request {
                    Some(request) => done(sys.reply(&request, 42)),
                    None => "nothing to reply to".to_owned(),
                }
            }
            other => unreachable!("{other:?} is no event's"),
        }
    }

    fn received(&mut self, event: Result<Event, Errno>) -> String {
        told(event, |event| {
            let text = format!("{} {} {}", event.sender, event.name, event.data);
            if event.token.is_some() {
                self.requests.push_back(event);
            }
            text
        })
    }

    fn lock(&self, sys: &Sys, command: &Command) -> String {
        use Command::*;
        let desk = &self.desk;
        match *command {
            Lock { id, timeout } => shown(sys.lock(desk.mutex(id), timeout.map(ms))),
            TryLock { id } => shown(sys.try_lock(desk.mutex(id))),
            Unlock { id } => done(sys.unlock(desk.mutex(id))),
            Acquire { timeout } => done(sys.acquire(desk.semaphore(), timeout.map(ms))),
            TryAcquire => done(sys.try_acquire(desk.semaphore())),
            Release { permits } => done(sys.release(desk.semaphore(), permits)),
            ref other => unreachable!("{other:?} is no lock's"),
        }
    }
}

/// The reference as proptest drives it.
struct Reference;

impl ReferenceStateMachine for Reference {
    type State = World;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<World> {
        Just(World::new()).boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Step> {
        steps(world)
    }

    fn preconditions(world: &World, step: &Step) -> bool {
        match step {
            Step::Tell(pid, Command::Spawn) => world.takes_commands(*pid) && world.last_pid < LAST,
            Step::Tell(pid, _) => world.takes_commands(*pid),
            Step::Pass(_) => true,
        }
    }

    fn apply(mut world: World, step: &Step) -> World {
        match step {
            Step::Tell(pid, command) => world.apply(*pid, command),
            Step::Pass(time) => world.advance(world.now + time),
        }
        world
    }
}

/// The machine with its puppets.
struct Machine {
    kernel: Kernel,
    desk: Rc<Desk>,
}

impl Machine {
    fn run(&mut self, millis: u64) {
        self.kernel.run_until(Until::Time(Tick::from_nanos(millis * 1_000_000)));
    }

    /// Whether a puppet is where the reference has it.
    fn compare(&self, pid: u64, world: &World) {
        let info = self.kernel.process(Pid::new(pid));
        let Some(puppet) = world.live.get(&pid) else {
            return assert_eq!(info, None, "{pid} is dead");
        };
        let info = info.unwrap_or_else(|| panic!("{pid} lives"));
        let lock = |id: LockId, word: &str| format!("{word} {id}");
        let what = match puppet.wait.as_ref().map(|wait| &wait.on) {
            _ if puppet.stopped => {
                assert_eq!(info.state, StateInfo::Stopped, "{pid}");
                String::new()
            }
            None => lock(self.desk.gate(pid), "semaphore"),
            Some(On::Sent { .. }) => "an event".into(),
            Some(On::Next) => "any event".into(),
            Some(On::Sleep) => "time to pass".into(),
            Some(On::Child(Some(child))) => format!("child {child} "),
            Some(On::Child(None)) => "a child".into(),
            Some(On::Reply { peer, .. }) => format!("a reply from {peer}"),
            Some(On::Mutex(id)) => lock(self.desk.mutex(*id), "mutex"),
            Some(On::Semaphore) => lock(self.desk.semaphore(), "semaphore"),
            Some(On::Answer(_)) => unreachable!("only a stopped puppet keeps an answer"),
        };
        let state = info.state.to_string();
        assert!(puppet.stopped || state.starts_with(&what), "{pid}: {state}, not {what}");
        assert_eq!(info.mailbox_depth, puppet.mailbox.len(), "events of {pid}");
    }
}

impl StateMachineTest for Machine {
    type SystemUnderTest = Machine;
    type Reference = Reference;

    fn init_test(_: &World) -> Machine {
        let builder = Kernel::builder().console(Captured::default());
        let mut kernel = builder.build().expect("good settings");
        let desk = Rc::new(Desk::default());
        let shared = desk.clone();
        kernel.spawn("director", program(move |sys| direct(sys, &shared))).expect("there is room");
        let mut machine = Machine { kernel, desk };
        machine.run(0);
        machine
    }

    fn apply(mut machine: Machine, world: &World, step: Step) -> Machine {
        if let Step::Tell(pid, command) = step {
            machine.desk.commands.borrow_mut().insert(pid, command);
            machine.kernel.send(Pid::new(1), "go", pid).expect("the director lives");
        }
        machine.run(world.now);
        machine
    }

    fn check_invariants(machine: &Machine, world: &World) {
        for pid in FIRST..=LAST {
            machine.compare(pid, world);
            let logs = machine.desk.logs.borrow();
            let (seen, known) = (logs.get(&pid), world.logs.get(&pid));
            let (seen, known) = (seen.map_or(&[][..], |l| l), known.map_or(&[][..], |l| l));
            assert_eq!(seen, known, "what {pid} was answered");
        }
    }

    fn teardown(mut machine: Machine, _: World) {
        machine.kernel.kill_all();
        assert_eq!(machine.kernel.held(), Held::default());
    }
}

fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 3000;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

prop_state_machine! {
    #![proptest_config(config())]

    /// Every case is a run of up to 200 steps.
    #[test]
    fn machine_does_what_the_reference_does(sequential 1..200 => Machine);
}
