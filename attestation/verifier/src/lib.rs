//! Appraisal of evidence as pure functions: evidence and reference values in, a result out.

pub mod appraisal;
pub mod credential;
pub mod ear;
pub mod endorsement;
pub mod enrolment;
pub mod freshness;
pub mod policy;
pub mod quote;
pub mod reference;

#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
#[cfg(test)]
mod testing;
