//! Speech to text: resampled PCM in, speech segments and text out.
