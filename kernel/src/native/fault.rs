// Signal handlers, and the way out of a stack that can't go on.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Once, OnceLock};
use std::thread;

use hothouse_abi::{ExitStatus, Signal};
use libc::{c_int, c_void, siginfo_t};

use super::control::{self, Control, End};
use super::registers::Registers;
use super::{heap, panics, place};

/// Why a process was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The signal that the host raised for it.
    pub(crate) signal: Signal,
    /// What it was.
    pub(crate) what: FaultKind,
    /// The addresses of the code that did it and, where that was told, of its callers, the innermost
    /// first; they differ from run to run.
    pub(crate) frames: Vec<usize>,
}

/// How many callers are noted.
pub(super) const FRAMES: usize = 24;

/// What a process did to be cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// It used more stack than it has.
    StackOverflow,
    /// It touched memory at this address, where it may not. A processor that doesn't tell, as for
    /// an address that none can have, makes it 0.
    BadAddress(usize),
    /// It ran an instruction that there is none of.
    IllegalInstruction,
    /// It divided integers by zero, or the like.
    Arithmetic,
    /// It ran into a breakpoint.
    Breakpoint,
    /// It panicked where no unwinding is possible: in a destructor that ran for another panic or
    /// for the death of the process, or in a function that must not unwind. The message.
    Panic(String),
    /// It called `abort`.
    Abort,
    /// It made no call for longer than the watchdog allows.
    Unresponsive,
}

impl Fault {
    /// Where in the program's source it was, such as `src/main.rs:12`, if that can be told. It may
    /// differ from one build to another.
    pub(crate) fn place(&self) -> Option<String> {
        match self.what {
            // Its message tells.
            FaultKind::Panic(_) => None,
            _ => place::of(&self.frames),
        }
    }

    /// The functions that were under way, the innermost first.
    pub(crate) fn functions(&self) -> Vec<String> {
        self.frames.iter().flat_map(|&pc| place::functions(pc)).collect()
    }

    /// What the parent is told.
    pub(crate) fn status(&self) -> ExitStatus {
        match &self.what {
            FaultKind::Panic(message) => ExitStatus::Panicked(message.clone()),
            _ => ExitStatus::Signaled(self.signal),
        }
    }
}

/// The same in every run: addresses, which are not, are left out.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::StackOverflow => f.write_str("stack overflow"),
            FaultKind::BadAddress(0..4096) => f.write_str("null pointer"),
            FaultKind::BadAddress(_) => f.write_str("bad address"),
            FaultKind::IllegalInstruction => f.write_str("illegal instruction"),
            FaultKind::Arithmetic => f.write_str("integer division by zero or overflow"),
            FaultKind::Breakpoint => f.write_str("breakpoint"),
            FaultKind::Panic(message) => f.write_str(message),
            FaultKind::Abort => f.write_str("abort"),
            FaultKind::Unresponsive => f.write_str("no call for longer than the watchdog allows"),
        }
    }
}

/// What the handler notes of a fault: plain data, made up into a [`Fault`] on the kernel's stack.
#[derive(Clone, Copy)]
pub(super) struct Trouble {
    pub(super) signal: Signal,
    pub(super) address: usize,
    pub(super) panicking: bool,
}

thread_local! {
    // As in [`Fault::frames`], with zeroes behind the last, for the trouble noted last. Const and
    // without a destructor, so that the handlers may write it.
    static NOTED: Cell<[usize; FRAMES]> = const { Cell::new([0; FRAMES]) };
}

impl Trouble {
    /// What to report of a process whose record this is.
    pub(super) fn fault(self, control: &Control) -> Fault {
        let what = match self.signal {
            Signal::SIGSEGV | Signal::SIGBUS if control.guard.contains(&self.address) => {
                FaultKind::StackOverflow
            }
            Signal::SIGILL => FaultKind::IllegalInstruction,
            Signal::SIGFPE => FaultKind::Arithmetic,
            Signal::SIGTRAP => FaultKind::Breakpoint,
            Signal::SIGABRT if self.panicking => FaultKind::Panic(panics::cut_off(control)),
            Signal::SIGABRT => FaultKind::Abort,
            Signal::SIGXCPU => FaultKind::Unresponsive,
            _ => FaultKind::BadAddress(self.address),
        };
        let frames = NOTED.take().into_iter().take_while(|&pc| pc != 0).collect();
        Fault { signal: self.signal, what, frames }
    }
}

