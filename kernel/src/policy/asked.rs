use std::rc::Rc;

use hothouse_abi::{Scheduling, Span};

use super::{CpuId, Task, TaskId, cut};

/// The CPUs and slices that queued tasks asked for, for policies whose queues hold task numbers
/// alone.
///
/// It costs nothing while no task asks for any.
///
/// ```
/// use hothouse_abi::{Pid, Span};
/// use hothouse_kernel::policy::{Asked, CpuId, Task, TaskId};
/// let mut asked = Asked::default();
/// asked.note(&Task::new(TaskId(0), Pid::new(1)));
/// assert!(asked.allows(TaskId(0), CpuId(5)));
/// assert_eq!(asked.slice(TaskId(0), Span::from_millis(4)), Span::from_millis(4));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Asked {
    tasks: Vec<Option<Rc<Scheduling>>>,
    /// Whether any task ever asked for something.
    any: bool,
}

impl Asked {
    /// Notes what a task asks for, as it is queued.
    #[inline]
    pub fn note(&mut self, task: &Task) {
        if self.any || !task.scheduling.cpus.is_all() || task.scheduling.slice.is_some() {
            self.note_asked(task);
        }
    }

    #[cold]
    fn note_asked(&mut self, task: &Task) {
        self.any = true;
        let index = task.id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, None);
        }
        self.tasks[index] = Some(task.scheduling.clone());
    }

    /// Whether no task ever asked for anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Gives back the memory for tasks with numbers from `tasks` on.
    pub fn trim(&mut self, tasks: usize) {
        cut(&mut self.tasks, tasks);
    }

    fn of(&self, id: TaskId) -> Option<&Scheduling> {
        self.tasks.get(id.0 as usize)?.as_deref()
    }

    /// Whether a queued task may use a CPU.
    #[inline]
    pub fn allows(&self, id: TaskId, cpu: CpuId) -> bool {
        !self.any || self.of(id).is_none_or(|asked| asked.cpus.contains(cpu.0))
    }

    /// The first of these tasks that may use a CPU.
    #[inline]
    pub fn first(&self, mut ids: impl Iterator<Item = TaskId>, cpu: CpuId) -> Option<TaskId> {
        ids.find(|&id| self.allows(id, cpu))
    }

    /// The slice of a queued task: its own, or this one.
    #[inline]
    pub fn slice(&self, id: TaskId, default: Span) -> Span {
        if !self.any {
            return default;
        }
        self.of(id).and_then(|asked| asked.slice).unwrap_or(default)
    }
}
