//! What a workload holds, and what of it can't be.

use hothouse_abi::Span;

use crate::plan::Plan;
use crate::{Task, Workload, exact_duration};

/// The locks of a workload, by the names that its steps use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Mutexes.
    pub mutexes: Vec<String>,
    /// Conditions.
    pub conditions: Vec<String>,
    /// Semaphores.
    pub semaphores: Vec<String>,
    /// Barriers, each with the number of processes that it waits for.
    pub barriers: Vec<(String, u64)>,
}

impl Workload {
    /// The locks that its steps use; none if a step names a task that there is not.
    ///
    /// ```
    /// use hothouse_workload::{Step, Task, Workload};
    /// let meet = |name: &str| Task::once(name, vec![Step::Barrier("start".into())]);
    /// let workload = Workload { tasks: vec![meet("a"), meet("b")], ..Workload::default() };
    /// assert_eq!(workload.locks().barriers, [("start".to_string(), 2)]);
    /// ```
    pub fn locks(&self) -> Locks {
        let Ok(plan) = Plan::new(self) else { return Locks::default() };
        Locks {
            mutexes: plan.mutexes.0,
            conditions: plan.conditions.0,
            semaphores: plan.semaphores.0,
            barriers: plan.barriers.0.into_iter().zip(plan.parties).collect(),
        }
    }

    /// How many CPUs the work keeps busy that comes whether or not there is room for it.
    pub fn load(&self) -> f64 {
        let demands = self.tasks.iter().map(Task::demand).filter(|demand| demand.open);
        demands.filter_map(|demand| demand.utilisation).fold(0.0, |sum, part| sum + part)
    }

    /// What can't work out on so many CPUs, each thing with its place: tasks that need more CPU time
    /// than passes, CPUs that are not there.
    ///
    /// ```
    /// let text = r#"
    ///     [[task]]
    ///     name = "control"
    ///     rounds = "forever"
    ///     script = [{ run = "12ms" }, { period = "10ms" }]
    /// "#;
    /// let workload = hothouse_workload::read("control.toml", text).unwrap();
    /// let problem = &workload.problems(2)[0];
    /// assert!(problem.contains("needs 12ms of CPU time in each 10ms"), "{problem}");
    /// ```
    pub fn problems(&self, cpus: u32) -> Vec<String> {
        let mut problems = Vec::new();
        for task in &self.tasks {
            problems.extend(overrun(task));
            problems.extend(missing_cpus(task, cpus));
        }
        let load = self.load();
        if load > f64::from(cpus) * (1.0 + 1e-9) {
            problems.push(format!(
                "the tasks need {load:.3} CPUs by the times at which their work comes, and there {}: \
                 work piles up under every policy",
                if cpus == 1 { "is 1".to_owned() } else { format!("are {cpus}") }
            ));
        }
        problems
    }
}

fn overrun(task: &Task) -> Option<String> {
    let (phase, least, length) = task.overrun()?;
    let of = if task.phases.len() == 1 {
        format!("task \"{}\"", task.name)
    } else {
        format!("phase \"{}\" of task \"{}\"", phase.name, task.name)
    };
    let (least, length): (Span, Span) = (least, length);
    let (least, length) = (exact_duration(least), exact_duration(length));
    Some(task.place.tell(format!(
        "{of} needs {least} of CPU time in each {length}: it is late under every policy"
    )))
}

/// Some CPUs of an affinity are there and some are not; none at all is an error elsewhere.
fn missing_cpus(task: &Task, cpus: u32) -> Option<String> {
    let later = task.phases.iter().filter_map(|phase| phase.scheduling.as_ref());
    let wanted = std::iter::once(&task.scheduling).chain(later);
    let missing =
        wanted.filter_map(|wanted| wanted.cpus.cpus()?.find(|cpu| *cpu >= cpus)).next()?;
    Some(
        task.place
            .tell(format!("task \"{}\" may use CPU {missing}, which is not there", task.name)),
    )
}

#[cfg(test)]
mod tests {
    use crate::read;

    #[test]
    fn what_can_not_be_is_told_with_its_place() {
        let text = "[[task]]\nname = \"a\"\nrounds = \"forever\"\ncpus = [0, 3]\n\
                    script = [{ run = \"6ms\" }, { period = \"10ms\" }]\n";
        let workload = read("t.toml", text).unwrap();
        assert!(workload.problems(4).is_empty());
        let found = workload.problems(2);
        assert_eq!(
            found,
            [
                "t.toml:2:8: task \"a\" may use CPU 3, which is not there\n  | name = \"a\"\n  |        ^^^"
            ]
        );
        let twice = format!("{text}count = 2\n");
        let found = read("t.toml", &twice).unwrap().problems(1);
        assert!(found[1].starts_with("the tasks need 1.200 CPUs"), "{found:?}");
        assert!(found[1].contains("there is 1:"), "{found:?}");
    }
}
