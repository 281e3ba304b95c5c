//! The arrows between crates, where Cargo can't check them: who names whom in its manifest, what
//! policies import, and where `unsafe` may be.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests has a parent").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

#[test]
fn kernel_and_userland_meet_in_the_abi_only() {
    for (manifest, strangers) in [
        ("kernel/abi/Cargo.toml", &["hothouse-kernel", "hothouse-sys", "hothouse-lua"][..]),
        ("kernel/Cargo.toml", &["hothouse-sys", "hothouse-lua"]),
        ("userland/sys/Cargo.toml", &["hothouse-kernel", "hothouse-lua", "corosensei"]),
        ("userland/lua/Cargo.toml", &["hothouse-kernel", "hothouse-sys", "corosensei"]),
        ("userland/hothouse/Cargo.toml", &["corosensei"]),
    ] {
        let text = read(manifest);
        for stranger in strangers {
            assert!(!text.contains(stranger), "{manifest} names {stranger}");
        }
    }
}

#[test]
fn the_machine_knows_no_coroutine() {
    for path in sources("kernel/src/machine") {
        let text = fs::read_to_string(&path).expect("a source");
        for stranger in ["corosensei", "crate::native", "crate::driver"] {
            assert!(!text.contains(stranger), "{} names {stranger}", path.display());
        }
    }
}

#[test]
fn policies_import_the_abi_their_trait_and_their_stream() {
    for path in sources("kernel/src/policy") {
        let text = fs::read_to_string(&path).expect("a source");
        for line in text.lines().filter(|line| line.trim_start().starts_with("use crate::")) {
            let allowed = ["use crate::policy", "use crate::stream"];
            let fine = allowed.iter().any(|start| line.trim_start().starts_with(start));
            assert!(fine, "{}: {line}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_where_it_is_said_to_be() {
    for folder in ["kernel", "userland", "tests", "benches"] {
        for path in sources(folder) {
            let text = fs::read_to_string(&path).expect("a source");
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            let may = name.starts_with("kernel/src/native/")
                || name == "userland/lua/src/raw.rs"
                || name.starts_with("tests/");
            assert!(may || !text.contains("allow(unsafe_code)"), "{name} allows unsafe code");
        }
    }
}
