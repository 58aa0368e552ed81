//! Limits, on simulated time.
