use hothouse_abi::{Class, CpuSet, Scheduling, Span};
use proptest::prelude::*;

use crate::law::tests::any_dist;
use crate::{
    Command, Dist, MachineSettings, Mutex, Phase, Protocol, Semaphore, Step, Task, Workload, read,
    write,
};

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

#[track_caller]
fn good(text: &str) -> Workload {
    read("t.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_file_with_a_bit_of_everything() {
    let found = good(
        r#"
        machine = { cpus = 2, policy = "rr:slice=5ms", seed = 7, duration = "1m 30s", admission = true,
                    trap_cost = "1us", switch_cost = "5us", migration_cost = "10us", protocol = "inherit" }
        [[mutex]]
        name = "bus"
        protocol = "ceiling"
        [[semaphore]]
        name = "slots"
        value = 3
        [[task]]
        name = "sensor"
        count = 2
        start = "uniform(0, 5ms)"
        every = "exp(10ms)"
        rounds = "forever"
        class = "SCHED_FIFO"
        priority = 20
        cpus = [1]
        script = [
            { run = "exp(2ms)" }, { lock = "bus" }, { unlock = "bus" }, { sem_wait = "slots" },
            { sem_post = "slots" }, { period = "10ms" }, "yield", "suspend", { suspend = "x" },
            { resume = "x" }, { resume = "sensor" }, { period = "5ms", timer = "t", shared = true, mode = "relative" },
        ]
        [[task]]
        name = "server"
        nice = -5
        [[task.phase]]
        rounds = 3
        script = [{ receive = "10ms" }, "receive", "reply"]
        [[task.phase]]
        name = "late"
        nice = 5
        tickets = 10
        script = [{ send = "server" }, { call = "server" }]
        [[task.phase]]
        tickets = "none"
        script = []
        [[task]]
        name = "lua"
        count = 0
        program = "election"
        args = ["3"]
        "#,
    );
    assert_eq!(found.warnings, []);
    assert_eq!(found.machine.duration, Some(Span::from_secs(90)));
    assert_eq!((found.machine.cpus, found.machine.protocol), (Some(2), Protocol::Inherit));
    assert_eq!(found.mutexes, [Mutex { name: "bus".into(), protocol: Protocol::Ceiling }]);
    assert_eq!(found.semaphores, [Semaphore { name: "slots".into(), value: 3 }]);
    let [sensor, server, lua] = &found.tasks[..] else { panic!("{found:?}") };
    assert_eq!((sensor.instances, sensor.rounds), (2, None));
    assert_eq!(sensor.every, Some(Dist::Exp { mean: ms(10) }));
    assert_eq!(sensor.scheduling.class, Class::Fifo(20));
    let steps = &sensor.phases[0].steps;
    let timer = |reference: &str, per_task, period, absolute| Step::Timer {
        reference: reference.into(),
        per_task,
        period: ms(period),
        absolute,
    };
    assert_eq!(steps[5], timer("period", true, 10, true));
    assert_eq!(steps[11], timer("t", false, 5, false));
    assert_eq!(steps[7], Step::Suspend("sensor".into()));
    let phases = &server.phases;
    assert_eq!((phases[0].name.as_str(), phases[0].rounds), ("phase 1", 3));
    assert_eq!(phases[0].scheduling, None);
    let later = phases[1].scheduling.as_ref().unwrap();
    assert_eq!((later.nice, later.tickets), (5, Some(10)));
    let last = phases[2].scheduling.as_ref().unwrap();
    assert_eq!((last.nice, last.tickets), (5, None));
    assert!(lua.only_forked);
    assert_eq!(lua.program, Some(Command { program: "election".into(), args: vec!["3".into()] }));
}

/// Checks the beginning of the first message about a task with this body.
#[track_caller]
fn wrong(body: &str, expected: &str) {
    let found = read("t.toml", &format!("[[task]]\nname = \"a\"\n{body}\n")).unwrap_err();
    let found = &found.0[0];
    let (line, column) = found.place();
    let help = found.help.as_deref().unwrap_or_default();
    let message = format!("{line}:{column}: {} ({help})", found.message);
    assert!(message.starts_with(expected), "{body}\n found    {message}\n expected {expected}");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_remedy() {
    for (body, expected) in [
        ("scrip = []", "2:8: the task \"a\" does nothing"),
        ("script = []\nnise = 3", "4:1: unknown key of a task \"nise\" (did you mean \"nice\"?)"),
        (
            "script = [{ run = 5 }]",
            "3:19: the duration of \"run\" has no unit (write it in quotes, with a unit, such as \"10ms\")",
        ),
        (
            "script = [{ run = \"5\" }]",
            "3:19: the duration \"5\" has no unit (write a number with a unit, such as 10s, 250ms",
        ),
        (
            "script = [{ run = \"expo(5ms)\" }]",
            "3:19: unknown distribution \"expo\" (did you mean \"exp\"?)",
        ),
        ("script = [{ rum = \"5ms\" }]", "3:13: unknown step \"rum\" (did you mean \"run\"?)"),
        ("script = [\"yeld\"]", "3:11: unknown step \"yeld\" (did you mean \"yield\"?)"),
        ("script = [\"lock\"]", "3:11: \"lock\" needs a value (write { lock = .. })"),
        ("script = [{ yield = true }]", "3:13: \"yield\" takes no value (write \"yield\" alone)"),
        (
            "script = [{ run = \"1ms\", sleep = \"2ms\" }]",
            "3:26: two steps in one: \"run\" and \"sleep\" (write { run = .. }, { sleep = .. })",
        ),
        ("script = [3]", "3:11: an integer in place of a step (expected { word = value }"),
        ("script = [{ wait = \"c\" }]", "3:13: \"wait\" has no \"mutex\" (add mutex = "),
        (
            "script = [{ period = \"5ms\", mode = \"absolut\" }]",
            "3:36: unknown mode \"absolut\" (did you mean \"absolute\"?)",
        ),
        (
            "script = [{ run = \"5ms\", mutex = \"m\" }]",
            "3:26: unknown key beside \"run\" \"mutex\" (there is none)",
        ),
        ("script = [{ fork = \"aa\" }]", "3:20: unknown task \"aa\" (did you mean \"a\"?)"),
        ("script = [{ send = \"b\" }]", "3:20: unknown task \"b\""),
        ("script = []\nprogram = \"election\"", "4:1: \"program\" stands beside \"script\""),
        ("script = []\nargs = [\"x\"]", "4:1: \"args\" without a program (add program = \"..\")"),
        (
            "script = []\nrounds = -1",
            "4:10: \"rounds\" has an integer for a value (expected 0 or more, or \"forever\")",
        ),
        (
            "script = []\nnice = 20",
            "4:8: 20 is out of range for \"nice\" (expected an integer from -20 to 19)",
        ),
        (
            "script = []\nclass = \"SCHED_FIF\"",
            "4:9: unknown class \"SCHED_FIF\" (did you mean \"SCHED_FIFO\"?)",
        ),
        (
            "script = []\nclass = \"SCHED_RR\"",
            "4:9: SCHED_RR without a priority (add priority = 1 to 99)",
        ),
        ("script = []\npriority = 3", "4:1: \"priority\" in the class SCHED_OTHER"),
        (
            "script = []\nruntime = \"3ms\"\nperiod = \"2ms\"",
            "2:8: it can't be scheduled so: the runtime is longer than the deadline",
        ),
        (
            "script = []\ncpus = []",
            "4:8: \"cpus\" has no CPU (expected at least one, as in [0], or \"all\")",
        ),
        (
            "phase = []\n[[task]]\nname = \"a\"\nscript = []",
            "5:8: there are two of \"a\" among the task tables",
        ),
        (
            "[[task.phase]]\nscript = []\nround = 3",
            "5:1: unknown key of a phase \"round\" (did you mean \"rounds\"?)",
        ),
        ("[[task.phase]]\nname = \"p\"", "3:1: p does nothing (give it a script"),
        (
            "script = []\n[machine]\nsede = 3",
            "5:1: unknown key of the machine \"sede\" (did you mean \"seed\"?)",
        ),
        (
            "script = []\n[machine]\nprotocol = \"inherits\"",
            "5:12: unknown protocol \"inherits\" (did you mean \"inherit\"?)",
        ),
        ("script = []\n[machin]", "4:2: unknown section \"machin\" (did you mean \"machine\"?)"),
        (
            "script = []\n[[mutex]]\nprotocol = \"none\"",
            "4:1: a mutex without a name (add name = \"..\")",
        ),
        ("script = [}", "3:11: "),
    ] {
        wrong(body, expected);
    }
    let found = read("t.toml", "[machine]\n").unwrap_err().to_string();
    assert!(found.starts_with("t.toml:1:1: there is no task"), "{found}");
}

#[test]
fn the_line_is_shown_with_a_mark() {
    let text = "[[task]]\nname = \"a\"\nscript = [{ run = \"1ms\" }, { sleep = 20 }]\n";
    assert_eq!(
        read("work/t.toml", text).unwrap_err().to_string(),
        "work/t.toml:3:38: the duration of \"sleep\" has no unit\n  \
         | script = [{ run = \"1ms\" }, { sleep = 20 }]\n  \
         |                                      ^^\n  \
         = write it in quotes, with a unit, such as \"10ms\""
    );
}

#[test]
fn what_is_odd_is_a_warning() {
    for (body, expected) in [
        (
            "script = [{ resume = \"ghost\" }]",
            "resume of nobody: no task is suspended under \"ghost\"",
        ),
        (
            "script = [{ lock = \"m\" }]",
            "the mutex \"m\" is locked, but never unlocked in this task",
        ),
        ("script = [\"receive\"]", "a task receiving as \"a\" is never woken"),
        ("script = [{ sem_wait = \"s\" }]", "a task waiting for \"s\" is never woken"),
        ("script = []\n[[mutex]]\nname = \"m\"", "no step uses \"m\""),
        (
            "script = [{ wait = \"c\", mutex = \"m\" }, { signal = \"c\" }]",
            "the mutex \"m\" is given back in a wait, but never locked in this task",
        ),
    ] {
        let found = good(&format!("[[task]]\nname = \"a\"\n{body}\n")).warnings;
        let found: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(found, [expected], "{body}");
    }
    let taken = "script = [{ sem_wait = \"s\" }]\n[[semaphore]]\nname = \"s\"\nvalue = 1";
    assert_eq!(good(&format!("[[task]]\nname = \"a\"\n{taken}")).warnings, []);
}

fn any_scheduling() -> impl Strategy<Value = Scheduling> {
    let class = prop_oneof![
        Just(Class::Normal),
        (1u8..=99).prop_map(Class::Fifo),
        (1u8..=99).prop_map(Class::RoundRobin),
        Just(Class::Deadline),
    ];
    let cpus = prop::option::of(prop::collection::vec(0u32..70, 1..3));
    let spans = prop::array::uniform4(prop::option::of(1u64..50));
    (class, -20i8..=19, prop::option::of(1u32..), spans, cpus).prop_map(
        |(class, nice, tickets, [slice, runtime, deadline, period], cpus)| {
            let reserved = class == Class::Deadline;
            let runtime = runtime.or(reserved.then_some(1)).map(ms);
            // Each is at most the next, as it has to be.
            let deadline = deadline.or(reserved.then_some(2)).map(|it| ms(50 + it));
            Scheduling {
                class,
                nice,
                tickets,
                slice: slice.map(ms),
                runtime,
                deadline,
                period: period.map(|it| ms(100 + it)),
                cpus: cpus.map_or(CpuSet::all(), |cpus| cpus.into_iter().collect()),
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = || "[a-z]|t0|\"|é #.";
    prop_oneof![
        any_dist().prop_map(Step::Run),
        any_dist().prop_map(Step::Busy),
        any_dist().prop_map(Step::Sleep),
        prop::option::of(any_dist()).prop_map(Step::Receive),
        (name(), any::<bool>(), 0u64..99, any::<bool>()).prop_map(
            |(reference, per_task, period, absolute)| Step::Timer {
                reference,
                per_task,
                period: ms(period),
                absolute
            }
        ),
        (name(), name()).prop_map(|(condition, mutex)| Step::Wait { condition, mutex }),
        (name(), name()).prop_map(|(condition, mutex)| Step::Sync { condition, mutex }),
        (prop::sample::select(NAMED), name()).prop_map(|(step, name)| step(name)),
        prop::sample::select(vec![
            Step::Yield,
            Step::Reply,
            Step::Fork("t0".into()),
            Step::Send("t0".into()),
            Step::Call("t0".into()),
        ]),
    ]
}

const NAMED: &[fn(String) -> Step] = &[
    Step::Lock,
    Step::Unlock,
    Step::Signal,
    Step::Broadcast,
    Step::Barrier,
    Step::Suspend,
    Step::Resume,
    Step::Post,
    Step::Acquire,
];

fn any_task(index: usize) -> impl Strategy<Value = Task> {
    let phase = (
        "[a-z]{1,3}",
        prop_oneof![1u64..9, Just(u64::MAX)],
        prop::option::of(any_scheduling()),
        prop::collection::vec(any_step(), 0..4),
    );
    let phase = phase.prop_map(|(name, rounds, scheduling, steps)| Phase {
        name,
        rounds,
        scheduling,
        steps,
    });
    let phases = prop::collection::vec(phase, 1..4);
    let rounds = prop::option::of(0u64..99);
    let every = prop::option::of(any_dist());
    (phases, 0u32..3, any_dist(), every, any_scheduling(), rounds).prop_map(
        move |(phases, instances, start, every, scheduling, rounds)| Task {
            instances,
            only_forked: instances == 0,
            start,
            every,
            scheduling,
            rounds,
            phases,
            ..Task::once(format!("t{index}"), Vec::new())
        },
    )
}

fn any_machine() -> impl Strategy<Value = MachineSettings> {
    let spans = prop::array::uniform4(prop::option::of(any::<u64>().prop_map(Span::from_nanos)));
    let numbers = (prop::option::of(1u32..=65_536), prop::option::of(any::<u64>()));
    let policy = prop::option::of("[a-z:=,\"]{0,9}");
    (numbers, policy, spans, any::<bool>(), prop::sample::select(&Protocol::ALL[..])).prop_map(
        |(
            (cpus, seed),
            policy,
            [duration, switch_cost, migration_cost, trap_cost],
            admission,
            protocol,
        )| {
            MachineSettings {
                cpus,
                policy,
                seed,
                duration,
                switch_cost,
                migration_cost,
                trap_cost,
                admission,
                protocol,
                ..MachineSettings::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        machine in any_machine(),
        tasks in (any_task(0), any_task(1)),
        locks in (prop::sample::select(&Protocol::ALL[..]), 0u64..9),
    ) {
        let workload = Workload {
            name: "t.toml".into(),
            machine,
            mutexes: vec![Mutex { name: "m".into(), protocol: locks.0 }],
            semaphores: vec![Semaphore { name: "s".into(), value: locks.1 }],
            tasks: vec![tasks.0, tasks.1],
            warnings: Vec::new(),
        };
        let text = write(&workload);
        let found = read("t.toml", &text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(Workload { warnings: Vec::new(), ..found }, workload, "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(lines in prop::collection::vec(prop::sample::select(LINES), 0..12)) {
        let _ = read("t.toml", &lines.join("\n"));
    }
}

/// Lines that make sense in some place, to be put into places where they may not.
const LINES: &[&str] = &[
    "[machine]",
    "[[task]]",
    "[task]",
    "[[task.phase]]",
    "[task.phase.x]",
    "[[mutex]]",
    "[[semaphore]]",
    "name = \"a\"",
    "name = 3",
    "cpus = 2",
    "cpus = [0, \"x\"]",
    "script = [{ run = \"1ms\" }, \"yield\", 3, [], {}]",
    "script = { run = 3 }",
    "script.x = 1",
    "rounds = 1.5",
    "policy = 1979-05-27",
    "count = -1",
    "value = 9223372036854775807",
    "class = \"SCHED_FIFO\"",
    "priority = 100",
    "program = \"\"",
    "args = [1]",
    "task.phase.name = \"x\"",
    "}",
    "=",
];
