#![no_main]
//! See `rollcall_tests::fuzz::query`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz::query(data));
