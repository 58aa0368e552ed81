//! End-to-end tests: the real command, the real models.
