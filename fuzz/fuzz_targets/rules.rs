//! A route's rule.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::rules(bytes));
