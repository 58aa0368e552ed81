//! Appraisal of evidence as pure functions: evidence and reference values in, a result out.

pub mod credential;
pub mod endorsement;

#[cfg(test)]
mod testing;
