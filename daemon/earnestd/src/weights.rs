//! What the daemon holds of the unsealed models: no model, but what workers need of it.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use earnest_evidence::Digest;
use earnest_gate::UnsealedModel;

/// Prepared weights and the clip that shows that they work. The models' files are overwritten
/// once the weights are prepared, and the kernel takes the weights back when this is dropped and
/// the workers are gone.
pub struct Weights {
    /// The sealed memfd that workers map.
    pub descriptor: Arc<OwnedFd>,
    /// The clip whose words are known.
    pub clip: Arc<Clip>,
    /// The digest that stands for the models' packages.
    pub package: Digest,
}

impl UnsealedModel for Weights {
    fn package(&self) -> [u8; 32] {
        let bytes = self.package.as_bytes().try_into();
        bytes.expect("packages have a SHA-256, which has 32 bytes")
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Weights({})", self.package)
    }
}

/// A recording and what is said in it. It is public: every model card names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// The file's bytes.
    pub sound: Vec<u8>,
    /// What is said.
    pub words: String,
}
