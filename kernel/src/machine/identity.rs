//! Who a process is, what is known of others, and small calls about oneself.

use std::rc::Rc;

use hothouse_abi::{Bytes, Errno, Name, Pid, ProcessInfo, Resume, StateInfo};

use super::process::{Key, Process, State};
use super::{Machine, Outcome};
use crate::oracle::Choice;
use crate::stream::{Stream, StreamKind};
use crate::trace::What;

impl Machine {
    #[inline]
    pub(super) fn getpid(&mut self, key: Key) -> Outcome {
        Outcome::Answer(Resume::Pid(self.table[key].pid()))
    }

    #[inline]
    pub(super) fn getppid(&mut self, key: Key) -> Outcome {
        Outcome::Answer(Resume::Pid(self.table.parent(key)))
    }

    pub(super) fn getuser(&mut self, key: Key) -> Outcome {
        Outcome::Answer(Resume::Bytes(self.table[key].user.bytes().clone()))
    }

    pub(super) fn getname(&mut self, key: Key) -> Outcome {
        Outcome::Answer(Resume::Bytes(self.table[key].name.bytes().clone()))
    }

    /// `setuser`: root only.
    pub(super) fn setuser(&mut self, key: Key, user: &mut Name) -> Result<(), Errno> {
        if user.len() > self.limits.name_bytes {
            return Err(Errno::ENAMETOOLONG);
        }
        let process = &mut self.table[key];
        if !process.is_root() {
            return Err(Errno::EPERM);
        }
        process.user = Rc::new(std::mem::take(user));
        Ok(())
    }

    pub(super) fn getplist(&mut self) -> Outcome {
        Outcome::Answer(Resume::Pids(self.table.pids()))
    }

    pub(super) fn getpinfo(&mut self, pid: Pid) -> Result<Resume, Errno> {
        let info = self.info(pid).ok_or(Errno::ESRCH)?;
        Ok(Resume::Info(Box::new(info)))
    }

    /// What is known of a live process.
    pub(crate) fn info(&self, pid: Pid) -> Option<ProcessInfo> {
        let key = self.table.find(pid)?;
        let process = &self.table[key];
        let (cpu_time, wait_time) = self.times(process);
        Some(ProcessInfo {
            pid,
            name: process.name.clone(),
            user: Name::clone(&process.user),
            parent: self.table.parent(key),
            state: self.state_info(process),
            cpu_time,
            wait_time,
            traps: process.traps,
            mailbox_depth: process.mailbox.len(),
            mailbox_peak: process.mailbox.peak() as usize,
            nice: process.task.scheduling.nice,
            started_at: process.started_at,
        })
    }

    fn state_info(&self, process: &Process) -> StateInfo {
        if process.stopped {
            return StateInfo::Stopped;
        }
        match (process.state, &process.wait) {
            (State::Waiting, Some(wait)) => {
                StateInfo::Waiting { what: self.with_lock_owner(wait), since: wait.since }
            }
            (State::Running(_), _) => StateInfo::Running,
            _ => StateInfo::Ready,
        }
    }

    /// `nice`.
    pub(super) fn nice(
        &mut self,
        key: Key,
        level: Option<i64>,
        pid: Option<Pid>,
    ) -> Result<Resume, Errno> {
        let target = match pid {
            Some(pid) => self.table.find(pid).ok_or(Errno::ESRCH)?,
            None => key,
        };
        let Some(level) = level else {
            return Ok(Resume::Nice(self.table[target].task.scheduling.nice));
        };
        let level = i8::try_from(level).ok().filter(|level| (-20..=19).contains(level));
        let level = level.ok_or(Errno::EINVAL)?;
        let caller = &self.table[key];
        if !caller.is_root() && (level < 0 || caller.user != self.table[target].user) {
            return Err(Errno::EPERM);
        }
        Rc::make_mut(&mut self.table[target].task.scheduling).nice = level;
        self.reprioritise(target);
        Ok(Resume::Nice(level))
    }

    /// `random`: each process has a stream of its own.
    pub(super) fn random(&mut self, key: Key) -> Outcome {
        let drawn = self.stream(key).next_u64();
        self.input(key, drawn, u64::MAX)
    }

    /// `choose`.
    pub(super) fn choose_input(&mut self, key: Key, last: u64) -> Outcome {
        let stream = self.stream(key);
        let drawn = match last.checked_add(1) {
            Some(count) => stream.below(count),
            None => stream.next_u64(),
        };
        self.input(key, drawn, last)
    }

    fn stream(&mut self, key: Key) -> &mut Stream {
        let seed = self.seed;
        let process = &mut self.table[key];
        let pid = process.pid().number();
        let stream = &mut process.rare().stream;
        stream.get_or_insert_with(|| Stream::derive(seed, StreamKind::Process, pid))
    }

    /// What an oracle says instead of what was drawn.
    fn input(&mut self, key: Key, drawn: u64, last: u64) -> Outcome {
        let pid = self.table[key].pid();
        let chosen = self.choose(&Choice::Input { pid, drawn, last });
        Outcome::Answer(Resume::Number(chosen.unwrap_or(drawn)))
    }

    /// `create_cell`.
    pub(super) fn create_cell(&mut self) -> Outcome {
        self.last_cell += 1;
        Outcome::Answer(Resume::Number(self.last_cell))
    }

    /// `log`.
    pub(super) fn log(&mut self, key: Key, text: &Bytes) -> Outcome {
        self.record(key, What::Logged { text });
        let process = &self.table[key];
        let written = self.console.line(self.now, process.pid(), &process.name, text);
        self.check_console(written);
        Outcome::Answer(Resume::Unit)
    }

    /// `diagnose`.
    pub(super) fn diagnose(&mut self, key: Key, text: &str) -> Outcome {
        self.say(key, text);
        Outcome::Answer(Resume::Unit)
    }

    /// Writes a message about a process.
    pub(crate) fn say(&mut self, key: Key, text: &str) {
        let process = &self.table[key];
        let written = self.console.diagnostic(self.now, process.pid(), &process.name, text);
        self.check_console(written);
    }

    fn check_console(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.error.get_or_insert(crate::error::RunError::Console(error));
        }
    }

    /// `unrepeatable`.
    pub(super) fn note_unrepeatable(&mut self, key: Key, why: &str) -> Outcome {
        if self.unrepeatable.is_none() {
            self.record(key, What::Unrepeatable);
            self.say(key, &format!("this run may not repeat: {why}"));
            self.unrepeatable = Some(why.to_owned());
        }
        Outcome::Answer(Resume::Flag(self.repeatable))
    }
}
