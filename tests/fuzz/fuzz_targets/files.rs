#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spanql_fuzz::files(bytes));
