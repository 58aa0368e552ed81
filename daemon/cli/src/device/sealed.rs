//! The models of a device: sealed files that the TPM gives the keys of.

use std::path::{Path, PathBuf};

use earnest_attester::content::{self, ContentError};
use earnest_attester::{Device, DeviceError, keys};
use earnest_evidence::HashAlgorithm;
use earnest_evidence::measured::{SandboxLevel, Start};
use earnest_package::{Card, Model, ReleaseVerifyingKey};

use earnest_tpm::TpmError;

use super::Failure;
use super::files;

/// Where a card's sealed model is, in a folder of sealed models.
pub(crate) fn path(folder: &Path, card: &str) -> PathBuf {
    folder.join(format!("{card}.earnest"))
}

/// Sealed models, and what opens them.
#[derive(Debug)]
pub(crate) struct Sealed {
    device: Device,
    folder: PathBuf,
    release_key: ReleaseVerifyingKey,
}

impl Sealed {
    /// The sealed models of this folder, for the device of that one.
    pub(crate) fn new(device: &Path, folder: &Path, release_key: &Path) -> Result<Sealed, Failure> {
        let release_key = keys::releases(release_key)?;
        Ok(Sealed {
            device: Device::open(files::open_device_folder(device)?)?,
            folder: folder.to_owned(),
            release_key,
        })
    }

    /// Opens a card's model.
    pub(crate) fn open(&self, card: &str) -> Result<Model, ContentError> {
        content::open(
            self.device.module(),
            self.device.folder(),
            &self.release_key,
            &path(&self.folder, card),
        )
    }

    /// Opens the models of these cards, measures that this program runs with them, and leaves
    /// the TPM in order.
    pub(crate) fn open_all(self, [speech, voice]: [&str; 2]) -> Result<[Model; 2], Failure> {
        let models = [self.open(speech)?, self.open(voice)?];
        self.measure(&models)?;
        self.close()?;
        Ok(models)
    }

    /// Leaves the TPM in order.
    pub(crate) fn close(self) -> Result<(), TpmError> {
        self.device.close()
    }

    /// Measures that this program runs with these models, unless the log of this boot tells it
    /// already: the same program with the same models is no news.
    fn measure(&self, models: &[Model]) -> Result<(), DeviceError> {
        let configuration = self.device.configuration().to_text();
        let configuration = HashAlgorithm::Sha256.digest(configuration.as_bytes());
        let package = content::packages_digest(&models.iter().collect::<Vec<_>>());
        let start = Start::new(
            configuration,
            package,
            // A command on its own locks itself into nothing; the daemon does.
            SandboxLevel::None,
            env!("CARGO_PKG_VERSION"),
        )
        .expect("the version of this program is short and printable");
        let starts = self.device.starts()?;
        if !starts.log.starts().any(|told| *told == start) {
            self.device.measure_start(start)?;
        }
        Ok(())
    }
}

/// The card of this name.
pub(crate) fn card(name: &str) -> &'static Card {
    Card::named(name).expect("the cards that the command names are compiled in")
}
