#![no_main]
//! See `rollcall_tests::fuzz_agent::collector_answer`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz_agent::collector_answer(data));
