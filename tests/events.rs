//! Sending: who gets an event, in which order, and what a copy is.

use std::cell::Cell;
use std::rc::Rc;

use hothouse::{Errno, EventKind, Filter, Limits, Pid, Signal, Value};
use hothouse_tests::{at_ms, child, join, ms, scenario, solo, solo_with};

#[test]
fn send_to_a_live_process_arrives_once() {
    solo(|sys| {
        let me = sys.getpid();
        let sender = child(sys, move |sys| sys.send_event(me, "x", 5));
        let event = sys.receive_event(Filter::any(), None).unwrap();
        assert_eq!((event.sender, event.kind), (sender, EventKind::Sent));
        assert_eq!((event.name, event.data), ("x".into(), 5.into()));
        assert_eq!(event.token, None);
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(1))), Err(Errno::ETIMEDOUT));
    });
}

#[test]
fn send_to_oneself_arrives() {
    solo(|sys| {
        let me = sys.getpid();
        sys.send_event(me, "x", ()).unwrap();
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))).unwrap().sender, me);
    });
}

#[test]
fn send_is_fifo_for_a_pair_and_all_arrivals_have_one_order() {
    solo(|sys| {
        let me = sys.getpid();
        let senders = [0, 1].map(|who| {
            child(sys, move |sys| {
                for i in 0..50 {
                    sys.send_event(me, "n", Value::list([who, i])).unwrap();
                    sys.yield_now();
                }
            })
        });
        for sender in senders {
            join(sys, sender);
        }
        for i in 0..50 {
            for who in 0..2 {
                let event = sys.receive_event(Filter::any(), Some(ms(0))).unwrap();
                assert_eq!(event.data, Value::list([who, i]));
            }
        }
    });
}

#[test]
fn send_to_a_missing_or_dead_process_is_esrch_and_a_dead_letter() {
    let run = solo(|sys| {
        let dead = child(sys, |_| ());
        join(sys, dead);
        for pid in [dead, Pid::new(99), Pid::new(u64::MAX)] {
            assert_eq!(sys.send_event(pid, "x", ()), Err(Errno::ESRCH));
        }
    });
    assert_eq!(run.report.counters.dead_letters, 3);
    assert_eq!(run.report.counters.events, 0);
}

#[test]
fn send_to_pid_zero_is_esrch_and_a_dead_letter() {
    let run = solo(|sys| assert_eq!(sys.send_event(Pid::KERNEL, "x", ()), Err(Errno::ESRCH)));
    assert_eq!(run.report.counters.dead_letters, 1);
}

#[test]
fn dead_letter_is_traced() {
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    let mut kernel = hothouse::Kernel::builder()
        .listener(move |record: &hothouse::trace::Record<'_>| {
            count.set(count.get() + u32::from(record.what.word() == "dead_letter"));
        })
        .build()
        .unwrap();
    let main = hothouse::program(|sys| {
        let _ = sys.send_event(Pid::new(9), "x", ());
    });
    kernel.spawn("init", main).unwrap();
    kernel.run();
    assert_eq!(seen.get(), 1);
}

#[test]
fn data_of_every_kind_arrives_as_it_was_sent() {
    let data = Value::map([
        ("nil in a list", Value::list([Value::Nil, Value::from(1)])),
        ("bool", true.into()),
        ("int", i64::MIN.into()),
        ("float", 0.1.into()),
        ("bytes", (&b"\0\xff"[..]).into()),
        ("nested", Value::map([(1, Value::list(["deep"]))])),
    ]);
    solo(move |sys| {
        sys.send_event(sys.getpid(), "x", data.clone()).unwrap();
        assert_eq!(sys.receive_event(Filter::any(), None).unwrap().data, data);
    });
}

#[test]
fn copy_of_data_shares_what_is_immutable() {
    solo(|sys| {
        let data = Value::list((0..10_000).collect::<Vec<i64>>());
        sys.send_event(sys.getpid(), "x", &data).unwrap();
        let got = sys.receive_event(Filter::any(), None).unwrap().data;
        let (Value::List(sent), Value::List(got)) = (&data, &got) else { panic!("{got}") };
        assert!(Rc::ptr_eq(sent, got), "ten thousand items were copied");
    });
}

#[test]
fn mailbox_full_of_events_is_eagain_and_loses_nothing() {
    let limits = |builder: hothouse::Builder| {
        builder.limits(Limits { mailbox_events: 40, ..Limits::default() })
    };
    solo_with(limits, |sys| {
        let me = sys.getpid();
        for i in 0..40 {
            sys.send_event(me, "n", i).unwrap();
        }
        assert_eq!(sys.send_event(me, "n", 40), Err(Errno::EAGAIN));
        assert_eq!(sys.queue_event("n", 40), Err(Errno::EAGAIN));
        assert_eq!(sys.receive_event(Filter::any(), None).unwrap().data, 0.into());
        assert_eq!(sys.send_event(me, "n", 40), Ok(()));
        for i in 1..=40 {
            assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))).unwrap().data, i.into());
        }
    });
}

