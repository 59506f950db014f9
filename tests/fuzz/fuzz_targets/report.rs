#![no_main]
//! See `rollcall_tests::fuzz::report`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz::report(data));
