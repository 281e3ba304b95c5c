// Reads and writes the machine state that the host hands to a signal handler.
#![allow(unsafe_code)]

use corosensei::trap::TrapHandlerRegs;
use libc::{c_void, ucontext_t};

/// The registers of the code that a signal interrupted.
pub(super) struct Registers {
    context: *mut ucontext_t,
}

impl Registers {
    /// # Safety
    ///
    /// `context` is what the host gave a `SA_SIGINFO` handler that has not returned yet.
    pub(super) unsafe fn new(context: *mut c_void) -> Registers {
        Registers { context: context.cast() }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Registers {
    /// Bit 10 of the flags: string instructions count downwards.
    const DIRECTION: i64 = 1 << 10;

    fn get(&self, register: libc::c_int) -> usize {
        // SAFETY: valid by `new`; the index is one of libc's own.
        unsafe { (&(*self.context).uc_mcontext.gregs)[register as usize] as usize }
    }

    /// The program counter.
    pub(super) fn pc(&self) -> usize {
        self.get(libc::REG_RIP)
    }

    /// The stack pointer.
    pub(super) fn sp(&self) -> usize {
        self.get(libc::REG_RSP)
    }

    /// Sets where the interrupted code goes on.
    pub(super) fn set(&self, to: &TrapHandlerRegs) {
        // SAFETY: valid by `new`, and nobody else refers to it.
        let registers = unsafe { &mut (*self.context).uc_mcontext.gregs };
        registers[libc::REG_RIP as usize] = to.rip as i64;
        registers[libc::REG_RSP as usize] = to.rsp as i64;
        registers[libc::REG_RBP as usize] = to.rbp as i64;
        registers[libc::REG_RDI as usize] = to.rdi as i64;
        registers[libc::REG_RSI as usize] = to.rsi as i64;
        // A function may count on it being clear when it is called.
        registers[libc::REG_EFL as usize] &= !Self::DIRECTION;
    }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
impl Registers {
    /// The program counter.
    pub(super) fn pc(&self) -> usize {
        // SAFETY: valid by `new`.
        unsafe { (*self.context).uc_mcontext.pc as usize }
    }

    /// The stack pointer.
    pub(super) fn sp(&self) -> usize {
        // SAFETY: valid by `new`.
        unsafe { (*self.context).uc_mcontext.sp as usize }
    }

    /// Sets where the interrupted code goes on.
    pub(super) fn set(&self, to: &TrapHandlerRegs) {
        // SAFETY: valid by `new`, and nobody else refers to it.
        let registers = unsafe { &mut (*self.context).uc_mcontext };
        registers.pc = to.pc;
        registers.sp = to.sp;
        registers.regs[0] = to.x0;
        registers.regs[1] = to.x1;
        registers.regs[29] = to.x29;
        registers.regs[30] = to.lr;
    }
}

#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
impl Registers {
    /// The program counter.
    pub(super) fn pc(&self) -> usize {
        // SAFETY: valid by `new`, as is the state that it points to.
        unsafe { (*(*self.context).uc_mcontext).__ss.__rip as usize }
    }

    /// The stack pointer.
    pub(super) fn sp(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*(*self.context).uc_mcontext).__ss.__rsp as usize }
    }

    /// Sets where the interrupted code goes on.
    pub(super) fn set(&self, to: &TrapHandlerRegs) {
        // SAFETY: as above, and nobody else refers to it.
        let registers = unsafe { &mut (*(*self.context).uc_mcontext).__ss };
        registers.__rip = to.rip;
        registers.__rsp = to.rsp;
        registers.__rbp = to.rbp;
        registers.__rdi = to.rdi;
        registers.__rsi = to.rsi;
        // The direction flag: a function may count on it being clear when it is called.
        registers.__rflags &= !(1 << 10);
    }
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
impl Registers {
    /// The program counter.
    pub(super) fn pc(&self) -> usize {
        // SAFETY: valid by `new`, as is the state that it points to.
        unsafe { (*(*self.context).uc_mcontext).__ss.__pc as usize }
    }

    /// The stack pointer.
    pub(super) fn sp(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*(*self.context).uc_mcontext).__ss.__sp as usize }
    }

    /// Sets where the interrupted code goes on.
    pub(super) fn set(&self, to: &TrapHandlerRegs) {
        // SAFETY: as above, and nobody else refers to it.
        let registers = unsafe { &mut (*(*self.context).uc_mcontext).__ss };
        registers.__pc = to.pc;
        registers.__sp = to.sp;
        registers.__x[0] = to.x0;
        registers.__x[1] = to.x1;
        registers.__fp = to.x29;
        registers.__lr = to.lr;
    }
}
