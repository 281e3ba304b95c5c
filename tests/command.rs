//! The `hothouse` command as a process of the host.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The command, built into the target folder and by the profile of these tests.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let suite = std::env::current_exe().expect("this binary has a path");
        // TARGET/PROFILE/deps/suite-HASH
        let profile = suite.ancestors().nth(2).expect("cargo's folders");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "hothouse", "--bin", "hothouse"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.arg("--target-dir").arg(profile.parent().expect("the target folder"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().expect("cargo runs").success(), "the command can't be built");
        profile.join("hothouse")
    })
}

/// What the environment can set.
const SETTINGS: [&str; 13] = [
    "POLICY",
    "POLICIES",
    "CPUS",
    "SEED",
    "SEEDS",
    "FORMAT",
    "DURATION",
    "THREADS",
    "PROTOCOL",
    "ADMISSION",
    "TRAP_COST",
    "SWITCH_COST",
    "MIGRATION_COST",
];

/// The command with arguments, and without settings from the environment.
pub(crate) fn hothouse(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).stdin(Stdio::null());
    for name in SETTINGS {
        command.env_remove(format!("HOTHOUSE_{name}"));
    }
    command
}

/// What a run of the command came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Runs the command to its end.
pub(crate) fn command(args: &[&str]) -> Ran {
    hothouse(args).output().expect("the command runs").into()
}

/// A folder with a Lua program in it, and the program's path.
pub(crate) fn lua_file(source: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.lua");
    std::fs::write(&path, source).expect("the folder can be written");
    let path = path.to_str().expect("text").to_owned();
    (folder, path)
}
