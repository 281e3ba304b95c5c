//! Jobs that compute and sleep in turn on one CPU, millisecond by millisecond, for the tests that
//! hold a policy against figures.

use std::collections::VecDeque;

use hothouse_abi::{Span, Tick};

use super::testing::task;
use super::{Burst, CpuId, Policy, Reason, Running, Stop, Task};

const CPU: CpuId = CpuId(0);
const MS: Span = Span::from_millis(1);

/// A job: when it comes, and then by turns how long it computes and how long it sleeps; the last
/// sleep never is. All in milliseconds.
pub(super) struct Job {
    pub(super) arrival: u64,
    pub(super) phases: Vec<(u64, u64)>,
}

impl Job {
    /// One that computes and is done.
    pub(super) fn batch(arrival: u64, length: u64) -> Job {
        Job { arrival, phases: vec![(length, 1)] }
    }

    /// One that computes for a while and then sleeps for a while, again and again.
    pub(super) fn interactive(arrival: u64, run: u64, sleep: u64) -> Job {
        Job { arrival, phases: vec![(run, sleep); 10_000] }
    }
}

/// From when to when a job used the CPU without a break: its number, from, to.
pub(super) type Segment = (u32, u64, u64);

struct Line<'a> {
    policy: &'a mut dyn Policy,
    tasks: Vec<Task>,
    phases: Vec<VecDeque<(u64, u64)>>,
    wakes: Vec<Option<u64>>,
    came: Vec<bool>,
    current: Option<Current>,
    now: Tick,
}

struct Current {
    index: usize,
    ran: Span,
    slice: Option<Span>,
}

/// Who used the CPU when, until so many milliseconds have passed.
pub(super) fn timeline(policy: &mut dyn Policy, jobs: &[Job], until: u64) -> Vec<Segment> {
    let mut line = Line {
        policy,
        tasks: (0..).zip(jobs).map(|(id, _)| task(id, 0)).collect(),
        phases: jobs.iter().map(|job| job.phases.iter().copied().collect()).collect(),
        wakes: jobs.iter().map(|job| Some(job.arrival)).collect(),
        came: vec![false; jobs.len()],
        current: None,
        now: Tick::ZERO,
    };
    let mut segments: Vec<Segment> = Vec::new();
    for ms in 0..until {
        line.now = Tick::from_nanos(ms * MS.nanos());
        line.stop_due(ms);
        line.timer();
        let woken = line.wake_due(ms);
        line.settle(&woken);
        let Some(id) = line.serve() else { continue };
        match segments.last_mut() {
            Some((last, _, to)) if *last == id && *to == ms => *to += 1,
            _ => segments.push((id, ms, ms + 1)),
        }
    }
    segments
}

impl Line<'_> {
    /// Takes the job off the CPU, if its burst or its slice is over.
    fn stop_due(&mut self, ms: u64) {
        let Some(Current { index, ran, slice }) = self.current else { return };
        if self.tasks[index].burst == Some(Span::ZERO) {
            let (_, sleep) = self.phases[index].pop_front().expect("it was in a phase");
            self.tasks[index].burst = None;
            if self.phases[index].is_empty() {
                self.leave(Stop::Ended);
                self.policy.forget(self.tasks[index].id);
            } else {
                self.leave(Stop::Blocked);
                self.wakes[index] = Some(ms + sleep);
            }
        } else if Some(ran) == slice {
            self.requeue(Stop::SliceEnd, Reason::SliceEnd);
        }
    }

    fn leave(&mut self, stop: Stop) -> usize {
        let Current { index, ran, .. } = self.current.take().expect("somebody runs");
        self.policy.put_prev(&self.tasks[index], CPU, ran, stop, self.now);
        index
    }

    fn requeue(&mut self, stop: Stop, reason: Reason) {
        let index = self.leave(stop);
        self.policy.enqueue(&self.tasks[index], reason, self.now);
    }

    fn running(&self) -> Vec<Running> {
        let running = |current: &Current| Running {
            cpu: CPU,
            task: self.tasks[current.index].clone(),
            ran: current.ran,
        };
        self.current.iter().map(running).collect()
    }

    fn timer(&mut self) {
        if self.policy.next_timer().is_some_and(|at| at <= self.now)
            && !self.policy.timer(&self.running(), self.now).is_empty()
        {
            self.requeue(Stop::Preempted, Reason::Preempted);
        }
    }

    fn wake_due(&mut self, ms: u64) -> Vec<usize> {
        let due: Vec<_> =
            (0..self.tasks.len()).filter(|&index| self.wakes[index] == Some(ms)).collect();
        for &index in &due {
            self.wakes[index] = None;
            let came = std::mem::replace(&mut self.came[index], true);
            let reason = if came { Reason::Wakeup } else { Reason::New };
            self.policy.enqueue(&self.tasks[index], reason, self.now);
            self.preempt_for(index);
        }
        due
    }

    fn preempt_for(&mut self, index: usize) {
        let running = self.running();
        if running.is_empty() || running[0].task.id == self.tasks[index].id {
            return;
        }
        if self.policy.wakeup_preempt(&self.tasks[index], &running, self.now).is_some() {
            self.requeue(Stop::Preempted, Reason::Preempted);
        }
    }

    /// Lets the CPU pick until somebody stays on it; then those who woke may preempt.
    fn settle(&mut self, woken: &[usize]) {
        self.pick();
        for &index in woken {
            let is_queued = self.tasks[index].burst.is_none() && self.wakes[index].is_none();
            if is_queued {
                self.preempt_for(index);
                self.pick();
            }
        }
    }

    fn pick(&mut self) {
        while self.current.is_none() {
            let Some(pick) = self.policy.pick_next(CPU, self.now) else { return };
            let index = pick.task.0 as usize;
            self.current = Some(Current { index, ran: Span::ZERO, slice: pick.slice });
            if self.tasks[index].burst.is_some() {
                return;
            }
            self.tasks[index].burst = Some(Span::from_millis(self.phases[index][0].0));
            if self.policy.burst_start(&self.tasks[index], CPU, self.now) == Burst::Requeue {
                self.requeue(Stop::Burst, Reason::Burst);
            }
        }
    }

    /// Serves the job on the CPU for a millisecond.
    fn serve(&mut self) -> Option<u32> {
        let current = self.current.as_mut()?;
        current.ran += MS;
        let task = &mut self.tasks[current.index];
        task.burst = task.burst.map(|left| left - MS);
        Some(task.id.0)
    }
}

/// For each job that computes once: from its arrival to its first use of the CPU and to its end,
/// in milliseconds.
pub(super) fn batch(policy: &mut dyn Policy, jobs: &[(u64, u64)]) -> (Vec<u64>, Vec<u64>) {
    let all: Vec<_> = jobs.iter().map(|&(arrival, length)| Job::batch(arrival, length)).collect();
    let end = jobs.iter().map(|job| job.0 + job.1).sum::<u64>() + 1;
    let segments = timeline(policy, &all, end);
    let of = |id: u32| segments.iter().filter(move |segment| segment.0 == id);
    let first = |(id, job): (u32, &(u64, u64))| of(id).map(|s| s.1).min().unwrap() - job.0;
    let last = |(id, job): (u32, &(u64, u64))| of(id).map(|s| s.2).max().unwrap() - job.0;
    ((0..).zip(jobs).map(first).collect(), (0..).zip(jobs).map(last).collect())
}
