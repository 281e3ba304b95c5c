//! Logs of parallel machines in the Standard Workload Format.
//!
//! Header lines begin with `;`, of which `MaxProcs` sets the number of CPUs. Every other line is a
//! job of 18 numbers, -1 for what is not known. Read are 1 the job's number, 2 when it was submitted
//! and 4 how long it ran, in seconds, 5 or else 8 its processors, and 12 its user. A job runs for
//! the CPU time that it took; one on several processors is as many instances, which start together
//! and know nothing of each other. Jobs that never ran are left out, with a warning.
//!
//! Source: Chapin et al., "Benchmarks and standards for the evaluation of parallel job schedulers",
//! 1999.

use std::ops::Range;
use std::sync::Arc;

use hothouse_abi::Span;

use crate::report::Report;
use crate::{Diagnostics, Dist, Source, Step, Task, Workload};

const FIELDS: usize = 18;
const NUMBER: usize = 0;
const SUBMIT: usize = 1;
const RUN: usize = 3;
const PROCESSORS: usize = 4;
const REQUESTED: usize = 7;
const USER: usize = 11;

/// How many jobs are of a kind, and where the first is.
#[derive(Default)]
struct Count {
    jobs: usize,
    first: Range<usize>,
}

impl Count {
    fn add(&mut self, place: Range<usize>) {
        if self.jobs == 0 {
            self.first = place;
        }
        self.jobs += 1;
    }
}

/// Reads a log.
///
/// # Errors
///
/// Every line that is wrong.
pub(crate) fn read(source: &Arc<Source>) -> Result<Workload, Diagnostics> {
    let mut report = Report::new(source);
    let mut workload = Workload { name: source.name.clone(), ..Workload::default() };
    let (mut wide, mut unknown) = (Count::default(), Count::default());
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let place = start..start + line.trim_end().len();
        start += line.len();
        if let Some(header) = line.trim().strip_prefix(';') {
            if let Some(cpus) = header.trim().strip_prefix("MaxProcs:") {
                workload.machine.cpus = cpus.trim().parse().ok().filter(|&cpus| cpus > 0);
            }
        } else if !place.is_empty() {
            match job(&mut report, &source.text, &place) {
                Some(Some(task)) => {
                    if task.instances > 1 {
                        wide.add(place);
                    }
                    workload.tasks.push(task);
                }
                Some(None) => unknown.add(place),
                None => {}
            }
        }
    }
    if wide.jobs > 0 {
        let message = format!("{} jobs run on several processors, this one first", wide.jobs);
        let help = "each is simulated as so many instances that do not wait for each other";
        report.warning(&wide.first, message, help);
    }
    if unknown.jobs > 0 {
        let message = format!("{} jobs never ran, this one first", unknown.jobs);
        report.warning(&unknown.first, message, "their run time or submission is -1: left out");
    }
    if workload.tasks.is_empty() && unknown.jobs == 0 {
        let end = source.text.len();
        report.error(&(end..end), "there is no job", "expected lines of 18 numbers");
    }
    report.finish(workload)
}

