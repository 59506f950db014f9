#![no_main]
//! See `rollcall_tests::fuzz_agent::firmware`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz_agent::firmware(data));
