//! The only owner of the TPM: keys, quotes, sealing and the least version still allowed.
//!
//! - [`provision()`] makes a device of a TPM, once: storage root key, endorsement key with its
//!   certificate, attestation key, device authority, index of the least version, owner.
//! - [`Tpm`] is a provisioned TPM: one thread that owns the connection, and calls that reach
//!   it through a bounded queue. [`TrustModule`] is the trait of it, and [`FakeModule`] plays
//!   it in tests of others.
//! - [`State`] and [`SealedKey`] are what a device keeps on its disk.
//! - [`SoftwareTpm`] runs a swtpm for development and tests.
//!
//! Sessions are salted with the storage root key, whose name is pinned in the state, and
//! encrypt each parameter that is secret. Each loaded object is flushed as soon as it has
//! served, because a TPM has three slots. All keys are outside the dictionary-attack logic
//! (`noDA`), so that power cuts do not lock the TPM.
//!
//! What policies seal and open, and how they are signed, is computed in
//! [`earnest_evidence::sealing`], without a TPM.
//!
//! **The owner authorization guards the least version.** Only a signed policy can write the
//! index, but whoever has the owner authorization can remove it and define it again, and then
//! replay an old permission for a first write. Provisioning therefore sets a random owner
//! authorization and leaves it nowhere on the device, see [`OwnerSecrets`]. Clearing the TPM
//! through its firmware removes the index, too, but takes the storage root key with it, and
//! with that everything that was sealed.
//!
//! libtss2 writes to standard error whatever it does not like; a program calls
//! [`quiet_library`] first thing in `main`.

// The tests' support speaks of this crate from the outside, and is used inside, too.
#[cfg(test)]
extern crate self as earnest_tpm;

mod address;
#[cfg(test)]
mod adversary;
mod connection;
mod error;
#[allow(unsafe_code)]
mod esys;
mod fake;
mod look;
mod module;
mod operations;
mod owner;
mod provision;
#[allow(unsafe_code)]
mod quiet;
mod seal;
mod software;
mod state;
#[cfg(test)]
#[path = "../tests/swtpm/support.rs"]
mod support;
mod templates;

pub use address::{AddressError, DeviceAddress};
pub use error::{Name, ResponseCode, TpmError};
pub use fake::FakeModule;
pub use look::look;
pub use module::{
    Attestation, Clock, EcdsaSignature, Handles, Identity, NoRandomness, PcrValues, SECRET_BYTES,
    Secret, TrustModule, fresh_secret,
};
pub use owner::Tpm;
pub use provision::{OwnerSecrets, ProvisionError, ProvisionOptions, Provisioned, provision};
pub use quiet::quiet_library;
pub use seal::{MoveVersionError, UnsealError};
pub use software::{PreparedTpm, SoftwareTpm, SoftwareTpmError};
pub use state::{MAX_STATE_BYTES, SealedKey, State, StateError};
pub use templates::AkAlgorithm;
