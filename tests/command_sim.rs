//! `hothouse sim` as a person or a script uses it.

use crate::command::{Ran, command, hothouse};

/// A folder with a workload in it, and the path of its file.
pub(crate) fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    let path = path.to_str().expect("text").to_owned();
    (folder, path)
}

const THREE: &str = "a, 0ms, 5ms\nb, 0ms, 2ms\nc, 0ms, 8ms\n";

const TICKER: &str = r#"{ "tasks": { "ticker": {
    "run": 6000, "timer": { "ref": "unique", "period": 5000 },
} }, "global": { "duration": 1 } }"#;

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
}

#[test]
fn a_person_reads_tables_and_a_timeline() {
    let (_folder, path) = file("three.jobs", THREE);
    let ran = hothouse(&["sim", &path, "--policy", "rr:slice=1ms"])
        .env("COLUMNS", "60")
        .output()
        .map(Ran::from)
        .unwrap();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for part in [
        " a        1        11ms  11ms  11ms          0      6ms       2.2",
        " turnaround         10.33ms  11ms  15ms  15ms  15ms",
        "utilisation        100.0 %",
        "Little's law       2.067 jobs in the system = 200/s x 10.33ms",
        "A a  B b  C c",
        "repeat with: hothouse sim",
    ] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    let gantt = ran.out.lines().find(|line| line.starts_with("cpu 0")).unwrap();
    assert!(gantt.len() <= 60 && gantt.contains('A'), "{gantt}");
}

#[test]
fn every_metric_of_every_task_is_shown_on_demand() {
    let (_folder, path) = file("ticker.json", TICKER);
    let out = command(&["sim", &path, "--all"]).out;
    let (_, task) = out.split_once(" ticker             mean").expect("a table of the task");
    let (task, _) = task.split_once(" all tasks ").expect("and one of all");
    for part in [
        "turnaround",
        "first-run latency",
        "waiting",
        "tardiness",
        "slowdown",
        "bounded slowdown",
        "jobs               166 done, 1 unfinished, of 1 processes",
        "makespan           996ms",
        "deadlines          166 missed, ratio 1",
        "lateness           ",
        "fairness (Jain)    1",
        "lag, worst         ",
        "context switches   0 voluntary, 0 involuntary, 0 migrations",
        "lifetime           running 1s",
    ] {
        assert!(task.contains(part), "{part} is not in\n{out}");
    }
}

