//! What an HTTP/1 client sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::framing(bytes));
