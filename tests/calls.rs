//! `call` and `reply`: requests, and the answers that belong to them.

use hothouse::{Action, Errno, Event, Filter, Pid, Signal, Sys};
use hothouse_tests::{at_ms, child, join, ms, solo};

fn request(sys: &Sys) -> Event {
    sys.receive_event(Filter::any(), None).unwrap()
}

/// A process that takes one request and never answers.
fn silent(sys: &Sys) -> Pid {
    child(sys, |sys| {
        request(sys);
        sys.receive_event(Filter::name("end"), None).map(drop)
    })
}

#[test]
fn call_gets_its_reply_under_the_requests_name() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let asked = request(sys);
            assert_eq!((&asked.name, asked.sender), (&"double".into(), Pid::new(1)));
            sys.reply(&asked, asked.data.as_int().map(|n| n * 2)).unwrap();
        });
        let reply = sys.call(server, "double", 21, None).unwrap();
        assert_eq!((reply.sender, reply.name), (server, "double".into()));
        assert_eq!(reply.data, 42.into());
        join(sys, server);
    });
}

#[test]
fn call_leaves_other_events_queued_even_of_the_same_sender() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let asked = request(sys);
            sys.send_event(asked.sender, "get", "no reply").unwrap();
            sys.reply(&asked, "reply").unwrap();
        });
        let reply = sys.call(server, "get", (), None).unwrap();
        assert_eq!(reply.data, "reply".into());
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))).unwrap().data, "no reply".into());
        join(sys, server);
    });
}

#[test]
fn replies_out_of_order_are_not_mixed() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let (first, second) = (request(sys), request(sys));
            for asked in [second, first] {
                sys.reply(&asked, asked.data.clone()).unwrap();
            }
        });
        let clients = [1, 2].map(|n| {
            child(sys, move |sys| {
                assert_eq!(sys.call(server, "echo", n, None).unwrap().data, n.into());
            })
        });
        for client in clients {
            join(sys, client);
        }
        join(sys, server);
    });
}

#[test]
fn replies_to_a_call_and_to_one_in_its_handler_are_not_mixed() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let outer = request(sys);
            sys.kill(outer.sender, Signal::SIGUSR1).unwrap();
            let inner = request(sys);
            sys.reply(&outer, "outer").unwrap();
            sys.reply(&inner, "inner").unwrap();
        });
        let handler = Action::handler(move |sys, _| {
            assert_eq!(sys.call(server, "inner", (), None).unwrap().data, "inner".into());
        });
        sys.sigaction(Signal::SIGUSR1, handler).unwrap();
        assert_eq!(sys.call(server, "outer", (), None).unwrap().data, "outer".into());
        join(sys, server);
    });
}

#[test]
fn call_times_out_exactly() {
    solo(|sys| {
        let server = silent(sys);
        assert_eq!(sys.call(server, "x", (), Some(ms(0))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(0));
        assert_eq!(sys.call(server, "x", (), Some(ms(3))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(3));
        sys.send_event(server, "end", ()).unwrap();
        join(sys, server);
    });
}

#[test]
fn call_to_nobody_is_esrch() {
    let run = solo(|sys| {
        let dead = child(sys, |_| ());
        join(sys, dead);
        for pid in [dead, Pid::new(99), Pid::KERNEL] {
            assert_eq!(sys.call(pid, "x", (), None), Err(Errno::ESRCH));
        }
    });
    assert_eq!(run.report.counters.dead_letters, 3);
}

#[test]
fn call_is_esrch_as_soon_as_the_peer_dies() {
    solo(|sys| {
        let server = child(sys, |sys| sys.sleep(ms(4)));
        assert_eq!(sys.call(server, "x", (), Some(ms(9))), Err(Errno::ESRCH));
        assert_eq!(sys.now(), at_ms(4));
        let killed = silent(sys);
        let killer = child(sys, move |sys| {
            sys.sleep(ms(2)).unwrap();
            sys.kill(killed, Signal::SIGKILL)
        });
        assert_eq!(sys.call(killed, "x", (), None), Err(Errno::ESRCH));
        assert_eq!(sys.now(), at_ms(6));
        join(sys, killer);
    });
}

#[test]
fn reply_before_death_still_counts() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let asked = request(sys);
            sys.reply(&asked, 1).unwrap();
        });
        assert_eq!(sys.call(server, "x", (), None).unwrap().data, 1.into());
        join(sys, server);
    });
}

#[test]
fn call_to_oneself_is_edeadlk() {
    solo(|sys| {
        assert_eq!(sys.call(sys.getpid(), "x", (), None), Err(Errno::EDEADLK));
        assert_eq!(sys.peek_event(), None);
    });
}

#[test]
fn call_with_too_long_a_name_is_enametoolong() {
    solo(|sys| {
        let server = silent(sys);
        assert_eq!(sys.call(server, "n".repeat(256), (), None), Err(Errno::ENAMETOOLONG));
        assert_eq!(sys.getpinfo(server).unwrap().mailbox_depth, 0);
    });
}

#[test]
fn second_reply_is_ealready() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let asked = request(sys);
            sys.reply(&asked, 1).unwrap();
            assert_eq!(sys.reply(&asked, 2), Err(Errno::EALREADY));
            sys.sleep(ms(1)).unwrap();
            assert_eq!(sys.reply(&asked, 3), Err(Errno::EALREADY));
        });
        assert_eq!(sys.call(server, "x", (), None).unwrap().data, 1.into());
        join(sys, server);
    });
}

#[test]
fn reply_after_the_caller_gave_up_is_ecanceled() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let asked = request(sys);
            sys.sleep(ms(5)).unwrap();
            assert_eq!(sys.reply(&asked, 1), Err(Errno::ECANCELED));
        });
        assert_eq!(sys.call(server, "x", (), Some(ms(2))), Err(Errno::ETIMEDOUT));
        join(sys, server);
        assert_eq!(sys.peek_event(), None, "a late reply leaves nothing behind");
    });
}

#[test]
fn reply_to_one_that_gave_up_does_not_reach_its_next_call() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let first = request(sys);
            let second = request(sys);
            assert_eq!(sys.reply(&first, "first"), Err(Errno::ECANCELED));
            sys.reply(&second, "second").unwrap();
        });
        assert_eq!(sys.call(server, "x", (), Some(ms(2))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.call(server, "x", (), None).unwrap().data, "second".into());
        join(sys, server);
    });
}

#[test]
fn reply_to_a_dead_caller_is_esrch() {
    solo(|sys| {
        let server = child(sys, |sys| {
            let asked = request(sys);
            sys.sleep(ms(5)).unwrap();
            assert_eq!(sys.reply(&asked, 1), Err(Errno::ESRCH));
        });
        let client = child(sys, move |sys| sys.call(server, "x", (), None).map(drop));
        sys.sleep(ms(1)).unwrap();
        sys.kill(client, Signal::SIGKILL).unwrap();
        join(sys, server);
    });
}

#[test]
fn reply_to_what_is_no_request_is_einval() {
    solo(|sys| {
        sys.send_event(sys.getpid(), "x", ()).unwrap();
        let event = request(sys);
        assert_eq!(sys.reply(&event, 1), Err(Errno::EINVAL));
    });
}
