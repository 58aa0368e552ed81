//! One open microphone, and all who listen to it.
