//! The calls of [`Sys`](crate::Sys), one file a subject.

use hothouse_abi::Frame;

/// Makes a trap and reads its answer in place: `call!(sys, trap, pattern => value, ..)` is `Ok` of
/// the value, or `Err` of the errno.
macro_rules! call {
    ($sys:expr, $trap:expr, $($answer:pat => $value:expr),+ $(,)?) => {{
        let mut frame = ::hothouse_abi::Frame::new($trap);
        $sys.trap(&mut frame);
        match frame.resume {
            $($answer => Ok($value),)+
            ::hothouse_abi::Resume::Error(errno) => Err(errno),
            _ => $crate::calls::wrong_answer(&frame),
        }
    }};
}

mod event;
mod lock;
mod name;
mod process;
mod scheduling;
mod signal;
mod time;

#[cold]
fn wrong_answer(frame: &Frame) -> ! {
    let Frame { trap, resume, .. } = frame;
    panic!("the kernel answered {} with {resume:?}", trap.name())
}
