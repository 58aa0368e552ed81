//! See `earnest_fuzz_faces::wire_to_host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earnest_fuzz_faces::wire_to_host(data));
