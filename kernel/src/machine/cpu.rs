//! The simulated CPUs: who has one, bursts and slices, and what a CPU's time went into.

use hothouse_abi::{Pid, Resume, Span, Tick};

use super::clock::Alarm;
use super::enter::Entry;
use super::process::{Key, Process, State};
use super::siblings::Link;
use super::{Machine, Outcome};
use crate::policy::{Burst, CpuId, Pick, Reason, Running, Stop};
use crate::timers::{Class, TimerKey};
use crate::trace::What;

/// Behind so many others a process runs soon. One further back is fetched as its turn comes closer:
/// fetched when it is queued, the stacks of a million who are woken cost a third of their wake-up.
const SOON: usize = 5;

/// One CPU.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    pub(super) phase: Phase,
    /// invariant: set unless the phase is `Idle`.
    pub(super) current: Option<Key>,
    /// CPU time until the slice ends.
    slice_left: Option<Span>,
    /// CPU time that the current process used since it was dispatched.
    ran: Span,
    /// Who used this CPU last for any time.
    last: Option<Pid>,
    busy: Span,
    overhead: Span,
}

impl Cpu {
    /// Leaves it idle, and tells what its process used.
    #[inline(always)]
    fn vacate(&mut self) -> Span {
        self.phase = Phase::Idle;
        self.current = None;
        self.ran
    }

    /// What passed of the burst under way: the time that it used, and its overhead.
    pub(super) fn under_way(&self, now: Tick) -> (Span, Span) {
        let Phase::Burst { started, overhead, .. } = self.phase else {
            return (Span::ZERO, Span::ZERO);
        };
        let elapsed = now - started;
        let used = elapsed - overhead;
        (used, elapsed - used)
    }
}

/// What a CPU is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Idle,
    /// Its process is about to go on, or its code runs right now.
    Code,
    /// Its process uses CPU time, after `overhead` for switch and migration.
    Burst { started: Tick, overhead: Span, timer: TimerKey },
    /// The slice of its process ended within a burst.
    SliceEnd,
}

impl Machine {
    /// The next process whose code runs at this instant. The CPUs that have one take turns in order;
    /// the idle ones pick when no code is left to run, so that they choose among all who are ready
    /// by then.
    #[inline(always)]
    pub(super) fn dispatch(&mut self) -> Option<Key> {
        // On a machine with one CPU that is what the round comes to.
        if self.is_plain
            && self.ready > 0
            && self.cpus[0].phase == Phase::Idle
            && self.woken.is_empty()
            && let Some((key, true)) = self.pick(0)
        {
            return Some(key);
        }
        self.dispatch_in_turn()
    }

    /// The process that gets a CPU so many turns after the next one, if that is known at no cost.
    #[inline(always)]
    pub(crate) fn ahead(&self, turns: u32) -> Option<Key> {
        self.policy.ahead(turns).map(|task| task.0 as Key)
    }

    #[inline(never)]
    fn dispatch_in_turn(&mut self) -> Option<Key> {
        loop {
            for _ in 0..self.cpus.len() {
                let cpu = self.cursor;
                self.cursor = if cpu + 1 == self.cpus.len() { 0 } else { cpu + 1 };
                if let Some(key) = self.turn(cpu) {
                    return Some(key);
                }
                if !self.victims.is_empty() {
                    return None;
                }
            }
            if !self.settle() {
                return None;
            }
        }
    }

    /// One CPU's turn: `None` if no code runs on it.
    fn turn(&mut self, cpu: usize) -> Option<Key> {
        loop {
            let key = match self.cpus[cpu].phase {
                Phase::Burst { .. } | Phase::Idle => return None,
                Phase::SliceEnd => {
                    let key = self.current(cpu);
                    self.leave_cpu(key, Stop::SliceEnd);
                    self.requeue(key, Reason::SliceEnd);
                    return None;
                }
                Phase::Code => self.current(cpu),
            };
            if let Entry::Run = self.enter(key) {
                return Some(key);
            }
            if !self.victims.is_empty() {
                return None;
            }
        }
    }

    fn current(&self, cpu: usize) -> Key {
        self.cpus[cpu].current.expect("invariant: a CPU that is not idle has a process")
    }

