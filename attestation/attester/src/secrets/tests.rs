//! With a module in memory, whose policies are checked as a TPM would.
