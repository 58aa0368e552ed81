//! What a process gives up before it reads a stranger's bytes.
