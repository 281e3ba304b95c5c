//! Random runs, and a smoke run of every fuzz target: over its corpus, and over what becomes of that
//! by chance.

use std::path::Path;

use hothouse::{Stream, StreamKind};
use hothouse_tests::harness::{inputs, lua, traps};

/// How many traps the random run makes at least: in a release build ten million, as CI runs it.
const TRAPS: u64 = if cfg!(debug_assertions) { 100_000 } else { 10_000_000 };
/// How many mutants the smoke run makes of each entry of a corpus.
const MUTANTS: usize = if cfg!(debug_assertions) { 1 } else { 20 };

/// Random bytes: the same in every run.
fn bytes(stream: &mut Stream, count: usize) -> Vec<u8> {
    (0..count.div_ceil(8)).flat_map(|_| stream.next_u64().to_le_bytes()).take(count).collect()
}

#[test]
fn random_traps_break_nothing() {
    let mut made = 0;
    for case in 0.. {
        let mut stream = Stream::derive(0, StreamKind::Workload, case);
        let bytes = bytes(&mut stream, 1 << 13);
        if case % 100 == 0 {
            traps::check(&bytes);
        }
        made += traps::run(&bytes, false).counters.traps;
        if made >= TRAPS {
            println!("{made} random traps in {} runs", case + 1);
            return;
        }
    }
}

/// Changes some bytes, and cuts or repeats a part.
fn mutant(stream: &mut Stream, entry: &[u8]) -> Vec<u8> {
    let mut mutant = entry.to_vec();
    for _ in 0..1 + stream.below(4) {
        let at = stream.below(mutant.len() as u64 + 1) as usize;
        match stream.below(3) {
            0 if at < mutant.len() => mutant[at] = stream.next_u64() as u8,
            1 => mutant.truncate(at.max(1)),
            _ => mutant.extend_from_within(at..),
        }
    }
    mutant
}

/// Gives a target its corpus, and mutants of it.
fn smoke(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{corpus:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort_unstable();
    assert!(paths.len() >= 5, "the corpus of {target} has entries");
    let mut stream = Stream::derive(0, StreamKind::Workload, 1);
    for path in paths {
        let entry = std::fs::read(&path).expect("it can be read");
        check(&entry);
        (0..MUTANTS).for_each(|_| check(&mutant(&mut stream, &entry)));
    }
}

#[test]
fn traps_of_the_corpus() {
    smoke("traps", traps::check);
}

#[test]
fn lua_programs_of_the_corpus() {
    smoke("lua", lua::check);
}

#[test]
fn workloads_of_the_corpus() {
    smoke("workload", inputs::check_workload);
}

#[test]
fn words_of_the_corpus() {
    smoke("words", inputs::check_words);
}
