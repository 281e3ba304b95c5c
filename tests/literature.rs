//! Scheduling results of the literature, reproduced with exact numbers by ordinary programs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hothouse::trace::{Record, What};
use hothouse::{
    CpuSet, Kernel, LockId, LockKind, Pid, Scheduling, Span, Stream, StreamKind, Sys, Tick, Until,
    program,
};

const MS: Span = Span::from_millis(1);

/// What became of one job, all times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Job {
    release: u64,
    deadline: u64,
    first_run: Option<u64>,
    done: Option<u64>,
}

impl Job {
    fn response(&self) -> u64 {
        self.done.expect("it was done") - self.release
    }

    /// Whether its deadline came before its end, in a run that ended at `end`.
    fn missed(&self, end: u64) -> bool {
        self.done.map_or(self.deadline <= end, |done| done > self.deadline)
    }
}

/// The jobs of each process, by pid; a process that began none is one.
type Jobs = BTreeMap<u64, Vec<Job>>;

#[derive(Default)]
struct Meter {
    jobs: Jobs,
    started: BTreeMap<u64, Tick>,
}

fn ms(tick: Tick) -> u64 {
    tick.nanos() / MS.nanos()
}

impl Meter {
    fn record(&mut self, record: &Record<'_>) {
        let pid = record.pid.number();
        let jobs = self.jobs.entry(pid).or_default();
        let now = ms(record.time);
        match record.what {
            What::Spawned { .. } => jobs.push(Job { release: now, ..Job::default() }),
            What::JobReleased { release, deadline } => {
                if jobs.last().is_some_and(|job| job.first_run.is_none()) {
                    jobs.pop();
                }
                let (release, deadline) = (ms(release), ms(deadline));
                jobs.push(Job { release, deadline, ..Job::default() });
            }
            What::BurstStarted { .. } => _ = self.started.insert(pid, record.time),
            What::BurstEnded { ran } if !ran.is_zero() => {
                let started = ms(self.started[&pid]);
                jobs.last_mut().expect("it was spawned").first_run.get_or_insert(started);
            }
            What::JobDone | What::Exited { .. } => {
                if let Some(job) = jobs.last_mut() {
                    job.done.get_or_insert(now);
                }
            }
            _ => {}
        }
    }
}

fn made(spec: &str) -> Box<dyn hothouse::policy::Policy> {
    let stream = Stream::derive(1, StreamKind::Policy, 0);
    hothouse::policy::policy(spec, stream).expect("there is such a policy")
}

/// Runs twice, compares the traces, and tells what became of the jobs.
fn run(policy: &str, cpus: u32, until: Until, set_up: impl Fn(&mut Kernel)) -> Jobs {
    let limit = match until {
        Until::Time(limit) => Some(limit),
        _ => None,
    };
    let once = || {
        let meter = Rc::new(RefCell::new(Meter::default()));
        let seen = meter.clone();
        let listener = move |record: &Record<'_>| seen.borrow_mut().record(record);
        let builder = Kernel::builder().policy(made(policy));
        let mut kernel = builder.cpus(cpus).hash(true).listener(listener).build().unwrap();
        set_up(&mut kernel);
        kernel.run_until(limit.map_or(Until::Idle, Until::Time));
        let hash = kernel.report().hash;
        let jobs = meter.borrow().jobs.clone();
        (jobs, hash)
    };
    let (first, again) = (once(), once());
    assert_eq!(first, again, "two runs under {policy} differ");
    first.0
}

fn compute(sys: &Sys, length: u64) {
    sys.compute(Duration::from_millis(length)).expect("it is not dying");
}

/// Mean first-run latency, turnaround and waiting time of jobs that all come at 0.
fn batch(policy: &str, lengths: &[u64]) -> (Vec<u64>, Vec<u64>, [f64; 3]) {
    let jobs = run(policy, 1, Until::Idle, |kernel| {
        for &length in lengths {
            let main = program(move |sys| compute(sys, length));
            kernel.spawn("job", main).expect("there is room");
        }
    });
    let jobs: Vec<Job> = jobs.into_values().map(|jobs| jobs[0].clone()).collect();
    let first: Vec<u64> = jobs.iter().map(|job| job.first_run.unwrap()).collect();
    let turnaround: Vec<u64> = jobs.iter().map(Job::response).collect();
    let count = lengths.len() as f64;
    let mean = |values: &[u64]| values.iter().sum::<u64>() as f64 / count;
    let waiting = mean(&turnaround) - mean(lengths);
    let means = [mean(&first), mean(&turnaround), waiting];
    (first, turnaround, means)
}

