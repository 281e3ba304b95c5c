//! The reference that the machine is held against: what the contract says, over plain lists and
//! maps, with no thought of speed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hothouse::Signal;

use crate::model_commands::Act;

/// Puppets have the pids from 2 on; pid 1 directs them.
pub(crate) const FIRST: u64 = 2;
/// The last pid that is given out.
pub(crate) const LAST: u64 = 9;
/// How many mutexes there are.
pub(crate) const MUTEXES: usize = 2;

const STOPS: [u8; 2] = [19, 20];

/// The whole machine, as the contract has it. Times are in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) live: BTreeMap<u64, Puppet>,
    /// What each puppet was answered, and which handlers it ran.
    pub(crate) logs: BTreeMap<u64, Vec<String>>,
    pub(crate) last_pid: u64,
    pub(crate) names: BTreeMap<&'static str, u64>,
    pub(crate) mutexes: [Mutex; MUTEXES],
    pub(crate) permits: u64,
    pub(crate) acquirers: VecDeque<u64>,
    pub(crate) last_timer: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Mutex {
    pub(crate) owner: Option<u64>,
    pub(crate) queue: VecDeque<u64>,
    pub(crate) owner_died: bool,
}

/// One process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Puppet {
    parent: u64,
    pub(crate) mailbox: VecDeque<Event>,
    /// What its parked call waits for; none while it waits for a command.
    pub(crate) wait: Option<Wait>,
    pub(crate) stopped: bool,
    pub(crate) pending: BTreeSet<u8>,
    pub(crate) mask: BTreeSet<u8>,
    pub(crate) actions: BTreeMap<u8, Act>,
    /// Unread exit records of children.
    records: VecDeque<(u64, String)>,
    pub(crate) timers: Vec<(u64, u64)>,
    pub(crate) monitored_by: BTreeSet<u64>,
    /// Requests that it received: by whom, with which token.
    pub(crate) requests: VecDeque<(u64, u32)>,
    pub(crate) tokens: u32,
    /// Replies that came while it was stopped.
    pub(crate) replies: Vec<(u32, Event)>,
    pub(crate) given_up: BTreeSet<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) sender: u64,
    pub(crate) name: &'static str,
    pub(crate) data: String,
    pub(crate) sent: bool,
    pub(crate) token: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) on: On,
    since: u64,
    deadline: Option<u64>,
}

impl Wait {
    /// A timeout at this very instant waits until nothing else can happen, see
    /// [`World::advance`].
    fn is_over(&self, now: u64) -> bool {
        let at_once = self.on == On::Sleep || self.deadline == Some(self.since);
        self.deadline.is_some_and(|deadline| deadline < now || (deadline == now && at_once))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum On {
    /// Nothing more: the answer is there, but the process is stopped.
    Answer(String),
    Sent {
        sender: Option<u64>,
        name: Option<&'static str>,
    },
    Next,
    Sleep,
    Child(Option<u64>),
    Reply {
        peer: u64,
        token: u32,
    },
    Mutex(usize),
    Semaphore,
}

/// What a signal does.
#[derive(PartialEq)]
pub(crate) enum Effect {
    End,
    Stop,
    Ignore,
    Event,
    Handler,
    Interrupt,
}

/// The name of a signal, as exit records have it.
fn signal_name(signal: u8) -> &'static str {
    Signal::new(signal.into()).expect("a signal").name()
}

impl World {
    /// One puppet, at boot.
    pub(crate) fn new() -> World {
        let mut world = World { last_pid: FIRST - 1, ..World::default() };
        world.spawn(1);
        world
    }

    /// Whether this puppet can be told to do something.
    pub(crate) fn takes_commands(&self, pid: u64) -> bool {
        self.live.get(&pid).is_some_and(|puppet| puppet.wait.is_none() && !puppet.stopped)
    }

    pub(crate) fn spawn(&mut self, parent: u64) -> u64 {
        self.last_pid += 1;
        self.live.insert(self.last_pid, Puppet { parent, ..Puppet::default() });
        self.logs.insert(self.last_pid, Vec::new());
        self.last_pid
    }

    pub(crate) fn puppet(&mut self, pid: u64) -> &mut Puppet {
        self.live.get_mut(&pid).expect("it lives")
    }

    fn log(&mut self, pid: u64, text: impl Into<String>) {
        self.logs.entry(pid).or_default().push(text.into());
    }

    /// Answers the call of a puppet, once it is not stopped.
    pub(crate) fn answer(&mut self, pid: u64, text: impl Into<String>) {
        let Some(puppet) = self.live.get_mut(&pid) else { return };
        let text = text.into();
        if puppet.stopped {
            puppet.wait = Some(Wait { on: On::Answer(text), since: self.now, deadline: None });
        } else {
            puppet.wait = None;
            self.log(pid, text);
        }
    }

