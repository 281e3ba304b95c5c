//! `hothouse run`, from end to end.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value as Json;

use crate::command::{command, hothouse, lua_file};

const IPC: &str = "local ipc, process, util = \
    require 'system.ipc', require 'system.process', require 'system.util' ";

#[test]
fn lines_go_to_stdout_and_all_else_to_stderr() {
    let (_folder, path) = lua_file(&format!(
        "{IPC} print('hello', ...) util.sleep(1.5) print('later') \
         process.fork(function() error('broken', 0) end) util.sleep(1)"
    ));
    let ran = command(&["run", &path, "a", "b"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out, "[0.000000000] 1 main: hello\ta\tb\n[1.500000000] 1 main: later\n");
    assert!(ran.err.starts_with("[1.500000000] 2 fork: broken\n"), "{}", ran.err);
    for part in
        ["hothouse: done: pid 1 exited", "2.500000000 s virtual", " traps, ", "trace", "repeat"]
    {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
}

#[test]
fn builtin_rust_programs_run() {
    let listed = command(&["programs"]);
    assert_eq!(listed.code, Some(0));
    for name in ["service", "supervisor", "shutdown", "pipeline", "philosophers", "election"] {
        assert!(listed.out.contains(name), "{}", listed.out);
    }
    let ran = command(&["run", "service"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("the square of 3 is 9"), "{}", ran.out);
    assert_eq!(command(&["policies"]).code, Some(0));
}

#[test]
fn exit_code_1_is_a_failed_first_program_or_a_deadlock() {
    for source in ["error('x')", "require('system.process').exit(3)", "return false"] {
        let (_folder, path) = lua_file(source);
        assert_eq!(command(&["run", &path]).code, Some(1), "{source}");
    }
    let (_folder, path) = lua_file("require('system.ipc').receiveEvent()");
    let ran = command(&["run", &path]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("deadlock"), "{}", ran.err);
    assert!(ran.err.contains("main") && ran.err.contains("an event"), "{}", ran.err);
    let (_folder, path) = lua_file("require('system.process').exit(0)");
    assert_eq!(command(&["run", &path]).code, Some(0));
}

#[test]
fn exit_code_3_is_a_check_that_differs_and_0_one_that_does_not() {
    let ran = command(&["run", "--check", "election"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("two runs gave the same trace"), "{}", ran.err);
    let (_folder, path) = lua_file("for _ in pairs { [{}] = 1, [{}] = 2 } do end");
    let ran = command(&["run", "--check", &path]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("main.lua:1"), "{}", ran.err);
}

#[test]
fn exit_code_4_is_a_limit() {
    let (_folder, path) = lua_file(&format!("{IPC} while true do process.yield() end"));
    let ran = command(&["run", &path]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.err.contains("failed: "), "{}", ran.err);
}

#[test]
fn at_and_script_act_from_outside() {
    let (folder, path) = lua_file(&format!(
        "{IPC} ipc.sigaction(15, function() print('term') end) \
         local _, data = ipc.receiveEvent(nil, 'job') print(data.x, data.list[2], util.now())"
    ));
    let ran = command(&[
        "run",
        "--at",
        "1s",
        "kill 1 TERM",
        "--at",
        "2500ms",
        r#"send 1 job {"x":1,"list":[1,"two"]}"#,
        &path,
    ]);
    let want = "[1.000000000] 1 main: term\n[2.500000000] 1 main: 1\ttwo\t2.5\n";
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), want), "{}", ran.err);
    let script = folder.path().join("script");
    let text = "# a comment\n\n1s kill 1 15\n2.5s send 1 job {\"x\":1,\"list\":[1,\"two\"]}\n";
    std::fs::write(&script, text).unwrap();
    let ran = command(&["run", "--script", script.to_str().unwrap(), &path]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), want), "{}", ran.err);
}

#[test]
fn the_trace_is_json_lines() {
    let (folder, path) =
        lua_file(&format!("{IPC} ipc.sendEvent(1, 'x', {{ 1 }}) util.sleep(1) print('end')"));
    let trace = folder.path().join("trace.jsonl");
    let ran = command(&["run", "--trace", trace.to_str().unwrap(), &path]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let text = std::fs::read_to_string(&trace).unwrap();
    let records: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.len() > 5);
    assert!(records.iter().all(|record| record["time"].is_string() && record["what"].is_string()));
    let sent = records.iter().find(|record| record["what"] == "sent").expect("a sent event");
    assert_eq!((&sent["name"], &sent["data"][0]), (&Json::from("x"), &Json::from(1)));
}

