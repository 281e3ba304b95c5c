//! Lists of jobs.
//!
//! - One job a line, `name, arrival, burst[, priority]`: times with units, the priority as a nice
//!   level, `#` for comments, an optional line of titles.
//! - The list that the simulators of *Operating Systems: Three Easy Pieces* take with `-l`, alone in
//!   its file: `5,2,8` for lengths of jobs that arrive together, or `0,30,0:10,5,2` for start,
//!   length, and the run time between one input or output and the next (0: none), which takes 5
//!   units. One unit is a millisecond. A single job of the second form ends in a colon.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use hothouse_abi::{Scheduling, Span};

use crate::report::Report;
use crate::{Diagnostics, Dist, Phase, Source, Step, Task, Workload, duration};

const FORM: &str = "expected name, arrival, burst[, priority], such as cat, 0ms, 5ms";
/// How long an input or output takes in the lists of the book, in its units.
const IO: u64 = 5;

/// Reads a list of jobs.
///
/// # Errors
///
/// Every line that is wrong.
pub(crate) fn read(source: &Arc<Source>) -> Result<Workload, Diagnostics> {
    let mut report = Report::new(source);
    let lines: Vec<Range<usize>> = lines(&source.text);
    let mut workload = Workload { name: source.name.clone(), ..Workload::default() };
    match &lines[..] {
        [] => {
            let end = source.text.len();
            report.error(&(end..end), "there is no job", FORM);
        }
        [only] if is_book_list(&source.text[only.clone()]) => {
            workload.tasks = book_list(&mut report, &source.text, only);
        }
        [first, rest @ ..] => {
            let all = if is_title(&source.text[first.clone()]) { rest } else { &lines };
            let mut names = BTreeSet::new();
            for line in all {
                workload.tasks.extend(job(&mut report, &source.text, line, &mut names));
            }
        }
    }
    report.finish(workload)
}

/// The lines that hold something, without comments and outer blanks.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default();
        let lead = code.len() - code.trim_start().len();
        if !code.trim().is_empty() {
            found.push(start + lead..start + lead + code.trim().len());
        }
        start += line.len();
    }
    found
}

fn is_title(line: &str) -> bool {
    let titles: Vec<String> = line.split(',').map(|it| it.trim().to_lowercase()).collect();
    matches!(titles.len(), 3 | 4) && titles[..3] == ["name", "arrival", "burst"]
}

/// The parts of a range between separators, without outer blanks.
fn parts(text: &str, range: &Range<usize>, separator: char) -> Vec<Range<usize>> {
    let mut start = range.start;
    let mut found = Vec::new();
    for part in text[range.clone()].split(separator) {
        let lead = part.len() - part.trim_start().len();
        found.push(start + lead..start + lead + part.trim().len());
        start += part.len() + separator.len_utf8();
    }
    found
}

fn job<'a>(
    report: &mut Report,
    text: &'a str,
    line: &Range<usize>,
    names: &mut BTreeSet<&'a str>,
) -> Option<Task> {
    let fields = parts(text, line, ',');
    if !matches!(fields.len(), 3 | 4) {
        report.error(line, format!("{} fields in place of 3 or 4", fields.len()), FORM);
        return None;
    }
    let name = &text[fields[0].clone()];
    if name.is_empty() {
        report.error(&fields[0], "a job without a name", FORM);
    }
    if !names.insert(name) {
        report.error(
            &fields[0],
            format!("there are two jobs \"{name}\""),
            "give each its own name",
        );
    }
    let mut time = |field: &Range<usize>| match duration::parse(&text[field.clone()]) {
        Ok(span) => Some(span),
        Err(message) => {
            report.error(field, message, duration::REMEDY);
            None
        }
    };
    let (arrival, burst) = (time(&fields[1]), time(&fields[2]));
    let mut nice = 0;
    if let Some(field) = fields.get(3) {
        match text[field.clone()].parse::<i8>().ok().filter(|it| (-20..=19).contains(it)) {
            Some(priority) => nice = priority,
            None => {
                let message = format!("\"{}\" is no priority", &text[field.clone()]);
                report.error(field, message, "expected a nice level, -20 to 19, the lowest first");
            }
        }
    }
    let task = Task::once(name, vec![Step::Run(Dist::Const(burst?))]);
    let scheduling = Scheduling { nice, ..Scheduling::default() };
    let (start, place) = (Dist::Const(arrival?), report.place(line));
    Some(Task { start, scheduling, place, ..task })
}

/// Without a letter there is neither a name nor a unit.
fn is_book_list(line: &str) -> bool {
    let line = line.strip_prefix("-l").unwrap_or(line);
    line.chars().any(|c| c.is_ascii_digit())
        && line.chars().all(|c| c.is_ascii_digit() || c == ',' || c == ':' || c.is_whitespace())
}

/// A number of time units; up to a thousand million, which are eleven days.
fn units(report: &mut Report, text: &str, field: &Range<usize>) -> Option<u64> {
    let parsed = text[field.clone()].parse::<u64>().ok().filter(|&it| it <= 1_000_000_000);
    if parsed.is_none() {
        let message = format!("\"{}\" is no number of time units", &text[field.clone()]);
        report.error(field, message, "expected 0 to 1000000000, as in 5,2,8 or 0,30,0:10,5,2");
    }
    parsed
}

