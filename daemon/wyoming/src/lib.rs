//! The Wyoming protocol of voice assistants.
