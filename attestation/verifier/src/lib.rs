//! Appraisal of evidence as pure functions: evidence and reference values in, a result out.
