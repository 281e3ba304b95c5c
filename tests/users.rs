//! Users, and what only root may do.

use hothouse::{Errno, Filter, Sys, program};
use hothouse_tests::{child, join, scenario, solo};

fn guest(sys: &Sys) {
    sys.setuser("guest").unwrap();
}

#[test]
fn processes_from_outside_start_as_root() {
    let run = scenario(|kernel| {
        for _ in 0..2 {
            kernel.spawn("p", program(|sys| sys.log(sys.getuser()))).unwrap();
        }
    });
    assert!(run.lines.iter().all(|line| line.ends_with(": root")), "{:?}", run.lines);
}

#[test]
fn setuser_is_for_root_only() {
    solo(|sys| {
        guest(sys);
        assert_eq!(sys.getuser(), "guest");
        assert_eq!(sys.setuser("root"), Err(Errno::EPERM));
        assert_eq!(sys.setuser("guest"), Err(Errno::EPERM));
        assert_eq!(sys.getuser(), "guest");
    });
}

#[test]
fn setuser_with_too_long_a_name_is_enametoolong() {
    solo(|sys| {
        assert_eq!(sys.setuser("u".repeat(256)), Err(Errno::ENAMETOOLONG));
        assert_eq!(sys.getuser(), "root");
        assert_eq!(sys.setuser("u".repeat(255)), Ok(()));
    });
}

#[test]
fn children_have_their_parents_user() {
    solo(|sys| {
        guest(sys);
        let pid = child(sys, |sys| assert_eq!(sys.getuser(), "guest"));
        join(sys, pid);
    });
}

#[test]
fn getname_is_the_name_that_the_parent_gave() {
    solo(|sys| {
        assert_eq!(sys.getname(), "solo");
        let pid = sys.spawn(&b"a\xff"[..], |sys| assert_eq!(&sys.getname()[..], b"a\xff")).unwrap();
        join(sys, pid);
    });
}

#[test]
fn nice_below_0_needs_root() {
    solo(|sys| {
        guest(sys);
        assert_eq!(sys.nice(-1, None).map(drop), Err(Errno::EPERM));
        assert_eq!(sys.getnice(None), Ok(0));
        assert_eq!(sys.nice(5, None).map(drop), Ok(()));
        assert_eq!(sys.nice(0, None).map(drop), Ok(()));
    });
}

#[test]
fn nice_of_another_users_process_needs_root() {
    solo(|sys| {
        let me = sys.getpid();
        let other = child(sys, move |sys| {
            guest(sys);
            assert_eq!(sys.nice(5, me).map(drop), Err(Errno::EPERM));
            assert_eq!(sys.getnice(me), Ok(0));
        });
        sys.yield_now();
        join(sys, other);
        let other = child(sys, |sys| {
            guest(sys);
            sys.receive_event(Filter::any(), None).map(drop)
        });
        sys.yield_now();
        assert_eq!(sys.nice(-5, other).map(drop), Ok(()));
        sys.send_event(other, "end", ()).unwrap();
        join(sys, other);
    });
}

#[test]
fn events_and_names_know_no_users() {
    solo(|sys| {
        let me = sys.getpid();
        sys.register("open").unwrap();
        let other = child(sys, move |sys| {
            guest(sys);
            sys.send_event(me, "x", ()).unwrap();
            sys.send_service_event("open", "x", ()).unwrap();
            assert!(sys.getpinfo(me).is_ok());
        });
        join(sys, other);
        assert_eq!(sys.getpinfo(me).unwrap().mailbox_depth, 2);
    });
}
