//! Reads the trace of a simulation and keeps what the metrics are made of.

use hashbrown::HashMap;
use hothouse_abi::{Pid, Span, Tick};
use hothouse_kernel::policy::CpuId;
use hothouse_kernel::trace::{Listener, Record, What};
use rustc_hash::FxBuildHasher;

use super::job::{Done, JobRecord, UnderWay};
use super::lag::{Fluid, Lag};
use super::tally::Tally;
use super::timeline::Timeline;
use super::times::Times;

/// A listener that measures the processes of a workload, by task.
///
/// The processes of a task are those whose name is that of the task, with or without `#` and a
/// number; all others are left out. What is kept does not grow with the number of jobs.
pub(super) struct Meter {
    tasks: HashMap<String, usize, FxBuildHasher>,
    live: HashMap<Pid, Live, FxBuildHasher>,
    pub(super) books: Books,
}

/// What is kept of all processes together.
pub(super) struct Books {
    weights: Vec<u64>,
    migration_cost: Span,
    cpus: Vec<CpuUse>,
    fluid: Fluid,
    pub(super) tallies: Vec<Tally>,
    pub(super) timeline: Timeline,
    pub(super) jobs: Vec<JobRecord>,
    /// How many jobs are kept one by one.
    keep: usize,
    /// How many jobs are in the system, and the integral of that over time, in job nanoseconds.
    in_system: i128,
    pub(super) area: i128,
    counted_until: Tick,
    /// The sum of the times that jobs spent in the system.
    pub(super) times_in_system: i128,
    pub(super) released: u64,
    /// What processes said when they failed, the first few.
    pub(super) failures: Vec<String>,
    pub(super) failed: u64,
}

/// How many failures are kept in words.
const FAILURES: usize = 20;

/// A process that lives.
struct Live {
    task: usize,
    name: String,
    spawned: Tick,
    since: Tick,
    blocked: bool,
    stopped: bool,
    times: Times,
    job: Option<UnderWay>,
    /// A job whose release is to come.
    pending: Option<(Tick, Tick)>,
    burst: Option<Burst>,
    /// What the switch to it cost, before its burst starts.
    switch_cost: Span,
    last_cpu: Option<CpuId>,
    woken: Option<Tick>,
    /// When its last service ended, if all it has done since is wait for a CPU.
    served_until: Option<Tick>,
    /// It was just created, and has not run.
    fresh: bool,
    lag: Lag,
}

#[derive(Clone, Copy)]
struct Burst {
    started: Tick,
    overhead: Span,
    cpu: CpuId,
}

/// Who used a CPU last.
#[derive(Clone, Default)]
struct CpuUse {
    last: Option<(Pid, usize)>,
    /// Whether it lost the CPU against its will.
    involuntary: bool,
}

impl Meter {
    /// For tasks of these names and weights, keeping so many jobs one by one.
    pub(super) fn new(
        tasks: &[(String, u64)],
        cpus: u32,
        migration_cost: Span,
        keep: usize,
    ) -> Meter {
        let precise = tasks.len() <= 100;
        let books = Books {
            weights: tasks.iter().map(|(_, weight)| *weight).collect(),
            migration_cost,
            cpus: vec![CpuUse::default(); cpus as usize],
            fluid: Fluid::new(cpus),
            tallies: tasks.iter().map(|_| Tally::new(precise)).collect(),
            timeline: Timeline::new(cpus),
            jobs: Vec::new(),
            keep,
            in_system: 0,
            area: 0,
            counted_until: Tick::ZERO,
            times_in_system: 0,
            released: 0,
            failures: Vec::new(),
            failed: 0,
        };
        let tasks = (0..).zip(tasks).map(|(index, (name, _))| (name.clone(), index)).collect();
        Meter { tasks, live: HashMap::default(), books }
    }

    /// Ends the measurement: what is under way is counted as far as it has come.
    pub(super) fn finish(&mut self, now: Tick) {
        let mut live: Vec<(Pid, Live)> = self.live.drain().collect();
        live.sort_unstable_by_key(|(pid, _)| *pid);
        for (_, process) in &mut live {
            self.books.break_off(process, now);
        }
        self.books.count(now);
        self.books.check_little();
    }

    fn spawned(&mut self, pid: Pid, name: &str, now: Tick) {
        let task = name.rsplit_once('#').map_or(name, |(task, _)| task);
        let found = self.tasks.get(name).or_else(|| self.tasks.get(task));
        let Some(&task) = found else { return };
        let process = self.books.spawned(task, name, now);
        self.live.insert(pid, process);
    }
}

