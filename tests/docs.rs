//! What the documents show is true.

use hothouse::sim::{Simulation, read};

const WORKLOADS: &str = include_str!("../docs/workloads.md");

/// The blocks of a document, each with its language.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut parts = text.split("\n```");
    let mut found = Vec::new();
    parts.next();
    while let Some(block) = parts.next() {
        found.push(block.split_once('\n').expect("a block has lines"));
        parts.next();
    }
    found
}

#[test]
fn every_workload_that_is_shown_can_be_run() {
    let mut shown = 0;
    for (language, text) in blocks(WORKLOADS) {
        if !matches!(language, "toml" | "json" | "jobs" | "swf") {
            continue;
        }
        shown += 1;
        let workload = read(&format!("shown.{language}"), text);
        let run = Simulation::new(workload.unwrap_or_else(|error| panic!("{error}"))).run();
        let run = run.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(run.metrics.machine.measured.jobs > 0, "{text}");
        assert!(!run.has_failed(), "{text}");
    }
    assert_eq!(shown, 5);
}

#[test]
fn the_message_that_is_shown_is_the_one_that_comes() {
    let (_, shown) = blocks(WORKLOADS).into_iter().find(|block| block.0 == "text").expect("one");
    let (_, message) = shown.split_once('\n').expect("a message");
    let text =
        "\n\n[[task]]\nname = \"ticker\"\nscript = [{ rum = \"3ms\" }, { period = \"10ms\" }]\n";
    let found = read("ticker.toml", text).expect_err("it is wrong").to_string();
    assert_eq!(found, message);
}

#[test]
fn the_comparison_of_the_readme_is_what_the_command_prints() {
    let mut blocks = blocks(include_str!("../README.md")).into_iter();
    let (_, command) =
        blocks.find(|(_, text)| text.starts_with("hothouse compare")).expect("a comparison");
    let (_, shown) = blocks.next().expect("its output");
    let args: Vec<&str> = command.split_whitespace().skip(1).collect();
    let ran = crate::command::hothouse(&args).env("COLUMNS", "100").output();
    let ran = crate::command::Ran::from(ran.expect("the command runs"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out.trim_end(), shown);
}
