//! See `earnest_fuzz_faces::measured`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earnest_fuzz_faces::measured(data));
