//! A snapshot file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::snapshot(bytes));
