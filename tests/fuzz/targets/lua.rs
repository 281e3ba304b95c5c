//! Programs in Lua that a grammar makes.
#![no_main]

use hothouse_tests::harness::lua;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| lua::check(bytes));
