use crate::{
    Bytes, Disposition, ExitStatus, Filter, LockId, LockKind, MaskHow, Name, Pid, Program,
    Scheduling, SignalNumber, SignalSet, Span, Tick, TimerId, Token, Value,
};

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident $word:literal $({ $($(#[$fdoc:meta])* $field:ident: $type:ty,)* })?;)*) => {
        /// A call into the kernel. The contract of each, case by case, is in the docs of the call
        /// of the same name on `Sys`.
        ///
        /// A `timeout` of `None` is for ever.
        // With a tag of a word, as `Resume`.
        #[derive(Debug)]
        #[repr(u64)]
        pub enum Trap {
            $($(#[$doc])* $name $({ $($(#[$fdoc])* $field: $type,)* })?,)*
        }

        impl Trap {
            /// How many kinds of trap there are.
            pub const KINDS: usize = [$($word,)*].len();

            /// The name of each kind, in order of [`Trap::kind`].
            pub const NAMES: [&'static str; Trap::KINDS] = [$($word,)*];

            /// The number of the kind, below [`Trap::KINDS`].
            pub const fn kind(&self) -> usize {
                enum Kind { $($name,)* }
                match self { $(Trap::$name { .. } => Kind::$name as usize,)* }
            }

            /// The name of the call, such as `"kill"`.
            pub const fn name(&self) -> &'static str {
                match self { $(Trap::$name { .. } => $word,)* }
            }
        }
    };
}

traps! {
    /// The caller's pid.
    Getpid "getpid";
    /// The parent's pid.
    Getppid "getppid";
    /// The caller's user.
    Getuser "getuser";
    /// Changes the caller's user.
    Setuser "setuser" {
        /// The new user.
        user: Name,
    };
    /// The caller's name.
    Getname "getname";
    /// All live pids.
    Getplist "getplist";
    /// What is known of a process.
    Getpinfo "getpinfo" {
        /// Of which.
        pid: Pid,
    };
    /// Reads or changes a nice level.
    Nice "nice" {
        /// The new level; `None` only reads.
        level: Option<i64>,
        /// Whose; `None` is the caller.
        pid: Option<Pid>,
    };
    /// Changes how a process is scheduled.
    SchedSetattr "sched_setattr" {
        /// Whose; `None` is the caller.
        pid: Option<Pid>,
        /// How.
        scheduling: Box<Scheduling>,
    };
    /// How a process is scheduled.
    SchedGetattr "sched_getattr" {
        /// Whose; `None` is the caller.
        pid: Option<Pid>,
    };
    /// Ends the caller's job, if it is in one, and waits for the release of its next.
    BeginJob "begin_job" {
        /// When that is, or was.
        release: Tick,
        /// When it is to be done; `None`: as the caller's scheduling says.
        deadline: Option<Tick>,
    };
    /// Ends the caller's job.
    EndJob "end_job";
    /// Signals a process.
    Kill "kill" {
        /// Whom.
        pid: Pid,
        /// With what; 0 only checks.
        signal: SignalNumber,
    };
    /// Changes what a signal does.
    Sigaction "sigaction" {
        /// Which.
        signal: SignalNumber,
        /// The new disposition; `None` only reads.
        disposition: Option<Disposition>,
    };
    /// Changes the signal mask.
    Sigprocmask "sigprocmask" {
        /// How.
        how: MaskHow,
        /// With which set.
        set: SignalSet,
    };
    /// The signals that wait for the mask.
    Sigpending "sigpending";
    /// Takes a pending signal of a set, or waits for one.
    Sigwait "sigwait" {
        /// The set.
        set: SignalSet,
        /// For how long.
        timeout: Option<Span>,
    };
    /// A handler returned.
    SigReturn "sigreturn";
    /// Sends an event to a process.
    Send "send_event" {
        /// To whom.
        pid: Pid,
        /// The event's name.
        name: Name,
        /// The event's data.
        data: Value,
    };
    /// Sends an event to the owner of a name.
    SendService "send_service_event" {
        /// The owned name.
        service: Name,
        /// The event's name.
        name: Name,
        /// The event's data.
        data: Value,
    };
    /// Takes the oldest sent event that matches.
    Receive "receive_event" {
        /// What matches.
        filter: Filter,
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// Takes the next event of any kind.
    NextEvent "next_event" {
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// Takes the next event of one of these names, of any kind.
    FilterEvent "filter_event" {
        /// The names.
        names: Vec<Name>,
        /// Whether sent events match by the name `remote_event`, as Phoenix programs see them.
        remote: bool,
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// The next event of any kind, which stays queued.
    PeekEvent "peek_event";
    /// Posts an event to the caller itself.
    QueueEvent "queue_event" {
        /// The event's name.
        name: Name,
        /// The event's data.
        data: Value,
    };
    /// Sends a request and waits for its reply.
    Call "call" {
        /// To whom.
        pid: Pid,
        /// The request's name.
        name: Name,
        /// The request's data.
        data: Value,
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// Answers a request.
    Reply "reply" {
        /// Who asked.
        pid: Pid,
        /// The token of the request; `None` if the event was no request.
        token: Option<Token>,
        /// The reply's name.
        name: Name,
        /// The reply's data.
        data: Value,
    };
    /// Takes a service name.
    Register "register" {
        /// The name.
        name: Name,
    };
    /// Gives a service name back.
    Unregister "unregister" {
        /// The name.
        name: Name,
    };
    /// The owner of a service name.
    Lookup "lookup" {
        /// The name.
        name: Name,
    };
    /// Starts a child.
    Spawn "spawn" {
        /// Its name.
        name: Name,
        /// What it runs; the kernel takes it if the spawn succeeds.
        program: Option<Program>,
    };
    /// Ends the caller.
    Exit "exit" {
        /// How.
        status: ExitStatus,
    };
    /// Tells whether the caller has exit hooks.
    AtExit "at_exit" {
        /// Whether it has any.
        hooks: bool,
    };
    /// Waits for a child's exit record.
    Wait "wait" {
        /// Which child; `None` is any.
        pid: Option<Pid>,
        /// For how long.
        timeout: Option<Span>,
    };
    /// Asks for the event `process_complete` when a child ends.
    Notices "notices" {
        /// Whether it is wanted.
        on: bool,
    };
    /// Asks for the event `down` when a process ends.
    Monitor "monitor" {
        /// Which.
        pid: Pid,
    };
    /// Takes that back.
    Demonitor "demonitor" {
        /// Which.
        pid: Pid,
    };
    /// Lets others run.
    Yield "yield_now";
    /// The time.
    Now "now";
    /// Waits for a while.
    Sleep "sleep" {
        /// How long.
        span: Span,
    };
    /// Waits until a point in time.
    SleepUntil "sleep_until" {
        /// Until when.
        tick: Tick,
    };
    /// Uses the CPU.
    Compute "compute" {
        /// For how long.
        span: Span,
    };
    /// Arms a timer: event `timer`.
    Timer "timer" {
        /// Fires after this long.
        span: Span,
    };
    /// Arms an alarm: event `alarm`.
    Alarm "alarm" {
        /// Fires at this time.
        at: Tick,
    };
    /// Cancels a timer or an alarm.
    Cancel "cancel" {
        /// Which.
        id: TimerId,
    };
    /// Writes a line to the machine's console.
    Log "log" {
        /// The line.
        text: Bytes,
    };
    /// Writes a message about the program itself, such as an uncaught error, to the machine's
    /// diagnostics.
    Diagnose "diagnose" {
        /// The message.
        text: String,
    };
    /// Says that the program did something whose result may differ from run to run.
    Unrepeatable "unrepeatable" {
        /// What it did and where.
        why: String,
    };
    /// Draws from the caller's random stream.
    Random "random";
    /// Draws a number up to `last`: an input that a search goes through.
    Choose "choose" {
        /// The greatest number.
        last: u64,
    };
    /// Makes a number for memory that processes share.
    CreateCell "create_cell";
    /// Says that shared memory is about to be read or written.
    Access "access" {
        /// Which.
        cell: u64,
        /// Whether it may be written.
        write: bool,
    };
    /// Makes a lock.
    CreateLock "create_lock" {
        /// Of which kind.
        kind: LockKind,
    };
    /// Removes a lock that nobody holds or waits for.
    DestroyLock "destroy_lock" {
        /// Which.
        id: LockId,
    };
    /// Locks a mutex.
    Lock "lock" {
        /// Which.
        id: LockId,
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// Locks a mutex if it is free.
    TryLock "try_lock" {
        /// Which.
        id: LockId,
    };
    /// Unlocks a mutex.
    Unlock "unlock" {
        /// Which.
        id: LockId,
    };
    /// Takes a permit of a semaphore.
    Acquire "acquire" {
        /// Which.
        id: LockId,
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// Takes a permit of a semaphore if there is one.
    TryAcquire "try_acquire" {
        /// Which.
        id: LockId,
    };
    /// Gives permits to a semaphore.
    Release "release" {
        /// Which.
        id: LockId,
        /// How many.
        permits: u64,
    };
    /// Unlocks a mutex, waits for a condition, locks the mutex again.
    WaitCondition "wait_condition" {
        /// The condition.
        id: LockId,
        /// The mutex.
        mutex: LockId,
        /// For how long to wait.
        timeout: Option<Span>,
    };
    /// Wakes one or all who wait for a condition.
    Notify "notify" {
        /// Which.
        id: LockId,
        /// All of them.
        all: bool,
    };
    /// Waits at a barrier.
    WaitBarrier "wait_barrier" {
        /// Which.
        id: LockId,
        /// For how long to wait.
        timeout: Option<Span>,
    };
}

impl Trap {
    /// Whether the call may wait, for something or for a CPU. In a destructor of a process that is
    /// dying such a call fails with `EINTR` at once.
    ///
    /// ```
    /// use hothouse_abi::{Span, Trap};
    /// assert!(Trap::Sleep { span: Span::ZERO }.parks());
    /// assert!(!Trap::Getpid.parks());
    /// ```
    pub const fn parks(&self) -> bool {
        matches!(
            self,
            Trap::Receive { .. }
                | Trap::NextEvent { .. }
                | Trap::FilterEvent { .. }
                | Trap::Call { .. }
                | Trap::Wait { .. }
                | Trap::Sigwait { .. }
                | Trap::Yield
                | Trap::Sleep { .. }
                | Trap::SleepUntil { .. }
                | Trap::BeginJob { .. }
                | Trap::Compute { .. }
                | Trap::Lock { .. }
                | Trap::Acquire { .. }
                | Trap::WaitCondition { .. }
                | Trap::WaitBarrier { .. }
        )
    }

    /// Whether it owns nothing, as far as can be told at a glance: then it may be forgotten instead
    /// of dropped, which is a call.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        match self {
            Trap::Send { name, data, .. }
            | Trap::Call { name, data, .. }
            | Trap::Reply { name, data, .. } => name.is_short() && data.is_plain(),
            Trap::Receive { filter, .. } => filter.is_plain(),
            _ => matches!(
                self,
                Trap::Getpid
                    | Trap::Getppid
                    | Trap::Kill { .. }
                    | Trap::SigReturn
                    | Trap::NextEvent { .. }
                    | Trap::Wait { .. }
                    | Trap::Yield
                    | Trap::Now
                    | Trap::Sleep { .. }
                    | Trap::SleepUntil { .. }
                    | Trap::Compute { .. }
                    | Trap::Timer { .. }
                    | Trap::Cancel { .. }
                    | Trap::Random
                    | Trap::Lock { .. }
                    | Trap::Unlock { .. }
            ),
        }
    }
}