    /// Gives an idle CPU to the process that the policy picks, if it picks one. Returns that, and
    /// what [`Machine::place_on`] says of it.
    #[inline(always)]
    fn pick(&mut self, cpu: usize) -> Option<(Key, bool)> {
        let id = CpuId(cpu as u32);
        let Pick { task, slice } = self.policy.pick_next(id, self.now)?;
        self.ready -= 1;
        Some((task.0 as Key, self.place_on(task.0 as Key, id, slice)))
    }

    /// Gives an idle CPU to a process that was ready. Returns whether [`Machine::enter`] would do
    /// nothing for it but let it run.
    #[inline(always)]
    pub(super) fn place_on(&mut self, key: Key, id: CpuId, slice: Option<Span>) -> bool {
        self.counters.dispatches += 1;
        self.idle -= 1;
        let cpu = &mut self.cpus[id.0 as usize];
        cpu.phase = Phase::Code;
        cpu.current = Some(key);
        cpu.slice_left = slice;
        cpu.ran = Span::ZERO;
        let process = &mut self.table[key];
        assert!(process.state == State::Ready, "invariant: policies pick from the ready");
        process.account(self.now);
        process.state = State::Running(id);
        let runs = process.is_free() && process.task.burst.is_none() && process.has_answer();
        self.record(key, What::Dispatched);
        runs
    }

    pub(super) fn is_idle(&self, cpu: usize) -> bool {
        self.cpus[cpu].phase == Phase::Idle
    }

    /// Takes a running process off its CPU, with the account of what it used.
    #[inline(never)]
    pub(super) fn leave_cpu(&mut self, key: Key, stop: Stop) {
        let State::Running(id) = self.table[key].state else { return };
        self.break_burst(id);
        self.leave_code(key, id, stop);
    }

    /// The same, for a process whose code runs: no burst is under way.
    #[inline(always)]
    pub(super) fn leave_code(&mut self, key: Key, id: CpuId, stop: Stop) {
        let ran = self.cpus[id.0 as usize].vacate();
        self.idle += 1;
        self.policy.put_prev(&self.table[key].task, id, ran, stop, self.now);
    }

    /// Breaks the burst on a CPU off, so that its process goes on with something else.
    #[inline]
    pub(super) fn break_burst(&mut self, id: CpuId) {
        if let Phase::Burst { timer, .. } = self.cpus[id.0 as usize].phase {
            self.timers.cancel(timer);
            self.settle_burst(id.0 as usize);
        }
    }

    /// Accounts for what was served of the burst on a CPU, whose timer is no longer armed.
    #[inline(never)]
    fn settle_burst(&mut self, index: usize) {
        let cpu = &mut self.cpus[index];
        let (used, overhead) = cpu.under_way(self.now);
        cpu.phase = Phase::Code;
        cpu.busy += used;
        cpu.overhead += overhead;
        cpu.ran += used;
        if let Some(left) = &mut cpu.slice_left {
            *left -= used;
        }
        let key = cpu.current.expect("invariant: a CPU that is not idle has a process");
        let process = &mut self.table[key];
        process.cpu_time += used;
        process.overhead += overhead;
        if let Some(left) = &mut process.task.burst {
            *left -= used;
        }
        self.record(key, What::BurstEnded { ran: used });
    }

    /// Lets a running process use the CPU time that its record asks for, or put it back if its
    /// slice is used up.
    pub(super) fn start_burst(&mut self, key: Key) {
        let State::Running(id) = self.table[key].state else { return };
        let index = id.0 as usize;
        if self.cpus[index].slice_left.is_some_and(Span::is_zero) {
            self.leave_cpu(key, Stop::SliceEnd);
            self.record(key, What::SliceEnded);
            self.requeue(key, Reason::SliceEnd);
            return;
        }
        let overhead = self.switch_to(key, id);
        let cpu = &mut self.cpus[index];
        let left = self.table[key].task.burst.unwrap_or_default();
        let run = cpu.slice_left.map_or(left, |slice| slice.min(left));
        let timer = self.timers.arm(self.now + overhead + run, Class::Cpu, Alarm::Cpu(id));
        cpu.phase = Phase::Burst { started: self.now, overhead, timer };
        self.record(key, What::BurstStarted { span: left });
    }

