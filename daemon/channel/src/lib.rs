//! What crosses between the daemon and a worker.
