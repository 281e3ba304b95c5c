//! Example workloads, which show what is known of scheduling.

use super::{Workload, read};

/// A workload that comes with Hothouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// Its name.
    pub name: &'static str,
    /// Its file, in the native format.
    pub text: &'static str,
}

macro_rules! example {
    ($name:literal) => {
        Example { name: $name, text: include_str!(concat!("../../workloads/", $name, ".toml")) }
    };
}

const EXAMPLES: [Example; 7] = [
    example!("pathfinder"),
    example!("convoy"),
    example!("starvation"),
    example!("gaming"),
    example!("web"),
    example!("overload"),
    example!("day"),
];

impl Example {
    /// What it shows, in a line.
    pub fn about(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The workload.
    ///
    /// # Panics
    ///
    /// Never: each example is read by a test.
    pub fn workload(&self) -> Workload {
        read(&format!("{}.toml", self.name), self.text).expect("an example is right")
    }
}

/// All examples.
///
/// ```
/// use hothouse::sim::{Simulation, examples};
/// let pathfinder = examples().iter().find(|it| it.name == "pathfinder").unwrap();
/// let run = Simulation::new(pathfinder.workload()).run()?;
/// assert!(run.metrics.task("bc_dist").unwrap().misses > 0);
/// # Ok::<(), hothouse::sim::SimError>(())
/// ```
pub fn examples() -> &'static [Example] {
    &EXAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_right_and_says_what_it_shows() {
        for example in examples() {
            assert_eq!(example.workload().warnings, [], "{}", example.name);
            assert!(
                example.text.starts_with("# ") && example.about().len() < 90,
                "{}",
                example.name
            );
        }
    }
}
