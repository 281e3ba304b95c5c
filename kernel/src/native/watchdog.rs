// Another thread signals this one, and the handler looks at what it interrupted.
#![allow(unsafe_code)]

//! Finds native processes that make no more calls: the kernel can't take their CPU away, for it is
//! cooperative. This is the one use that the kernel makes of the host's clock, and it decides nothing
//! but that a run ends.
//!
//! A monitor thread signals each thread that drives a machine, [`SAMPLES`] times in the limit. The
//! handler reads how many traps the machine has counted. If that is the same for so many samples
//! while a process's stack is in use, the process is cut off as by a fault.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hothouse_abi::Signal;
use libc::{c_int, c_void, siginfo_t};

use super::control::{self, Control};
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
    outer: Watched,
}

/// The machine that a thread drives; machines nest when a process drives one of its own.
#[derive(Clone, Copy)]
struct Watched {
    /// Where it counts its traps; null if none is watched.
    traps: *const u64,
    seen: u64,
    process: *const Control,
    /// For how many samples nothing changed.
    same: u32,
}

const NONE: Watched = Watched { traps: ptr::null(), seen: 0, process: ptr::null(), same: 0 };

thread_local! {
    // Const and without a destructor, so that the handler may use them.
    static WATCHED: Cell<Watched> = const { Cell::new(NONE) };
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
        let outer = WATCHED.replace(Watched { traps, ..NONE });
        let period = (limit / SAMPLES).max(SHORTEST);
        let mut monitor = monitor();
        // SAFETY: asks for the calling thread.
        let thread = unsafe { libc::pthread_self() };
        monitor.subjects.push(Subject { thread, period, due: now() + period });
        if !monitor.runs {
            monitor.runs = start_monitor();
        }
        Watch { outer }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: asks for the calling thread.
        let thread = unsafe { libc::pthread_self() };
        let mut monitor = monitor();
        if let Some(last) = monitor.subjects.iter().rposition(|subject| subject.thread == thread) {
            monitor.subjects.remove(last);
        }
        drop(monitor);
        WATCHED.set(self.outer);
    }
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
    let mut watched = WATCHED.get();
    if watched.traps.is_null() {
        return;
    }
    // SAFETY: good by `Watch::start`. This thread, which alone writes there, is interrupted, so the
    // read races with no write; that it may be the count of a moment ago does not matter.
    let traps = unsafe { watched.traps.read_volatile() };
    let process = control::current();
    let at = process.map_or(ptr::null(), ptr::from_ref);
    let changed = traps != watched.seen || at != watched.process;
    (watched.seen, watched.process) = (traps, at);
    watched.same = if changed { 0 } else { watched.same + 1 };
    WATCHED.set(watched);
    let Some(control) = process.filter(|_| watched.same >= SAMPLES) else { return };
    // SAFETY: the host gave it to this handler.
    let registers = unsafe { Registers::new(context) };
    if !control.handler.stack_ptr_in_bounds(registers.sp()) {
        return;
    }
    let frames = place::callers(control, registers.pc());
    // What is in the middle of changing the heap has to come out of there first.
    if frames.iter().any(|&pc| heap::contains(pc)) {
        if watched.same >= PATIENCE {
            fault::end_host();
        }
        return;
    }
    WATCHED.set(Watched { same: 0, ..watched });
    let trouble = Trouble { signal: Signal::SIGXCPU, address: 0, panicking: false };
    fault::cut_off(control, trouble, frames, &registers);
}