#[test]
fn jobs_5_2_8_at_once() {
    assert_eq!(batch("fifo", &[5, 2, 8]).2, [4.0, 9.0, 4.0]);
    assert_eq!(batch("sjf", &[5, 2, 8]).2, [3.0, 8.0, 3.0]);
    assert_eq!(batch("srtf", &[5, 2, 8]).2, [3.0, 8.0, 3.0]);
    let [first, turnaround, waiting] = batch("rr:slice=1ms", &[5, 2, 8]).2;
    assert_eq!((first, (turnaround * 3.0).round()), (1.0, 31.0));
    assert_eq!((waiting * 3.0).round(), 16.0);
}

#[test]
fn round_robin_with_slice_2_on_5_10_15() {
    let (first, turnaround, _) = batch("rr:slice=2ms", &[5, 10, 15]);
    assert_eq!((first, turnaround), (vec![0, 2, 4], vec![13, 23, 30]));
}

/// Starts periodic tasks (period, cost), in milliseconds, all released at 0.
fn periodic(kernel: &mut Kernel, tasks: &[(u64, u64)]) {
    for &(period, cost) in tasks {
        let main = program(move |sys: &Sys| {
            for round in 0.. {
                sys.begin_job(Tick::from_nanos(round * period * MS.nanos()), None)?;
                compute(sys, cost);
            }
            Ok::<(), hothouse::Errno>(())
        });
        let scheduling = Scheduling {
            runtime: Some(Span::from_millis(cost)),
            period: Some(Span::from_millis(period)),
            ..Scheduling::default()
        };
        kernel.spawn("periodic", main.scheduled(scheduling)).expect("there is room");
    }
}

/// The worst response of each task, and when the first deadline was missed.
fn real_time(policy: &str, cpus: u32, tasks: &[(u64, u64)], end: u64) -> (Vec<u64>, Option<u64>) {
    let until = Tick::from_nanos(end * MS.nanos());
    let jobs = run(policy, cpus, Until::Time(until), |kernel| periodic(kernel, tasks));
    let responses = jobs.values().map(|jobs| {
        jobs.iter().filter(|job| job.done.is_some()).map(Job::response).max().unwrap_or(0)
    });
    let missed = jobs.values().flatten().filter(|job| job.missed(end)).map(|job| job.deadline);
    (responses.collect(), missed.min())
}

#[test]
fn three_periodic_tasks_meet_their_deadlines() {
    let tasks = [(7, 3), (12, 3), (20, 5)];
    assert_eq!(real_time("rm", 1, &tasks, 420), (vec![3, 6, 20], None));
    assert_eq!(real_time("edf", 1, &tasks, 420).1, None);
}

#[test]
fn rate_monotonic_misses_where_edf_does_not() {
    let tasks = [(5, 2), (7, 4)];
    assert_eq!(real_time("rm", 1, &tasks, 35).1, Some(7));
    assert_eq!(real_time("edf", 1, &tasks, 70).1, None);
}

/// The least common multiple of the periods.
fn hyperperiod(tasks: &[(u64, u64)]) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    tasks.iter().fold(1, |lcm, &(period, _)| lcm / gcd(lcm, period) * period)
}

#[test]
fn edf_misses_nothing_on_one_cpu_exactly_when_the_utilisation_is_at_most_1() {
    let mut seen = [0, 0];
    for first in 1..=4 {
        for second in 1..=6 {
            for third in 1..=4 {
                let tasks = [(4, first), (6, second), (12, third)];
                let span = hyperperiod(&tasks);
                let demand: u64 = tasks.iter().map(|&(period, cost)| span / period * cost).sum();
                let missed = real_time("edf", 1, &tasks, span).1.is_some();
                assert_eq!(missed, demand > span, "{tasks:?}");
                seen[usize::from(missed)] += 1;
            }
        }
    }
    assert!(seen[0] > 10 && seen[1] > 10, "both sides are tried: {seen:?}");
}

