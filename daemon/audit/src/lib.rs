//! The audit log: encrypted, chained, bounded in size and time.