/// The signals of faults under the host's numbers, and whoever handled them before.
static HANDLED: [(Signal, c_int, OnceLock<libc::sigaction>); 6] = [
    (Signal::SIGSEGV, libc::SIGSEGV, OnceLock::new()),
    (Signal::SIGBUS, libc::SIGBUS, OnceLock::new()),
    (Signal::SIGILL, libc::SIGILL, OnceLock::new()),
    (Signal::SIGFPE, libc::SIGFPE, OnceLock::new()),
    (Signal::SIGTRAP, libc::SIGTRAP, OnceLock::new()),
    (Signal::SIGABRT, libc::SIGABRT, OnceLock::new()),
];

/// Installs the handlers, once, and makes sure that this thread has a stack for them.
///
/// # Panics
///
/// If the host refuses a handler or the memory for that stack.
pub(super) fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        heap::install();
        for (_, number, previous) in &HANDLED {
            let old = previous.get_or_init(|| current_action(*number));
            let mut action = *old;
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler lives as long as the host and keeps to what one may do.
            let done = unsafe { libc::sigaction(*number, &action, ptr::null_mut()) };
            assert_eq!(done, 0, "the host accepts a handler for signal {number}");
        }
    });
    ALTERNATE.with_borrow_mut(|alternate| {
        if alternate.is_none() {
            *alternate = AlternateStack::ensure();
        }
    });
}

fn current_action(number: c_int) -> libc::sigaction {
    let mut old = MaybeUninit::zeroed();
    // SAFETY: asks only; all zeroes are a valid `sigaction` should it fail.
    unsafe {
        libc::sigaction(number, ptr::null(), old.as_mut_ptr());
        old.assume_init()
    }
}

/// Ends the process that the fault struck, if one did; else leaves it to whoever came before.
///
/// Nothing here allocates, locks or panics.
extern "C" fn handle(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some((signal, _, previous)) = HANDLED.iter().find(|handled| handled.1 == number) else {
        return;
    };
    // SAFETY: the host gave both to this handler.
    let (code, registers) = unsafe { ((*info).si_code, Registers::new(context)) };
    // SAFETY: as above.
    let own = code > 0 || (*signal == Signal::SIGABRT && unsafe { is_from_abort(info) });
    match control::current() {
        Some(control) if own && control.handler.stack_ptr_in_bounds(registers.sp()) => {
            contain(control, *signal, info, &registers);
        }
        _ => pass_on(number, code, previous.get(), info, context),
    }
}

/// Whether a signal was sent by this host process to one of its own threads, as `abort` does, and
/// not from outside.
///
/// # Safety
///
/// `info` is what the host gave to a handler.
unsafe fn is_from_abort(info: *const siginfo_t) -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: by the caller; a query is allowed in a signal handler.
    return unsafe { (*info).si_code == libc::SI_TKILL && (*info).si_pid() == libc::getpid() };
    #[cfg(not(target_os = "linux"))]
    // SAFETY: as above.
    return unsafe { (*info).si_pid() == libc::getpid() };
}

fn contain(control: &Control, signal: Signal, info: *mut siginfo_t, registers: &Registers) {
    let panicking = thread::panicking();
    let low = registers.sp().max(control.guard.end);
    // SAFETY: from there to the record is the stack of the interrupted process.
    let callers = || unsafe { heap::is_among_callers(low, ptr::from_ref(control).addr()) };
    // The C library aborts out of the allocator when it finds the heap broken.
    let heap = match signal {
        Signal::SIGABRT => !panicking && callers(),
        _ => heap::contains(registers.pc()),
    };
    if heap {
        end_host();
    }
    // SAFETY: the host filled it in for a fault.
    let address = unsafe { (*info).si_addr() } as usize;
    let frames = match signal {
        Signal::SIGABRT => place::callers(control, registers.pc()),
        // The stack may be in any state.
        _ => {
            let mut frames = [0; FRAMES];
            frames[0] = place_of_fault(control, address, registers);
            frames
        }
    };
    cut_off(control, Trouble { signal, address, panicking }, frames, registers);
}

