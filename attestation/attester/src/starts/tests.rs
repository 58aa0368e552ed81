//! With a module in memory.
