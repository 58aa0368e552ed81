//! What a package says of itself.

use super::PackageId;
use crate::{Digest, Role};

/// What a package is, told without opening its chunks. It comes from
/// [`crate::Model::inspect_package`], or with a model that came out of a package; either
/// way somebody vouched for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    pub(super) digest: Digest,
    pub(super) card: Digest,
    pub(super) card_name: String,
    pub(super) members: Vec<(Role, u64)>,
    pub(super) seal: Option<SealSummary>,
}

impl PackageSummary {
    /// The manifest digest: what names the package, in a measured log too.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The SHA-256 of the card's text.
    pub fn card(&self) -> Digest {
        self.card
    }

    /// The card's name.
    pub fn card_name(&self) -> &str {
        &self.card_name
    }

    /// The files, with their plain sizes in bytes.
    pub fn members(&self) -> &[(Role, u64)] {
        &self.members
    }

    /// What a sealed package says besides; a plain one says nothing.
    pub fn seal(&self) -> Option<&SealSummary> {
        self.seal.as_ref()
    }
}

/// What a sealed package says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealSummary {
    /// The package's random name.
    pub id: PackageId,
    /// Its version.
    pub version: u64,
    /// The id of the release key that it claims to be signed by. It is so for certain only
    /// where that key was the ground for trust.
    pub release_key: Digest,
}
