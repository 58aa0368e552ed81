//! See `earnest_fuzz_faces::book`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earnest_fuzz_faces::book(data));
