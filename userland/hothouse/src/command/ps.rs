//! A table of processes.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use hothouse::{ProcessInfo, StateInfo};
use serde_json::{Value as Json, json};

use super::list::trimmed;

/// The processes as text.
pub(super) fn table(processes: &[ProcessInfo]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "pid", "parent", "user", "nice", "cpu s", "ready s", "traps", "mail", "name", "state",
    ]);
    for process in processes {
        table.add_row([
            process.pid.to_string(),
            process.parent.to_string(),
            process.user.to_string(),
            process.nice.to_string(),
            process.cpu_time.to_string(),
            process.wait_time.to_string(),
            process.traps.to_string(),
            format!("{}/{}", process.mailbox_depth, process.mailbox_peak),
            process.name.to_string(),
            state(&process.state),
        ]);
    }
    trimmed(&table)
}

/// What a process does, in words.
pub(super) fn state(state: &StateInfo) -> String {
    match state {
        StateInfo::Waiting { what, since } => format!("waits for {what} since {since}"),
        other => other.word().to_owned(),
    }
}

/// The processes as JSON.
pub(super) fn to_json(processes: &[ProcessInfo]) -> Json {
    let process = |process: &ProcessInfo| {
        json!({
            "pid": process.pid.number(),
            "name": process.name.to_string(),
            "user": process.user.to_string(),
            "parent": process.parent.number(),
            "state": process.state.word(),
            "detail": state(&process.state),
            "nice": process.nice,
            "cpu_time": process.cpu_time.to_string(),
            "wait_time": process.wait_time.to_string(),
            "traps": process.traps,
            "mailbox_depth": process.mailbox_depth,
            "mailbox_peak": process.mailbox_peak,
        })
    };
    processes.iter().map(process).collect()
}
