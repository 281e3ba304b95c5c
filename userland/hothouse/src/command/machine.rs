//! The machine of a simulation, as flags over the environment over what the file says.

use clap::{Args, ValueEnum};
use hothouse::sim::{Protocol, Settings, Simulation, exact_duration, parse_duration};
use hothouse::{Costs, Span};

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
    /// What mutexes do against priority inversion [default: none]
    #[arg(long, value_enum)]
    protocol: Option<ProtocolArg>,
    /// Refuse tasks whose reservation does not fit
    #[arg(long)]
    admission: bool,
    /// CPU time of a trap [default: 0]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    trap_cost: Option<Span>,
    /// Time to switch a CPU to another process [default: 0]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    switch_cost: Option<Span>,
    /// Further time when a process moves to another CPU [default: 0]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
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
