//! `hothouse explore` and `hothouse replay`.

use clap::{Args, Parser, ValueEnum};
use hothouse::explore::{Bound, Explored, Explorer, Schedule, Strategy};
use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::sim::parse_duration;
use hothouse::{ExitStatus, Program, Span};
use serde_json::json;

use super::output::{print_quietly, tell};
use super::program::Source;
use super::run::Format;
use super::{Exit, UsageError};

/// Steps at one instant after which a run counts as a livelock, by default.
const STEPS: u64 = 20_000;

/// What is explored, and what counts as a failure of it.
#[derive(Args, Clone)]
struct Target {
    /// A Lua file, or the name of a built-in program
    program: String,
    /// The program's arguments; write `--` before those that begin with a dash
    args: Vec<String>,
    /// A process that panics, faults or fails is no failure
    #[arg(long)]
    allow_failures: bool,
    /// What is left when pid 1 has ended is a failure
    #[arg(long)]
    leaks: bool,
    /// What may go wrong, as for `hothouse run`; whether a rule with p below 1 strikes is a choice of
    /// the search
    #[arg(long, value_name = "RULES|FILE")]
    faults: Option<String>,
    /// End each run at this virtual time
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    until: Option<Span>,
    /// Steps without time passing that count as a livelock
    #[arg(long, value_name = "N", default_value_t = STEPS,
          value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
}

#[derive(Args, Clone)]
pub(super) struct Explore {
    #[command(flatten)]
    target: Target,
    /// How the search goes through the schedules
    #[arg(long, value_enum, default_value = "pct")]
    strategy: StrategyArg,
    /// How many ordering constraints `pct` looks for
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    depth: u32,
    /// What `dfs` leaves out: preemptions=N, delays=N, steps=N, or none
    #[arg(long, value_name = "BOUND", default_value = "none", value_parser = parse_bound)]
    bound: Bound,
    /// After how many schedules the search ends
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    schedules: u64,
    /// The seed of the search and of all random streams
    #[arg(long, default_value_t = 0, env = "HOTHOUSE_SEED")]
    seed: u64,
    /// Search twice and compare what was found
    #[arg(long)]
    check: bool,
    /// How the result is shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StrategyArg {
    /// Each choice uniformly at random
    Random,
    /// Random priorities that change at a few points
    Pct,
    /// All schedules within the bound; without one, one of those that differ only in the order of
    /// independent steps
    Dfs,
}

#[derive(Args, Clone)]
pub(super) struct Replay {
    /// What `hothouse explore` printed as the schedule
    schedule: String,
    /// Another program than the one that the schedule names, such as a mended one
    program: Option<String>,
    /// Its arguments
    args: Vec<String>,
    /// How the result is shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
}

fn parse_bound(text: &str) -> Result<Bound, String> {
    const EXPECTED: &str = "expected preemptions=N, delays=N, steps=N or none";
    if text == "none" {
        return Ok(Bound::None);
    }
    let (kind, number) = text.split_once('=').ok_or(EXPECTED)?;
    let number = number.parse().map_err(|_| format!("{number:?} is no number; {EXPECTED}"))?;
    match kind {
        "preemptions" => Ok(Bound::Preemptions(number)),
        "delays" => Ok(Bound::Delays(number)),
        "steps" => Ok(Bound::Steps(number)),
        _ => Err(EXPECTED.to_owned()),
    }
}

