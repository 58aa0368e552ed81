//! See `earnest_fuzz_faces::wire_to_guard`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earnest_fuzz_faces::wire_to_guard(data));
