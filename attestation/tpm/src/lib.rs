//! The only owner of the TPM: keys, quotes, sealing and the least version still allowed.
