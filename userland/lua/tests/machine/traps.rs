//! What each trap does.

use hothouse_abi::{Action, Errno, Event, EventKind, Pid, Resume, TimerId, Token, Trap};

use super::{Wait, World};

impl World {
    /// The answer, or `None` if the caller parked.
    pub(super) fn trap(&mut self, me: u64, trap: Trap, unwinding: bool) -> Option<Resume> {
        match trap {
            Trap::Sigaction { .. }
            | Trap::Kill { .. }
            | Trap::SigReturn
            | Trap::AtExit { .. }
            | Trap::Exit { .. } => self.fate(me, trap),
            Trap::Send { .. }
            | Trap::SendService { .. }
            | Trap::QueueEvent { .. }
            | Trap::PeekEvent
            | Trap::Register { .. }
            | Trap::Lookup { .. }
            | Trap::Reply { .. } => Some(self.exchange(me, trap)),
            Trap::Receive { .. }
            | Trap::NextEvent { .. }
            | Trap::FilterEvent { .. }
            | Trap::Sleep { .. }
            | Trap::SleepUntil { .. }
            | Trap::Compute { .. }
            | Trap::Yield
            | Trap::Wait { .. }
            | Trap::Call { .. }
                if unwinding =>
            {
                Some(Resume::Error(Errno::EINTR))
            }
            _ => match self.tell(me, trap) {
                Ok(answer) => Some(answer),
                Err(trap) => self.pause(me, trap),
            },
        }
    }

    /// Traps that ask for something and change little.
    fn tell(&mut self, me: u64, trap: Trap) -> Result<Resume, Trap> {
        Ok(match trap {
            Trap::Getpid => Resume::Pid(Pid::new(me)),
            Trap::Getppid => Resume::Pid(Pid::new(self.processes[&me].parent)),
            Trap::Getname => Resume::Bytes(self.processes[&me].name.clone().into()),
            Trap::Now => Resume::Tick(self.now),
            Trap::Random => {
                self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Resume::Number(self.random)
            }
            Trap::Log { text } => {
                self.log.push(text.to_string());
                Resume::Unit
            }
            Trap::Diagnose { text } => {
                self.diagnoses.push(text);
                Resume::Unit
            }
            Trap::Unrepeatable { why } => {
                self.diagnoses.push(why);
                Resume::Flag(self.strict)
            }
            Trap::Spawn { name, program } => {
                Resume::Pid(Pid::new(self.spawn(me, name, program.expect("a program"))))
            }
            Trap::Timer { .. } => Resume::Timer(TimerId::new(1)),
            other => return Err(other),
        })
    }

    /// Traps that send, post and name.
    fn exchange(&mut self, me: u64, trap: Trap) -> Resume {
        let sender = Pid::new(me);
        match trap {
            Trap::Send { pid, name, data } => {
                self.deliver(pid.number(), Event::sent(sender, name, data))
            }
            Trap::SendService { service, name, data } => match self.names.get(&service) {
                Some(&pid) => self.deliver(pid, Event::sent(sender, name, data)),
                None => Resume::Error(Errno::ENOENT),
            },
            Trap::QueueEvent { name, data } => {
                let event = Event { sender, name, data, token: None, kind: EventKind::Queued };
                self.deliver(me, event)
            }
            Trap::Reply { pid, token, name, data } => {
                let event = Event { sender, name, data, token, kind: EventKind::Queued };
                self.deliver(pid.number(), event)
            }
            Trap::Register { name } if self.names.contains_key(&name) => {
                Resume::Error(Errno::EEXIST)
            }
            Trap::Register { name } => {
                self.names.insert(name, me);
                Resume::Unit
            }
            Trap::Lookup { name } => Resume::Found(self.names.get(&name).copied().map(Pid::new)),
            _ => Resume::Peeked(self.processes[&me].mailbox.front().cloned().map(Box::new)),
        }
    }

    /// Traps about signals and ends.
    fn fate(&mut self, me: u64, trap: Trap) -> Option<Resume> {
        match trap {
            Trap::Sigaction { signal, disposition } => match signal.check() {
                Ok(Some(signal)) if signal.is_catchable() => {
                    let action = disposition.map_or(Action::Default, |d| d.action);
                    self.processes.get_mut(&me)?.actions.insert(signal, action);
                    Some(Resume::Unit)
                }
                _ => Some(Resume::Error(Errno::EINVAL)),
            },
            Trap::Kill { pid, signal } => match signal.check() {
                Err(errno) => Some(Resume::Error(errno)),
                Ok(Some(signal)) if pid.number() == me => {
                    if self.processes[&me].actions.get(&signal) == Some(&Action::Handler) {
                        self.processes.get_mut(&me)?.interrupted.push(Some((Wait::Ready, None)));
                        return Some(Resume::Handler(signal));
                    }
                    self.signal(me, signal);
                    None
                }
                // The gate has signalled a process that was alive.
                Ok(Some(_)) if pid.number() <= self.last_pid => Some(Resume::Unit),
                Ok(None) if self.processes.contains_key(&pid.number()) => Some(Resume::Unit),
                Ok(_) => Some(Resume::Error(Errno::ESRCH)),
            },
            Trap::SigReturn => {
                let process = self.processes.get_mut(&me)?;
                let Some((wait, deadline)) = process.interrupted.pop().flatten() else {
                    return Some(Resume::Unit);
                };
                let answer = Self::poll(process, &wait);
                if answer.is_none() {
                    process.wait = Some((wait, deadline));
                }
                answer
            }
            Trap::Exit { status } => {
                let process = self.processes.get_mut(&me)?;
                process.status.get_or_insert(status);
                let hooks = std::mem::take(&mut process.hooks);
                process.wait = Some((Wait::Ended, None));
                process.resumes.push_back(if hooks { Resume::Hooks } else { Resume::Unwind });
                self.ready.push_back(me);
                None
            }
            _ => {
                self.processes.get_mut(&me)?.hooks = true;
                Some(Resume::Unit)
            }
        }
    }

    /// Traps that may park.
    fn pause(&mut self, me: u64, trap: Trap) -> Option<Resume> {
        match trap {
            Trap::Receive { filter, timeout } => self.wait(me, Wait::Receive(filter), timeout),
            Trap::NextEvent { timeout } => self.wait(me, Wait::Any, timeout),
            Trap::FilterEvent { names, timeout, .. } => self.wait(me, Wait::Names(names), timeout),
            Trap::Sleep { span } => self.wait(me, Wait::Sleep, Some(span)),
            Trap::SleepUntil { tick } => self.wait(me, Wait::Sleep, Some(tick - self.now)),
            Trap::Compute { span } => {
                self.computed.push(span);
                self.wait(me, Wait::Sleep, Some(span))
            }
            Trap::Yield => {
                self.ready.push_back(me);
                self.processes.get_mut(&me)?.resumes.push_back(Resume::Unit);
                None
            }
            Trap::Wait { pid, timeout } => self.wait(me, Wait::Child(pid), timeout),
            Trap::Call { pid, name, data, timeout } => {
                let process = self.processes.get_mut(&me)?;
                let token = process.token.map_or(Token::FIRST, Token::next);
                process.token = Some(token);
                let event = Event::sent(Pid::new(me), name, data);
                match self.deliver(pid.number(), Event { token: Some(token), ..event }) {
                    Resume::Unit => self.wait(me, Wait::Reply(token), timeout),
                    failed => Some(failed),
                }
            }
            other => panic!("this machine has no {}", other.name()),
        }
    }
}
