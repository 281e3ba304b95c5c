//! Sequences of traps on a small machine, every invariant checked after each.
#![no_main]

use hothouse_tests::harness::traps;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| traps::check(bytes));