    /// Counts a switch if another process used the CPU last, and says what it costs.
    fn switch_to(&mut self, key: Key, id: CpuId) -> Span {
        let process = &mut self.table[key];
        let pid = process.pid();
        let migrated = process.ran_on(id);
        let last = self.cpus[id.0 as usize].last.replace(pid);
        let mut cost = Span::ZERO;
        if let Some(from) = last.filter(|&last| last != pid) {
            cost += self.costs.switch;
            self.counters.switches += 1;
            self.record(key, What::Switched { from, cost });
        }
        if migrated {
            cost += self.costs.migration;
            self.counters.migrations += 1;
        }
        cost
    }

    /// The burst on a CPU was served, or its slice ended.
    pub(super) fn burst_timer(&mut self, id: CpuId) {
        let index = id.0 as usize;
        self.settle_burst(index);
        let key = self.current(index);
        let served = self.table[key].task.burst.is_none_or(Span::is_zero);
        if !served && self.now == Tick::MAX {
            // No time is left in which the rest could be served.
            self.table[key].task.burst = None;
        } else if !served {
            self.cpus[index].phase = Phase::SliceEnd;
            self.record(key, What::SliceEnded);
        }
    }

    /// Puts a process that can still run back into the policy's queue.
    #[inline(always)]
    pub(super) fn requeue(&mut self, key: Key, reason: Reason) {
        let process = &mut self.table[key];
        process.account(self.now);
        process.state = State::Ready;
        self.enqueue(key, reason);
    }

    #[inline(always)]
    pub(super) fn enqueue(&mut self, key: Key, reason: Reason) {
        if !self.is_active() {
            self.policy_timer();
        }
        self.ready += 1;
        if self.ready <= SOON {
            self.queued = Link::to(key);
        }
        self.policy.enqueue(&self.table[key].task, reason, self.now);
    }

    /// Takes a ready process out of the policy's queue.
    pub(super) fn dequeue(&mut self, key: Key) {
        self.ready -= 1;
        self.policy.dequeue(&self.table[key].task, self.now);
    }

    /// Whether a process is in the policy's queue.
    pub(super) fn is_queued(&self, key: Key) -> bool {
        let process = &self.table[key];
        process.state == State::Ready && !process.stopped
    }

    /// Whether a process is queued or runs.
    pub(super) fn is_active(&self) -> bool {
        self.ready > 0 || (self.idle as usize) < self.cpus.len()
    }

    /// Lets a process that became ready take a CPU from another, if the policy says so. While CPUs
    /// are idle that has to wait until they have picked.
    #[inline]
    pub(super) fn preempt_for(&mut self, woken: Key) {
        if !self.preempts {
            return;
        }
        if self.idle == 0 {
            self.ask_preempt(woken);
        } else {
            self.woken.push(woken);
        }
    }

    /// Lets the idle CPUs pick, lowest first, and then those who woke and were not picked preempt.
    /// Returns whether any CPU changed hands.
    fn settle(&mut self) -> bool {
        if self.explored.is_some() {
            return self.pick_by_oracle();
        }
        let dispatches = self.counters.dispatches;
        for cpu in 0..self.cpus.len() {
            if self.ready == 0 || self.idle == 0 {
                break;
            }
            if self.cpus[cpu].phase == Phase::Idle {
                let _ = self.pick(cpu);
            }
        }
        let mut changed = self.counters.dispatches != dispatches;
        if !self.woken.is_empty() {
            let preemptions = self.counters.preemptions;
            let mut woken = std::mem::take(&mut self.woken);
            for key in woken.drain(..) {
                if self.table.has(key) && self.is_queued(key) {
                    self.ask_preempt(key);
                }
            }
            self.woken = woken;
            changed |= self.counters.preemptions != preemptions;
        }
        changed
    }

