//! Madsim, a simulator of distributed systems, in a program of its own: it needs the flag
//! `--cfg madsim` for the whole build, and stands in for functions of the C library.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use hothouse::bench::Peer;

pub(super) const NAME: &str = "madsim";

pub(super) const PEERS: [Peer; 3] = [
    Peer { row: "sleepers", name: NAME, measure: |count| measure("sleepers", count) },
    Peer { row: "hold", name: NAME, measure: |count| measure("hold", count) },
    Peer { row: "mm1", name: NAME, measure: |count| measure("mm1", count) },
];

/// Builds the program, once.
///
/// # Errors
///
/// If it can't be built.
pub(super) fn program() -> Result<&'static Path, &'static str> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref().map_err(String::as_str)
}

fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = root.join("target/madsim");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", "hothouse-madsim", "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", "--cfg madsim")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&root)
        .stdout(Stdio::null())
        .status();
    match built {
        Ok(status) if status.success() => Ok(target.join("release/hothouse-madsim")),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn measure(row: &str, count: u64) -> f64 {
    let program = program().expect("it is measured where it was built");
    let mut run = Command::new(program);
    run.args([row, &count.to_string()]).stderr(Stdio::inherit());
    let output = run.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "madsim failed in row {row}: {}", output.status);
    text.trim().parse().expect("it prints a number")
}
