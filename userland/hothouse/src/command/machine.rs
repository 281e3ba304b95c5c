//! The machine of a simulation, as flags over the environment over what the file says.

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use hothouse::sim::{Protocol, Settings, Simulation, exact_duration, format_nanos, parse_duration};
use hothouse::{Costs, Span};

use super::tables;

#[derive(Args, Clone)]
#[command(next_help_heading = "Machine; without a flag, as the file says")]
pub(super) struct MachineArgs {
    /// How many simulated CPUs [default: as many as affinities name, or 1]
    #[arg(long, env = "HOTHOUSE_CPUS",
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    cpus: Option<u32>,
    /// How long it runs, in virtual time [default: until all tasks have ended]
    #[arg(long, value_name = "TIME", env = "HOTHOUSE_DURATION", value_parser = parse_duration)]
    duration: Option<Span>,
    /// What all mutexes do against priority inversion [default: none]
    #[arg(long, value_enum, env = "HOTHOUSE_PROTOCOL")]
    protocol: Option<ProtocolArg>,
    /// Refuse tasks whose reservation does not fit
    #[arg(long, env = "HOTHOUSE_ADMISSION", value_parser = BoolishValueParser::new())]
    admission: bool,
    /// CPU time of a trap [default: 0]
    #[arg(long, value_name = "TIME", env = "HOTHOUSE_TRAP_COST", value_parser = parse_duration)]
    trap_cost: Option<Span>,
    /// Time to switch a CPU to another process [default: 0]
    #[arg(long, value_name = "TIME", env = "HOTHOUSE_SWITCH_COST", value_parser = parse_duration)]
    switch_cost: Option<Span>,
    /// Further time when a process moves to another CPU [default: 0]
    #[arg(long, value_name = "TIME", env = "HOTHOUSE_MIGRATION_COST", value_parser = parse_duration)]
    migration_cost: Option<Span>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolArg {
    None,
    Inherit,
    Ceiling,
}

impl MachineArgs {
    /// The simulation on this machine.
    pub(super) fn apply(&self, mut simulation: Simulation) -> Simulation {
        if let Some(cpus) = self.cpus {
            simulation = simulation.cpus(cpus);
        }
        if let Some(duration) = self.duration {
            simulation = simulation.duration(duration);
        }
        if let Some(protocol) = self.protocol {
            simulation = simulation.protocol(match protocol {
                ProtocolArg::None => Protocol::None,
                ProtocolArg::Inherit => Protocol::Inherit,
                ProtocolArg::Ceiling => Protocol::Ceiling,
            });
        }
        if self.admission {
            simulation = simulation.admission(true);
        }
        let settings = simulation.settings().clone();
        let cost = |arg: Option<Span>, nanos| arg.unwrap_or(Span::from_nanos(nanos));
        simulation.costs(Costs {
            trap: cost(self.trap_cost, settings.trap_cost_ns),
            switch: cost(self.switch_cost, settings.switch_cost_ns),
            migration: cost(self.migration_cost, settings.migration_cost_ns),
        })
    }
}

/// The flags that give this machine, whatever the environment says, with a file that gives `file`
/// by itself.
pub(super) fn flags(settings: &Settings, file: &Settings) -> Vec<String> {
    let mut words = vec!["--cpus".to_owned(), settings.cpus.to_string()];
    words.extend(
        settings
            .duration_ns
            .into_iter()
            .flat_map(|it| ["--duration".into(), exact_duration(Span::from_nanos(it))]),
    );
    for (name, nanos, known) in [
        ("--trap-cost", settings.trap_cost_ns, file.trap_cost_ns),
        ("--switch-cost", settings.switch_cost_ns, file.switch_cost_ns),
        ("--migration-cost", settings.migration_cost_ns, file.migration_cost_ns),
    ] {
        if nanos != known {
            words.extend([name.to_owned(), exact_duration(Span::from_nanos(nanos))]);
        }
    }
    if settings.protocol != file.protocol {
        words.extend(["--protocol".to_owned(), settings.protocol.to_owned()]);
    }
    words.extend((settings.admission && !file.admission).then(|| "--admission".to_owned()));
    words
}

/// The machine in a line.
pub(super) fn describe(settings: &Settings) -> String {
    let mut text =
        format!("{}, {}, seed {}", tables::cpus(settings.cpus), settings.policy, settings.seed);
    for (name, nanos) in [
        ("trap", settings.trap_cost_ns),
        ("switch", settings.switch_cost_ns),
        ("migration", settings.migration_cost_ns),
    ] {
        if nanos > 0 {
            text.push_str(&format!(", {} a {name}", format_nanos(nanos)));
        }
    }
    if settings.protocol != "none" {
        text.push_str(&format!(", mutexes {}", settings.protocol));
    }
    if settings.admission {
        text.push_str(", admission test");
    }
    text
}

/// The machine as columns of a table for machines.
pub(super) fn columns(settings: &Settings) -> [(&'static str, String); 7] {
    [
        ("cpus", settings.cpus.to_string()),
        ("duration_ns", settings.duration_ns.map_or_else(String::new, |nanos| nanos.to_string())),
        ("trap_cost_ns", settings.trap_cost_ns.to_string()),
        ("switch_cost_ns", settings.switch_cost_ns.to_string()),
        ("migration_cost_ns", settings.migration_cost_ns.to_string()),
        ("protocol", settings.protocol.to_owned()),
        ("admission", settings.admission.to_string()),
    ]
}