    /// Asks the policy whether a queued process takes a CPU from another. Who lost its CPU may in
    /// turn take one that the first may not use.
    fn ask_preempt(&mut self, woken: Key) {
        let mut next = Some(woken);
        for _ in 0..self.cpus.len() {
            let Some(key) = next else { return };
            let running = self.running_for(key);
            let cpu = self.policy.wakeup_preempt(&self.table[key].task, &running, self.now);
            self.running = running;
            let restricted = !self.table[key].task.scheduling.cpus.is_all();
            let loser = cpu.and_then(|cpu| self.preempt(cpu));
            next = loser.filter(|_| restricted);
        }
    }

    /// The CPUs that `woken` may use and that are not idle, for the policy.
    fn running_for(&mut self, woken: Key) -> Vec<Running> {
        let mut running = std::mem::take(&mut self.running);
        running.clear();
        let woken = &self.table[woken].task;
        running.extend(self.all_running().filter(|running| woken.may_use(running.cpu)));
        running
    }

    fn all_running(&self) -> impl Iterator<Item = Running> {
        self.cpus.iter().zip(0..).filter_map(|(cpu, index)| {
            let (used, _) = cpu.under_way(self.now);
            let mut task = self.table[cpu.current?].task.clone();
            task.burst = task.burst.map(|left| left - used);
            Some(Running { cpu: CpuId(index), task, ran: cpu.ran + used })
        })
    }

    /// Takes a CPU from its process, which stays ready. Returns who that is.
    pub(super) fn preempt(&mut self, cpu: CpuId) -> Option<Key> {
        let key = self.cpus.get(cpu.0 as usize)?.current?;
        self.record(key, What::Preempted);
        self.leave_cpu(key, Stop::Preempted);
        self.counters.preemptions += 1;
        self.requeue(key, Reason::Preempted);
        Some(key)
    }

    /// Calls the policy's timer, if it is due.
    pub(super) fn policy_timer(&mut self) {
        if self.policy.next_timer().is_none_or(|at| at > self.now) {
            return;
        }
        let running: Vec<_> = self.all_running().collect();
        let preempted = self.policy.timer(&running, self.now);
        let next = self.policy.next_timer();
        assert!(
            next.is_none_or(|at| at > self.now),
            "policy {} wants a timer at {next:?}, which is not later than {}",
            self.policy.spec(),
            self.now
        );
        for cpu in preempted {
            self.preempt(cpu);
        }
    }

    /// `compute`.
    pub(super) fn compute(&mut self, key: Key, span: Span) -> Outcome {
        let process = &mut self.table[key];
        process.set_answer(Resume::Unit);
        if span.is_zero() {
            return Outcome::Enter;
        }
        process.task.burst = Some(span);
        let State::Running(cpu) = process.state else { return Outcome::Enter };
        if self.policy.burst_start(&self.table[key].task, cpu, self.now) == Burst::Requeue {
            self.leave_cpu(key, Stop::Burst);
            self.requeue(key, Reason::Burst);
        }
        Outcome::Enter
    }

    /// `yield_now`.
    #[inline(always)]
    pub(super) fn yield_now(&mut self, key: Key) -> Outcome {
        let process = &mut self.table[key];
        process.set_answer(Resume::Unit);
        let State::Running(cpu) = process.state else { return Outcome::Leave };
        process.account(self.now);
        process.state = State::Ready;
        self.leave_code(key, cpu, Stop::Yield);
        self.enqueue(key, Reason::Yield);
        Outcome::Leave
    }

    /// What each CPU's time went into, in order.
    pub(crate) fn cpu_times(&self) -> Vec<super::CpuReport> {
        let report = |cpu: &Cpu| {
            let (used, overhead) = cpu.under_way(self.now);
            super::CpuReport { busy: cpu.busy + used, overhead: cpu.overhead + overhead }
        };
        self.cpus.iter().map(report).collect()
    }

    /// The CPU time that a process has used by now, and the time that it was ready without a CPU.
    pub(super) fn times(&self, process: &Process) -> (Span, Span) {
        match process.state {
            State::Running(CpuId(cpu)) => {
                let (used, _) = self.cpus[cpu as usize].under_way(self.now);
                (process.cpu_time + used, process.wait_time)
            }
            State::Ready if !process.stopped => {
                (process.cpu_time, process.wait_time + (self.now - process.since))
            }
            _ => (process.cpu_time, process.wait_time),
        }
    }
}