impl Books {
    fn break_off(&mut self, process: &mut Live, now: Tick) {
        self.account(process, now);
        if let Some(burst) = process.burst {
            let passed = (now - burst.started).nanos();
            let served = Span::from_nanos(passed.saturating_sub(burst.overhead.nanos()));
            self.burst_ended(process, burst.cpu, served, now);
        }
        self.enter(process, now);
        if let Some(job) = process.job.take() {
            self.leave(&job, now, now);
            self.tallies[process.task].unfinished(&job, now);
        }
        self.end(process, now);
    }

    /// Little's law, in numbers without error: the integral of the number of jobs in the system is
    /// the sum of their times in it.
    fn check_little(&self) {
        assert_eq!(self.area, self.times_in_system, "Little's law: the time integral of the jobs");
    }

    fn count(&mut self, now: Tick) {
        self.area += self.in_system * i128::from((now - self.counted_until).nanos());
        self.counted_until = now;
    }

    fn arrive(&mut self, release: Tick, now: Tick) {
        self.count(now);
        self.area += i128::from((now - release).nanos());
        self.in_system += 1;
        self.released += 1;
    }

    /// A job leaves, which was over at a time that has passed by now.
    fn leave(&mut self, job: &UnderWay, finish: Tick, now: Tick) {
        self.count(now);
        self.in_system -= 1;
        self.area -= i128::from((now - finish).nanos());
        self.times_in_system += i128::from((finish - job.release).nanos());
    }

    /// A job that never was: the process began another in its place.
    fn retract(&mut self, job: &UnderWay, now: Tick) {
        self.count(now);
        self.in_system -= 1;
        self.released -= 1;
        self.area -= i128::from((now - job.release).nanos());
    }

    /// Lets a job begin whose release has come.
    fn enter(&mut self, process: &mut Live, now: Tick) {
        if let Some((release, deadline)) = process.pending.take_if(|(release, _)| *release <= now) {
            self.arrive(release, now);
            process.job = Some(UnderWay::new(release, deadline, false));
        }
    }

    fn account(&mut self, process: &mut Live, now: Tick) {
        let passed = now - process.since;
        process.since = now;
        if process.burst.is_some() {
            // What it was, the end of the burst tells.
            return;
        }
        let times = &mut process.times;
        if process.stopped {
            times.stopped += passed;
        } else if process.blocked {
            times.blocked += passed;
        } else {
            times.ready += passed;
            return;
        }
        if let Some(job) = &mut process.job {
            job.away += passed;
        }
    }

    fn spawned(&mut self, task: usize, name: &str, now: Tick) -> Live {
        self.tallies[task].processes += 1;
        self.arrive(now, now);
        let mut lag = Lag::new(self.weights[task]);
        self.fluid.join(&mut lag, now);
        Live {
            task,
            name: name.to_owned(),
            spawned: now,
            since: now,
            blocked: false,
            stopped: false,
            times: Times::default(),
            job: Some(UnderWay::new(now, Tick::MAX, true)),
            pending: None,
            burst: None,
            switch_cost: Span::ZERO,
            last_cpu: None,
            woken: None,
            served_until: None,
            fresh: true,
            lag,
        }
    }

    fn job_released(&mut self, process: &mut Live, release: Tick, deadline: Tick, now: Tick) {
        if let Some(job) = process.job.take() {
            // The job that every process is until it begins one of its own.
            if job.implied && job.cpu.is_zero() {
                self.retract(&job, now);
            } else {
                self.job_done(process, job, now);
            }
        }
        process.served_until = None;
        process.pending = Some((release, deadline));
        self.enter(process, now);
    }

    /// A job is done when its service is, even if its process gets no CPU at that instant to say so.
    fn job_done(&mut self, process: &Live, job: UnderWay, now: Tick) {
        let finish = process.served_until.unwrap_or(now).max(job.release);
        self.leave(&job, finish, now);
        let done = Done::new(&job, finish);
        self.tallies[process.task].done(&done);
        if self.jobs.len() < self.keep {
            self.jobs.push(JobRecord::new(&process.name, &done));
        }
    }

    fn burst_started(&mut self, process: &mut Live, pid: Pid, cpu: CpuId, now: Tick) {
        let migrated = process.last_cpu.is_some_and(|last| last != cpu);
        let mut overhead = std::mem::take(&mut process.switch_cost);
        if migrated {
            overhead += self.migration_cost;
            self.tallies[process.task].migrations += 1;
        }
        process.last_cpu = Some(cpu);
        process.burst = Some(Burst { started: now, overhead, cpu });
        process.served_until = None;
        let usage = &mut self.cpus[cpu.0 as usize];
        usage.last = Some((pid, process.task));
        usage.involuntary = false;
        self.fluid.measure(&mut process.lag, now);
    }

