//! A card as TOML spells it. Nothing here is trusted yet; `check` turns it into a [`super::Card`].

use serde::Deserialize;

use super::{Element, Registry, Role};
use crate::Digest;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Card {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) kind: Kind,
    pub(super) language: String,
    pub(super) licence: Licence,
    #[serde(default)]
    pub(super) source: Vec<Source>,
    #[serde(default)]
    pub(super) file: Vec<File>,
    pub(super) speech: Option<Speech>,
    pub(super) vad: Option<Vad>,
    #[serde(default)]
    pub(super) tensor: Vec<Tensor>,
    #[serde(default)]
    pub(super) accuracy: Vec<Accuracy>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Speech,
    Vad,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Licence {
    pub(super) spdx: String,
    pub(super) stated: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) registry: Registry,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) archive: String,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) role: Role,
    pub(super) name: String,
    pub(super) source: String,
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: Digest,
    pub(super) transcript: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Speech {
    pub(super) sample_rate: u32,
    pub(super) samples_per_frame: u32,
    pub(super) layers: u32,
    pub(super) heads: u32,
    pub(super) head_dimension: u32,
    pub(super) vocabulary: u32,
    pub(super) start_token: u32,
    pub(super) end_token: u32,
    pub(super) max_tokens_per_second: f32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vad {
    pub(super) sample_rate: u32,
    pub(super) frame_samples: u32,
    pub(super) context_samples: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tensor {
    pub(super) file: Role,
    pub(super) direction: super::Direction,
    pub(super) name: String,
    pub(super) element: Element,
    pub(super) shape: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Dimension {
    Fixed(u32),
    Symbol(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accuracy {
    pub(super) set: String,
    pub(super) engine: String,
    pub(super) clips: u32,
    pub(super) words: Option<u32>,
    pub(super) errors: Option<u32>,
    pub(super) rate: f64,
}