/// Dhall and Liu 1978: m tasks of little utilisation and one of nearly 1 overload global EDF and
/// rate monotonic on m CPUs, however small the total is.
#[test]
fn dhalls_effect() {
    for cpus in [2, 4] {
        let mut tasks = vec![(100, 2); cpus];
        tasks.push((101, 100));
        for policy in ["edf", "rm"] {
            let missed = real_time(policy, cpus as u32, &tasks, 101).1;
            assert_eq!(missed, Some(101), "{policy} on {cpus} CPUs");
            let missed = real_time(&format!("p-{policy}"), cpus as u32, &tasks, 10_100).1;
            assert_eq!(missed, None, "p-{policy} on {cpus} CPUs");
        }
    }
}

/// The makespan of Graham's nine tasks as processes: each waits for those before it, computes, and
/// tells those after it, by a semaphore for each edge. The place in the list is the nice level.
fn graham(cpus: u32, times: [u64; 9], edges: &[(usize, usize)]) -> u64 {
    let jobs = run("prio:preempt=false", cpus, Until::Idle, |kernel| {
        let edges = edges.to_vec();
        let main = program(move |sys: &Sys| {
            let locks: Vec<(usize, usize, LockId)> = edges
                .iter()
                .map(|&(from, to)| {
                    let lock = sys.create_lock(LockKind::Semaphore(0)).expect("there is room");
                    (from, to, lock)
                })
                .collect();
            for (index, time) in times.into_iter().enumerate() {
                let locks = locks.clone();
                let task = move |sys: &Sys| {
                    let before = locks.iter().filter(|(_, to, _)| *to == index);
                    before.for_each(|(.., lock)| sys.acquire(*lock, None).expect("it comes"));
                    compute(sys, time);
                    let after = locks.iter().filter(|(from, ..)| *from == index);
                    after.for_each(|(.., lock)| sys.release(*lock, 1).expect("it is there"));
                };
                let scheduling = Scheduling { nice: index as i8, ..Scheduling::default() };
                let task = program(task).scheduled(scheduling);
                sys.spawn_program(format!("T{}", index + 1), task).expect("there is room");
            }
            (0..times.len()).for_each(|_| _ = sys.wait(None, None).expect("it ends"));
        });
        kernel.spawn("init", main).expect("there is room");
    });
    jobs.values().flatten().filter_map(|job| job.done).max().unwrap()
}

/// Graham 1969, "Bounds on multiprocessing timing anomalies".
#[test]
fn grahams_anomaly() {
    let times = [3, 2, 2, 2, 4, 4, 4, 4, 9];
    let edges = [(0, 8), (3, 4), (3, 5), (3, 6), (3, 7)];
    assert_eq!(graham(3, times, &edges), 12);
    assert_eq!(graham(4, times, &edges), 15, "one more CPU");
    assert_eq!(graham(3, times.map(|time| time - 1), &edges), 13, "every time one less");
    assert_eq!(graham(3, times, &[(0, 8), (3, 6), (3, 7)]), 16, "two constraints less");
}

/// A process uses only CPUs that it may use, whatever the policy, and moves when they change.
#[test]
fn affinity_holds_under_every_policy() {
    for (policy, ..) in hothouse::policy::POLICIES {
        let used = Rc::new(RefCell::new(BTreeMap::<u64, Vec<u32>>::new()));
        let seen = used.clone();
        let listener = move |record: &Record<'_>| {
            if let (What::BurstStarted { .. }, Some(cpu)) = (record.what, record.cpu) {
                seen.borrow_mut().entry(record.pid.number()).or_default().push(cpu.0);
            }
        };
        let builder = Kernel::builder().policy(made(policy));
        let mut kernel = builder.cpus(3).listener(listener).build().unwrap();
        for allowed in [[0, 0], [1, 1], [1, 2], [2, 2]] {
            let main = program(|sys: &Sys| {
                for _ in 0..5 {
                    compute(sys, 3);
                    sys.sleep(Duration::from_millis(1)).expect("nobody interrupts");
                }
                let cpus: CpuSet = [0].into_iter().collect();
                sys.sched_setattr(None, Scheduling { cpus, ..Scheduling::default() }).unwrap();
                assert_eq!(sys.sched_getattr(None).unwrap().cpus.to_string(), "0");
                compute(sys, 7);
            });
            let cpus: CpuSet = allowed.into_iter().collect();
            let main = main.scheduled(Scheduling { cpus, ..Scheduling::default() });
            kernel.spawn("bound", main).expect("there is room");
        }
        kernel.run_until(Until::Idle);
        assert_eq!(kernel.processes(), [], "all ended under {policy}");
        for (pid, allowed) in [(1, 0..1), (2, 1..2), (3, 1..3), (4, 2..3)] {
            let used = &used.borrow()[&pid];
            let moved = used.iter().position(|cpu| !allowed.contains(cpu)).unwrap_or(used.len());
            assert!(used[moved..].iter().all(|&cpu| cpu == 0), "{policy}: {pid} used {used:?}");
            assert!(moved >= 5, "{policy}: {pid} used {used:?}");
        }
        assert_eq!(kernel.process(Pid::new(1)), None);
    }
}

