//! What a client of the Consul API writes into `?filter=`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adsum_fuzz::filters(bytes));