#[test]
fn format_json_is_an_object_a_line() {
    let (_folder, path) = lua_file("print('a \"b\"\\n\\255')");
    let ran = command(&["run", "--format", "json", &path]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let lines: Vec<Json> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert_eq!(lines[0]["pid"], 1);
    assert_eq!(lines[0]["text"], "a \"b\"\n\\xff");
    let report = &lines[1]["report"];
    assert_eq!((&report["end"], &report["exit_code"]), (&Json::from("done"), &Json::from(0)));
    assert!(report["trace_hash"].is_string() && report["repeat"].is_string());
}

#[test]
fn until_linger_and_ps() {
    let (_folder, path) = lua_file(&format!(
        "{IPC} process.fork(function() while true do util.sleep(1) end end, 'ticker') \
         process.fork(function() util.sleep(2) print('lingers') end, 'other') util.sleep(1)"
    ));
    let ran = command(&["run", "--ps", &path]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{}", ran.err);
    assert!(ran.err.contains("ticker") && ran.err.contains("other"), "{}", ran.err);
    let ran = command(&["run", "--linger", "--until", "3500ms", &path]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("[2.000000000] 3 other: lingers"), "{}", ran.out);
    assert!(ran.err.contains("3.500000000 s virtual"), "{}", ran.err);
    let ran = command(&["run", "--until", "500ms", &path]);
    assert!(ran.err.contains("0.500000000 s virtual"), "{}", ran.err);
}

/// The trace hash that a report names.
fn hash(err: &str) -> &str {
    let line = err.lines().find_map(|line| line.strip_prefix("  trace"));
    line.expect("the report names the hash").trim()
}

#[test]
fn the_printed_command_repeats_the_run() {
    let (_folder, path) = lua_file(&format!(
        "{IPC} for _ = 1, math.random(20) do util.sleep(math.random()) end print((...))"
    ));
    let first = command(&[
        "run",
        "--seed",
        "77",
        "--policy",
        "random",
        "--cpus",
        "2",
        "--trap-cost",
        "1us",
        "--at",
        "1s",
        "send 1 it's {\"a b\":1}",
        &path,
        "it's",
        "--dash",
    ]);
    // clap takes what follows the program's name as its arguments only behind `--`.
    let first = if first.code == Some(2) {
        command(&[
            "run",
            "--seed",
            "77",
            "--policy",
            "random",
            "--cpus",
            "2",
            "--trap-cost",
            "1us",
            "--at",
            "1s",
            "send 1 it's {\"a b\":1}",
            &path,
            "--",
            "it's",
            "--dash",
        ])
    } else {
        first
    };
    assert_eq!(first.code, Some(0), "{}", first.err);
    let repeat = first.err.lines().find_map(|line| line.strip_prefix("  repeat")).unwrap().trim();
    let bin = crate::command::binary().parent().unwrap().to_str().unwrap();
    let again = std::process::Command::new("sh")
        .args(["-c", repeat])
        .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    let again = crate::command::Ran::from(again);
    assert_eq!(hash(&first.err), hash(&again.err), "{repeat}\n{}", again.err);
    assert_eq!(first.out, again.out);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let (_folder, path) =
        lua_file(&format!("{IPC} for i = 1, 1e5 do print(('x'):rep(100)) util.now() end"));
    let mut child =
        hothouse(&["run", &path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    assert_eq!(err, "");
}

/// Starts the command, sends it SIGINT once it has written a line, and returns how it ended.
fn interrupted(args: &[&str]) -> (Option<i32>, String, String) {
    let mut child = hothouse(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    out.read_to_string(&mut text).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code(), text, err)
}

#[test]
fn ctrl_c_is_sigint_to_pid_1_in_real_time() {
    let (_folder, path) = lua_file(&format!(
        "{IPC} ipc.sigaction(2, function() print('caught') process.exit(0) end) \
         print('ready') util.sleep(100)"
    ));
    let (code, out, err) = interrupted(&["run", "--realtime", &path]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.ends_with("caught\n"), "{out}");
}

#[test]
fn ctrl_c_ends_a_run_in_virtual_time_with_its_report() {
    let (_folder, path) = lua_file(&format!(
        "{IPC} for _ = 1, 1000 do print(('x'):rep(100)) end while true do util.sleep(1) end"
    ));
    let (code, _, err) = interrupted(&["run", &path]);
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("hothouse: interrupted") && err.contains("virtual"), "{err}");
}
