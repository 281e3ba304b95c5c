//! Texts that are read: workloads, policies, durations, event data. Whatever they say, a reader
//! answers with a value or with an error that names the place.

use hothouse::faults::Faults;
use hothouse::policy::policy;
use hothouse::sim::{Simulation, parse_duration, read};
use hothouse::{Stream, StreamKind, json};

use super::draw::Draw;

/// The kinds of files that hold a workload.
const FILES: [&str; 5] = ["fuzz.json", "fuzz.csv", "fuzz.jobs", "fuzz.swf", "fuzz.toml"];

/// Reads the bytes, from the second on, as a workload of the kind that the first names, and checks
/// the simulation of one that is good.
///
/// # Panics
///
/// If a reader or the check does, or an error says nothing.
pub fn check_workload(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let file = FILES[usize::from(*first) % FILES.len()];
    let Ok(text) = std::str::from_utf8(text) else { return };
    match read(file, text) {
        // What is wrong with a workload as a whole shows only here.
        Ok(workload) => match Simulation::new(workload).check() {
            Ok(settings) => assert!(settings.cpus > 0, "a good simulation has CPUs"),
            Err(error) => assert!(!error.to_string().is_empty(), "an error says what is wrong"),
        },
        Err(error) => assert!(!error.to_string().is_empty(), "an error says what is wrong"),
    }
}

/// Reads the bytes as each of the small languages of the command line.
///
/// # Panics
///
/// If a reader does.
pub fn check_words(bytes: &[u8]) {
    let draw = Draw::new(bytes);
    let kind = draw.below(4);
    let Ok(text) = std::str::from_utf8(bytes.get(1..).unwrap_or_default()) else { return };
    match kind {
        0 => match policy(text, Stream::derive(0, StreamKind::Policy, 0)) {
            Ok(policy) => assert!(!policy.spec().is_empty(), "a policy has a name"),
            Err(error) => assert!(!error.to_string().is_empty(), "an error says what is wrong"),
        },
        1 => _ = parse_duration(text),
        3 => match text.parse::<Faults>() {
            Ok(faults) => assert!(!faults.rules.is_empty(), "good faults have rules"),
            Err(error) => {
                let lines = text.lines().count().max(1);
                assert!((1..=lines).contains(&error.line), "{error}");
                let line = text.lines().nth(error.line - 1).unwrap_or_default();
                let columns = line.chars().count() + 1;
                assert!((1..=columns).contains(&error.column), "{error}");
            }
        },
        _ => {
            if let Ok(parsed) = serde_json::from_str(text)
                && let Ok(value) = json::from_json(parsed)
            {
                assert!(value.size() < 1 << 30, "data has a size");
            }
        }
    }
}
