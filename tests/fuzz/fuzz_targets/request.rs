#![no_main]
//! See `rollcall_tests::fuzz::request`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz::request(data));
