//! What puppets are told to do, and how such commands are drawn.

use hothouse::MaskHow;
use proptest::prelude::*;

use crate::model_reference::{FIRST, LAST, MUTEXES, World};

const NAMES: [&str; 3] = ["red", "green", "timer"];
const SERVICES: [&str; 2] = ["bank", "shop"];
const SIGNALS: [u8; 7] = [9, 10, 15, 17, 18, 19, 20];

/// An action of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    Default,
    Ignore,
    Event,
    Handler,
    Interrupting,
}

/// A call that a puppet is told to make. Times are in milliseconds.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Spawn,
    Exit {
        value: i64,
    },
    Kill {
        to: u64,
        signal: u8,
    },
    Sigaction {
        signal: u8,
        act: Act,
    },
    Sigprocmask {
        how: MaskHow,
        signal: u8,
    },
    Sigpending,
    Send {
        to: u64,
        name: &'static str,
        data: i64,
    },
    SendService {
        service: &'static str,
        name: &'static str,
        data: i64,
    },
    Receive {
        sender: Option<u64>,
        name: Option<&'static str>,
        timeout: Option<u64>,
    },
    Next {
        timeout: Option<u64>,
    },
    Queue {
        name: &'static str,
    },
    Register {
        name: &'static str,
    },
    Unregister {
        name: &'static str,
    },
    Lookup {
        name: &'static str,
    },
    Timer {
        span: u64,
    },
    Cancel {
        id: u64,
    },
    Sleep {
        span: u64,
    },
    Wait {
        child: Option<u64>,
        timeout: Option<u64>,
    },
    Monitor {
        of: u64,
    },
    Demonitor {
        of: u64,
    },
    Call {
        to: u64,
        timeout: Option<u64>,
    },
    /// Replies to the request received first, which is kept for another reply or not.
    Reply {
        keep: bool,
    },
    Lock {
        id: usize,
        timeout: Option<u64>,
    },
    TryLock {
        id: usize,
    },
    Unlock {
        id: usize,
    },
    Acquire {
        timeout: Option<u64>,
    },
    TryAcquire,
    Release {
        permits: u64,
    },
}

/// One step of a test.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A puppet is told something.
    Tell(u64, Command),
    /// So much time passes.
    Pass(u64),
}

/// The steps that can come next.
pub(crate) fn steps(world: &World) -> BoxedStrategy<Step> {
    let idle: Vec<u64> = (FIRST..=LAST).filter(|pid| world.takes_commands(*pid)).collect();
    let pass = (1u64..12).prop_map(Step::Pass);
    if idle.is_empty() {
        return pass.boxed();
    }
    let room = world.last_pid < LAST;
    let tell = (prop::sample::select(idle), command(world.last_pid));
    let tell = tell.prop_map(move |(pid, command)| match command {
        Command::Spawn if !room => Step::Tell(pid, Command::Sigpending),
        command => Step::Tell(pid, command),
    });
    prop_oneof![12 => tell, 1 => pass].boxed()
}

/// Any command, about pids of which most are alive.
fn command(last: u64) -> BoxedStrategy<Command> {
    prop_oneof![
        12 => processes(last),
        10 => signals(last),
        14 => events(last),
        5 => names(),
        6 => times(last),
        8 => locks(),
    ]
    .boxed()
}

fn pid(last: u64) -> impl Strategy<Value = u64> + Clone {
    prop_oneof![20 => FIRST..=last, 1 => Just(last + 1)]
}

fn timeout() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(0)), 4 => (1u64..15).prop_map(Some)]
}

fn maybe<T: Clone + std::fmt::Debug + 'static>(
    some: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.6, some)
}

fn processes(last: u64) -> impl Strategy<Value = Command> {
    let child = maybe(pid(last));
    prop_oneof![
        4 => Just(Command::Spawn),
        1 => (0i64..5).prop_map(|value| Command::Exit { value }),
        3 => (child, timeout()).prop_map(|(child, timeout)| Command::Wait { child, timeout }),
        3 => pid(last).prop_map(|of| Command::Monitor { of }),
        1 => pid(last).prop_map(|of| Command::Demonitor { of }),
    ]
}

fn signals(last: u64) -> impl Strategy<Value = Command> {
    use Act::*;
    let signal = || prop::sample::select(&SIGNALS[..]);
    // SIGKILL less often than others, so that the puppets last.
    let sent = prop_oneof![30 => prop::sample::select(&SIGNALS[1..]), 1 => Just(9), 1 => Just(0)];
    let to = prop_oneof![30 => pid(last), 1 => Just(0)];
    let act = prop::sample::select(vec![Default, Ignore, Event, Handler, Interrupting]);
    let masked = prop::sample::select(vec![10, 15, 18, 18, 20, 20]);
    let how =
        prop::sample::select(vec![MaskHow::Block, MaskHow::Block, MaskHow::Unblock, MaskHow::Set]);
    prop_oneof![
        5 => (to, sent).prop_map(|(to, signal)| Command::Kill { to, signal }),
        5 => (signal(), act).prop_map(|(signal, act)| Command::Sigaction { signal, act }),
        3 => (how, masked).prop_map(|(how, signal)| Command::Sigprocmask { how, signal }),
        3 => Just(Command::Sigpending),
    ]
}

fn events(last: u64) -> impl Strategy<Value = Command> {
    let name = || prop::sample::select(&NAMES[..]);
    let to = || pid(last);
    prop_oneof![
        6 => (to(), name(), 0i64..100)
            .prop_map(|(to, name, data)| Command::Send { to, name, data }),
        1 => (prop::sample::select(&SERVICES[..]), name(), 0i64..100)
            .prop_map(|(service, name, data)| Command::SendService { service, name, data }),
        5 => (maybe(to()), maybe(name()), timeout())
            .prop_map(|(sender, name, timeout)| Command::Receive { sender, name, timeout }),
        3 => timeout().prop_map(|timeout| Command::Next { timeout }),
        1 => name().prop_map(|name| Command::Queue { name }),
        3 => (to(), timeout()).prop_map(|(to, timeout)| Command::Call { to, timeout }),
        6 => prop::bool::weighted(0.7).prop_map(|keep| Command::Reply { keep }),
    ]
}

fn names() -> impl Strategy<Value = Command> {
    let name = || prop::sample::select(&SERVICES[..]);
    prop_oneof![
        3 => name().prop_map(|name| Command::Register { name }),
        1 => name().prop_map(|name| Command::Unregister { name }),
        2 => name().prop_map(|name| Command::Lookup { name }),
    ]
}

fn times(last: u64) -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => (0u64..15).prop_map(|span| Command::Timer { span }),
        1 => (1..=last).prop_map(|id| Command::Cancel { id }),
        3 => (0u64..15).prop_map(|span| Command::Sleep { span }),
    ]
}

fn locks() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => (0..MUTEXES, timeout()).prop_map(|(id, timeout)| Command::Lock { id, timeout }),
        1 => (0..MUTEXES).prop_map(|id| Command::TryLock { id }),
        5 => (0..MUTEXES).prop_map(|id| Command::Unlock { id }),
        3 => timeout().prop_map(|timeout| Command::Acquire { timeout }),
        1 => Just(Command::TryAcquire),
        2 => (0u64..3).prop_map(|permits| Command::Release { permits }),
    ]
}
