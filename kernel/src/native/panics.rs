use std::any::Any;
use std::cell::Cell;
use std::mem;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;
use std::thread;

use hothouse_abi::{ExitStatus, Unwinding, Value};

use super::control::{self, Control};

/// How many panics of a process are remembered; a program may catch any number.
const REMEMBERED: usize = 8;

/// A panic as the hook saw it.
#[derive(Debug)]
pub(super) struct PanicRecord {
    /// The message, if the payload is text.
    text: Option<String>,
    /// `file:line:column`.
    place: Option<String>,
}

/// Wraps the host's panic hook, once, so that panics of processes are taken down and not printed.
pub(super) fn install() {
    static INSTALL: Once = Once::new();
    // The standard library does not let a panicking thread change the hook.
    if thread::panicking() {
        return;
    }
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| match control::current() {
            _ if SETTLING.get() => leave_hook(),
            Some(control) => take_down(control, info),
            None => previous(info),
        }));
    });
}

thread_local! {
    static SETTLING: Cell<bool> = const { Cell::new(false) };
    static UNSETTLED: Cell<bool> = const { Cell::new(false) };
}

/// Tells the standard library that this thread is in no panic hook, as is not so after a fault in
/// one: it would abort at the next panic.
pub(super) fn leave_hook() {
    let caught = panic::catch_unwind(|| panic::resume_unwind(Box::new(())));
    debug_assert!(caught.is_err(), "an unwinding is caught");
}

/// Brings the thread's count of panics back to none, after unwindings that were cut off and will
/// never be caught.
///
/// The count is the standard library's own and has no setter. But an unwinding that is raised and
/// caught inside the panic hook is counted on its way out and not on its way in, so a panic with
/// such a hook leaves one less than before. Should that ever change, the count stays, and
/// [`is_unsettled`] says so.
pub(super) fn settle() {
    SETTLING.set(true);
    for _ in 0..REMEMBERED {
        if !thread::panicking() {
            break;
        }
        let caught = panic::catch_unwind(|| panic!("settles the count of panics"));
        debug_assert!(caught.is_err(), "a panic is caught");
    }
    SETTLING.set(false);
    UNSETTLED.set(thread::panicking());
}

/// Notes that the thread's count of panics is too high by nobody knows how much.
pub(super) fn give_up_settling() {
    UNSETTLED.set(true);
}

/// Whether the thread's count of panics is too high for good.
pub(super) fn is_unsettled() -> bool {
    UNSETTLED.get()
}

/// Notes what a process panicked with, before its stack is unwound.
fn take_down(control: &Control, info: &PanicHookInfo<'_>) {
    control::on_kernels_stack(|| {
        let record = PanicRecord {
            text: info.payload_as_str().map(str::to_owned),
            place: info.location().map(ToString::to_string),
        };
        let mut panics = control.panics.borrow_mut();
        if panics.len() == REMEMBERED {
            panics.remove(0);
        }
        panics.push(record);
    });
}

/// The status of a process whose program let this panic through to its root. The payload is
/// dropped, and a panic of that drop with it.
#[cold]
#[inline(never)]
pub(super) fn status_of(payload: Box<dyn Any + Send>, control: &Control) -> ExitStatus {
    let status = if payload.is::<Unwinding>() {
        ExitStatus::Exited(Value::Nil)
    } else {
        let text = text_of(&*payload);
        let panics = control.panics.borrow();
        let record = panics.iter().rev().find(|record| record.text.as_deref() == text);
        ExitStatus::Panicked(message(text, record.and_then(|record| record.place.as_deref())))
    };
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
    status
}

/// The message of a process that aborted while it panicked: what it panicked for, and why it could
/// not unwind.
pub(super) fn cut_off(control: &Control) -> String {
    let panics = control.panics.borrow();
    match &panics[..] {
        // The standard library raises the second for the first, and aborts.
        [.., cause, PanicRecord { text: Some(reason), .. }] if is_final(reason) => {
            let cause = message(cause.text.as_deref(), cause.place.as_deref());
            format!("{cause}: {reason}")
        }
        _ => "abort while panicking".to_owned(),
    }
}

fn is_final(text: &str) -> bool {
    ["panic in a destructor during cleanup", "panic in a function that cannot unwind"]
        .contains(&text)
}

fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

fn message(text: Option<&str>, place: Option<&str>) -> String {
    let text = text.unwrap_or("a panic without a message");
    match place {
        Some(place) => format!("{text} at {place}"),
        None => text.to_owned(),
    }
}
