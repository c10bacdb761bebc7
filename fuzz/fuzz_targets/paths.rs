//! A request's path.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::paths(bytes));
