//! What can go wrong, one enum an operation.

/// Why a model could not be loaded. The model's bytes are verified before they come here,
/// so most of these mean a file of another kind than the card says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The model lacks a file that this operation needs.
    #[error("model {model} has no {role} file")]
    MissingFile {
        /// The card's name.
        model: String,
        /// What the file would be for.
        role: &'static str,
    },
    /// A file is not an ONNX model.
    #[error("{what} is not a readable ONNX model: {reason}")]
    NotOnnx {
        /// Which graph.
        what: &'static str,
        /// What the reader found.
        reason: String,
    },
    /// A graph is not built as the models that this runtime knows.
    #[error("{graph}: at {node}: expected {expected}, found {found}")]
    UnexpectedGraph {
        /// Which graph: encoder, first step or cached step.
        graph: &'static str,
        /// The value or node where the graphs part.
        node: String,
        /// What a known model has there.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// tract refused a graph.
    #[error("{what} could not be prepared: {reason}")]
    Prepare {
        /// Which graph.
        what: &'static str,
        /// tract's own words.
        reason: String,
    },
    /// The tokenizer's file is not one that this runtime reads.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// No worker threads could be had.
    #[error("cannot run on {threads} threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why not.
        reason: String,
    },
}

/// Why sound could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// More sound than one segment may hold.
    #[error("a segment of {found} samples is longer than the {limit} that one may have")]
    SegmentTooLong {
        /// Samples given.
        found: usize,
        /// [`crate::MAX_SEGMENT_SAMPLES`].
        limit: usize,
    },
    /// A sample is not a number, or infinite.
    #[error("sample {position} is not a finite number")]
    NotFinite {
        /// Its position in what was pushed.
        position: usize,
    },
    /// The runtime failed; a fault of this program or of the machine, not of the sound.
    #[error("{stage} failed: {reason}")]
    Runtime {
        /// Which stage.
        stage: &'static str,
        /// tract's own words.
        reason: String,
    },
}
