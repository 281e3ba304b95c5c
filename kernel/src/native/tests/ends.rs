use std::any::Any;
use std::panic;
use std::thread;

use super::*;

#[test]
fn a_frame_carries_a_trap_in_and_an_answer_out() {
    let mut arena = arena();
    let mut native = start(&mut arena, |gate| {
        let mut frame = Frame::new(Trap::Getpid);
        let _ = gate.trap(&mut frame);
        exited(i32::from(frame.resume == Resume::Number(7)))
    });
    assert!(!native.is_started());
    assert!(matches!(native.resume(), Came::Trapped));
    assert!(native.is_started());
    let frame = native.frame();
    assert!(matches!(frame.trap, Trap::Getpid));
    assert!(!frame.unwinding);
    frame.resume = Resume::Number(7);
    assert!(matches!(native.resume(), Came::Ended(status) if status == exited(1)));
    native.finish(&mut arena);
    assert_eq!(arena.in_use(), 0);
}

#[test]
fn a_panic_ends_its_process_with_message_and_place() {
    let mut arena = arena();
    let line = line!() + 1;
    let text = panic_message(life(&mut arena, |_| panic!("number {}", 7)));
    assert!(text.starts_with("number 7 at "), "{text}");
    assert!(text.contains(&format!("ends.rs:{line}:")), "{text}");
    assert!(panic_message(life(&mut arena, |_| panic!("plain"))).starts_with("plain at "));
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 0));
    assert!(!thread::panicking());
}

#[test]
fn a_payload_that_is_no_text_is_named_so() {
    let mut arena = arena();
    let text = panic_message(life(&mut arena, |_| panic::panic_any(7)));
    assert!(text.starts_with("a panic without a message at "), "{text}");
    let text = panic_message(life(&mut arena, |_| panic::resume_unwind(Box::new("raised"))));
    assert_eq!(text, "raised");
}

#[test]
fn a_caught_panic_does_not_lend_its_place_to_another() {
    let mut arena = arena();
    let came = life(&mut arena, |_| {
        let first = panic::catch_unwind(|| panic!("first"));
        for _ in 0..20 {
            let _ = panic::catch_unwind(|| panic!("other"));
        }
        let _ = panic::catch_unwind(|| panic!("second"));
        panic::resume_unwind(first.unwrap_err())
    });
    let text = panic_message(came);
    assert_eq!(text, "first", "its record was pushed out");
    let came = life(&mut arena, |_| {
        let first = panic::catch_unwind(|| panic!("first"));
        let _ = panic::catch_unwind(|| panic!("second"));
        panic::resume_unwind(first.unwrap_err())
    });
    assert!(panic_message(came).starts_with("first at "));
}

#[test]
fn a_payload_whose_drop_panics_stays_inside() {
    struct Hostile(#[allow(dead_code)] Box<dyn Any + Send>);
    impl Drop for Hostile {
        fn drop(&mut self) {
            panic::panic_any(Hostile(Box::new(())));
        }
    }
    let mut arena = arena();
    let text = panic_message(life(&mut arena, |_| panic::panic_any(Hostile(Box::new(())))));
    assert!(text.starts_with("a panic without a message"), "{text}");
    assert!(!thread::panicking());
}

#[test]
fn a_panic_on_a_small_stack_is_no_overflow() {
    let mut arena = Arena::new(8 * 1024, 1).unwrap();
    assert!(panic_message(life(&mut arena, |_| panic!("tight"))).starts_with("tight at "));
}

#[test]
fn panics_of_the_host_go_to_the_hosts_hook() {
    let mut arena = arena();
    let _ = life(&mut arena, |_| panic!("inside"));
    let caught = panic::catch_unwind(|| panic!("outside, printed by the host's hook"));
    assert!(caught.is_err());
}

#[test]
fn cancelled_before_its_first_run_it_drops_its_program_on_its_own_stack() {
    for panics in [false, true] {
        let mut arena = arena();
        let log = Log::default();
        let guard = Guard { log: log.clone(), name: "captured", panics };
        let mut native = start(&mut arena, move |_| {
            let _guard = &guard;
            unreachable!("a cancelled process does not run")
        });
        native.cancel();
        assert!(log.entries().is_empty());
        match native.resume() {
            Came::Ended(ExitStatus::Exited(_)) => assert!(!panics),
            Came::Ended(ExitStatus::Panicked(text)) => {
                assert!(panics && text.starts_with("the drop of captured"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        native.finish(&mut arena);
        assert_eq!(log.entries(), ["captured"]);
        assert_eq!(arena.in_use(), 0);
    }
}

#[test]
fn dropped_before_its_end_it_is_forgotten() {
    let log = Log::default();
    let mut arena = arena();
    let guard = log.guard("kept");
    let mut native = start(&mut arena, move |gate| {
        let _guard = guard;
        trap(gate);
        exited(0)
    });
    let fresh = start(&mut arena, |_| exited(0));
    assert!(matches!(native.resume(), Came::Trapped));
    drop(native);
    drop(fresh);
    assert!(log.entries().is_empty());
    assert_eq!(arena.in_use(), 2, "their stacks are lost, so the arena stays mapped");
}

#[test]
fn a_process_may_drive_processes_of_its_own() {
    let mut arena = Arena::new(256 * 1024, 2).unwrap();
    let came = life(&mut arena, |gate| {
        let mut inner = super::arena();
        let text = panic_message(life(&mut inner, |_| panic!("inner")));
        assert!(text.starts_with("inner at "));
        trap(gate);
        panic!("outer")
    });
    assert!(panic_message(came).starts_with("outer at "));
}