#[test]
fn mailbox_full_of_bytes_is_eagain_and_one_event_over_it_is_emsgsize() {
    let limits = |builder: hothouse::Builder| {
        builder.limits(Limits { mailbox_bytes: 1_000, ..Limits::default() })
    };
    solo_with(limits, |sys| {
        let me = sys.getpid();
        assert_eq!(sys.send_event(me, "big", vec![0u8; 1_000]), Err(Errno::EMSGSIZE));
        assert_eq!(sys.queue_event("big", vec![0u8; 1_000]), Err(Errno::EMSGSIZE));
        sys.send_event(me, "half", vec![0u8; 500]).unwrap();
        assert_eq!(sys.send_event(me, "half", vec![0u8; 500]), Err(Errno::EAGAIN));
        assert_eq!(sys.receive_event(Filter::any(), None).unwrap().data.size(), 500);
        assert_eq!(sys.send_event(me, "half", vec![0u8; 500]), Ok(()));
        sys.receive_event(Filter::any(), None).unwrap();
    });
}

#[test]
fn full_mailbox_of_one_does_not_hinder_others() {
    let limits = |builder: hothouse::Builder| {
        builder.limits(Limits { mailbox_events: 1, ..Limits::default() })
    };
    solo_with(limits, |sys| {
        let full = child(sys, |sys| sys.sleep(ms(5)));
        let fine = child(sys, |sys| sys.receive_event(Filter::any(), None).map(drop));
        sys.send_event(full, "x", ()).unwrap();
        assert_eq!(sys.send_event(full, "x", ()), Err(Errno::EAGAIN));
        sys.send_event(fine, "x", ()).unwrap();
        join(sys, fine);
        join(sys, full);
    });
}

#[test]
fn send_to_a_stopped_receiver_queues() {
    solo(|sys| {
        let target = child(sys, |sys| {
            let event = sys.receive_event(Filter::any(), None).unwrap();
            assert_eq!((event.data, sys.now()), (1.into(), at_ms(5)));
        });
        sys.yield_now();
        sys.kill(target, Signal::SIGSTOP).unwrap();
        sys.send_event(target, "x", 1).unwrap();
        sys.sleep(ms(5)).unwrap();
        assert_eq!(sys.getpinfo(target).unwrap().mailbox_depth, 1);
        sys.kill(target, Signal::SIGCONT).unwrap();
        join(sys, target);
    });
}

#[test]
fn events_of_a_sender_that_has_died_since_are_delivered() {
    solo(|sys| {
        let me = sys.getpid();
        let dead = child(sys, move |sys| sys.send_event(me, "last words", 1));
        join(sys, dead);
        let event = sys.receive_event(Filter::sender(dead), None).unwrap();
        assert_eq!(event.data, 1.into());
        assert_eq!(sys.receive_event(Filter::sender(dead), None), Err(Errno::ESRCH));
    });
}

#[test]
fn queue_event_is_next_events_and_not_receives() {
    solo(|sys| {
        sys.queue_event("mine", 3).unwrap();
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))), Err(Errno::ETIMEDOUT));
        let event = sys.next_event(Some(ms(0))).unwrap();
        assert_eq!((event.kind, event.sender), (EventKind::Queued, sys.getpid()));
        assert_eq!((event.name, event.data), ("mine".into(), 3.into()));
    });
}

#[test]
fn peek_event_leaves_the_next_event_where_it_is() {
    solo(|sys| {
        assert_eq!(sys.peek_event(), None);
        sys.send_event(sys.getpid(), "a", 1).unwrap();
        sys.queue_event("b", 2).unwrap();
        let peeked = sys.peek_event();
        assert_eq!(peeked, sys.peek_event());
        assert_eq!(peeked, Some(sys.next_event(None).unwrap()));
        assert_eq!(sys.next_event(None).unwrap().name, "b");
    });
}

#[test]
fn next_event_takes_all_kinds_in_order_of_arrival() {
    solo(|sys| {
        sys.queue_event("queued", ()).unwrap();
        sys.timer(ms(1)).unwrap();
        sys.send_event(sys.getpid(), "sent", ()).unwrap();
        sys.sleep(ms(2)).unwrap();
        for name in ["queued", "sent", "timer"] {
            assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, name);
        }
        assert_eq!(sys.next_event(Some(ms(0))), Err(Errno::ETIMEDOUT));
    });
}

#[test]
fn filter_event_takes_any_kind_by_name_and_leaves_the_rest() {
    solo(|sys| {
        sys.queue_event("a", 1).unwrap();
        sys.send_event(sys.getpid(), "b", 2).unwrap();
        sys.queue_event("c", 3).unwrap();
        assert_eq!(sys.filter_event(["c", "b"], None).unwrap().name, "b");
        assert_eq!(sys.filter_event(["c", "b"], None).unwrap().name, "c");
        assert_eq!(sys.filter_event(["c", "b"], Some(ms(2))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(2));
        assert_eq!(sys.next_event(None).unwrap().name, "a");
        assert_eq!(sys.filter_event([""; 0], None), Err(Errno::EINVAL));
    });
}

#[test]
fn events_left_at_the_end_go_with_their_owner() {
    let run = scenario(|kernel| {
        let main = hothouse::program(|sys| {
            let deaf = child(sys, |sys| sys.sleep(ms(5)));
            for i in 0..100 {
                sys.send_event(deaf, "x", i).unwrap();
            }
            assert_eq!(sys.getpinfo(deaf).unwrap().mailbox_depth, 100);
            join(sys, deaf);
        });
        kernel.spawn("init", main).unwrap();
    });
    assert!(run.exit(1).status.is_success());
    assert_eq!(run.report.held.events, 0);
}
