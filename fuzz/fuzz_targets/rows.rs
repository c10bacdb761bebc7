//! A chunk of a snapshot.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::rows(bytes));
