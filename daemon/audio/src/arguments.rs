//! The child's arguments, as both sides write and read them.
