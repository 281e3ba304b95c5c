//! The files of rt-app's own project, where they are beside this repository, as they are: none may be
//! refused, under no policy, and in the native format each gives the same run.

use std::path::{Path, PathBuf};

use hothouse::policy::POLICIES;
use hothouse::sim::{Compare, Simulation, Workload, read, write};
use hothouse::{Span, Tick};

/// The files, ascending; none, with a word about it, where there is no such folder.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/rt-app");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: there is no folder {}", folder.display());
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    paths.sort();
    paths
}

fn workload(path: &Path) -> Workload {
    let text = std::fs::read_to_string(path).expect("it can be read");
    read(&path.display().to_string(), &text).unwrap_or_else(|error| panic!("{error}"))
}

/// As the file says, but for two seconds at most.
fn simulation(workload: Workload) -> Simulation {
    let most = Span::from_secs(2);
    let duration = workload.machine.duration.map_or(most, |duration| duration.min(most));
    Simulation::new(workload).duration(duration)
}

#[test]
fn in_the_native_format_each_gives_the_same_run() {
    for path in files() {
        let original = workload(&path);
        let text = write(&original);
        let converted = read("converted.toml", &text);
        let converted = converted.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(converted.tasks, original.tasks, "{}", path.display());
        assert_eq!(write(&converted), text, "{}", path.display());
        for policy in ["fifo", "rr:slice=1ms", "cfs", "lottery"] {
            let hash = |workload: &Workload| {
                let run = simulation(workload.clone()).policy(policy).cpus(2).seed(3).run();
                run.expect("it runs").report.hash.expect("it is hashed")
            };
            assert_eq!(hash(&converted), hash(&original), "{} under {policy}", path.display());
        }
    }
}

#[test]
fn each_runs_under_every_policy_side_by_side() {
    let policies: Vec<&str> = POLICIES.iter().map(|policy| policy.0).collect();
    for path in files() {
        let simulation = simulation(workload(&path));
        let comparison = Compare::policies(&simulation, policies.clone()).seeds([1, 2]).run();
        let comparison = comparison.expect("it runs");
        assert_eq!(comparison.candidates.len(), policies.len());
        assert_eq!((comparison.failed, comparison.error), (0, None), "{}", path.display());
        assert!(comparison.rows.len() > 10, "{}: {}", path.display(), comparison.rows.len());
    }
}

#[test]
fn nothing_that_a_file_says_is_lost() {
    for path in files() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let run = simulation(workload(&path)).run().expect("it runs");
        assert!(run.end > Tick::ZERO, "{name}");
        assert_eq!(run.warnings, Vec::<String>::new(), "{name}");
        for task in &run.metrics.tasks {
            assert!(
                task.measured.jobs > 0 || task.measured.unfinished > 0,
                "{name}: {}",
                task.name
            );
        }
    }
}
