// Another thread signals this one, and the handler looks at what it interrupted.
#![allow(unsafe_code)]

//! Finds native processes that make no more calls: the kernel can't take their CPU away, for it is
//! cooperative. This is the one use that the kernel makes of the host's clock, and it decides nothing
//! but that a run ends.
//!
//! A monitor thread signals each thread that drives a machine, [`SAMPLES`] times in the limit. The
//! handler reads how many traps the machine has counted. If that is the same for so many samples
//! while a stack of its processes is in use, that process is cut off as by a fault.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hothouse_abi::Signal;
use libc::{c_int, c_void, siginfo_t};

use super::control::{self, Control, on_kernels_stack};
use super::fault::{self, Trouble};
use super::registers::Registers;
use super::{heap, place};

/// Samples in one limit.
const SAMPLES: u32 = 10;
/// Samples inside the allocator, where nobody can be cut off, after which the host is ended.
const PATIENCE: u32 = 10 * SAMPLES;
/// The least time between two samples.
const SHORTEST: Duration = Duration::from_millis(1);
/// How long the monitor stays when there is nothing to watch.
const IDLE: Duration = Duration::from_millis(250);

/// Watches the machine that this thread drives, until it is dropped.
#[must_use]
pub(crate) struct Watch {
    // invariant: made from a box. It is freed by `drop` alone: if the process on whose stack the
    // watch is was cut off, it stays for ever, as what is on that stack does.
    watched: NonNull<Watched>,
}

/// The machine that a thread drives; machines nest when a process drives one of its own.
struct Watched {
    /// Where it counts its traps.
    traps: *const u64,
    /// The process that drives it, whose own calls are another machine's; null if none does.
    driver: *const Control,
    /// The one around it; null if none is watched.
    outer: *const Watched,
    seen: Cell<u64>,
    process: Cell<*const Control>,
    /// For how many samples nothing changed.
    same: Cell<u32>,
}

thread_local! {
    // The innermost. Const and without a destructor, so that the handler may use it.
    static WATCHED: Cell<*const Watched> = const { Cell::new(ptr::null()) };
}

/// A thread that is to be sampled.
struct Subject {
    thread: libc::pthread_t,
    period: Duration,
    due: Instant,
}

struct Monitor {
    /// Of one thread only the last counts.
    subjects: Vec<Subject>,
    runs: bool,
}

static MONITOR: Mutex<Monitor> = Mutex::new(Monitor { subjects: Vec::new(), runs: false });

fn monitor() -> MutexGuard<'static, Monitor> {
    MONITOR.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Watches a machine that counts its traps at `traps`, an address that is good until the watch
    /// is dropped.
    pub(crate) fn start(traps: *const u64, limit: Duration) -> Watch {
        install();
        let watched = Box::new(Watched {
            traps,
            driver: current(),
            outer: WATCHED.get(),
            seen: Cell::new(0),
            process: Cell::new(ptr::null()),
            same: Cell::new(0),
        });
        let watched = NonNull::from(Box::leak(watched));
        WATCHED.set(watched.as_ptr());
        let period = (limit / SAMPLES).max(SHORTEST);
        on_kernels_stack(|| {
            let mut monitor = monitor();
            monitor.subjects.push(Subject { thread: this_thread(), period, due: now() + period });
            if !monitor.runs {
                monitor.runs = start_monitor();
            }
        });
        Watch { watched }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: by the invariant it was made from a box, and nobody else frees it. It is left
        // before it is a box again, so that the handler finds it no more.
        unsafe {
            leave(self.watched.as_ref());
            drop(Box::from_raw(self.watched.as_ptr()));
        }
    }
}

/// Takes down the watches over the machines that a process drove when it was cut off.
pub(super) fn forget(process: &Control) {
    // SAFETY: what `WATCHED` leads to is not freed before it is left.
    while let Some(watched) = unsafe { WATCHED.get().as_ref() } {
        if !ptr::eq(watched.driver, process) {
            return;
        }
        leave(watched);
    }
}

/// Watches the one around `watched`, the innermost, again.
fn leave(watched: &Watched) {
    on_kernels_stack(|| {
        let mut monitor = monitor();
        let thread = this_thread();
        if let Some(last) = monitor.subjects.iter().rposition(|subject| subject.thread == thread) {
            monitor.subjects.remove(last);
        }
    });
    WATCHED.set(watched.outer);
}

