//! Which kernel objects the next step of a process may touch.

use hothouse_abi::{Name, Pid, Span, Trap};

use super::Machine;
use super::process::{Key, Process};
use super::wait::On;
use crate::oracle::{Object, Touches};

impl Machine {
    /// What a trap touches: at least all that others could notice of it.
    pub(super) fn touches_of(&self, key: Key, trap: &Trap) -> Touches {
        let own = self.table[key].pid();
        let touches = Touches::default().reading(Object::Process(own));
        let mailbox = Object::Mailbox(own);
        match trap {
            Trap::Send { pid, .. } | Trap::Call { pid, .. } | Trap::Reply { pid, .. } => {
                touches.reading(Object::Process(*pid)).writing(Object::Mailbox(*pid))
            }
            Trap::SendService { service, .. } => self.touches_of_service(touches, service),
            Trap::Register { name } | Trap::Unregister { name } => {
                touches.writing(Object::Name(name))
            }
            Trap::Lookup { name } => touches.reading(Object::Name(name)),
            Trap::Kill { pid, .. } => self.touches_of_kill(touches, *pid),
            Trap::Exit { .. } => self.touches_of_end(key),
            Trap::Spawn { .. } => {
                touches.writing(Object::Numbers).writing(Object::Process(self.table.next_pid()))
            }
            Trap::CreateLock { .. } => touches.writing(Object::Numbers),
            Trap::DestroyLock { id } | Trap::Lock { id, .. } | Trap::TryLock { id } => {
                touches.writing(Object::Lock(*id))
            }
            Trap::Unlock { id } | Trap::Acquire { id, .. } | Trap::TryAcquire { id } => {
                touches.writing(Object::Lock(*id))
            }
            Trap::Release { id, .. } | Trap::WaitBarrier { id, .. } => {
                touches.writing(Object::Lock(*id))
            }
            Trap::WaitCondition { id, mutex, .. } => {
                touches.writing(Object::Lock(*id)).writing(Object::Lock(*mutex))
            }
            // Who is notified queues for a mutex.
            Trap::Notify { .. } => touches.writing(Object::AllLocks),
            Trap::Access { cell, write: true } => touches.writing(Object::Cell(*cell)),
            Trap::Access { cell, write: false } => touches.reading(Object::Cell(*cell)),
            Trap::Receive { .. } | Trap::NextEvent { .. } | Trap::FilterEvent { .. } => {
                touches.writing(mailbox)
            }
            Trap::PeekEvent | Trap::QueueEvent { .. } => touches.writing(mailbox),
            Trap::Timer { .. } | Trap::Alarm { .. } | Trap::Cancel { .. } => {
                touches.writing(mailbox)
            }
            Trap::Monitor { pid } | Trap::Demonitor { pid } => {
                touches.writing(Object::Process(*pid)).writing(mailbox)
            }
            Trap::Sigaction { .. } | Trap::Sigprocmask { .. } | Trap::Sigpending => {
                touches.writing(Object::Process(own))
            }
            Trap::Sigwait { .. } | Trap::AtExit { .. } | Trap::Notices { .. } => {
                touches.writing(Object::Process(own))
            }
            Trap::Setuser { .. } => touches.writing(Object::Process(own)),
            // Exit records of children come as events do.
            Trap::Wait { .. } => touches.writing(mailbox),
            Trap::Getpid
            | Trap::Getuser
            | Trap::Getname
            | Trap::Now
            | Trap::Sleep { .. }
            | Trap::SleepUntil { .. }
            | Trap::Log { .. }
            | Trap::Random
            | Trap::Choose { .. }
            | Trap::CreateCell => touches,
            // They ask for what the end of others changes, take time, or let all others go first.
            _ => Touches::EVERYTHING,
        }
    }

    fn touches_of_service(&self, touches: Touches, service: &Name) -> Touches {
        let touches = touches.reading(Object::Name(service));
        match self.names.get(service) {
            Some(&pid) => touches.reading(Object::Process(pid)).writing(Object::Mailbox(pid)),
            None => touches,
        }
    }

    fn touches_of_kill(&self, touches: Touches, pid: Pid) -> Touches {
        let touches = touches.writing(Object::Process(pid)).writing(Object::Mailbox(pid));
        match self.table.find(pid) {
            Some(key) => touches.and(self.touches_of_end(key)),
            None => touches,
        }
    }

    /// What the end of a process touches: everybody who is told, and all that it gives back.
    pub(super) fn touches_of_end(&self, key: Key) -> Touches {
        let process = &self.table[key];
        let own = process.pid();
        let mut touches =
            Touches::default().writing(Object::Process(own)).writing(Object::Mailbox(own));
        for pid in told(process).chain([self.table.parent(key)]) {
            touches = touches.writing(Object::Mailbox(pid));
        }
        if let Some(rare) = &process.rare {
            for name in &rare.names {
                touches = touches.writing(Object::Name(name));
            }
            if !rare.locks.is_empty() || !rare.owned.is_empty() {
                touches = touches.writing(Object::AllLocks);
            }
        }
        touches
    }

    /// What the timeout of a waiting process touches.
    pub(super) fn touches_of_timeout(&self, key: Key) -> Touches {
        let process = &self.table[key];
        let own = process.pid();
        let touches = Touches::default().reading(Object::Process(own));
        match process.wait.as_ref().map(|wait| &wait.on) {
            Some(On::Mutex(at) | On::Semaphore(at) | On::Barrier(at)) => {
                touches.writing(Object::Lock(at.lock))
            }
            Some(On::Condition { .. } | On::Relock { .. }) => touches.writing(Object::AllLocks),
            Some(On::Signals(_)) => touches.writing(Object::Process(own)),
            _ => touches.writing(Object::Mailbox(own)),
        }
    }

    /// Whether a trap is a wait that nobody could notice to begin sooner or later: what it waits for
    /// would be kept for it.
    pub(super) fn is_private_wait(&self, key: Key, trap: &Trap) -> bool {
        let timeout = match trap {
            Trap::Receive { timeout, .. }
            | Trap::NextEvent { timeout }
            | Trap::FilterEvent { timeout, .. }
            | Trap::Wait { timeout, .. } => *timeout,
            _ => return false,
        };
        timeout != Some(Span::ZERO) && !self.is_interruptible(key)
    }

    /// Whether code of a process may be run by others: handlers, and hooks when it is killed.
    pub(super) fn is_interruptible(&self, key: Key) -> bool {
        let process = &self.table[key];
        process.rare_if(|rare| rare.has_hooks || !rare.dispositions.is_empty())
    }
}

/// Who is told of the end of a process, but for its parent.
fn told(process: &Process) -> impl Iterator<Item = Pid> {
    let rare = process.rare.iter();
    rare.flat_map(|rare| {
        rare.monitored_by.iter().chain(&rare.monitors).chain(&rare.watchers).copied()
    })
}
