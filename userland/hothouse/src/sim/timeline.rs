//! Who used which CPU when, and a picture of it in text.

use hothouse_abi::Tick;
use hothouse_kernel::policy::CpuId;

/// How many segments are kept; later ones are not shown.
const SEGMENTS: usize = 100_000;

/// The letters that stand for tasks, in order.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// From when to when a task used a CPU without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The CPU.
    pub cpu: u32,
    /// The number of the task in the workload.
    pub task: usize,
    /// From when.
    pub from: Tick,
    /// To when.
    pub to: Tick,
}

/// Who used which CPU when, for the first 100,000 segments of a run.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    cpus: u32,
    segments: Vec<Segment>,
    /// The last segment of each CPU.
    last: Vec<Option<usize>>,
    /// Until when all segments are kept.
    complete_until: Option<Tick>,
}

impl Timeline {
    pub(super) fn new(cpus: u32) -> Timeline {
        let last = vec![None; cpus as usize];
        Timeline { cpus, segments: Vec::new(), last, complete_until: None }
    }

    pub(super) fn add(&mut self, cpu: CpuId, task: usize, from: Tick, to: Tick) {
        if self.complete_until.is_some() {
            return;
        }
        let last = &mut self.last[cpu.0 as usize];
        if let Some(segment) = last.map(|last| &mut self.segments[last])
            && segment.task == task
            && segment.to == from
        {
            segment.to = to;
            return;
        }
        if self.segments.len() == SEGMENTS {
            self.complete_until = Some(from);
            return;
        }
        *last = Some(self.segments.len());
        self.segments.push(Segment { cpu: cpu.0, task, from, to });
    }

    /// The segments, in the order in which they began on their CPU.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// A picture: a row for each CPU, a column for each part of the time until `end`, in which the
    /// letter of the task stands that used the CPU longest in it. A dot: nobody did. Lines are at
    /// most `width` columns, and never fewer than 40. `names` are those of the tasks, in order.
    ///
    /// ```
    /// # use hothouse::sim::{Simulation, Task, Step, Dist, Workload};
    /// # use hothouse::Span;
    /// # let run = |ms| vec![Step::Run(Dist::Const(Span::from_millis(ms)))];
    /// let tasks = vec![Task::once("long", run(30)), Task::once("short", run(10))];
    /// let workload = Workload { tasks, ..Workload::default() };
    /// let run = Simulation::new(workload).policy("rr:slice=10ms").run()?;
    /// let picture = run.timeline.draw(&["long", "short"], run.end, 50);
    /// assert!(picture.starts_with("cpu 0 |AAAAAAAAAABBBBBBBBBBAAAAAAAAAAAAAAAAAAAA|"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn draw(&self, names: &[&str], end: Tick, width: usize) -> String {
        let shown = self.complete_until.map_or(end, |until| until.min(end));
        let label = format!("cpu {}", self.cpus.saturating_sub(1)).len();
        let room = width.max(40).saturating_sub(label + 3) as u64;
        let Some((step, columns)) = scale(shown.nanos(), room) else {
            return String::new();
        };
        let mut text = String::new();
        for (cpu, row) in self.rows(step, columns).iter().enumerate() {
            let name = format!("cpu {cpu}");
            let letters: String = row.iter().map(|task| task.map_or('.', letter)).collect();
            text.push_str(&format!("{name:<label$} |{letters}|\n"));
        }
        let to = format_nanos(step * columns);
        let column = format_nanos(step);
        let axis = format!("0, a column is {column}");
        let gap = (columns as usize).saturating_sub(axis.len());
        text.push_str(&format!("{:label$}  {axis}{to:>gap$}\n", ""));
        if shown < end {
            text.push_str(&format!("{:label$}  of {}\n", "", format_nanos(end.nanos())));
        }
        text.push_str(&self.legend(names, shown, width));
        text
    }

    /// Who used each CPU longest in each column.
    fn rows(&self, step: u64, columns: u64) -> Vec<Vec<Option<usize>>> {
        let tasks = self.segments.iter().map(|segment| segment.task + 1).max().unwrap_or(0);
        let mut rows = Vec::new();
        for cpu in 0..self.cpus {
            let mut row = vec![None; columns as usize];
            let mut used = vec![0; tasks];
            let mut column = 0;
            let mut best = 0;
            for segment in self.segments.iter().filter(|segment| segment.cpu == cpu) {
                let mut from = segment.from.nanos();
                while from < segment.to.nanos() && from / step < columns {
                    if from / step != column {
                        used.fill(0);
                        (column, best) = (from / step, 0);
                    }
                    let to = segment.to.nanos().min((column + 1) * step);
                    used[segment.task] += to - from;
                    if used[segment.task] > best {
                        best = used[segment.task];
                        row[column as usize] = Some(segment.task);
                    }
                    from = to;
                }
            }
            rows.push(row);
        }
        rows
    }

    /// Which letter stands for which task, of those that are seen.
    fn legend(&self, names: &[&str], until: Tick, width: usize) -> String {
        let mut seen: Vec<usize> = self
            .segments
            .iter()
            .filter(|segment| segment.from < until)
            .map(|segment| segment.task)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        let mut text = String::new();
        let mut line = String::new();
        for task in seen.iter().take(LETTERS.len()) {
            let entry = format!("{} {}  ", letter(*task), names.get(*task).unwrap_or(&"?"));
            if !line.is_empty() && line.len() + entry.len() > width {
                text.push_str(&format!("{}\n", line.trim_end()));
                line.clear();
            }
            line.push_str(&entry);
        }
        if seen.len() > LETTERS.len() {
            line.push_str(&format!("and {} more, as *", seen.len() - LETTERS.len()));
        }
        text.push_str(&format!("{}\n", line.trim_end()));
        text
    }
}

