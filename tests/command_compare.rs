//! `hothouse compare` as a person or a script uses it.

use hothouse::Span;
use hothouse::sim::{Compare, Dist, Protocol, Simulation, Step, Task, Workload};

use crate::command::{command, hothouse};
use crate::command_sim::file;

const THREE: &str = "a, 0ms, 5ms\nb, 0ms, 2ms\nc, 0ms, 8ms\n";

#[test]
fn a_person_sees_means_and_the_winner() {
    let (_folder, path) = file("three.jobs", THREE);
    let ran =
        command(&["compare", &path, "--policies", "fifo,sjf,rr:slice=1ms", "--seeds", "1..3"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let line = |name: &str| {
        let found = ran.out.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("{}", ran.out)).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("turnaround mean")[2..], ["9ms", "8ms", "*", "10.33ms"]);
    assert_eq!(line("first-run latency mean")[3..], ["4ms", "3ms", "1ms", "*"]);
    assert_eq!(line("makespan")[1..], ["15ms", "15ms", "15ms"], "no winner");
    assert!(ran.out.contains("nothing is drawn here"), "{}", ran.out);
    let narrow = hothouse(&["compare", &path, "--policies", "all", "--seeds", "1..2"])
        .env("COLUMNS", "70")
        .output()
        .unwrap();
    let out = String::from_utf8(narrow.stdout).unwrap();
    let table = out.lines().skip(2).take_while(|line| !line.starts_with("repeat"));
    assert!(
        table.clone().count() > 30 && table.clone().all(|line| line.chars().count() <= 70),
        "{out}"
    );
}

/// Customers that come at random and want work of a random length.
fn random_workload() -> Workload {
    let mean = |ms: u64| Dist::Exp { mean: Span::from_millis(ms) };
    let customers = Task {
        instances: 60,
        every: Some(mean(10)),
        ..Task::once("customer", vec![Step::Run(mean(8))])
    };
    Workload { tasks: vec![customers], ..Workload::default() }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let simulation = Simulation::new(random_workload()).cpus(2);
    let compare = |threads: usize| {
        let threads = std::num::NonZero::new(threads).unwrap();
        let policies = ["fifo", "srtf", "rr:slice=1ms", "lottery", "random"];
        Compare::policies(&simulation, policies).seeds(1..=6).threads(threads).tasks(true).run()
    };
    let one = compare(1).unwrap();
    assert!(one.rows.iter().any(|row| row.task.as_deref() == Some("customer")));
    for threads in [2, 3, 8] {
        assert_eq!(compare(threads).unwrap(), one);
    }
}

#[test]
fn arrivals_are_the_same_for_every_policy() {
    let simulation = Simulation::new(random_workload());
    let comparison =
        Compare::policies(&simulation, ["fifo", "srtf", "lottery"]).seeds(1..=5).run().unwrap();
    for figure in ["jobs", "cpu time", "processes"] {
        let row = comparison.row(figure).unwrap();
        assert_eq!(row.means[0], row.means[1], "{figure}");
        assert!(row.differences.iter().all(|it| it.difference.mean == 0.0), "{figure}");
    }
    // Paired by the seed, the differences vary less than the values do.
    let row = comparison.row("turnaround mean").unwrap();
    let width = |estimate: &hothouse::sim::Estimate| estimate.half_width.unwrap();
    assert!(width(&row.differences[0].difference) < width(&row.means[0]));
}

#[test]
fn machines_can_be_compared_as_well_as_policies() {
    let on = |cpus: u32| Simulation::new(random_workload()).cpus(cpus);
    let comparison = Compare::of([("one", on(1)), ("two", on(2))]).seeds(1..=5).run().unwrap();
    assert_eq!(comparison.row("turnaround mean").unwrap().winner, Some(1));
    let protocol = |it: Protocol| on(1).protocol(it);
    let same = Compare::of(Protocol::ALL.map(|it| (it.name(), protocol(it)))).seeds(1..=3);
    assert!(same.run().unwrap().rows.iter().all(|row| row.winner.is_none()));
}

#[test]
fn json_and_csv_hold_every_figure_and_pair() {
    let (_folder, path) = file("three.jobs", THREE);
    let args = ["compare", &path, "--policies", "fifo,sjf,rr", "--seeds", "1,2", "--tasks"];
    let ran = command(&[&args[..], &["--format", "json", "--threads", "1"]].concat());
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let row = json["rows"].as_array().unwrap().iter().find(|row| row["figure"] == "waiting mean");
    let row = row.unwrap();
    assert_eq!((row["task"].is_null(), row["winner"].as_u64()), (true, Some(1)));
    assert_eq!(row["differences"].as_array().unwrap().len(), 3);
    assert_eq!(row["differences"][0]["difference"]["mean"], 1e6);
    assert_eq!(json["candidates"][2]["settings"]["policy"], "rr:slice=10ms");
    assert_eq!(json["candidates"][0]["trace_hashes"].as_array().unwrap().len(), 2);
    assert!(json["repeat"].as_str().unwrap().contains("--policies fifo,sjf,rr --seeds 1,2"));
    let again = command(&[&args[..], &["--format", "json", "--threads", "7"]].concat());
    assert_eq!(again.out, ran.out, "the same to the byte");
    let csv = command(&[&args[..], &["--format", "csv"]].concat()).out;
    let found = csv.lines().find(|line| line.starts_with(",waiting mean,nanoseconds,lower,fifo,"));
    let cells: Vec<&str> = found.unwrap().split(',').collect();
    let hash =
        |candidate: usize| json["candidates"][candidate]["trace_hashes"][0].as_str().unwrap();
    let first = ["4000000", "0", hash(0), "sjf", "3000000", "0", hash(1)];
    assert_eq!(cells[5..12], first);
    assert_eq!(cells[12..16], ["1000000", "0", "sjf", "sjf"]);
    assert!(found.unwrap().contains("hothouse compare"), "how to repeat it");
    assert!(csv.lines().any(|line| line.starts_with("a,waiting mean,")), "by task");
}

#[test]
fn bad_input_is_refused_and_nothing_runs() {
    let (_folder, path) = file("three.jobs", THREE);
    for (args, part) in [
        (["--policies", "fifo", "--seeds", "1..3"], "two policies or more"),
        (["--policies", "fifo,fifo", "--seeds", "1..3"], "named twice"),
        (["--policies", "fifo,sfj", "--seeds", "1..3"], "did you mean \"sjf\""),
        (["--policies", "fifo,sjf", "--seeds", "3..1"], "empty"),
        (["--policies", "fifo,sjf", "--seeds", "x"], "\"x\" is no seed"),
        (["--policies", "fifo,sjf", "--threads", "0"], "threads"),
    ] {
        let ran = command(&[&["compare", &path], &args[..]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.err.contains(part), "{args:?}: {}", ran.err);
    }
}

#[test]
fn what_goes_wrong_in_some_run_is_in_the_result() {
    let late = "[[task]]\nname = \"a\"\nscript = [{ run = \"6ms\" }, { period = \"5ms\" }]\n\
                [[task]]\nname = \"b\"\nscript = [{ lock = \"m\" }, { run = \"1ms\" }]\n";
    let (_folder, path) = file("late.toml", late);
    let compare = |args: &[&str]| {
        command(&[&["compare", &path, "--policies", "fifo,rr", "--seeds", "1,2"], args].concat())
    };
    let human = compare(&[]);
    assert_eq!((human.code, human.err.as_str()), (Some(0), ""));
    for format in ["human", "json", "csv"] {
        let out = compare(&["--format", format]).out;
        for part in ["needs 6ms of CPU time in each 5ms", "never unlocked in this task"] {
            assert!(out.contains(part), "{part} is not in the {format}:\n{out}");
        }
    }
    let csv = compare(&["--format", "csv"]);
    assert!(csv.out.lines().any(|line| line.starts_with(",warning,")), "{}", csv.out);
    assert!(csv.err.contains("warning: "), "{}", csv.err);
    assert_eq!(compare(&["--fail-on", "warnings"]).code, Some(1));
    assert_eq!(compare(&["--fail-on", "misses"]).code, Some(1));
    assert_eq!(compare(&["--fail-on", "unfinished"]).code, Some(0));
}

#[test]
fn a_check_compares_two_comparisons() {
    let (_folder, path) = file("three.jobs", THREE);
    let args =
        ["compare", &path, "--policies", "fifo,lottery", "--seeds", "1..3", "--check", "--quiet"];
    let ran = command(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.err, "hothouse: check: two comparisons gave the same result\n");
}
