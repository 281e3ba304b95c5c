use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::rc::Rc;

use hothouse_abi::{Pid, Span, Tick};
use hothouse_kernel::trace::Record;
use hothouse_kernel::{
    Action, Captured, Costs, Deadlock, End, Kernel, Report, Stream, StreamKind, Until,
};
use hothouse_workload::{Dist, Runtime, Workload};

use super::meter::Meter;
use super::simulation::Programs;
use super::{JobRecord, Metrics, Settings, SimError, Simulation, Timeline};

/// The process that makes the locks and holds them open.
const INIT: Pid = Pid::new(1);

/// What a simulation came to.
#[derive(Debug)]
pub struct Run {
    /// The machine that it ran on.
    pub settings: Settings,
    /// When it ended, in virtual time.
    pub end: Tick,
    /// The metrics.
    pub metrics: Metrics,
    /// Who used which CPU when.
    pub timeline: Timeline,
    /// The jobs that were kept one by one, in the order in which they were done.
    pub jobs: Vec<JobRecord>,
    /// What was odd about the workload or the run.
    pub warnings: Vec<String>,
    /// How many processes failed.
    pub failed: u64,
    /// What they said, the first twenty.
    pub failures: Vec<String>,
    /// Why some tasks could never go on, if that is how it ended.
    pub deadlock: Option<Deadlock>,
    /// Whether it was broken off from outside.
    pub interrupted: bool,
    /// Why the machine could not go on.
    pub error: Option<String>,
    /// What the kernel itself reports.
    pub report: Report,
}

impl Run {
    /// Runs a simulation, telling `watch` how far it is; `false` breaks it off.
    pub(super) fn of(
        simulation: &Simulation,
        settings: Settings,
        watch: &mut dyn FnMut(Tick) -> bool,
    ) -> Result<Run, SimError> {
        Stage::new(simulation, settings)?.run(watch)
    }

    /// Whether a process failed, tasks are deadlocked or the machine could not go on.
    pub fn has_failed(&self) -> bool {
        self.failed > 0 || self.deadlock.is_some() || self.error.is_some()
    }
}

/// All that a run needs.
struct Stage {
    settings: Settings,
    kernel: Kernel,
    runtime: Rc<Runtime>,
    meter: Rc<RefCell<Meter>>,
    arrivals: Arrivals,
}

/// When the next instance of each task starts.
struct Arrivals {
    sources: Vec<Source>,
    due: BinaryHeap<Reverse<(Tick, usize)>>,
}

/// The instances of a task that are still to start.
struct Source {
    stream: Stream,
    left: u32,
    every: Option<Dist>,
}

/// A watcher is asked after so much virtual time, and a part of what has passed.
const GLANCE: Span = Span::from_millis(1);
const GLANCES: u64 = 1000;