/// The CPU time of tasks that want all of it, at these nice levels, in milliseconds.
fn shares(policy: &str, nices: &[i8], seconds: u64) -> Vec<f64> {
    let mut kernel = Kernel::builder().policy(made(policy)).build().unwrap();
    for &nice in nices {
        let main = program(move |sys: &Sys| compute(sys, 1_000_000));
        let scheduling = Scheduling { nice, ..Scheduling::default() };
        kernel.spawn("busy", main.scheduled(scheduling)).expect("there is room");
    }
    kernel.run_until(Until::Time(Tick::ZERO + Span::from_secs(seconds)));
    let times = kernel.processes().into_iter().map(|info| info.cpu_time);
    times.map(|time| time.nanos() as f64 / MS.nanos() as f64).collect()
}

/// The figures of 4.4BSD's feedback queue at 100 ticks a second. Which of two tasks of one level is
/// picked first differs among implementations, and with it a slice of four ticks now and then: the
/// tolerance is 12 ticks of 3,000.
#[test]
fn the_feedback_queue_of_4_4bsd_in_30_seconds() {
    for ticks in
        [vec![1500, 1500], vec![1904, 1096], vec![672, 588, 492, 408, 316, 232, 152, 92, 40, 8]]
    {
        let nices: Vec<i8> = match ticks[..] {
            [1904, 1096] => vec![0, 5],
            [_, _] => vec![0, 0],
            _ => (0..10).collect(),
        };
        let seen: Vec<f64> = shares("bsdmlfq", &nices, 30).iter().map(|ms| ms / 10.0).collect();
        assert!((seen.iter().sum::<f64>() - 3000.0).abs() < 1e-6, "no tick is lost: {seen:?}");
        for (seen, expected) in seen.iter().zip(&ticks) {
            assert!((seen - f64::from(*expected)).abs() <= 12.0, "{seen} ticks, not {expected}");
        }
    }
}

/// Waldspurger and Weihl 1995: between any two tasks the error stays under one slice.
#[test]
fn stride_shares_by_tickets_to_within_a_slice() {
    let seen = shares("stride", &[0, 5], 60);
    let expected = 60_000.0 * 1024.0 / (1024.0 + 335.0);
    assert!((seen[0] - expected).abs() < 10.0, "{seen:?}, not {expected}");
}

/// Waldspurger and Weihl 1994: n dispatches give np of them, with a variance of np(1 - p); here the
/// seed is fixed, and the bound four standard deviations.
#[test]
fn lottery_shares_by_tickets_in_the_long_run() {
    let seen = shares("lottery", &[0, 5], 600);
    let (n, p) = (60_000.0, 1024.0 / (1024.0 + 335.0));
    let won = seen[0] / 10.0;
    assert!((won - n * p).abs() < 4.0 * f64::sqrt(n * p * (1.0 - p)), "{won} of {n}");
}

/// Linux: nice 0 against nice 5 is 1024 against 335 in weight, 75.35 % against 24.65 %.
#[test]
fn the_fair_policies_share_by_weight() {
    for policy in ["cfs", "eevdf"] {
        let seen = shares(policy, &[0, 5], 60);
        let percent = seen[0] / 600.0;
        assert!((percent - 75.35).abs() < 0.02, "{policy}: {percent} %");
        assert!((seen[0] + seen[1] - 60_000.0).abs() < 1e-6, "{policy}: {seen:?}");
    }
}
