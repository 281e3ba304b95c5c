//! The readers of workload files.
#![no_main]

use hothouse_tests::harness::inputs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| inputs::check_workload(bytes));
