#![no_main]
//! See `rollcall_tests::fuzz_agent::property_list`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollcall_tests::fuzz_agent::property_list(data));
