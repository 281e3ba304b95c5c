//! What a simulation is given to run: the model of a workload, and the readers of its files.
//!
//! A [`Workload`] is tasks of phases of steps, and what is said of the machine. It is built in code,
//! or [`read`] from a file of one of these kinds:
//!
//! | extension | kind |
//! |---|---|
//! | `.toml` | Hothouse's own, which can say all that a workload is; [`write()`] writes it |
//! | `.json` | rt-app, the load generator of the Linux scheduler's community |
//! | `.csv`, `.jobs`, `.txt` | a list of jobs: `name, arrival, burst[, priority]`, or a list of *Operating Systems: Three Easy Pieces* |
//! | `.swf` | a log in the Standard Workload Format |
//!
//! What is wrong with a file is told in full, each thing with its place and what was expected; what
//! is only odd is among the workload's [`warnings`](Workload::warnings). docs/workloads.md has every
//! key of each kind.
//!
//! ```
//! use hothouse_workload::{Dist, Step, read};
//! use hothouse_abi::Span;
//!
//! let text = r#"{ "tasks": { "ticker": {
//!     "loop": 3, "run": 1000, "timer": { "ref": "unique", "period": 10000 },
//! } } }"#;
//! let workload = read("ticker.json", text)?;
//! let ticker = &workload.tasks[0];
//! assert_eq!(ticker.rounds, Some(3));
//! assert_eq!(ticker.phases[0].steps[0], Step::Run(Dist::Const(Span::from_millis(1))));
//!
//! let error = read("ticker.json", &text.replace("loop", "lop")).unwrap_err();
//! assert!(error.to_string().starts_with("ticker.json:2:5: unknown key of a task \"lop\""));
//! # Ok::<(), hothouse_workload::Diagnostics>(())
//! ```
#![forbid(unsafe_code)]

mod contents;
mod demand;
mod dist;
mod duration;
mod jobs;
mod law;
mod model;
mod names;
mod native;
mod plan;
mod program;
mod report;
mod rtapp;
mod source;
mod swf;
mod tree;
mod typed;

use std::path::Path;

pub use contents::Locks;
pub use demand::Demand;
pub use dist::Dist;
pub use duration::{exact_duration, parse_duration};
pub use law::BadDist;
pub use model::{
    Command, MachineSettings, Mutex, Phase, Protocol, Semaphore, Step, Task, Workload,
};
pub use native::write;
pub use program::{Draws, Runtime};
pub use source::{Diagnostic, Diagnostics, Place, Source};

/// Reads a workload from the text of a file. The extension of `name` says what kind of file it is;
/// the name of the workload is that of the file.
///
/// # Errors
///
/// All that is wrong with the text; an extension that stands for no kind of file.
///
/// ```
/// let workload = hothouse_workload::read("three.jobs", "5,2,8").unwrap();
/// assert_eq!(workload.tasks.len(), 3);
/// assert!(hothouse_workload::read("three.pdf", "5,2,8").is_err());
/// ```
pub fn read(name: &str, text: &str) -> Result<Workload, Diagnostics> {
    let source = Source::new(name, text);
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    match extension.to_ascii_lowercase().as_str() {
        "toml" => native::read(&source),
        "json" => rtapp::read(&source),
        "csv" | "jobs" | "txt" => jobs::read(&source),
        "swf" => swf::read(&source),
        _ => {
            let message = "no kind of workload has this extension";
            let help =
                "known: .toml (native), .json (rt-app), .csv, .jobs and .txt (job lists), .swf";
            Err(Diagnostic::new(&source, 0..0, message).help(help).into())
        }
    }
}
