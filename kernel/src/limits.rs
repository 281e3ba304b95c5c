//! Every bound of a machine, in one place.

use hothouse_abi::Span;

/// The bounds of a machine. Reaching one is an errno for the program or a
/// [`RunError`](crate::RunError) for the host, never a crash.
///
/// ```
/// use hothouse_kernel::Limits;
/// let limits = Limits { processes: 10, ..Limits::default() };
/// assert_eq!(limits.name_bytes, 255);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Live processes and unread exit records together. Past it `spawn` is `EAGAIN`.
    pub processes: usize,
    /// Events in one mailbox. Past it a send is `EAGAIN`.
    pub mailbox_events: usize,
    /// Bytes in one mailbox. Past it a send is `EAGAIN`; one event over it is `EMSGSIZE`.
    pub mailbox_bytes: usize,
    /// Bytes in a name of any kind. Past it `ENAMETOOLONG`.
    pub name_bytes: usize,
    /// Service names of one process. Past it `register` is `EAGAIN`.
    pub names_per_process: usize,
    /// Timers of one process, armed or fired and not yet taken. Past it `timer` is `EAGAIN`.
    pub timers_per_process: usize,
    /// Monitors of one process. Past it, or with a full mailbox, `monitor` is `EAGAIN`.
    pub monitors_per_process: usize,
    /// Locks that one process holds open. Past it `create_lock` is `EAGAIN`.
    pub locks_per_process: usize,
    /// Handlers of one process that run over one another. A signal past it stays pending.
    pub nested_handlers: usize,
    /// Bytes of the stack of a native process.
    pub stack_bytes: usize,
    /// Free stacks that keep their memory for the next processes, beside as many as there are stacks
    /// in use. Once there are more, the memory of all but these goes back to the host.
    pub spare_stacks: usize,
    /// How long exit hooks may take.
    pub exit_time: Span,
    /// Steps at one instant of virtual time. Past it the run ends with `RunError::Livelock`. A
    /// process that makes more traps while it is unwound is given up with its stack.
    pub steps_at_one_instant: u64,
    /// Steps of a run. Past it the run ends with `RunError::Steps`.
    pub steps: u64,
    /// Exit records that the report keeps, of processes from outside and of orphans; later ones
    /// are only counted, but for that of pid 1.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            processes: 1 << 20,
            mailbox_events: 1 << 20,
            mailbox_bytes: 256 << 20,
            name_bytes: 255,
            names_per_process: 1 << 20,
            timers_per_process: 1 << 20,
            monitors_per_process: 1 << 20,
            locks_per_process: 1 << 16,
            nested_handlers: 32,
            stack_bytes: 64 << 10,
            spare_stacks: 1024,
            exit_time: Span::from_secs(1),
            steps_at_one_instant: 20_000_000,
            steps: u64::MAX,
            records: 1 << 16,
        }
    }
}

/// What the kernel itself costs, in virtual time. All 0 by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// CPU time of a trap, charged to the process.
    pub trap: Span,
    /// Time of a CPU to change from one process to another.
    pub switch: Span,
    /// Further time when the process last ran on another CPU.
    pub migration: Span,
}