impl Stage {
    fn new(simulation: &Simulation, settings: Settings) -> Result<Stage, SimError> {
        let workload = simulation.workload();
        let migration = Span::from_nanos(settings.migration_cost_ns);
        let tasks: Vec<_> =
            workload.tasks.iter().map(|task| (task.name.clone(), weight(task))).collect();
        let meter = Meter::new(&tasks, settings.cpus, migration, simulation.keep_jobs);
        let meter = Rc::new(RefCell::new(meter));
        let seen = meter.clone();
        let listener = move |record: &Record<'_>| {
            hothouse_kernel::trace::Listener::record(&mut *seen.borrow_mut(), record);
        };
        let mut kernel = Kernel::builder()
            .policy(simulation.make_policy()?)
            .cpus(settings.cpus)
            .seed(settings.seed)
            .console(Captured::default())
            .hash(simulation.hash)
            .admission_test(settings.admission)
            .faults(simulation.faults.clone())
            .listener(listener)
            .interrupt(simulation.interrupt.clone())
            .build()?;
        let runtime = runtime(workload, settings.seed)?;
        let init = kernel.spawn("workload", runtime.init());
        init.map_err(|errno| SimError::Spawn { task: "workload".to_owned(), errno })?;
        // It makes the locks while nothing costs anything.
        if let End::Interrupted = kernel.run_until(Until::TimeOrIdle(Tick::ZERO)) {
            // It is the run that is broken off.
            simulation.interrupt.raise();
        }
        kernel.set_costs(Costs {
            trap: Span::from_nanos(settings.trap_cost_ns),
            switch: Span::from_nanos(settings.switch_cost_ns),
            migration,
        });
        let arrivals = Arrivals::new(workload, settings.seed);
        Ok(Stage { settings, kernel, runtime, meter, arrivals })
    }

    fn run(mut self, watch: &mut dyn FnMut(Tick) -> bool) -> Result<Run, SimError> {
        for task in 0..self.runtime.workload().tasks.len() {
            self.first(task);
        }
        let limit = self.settings.duration_ns.map_or(Tick::MAX, Tick::from_nanos);
        let end = loop {
            let glance = GLANCE + Span::from_nanos(self.kernel.now().nanos() / GLANCES);
            let next = self.arrivals.next().min(limit).min(self.kernel.now() + glance);
            match self.kernel.run_until(Until::TimeOrIdle(next)) {
                End::Stopped if self.kernel.now() >= limit => break self.release_locks(limit),
                End::Stopped => self.arrive(),
                end => break end,
            }
            if !watch(self.kernel.now()) {
                break End::Interrupted;
            }
        };
        Ok(self.finish(end))
    }

    /// Lets the first instances of a task come.
    fn first(&mut self, task: usize) {
        let described = &self.runtime.workload().tasks[task];
        if described.only_forked || described.instances == 0 {
            return;
        }
        let together = if described.every.is_none() { described.instances } else { 1 };
        let source = &mut self.arrivals.sources[task];
        let start = Tick::ZERO + described.start.sample(&mut || source.stream.next_u64());
        for _ in 0..together {
            self.admit(task, start);
        }
    }

    /// Lets the next instances come whose predecessors have started by now.
    fn arrive(&mut self) {
        while let Some(&Reverse((time, task))) = self.arrivals.due.peek()
            && time <= self.kernel.now()
        {
            self.arrivals.due.pop();
            let source = &mut self.arrivals.sources[task];
            let Some(every) = source.every else { continue };
            let next = time + every.sample(&mut || source.stream.next_u64());
            self.admit(task, next);
        }
    }

    /// Lets an instance of a task come at a time.
    fn admit(&mut self, task: usize, time: Tick) {
        let source = &mut self.arrivals.sources[task];
        source.left -= 1;
        if source.left > 0 && source.every.is_some() {
            self.arrivals.due.push(Reverse((time, task)));
        }
        let instance = self.runtime.next_instance(task);
        let name = self.runtime.process_name(task, instance).as_str().into();
        let program = self.runtime.program(task, instance, time);
        self.kernel.at(time, Action::Spawn { name, program });
    }

    /// At the end of its duration, a run goes on until no mutex is held, but no longer than it has
    /// taken so far.
    fn release_locks(&mut self, limit: Tick) -> End {
        if self.runtime.holding() == 0 {
            return End::Stopped;
        }
        self.runtime.close();
        let runtime = self.runtime.clone();
        let last = limit + (limit - Tick::ZERO);
        let released = move |kernel: &Kernel| runtime.holding() == 0 || kernel.now() >= last;
        match self.kernel.run_until(Until::Predicate(Box::new(released))) {
            End::Deadlock(_) | End::Idle | End::Done => End::Stopped,
            end => end,
        }
    }

    fn finish(mut self, end: End) -> Run {
        let now = self.kernel.now();
        let report = self.kernel.report();
        let mut meter = self.meter.borrow_mut();
        meter.finish(now);
        let workload = self.runtime.workload();
        let names: Vec<String> = workload.tasks.iter().map(|task| task.name.clone()).collect();
        let metrics = Metrics::of(&meter.books, &names, &report.cpus, now);
        let timeline = std::mem::take(&mut meter.books.timeline);
        let jobs = std::mem::take(&mut meter.books.jobs);
        let failures = std::mem::take(&mut meter.books.failures);
        let failed = meter.books.failed;
        drop(meter);
        let mut warnings: Vec<String> = workload.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(workload.problems(self.settings.cpus));
        warnings.extend(self.runtime.warnings());
        let refused = report.counters.failed_actions;
        if refused > 0 {
            let why = if self.settings.admission {
                "the admission test refused"
            } else {
                "there was no room for"
            };
            warnings.push(format!("{why} {refused} processes; they never ran"));
        }
        if self.runtime.holding() > 0 {
            warnings.push("mutexes are still held long after the end of the run".to_owned());
        }
        let interrupted = matches!(end, End::Interrupted);
        let (deadlock, error) = match end {
            End::Deadlock(deadlock) => (without_init(deadlock), None),
            End::Failed(error) => (None, Some(error.to_string())),
            _ => (None, None),
        };
        // The processes that are left say nothing any more.
        self.kernel.kill_all();
        let settings = self.settings;
        Run {
            settings,
            end: now,
            metrics,
            timeline,
            jobs,
            warnings,
            failed,
            failures,
            deadlock,
            interrupted,
            error,
            report,
        }
    }
}

impl Arrivals {
    fn new(workload: &Workload, seed: u64) -> Arrivals {
        let source = |(number, task): (u64, &hothouse_workload::Task)| Source {
            stream: Stream::derive(seed, StreamKind::Workload, number),
            left: task.instances,
            every: task.every,
        };
        let sources = (0..).zip(&workload.tasks).map(source).collect();
        Arrivals { sources, due: BinaryHeap::new() }
    }

    fn next(&self) -> Tick {
        self.due.peek().map_or(Tick::MAX, |Reverse((time, _))| *time)
    }
}

fn runtime(workload: &Workload, seed: u64) -> Result<Rc<Runtime>, SimError> {
    let programs = Programs::new(&workload.name);
    let draws = move |task: usize, instance: u64| {
        let id = (task as u64) << 32 | instance;
        let mut stream = Stream::derive(seed, StreamKind::Task, id);
        Box::new(move || stream.next_u64()) as Box<dyn FnMut() -> u64>
    };
    let resolve = move |command: &hothouse_workload::Command| programs.load(command).ok();
    Runtime::new(workload.clone(), draws, resolve).map_err(SimError::NoTask)
}

/// The weight by which fairness and lag are measured: the tickets, or those of the nice level.
fn weight(task: &hothouse_workload::Task) -> u64 {
    let nice = u64::from(hothouse_kernel::policy::weight(task.scheduling.nice));
    task.scheduling.tickets.map_or(nice, u64::from)
}

/// The deadlock of the tasks alone; the process that holds their locks open waits for nobody.
fn without_init(deadlock: Deadlock) -> Option<Deadlock> {
    let waiters: Vec<_> = deadlock.waiters.into_iter().filter(|it| it.pid != INIT).collect();
    (!waiters.is_empty()).then_some(Deadlock { waiters, ..deadlock })
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} s", self.settings.policy, self.end)
    }
}
