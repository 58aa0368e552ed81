//! What a model's graphs take and give.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Role;

/// What a model does, and its shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Turns speech into text.
    Speech(SpeechShape),
    /// Tells speech from other sound.
    Vad(VadShape),
}

/// The shape of an encoder-decoder speech model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpeechShape {
    /// Samples a second of the sound it takes, in hertz.
    pub sample_rate: u32,
    /// Samples that one encoder frame stands for.
    pub samples_per_frame: u32,
    /// Layers of the decoder.
    pub layers: u32,
    /// Attention heads of a layer.
    pub heads: u32,
    /// Channels of an attention head.
    pub head_dimension: u32,
    /// Rows of the token embedding; every token id is below it.
    pub vocabulary: u32,
    /// Token that starts a decoding.
    pub start_token: u32,
    /// Token that ends it.
    pub end_token: u32,
    /// Cap on the tokens for a second of sound.
    pub max_tokens_per_second: f32,
}

/// The shape of a voice activity detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VadShape {
    /// Samples a second of the sound it takes, in hertz.
    pub sample_rate: u32,
    /// New samples of a frame.
    pub frame_samples: u32,
    /// Samples of the frame before that stand in front of the new ones.
    pub context_samples: u32,
}

/// Whether a tensor goes into a graph or comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the graph.
    Input,
    /// Out of the graph.
    Output,
}

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 64-bit signed integer.
    I64,
    /// True or false, one byte.
    Bool,
}

/// One dimension of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// Always this many.
    Fixed(u32),
    /// A length that differs from run to run, named as in the card.
    Symbol(String),
}

impl fmt::Display for Dimension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dimension::Fixed(length) => write!(formatter, "{length}"),
            Dimension::Symbol(name) => formatter.write_str(name),
        }
    }
}

/// An input or output of one of a model's graphs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub(super) file: Role,
    pub(super) direction: Direction,
    pub(super) name: String,
    pub(super) element: Element,
    pub(super) shape: Vec<Dimension>,
}

impl Tensor {
    /// The file that holds the graph.
    pub fn file(&self) -> Role {
        self.file
    }

    /// Whether it goes in or comes out.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The graph's name for it. `{layer}` stands for each layer's number, from zero.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of its elements.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Its dimensions, the outermost first.
    pub fn shape(&self) -> &[Dimension] {
        &self.shape
    }
}