fn letter(task: usize) -> char {
    LETTERS.chars().nth(task).unwrap_or('*')
}

/// The first digits of how much time a column may stand for.
const ROUND: [u64; 10] = [10, 12, 15, 20, 25, 30, 40, 50, 60, 80];

/// How much time a column stands for, and how many columns there are: the least round step with which
/// all fits.
fn scale(end: u64, room: u64) -> Option<(u64, u64)> {
    if end == 0 {
        return None;
    }
    let small = [1, 2, 3, 4, 5, 6, 8].into_iter();
    let large =
        (0..18).flat_map(|power| ROUND.map(|digits| digits.saturating_mul(10u64.pow(power))));
    let steps = small.chain(large);
    let fits = |step: &u64| end.div_ceil(*step) <= room;
    let step = steps.into_iter().find(fits)?;
    Some((step, end.div_ceil(step)))
}

/// A time in the unit that fits, to three digits after the point.
///
/// ```
/// assert_eq!(hothouse::sim::format_nanos(12_500_000), "12.5ms");
/// ```
pub fn format_nanos(nanos: u64) -> String {
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
    let Some((unit, size)) = units.into_iter().find(|(_, size)| nanos >= *size) else {
        return if nanos == 0 { "0".to_owned() } else { format!("{nanos}ns") };
    };
    let text = format!("{:.3}", nanos as f64 / size as f64);
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Tick {
        Tick::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_column_shows_who_used_it_longest() {
        let mut timeline = Timeline::new(2);
        timeline.add(CpuId(0), 0, at(0), at(70));
        timeline.add(CpuId(1), 1, at(10), at(14));
        timeline.add(CpuId(0), 0, at(70), at(71));
        timeline.add(CpuId(0), 2, at(73), at(80));
        assert_eq!(timeline.segments().len(), 3);
        let picture = timeline.draw(&["first", "second", "third"], at(80), 48);
        let rows: Vec<&str> = picture.lines().collect();
        assert_eq!(rows[0], format!("cpu 0 |{}CCCC|", "A".repeat(36)));
        assert_eq!(rows[1], format!("cpu 1 |.....BB{}|", ".".repeat(33)));
        assert_eq!(rows[2], format!("       0, a column is 2ms{:>22}", "80ms"));
        assert_eq!(rows[3], "A first  B second  C third");
    }

    #[test]
    fn what_is_not_kept_is_not_shown() {
        let mut timeline = Timeline::new(1);
        for index in 0..SEGMENTS as u64 + 10 {
            timeline.add(CpuId(0), (index % 2) as usize, at(index), at(index + 1));
        }
        let picture = timeline.draw(&["a", "b"], at(SEGMENTS as u64 + 10), 80);
        assert!(picture.contains("\n       of 100.01s\n"), "{picture}");
        assert!(Timeline::new(1).draw(&[], Tick::ZERO, 80).is_empty());
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        let cases = [(0, "0"), (999, "999ns"), (1_500, "1.5us"), (20_000_000, "20ms")];
        for (nanos, text) in cases {
            assert_eq!(format_nanos(nanos), text);
        }
        assert_eq!(format_nanos(86_400_000_000_000), "86400s");
    }
}
