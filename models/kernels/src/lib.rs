//! Int8, f32 and attention kernels behind a safe face.
