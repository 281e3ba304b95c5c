//! `hothouse workload` as a person or a script uses it.

use crate::command::command;
use crate::command_sim::file;

const PAIR: &str = r#"
[machine]
cpus = 2
policy = "edf"
duration = "1s"

[[semaphore]]
name = "slots"
value = 2

[[task]]
name = "control"
rounds = "forever"
script = [{ run = "3ms" }, { sem_wait = "slots" }, { sem_post = "slots" }, { period = "10ms" }]

[[task]]
name = "log"
count = 40
every = "exp(20ms)"
nice = 5
script = [{ lock = "disk" }, { run = "exp(4ms)" }, { unlock = "disk" }, { barrier = "end" }]
"#;

#[test]
fn check_says_what_a_file_holds() {
    let (_folder, path) = file("pair.toml", PAIR);
    let ran = command(&["workload", "check", &path]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let (_, out) = ran.out.split_once("\n\n").unwrap();
    assert_eq!(
        out,
        "tasks        2, 41 processes\n\
         jobs         without end\n\
         machine      2 CPUs, edf, seed 0\n\
         horizon      1s\n\
         load         0.5 of 2 CPUs, by timers and arrivals\n\
         mutexes      disk\n\
         semaphores   slots\n\
         barriers     end for 40\n\n \
         task     count  phases  steps  CPU time  utilisation  jobs  scheduled\n \
         control      1       1      4         -          0.3     -  nice 0\n \
         log         40       1      4       4ms          0.2    40  nice 5\n"
    );
    let json = command(&["workload", "check", &path, "--format", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["load"], 0.5);
    assert_eq!(json["barriers"][0]["processes"], 40);
    assert_eq!(json["settings"]["policy"], "edf");
    assert_eq!(json["tasks"][1]["jobs"], 40);
}

#[test]
fn check_tells_what_is_odd_and_what_is_wrong() {
    let odd = PAIR
        .replace("3ms", "12ms")
        .replace("sem_post", "resume")
        .replace("count = 40", "count = 90");
    let (_folder, path) = file("odd.toml", &odd);
    let ran = command(&["workload", "check", &path]);
    assert_eq!(ran.code, Some(0));
    for part in [
        "odd.toml:14:64: resume of nobody: no task is suspended under \"slots\"",
        "task \"control\" needs 12ms of CPU time in each 10ms: it is late under every policy",
    ] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    assert_eq!(command(&["workload", "check", &path, "--fail-on", "warnings"]).code, Some(1));
    let (_folder, path) = file("wrong.toml", &PAIR.replace("\"edf\"", "\"edff\""));
    let ran = command(&["workload", "check", &path]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(
        ran.err.contains("wrong.toml:4:10: no policy \"edff\"; did you mean \"edf\"?"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("  | policy = \"edff\"\n  |          ^^^^^^\n"), "{}", ran.err);
}

#[test]
fn convert_writes_the_native_form() {
    let (folder, path) = file("two.jobs", "a, 0, 5ms\nb, 2ms, 3ms, -4\n");
    let ran = command(&["workload", "convert", &path]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(
        ran.out,
        "[[task]]\nname = \"a\"\nscript = [\n    { run = \"5ms\" },\n]\n\n\
         [[task]]\nname = \"b\"\nstart = \"2ms\"\nnice = -4\nscript = [\n    { run = \"3ms\" },\n]\n"
    );
    let out = folder.path().join("two.toml");
    let ran = command(&["workload", "convert", &path, "-o", out.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    let hash = |path: &str| {
        let ran = command(&["sim", path, "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        json["trace_hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(hash(out.to_str().unwrap()), hash(&path));
}

#[test]
fn examples_are_listed_run_and_written() {
    let list = command(&["workload", "list"]).out;
    for name in ["pathfinder", "convoy", "starvation", "gaming", "web", "overload", "day"] {
        assert!(list.contains(&format!(" {name} ")), "{list}");
        assert_eq!(command(&["workload", "check", name]).code, Some(0), "{name}");
    }
    let ran = command(&["sim", "pathfinder", "--fail-on", "misses"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert_eq!(
        command(&["sim", "pathfinder", "--protocol", "inherit", "--fail-on", "misses"]).code,
        Some(0)
    );
    assert!(command(&["workload", "convert", "web"]).out.contains("pareto(2ms, 1.4)"));
    let ran = command(&["sim", "pathfindr"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("Did you mean \"pathfinder\"?"), "{}", ran.err);
}