    /// Makes a puppet wait, unless what it waits for is there.
    pub(crate) fn wait(&mut self, pid: u64, on: On, timeout: Option<u64>) {
        let deadline = timeout.map(|timeout| self.now + timeout);
        self.puppet(pid).wait = Some(Wait { on, since: self.now, deadline });
        self.look(pid);
    }

    /// Looks whether a wait has come to an end.
    pub(crate) fn look(&mut self, pid: u64) {
        let now = self.now;
        let Some(puppet) = self.live.get_mut(&pid).filter(|puppet| !puppet.stopped) else { return };
        let Some(wait) = puppet.wait.clone() else { return };
        let expired = wait.is_over(now);
        let found = match &wait.on {
            On::Answer(text) => Some(text.clone()),
            On::Sleep => expired.then(|| "ok".to_owned()),
            On::Sent { sender, name } => {
                let fits = |event: &Event| {
                    event.sent
                        && sender.is_none_or(|sender| sender == event.sender)
                        && name.is_none_or(|name| name == event.name)
                };
                let at = puppet.mailbox.iter().position(fits);
                at.map(|at| self.take(pid, at))
            }
            On::Next => (!puppet.mailbox.is_empty()).then(|| self.take(pid, 0)),
            On::Child(child) => {
                let is_it = |(pid, _): &(u64, String)| child.is_none_or(|child| child == *pid);
                let at = puppet.records.iter().position(is_it);
                at.and_then(|at| puppet.records.remove(at))
                    .map(|(pid, status)| format!("{pid} {status}"))
            }
            On::Reply { token, .. } => {
                let at = puppet.replies.iter().position(|(of, _)| of == token);
                at.map(|at| puppet.replies.remove(at).1).map(|event| show(&event))
            }
            On::Mutex(_) | On::Semaphore => None,
        };
        if let Some(text) = found {
            self.answer(pid, text);
        } else if let Some(errno) = self.hopeless(pid, &wait.on) {
            self.answer(pid, errno);
        } else if expired {
            self.give_up(pid, "ETIMEDOUT");
        }
    }

    fn hopeless(&self, pid: u64, on: &On) -> Option<&'static str> {
        let gone = |pid: &u64| *pid > 1 && !self.live.contains_key(pid);
        match on {
            On::Sent { sender: Some(sender), .. } if gone(sender) => Some("ESRCH"),
            On::Reply { peer, .. } if gone(peer) => Some("ESRCH"),
            On::Child(child) => {
                let is_it = |(other, puppet): (&u64, &Puppet)| {
                    puppet.parent == pid && child.is_none_or(|child| child == *other)
                };
                (!self.live.iter().any(is_it)).then_some("ECHILD")
            }
            _ => None,
        }
    }

    /// Ends a wait that came to nothing.
    fn give_up(&mut self, pid: u64, errno: &str) {
        let wait = self.puppet(pid).wait.clone().expect("it waits");
        if let On::Reply { token, .. } = wait.on {
            self.puppet(pid).given_up.insert(token);
        }
        self.leave_queues(pid);
        self.answer(pid, errno);
    }

    fn leave_queues(&mut self, pid: u64) {
        self.acquirers.retain(|waiter| *waiter != pid);
        for mutex in &mut self.mutexes {
            mutex.queue.retain(|waiter| *waiter != pid);
        }
    }

    /// Takes the event at this place, and says what a receive returns for it.
    fn take(&mut self, pid: u64, at: usize) -> String {
        let puppet = self.puppet(pid);
        let event = puppet.mailbox.remove(at).expect("it is there");
        if let Some(token) = event.token {
            puppet.requests.push_back((event.sender, token));
        }
        show(&event)
    }

    pub(crate) fn deliver(&mut self, to: u64, event: Event) {
        self.puppet(to).mailbox.push_back(event);
        self.look(to);
    }

    pub(crate) fn kernel_event(&mut self, to: u64, name: &'static str, data: String) {
        self.deliver(to, Event { sender: 0, name, data, sent: false, token: None });
    }

    pub(crate) fn effect(&self, pid: u64, signal: u8) -> Effect {
        let action = self.live[&pid].actions.get(&signal).copied().unwrap_or(Act::Default);
        match (signal, action) {
            (9, _) => Effect::End,
            (19, _) => Effect::Stop,
            (_, Act::Ignore) => Effect::Ignore,
            (_, Act::Event) => Effect::Event,
            (_, Act::Handler) => Effect::Handler,
            (_, Act::Interrupting) => Effect::Interrupt,
            (17 | 18, Act::Default) => Effect::Ignore,
            (20, Act::Default) => Effect::Stop,
            (_, Act::Default) => Effect::End,
        }
    }

    pub(crate) fn post(&mut self, pid: u64, signal: u8) {
        if signal == 9 {
            return self.die(pid, "signaled SIGKILL");
        }
        let ignored = self.effect(pid, signal) == Effect::Ignore;
        let puppet = self.puppet(pid);
        if signal == 18 {
            puppet.pending.retain(|pending| !STOPS.contains(pending));
            puppet.stopped = false;
        } else if STOPS.contains(&signal) {
            puppet.pending.remove(&18);
        }
        if !ignored || puppet.mask.contains(&signal) {
            puppet.pending.insert(signal);
        }
        self.signals(pid);
        self.look(pid);
    }

