//! `hothouse sim`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hothouse::Interrupt;
use hothouse::sim::{Run, Settings, SimError, Simulation, format_nanos};

use super::file::Output;
use super::machine::{self, MachineArgs};
use super::output::tell;
use super::progress::Progress;
use super::run::{catch_interrupts, quoted};
use super::{Exit, UsageError, file, sim_result, tables};

/// How a result is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables and a timeline.
    Human,
    /// One JSON object that holds everything.
    Json,
    /// A row for each task, and one for the machine.
    Csv,
}

/// What makes a run a failure, besides programs that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// A deadline was missed.
    Misses,
    /// A job was not done when the run ended.
    Unfinished,
    /// There was a warning.
    Warnings,
}

#[derive(Args, Clone)]
pub(super) struct Sim {
    /// A workload: an example's name, native TOML, rt-app JSON, a job list (.csv, .jobs, .txt), or an SWF log
    file: PathBuf,
    /// Who runs when: an id, or id:key=value,..; `hothouse policies` lists them [default: fifo]
    #[arg(long, value_name = "POLICY", env = "HOTHOUSE_POLICY")]
    policy: Option<String>,
    /// The seed of all random draws [default: 0]
    #[arg(long, env = "HOTHOUSE_SEED")]
    seed: Option<u64>,
    /// Show every metric of every task
    #[arg(long)]
    all: bool,
    /// How the result is shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
    /// Write the result to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End with exit code 1 if this happens; may list several
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    /// What is to go wrong on purpose: rules such as 'stop:process=encoder,p=0.01,for=5ms', or a file
    /// of them; docs/faults.md has them all
    #[arg(long, value_name = "RULES|FILE")]
    faults: Option<String>,
    /// Run twice and compare the traces
    #[arg(long)]
    check: bool,
    /// Keep the first N jobs one by one, for JSON
    #[arg(long, value_name = "N", default_value_t = 0)]
    jobs: usize,
    /// No progress bar, no warnings
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

impl Sim {
    pub(super) fn main(self) -> Result<Exit, UsageError> {
        let output = Output::to(self.output.as_deref())?;
        let interrupt = Interrupt::default();
        let workload = Simulation::new(file::workload(&self.file)?);
        let file = workload.settings().clone();
        let faults = self.faults.as_deref().map(super::faults::read).transpose()?;
        let simulation = self.simulation(workload).interrupt(interrupt.clone());
        let simulation = simulation.faults(faults.unwrap_or_default());
        simulation.check().map_err(UsageError::new)?;
        catch_interrupts(&interrupt)?;
        let (run, host_time) = self.once(&simulation)?;
        if self.check && run.error.is_none() {
            let (again, _) = self.once(&simulation)?;
            if again.report.hash != run.report.hash || again.metrics != run.metrics {
                let hash = |run: &Run| run.report.hash.unwrap_or_default();
                let (first, second) = (hash(&run), hash(&again));
                tell(&format!("hothouse: check: the runs differ: {first:016x}, {second:016x}\n"));
                return Ok(Exit::Differs);
            }
        }
        let repeat = self.repeat(&run.settings, &file);
        let text = match self.format {
            Format::Human => self.human(&run, &repeat, host_time),
            Format::Json => {
                sim_result::json(&run, &self.file.display().to_string(), &repeat, self.exit(&run))
            }
            Format::Csv => sim_result::csv(&run, &repeat),
        };
        let written = output.write(&text)?;
        let is_shown = self.format == Format::Human && self.output.is_none();
        self.tell_problems(&run, is_shown);
        Ok(if written == Exit::Ok { self.exit(&run) } else { written })
    }

    fn simulation(&self, workload: Simulation) -> Simulation {
        let mut simulation = self.machine.apply(workload).keep_jobs(self.jobs);
        if let Some(policy) = &self.policy {
            simulation = simulation.policy(policy);
        }
        if let Some(seed) = self.seed {
            simulation = simulation.seed(seed);
        }
        simulation
    }

    fn once(&self, simulation: &Simulation) -> Result<(Run, Duration), UsageError> {
        let progress = Progress::new(simulation.settings().duration_ns, self.quiet);
        let ran = simulation.run_watched(&mut |now| {
            progress.at(now.nanos(), || format!("{now} s of virtual time"));
            true
        });
        progress.finish();
        let run = ran.map_err(|error: SimError| UsageError::new(error))?;
        Ok((run, progress.elapsed()))
    }

    fn exit(&self, run: &Run) -> Exit {
        if run.interrupted {
            return Exit::Interrupted;
        }
        if run.error.is_some() {
            return Exit::Limit;
        }
        let machine = &run.metrics.machine.measured;
        let unwanted = self.fail_on.iter().any(|what| match what {
            FailOn::Misses => machine.misses > 0,
            FailOn::Unfinished => machine.unfinished > 0,
            FailOn::Warnings => !run.warnings.is_empty(),
        });
        if unwanted || run.has_failed() { Exit::Failed } else { Exit::Ok }
    }

    /// What went wrong or was odd, for a person.
    fn tell_problems(&self, run: &Run, are_warnings_shown: bool) {
        if !self.quiet && !are_warnings_shown {
            run.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}\n")));
        }
        run.failures.iter().for_each(|failure| tell(&format!("hothouse: {failure}\n")));
        let more = run.failed - run.failures.len() as u64;
        if more > 0 {
            tell(&format!("hothouse: {more} more processes failed\n"));
        }
        if let Some(deadlock) = &run.deadlock {
            tell(&format!("hothouse: {deadlock}\n"));
        }
        if let Some(error) = &run.error {
            tell(&format!("hothouse: the run broke off: {error}\n"));
        }
    }

    /// The command that gives the same run again.
    fn repeat(&self, settings: &Settings, file: &Settings) -> String {
        let mut words = ["hothouse", "sim"].map(str::to_owned).to_vec();
        words.push(self.file.display().to_string());
        words.extend(["--policy".to_owned(), settings.policy.clone()]);
        words.extend(["--seed".to_owned(), settings.seed.to_string()]);
        words.extend(machine::flags(settings, file));
        if let Some(faults) = &self.faults {
            words.extend(["--faults".to_owned(), faults.clone()]);
        }
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    fn human(&self, run: &Run, repeat: &str, host_time: Duration) -> String {
        let width = tables::width();
        let mut text = format!(
            "{} on {}: {} of virtual time\n\n",
            self.file.display(),
            machine::describe(&run.settings),
            format_nanos(run.end.nanos()),
        );
        let names: Vec<&str> = run.metrics.tasks.iter().map(|task| task.name.as_str()).collect();
        let each_task = self.all.then(|| tables::each_task(&run.metrics));
        let parts = [
            Some(tables::times(&run.metrics, width)),
            Some(tables::use_of_cpus(&run.metrics, width)),
            each_task,
            Some(tables::machine(&run.metrics)),
            Some(run.timeline.draw(&names, run.end, width)),
        ];
        for part in parts.into_iter().flatten() {
            text.push_str(part.trim_end());
            text.push_str("\n\n");
        }
        text.push_str(&tables::warnings(&run.warnings));
        let hash = run.report.hash.unwrap_or_default();
        let seconds = host_time.as_secs_f64();
        text.push_str(&format!("trace {hash:016x}, {seconds:.3} s on the host\n"));
        text.push_str(&format!("repeat with: {repeat}\n"));
        text
    }
}
