//! The device's side of trust, between its TPM and whoever asks.
//!
//! - [`Folder`] and [`Configuration`]: what a device keeps, and what it was told.
//! - [`Device`]: a provisioned device with its TPM, opened.
//! - [`enrol`]: how a fleet comes to know the device.
//! - [`starts`]: the measured log, an entry for each start of the daemon, and for each head of
//!   the audit log that it anchors.
//! - [`gather()`]: evidence for a nonce, and its parts for other people's tools.
//! - [`result`]: the verdict that the fleet sent back, for as long as it holds.
//! - [`keys`]: the fleet's public keys.
//! - [`authority`]: the device's own certificate authority, and the leaves that it signs.
//! - [`content`]: the model at rest, which opens in an approved state alone.
//! - [`guard`]: what the device and the guard beside its microphone know each other by.
//! - [`secrets`]: the keys of what the device keeps, which open in an approved state alone, too.
//!
//! `earnest` and `earnestd` stand on it. It knows no network: everything that comes or goes is
//! bytes and files. Everything it does with a TPM goes through [`earnest_tpm::TrustModule`].

pub mod authority;
mod boot;
mod configuration;
pub mod content;
mod device;
pub mod enrol;
mod folder;
mod gather;
pub mod guard;
pub mod keys;
pub mod result;
pub mod secrets;
pub mod software;
pub mod starts;
#[cfg(test)]
mod testing;

pub use configuration::{CONFIGURATION_FILE, Configuration, ConfigurationError, TpmChoice};
pub use device::{Device, DeviceError, Provisioning};
pub use folder::Folder;
pub use gather::{Context, GatherError, PARTS, WritePartsError, gather, write_parts};
