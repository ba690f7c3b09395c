#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::push_reply(data);
});
