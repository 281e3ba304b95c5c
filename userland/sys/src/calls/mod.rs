//! The calls of [`Sys`](crate::Sys), one file a subject.

use hothouse_abi::{Resume, Trap};

/// Makes a trap and reads its answer in place: `call!(sys, trap, pattern => value, ..)` is `Ok` of
/// the value, or `Err` of the errno. What an answer owns is moved out of it by `owned pattern`;
/// `call!(sys, trap, event)` is for an event.
///
/// What is known to own nothing is forgotten, since to drop it is a call: 35 instructions of an
/// empty trap's hundred. The kernel only ever takes out of a trap, so that one which owned nothing
/// before still does; known before, it costs nothing where the compiler sees what the trap is.
macro_rules! call {
    ($sys:expr, $trap:expr, event) => {{
        let mut frame = ::hothouse_abi::Frame {
            trap: $trap,
            // So that an event can be moved to where it is read.
            resume: ::hothouse_abi::Resume::Event(::hothouse_abi::Event::EMPTY),
            unwinding: false,
            atomic: false,
        };
        let plain = frame.trap.is_plain();
        $sys.trap(&mut frame);
        let result = match &mut frame.resume {
            ::hothouse_abi::Resume::Event(event) => Ok(event.take()),
            ::hothouse_abi::Resume::Error(errno) => Err(*errno),
            other => $crate::calls::wrong_answer(&frame.trap, other),
        };
        ::std::mem::forget(frame.resume);
        if plain {
            ::std::mem::forget(frame.trap);
        }
        result
    }};
    ($sys:expr, $trap:expr, owned $answer:pat => $value:expr) => {{
        // Made where it stays: a copy would wait for the store buffer.
        let mut frame = ::hothouse_abi::Frame {
            trap: $trap,
            resume: ::hothouse_abi::Resume::Unit,
            unwinding: false,
            atomic: false,
        };
        let plain = frame.trap.is_plain();
        $sys.trap(&mut frame);
        match frame.resume {
            $answer => {
                if plain {
                    ::std::mem::forget(frame.trap);
                }
                Ok($value)
            }
            ::hothouse_abi::Resume::Error(errno) => Err(errno),
            ref other => $crate::calls::wrong_answer(&frame.trap, other),
        }
    }};
    ($sys:expr, $trap:expr, $($answer:pat => $value:expr),+ $(,)?) => {{
        let mut frame = ::hothouse_abi::Frame {
            trap: $trap,
            resume: ::hothouse_abi::Resume::Unit,
            unwinding: false,
            atomic: false,
        };
        let plain = frame.trap.is_plain();
        $sys.trap(&mut frame);
        let result = match frame.resume {
            $($answer => Ok($value),)+
            ::hothouse_abi::Resume::Error(errno) => Err(errno),
            ref other => $crate::calls::wrong_answer(&frame.trap, other),
        };
        ::std::mem::forget(frame.resume);
        if plain {
            ::std::mem::forget(frame.trap);
        }
        result
    }};
}

mod event;
mod lock;
mod name;
mod process;
mod scheduling;
mod shared;
mod signal;
mod time;

#[cold]
fn wrong_answer(trap: &Trap, answer: &Resume) -> ! {
    panic!("the kernel answered {} with {answer:?}", trap.name())
}