/// The address of the code that faulted. A call of a bad address shows in nothing but what it was to
/// return to.
fn place_of_fault(control: &Control, address: usize, registers: &Registers) -> usize {
    let (pc, sp) = (registers.pc(), registers.sp());
    if cfg!(target_arch = "x86_64")
        && pc == address
        && sp >= control.guard.end
        && sp.is_multiple_of(size_of::<usize>())
    {
        // SAFETY: an aligned word above the guard, on the stack of the interrupted process.
        return unsafe { ptr::with_exposed_provenance::<usize>(sp).read_volatile() };
    }
    pc
}

/// Makes the process of this record, whose code these registers are of, return to the kernel.
pub(super) fn cut_off(
    control: &Control,
    trouble: Trouble,
    frames: [usize; FRAMES],
    registers: &Registers,
) {
    NOTED.set(frames);
    let control = ptr::from_ref(control);
    // SAFETY: the record outlives the run of the process, of which the function given here is the
    // last part. The stack pointer is in the process's stack, by the callers' checks, and the
    // registers are set at once. What lay on the stack is never run nor unwound, and the stack is
    // abandoned, so nothing on it is reused; what the process changed elsewhere stays as it is.
    let to = unsafe {
        (*control)
            .handler
            .setup_trap_handler(move || (*control).end.set(Some(End::Trouble(trouble))))
    };
    registers.set(&to);
}

/// Ends the host: with the heap in an unknown state nothing that allocates can go on.
pub(super) fn end_host() -> ! {
    let text = b"hothouse: a process faulted inside the C library's allocator. Its heap can't be \
        relied on any more, so the run ends here.\n";
    // SAFETY: both calls are allowed in a signal handler.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
        libc::_exit(4)
    }
}

fn pass_on(
    number: c_int,
    code: c_int,
    previous: Option<&libc::sigaction>,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    let Some(previous) = previous else { return };
    match previous.sa_sigaction {
        libc::SIG_IGN if code <= 0 => {}
        // The default action takes place when the fault strikes again after the return; what was
        // sent has to be sent again.
        libc::SIG_DFL | libc::SIG_IGN => {
            let mut action = *previous;
            action.sa_sigaction = libc::SIG_DFL;
            // SAFETY: takes the handler away; both calls are allowed in a signal handler.
            unsafe {
                libc::sigaction(number, &action, ptr::null_mut());
                if code <= 0 {
                    libc::raise(number);
                }
            }
        }
        function if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the flag says that the address is that of such a function.
            let function: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(function) };
            function(number, info, context);
        }
        function => {
            // SAFETY: without the flag it is that of such a function.
            let function: extern "C" fn(c_int) = unsafe { std::mem::transmute(function) };
            function(number);
        }
    }
}

thread_local! {
    static ALTERNATE: RefCell<Option<AlternateStack>> = const { RefCell::new(None) };
}

/// A stack for signal handlers on a thread that came without one, as threads that Rust did not
/// start do, or with one that is too small to look for callers on: an overflowing stack has no room
/// for a handler.
struct AlternateStack {
    memory: *mut c_void,
    old: libc::stack_t,
}

impl AlternateStack {
    const SIZE: usize = 64 * 1024;

    fn ensure() -> Option<AlternateStack> {
        // SAFETY: all zeroes are a valid `stack_t`, and the call only asks.
        let old = unsafe {
            let mut old: libc::stack_t = std::mem::zeroed();
            libc::sigaltstack(ptr::null(), &mut old);
            old
        };
        let in_use = old.ss_flags & libc::SS_ONSTACK != 0;
        if in_use || (old.ss_flags & libc::SS_DISABLE == 0 && old.ss_size >= Self::SIZE) {
            return None;
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: a new mapping at an address of the host's choice touches nothing that exists.
        let memory = unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, access, flags, -1, 0) };
        assert!(memory != libc::MAP_FAILED, "the host has 64 KiB for a signal stack");
        let stack = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: Self::SIZE };
        // SAFETY: the mapping stays until `drop`, which takes the stack away first.
        unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
        Some(AlternateStack { memory, old })
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: runs as the thread ends, so no handler is on this stack; the one that was there
        // before goes later.
        unsafe {
            libc::sigaltstack(&self.old, ptr::null_mut());
            libc::munmap(self.memory, Self::SIZE);
        }
    }
}
