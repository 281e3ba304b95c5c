//! What bad input gets: one clear message on stderr, exit code 2, and nothing run.

use crate::command::{command, lua_file};

/// Runs the command on bad input.
#[track_caller]
fn refused(args: &[&str], parts: &[&str]) {
    let ran = command(args);
    assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{args:?}");
    for part in parts {
        assert!(ran.err.contains(part), "{args:?} lacks {part}: {}", ran.err);
    }
    assert!(!ran.err.contains("panicked") && !ran.err.contains("stack traceback"), "{}", ran.err);
}

#[test]
fn a_program_that_is_missing_or_can_not_be_read() {
    refused(&["run", "missing.lua"], &["missing.lua"]);
    refused(&["run", "servce"], &["servce", "Did you mean \"service\"", "hothouse programs"]);
    refused(&["run"], &["PROGRAM"]);
    refused(&["run", "/"], &["/"]);
    let (folder, _) = lua_file("");
    refused(&["run", folder.path().to_str().unwrap()], &[]);
}

#[test]
fn a_program_that_is_no_lua_text() {
    let (_folder, path) = lua_file("print('never')\nlocal x = = 1\n");
    refused(&["run", &path], &["main.lua:2:", "near '='"]);
    let (_folder, path) = lua_file("\u{1b}Lua");
    refused(&["run", &path], &["compiled Lua"]);
    let (_folder, path) = lua_file("end print('never') do");
    refused(&["run", &path], &["main.lua:1:"]);
}

#[test]
fn unknown_options_and_names() {
    refused(&["run", "--what", "service"], &["--what"]);
    refused(&["walk"], &["walk"]);
    refused(&[], &["Usage"]);
    refused(&["run", "--policy", "fairest", "service"], &["fairest"]);
    refused(&["run", "--policy", "rr:slice=soon", "service"], &["soon"]);
    refused(&["run", "--policy", "rr:speed=1ms", "service"], &["speed"]);
    refused(&["run", "--cpus", "0", "service"], &["--cpus"]);
    refused(&["run", "--cpus", "two", "service"], &["--cpus"]);
    refused(&["run", "--seed=-1", "service"], &["--seed"]);
    refused(&["run", "--format", "xml", "service"], &["xml"]);
    refused(&["run", "--check", "--realtime", "service"], &["--realtime"]);
}

#[test]
fn bad_durations() {
    for text in ["10", "soon", "-1s", "1.5.5s", "", "99999999999999999999s"] {
        let until = format!("--until={text}");
        refused(&["run", &until, "service"], &["--until"]);
    }
    refused(&["run", "--until", "10", "service"], &["has no unit", "10s"]);
}

#[test]
fn bad_actions() {
    for (time, action, part) in [
        ("5", "kill 2 TERM", "no unit"),
        ("5s", "stop 2", "no action \"stop\""),
        ("5s", "kill x TERM", "no pid"),
        ("5s", "kill 0 TERM", "no pid"),
        ("5s", "kill 2 BANG", "no signal"),
        ("5s", "send 2", "name is missing"),
        ("5s", "send 2 a {", "no JSON"),
        ("5s", "", "no action"),
    ] {
        refused(&["run", "--at", time, action, "service"], &["--at", part]);
    }
    refused(&["run", "--at", "5s"], &["--at"]);
}

#[test]
fn bad_scripts_are_told_with_file_line_and_column() {
    let (folder, _) = lua_file("");
    let script = folder.path().join("script");
    let path = script.to_str().unwrap();
    for (text, place) in [
        ("# fine\n1s kill 1 BANG\n", "script:2:4: "),
        ("soon kill 1 TERM\n", "script:1:1: "),
        ("1s kill 1 TERM\n\n  2s sing\n", "script:3:6: "),
    ] {
        std::fs::write(&script, text).unwrap();
        refused(&["run", "--script", path, "service"], &[place, "^"]);
    }
    refused(&["run", "--script", "/no/such/file", "service"], &["/no/such/file"]);
    refused(&["run", "--trace", "/no/such/folder/file", "service"], &["/no/such/folder/file"]);
}
