// The stack of code that a signal interrupted is walked in the handler.
#![allow(unsafe_code)]

//! Where in a program's source an address of its code is, and who called it.

use std::ffi::c_void;

use super::control::{Control, on_kernels_stack};
use super::fault::FRAMES;

/// `file:line` of the first address that is a program's in Rust, else of the first that is not the
/// standard library's, as far as the host's debug information tells.
pub(super) fn of(frames: &[usize]) -> Option<String> {
    let mut best: Option<(u8, String)> = None;
    for &pc in frames {
        each(pc, |symbol| {
            let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) else { return };
            let rank = match (file.starts_with("/rustc"), file.extension()) {
                (true, _) => 2,
                (false, Some(extension)) if extension == "rs" => 0,
                (false, _) => 1,
            };
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, format!("{}:{line}", file.display())));
            }
        });
        if best.as_ref().is_some_and(|(rank, _)| *rank == 0) {
            break;
        }
    }
    best.map(|(_, place)| place)
}

/// A line for each function at an address, the innermost first.
pub(super) fn functions(pc: usize) -> Vec<String> {
    let mut lines = Vec::new();
    each(pc, |symbol| {
        let name = symbol.name().map_or_else(|| "?".to_owned(), |name| format!("{name:#}"));
        lines.push(match (symbol.filename(), symbol.lineno()) {
            (Some(file), Some(line)) => format!("{name} at {}:{line}", file.display()),
            _ => name,
        });
    });
    lines
}

fn each(pc: usize, mut tell: impl FnMut(&backtrace::Symbol)) {
    if pc != 0 {
        let pc = std::ptr::without_provenance_mut::<c_void>(pc);
        // It takes a lock, and a process may drive the kernel that looks it up.
        on_kernels_stack(|| backtrace::resolve(pc, |symbol| tell(symbol)));
    }
}

/// The code that a handler interrupted, and that of its callers on the process's stack. For code whose
/// stack is in order, in the handler itself.
pub(super) fn callers(control: &Control, pc: usize) -> [usize; FRAMES] {
    let mut frames = [0; FRAMES];
    let mut count = 0;
    // SAFETY: called on one thread at a time for the threads' own unwinders, which neither allocate
    // nor lock; the code that was interrupted is in no unwinder of its own that this could disturb.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let ip = frame.ip() as usize;
            if count == 0 && ip != pc {
                // The handler's own.
                return true;
            }
            if !control.handler.stack_ptr_in_bounds(frame.sp() as usize) && count > 0 {
                return false;
            }
            frames[count] = ip;
            count += 1;
            count < FRAMES
        });
    }
    frames[0] = pc;
    frames
}
