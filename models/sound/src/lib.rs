//! Files and streams of any format and rate, as 16 kHz mono f32.
