//! What there is: programs, example workloads, policies.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use hothouse::policy::POLICIES;
use hothouse::programs;
use hothouse::sim::examples;

use super::Exit;
use super::output::print_quietly;

/// `hothouse programs`.
pub(super) fn programs() -> Exit {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["program", "what it shows"]);
    for builtin in programs::programs() {
        table.add_row([builtin.name, builtin.about]);
    }
    print_quietly(&format!("{}\n\nRun one with: hothouse run PROGRAM\n", trimmed(&table)))
}

/// `hothouse workload list`.
pub(super) fn workloads() -> Exit {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["workload", "what it shows"]);
    for example in examples() {
        table.add_row([example.name, example.about()]);
    }
    print_quietly(&format!(
        "{}\n\nRun one with: hothouse sim WORKLOAD\nWrite it to a file with: hothouse workload \
         convert WORKLOAD -o FILE.toml\n",
        trimmed(&table)
    ))
}

/// `hothouse policies`.
pub(super) fn policies() -> Exit {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["policy", "parameters", "rule"]);
    for (id, parameters, rule) in POLICIES {
        table.add_row([id, parameters, rule]);
    }
    print_quietly(&format!(
        "{}\n\nChoose one with: --policy ID or --policy ID:key=value,key=value\n",
        trimmed(&table)
    ))
}

/// A table without spaces at the ends of its lines.
pub(super) fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