fn this_thread() -> libc::pthread_t {
    // SAFETY: asks for the calling thread.
    unsafe { libc::pthread_self() }
}

/// The process that runs; null if none does.
fn current() -> *const Control {
    control::current().map_or(ptr::null(), ptr::from_ref)
}

#[expect(clippy::disallowed_methods, reason = "the watchdog looks at the host's clock")]
fn now() -> Instant {
    Instant::now()
}

/// Starts the monitor thread; returns whether the host had one.
fn start_monitor() -> bool {
    let builder = thread::Builder::new().name("hothouse-watchdog".into());
    builder.spawn(watch).is_ok()
}

/// Signals the threads that are due, until there have been none for a while.
#[expect(clippy::disallowed_methods, reason = "the watchdog waits for the host's clock")]
fn watch() {
    let mut idle = false;
    loop {
        let mut monitor = monitor();
        if monitor.subjects.is_empty() && idle {
            monitor.runs = false;
            return;
        }
        idle = monitor.subjects.is_empty();
        let now = now();
        for at in 0..monitor.subjects.len() {
            let later = &monitor.subjects[at + 1..];
            let thread = monitor.subjects[at].thread;
            let counts = !later.iter().any(|subject| subject.thread == thread);
            let subject = &mut monitor.subjects[at];
            if subject.due <= now {
                subject.due = now + subject.period;
                if counts {
                    // SAFETY: the thread lives, for it takes its subject out, under the lock that
                    // is held here, before it ends.
                    unsafe { libc::pthread_kill(thread, libc::SIGURG) };
                }
            }
        }
        let next = monitor.subjects.iter().map(|subject| subject.due).min();
        drop(monitor);
        let nap = next.map_or(IDLE, |due| due.saturating_duration_since(now));
        thread::sleep(nap.clamp(SHORTEST, IDLE));
    }
}

/// Installs the handler, once. The host ignores SIGURG by default, so that a stray one harms nobody.
fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // SAFETY: all zeroes are a valid `sigaction`; the handler lives as long as the host and
        // keeps to what one may do.
        let done = unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = sample as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigaction(libc::SIGURG, &action, ptr::null_mut())
        };
        assert_eq!(done, 0, "the host accepts a handler for SIGURG");
    });
}

/// Looks whether the machine of this thread goes on, and cuts a process off that does not.
///
/// Nothing here allocates, locks or panics.
extern "C" fn sample(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the watch takes it away before it frees it, and this thread, which alone does either,
    // is interrupted.
    let Some(watched) = (unsafe { WATCHED.get().as_ref() }) else { return };
    // SAFETY: good by `Watch::start`. This thread, which alone writes there, is interrupted, so the
    // read races with no write; that it may be the count of a moment ago does not matter.
    let traps = unsafe { watched.traps.read_volatile() };
    let process = current();
    let same = traps == watched.seen.replace(traps) && process == watched.process.replace(process);
    // The machine itself may take its time, also one that a process drives.
    let is_at_work = process == watched.driver;
    watched.same.set(if same && !is_at_work { watched.same.get() + 1 } else { 0 });
    let Some(control) = control::current().filter(|_| watched.same.get() >= SAMPLES) else {
        return;
    };
    // SAFETY: the host gave it to this handler.
    let registers = unsafe { Registers::new(context) };
    if !control.handler.stack_ptr_in_bounds(registers.sp()) {
        return;
    }
    let frames = place::callers(control, registers.pc());
    // A stub that the linker made can't be told from whom it was called: a moment later it is over.
    if frames[1] == 0 && watched.same.get() < 2 * SAMPLES {
        return;
    }
    // What is in the middle of changing the heap has to come out of there first.
    if frames.iter().any(|&pc| heap::contains(pc)) {
        if watched.same.get() >= PATIENCE {
            fault::end_host();
        }
        return;
    }
    watched.same.set(0);
    let trouble = Trouble { signal: Signal::SIGXCPU, address: 0, panicking: false };
    fault::cut_off(control, trouble, frames, &registers);
}
