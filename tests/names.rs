//! Service names.

use hothouse::{Errno, ExitStatus, Filter, Signal, Sys};
use hothouse_tests::{child, join, ms, solo};

#[test]
fn register_taken_is_eexist_also_by_oneself() {
    solo(|sys| {
        assert_eq!(sys.register("a"), Ok(()));
        assert_eq!(sys.register("a"), Err(Errno::EEXIST));
        let other = child(sys, |sys| assert_eq!(sys.register("a"), Err(Errno::EEXIST)));
        join(sys, other);
        assert_eq!(sys.lookup("a"), Some(sys.getpid()));
    });
}

#[test]
fn register_many_names_for_one_process() {
    solo(|sys| {
        for i in 0..100 {
            sys.register(format!("service {i}")).unwrap();
        }
        assert_eq!(sys.lookup("service 57"), Some(sys.getpid()));
    });
}

#[test]
fn register_takes_any_bytes() {
    solo(|sys| {
        for name in [&b""[..], b"\0", b"\xff\xfe", &[b'n'; 255]] {
            sys.register(name).unwrap();
            assert_eq!(sys.lookup(name), Some(sys.getpid()));
        }
    });
}

#[test]
fn register_over_the_limit_is_enametoolong() {
    solo(|sys| {
        assert_eq!(sys.register("n".repeat(256)), Err(Errno::ENAMETOOLONG));
        assert_eq!(sys.lookup("n".repeat(256)), None);
    });
}

#[test]
fn register_is_freed_by_every_kind_of_death_before_the_parent_is_told() {
    fn returns(_: &Sys) {}
    fn exits(sys: &Sys) {
        sys.exit(1)
    }
    fn panics(_: &Sys) {
        panic!("on purpose")
    }
    fn is_killed(sys: &Sys) {
        sys.kill(sys.getpid(), Signal::SIGKILL).unwrap();
    }
    fn is_terminated(sys: &Sys) {
        sys.kill(sys.getpid(), Signal::SIGTERM).unwrap();
    }
    for end in [returns, exits, panics, is_killed, is_terminated] {
        solo(move |sys| {
            sys.notices(true);
            child(sys, move |sys| {
                sys.register("service").unwrap();
                sys.sleep(ms(1)).unwrap();
                end(sys);
            });
            assert_eq!(sys.next_event(None).unwrap().name, "process_complete");
            assert_eq!(sys.lookup("service"), None);
            assert_eq!(sys.register("service"), Ok(()));
        });
    }
}

#[test]
fn unregister_of_what_is_not_ones_own_is_enoent() {
    solo(|sys| {
        assert_eq!(sys.unregister("free"), Err(Errno::ENOENT));
        sys.register("mine").unwrap();
        let other = child(sys, |sys| assert_eq!(sys.unregister("mine"), Err(Errno::ENOENT)));
        join(sys, other);
        assert_eq!(sys.lookup("mine"), Some(sys.getpid()));
        assert_eq!(sys.unregister("mine"), Ok(()));
        assert_eq!(sys.lookup("mine"), None);
        assert_eq!(sys.unregister("mine"), Err(Errno::ENOENT));
        assert_eq!(sys.register("mine"), Ok(()));
    });
}

#[test]
fn lookup_of_a_free_name_is_none() {
    solo(|sys| assert_eq!(sys.lookup("nobody"), None));
}

#[test]
fn send_service_event_reaches_the_owner() {
    solo(|sys| {
        let server = child(sys, |sys| {
            sys.register("echo").unwrap();
            let event = sys.receive_event(Filter::any(), None).unwrap();
            assert_eq!((event.name, event.data), ("say".into(), 4.into()));
        });
        sys.yield_now();
        assert_eq!(sys.send_service_event("echo", "say", 4), Ok(()));
        assert_eq!(sys.wait(server, None).unwrap().status, ExitStatus::Exited(().into()));
    });
}

#[test]
fn send_service_event_to_a_free_name_is_enoent() {
    let run = solo(|sys| {
        assert_eq!(sys.send_service_event("nobody", "x", ()), Err(Errno::ENOENT));
        sys.register("me").unwrap();
        let long = "n".repeat(256);
        assert_eq!(sys.send_service_event("me", long, ()), Err(Errno::ENAMETOOLONG));
    });
    assert_eq!(run.report.counters.events, 0);
}
