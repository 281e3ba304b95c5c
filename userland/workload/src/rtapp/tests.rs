use std::path::Path;

use hothouse_abi::{Class, Span};

use crate::{Dist, Protocol, Source, Step, Workload};

fn read(text: &str) -> Workload {
    super::read(&Source::new("t.json", text)).unwrap_or_else(|error| panic!("{error}"))
}

fn task(body: &str) -> Workload {
    read(&format!("{{\"tasks\": {{\"a\": {{{body}}}}}}}"))
}

/// The errors of a task, as `line:column: message (help)`.
fn wrong(body: &str) -> Vec<String> {
    let text = format!("{{\"tasks\": {{\n{body}\n}}}}");
    let errors = super::read(&Source::new("t.json", text)).expect_err(body);
    let show = |it: &crate::Diagnostic| {
        let (line, column) = it.place();
        format!("{line}:{column}: {} ({})", it.message, it.help.clone().unwrap_or_default())
    };
    errors.0.iter().map(show).collect()
}

const fn run(micros: u64) -> Step {
    Step::Run(Dist::Const(Span::from_micros(micros)))
}

#[test]
fn every_real_file_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rt-app");
    let Ok(entries) = folder.read_dir() else {
        println!("skipped: {} is not here", folder.display());
        return;
    };
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let paths: Vec<_> =
        paths.iter().filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    assert_eq!(paths.len(), 11);
    for path in paths {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let found = super::read(&Source::new(name, text)).unwrap_or_else(|error| panic!("{error}"));
        assert!(!found.tasks.is_empty());
        let steps: usize =
            found.tasks.iter().flat_map(|task| &task.phases).map(|phase| phase.steps.len()).sum();
        match name {
            "example5.json" => assert_eq!(steps, 1 + 8 + 8),
            "browser-short.json" => assert_eq!((found.tasks.len(), steps), (9, 61)),
            "spreading-tasks.json" => assert_eq!(found.tasks[1].phases.len(), 4),
            "mp3-short.json" => assert_eq!(found.tasks[3].phases[0].steps.len(), 7),
            _ => assert!(steps > 0),
        }
        let odd: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
        assert!(odd.is_empty(), "{name}: {odd:#?}");
    }
}

#[test]
fn events_keep_their_order_and_are_matched_by_their_beginning() {
    let found = task(
        r#"// events
        "run": 1, "suspend", "run": 2, "runtime2": 3, "memrun": {"size": 2000}, "mem1": 1000,
        "iorun": 100, "yield": "", "sleep_a": 4, "resume": "a", "barrier1": "B", "sem_post": "s",
        "sem_wait": "s", "broadcast": "c", "loop": 2,"#,
    );
    let task = &found.tasks[0];
    assert_eq!(task.rounds, Some(2));
    assert_eq!(
        task.phases[0].steps,
        [
            run(1),
            Step::Suspend("a".into()),
            run(2),
            Step::Busy(Dist::Const(Span::from_micros(3))),
            run(2),
            run(1),
            run(1),
            Step::Yield,
            Step::Sleep(Dist::Const(Span::from_micros(4))),
            Step::Resume("a".into()),
            Step::Barrier("B".into()),
            Step::Post("s".into()),
            Step::Acquire("s".into()),
            Step::Broadcast("c".into()),
        ]
    );
    assert_eq!(found.warnings, []);
}

#[test]
fn timers_are_shared_unless_they_are_unique() {
    let found = task(
        r#""timer": {"ref": "unique1", "period": 5},
           "timer": {"ref": "tick", "period": 6, "mode": "absolute"}"#,
    );
    let timer = |reference: &str, per_task, micros, absolute| {
        let period = Span::from_micros(micros);
        Step::Timer { reference: reference.into(), per_task, period, absolute }
    };
    let expected = [timer("unique1", true, 5, false), timer("tick", false, 6, true)];
    assert_eq!(found.tasks[0].phases[0].steps, expected);
    assert_eq!(found.tasks[0].rounds, None);
}

#[test]
fn a_phase_keeps_what_it_does_not_say() {
    let found = task(
        r#""policy": "SCHED_FIFO", "priority": 20, "cpus": [1, 2], "phases": {
            "p": {"run": 1}, "p": {"loop": 3, "priority": 30, "run": 2},
            "q": {"policy": "SCHED_RR", "run": 3}, "r": {"policy": "SCHED_OTHER", "run": 4},
            "s": {"loop": -1, "dl-runtime": 700, "cpus": [0], "run": 5}}"#,
    );
    let task = &found.tasks[0];
    assert_eq!(task.scheduling.class, Class::Fifo(20));
    let phases = &task.phases;
    assert_eq!(phases[0].scheduling, None);
    let of = |index: usize| phases[index].scheduling.clone().unwrap();
    assert_eq!((of(1).class, phases[1].rounds), (Class::Fifo(30), 3));
    assert_eq!((of(2).class, of(2).cpus.to_string()), (Class::RoundRobin(30), "1,2".into()));
    assert_eq!((of(3).class, of(3).nice), (Class::Normal, 0));
    assert_eq!((of(4).slice, of(4).cpus.to_string()), (Some(Span::from_micros(700)), "0".into()));
    assert_eq!(phases[4].rounds, u64::MAX);
}