#[test]
fn json_holds_everything_and_repeats() {
    let (_folder, path) = file("three.jobs", THREE);
    let args = ["sim", &path, "--format", "json", "--policy", "sjf", "--seed", "3", "--jobs", "2"];
    let ran = command(&args);
    let first = json(&ran);
    assert_eq!(first["settings"]["policy"], "sjf");
    assert_eq!(first["seed"], 3);
    assert_eq!(first["metrics"]["machine"]["turnaround"]["mean_ns"], 8e6);
    assert_eq!(first["metrics"]["tasks"][2]["waiting"]["max_ns"], 7_000_000);
    assert_eq!(first["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(first["timeline"][0]["to_ns"], 2_000_000);
    assert_eq!(first["trace_hash"].as_str().unwrap().len(), 16);
    assert_eq!(command(&args).out, ran.out, "the same to the byte");
    let words: Vec<&str> = first["repeat"].as_str().unwrap().split(' ').skip(1).collect();
    let again = json(&command(&[&words[..], &["--format", "json"]].concat()));
    assert_eq!(again["trace_hash"], first["trace_hash"]);
}

#[test]
fn csv_has_a_row_for_each_task_and_one_for_the_machine() {
    let (_folder, path) = file("three.jobs", THREE);
    let ran = command(&["sim", &path, "--format", "csv"]);
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 5);
    let column = rows[0].iter().position(|name| *name == "turnaround_mean_ns").unwrap();
    let values: Vec<&str> = rows[1..].iter().map(|row| row[column]).collect();
    assert_eq!(values, ["5000000", "7000000", "15000000", "9000000"]);
}

#[test]
fn warnings_are_in_every_result() {
    let (_folder, path) = file("ticker.json", TICKER);
    let told = "ticker.json:1:14: task \"ticker\" needs 6ms of CPU time in each 5ms";
    let human = command(&["sim", &path, "--quiet"]);
    assert!(human.out.contains(&format!("\nwarning: {}", path)), "{}", human.out);
    assert!(human.out.contains(told) && human.err.is_empty(), "{}", human.err);
    let ran = command(&["sim", &path, "--format", "json"]);
    assert!(json(&ran)["warnings"][0].as_str().unwrap().contains(told));
    assert!(ran.err.contains(told), "{}", ran.err);
    assert_eq!(command(&["sim", &path, "--format", "json", "--quiet"]).err, "");
    let csv = command(&["sim", &path, "--format", "csv"]).out;
    assert!(csv.contains("needs 6ms of CPU time"), "{csv}");
}

#[test]
fn every_setting_can_come_from_the_environment() {
    let (_folder, path) = file("ticker.json", TICKER);
    let mut command = hothouse(&["sim", &path, "--format", "json", "--quiet"]);
    command.envs([
        ("HOTHOUSE_PROTOCOL", "inherit"),
        ("HOTHOUSE_ADMISSION", "1"),
        ("HOTHOUSE_SWITCH_COST", "5us"),
        ("HOTHOUSE_SEED", "9"),
        ("HOTHOUSE_POLICY", "edf"),
    ]);
    let result = json(&Ran::from(command.output().unwrap()));
    let settings = &result["settings"];
    assert_eq!(settings["protocol"], "inherit");
    assert_eq!(settings["admission"], true);
    assert_eq!(settings["switch_cost_ns"], 5_000);
    assert_eq!((settings["seed"].as_u64(), settings["policy"].as_str()), (Some(9), Some("edf")));
    let repeat = result["repeat"].as_str().unwrap();
    for part in ["--protocol inherit", "--admission", "--switch-cost 5us", "--seed 9"] {
        assert!(repeat.contains(part), "{repeat}");
    }
}

#[test]
fn the_result_goes_to_a_file_whole_or_not_at_all() {
    let (folder, path) = file("three.jobs", THREE);
    let out = folder.path().join("out.json");
    let to = |out: &str| command(&["sim", &path, "--format", "json", "-o", out]);
    let ran = to(out.to_str().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    assert!(std::fs::read_to_string(&out).unwrap().starts_with('{'));
    let ran = to(folder.path().join("no/out.json").to_str().unwrap());
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("can't be written"), "{}", ran.err);
    assert_eq!(to(folder.path().to_str().unwrap()).code, Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn settings_are_flags_over_environment_over_file_over_defaults() {
    let (_folder, path) = file("ticker.json", TICKER);
    let settings = |args: &[&str], environment: &[(&str, &str)]| {
        let args = [&["sim", &path, "--format", "json"], args].concat();
        let mut command = hothouse(&args);
        command.envs(environment.iter().copied());
        json(&Ran::from(command.output().unwrap()))["settings"].clone()
    };
    let defaults = settings(&[], &[]);
    assert_eq!((defaults["cpus"].as_u64(), defaults["policy"].as_str()), (Some(1), Some("fifo")));
    assert_eq!(defaults["duration_ns"], 1_000_000_000);
    let environment = [("HOTHOUSE_CPUS", "2"), ("HOTHOUSE_DURATION", "2s")];
    let set = settings(&["--cpus", "3"], &environment);
    assert_eq!((set["cpus"].as_u64(), set["duration_ns"].as_u64()), (Some(3), Some(2_000_000_000)));
}

#[test]
fn exit_codes_say_what_happened() {
    let (_folder, path) = file("ticker.json", TICKER);
    assert_eq!(command(&["sim", &path]).code, Some(0));
    assert_eq!(command(&["sim", &path, "--fail-on", "misses"]).code, Some(1));
    assert_eq!(command(&["sim", &path, "--fail-on", "warnings"]).code, Some(1));
    let (_folder, fine) = file("three.jobs", THREE);
    assert_eq!(command(&["sim", &fine, "--fail-on", "misses,warnings"]).code, Some(0));
    assert_eq!(command(&["sim", &path, "--fail-on", "unfinished,misses"]).code, Some(1));
    let checked = command(&["sim", &path, "--check", "--cpus", "2", "--policy", "random"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let unlocks = r#"{ "tasks": { "bad": { "loop": 1, "run": 10, "unlock": "m" } } }"#;
    let (_folder, path) = file("bad.json", unlocks);
    let ran = command(&["sim", &path]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("bad") && ran.err.contains("unlock"), "{}", ran.err);
}

/// Runs `sim` on bad input.
#[track_caller]
fn refused(name: &str, text: &str, args: &[&str], parts: &[&str]) {
    let (_folder, path) = file(name, text);
    let ran = command(&[&["sim", &path], args].concat());
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "nothing is run");
    for part in parts {
        assert!(ran.err.contains(part), "{part} is not in\n{}", ran.err);
    }
}

#[test]
fn bad_input_is_told_with_its_place_and_nothing_runs() {
    let wrong = TICKER.replace("unique\", \"period", "unique\", \"perod");
    let parts =
        ["ticker.json:2:46", "\"perod\"", "did you mean \"period\"?", "^^^^^^^", "run\": 6000"];
    refused("ticker.json", &wrong, &[], &parts);
    refused("three.jobs", "a, 0, 5\n", &[], &["three.jobs:1:7", "no unit"]);
    refused("three.pdf", THREE, &[], &["extension", ".json"]);
    refused("three.jobs", THREE, &["--policy", "sfj"], &["\"sfj\"", "did you mean \"sjf\""]);
    refused("three.jobs", THREE, &["--policy", "rr:slize=1ms"], &["slize"]);
    refused("three.jobs", THREE, &["--duration", "5"], &["no unit"]);
    refused("three.jobs", THREE, &["--cpus", "0"], &["1..=65536"]);
    let affine = r#"{ "tasks": { "t": { "cpus": [3], "loop": 1, "run": 10 } } }"#;
    refused("t.json", affine, &["--cpus", "2"], &["\"t\"", "it asks for 3, there are 2"]);
    let endless = r#"{ "tasks": { "t": { "run": 10 } } }"#;
    refused("t.json", endless, &[], &["never ends", "--duration"]);
    let program = "[[task]]\nname = \"t\"\nprogram = \"electoin\"\n";
    refused("t.toml", program, &[], &["t.toml:2:8: task \"t\"", "did you mean \"election\"?"]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("latin.toml");
    std::fs::write(&path, b"[[task]]\nname = \"caf\xe9\"\n").expect("it can be written");
    let latin = command(&["sim", path.to_str().expect("text")]);
    assert_eq!(latin.code, Some(2));
    assert!(latin.err.contains("latin.toml:2:12: this is no UTF-8 text"), "{}", latin.err);
    assert!(latin.err.contains("  | name = \"caf\u{fffd}\"\n  |            ^"), "{}", latin.err);
    let missing = command(&["sim", "missing.json"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("missing.json can't be read"), "{}", missing.err);
}

/// Whether a process of the host handles SIGINT by now.
#[cfg(target_os = "linux")]
fn catches_sigint(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
    u64::from_str_radix(caught.trim(), 16).expect("a mask") & 2 != 0
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_simulation_with_what_it_has() {
    let (_folder, path) = file("ticker.json", TICKER);
    let mut child = hothouse(&["sim", &path, "--duration", "10000h", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !catches_sigint(child.id()) {
        std::thread::yield_now();
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let result: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["interrupted"], true);
}