/// The task of a line; inside, `None` if the job never ran; outside, if the line is wrong.
fn job(report: &mut Report, text: &str, line: &Range<usize>) -> Option<Option<Task>> {
    let mut start = line.start;
    let mut fields = Vec::new();
    for field in text[line.clone()].split_inclusive(char::is_whitespace) {
        let width = field.trim_end().len();
        if width > 0 {
            fields.push(start..start + width);
        }
        start += field.len();
    }
    if fields.len() != FIELDS {
        let message = format!("{} fields in place of {FIELDS}", fields.len());
        report.error(line, message, "expected 18 numbers, -1 for what is not known");
        return None;
    }
    for field in &fields {
        if text[field.clone()].parse::<f64>().is_err() {
            let message = format!("\"{}\" is no number", &text[field.clone()]);
            report.error(field, message, "expected a number, -1 for what is not known");
            return None;
        }
    }
    let mut whole = |index: usize| {
        let field = &fields[index];
        let number = text[field.clone()].parse::<i64>().ok().filter(|it| *it >= -1);
        if number.is_none() {
            let message = format!("\"{}\" in field {}", &text[field.clone()], index + 1);
            report.error(field, message, "expected a whole number, or -1");
        }
        number
    };
    let (number, submit, run) = (whole(NUMBER)?, whole(SUBMIT)?, whole(RUN)?);
    let (allocated, requested, user) = (whole(PROCESSORS)?, whole(REQUESTED)?, whole(USER)?);
    let (Ok(submit), Ok(run)) = (u64::try_from(submit), u64::try_from(run)) else {
        return Some(None);
    };
    let processors = if allocated > 0 { allocated } else { requested.max(1) };
    let Ok(instances) = u32::try_from(processors) else {
        let message = format!("{processors} processors are too many");
        report.error(&fields[PROCESSORS], message, "expected at most 4294967295");
        return None;
    };
    let name = if user < 0 { format!("job{number}") } else { format!("job{number}.user{user}") };
    let task = Task::once(name, vec![Step::Run(Dist::Const(Span::from_secs(run)))]);
    let start = Dist::Const(Span::from_secs(submit));
    Some(Some(Task { instances, start, place: report.place(line), ..task }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log(text: &str) -> Result<Workload, String> {
        read(&Source::new("t.swf", text)).map_err(|error| error.to_string())
    }

    /// A line of a job, with the fields that are not read left unknown.
    fn line(number: i64, submit: i64, run: i64, processors: i64, user: i64) -> String {
        format!(
            "{number} {submit} -1 {run} {processors} 1.5 -1 2 -1 -1 1 {user} -1 -1 -1 -1 -1 -1\n"
        )
    }

    #[test]
    fn jobs_headers_and_what_is_missing() {
        let lines = [line(1, 0, 10, 1, 3), line(2, 5, 20, 4, -1), line(3, 6, -1, 1, 3)];
        let text = format!("; Version: 2\n;  MaxProcs: 128\n\n{}", lines.concat());
        let found = log(&text).unwrap();
        assert_eq!(found.machine.cpus, Some(128));
        let names: Vec<_> = found.tasks.iter().map(|it| (it.name.as_str(), it.instances)).collect();
        assert_eq!(names, [("job1.user3", 1), ("job2", 4)]);
        assert_eq!(found.tasks[1].start, Dist::Const(Span::from_secs(5)));
        let run = Step::Run(Dist::Const(Span::from_secs(20)));
        assert_eq!(found.tasks[1].phases[0].steps, [run]);
        let odd: Vec<_> =
            found.warnings.iter().map(|it| (it.place().0, &it.message[..6])).collect();
        assert_eq!(odd, [(5, "1 jobs"), (6, "1 jobs")]);
        assert_eq!(log(&line(1, 0, 1, -1, 3)).unwrap().tasks[0].instances, 2);
    }

    #[test]
    fn wrong_lines_are_told_with_their_place() {
        assert!(log("; a\n1 2 3").unwrap_err().starts_with("t.swf:2:1: 3 fields in place of 18"));
        let text = line(1, 0, 10, 1, 3).replace("1.5", "x");
        assert!(log(&text).unwrap_err().starts_with("t.swf:1:13: \"x\" is no number"));
        let text = line(1, -7, 10, 1, 3);
        assert!(log(&text).unwrap_err().starts_with("t.swf:1:3: \"-7\" in field 2"));
        assert!(log("; only\n").unwrap_err().starts_with("t.swf:2:1: there is no job"));
    }

    proptest! {
        #[test]
        fn every_job_that_ran_is_a_task(jobs in proptest::collection::vec((0i64..9_999, -1i64..9_999, 1i64..99), 1..20)) {
            let text: String = (1..).zip(&jobs).map(|(n, &(at, run, width))| line(n, at, run, width, 1)).collect();
            let found = log(&text).unwrap();
            let ran: Vec<_> = jobs.iter().filter(|job| job.1 >= 0).collect();
            prop_assert_eq!(found.tasks.len(), ran.len());
            for (task, job) in found.tasks.iter().zip(ran) {
                prop_assert_eq!(i64::from(task.instances), job.2);
                prop_assert_eq!(task.start, Dist::Const(Span::from_secs(job.0.unsigned_abs())));
            }
        }
    }
}