fn book_list(report: &mut Report, text: &str, line: &Range<usize>) -> Vec<Task> {
    let skipped = if text[line.clone()].starts_with("-l") { 2 } else { 0 };
    let list = line.start + skipped..line.end;
    let mut tasks = Vec::new();
    if !text[list.clone()].contains(':') {
        for (index, field) in parts(text, &list, ',').iter().enumerate() {
            let length = units(report, text, field);
            tasks.extend(length.map(|length| book_job(index, 0, length, 0)));
        }
        return tasks;
    }
    let mut jobs = parts(text, &list, ':');
    if jobs.last().is_some_and(Range::is_empty) {
        jobs.pop();
    }
    for (index, job) in jobs.iter().enumerate() {
        let fields = parts(text, job, ',');
        let [start, length, every] = &fields[..] else {
            let message = format!("{} numbers in place of 3", fields.len());
            report.error(job, message, "expected start,length,frequency, such as 0,30,0");
            continue;
        };
        let mut number = |field| units(report, text, field);
        if let (Some(start), Some(length), Some(every)) =
            (number(start), number(length), number(every))
        {
            tasks.push(book_job(index, start, length, every));
        }
    }
    tasks
}

/// A job that does an input or output after every `every` units but the last, unless that is 0.
fn book_job(index: usize, start: u64, length: u64, every: u64) -> Task {
    let run = |units| Step::Run(Dist::Const(Span::from_millis(units)));
    let stops = length.saturating_sub(1).checked_div(every).unwrap_or(0);
    let mut task = Task::once(format!("job{index}"), vec![run(length - stops * every)]);
    if stops > 0 {
        let sleep = Step::Sleep(Dist::Const(Span::from_millis(IO)));
        let steps = vec![run(every), sleep];
        let phase = Phase { name: "io".to_string(), rounds: stops, scheduling: None, steps };
        task.phases.insert(0, phase);
    }
    Task { start: Dist::Const(Span::from_millis(start)), ..task }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> Result<Vec<Task>, String> {
        let found = read(&Source::new("t.jobs", text)).map_err(|error| error.to_string())?;
        Ok(found.tasks)
    }

    /// Its start and all the CPU time and the sleep of its phases, in milliseconds.
    fn totals(task: &Task) -> (u64, u64, u64) {
        let millis = |dist: &Dist| match dist {
            Dist::Const(span) => span.nanos() / 1_000_000,
            other => panic!("{other:?}"),
        };
        let (mut run, mut sleep) = (0, 0);
        for phase in &task.phases {
            for step in &phase.steps {
                match step {
                    Step::Run(dist) => run += phase.rounds * millis(dist),
                    Step::Sleep(dist) => sleep += phase.rounds * millis(dist),
                    other => panic!("{other:?}"),
                }
            }
        }
        (millis(&task.start), run, sleep)
    }

    #[test]
    fn a_job_a_line() {
        let text =
            "# jobs\nname, arrival, burst, priority\n a , 0 , 5ms # first\n\nb,1.5ms,2s,-4\r\n";
        let found = list(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), totals(&found[0])), ("a", (0, 5, 0)));
        assert_eq!((found[1].scheduling.nice, totals(&found[1])), (-4, (1, 2_000, 0)));
    }

    #[test]
    fn wrong_lines_are_told_with_their_place() {
        let cases = [
            ("a, 0, 5", "t.jobs:1:7: the duration \"5\" has no unit"),
            ("a, x, 5ms", "t.jobs:1:4: \"x\" is no duration"),
            ("\n a, 0", "t.jobs:2:2: 2 fields in place of 3 or 4"),
            ("a, 0, 1s, 20", "t.jobs:1:11: \"20\" is no priority"),
            (", 0, 1s", "t.jobs:1:1: a job without a name"),
            ("a, 0, 1s\na, 0, 1s", "t.jobs:2:1: there are two jobs \"a\""),
            ("# none\n", "t.jobs:2:1: there is no job"),
            ("5,,8", "t.jobs:1:3: \"\" is no number of time units"),
            ("0,30:1,2,3", "t.jobs:1:1: 2 numbers in place of 3"),
        ];
        for (text, expected) in cases {
            let found = list(text).unwrap_err();
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }

    #[test]
    fn the_lists_of_the_book() {
        let lengths: Vec<_> = list("-l 5,2,8").unwrap().iter().map(totals).collect();
        assert_eq!(lengths, [(0, 5, 0), (0, 2, 0), (0, 8, 0)]);
        let found: Vec<_> = list("0,30,0:10,5,2:3,4,1").unwrap().iter().map(totals).collect();
        assert_eq!(found, [(0, 30, 0), (10, 5, 10), (3, 4, 15)]);
        assert_eq!(list("0,30,0:").unwrap().len(), 1);
        assert_eq!(list("0,30,0").unwrap().len(), 3);
    }

    proptest! {
        #[test]
        fn stops_for_io_take_no_cpu_time_away(length in 0u64..1_000, every in 0u64..50) {
            let (_, run, sleep) = totals(&book_job(0, 0, length, every));
            prop_assert_eq!(run, length);
            let stops = (1..length).filter(|at| every > 0 && at % every == 0).count() as u64;
            prop_assert_eq!(sleep, stops * IO);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-l0-9a,:#. \n\u{e9}]{0,40}") {
            let _ = list(&text);
        }
    }
}
