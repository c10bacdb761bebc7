//! What an instance answers over HTTP/1.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::answers(bytes));