impl Target {
    /// The words that make it again.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.allow_failures.then(|| "--allow-failures".to_owned()));
        words.extend(self.leaks.then(|| "--leaks".to_owned()));
        if let Some(faults) = &self.faults {
            words.extend(["--faults".to_owned(), faults.clone()]);
        }
        if let Some(until) = self.until {
            words.extend(["--until".to_owned(), format!("{}ns", until.nanos())]);
        }
        if self.steps != STEPS {
            words.extend(["--steps".to_owned(), self.steps.to_string()]);
        }
        words.push(self.program.clone());
        if !self.args.is_empty() {
            words.push("--".to_owned());
            words.extend(self.args.iter().cloned());
        }
        words
    }

    /// The target that a schedule names.
    fn of_words(words: &[String]) -> Result<Target, UsageError> {
        #[derive(Parser)]
        struct Words {
            #[command(flatten)]
            target: Target,
        }
        if words.is_empty() {
            return Err(UsageError::new(
                "the schedule was made in a test and names no program; name it after the schedule",
            ));
        }
        let all = std::iter::once("hothouse").chain(words.iter().map(String::as_str));
        let parsed = Words::try_parse_from(all).map(|words| words.target);
        parsed.map_err(|_| UsageError::new("the schedule names no program of this version"))
    }

    fn explorer(&self) -> Result<Explorer, UsageError> {
        // Neither Lua processes nor the built-in programs share any memory.
        let explorer = Explorer::new()
            .isolated(true)
            .words(self.words())
            .failing(!self.allow_failures)
            .leaks(self.leaks)
            .steps(self.steps);
        let explorer = match &self.faults {
            Some(faults) => explorer.faults(super::faults::read(faults)?),
            None => explorer,
        };
        Ok(match self.until {
            Some(until) => explorer.until(until),
            None => explorer,
        })
    }

    /// What makes the program anew for each run. The first one is loaded now, so that bad input is
    /// told before anything runs.
    fn loader(&self) -> Result<(String, impl FnMut() -> Program + 'static), UsageError> {
        let source = Source::find(&self.program)?;
        let name = source.process_name();
        let (lua, args) = (LuaHost::new(LuaSettings::default()), self.args.clone());
        let mut first = Some(source.load(&lua, &args)?);
        let make = move || {
            first.take().unwrap_or_else(|| match source.load(&lua, &args) {
                Ok(program) => program,
                Err(error) => Program::native(move |_| ExitStatus::Failed(error.to_string())),
            })
        };
        Ok((name, make))
    }
}

impl Explore {
    pub(super) fn main(self) -> Result<Exit, UsageError> {
        let strategy = match self.strategy {
            StrategyArg::Random => Strategy::Random,
            StrategyArg::Pct => Strategy::Pct { depth: self.depth },
            StrategyArg::Dfs => Strategy::Dfs { bound: self.bound },
        };
        if self.bound != Bound::None && self.strategy != StrategyArg::Dfs {
            return Err(UsageError::new("a bound is for --strategy dfs only"));
        }
        let explored = self.search(strategy)?;
        if self.check {
            if self.search(strategy)?.json() != explored.json() {
                tell("hothouse: check: the two searches differ\n");
                return Ok(Exit::Differs);
            }
            tell("hothouse: check: two searches found the same\n");
        }
        let text = match self.format {
            Format::Human => format!("{explored}\n"),
            Format::Json => format!("{}\n", explored.json()),
        };
        let printed = print_quietly(&text);
        Ok(if explored.failure.is_some() { Exit::Failed } else { printed })
    }

    fn search(&self, strategy: Strategy) -> Result<Explored, UsageError> {
        let (name, make) = self.target.loader()?;
        let explorer = self.target.explorer()?;
        let explorer = explorer.strategy(strategy).schedules(self.schedules).seed(self.seed);
        explorer.check_program(name.as_str(), make).map_err(UsageError::new)
    }
}

impl Replay {
    pub(super) fn main(self) -> Result<Exit, UsageError> {
        let schedule: Schedule = self.schedule.parse().map_err(UsageError::new)?;
        let target = match self.program {
            // What counted as a failure then does so now.
            Some(program) => {
                let words = Some(&schedule.words).filter(|words| !words.is_empty());
                let known = words.map(|words| Target::of_words(words)).transpose()?;
                let known =
                    known.map_or_else(|| Target::of_words(std::slice::from_ref(&program)), Ok)?;
                Target { program, args: self.args, ..known }
            }
            None => Target::of_words(&schedule.words)?,
        };
        let (name, make) = target.loader()?;
        let explorer = target.explorer()?;
        let replayed =
            explorer.replay_program(&schedule, name.as_str(), make).map_err(UsageError::new)?;
        let failure = replayed.failure.as_ref();
        let divergence = replayed.divergence.as_ref().map(ToString::to_string);
        let text = match self.format {
            Format::Human => {
                let lines = replayed.story.iter().map(|line| format!("{line}\n"));
                lines.collect::<String>()
            }
            Format::Json => {
                let failure = failure.map(|it| json!({"kind": it.word(), "what": it.to_string()}));
                let story = &replayed.story;
                let all = json!({"failure": failure, "divergence": divergence, "story": story});
                format!("{all}\n")
            }
        };
        let printed = print_quietly(&text);
        if self.format == Format::Human {
            let end = failure.map_or_else(|| "nothing fails".to_owned(), ToString::to_string);
            tell(&format!("hothouse: {end}\n"));
            if let Some(divergence) = &divergence {
                tell(&format!("hothouse: {divergence}\n"));
            }
        }
        Ok(match (divergence, failure) {
            (Some(_), _) => Exit::Differs,
            (None, Some(_)) => Exit::Failed,
            (None, None) => printed,
        })
    }
}
