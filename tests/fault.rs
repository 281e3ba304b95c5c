//! Faults of every kind, for programs that are to fault.
// Only unsafe code can fault so.
#![allow(unsafe_code)]

use std::ptr;

use hothouse::{ExitStatus, Signal};

use crate::hostile::{Defer, overflow};

/// Reads from an address that is never mapped.
pub(crate) fn read(address: usize) -> i32 {
    assert!(address < 4096, "only the first page is never mapped");
    let address = std::hint::black_box(address);
    // SAFETY: none; this is the fault that the tests want. It strikes in a process, where the kernel
    // catches it.
    unsafe { ptr::with_exposed_provenance::<u8>(address).read_volatile() }.into()
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    StackOverflow,
    BadPointer,
    NullCall,
    IllegalInstruction,
    Division,
    Abort,
    AbortInDestructor,
    Panic,
    PanicWhilePanicking,
}

impl Fault {
    pub(crate) const ALL: [Fault; 9] = [
        Fault::StackOverflow,
        Fault::BadPointer,
        Fault::NullCall,
        Fault::IllegalInstruction,
        Fault::Division,
        Fault::Abort,
        Fault::AbortInDestructor,
        Fault::Panic,
        Fault::PanicWhilePanicking,
    ];

    /// Does it.
    pub(crate) fn strike(self) -> i32 {
        match self {
            Fault::StackOverflow => overflow(0) as i32,
            Fault::BadPointer => read(64),
            Fault::NullCall => call_null(),
            Fault::IllegalInstruction => illegal(),
            Fault::Division => divide(),
            Fault::Abort => std::process::abort(),
            Fault::AbortInDestructor => {
                drop(Defer(|| std::process::abort()));
                0
            }
            Fault::Panic => panic!("on purpose"),
            Fault::PanicWhilePanicking => {
                let _defer = Defer(|| panic!("second"));
                panic!("first");
            }
        }
    }

    /// The signal that ends the process; none for a panic.
    pub(crate) fn signal(self) -> Option<Signal> {
        match self {
            Fault::StackOverflow | Fault::BadPointer | Fault::NullCall => Some(Signal::SIGSEGV),
            Fault::IllegalInstruction => Some(Signal::SIGILL),
            // Where the processor divides by zero without complaint, it is a breakpoint instead.
            Fault::Division if cfg!(target_arch = "x86_64") => Some(Signal::SIGFPE),
            Fault::Division => Some(Signal::SIGTRAP),
            Fault::Abort | Fault::AbortInDestructor => Some(Signal::SIGABRT),
            Fault::Panic | Fault::PanicWhilePanicking => None,
        }
    }

    /// Whether this is how a process ends that did it.
    pub(crate) fn is_told_by(self, status: &ExitStatus) -> bool {
        match (self.signal(), status) {
            (Some(signal), ExitStatus::Signaled(by)) => signal == *by,
            (None, ExitStatus::Panicked(text)) => {
                let first = if self == Fault::Panic { "on purpose" } else { "second" };
                text.starts_with(first) && text.contains(" at tests/fault.rs:")
            }
            _ => false,
        }
    }
}

#[inline(never)]
fn call_null() -> i32 {
    let null = std::hint::black_box(0usize);
    // SAFETY: none; this is the fault that the tests want.
    let function = unsafe { std::mem::transmute::<usize, extern "C" fn() -> i32>(null) };
    function() + 1
}

fn illegal() -> i32 {
    // SAFETY: none; this is the fault that the tests want.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("ud2");
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("udf #0");
    }
    0
}

fn divide() -> i32 {
    // SAFETY: none; this is the fault that the tests want.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("div {0:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _);
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("brk #0");
    }
    0
}
