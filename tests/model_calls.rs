//! The calls of the reference: what each does to the [`World`].

use std::collections::BTreeSet;

use hothouse::MaskHow;

use crate::model_commands::{Act, Command};
use crate::model_reference::{Effect, Event, On, World, told};

impl World {
    /// Has a puppet do something, until nobody can go on at this instant.
    pub(crate) fn apply(&mut self, pid: u64, command: &Command) {
        use Command::*;
        match *command {
            Receive { sender, name, timeout } => self.wait(pid, On::Sent { sender, name }, timeout),
            Next { timeout } => self.wait(pid, On::Next, timeout),
            Sleep { span } => self.wait(pid, On::Sleep, Some(span)),
            Wait { child, timeout } => self.wait(pid, On::Child(child), timeout),
            Call { to, timeout } => self.call(pid, to, timeout),
            Lock { id, timeout } => self.lock(pid, id, timeout),
            Acquire { timeout } => self.acquire(pid, timeout),
            Exit { value } => self.die(pid, &format!("exited {value}")),
            Kill { to, signal } => self.kill(pid, to, signal),
            Sigprocmask { how, signal } => self.sigprocmask(pid, how, signal),
            _ => {
                let text = self.at_once(pid, command);
                self.answer(pid, text);
            }
        }
        self.advance(self.now);
    }

    /// The calls that never park.
    fn at_once(&mut self, pid: u64, command: &Command) -> String {
        use Command::*;
        match *command {
            Spawn => self.spawn(pid).to_string(),
            Sigaction { signal, act } => self.sigaction(pid, signal, act),
            Sigpending => format!("{:?}", self.puppet(pid).pending),
            Send { to, name, data } => self.send(pid, to, name, data),
            SendService { service, name, data } => match self.names.get(service) {
                Some(&owner) => self.send(pid, owner, name, data),
                None => "ENOENT".into(),
            },
            Queue { name } => {
                let data = "nil".into();
                self.deliver(pid, Event { sender: pid, name, data, sent: false, token: None });
                "ok".into()
            }
            Reply { keep } => self.reply(pid, keep),
            Register { name } => match self.names.contains_key(name) {
                true => "EEXIST".into(),
                false => {
                    self.names.insert(name, pid);
                    "ok".into()
                }
            },
            Unregister { name } if self.names.get(name) == Some(&pid) => {
                self.names.remove(name);
                "ok".into()
            }
            Unregister { .. } => "ENOENT".into(),
            Lookup { name } => format!("{:?}", self.names.get(name)),
            Timer { span } => {
                self.last_timer += 1;
                let timer = (self.last_timer, self.now + span);
                self.puppet(pid).timers.push(timer);
                timer.0.to_string()
            }
            Cancel { id } => self.cancel(pid, id),
            Monitor { of } => {
                match self.live.get_mut(&of) {
                    Some(target) => _ = target.monitored_by.insert(pid),
                    None => self.kernel_event(pid, "down", told(of, "unknown")),
                }
                "ok".into()
            }
            Demonitor { of } => {
                if let Some(target) = self.live.get_mut(&of) {
                    target.monitored_by.remove(&pid);
                }
                "ok".into()
            }
            TryLock { id } => self.try_lock(pid, id),
            Unlock { id } if self.mutexes[id].owner == Some(pid) => {
                self.hand_over(id, false);
                "ok".into()
            }
            Unlock { .. } => "EPERM".into(),
            TryAcquire => self.try_acquire(),
            Release { permits } => self.release(permits),
            ref other => unreachable!("{other:?} may park"),
        }
    }

    fn cancel(&mut self, pid: u64, id: u64) -> String {
        let now = self.now;
        let timers = &mut self.puppet(pid).timers;
        match timers.iter().position(|(timer, _)| *timer == id) {
            Some(at) => format!("{} left", timers.remove(at).1 - now),
            None => "EINVAL".into(),
        }
    }

    fn kill(&mut self, pid: u64, to: u64, signal: u8) {
        if to == 0 {
            return self.answer(pid, "EPERM");
        }
        if !self.live.contains_key(&to) {
            return self.answer(pid, "ESRCH");
        }
        if signal > 0 {
            self.post(to, signal);
        }
        self.answer(pid, "ok");
    }

