#![no_main]
//! See `rollcall_tests::fuzz::join_line`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz::join_line(data));
