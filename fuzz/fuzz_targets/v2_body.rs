#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::v2_body(data);
});
