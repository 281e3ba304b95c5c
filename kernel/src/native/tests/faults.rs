// Faults are made on purpose.
#![allow(unsafe_code)]

use std::process::Command;
use std::{panic, ptr, thread};

use hothouse_abi::Signal;

use super::super::fault::{Fault, FaultKind};
use super::*;

fn fault(main: impl FnOnce(&dyn Gate) -> ExitStatus + 'static) -> Fault {
    let mut arena = arena();
    let Came::Faulted(fault) = life(&mut arena, main) else { panic!("it did not fault") };
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 1));
    // The machine goes on.
    assert!(matches!(
        life(&mut arena, |gate| {
            trap(gate);
            exited(2)
        }),
        Came::Ended(_)
    ));
    assert!(!thread::panicking());
    fault
}

#[inline(never)]
fn recurse(n: u64) -> u64 {
    let ballast = std::hint::black_box([n; 16]);
    if n == u64::MAX { 0 } else { recurse(n + 1) + ballast[3] }
}

fn read(address: usize) -> u8 {
    // SAFETY: none; this is the fault under test.
    unsafe { ptr::with_exposed_provenance::<u8>(address).read_volatile() }
}

#[test]
fn a_stack_overflow_is_a_segv() {
    let fault = fault(|_| exited(recurse(0) as i32));
    assert_eq!((fault.signal, &fault.what), (Signal::SIGSEGV, &FaultKind::StackOverflow));
    assert_eq!(fault.status(), ExitStatus::Signaled(Signal::SIGSEGV));
    assert!(fault.place().is_some_and(|place| place.contains("faults.rs:")), "{:?}", fault.place());
}

#[test]
fn a_null_read_is_a_segv() {
    let fault = fault(|_| exited(read(std::hint::black_box(0)).into()));
    assert_eq!((fault.signal, &fault.what), (Signal::SIGSEGV, &FaultKind::BadAddress(0)));
    assert_eq!(fault.what.to_string(), "null pointer");
}

#[test]
fn a_wild_read_tells_its_address() {
    assert_eq!(fault(|_| exited(read(4096 + 8).into())).what, FaultKind::BadAddress(4096 + 8));
}

#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn an_illegal_instruction_is_a_sigill() {
    let fault = fault(|_| {
        // SAFETY: none; this is the fault under test.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            std::arch::asm!("ud2");
            #[cfg(target_arch = "aarch64")]
            std::arch::asm!("udf #0");
        }
        exited(0)
    });
    assert_eq!((fault.signal, fault.what), (Signal::SIGILL, FaultKind::IllegalInstruction));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn an_integer_division_by_zero_is_a_sigfpe() {
    let fault = fault(|_| {
        let quotient: u32;
        // SAFETY: none; this is the fault under test.
        unsafe {
            std::arch::asm!("div {0:e}", in(reg) 0, inout("eax") 1 => quotient, inout("edx") 0 => _);
        }
        exited(quotient as i32)
    });
    assert_eq!((fault.signal, fault.what), (Signal::SIGFPE, FaultKind::Arithmetic));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_breakpoint_is_a_sigtrap() {
    let fault = fault(|_| {
        // SAFETY: none; this is the fault under test.
        unsafe { std::arch::asm!("int3") };
        exited(0)
    });
    assert_eq!((fault.signal, fault.what), (Signal::SIGTRAP, FaultKind::Breakpoint));
}

#[test]
fn an_abort_is_a_sigabrt() {
    let fault = fault(|_| std::process::abort());
    assert_eq!((fault.signal, fault.what), (Signal::SIGABRT, FaultKind::Abort));
}

#[test]
fn a_panic_in_a_destructor_of_an_unwinding_ends_only_its_process() {
    let log = Log::default();
    let told = log.clone();
    let fault = fault(move |_| {
        let _guard = Guard { log: told, name: "guard", panics: true };
        panic!("first")
    });
    let ExitStatus::Panicked(text) = fault.status() else { panic!("{fault:?}") };
    assert!(text.starts_with("the drop of guard at "), "{text}");
    assert!(text.ends_with("panic in a destructor during cleanup"), "{text}");
    assert_eq!(log.entries(), ["guard"]);
}

#[test]
fn a_panic_in_a_destructor_of_a_killed_process_ends_only_it() {
    let mut arena = arena();
    let guard = Guard { log: Log::default(), name: "guard", panics: true };
    let mut native = start(&mut arena, move |gate| {
        let _guard = guard;
        trap(gate);
        exited(0)
    });
    assert!(matches!(native.resume(), Came::Trapped));
    native.frame().resume = Resume::Unwind;
    assert!(matches!(native.resume(), Came::Faulted(_)));
    native.finish(&mut arena);
    assert_eq!(arena.abandoned(), 1);
    assert!(!thread::panicking());
}

#[test]
fn a_fault_in_a_destructor_of_an_unwinding_leaves_no_trace() {
    struct Faulty;
    impl Drop for Faulty {
        fn drop(&mut self) {
            std::hint::black_box(read(std::hint::black_box(0)));
        }
    }
    for _ in 0..3 {
        let fault = fault(|_| {
            let _faulty = Faulty;
            panic!("first")
        });
        assert_eq!(fault.what, FaultKind::BadAddress(0));
        assert!(panic::catch_unwind(|| panic!("the host's, printed by its hook")).is_err());
        assert!(!thread::panicking());
    }
}

#[test]
fn a_panic_out_of_a_foreign_function_ends_only_its_process() {
    extern "C" fn foreign() {
        panic!("out of it");
    }
    let fault = fault(|_| {
        foreign();
        exited(0)
    });
    let ExitStatus::Panicked(text) = fault.status() else { panic!("{fault:?}") };
    assert!(text.starts_with("out of it at "), "{text}");
}

#[test]
fn a_thousand_processes_two_thirds_faulting() {
    let mut arena = Arena::new(STACK, 1000).unwrap();
    for i in 0..1000 {
        let came = life(&mut arena, move |gate| {
            trap(gate);
            match i % 3 {
                0 => exited(read(0).into()),
                1 => exited(recurse(0) as i32),
                _ => exited(i),
            }
        });
        assert_eq!(matches!(came, Came::Faulted(_)), i % 3 != 2);
    }
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 667));
}

