//! See `earnest_fuzz_faces::audit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earnest_fuzz_faces::audit(data));
