//! See `earnest_fuzz_faces::wyoming`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earnest_fuzz_faces::wyoming(data));
