use proptest::prelude::*;

use super::*;
use crate::stream::StreamKind;

fn made(spec: &str) -> Result<String, String> {
    let stream = Stream::derive(0, StreamKind::Policy, 0);
    policy(spec, stream).map(|policy| policy.spec()).map_err(|error| error.to_string())
}

#[test]
fn every_policy_is_made_with_its_defaults() {
    for (id, params, _) in POLICIES {
        let full = if params.is_empty() { id.to_string() } else { format!("{id}:{params}") };
        let expected = if *id == "random" { "random".to_string() } else { full };
        assert_eq!(made(id), Ok(expected.clone()));
        assert_eq!(made(&expected), Ok(expected));
    }
}

#[test]
fn parameters_are_read_in_any_order() {
    let full = Ok("prio:preempt=false,slice=2.5ms".to_string());
    assert_eq!(made("prio:slice=2.5ms,preempt=false"), full);
    assert_eq!(made("prio:preempt=false,slice=2500us"), full);
    assert_eq!(made("prio:preempt=false"), Ok("prio:preempt=false,slice=10ms".to_string()));
    assert_eq!(made("random:seed=7"), Ok("random:seed=7".to_string()));
}

#[test]
fn errors_say_what_is_wrong_and_what_there_is() {
    let ids: Vec<_> = POLICIES.iter().map(|(id, ..)| *id).collect();
    let known = format!("There are: {}", ids.join(", "));
    let cases = [
        ("", format!("no policy \"\". {known}")),
        ("zzz", format!("no policy \"zzz\". {known}")),
        ("PRIO", format!("no policy \"PRIO\"; did you mean \"prio\"? {known}")),
        ("rnadom:x", format!("no policy \"rnadom\"; did you mean \"random\"? {known}")),
        ("fifo:x=1", "policy \"fifo\" has no parameter \"x\". It has none".to_string()),
        (
            "prio:slcie=1ms",
            "policy \"prio\" has no parameter \"slcie\"; did you mean \"slice\"? \
             There are: preempt, slice"
                .to_string(),
        ),
        ("rr:", "policy \"rr\": \"\" is no key=value".to_string()),
        ("rr:slice", "policy \"rr\": \"slice\" is no key=value".to_string()),
        ("rr:slice=1ms,", "policy \"rr\": \"\" is no key=value".to_string()),
        ("rr:slice=1ms,slice=1ms", "policy \"rr\": \"slice\" is given twice".to_string()),
        (
            "prio:preempt=ture",
            "policy \"prio\": bad preempt \"ture\"; did you mean \"true\"? It is true or false"
                .to_string(),
        ),
        (
            "random:seed=-1",
            "policy \"random\": bad seed \"-1\". \
             It is a whole number from 0 to 18446744073709551615"
                .to_string(),
        ),
    ];
    for (spec, text) in cases {
        assert_eq!(made(spec), Err(text));
    }
}

#[test]
fn a_bad_duration_is_refused() {
    let expected = "It is a duration above 0 with a unit (ns, us, ms, s), such as 2.5ms";
    let cases = [
        "", "10", "ms", "0ms", ".5ms", "1.ms", "1.2.3ms", "-1ms", "+1ms", "1e3ms", "1ms ", "0.1ns",
    ];
    let cases =
        cases.into_iter().chain(["1.0000000001s", "18446744074s", "99999999999999999999ns", "1é"]);
    for value in cases {
        let error = made(&format!("rr:slice={value}")).unwrap_err();
        assert!(error.starts_with("policy \"rr\": bad slice"), "{error}");
        assert!(error.ends_with(expected), "{error}");
    }
    let near = format!("policy \"rr\": bad slice \"1.5MS\"; did you mean \"1.5ms\"? {expected}");
    assert_eq!(made("rr:slice=1.5MS"), Err(near));
}

#[test]
fn spans_are_shown_in_the_unit_that_fits() {
    let cases = [
        (1, "1ns"),
        (999, "999ns"),
        (1_000, "1us"),
        (2_500_000, "2.5ms"),
        (10_000_000, "10ms"),
        (1_000_000_001, "1.000000001s"),
        (u64::MAX, "18446744073.709551615s"),
    ];
    for (nanos, text) in cases {
        assert_eq!(format_span(Span::from_nanos(nanos)), text);
    }
}

proptest! {
    #[test]
    fn a_span_is_read_as_it_is_shown(nanos: u64, shift in 0..64u32) {
        let span = Span::from_nanos(nanos >> shift);
        prop_assert_eq!(parse_span(&format_span(span)), Some(span));
    }

    #[test]
    fn no_spec_panics(text in "(rr|prio|random|fifo|x)?:?(slice|seed|preempt)?=?.{0,8}") {
        let _ = made(&text);
    }
}