    /// Acts on the pending signals of a puppet that are not masked, lowest first.
    pub(crate) fn signals(&mut self, pid: u64) {
        loop {
            let Some(puppet) = self.live.get_mut(&pid).filter(|puppet| !puppet.stopped) else {
                return;
            };
            let Some(&signal) = puppet.pending.difference(&puppet.mask).next() else { return };
            puppet.pending.remove(&signal);
            match self.effect(pid, signal) {
                Effect::Ignore => {}
                Effect::Event => {
                    self.kernel_event(pid, "signal", format!("{{signal = {signal}}}"));
                }
                Effect::Handler => self.log(pid, format!("handled {signal}")),
                Effect::Interrupt => self.interrupt(pid, signal),
                Effect::Stop => self.puppet(pid).stopped = true,
                Effect::End => {
                    return self.die(pid, &format!("signaled {}", signal_name(signal)));
                }
            }
        }
    }

    /// The handler runs, and then the call returns, with what it waited for if that has come.
    fn interrupt(&mut self, pid: u64, signal: u8) {
        self.log(pid, format!("handled {signal}"));
        self.look(pid);
        let wait = &self.puppet(pid).wait;
        if wait.as_ref().is_some_and(|wait| !matches!(wait.on, On::Answer(_))) {
            self.give_up(pid, "EINTR");
        }
    }

    pub(crate) fn die(&mut self, pid: u64, status: &str) {
        self.leave_queues(pid);
        let dead = self.live.remove(&pid).expect("it lives");
        self.names.retain(|_, owner| *owner != pid);
        for id in 0..MUTEXES {
            if self.mutexes[id].owner == Some(pid) {
                self.hand_over(id, true);
            }
        }
        for puppet in self.live.values_mut().filter(|puppet| puppet.parent == pid) {
            puppet.parent = 0;
        }
        if let Some(parent) = self.live.get_mut(&dead.parent) {
            parent.records.push_back((pid, status.to_owned()));
            self.look(dead.parent);
        }
        for monitor in dead.monitored_by {
            if self.live.contains_key(&monitor) {
                self.kernel_event(monitor, "down", told(pid, status));
            }
        }
        for watcher in self.live.keys().copied().collect::<Vec<_>>() {
            self.look(watcher);
        }
    }

    pub(crate) fn hand_over(&mut self, id: usize, died: bool) {
        let mutex = &mut self.mutexes[id];
        mutex.owner = mutex.queue.pop_front();
        mutex.owner_died = died && mutex.owner.is_none();
        if let Some(next) = mutex.owner {
            self.answer(next, died.to_string());
        }
    }

    /// Lets time pass: timers and sleeps of an instant come before its timeouts.
    pub(crate) fn advance(&mut self, to: u64) {
        while let Some((at, timeout, pid, timer)) = self.next_deadline().filter(|next| next.0 <= to)
        {
            self.now = self.now.max(at);
            if timeout {
                self.look(pid);
                if self.live[&pid].wait.as_ref().is_some_and(|wait| wait.deadline == Some(at)) {
                    self.give_up(pid, "ETIMEDOUT");
                }
                continue;
            }
            if timer == 0 {
                self.look(pid);
                continue;
            }
            self.puppet(pid).timers.retain(|(id, _)| *id != timer);
            self.kernel_event(pid, "timer", format!("{{id = {timer}}}"));
        }
        self.now = to;
    }

    /// When something happens next, whether it is a timeout, to whom, and to which timer.
    fn next_deadline(&self) -> Option<(u64, bool, u64, u64)> {
        let timers = self
            .live
            .iter()
            .flat_map(|(pid, puppet)| puppet.timers.iter().map(|(id, at)| (*at, false, *pid, *id)));
        let waits = self.live.iter().filter(|(_, puppet)| !puppet.stopped);
        let waits = waits.filter_map(|(pid, puppet)| {
            let wait = puppet.wait.as_ref()?;
            Some((wait.deadline?, wait.on != On::Sleep, *pid, 0))
        });
        timers.chain(waits).min()
    }
}

fn show(event: &Event) -> String {
    format!("{} {} {}", event.sender, event.name, event.data)
}

/// The data of the event `down`.
pub(crate) fn told(pid: u64, status: &str) -> String {
    match status.split_once(' ') {
        Some(("exited", value)) => format!("{{id = {pid}, status = \"exited\", value = {value}}}"),
        Some(("signaled", name)) => {
            let number = name.parse::<Signal>().expect("a signal").number();
            format!("{{id = {pid}, signal = {number}, status = \"signaled\"}}")
        }
        _ => format!("{{id = {pid}, status = \"unknown\"}}"),
    }
}
