//! Quotes, keys, event logs and the envelope that carries them: parse and encode, no I/O.
