//! Outsiders agree: OpenSSL on chains of certificates, PyJWT on results, and a TPM on
//! credentials. Each test says that it was skipped where its tool is missing.

mod chain;
mod credentials;
mod results;
