// The switch in assembly, and the coroutine calls that it stands in for.
#![allow(unsafe_code)]

//! The switch between the kernel's stack and that of a process which is suspended in a trap.
//!
//! A processor predicts a return by the call that it matched last. corosensei enters a coroutine by
//! a call and leaves it by a return, which fits as long as suspending happens in the very function
//! that was resumed. A process suspends inside [`Gate::trap`](hothouse_abi::Gate::trap), from which
//! it then returns, so that each round would mispredict two returns: more than the rest of a trap
//! costs together. On x86-64 the switch is therefore made here, by jumps, which disturb no
//! prediction. It leaves both stacks exactly as corosensei 0.3.4 would, so that starting, ending,
//! faulting and backtraces remain corosensei's: another version has to be checked against it.

use corosensei::{Coroutine, CoroutineResult, Yielder};
use hothouse_abi::Frame;

use super::arena::Stack;
use super::control::Control;

/// A process's coroutine. Its end is left in its [`Control`].
pub(super) type Fiber = Coroutine<(), *mut Frame, (), Stack>;

/// The way from a process's stack to the kernel's.
pub(super) type Way = Yielder<(), *mut Frame>;

/// Suspends the process that calls it, until it is resumed.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn suspend(control: &Control, frame: *mut Frame) {
    debug_assert!(!control.way.get().is_null(), "invariant: the root of a stack sets its way");
    // SAFETY: the control's way is set before the program's first line, and a `Yielder` is the
    // place of the parent's stack pointer. What is pushed here is what `resume` and the coroutine's
    // own resume take off again, in their order; the registers that are neither pushed nor named
    // are declared clobbered.
    unsafe {
        std::arch::asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rcx], rsp",
            "mov rsi, rsp",
            "mov rsp, [rdx]",
            "pop rbp",
            "pop rax",
            "jmp rax",
            // Resumed: rsi is the stack's base and rdx the stack pointer from above.
            "2:",
            "push rbp",
            "mov [rsi - 16], rsp",
            "lea rsp, [rdx + 8]",
            "pop rbx",
            "pop rbp",
            inlateout("rdi") frame => _,
            inlateout("rdx") control.way.get() => _,
            inlateout("rcx") control.left_at.as_ptr() => _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
}

/// Runs the process until it suspends itself, and gives its frame; null when it has ended.
/// `suspended_at` is its stack pointer as it is suspended in a trap; 0 before its first trap and
/// after its end. Where corosensei makes the switch it stays 0.
///
/// # Panics
///
/// If it has ended before.
///
/// # Safety
///
/// The record lies at the base of the stack of a process that does not run, whose `suspended_at`
/// this is.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn resume(control: &Control, suspended_at: &mut usize) -> *mut Frame {
    if *suspended_at == 0 {
        // SAFETY: the caller's promise.
        return unsafe { resume_by_call(control, suspended_at) };
    }
    let frame: *mut Frame;
    // SAFETY: the process is suspended in `suspend`, whose stack pointer and base these are. It
    // comes back to the label, by `suspend` or by the coroutine's end, with the stack as it was,
    // less what is pushed; the registers that are neither pushed nor named are declared clobbered.
    unsafe {
        std::arch::asm!(
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "jmp [rdx]",
            "2:",
            "pop rbx",
            lateout("rdi") frame,
            inlateout("rsi") std::ptr::from_ref(control) => *suspended_at,
            in("rdx") *suspended_at,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    if *suspended_at == 0 {
        // SAFETY: the coroutine is the caller's. It has come to its end, or the fault handler
        // brought it there; it only has not noticed. Its root has left `()` or, never, a panic as
        // its result.
        unsafe { (*control.fiber.get()).force_reset() };
        return std::ptr::null_mut();
    }
    frame
}

/// Suspends the process that calls it, until it is resumed.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn suspend(control: &Control, frame: *mut Frame) {
    // SAFETY: set before the program's first line, and valid while its stack exists.
    unsafe { (*control.way.get()).suspend(frame) };
}

/// Runs the process until it suspends itself, and gives its frame; null when it has ended.
///
/// # Panics
///
/// If it has ended before.
///
/// # Safety
///
/// The process of this record does not run.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) unsafe fn resume(control: &Control, suspended_at: &mut usize) -> *mut Frame {
    // SAFETY: the caller's promise.
    unsafe { resume_by_call(control, suspended_at) }
}

#[inline]
unsafe fn resume_by_call(control: &Control, suspended_at: &mut usize) -> *mut Frame {
    // SAFETY: the coroutine is the kernel's alone, and by the caller's promise nobody resumes it.
    let fiber = unsafe { &mut *control.fiber.get() };
    match fiber.resume(()) {
        CoroutineResult::Yield(frame) => {
            *suspended_at = control.left_at.get();
            frame
        }
        CoroutineResult::Return(()) => std::ptr::null_mut(),
    }
}
