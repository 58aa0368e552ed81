//! Moonshine (Jeffries et al., 2024), int8, on tract.
//!
//! The exporter's graphs come apart into parts (`onnx`, `grammar`, `parts`), the parts are
//! packed once into operations of this runtime (`stage`, `stages`, `causal`), and these are
//! wired into tract graphs (`plan`): the encoder, the memory that the decoder keeps of a
//! segment, and one step of the decoder (`builder`). Processes share one packed copy (`shared`). A text that is
//! given is scored instead of read (`score`).

mod builder;
mod causal;
mod grammar;
mod onnx;
mod parts;
mod plan;
mod score;
mod shared;
mod stage;
mod stages;

mod engine;

pub use engine::{Decoding, Encoded, EngineOptions, Recognizer, Step, kernels};
pub use score::Scorer;
pub use shared::{ShareError, SharedModels, share};
