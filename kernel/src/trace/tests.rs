use proptest::prelude::*;

use super::encoding::{fields, value};
use super::*;

const NAME: Name = Name::short("ab");

/// One record of every kind, each with the hexadecimal digits of its encoding.
fn golden(status: &ExitStatus, data: &Value, check: &mut dyn FnMut(What<'_>, &str)) {
    let (pid, name, signal) = (Pid::new(9), &NAME, Signal::SIGTERM);
    let (timer, lock) = (TimerId::new(300), LockId::new(5));
    let (span, at) = (Span::from_micros(1), Tick::from_nanos(u64::MAX));
    check(What::Spawned { parent: pid, name }, "09026162");
    check(What::Started, "");
    check(What::Dispatched, "");
    check(What::Trap { name: "kill", kind: 9 }, "046b696c6c");
    check(What::Blocked { on: "event" }, "056576656e74");
    check(What::Woken, "");
    check(What::Stopped, "");
    check(What::Continued, "");
    check(What::BurstStarted { span }, "e807");
    check(What::BurstEnded { ran: span }, "e807");
    check(What::Preempted, "");
    check(What::SliceEnded, "");
    check(What::Switched { from: pid, cost: span }, "09e807");
    check(
        What::Sent { to: pid, name, data },
        "0902616206050002030304000000000000f87f070105016b04000000000000f83f",
    );
    check(What::Received { from: pid, name }, "09026162");
    check(What::DeadLetter { to: pid, name }, "09026162");
    check(What::Queued { name }, "026162");
    check(What::Signaled { signal, by: pid }, "0f09");
    check(What::HandlerStarted { signal }, "0f");
    check(What::HandlerEnded, "");
    check(What::TimerArmed { id: timer, at }, "ac02ffffffffffffffffff01");
    check(What::TimerFired { id: timer }, "ac02");
    check(What::TimerCancelled { id: timer }, "ac02");
    check(What::TimedOut, "");
    check(What::Registered { name }, "026162");
    check(What::Unregistered { name }, "026162");
    check(What::LockTaken { id: lock }, "05");
    check(What::LockReleased { id: lock }, "05");
    check(What::Called { to: pid, name, token: 128 }, "090261628001");
    check(What::Replied { to: pid, token: 128 }, "098001");
    check(What::Monitored { pid }, "09");
    check(What::Noticed { child: pid }, "09");
    check(What::Exited { status }, "0309");
    check(What::Abandoned, "");
    check(What::Faulted { signal }, "0f");
    check(What::Logged { text: b"\xff" }, "01ff");
    check(What::Unrepeatable, "");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_encoding_is_frozen() {
    let data = Value::list([
        Value::Nil,
        true.into(),
        (-2).into(),
        f64::NAN.into(),
        Value::map([("k", 1.5)]),
    ]);
    let status = ExitStatus::Signaled(Signal::SIGKILL);
    let mut hash = TraceHash::new();
    let mut tags = Vec::new();
    golden(&status, &data, &mut |what, digits| {
        let record =
            Record { time: Tick::from_nanos(300), cpu: Some(CpuId(0)), pid: Pid::new(2), what };
        let mut out = Vec::new();
        encode(&record, &mut out);
        tags.push(out[0]);
        // The tag first, then what all these records share.
        assert_eq!(hex(&out[1..5]), "ac020102");
        assert_eq!(hex(&out[5..]), digits, "{what}");
        hash.update(&record);
    });
    assert_eq!(tags, (0..37).collect::<Vec<u8>>());
    assert_eq!(hash.to_string(), "a5f2775725e8dd50");
}

#[test]
fn an_exit_status_has_a_tag_and_its_content() {
    let encoded = |status: &ExitStatus| {
        let what = What::Exited { status };
        let mut out = Vec::new();
        encode(&Record { time: Tick::ZERO, cpu: None, pid: Pid::KERNEL, what }, &mut out);
        hex(&out)
    };
    assert_eq!(encoded(&ExitStatus::Exited(3.into())), "20000000000306");
    assert_eq!(encoded(&ExitStatus::Failed("no".into())), "2000000001026e6f");
    assert_eq!(encoded(&ExitStatus::Panicked("no".into())), "2000000002026e6f");
}

#[test]
fn every_nan_is_the_same_and_zeroes_differ() {
    let encoded = |float: f64| {
        let mut out = Vec::new();
        value(&mut out, &float.into());
        out
    };
    assert_eq!(encoded(f64::NAN), encoded(-f64::from_bits(f64::NAN.to_bits() | 1)));
    assert_ne!(encoded(0.0), encoded(-0.0));
}

#[test]
fn words_are_unique() {
    let mut words = Vec::new();
    let (status, data) = (ExitStatus::Exited(Value::Nil), Value::Nil);
    golden(&status, &data, &mut |what, _| words.push(what.word()));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 37);
}

#[test]
fn a_fault_on_purpose_is_encoded_with_its_rule() {
    let mut out = Vec::new();
    fields(&What::Injected { fault: "kill", rule: 128 }, &mut out);
    assert_eq!(out, b"\x04kill\x80\x01");
}

#[test]
fn closures_listen() {
    let mut count = 0;
    let mut listener = |_: &Record<'_>| count += 1;
    let record = Record { time: Tick::ZERO, cpu: None, pid: Pid::new(1), what: What::Woken };
    Listener::record(&mut listener, &record);
    assert_eq!(count, 1);
    assert_eq!(record.to_string(), "[0.000000000] pid 1 woken");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        (-2..2i64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2..2i32).prop_map(|n| Value::Float(n.into())),
        prop::collection::vec(0..8u8, 0..3).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::list::<Value>),
            prop::collection::vec((inner.clone(), inner), 0..3)
                .prop_map(Value::map::<Value, Value>),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_encoding_is_a_prefix_of_another(a in values(), b in values()) {
        let (mut encoded_a, mut encoded_b) = (Vec::new(), Vec::new());
        value(&mut encoded_a, &a);
        value(&mut encoded_b, &b);
        prop_assert_eq!(a == b, encoded_a.starts_with(&encoded_b));
    }
}