#[test]
fn deadlines_have_the_defaults_of_linux_and_the_old_keys() {
    let deadline = |body: &str| {
        let found = task(&format!("\"policy\": \"SCHED_DEADLINE\", {body}"));
        let it = found.tasks[0].scheduling.clone();
        assert_eq!(it.class, Class::Deadline);
        let micros = |span: Option<Span>| span.unwrap().nanos() / 1_000;
        let steps = found.tasks[0].phases[0].steps.len();
        (micros(it.runtime), micros(it.deadline), micros(it.period), steps)
    };
    assert_eq!(deadline(r#""dl-runtime": 5, "run": 1"#), (5, 5, 5, 1));
    assert_eq!(deadline(r#""dl-runtime": 5, "dl-period": 9, "runtime": 1"#), (5, 9, 9, 1));
    assert_eq!(deadline(r#""runtime": 5, "deadline": 7, "period": 9, "run": 1"#), (5, 7, 9, 1));
}

#[test]
fn the_global_section_sets_the_machine() {
    let found = read(
        r#"{"tasks": {"a": {"instance": 0, "delay": 7, "run": 1}, "b": {"instance": 3, "fork": "a"}},
            "global": {"duration": 2, "default_policy": "SCHED_FIFO", "pi_enabled": true,
                       "calibration": 57, "ftrace": "main", "log_size": "file"},
            "resources": {"m": {"type": "mutex"}}}"#,
    );
    assert_eq!(found.machine.duration, Some(Span::from_secs(2)));
    assert_eq!(found.machine.protocol, Protocol::Inherit);
    let (a, b) = (&found.tasks[0], &found.tasks[1]);
    assert!(a.only_forked && !b.only_forked);
    assert_eq!((a.instances, b.instances), (0, 3));
    assert_eq!(a.start, Dist::Const(Span::from_micros(7)));
    assert_eq!(a.scheduling.class, Class::Fifo(10));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_remedy() {
    let cases = [
        (
            r#""a": {"lop": 1, "run": 1}"#,
            r#"2:7: unknown key of a task "lop" (did you mean "loop"?)"#,
        ),
        (
            r#""a": {"run": "x"}"#,
            r#"2:14: "run" has a string for a value (expected an integer from 0 to 18446744073709551)"#,
        ),
        (
            r#""a": {"run": 1.5}"#,
            r#"2:14: "run" has a number that is no 64-bit integer for a value (expected an integer from 0 to 18446744073709551)"#,
        ),
        (
            r#""a": {"run": -1}"#,
            r#"2:14: -1 is out of range for "run" (expected an integer from 0 to 18446744073709551)"#,
        ),
        (
            r#""a": {"run",}"#,
            r#"2:7: "run" has no value (expected an integer from 0 to 18446744073709551)"#,
        ),
        (
            r#""a": {"loop": 1}"#,
            r#"2:1: the task "a" has no event (expected at least one, such as "run" : 1000)"#,
        ),
        (
            r#""a": {"phases": {"p": {"loop": 1}}}"#,
            r#"2:18: the phase "p" has no event (expected at least one, such as "run" : 1000)"#,
        ),
        (
            r#""a": {"phases": {"p": {"instance": 1, "run": 1}}}"#,
            r#"2:24: unknown key of a phase "instance" (known:"#,
        ),
        (
            r#""a": {"run": 1, "phases": {"p": {"run": 1}}}"#,
            r#"2:7: the event "run" stands beside "phases" (move it into a phase)"#,
        ),
        (
            r#""a": {"policy": "SCHED_FIF", "run": 1}"#,
            r#"2:17: unknown policy "SCHED_FIF" (did you mean "SCHED_FIFO"?)"#,
        ),
        (
            r#""a": {"policy": "SCHED_RR", "priority": 0, "run": 1}"#,
            "2:29: 0 is no real-time priority (expected 1 to 99 for SCHED_FIFO and SCHED_RR)",
        ),
        (r#""a": {"priority": 20, "run": 1}"#, "2:7: 20 is no nice level (expected -20 to 19)"),
        (
            r#""a": {"policy": "SCHED_DEADLINE", "run": 1}"#,
            "2:1: SCHED_DEADLINE without a budget (give dl-runtime, and dl-period unless they are the same)",
        ),
        (
            r#""a": {"policy": "SCHED_DEADLINE", "dl-runtime": 9, "dl-period": 5, "run": 1}"#,
            "2:1: impossible deadline: 0.000009000 s of CPU time within 0.000005000 s, each 0.000005000 s",
        ),
        (
            r#""a": {"cpus": [], "run": 1}"#,
            r#"2:7: "cpus" has no CPU (expected at least one, as in [0])"#,
        ),
        (r#""a": {"cpus": [0, "x"], "run": 1}"#, r#"2:19: "cpus" has a string for a value"#),
        (r#""a": {"taskgroup": "x", "run": 1}"#, r#"2:7: the task group "x" is no absolute path"#),
        (r#""a": {"timer": {"ref": "t"}}"#, r#"2:7: "timer" has no "period" (add "period")"#),
        (
            r#""a": {"timer": {"ref": "t", "period": 1, "mode": "absolut"}}"#,
            r#"2:50: unknown mode "absolut" (did you mean "absolute"?)"#,
        ),
        (
            r#""a": {"wait": {"ref": "c", "mutx": "m"}}"#,
            r#"2:7: "wait" has no "mutex" (add "mutex")"#,
        ),
        (
            r#""worker": {"fork": "workr"}"#,
            r#"2:20: unknown task "workr" (did you mean "worker"?)"#,
        ),
        (r#""a": {"lock": ""}"#, r#"2:15: "lock" has an empty name (expected a name)"#),
        (
            r#""a": {"run": 1}, "a": {"run": 1}"#,
            r#"2:18: there are two tasks "a" (give each a name of its own)"#,
        ),
        (
            r#""a": 5"#,
            r#"2:6: "a" has an integer for a value (expected an object that describes a task)"#,
        ),
        (
            r#""a": {"phases": {"p": {"loop": 0, "run": 1}}}"#,
            r#"2:24: "loop" is 0 (expected 1 or more, or -1 for ever)"#,
        ),
        ("", r#"1:2: there is no task (expected at least one)"#),
    ];
    for (body, expected) in cases {
        let found = wrong(body);
        assert!(
            found[0].starts_with(expected),
            "{body}\n found    {found:?}\n expected {expected}"
        );
    }
}

#[test]
fn all_errors_are_told_at_once_in_their_order() {
    let found = wrong(r#""a": {"run": -1, "lop": 2}, "b": {"sleep": "x"}"#);
    assert_eq!(found.len(), 3);
    let text = r#"{"tasks": {"a": {"run": 1}}, "globl": {}, "global": {"duratoin": 5}}"#;
    let errors = super::read(&Source::new("t.json", text)).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "t.json:1:30: unknown section \"globl\"\n  \
         | {\"tasks\": {\"a\": {\"run\": 1}}, \"globl\": {}, \"global\": {\"duratoin\": 5}}\n  \
         |                              ^^^^^^^\n  \
         = did you mean \"global\"?\n\n\
         t.json:1:54: unknown global key \"duratoin\"\n  \
         | {\"tasks\": {\"a\": {\"run\": 1}}, \"globl\": {}, \"global\": {\"duratoin\": 5}}\n  \
         |                                                      ^^^^^^^^^^\n  \
         = did you mean \"duration\"?"
    );
}

#[test]
fn what_is_odd_is_a_warning() {
    let cases = [
        (r#""resume": "ghost""#, "resume of nobody: no task is suspended under \"ghost\""),
        (r#""suspend": "a""#, "a task suspended under \"a\" is never woken"),
        (r#""sem_wait": "s""#, "a task waiting for \"s\" is never woken"),
        (
            r#""lock": "m", "wait": {"ref": "c", "mutex": "m"}, "unlock": "m""#,
            "a task waiting for \"c\" is never woken",
        ),
        (r#""lock": "m""#, "the mutex \"m\" is locked, but never unlocked in this task"),
        (r#""unlock": "m""#, "the mutex \"m\" is unlocked, but never locked in this task"),
        (r#""run": 1, "loop": 1, "loop": 2"#, "\"loop\" is given twice"),
        (r#""run": 1, "util_min": 3"#, "\"util_min\" has no effect"),
        (r#""run": 1, "taskgroup": "/x""#, "\"taskgroup\" has no effect"),
        (
            r#""run": 1, "policy": "SCHED_IDLE""#,
            "SCHED_IDLE is simulated as SCHED_OTHER at nice 19",
        ),
    ];
    for (body, expected) in cases {
        let found: Vec<_> = task(body).warnings.into_iter().map(|it| it.message).collect();
        assert_eq!(found, [expected], "{body}");
    }
}
