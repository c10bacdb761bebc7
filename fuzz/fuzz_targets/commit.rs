//! The payload of a record.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::commit(bytes));