    fn sigaction(&mut self, pid: u64, signal: u8, act: Act) -> String {
        if [9, 19].contains(&signal) {
            return "EINVAL".into();
        }
        let old = self.puppet(pid).actions.insert(signal, act).unwrap_or(Act::Default);
        if self.effect(pid, signal) == Effect::Ignore {
            self.puppet(pid).pending.remove(&signal);
        }
        format!("{old:?}")
    }

    fn sigprocmask(&mut self, pid: u64, how: MaskHow, signal: u8) {
        let puppet = self.puppet(pid);
        let old = puppet.mask.clone();
        match how {
            MaskHow::Unblock => _ = puppet.mask.remove(&signal),
            MaskHow::Set => puppet.mask = BTreeSet::from([signal]),
            MaskHow::Block => _ = puppet.mask.insert(signal),
        }
        puppet.mask.remove(&9);
        puppet.mask.remove(&19);
        self.signals(pid);
        self.answer(pid, format!("{old:?}"));
    }

    fn send(&mut self, sender: u64, to: u64, name: &'static str, data: i64) -> String {
        if !self.live.contains_key(&to) {
            return "ESRCH".into();
        }
        let data = data.to_string();
        self.deliver(to, Event { sender, name, data, sent: true, token: None });
        "ok".into()
    }

    fn call(&mut self, pid: u64, to: u64, timeout: Option<u64>) {
        if pid == to {
            return self.answer(pid, "EDEADLK");
        }
        if !self.live.contains_key(&to) {
            return self.answer(pid, "ESRCH");
        }
        let caller = self.puppet(pid);
        caller.tokens += 1;
        let token = caller.tokens;
        let (name, data) = ("ask", "nil".to_owned());
        self.deliver(to, Event { sender: pid, name, data, sent: true, token: Some(token) });
        self.wait(pid, On::Reply { peer: to, token }, timeout);
    }

    fn reply(&mut self, pid: u64, keep: bool) -> String {
        let requests = &mut self.puppet(pid).requests;
        let request = if keep { requests.front().copied() } else { requests.pop_front() };
        let Some((to, token)) = request else { return "nothing to reply to".into() };
        let Some(caller) = self.live.get_mut(&to) else { return "ESRCH".into() };
        let replied = caller.replies.iter().any(|(of, _)| *of == token);
        let on = On::Reply { peer: pid, token };
        if !replied && caller.wait.as_ref().is_some_and(|wait| wait.on == on) {
            let (name, data) = ("ask", "42".to_owned());
            let event = Event { sender: pid, name, data, sent: true, token: None };
            caller.replies.push((token, event));
            self.look(to);
            return "ok".into();
        }
        // That it was given up is told once.
        let given_up = caller.given_up.remove(&token);
        if given_up { "ECANCELED" } else { "EALREADY" }.into()
    }

    fn try_lock(&mut self, pid: u64, id: usize) -> String {
        let mutex = &mut self.mutexes[id];
        match mutex.owner {
            Some(owner) if owner == pid => "EDEADLK".into(),
            Some(_) => "EBUSY".into(),
            None => {
                mutex.owner = Some(pid);
                std::mem::take(&mut mutex.owner_died).to_string()
            }
        }
    }

    fn lock(&mut self, pid: u64, id: usize, timeout: Option<u64>) {
        match self.try_lock(pid, id) {
            busy if busy == "EBUSY" => {
                self.mutexes[id].queue.push_back(pid);
                self.wait(pid, On::Mutex(id), timeout);
            }
            done => self.answer(pid, done),
        }
    }

    fn try_acquire(&mut self) -> String {
        match self.permits {
            0 => "EAGAIN".into(),
            _ => {
                self.permits -= 1;
                "ok".into()
            }
        }
    }

    fn acquire(&mut self, pid: u64, timeout: Option<u64>) {
        match self.try_acquire() {
            none if none == "EAGAIN" => {
                self.acquirers.push_back(pid);
                self.wait(pid, On::Semaphore, timeout);
            }
            done => self.answer(pid, done),
        }
    }

    fn release(&mut self, permits: u64) -> String {
        self.permits += permits;
        while self.permits > 0 {
            let Some(next) = self.acquirers.pop_front() else { break };
            self.permits -= 1;
            self.answer(next, "ok");
        }
        "ok".into()
    }
}
