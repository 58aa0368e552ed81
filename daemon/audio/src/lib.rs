//! Sound of this machine's microphones.
