//! Policies, durations and event data, as the command line takes them.
#![no_main]

use hothouse_tests::harness::inputs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| inputs::check_words(bytes));