/// Runs one of the tests below in a host of its own, with the variable that lets it do its worst.
fn in_a_host(test: &str) -> std::process::Output {
    let test = format!("native::tests::faults::{test}");
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env("HOTHOUSE_TEST_WORST", "1")
        .output()
        .unwrap()
}

fn is_for_the_worst() -> bool {
    std::env::var_os("HOTHOUSE_TEST_WORST").is_some()
}

#[test]
fn a_fault_of_the_hosts_own_stays_the_hosts() {
    use std::os::unix::process::ExitStatusExt;
    if is_for_the_worst() {
        let mut arena = arena();
        let _ = life(&mut arena, |_| exited(read(0).into()));
        read(std::hint::black_box(0));
    } else {
        let output = in_a_host("a_fault_of_the_hosts_own_stays_the_hosts");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
    }
}

#[test]
fn an_overflow_of_the_hosts_own_is_reported_by_rust() {
    use std::os::unix::process::ExitStatusExt;
    if is_for_the_worst() {
        let _arena = arena();
        recurse(0);
    } else {
        let output = in_a_host("an_overflow_of_the_hosts_own_is_reported_by_rust");
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("has overflowed its stack"));
    }
}

#[test]
#[cfg(target_env = "gnu")]
fn a_fault_in_the_allocator_ends_the_host_with_a_message() {
    if is_for_the_worst() {
        let mut arena = arena();
        let _ = life(&mut arena, |_| {
            // SAFETY: none; this is the fault under test.
            unsafe { libc::free(ptr::without_provenance_mut(0x10_0010)) };
            exited(0)
        });
    } else {
        let output = in_a_host("a_fault_in_the_allocator_ends_the_host_with_a_message");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("allocator"), "{output:?}");
    }
}

/// In a host of its own: it leaves the lock on the panic hook held, for which the end of a test
/// binary would wait for ever.
#[test]
fn a_message_that_panics_ends_only_its_process() {
    struct Hostile;
    impl std::fmt::Display for Hostile {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("in a message")
        }
    }
    if !is_for_the_worst() {
        let output = in_a_host("a_message_that_panics_ends_only_its_process");
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        return;
    }
    let fault = fault(|_| panic!("{Hostile}"));
    assert_eq!(fault.status(), ExitStatus::Panicked("abort while panicking".to_owned()));
    let mut arena = arena();
    let text = panic_message(life(&mut arena, |_| panic!("later")));
    assert!(text.starts_with("later at "), "{text}");
    // SAFETY: ends the host as it stands.
    unsafe { libc::_exit(7) };
}
