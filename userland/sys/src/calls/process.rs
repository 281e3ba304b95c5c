use std::panic::resume_unwind;
use std::time::Duration;

use hothouse_abi::{
    Bytes, Errno, Exit, Frame, Name, Pid, ProcessInfo, Program, Resume, Trap, Unwinding,
};

use crate::{Outcome, Sys, program};

impl Sys<'_> {
    /// The caller's pid.
    #[inline]
    pub fn getpid(&self) -> Pid {
        call!(self, Trap::Getpid, Resume::Pid(pid) => pid).unwrap_or_default()
    }

    /// The parent's pid; [`Pid::KERNEL`] for an orphan and for a process from outside.
    #[inline]
    pub fn getppid(&self) -> Pid {
        call!(self, Trap::Getppid, Resume::Pid(pid) => pid).unwrap_or_default()
    }

    /// The caller's user. Processes from outside start as `root`, children with their parent's.
    pub fn getuser(&self) -> Name {
        call!(self, Trap::Getuser, owned Resume::Bytes(user) => Name::from(user))
            .unwrap_or_default()
    }

    /// Changes the caller's user.
    ///
    /// # Errors
    ///
    /// `EPERM` if the caller is not root; `ENAMETOOLONG` over the machine's limit.
    pub fn setuser(&self, user: impl Into<Name>) -> Result<(), Errno> {
        call!(self, Trap::Setuser { user: user.into() }, Resume::Unit => ())
    }

    /// The caller's name, as its parent gave it.
    pub fn getname(&self) -> Name {
        call!(self, Trap::Getname, owned Resume::Bytes(name) => Name::from(name))
            .unwrap_or_default()
    }

    /// The pids of all live processes, ascending.
    pub fn getplist(&self) -> Vec<Pid> {
        call!(self, Trap::Getplist, owned Resume::Pids(pids) => pids).unwrap_or_default()
    }

    /// What is known of a process.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Sys};
    /// fn busiest(sys: &Sys) -> Option<hothouse_sys::Pid> {
    ///     let infos = sys.getplist().into_iter().filter_map(|pid| sys.getpinfo(pid).ok());
    ///     infos.max_by_key(|info| info.cpu_time).map(|info| info.pid)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process.
    pub fn getpinfo(&self, pid: Pid) -> Result<ProcessInfo, Errno> {
        call!(self, Trap::Getpinfo { pid }, owned Resume::Info(info) => *info)
    }

    /// Sets the nice level of a process, or the caller's for `None`, and returns it. From -20, the
    /// most urgent, to 19; what it does is the policy's to say.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Pid, Sys};
    /// # fn demo(sys: &Sys, child: Pid) -> Result<(), Errno> {
    /// sys.nice(10, None)?;
    /// sys.nice(-5, child)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` outside -20..=19; `EPERM` for a level below 0 or another user's process, if the
    /// caller is not root; `ESRCH` if there is no such process.
    pub fn nice(&self, level: i64, pid: impl Into<Option<Pid>>) -> Result<i8, Errno> {
        let trap = Trap::Nice { level: Some(level), pid: pid.into() };
        call!(self, trap, Resume::Nice(level) => level)
    }

    /// The nice level of a process, or the caller's for `None`.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process.
    pub fn getnice(&self, pid: impl Into<Option<Pid>>) -> Result<i8, Errno> {
        call!(self, Trap::Nice { level: None, pid: pid.into() }, Resume::Nice(level) => level)
    }

    /// Starts a child of this name that runs `main`, as the caller's user. It first runs when the
    /// policy picks it.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Sys};
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let parent = sys.getpid();
    /// let child = sys.spawn("worker", move |sys| sys.send_event(parent, "ready", ()))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the machine's limit of processes, with unread exit records counted;
    /// `ENAMETOOLONG` if the name is over its limit. A child for which there is no stack ends
    /// `Failed` when it is to run first.
    #[inline]
    pub fn spawn<F, R>(&self, name: impl Into<Name>, main: F) -> Result<Pid, Errno>
    where
        F: FnOnce(&Sys) -> R + 'static,
        R: Outcome,
    {
        self.spawn_program(name, program(main))
    }

    /// Starts a child of this name that runs `program`, of whatever kind.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Sys::spawn).
    #[inline(always)]
    pub fn spawn_program(&self, name: impl Into<Name>, program: Program) -> Result<Pid, Errno> {
        // In its parts: a copy as a whole would wait until those have left the store buffer.
        let Program { code, personality, scheduling } = program;
        let program = Some(Program { code, personality, scheduling });
        call!(self, Trap::Spawn { name: name.into(), program }, Resume::Pid(pid) => pid)
    }

    /// Ends the caller: its exit hooks run, its stack unwinds with all destructors, and its timers,
    /// names, locks and queued events go.
    ///
    /// ```
    /// # use hothouse_sys::{ExitStatus, program};
    /// let gives_up = program(|sys| {
    ///     if sys.lookup("server").is_none() {
    ///         sys.exit(ExitStatus::Failed("no server".into()));
    ///     }
    /// });
    /// ```
    pub fn exit(&self, status: impl Outcome) -> ! {
        let mut frame = Frame::new(Trap::Exit { status: status.status() });
        self.trap(&mut frame);
        // Only the gate of a process that is dying already returns.
        resume_unwind(Box::new(Unwinding))
    }

    /// Waits for a child to end, or for any child if `None`, and takes its exit record. A record
    /// can be read once.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Sys};
    /// # use std::time::Duration;
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let child = sys.spawn("worker", |sys| sys.compute(Duration::from_millis(5)))?;
    /// let exit = sys.wait(child, Some(Duration::from_secs(1)))?;
    /// assert!(exit.status.is_success());
    /// assert_eq!(sys.wait(None, None), Err(Errno::ECHILD));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `ECHILD` if there is no such child; `ETIMEDOUT`; `EINTR` after an interrupting handler.
    #[inline]
    pub fn wait(
        &self,
        pid: impl Into<Option<Pid>>,
        timeout: Option<Duration>,
    ) -> Result<Exit, Errno> {
        let trap = Trap::Wait { pid: pid.into(), timeout: timeout.map(Into::into) };
        call!(self, trap, owned Resume::Exit(exit) => *exit)
    }

    /// Runs `hook` when the caller ends by return, `exit`, panic, error or any signal but
    /// `SIGKILL`: oldest first, each once. A hook may make calls and wait; all together may take
    /// one virtual second. A panic in one is reported and does not stop the others.
    ///
    /// ```
    /// # use hothouse_sys::program;
    /// let tidy = program(|sys| {
    ///     sys.at_exit(|sys| sys.log("goodbye"));
    ///     sys.log("hello");
    /// });
    /// ```
    pub fn at_exit(&self, hook: impl FnOnce(&Sys) + 'static) {
        let known = !self.hooks.borrow().is_empty();
        if known || call!(self, Trap::AtExit { hooks: true }, Resume::Unit => ()).is_ok() {
            self.hooks.borrow_mut().push(hook);
        }
    }

    /// Says whether the caller wants the event `process_complete` when a child ends, with its
    /// `id` and its `value`, `error` or `signal`. Off at first.
    pub fn notices(&self, on: bool) {
        // Refused only to the dying, who will get no events.
        let _: Result<(), Errno> = call!(self, Trap::Notices { on }, Resume::Unit => ());
    }

    /// Asks for the event `down` with `{id, status}`, exactly once, when a process ends; at once,
    /// with the status unknown, if there is no such process.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Pid, Sys};
    /// # fn demo(sys: &Sys, peer: Pid) -> Result<(), Errno> {
    /// sys.monitor(peer)?;
    /// let down = sys.filter_event(["down"], None)?;
    /// assert_eq!(down.data.get("id").as_pid(), Some(peer));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of monitors for a process, or with a full mailbox.
    pub fn monitor(&self, pid: Pid) -> Result<(), Errno> {
        call!(self, Trap::Monitor { pid }, Resume::Unit => ())
    }

    /// Takes a [`monitor`](Sys::monitor) back. Without one it does nothing.
    pub fn demonitor(&self, pid: Pid) {
        // Refused only to the dying, who will get no events.
        let _: Result<(), Errno> = call!(self, Trap::Demonitor { pid }, Resume::Unit => ());
    }

    /// Writes one line to the machine's console, with the time and the caller's pid.
    ///
    /// ```
    /// # fn demo(sys: &hothouse_sys::Sys) {
    /// sys.log("ready");
    /// sys.log(format!("{} requests", 3));
    /// # }
    /// ```
    pub fn log(&self, text: impl Into<Bytes>) {
        // A line that the machine refuses can't be told to anybody.
        let _: Result<(), Errno> = call!(self, Trap::Log { text: text.into() }, Resume::Unit => ());
    }

    /// Writes a message about the program itself to the machine's diagnostics, which are kept
    /// apart from its console.
    pub fn diagnose(&self, text: impl Into<String>) {
        let trap = Trap::Diagnose { text: text.into() };
        let _: Result<(), Errno> = call!(self, trap, Resume::Unit => ());
    }

    /// Says that the program did something whose result may differ from run to run, and where.
    /// True if this run is one that must be repeatable, so that the program should not go on.
    pub fn unrepeatable(&self, why: impl Into<String>) -> bool {
        let trap = Trap::Unrepeatable { why: why.into() };
        call!(self, trap, Resume::Flag(strict) => strict).unwrap_or_default()
    }

    /// Draws 64 bits from the caller's own random stream, which the machine's seed and its pid
    /// decide.
    ///
    /// ```
    /// # fn demo(sys: &hothouse_sys::Sys) {
    /// let die = 1 + sys.random() % 6;
    /// # }
    /// ```
    #[inline]
    pub fn random(&self) -> u64 {
        call!(self, Trap::Random, Resume::Number(number) => number).unwrap_or_default()
    }

    /// A number below `count`, from the caller's own random stream. A search through schedules takes
    /// it for an input: it goes through all of up to 256, and makes it smaller in what it reports.
    ///
    /// ```
    /// # fn demo(sys: &hothouse_sys::Sys) {
    /// let crashes = sys.choose(2) == 1;
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    pub fn choose(&self, count: u64) -> u64 {
        assert!(count > 0, "there is no number below 0 to choose");
        let trap = Trap::Choose { last: count - 1 };
        call!(self, trap, Resume::Number(number) => number).unwrap_or_default()
    }
}
