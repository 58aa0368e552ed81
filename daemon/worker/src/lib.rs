//! The sandboxed process that decodes sound and reads it.
