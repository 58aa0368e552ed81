//! What several unit tests need.

pub(crate) mod rsa;
