//! `hothouse bench`, and the rows that it measures.

use hothouse::bench::{Bench, ROWS};

use crate::command::command;

#[test]
fn every_row_checks_out_under_any_policy_and_on_several_cpus() {
    for (policy, cpus) in
        [(None, 1), (None, 3), (Some("rr:slice=1ms"), 1), (Some("cfs"), 2), (Some("random"), 2)]
    {
        let mut bench = Bench::default().cpus(cpus);
        if let Some(policy) = policy {
            bench = bench.policy(policy).unwrap();
        }
        for row in &ROWS {
            let figure = bench.measure(row, row.quick.min(500));
            let figure = figure.unwrap_or_else(|error| panic!("{}, {policy:?}: {error}", row.name));
            assert!(figure > 0.0 || row.kind.is_some(), "{}: {figure}", row.name);
        }
    }
}

#[test]
fn figures_are_a_table_or_json() {
    let args = ["bench", "ring", "ping-pong", "--count", "1000", "--runs", "3"];
    let ran = command(&args);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].contains("x switch") && lines[1].trim_start().starts_with("5  ping-pong"));
    assert!(ran.out.contains("medians of 3; policy: that of each row; CPUs: 1"), "{}", ran.out);

    let ran =
        command(&[&args[..], &["--format", "json", "--policy", "rr", "--cpus", "2"]].concat());
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["policy"].as_str(), json["cpus"].as_u64()), (Some("rr"), Some(2)));
    let row = &json["rows"][1];
    assert_eq!((row["name"].as_str(), row["size"].as_u64()), (Some("ring"), Some(1000)));
    let part = |name: &str| row["ours"][name].as_f64().unwrap();
    assert!(0.0 < part("min") && part("min") <= part("median") && part("median") <= part("max"));
    assert!(row["unit_ratio"].as_f64().unwrap() > 0.0);
}

#[test]
fn memory_is_told_part_by_part() {
    let ran = command(&["bench", "live", "lua-live", "--count", "300", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for (index, kind) in ["native", "lua"].iter().enumerate() {
        let memory = &json["rows"][index]["memory"];
        assert_eq!((memory["kind"].as_str(), memory["count"].as_u64()), (Some(*kind), Some(300)));
        let resident = |stage: &str| memory[stage]["resident"].as_u64().unwrap();
        assert!(resident("start") < resident("parked") && resident("parked") <= resident("queued"));
    }
    let text = command(&["bench", "live", "--count", "300"]).out;
    for part in ["300 parked native processes", "stack", "page tables", "spare stacks"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn each_row_does_the_same_work_twice() {
    let ran = command(&["bench", "--check", "--count", "50"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.err, "hothouse: check: two runs of each row gave the same trace\n");
    let hashes: Vec<&str> = ran.out.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(hashes.len(), ROWS.len());
    let other = command(&["bench", "--check", "--count", "80", "ping-pong"]).out;
    assert!(!hashes.contains(&other.trim_end().rsplit(' ').next().unwrap()), "{other}");
}

#[test]
fn bad_input_names_what_is_near() {
    let ran = command(&["bench", "pingpong"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("no row \"pingpong\"; did you mean \"ping-pong\"?"), "{}", ran.err);
    let ran = command(&["bench", "ring", "--policy", "rrr"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("did you mean \"rr\"?"), "{}", ran.err);
    let list = command(&["bench", "--list"]).out;
    assert_eq!(list.lines().count(), ROWS.len());
}
