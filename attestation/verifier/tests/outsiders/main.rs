//! Outsiders agree: OpenSSL on chains of certificates, PyJWT on results, a TPM on credentials,
//! and another attester's quote is verified. Each test says that it was skipped where its tool
//! or its vectors are missing.

mod chain;
mod credentials;
mod quotes;
mod results;