    fn burst_ended(&mut self, process: &mut Live, cpu: CpuId, ran: Span, now: Tick) {
        let Some(burst) = process.burst.take() else { return };
        // The costs come first; a burst may end before they are paid.
        let overhead = burst.overhead.min(now - burst.started);
        process.times.overhead += overhead;
        process.times.cpu += ran;
        // The service itself came last.
        let began = Tick::from_nanos(now.nanos() - ran.nanos());
        if !ran.is_zero() {
            process.fresh = false;
            if let Some(woken) = process.woken.take() {
                self.tallies[process.task].woke(began - woken);
            }
            self.timeline.add(cpu, process.task, began, now);
        }
        if let Some(job) = &mut process.job {
            job.served(ran, overhead, began);
        }
        process.served_until = Some(now);
        self.fluid.serve(&mut process.lag, ran, now);
    }

    fn exited(&mut self, process: &mut Live, failure: Option<String>, now: Tick) {
        if let Some(job) = process.job.take() {
            match &failure {
                None => self.job_done(process, job, now),
                Some(_) => {
                    self.leave(&job, now, now);
                    self.tallies[process.task].unfinished(&job, now);
                }
            }
        }
        if let Some(text) = failure {
            self.failed += 1;
            if self.failures.len() < FAILURES {
                self.failures.push(format!("{} {text}", process.name));
            }
        }
        self.end(process, now);
    }

    fn end(&mut self, process: &mut Live, now: Tick) {
        self.fluid.leave(&mut process.lag, now);
        let tally = &mut self.tallies[process.task];
        tally.lag = tally.lag.max(process.lag.worst());
        process.times.check(&process.name, now - process.spawned);
        tally.ended(process.times, self.weights[process.task]);
    }

    fn changed(&mut self, process: &mut Live, record: &Record<'_>) {
        let now = record.time;
        match record.what {
            What::Blocked { .. } => {
                process.blocked = true;
                process.served_until = None;
                process.fresh = false;
                process.woken = None;
                self.fluid.leave(&mut process.lag, now);
            }
            What::Woken => {
                process.blocked = false;
                if !process.fresh {
                    process.woken = Some(now);
                }
            }
            What::Stopped => {
                process.stopped = true;
                process.served_until = None;
                self.fluid.leave(&mut process.lag, now);
            }
            What::Continued => process.stopped = false,
            _ => {}
        }
        if !process.blocked && !process.stopped {
            self.fluid.join(&mut process.lag, now);
        }
    }

    fn left_cpu(&mut self, pid: Pid, cpu: Option<CpuId>, involuntary: bool) {
        let Some(cpu) = cpu else { return };
        let usage = &mut self.cpus[cpu.0 as usize];
        if usage.last.is_some_and(|(last, _)| last == pid) {
            usage.involuntary = involuntary;
        }
    }

    fn switched(&mut self, cpu: Option<CpuId>) {
        let Some(cpu) = cpu else { return };
        let usage = &self.cpus[cpu.0 as usize];
        let Some((_, task)) = usage.last else { return };
        if usage.involuntary {
            self.tallies[task].involuntary += 1;
        } else {
            self.tallies[task].voluntary += 1;
        }
    }
}

impl Listener for Meter {
    fn record(&mut self, record: &Record<'_>) {
        let (pid, now) = (record.pid, record.time);
        match record.what {
            What::Trap { .. } | What::Dispatched | What::LockTaken { .. } => return,
            What::Spawned { name, .. } => return self.spawned(pid, &name.to_string(), now),
            _ => {}
        }
        let Some(process) = self.live.get_mut(&pid) else { return };
        self.books.record(process, record);
        if let What::Exited { .. } = record.what {
            self.live.remove(&pid);
        }
    }
}

impl Books {
    fn record(&mut self, process: &mut Live, record: &Record<'_>) {
        let (pid, now) = (record.pid, record.time);
        self.account(process, now);
        self.enter(process, now);
        match record.what {
            What::JobReleased { release, deadline } => {
                self.job_released(process, release, deadline, now);
            }
            What::JobDone => {
                if let Some(job) = process.job.take() {
                    self.job_done(process, job, now);
                }
            }
            What::BurstStarted { .. } => {
                if let Some(cpu) = record.cpu {
                    self.burst_started(process, pid, cpu, now);
                }
            }
            What::BurstEnded { ran } => {
                if let Some(cpu) = record.cpu {
                    self.burst_ended(process, cpu, ran, now);
                }
            }
            What::Switched { cost, .. } => {
                process.switch_cost = cost;
                self.switched(record.cpu);
            }
            What::Preempted | What::SliceEnded => self.left_cpu(pid, record.cpu, true),
            What::Exited { status } => {
                let failure = (!status.is_success()).then(|| status.to_string());
                self.exited(process, failure, now);
            }
            _ => {
                if matches!(record.what, What::Blocked { .. } | What::Stopped) {
                    self.left_cpu(pid, record.cpu, false);
                }
                self.changed(process, record);
            }
        }
    }
}
