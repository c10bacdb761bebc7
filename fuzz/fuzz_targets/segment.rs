//! A segment of the journal, and what a torn tail leaves.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::segment(bytes));
