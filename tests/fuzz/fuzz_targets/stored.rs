#![no_main]
//! See `rollcall_tests::fuzz::stored`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz::stored(data));
