//! The real ground: the provisioned device and its TPM.
//!
//! A software TPM serves one client at a time, so it is let go of after every question, and
//! whoever else has something to ask gets a turn. A TPM behind the kernel's resource manager
//! serves many, and is kept: leaving it in order writes to its memory, which lasts for so many
//! writes.
//!
//! The daemon connects to no port but those that its TPM has at the start. A software TPM that
//! dies and is started anew may have others, and its boot is another in any case: that daemon
//! stays closed, and is to be started again.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use earnest_attester::authority::{Authority, Leaf};
use earnest_attester::content::{self, ContentError};
use earnest_attester::result::{self, ResultError};
use earnest_attester::{Device, Folder, TpmChoice, keys};
use earnest_evidence::Digest;
use earnest_evidence::measured::{SandboxLevel, Start};
use earnest_gate::{Measurement, Standing};
use earnest_package::{Model, ReleaseVerifyingKey, Role, VOICE_CARD};
use earnest_tpm::{DeviceAddress, Secret};
use earnest_verifier::ear::{BindingError, ResultVerifier, Tier};

use crate::configuration::{Configuration, Mode};
use crate::engine;
use crate::ground::{FleetResult, Ground, GroundError, Verdict};
use crate::weights::{Clip, Weights};

/// The device of a configuration.
pub struct DeviceGround {
    folder: Folder,
    speech_card: &'static str,
    speech: PathBuf,
    voice: PathBuf,
    release_key: ReleaseVerifyingKey,
    /// In a fleet, the key of its results.
    result_key: Option<ResultVerifier>,
    configuration: Digest,
    leaf: Duration,
    /// The device, where it is kept between questions.
    kept: Option<Device>,
    /// The result that was looked at last.
    seen: Option<Vec<u8>>,
}

impl DeviceGround {
    /// The device that this configuration names. Nothing is asked of its TPM yet.
    ///
    /// # Errors
    ///
    /// When its folder is not there, or a key of the fleet cannot be read.
    pub fn new(configuration: &Configuration) -> Result<DeviceGround, GroundError> {
        let result_key = match &configuration.gate.mode {
            Mode::Local => None,
            Mode::Fleet { result_key, .. } => Some(keys::results(result_key)?),
        };
        let model = &configuration.model;
        Ok(DeviceGround {
            folder: Folder::open(&configuration.device)?,
            speech_card: model.size.card(),
            speech: model.speech.clone(),
            voice: model.voice.clone(),
            release_key: keys::releases(&model.release_key)?,
            result_key,
            configuration: configuration.digest,
            leaf: configuration.listen.leaf,
            kept: None,
            seen: None,
        })
    }

    /// The ports by which the TPM is reached: two on loopback for one in software, which is
    /// started if it does not run, and none for a real one.
    ///
    /// # Errors
    ///
    /// When the folder holds no device, or the TPM in software does not start.
    pub fn ports(&self) -> Result<Vec<u16>, GroundError> {
        Ok(match Device::address(&self.folder)? {
            DeviceAddress::Device(_) => Vec::new(),
            // Commands, and control.
            DeviceAddress::Software { port } => vec![port, port.saturating_add(1)],
        })
    }

    /// The device's folder.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Whether the TPM is one in software.
    ///
    /// # Errors
    ///
    /// When the folder holds no device.
    pub fn has_software_tpm(&mut self) -> Result<bool, GroundError> {
        let choice = earnest_attester::Configuration::load(&self.folder)?.tpm;
        let real = matches!(choice, TpmChoice::At(DeviceAddress::Device(_)));
        Ok(!real)
    }

    /// A certificate for TLS and its key, and the authority's certificate.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the authority's certificate cannot be kept.
    pub fn leaf(&mut self) -> Result<(Leaf, AuthorityCertificate), GroundError> {
        let life = self.leaf;
        self.with(|_, device| {
            let authority = Authority::open(device.module(), device.folder())?;
            let leaf = authority.issue(SystemTime::now(), life)?;
            let certificate = AuthorityCertificate {
                der: authority.certificate().to_vec(),
                pem: authority.certificate_pem(),
            };
            Ok((leaf, certificate))
        })
    }

    /// Opens the device, or takes the one that is kept, and has something done with it.
    pub(crate) fn with<T>(
        &mut self,
        question: impl FnOnce(&mut DeviceGround, &Device) -> Result<T, GroundError>,
    ) -> Result<T, GroundError> {
        let device = match self.kept.take() {
            Some(device) => device,
            None => Device::open(self.folder.clone())?,
        };
        let answer = question(self, &device);
        let shared = matches!(
            device.configuration().tpm,
            TpmChoice::At(DeviceAddress::Device(_))
        );
        if shared && answer.is_ok() {
            self.kept = Some(device);
        } else if let Err(error) = device.close() {
            tracing::debug!(%error, "the TPM was not left in order");
        }
        answer
    }

    fn model(
        &self,
        device: &Device,
        path: &std::path::Path,
        expected: &'static str,
    ) -> Result<Model, GroundError> {
        let model = content::open(device.module(), device.folder(), &self.release_key, path)?;
        match model.card().name() == expected {
            true => Ok(model),
            false => Err(GroundError::OtherModel {
                expected,
                found: model.card().name().to_owned(),
            }),
        }
    }
}

impl Ground for DeviceGround {
    type Opened = Opened;

    fn unseal(&mut self) -> Result<(Opened, Measurement), GroundError> {
        self.with(|ground, device| {
            let measurement = measurement(device)?;
            let opened = Opened {
                speech: ground.model(device, &ground.speech, ground.speech_card)?,
                voice: ground.model(device, &ground.voice, VOICE_CARD)?,
            };
            Ok((opened, measurement))
        })
    }

    fn state_keys(&mut self) -> Result<Vec<Secret>, GroundError> {
        self.every_state_key()
    }

    fn prepare(Opened { speech, voice }: Opened) -> Result<Weights, GroundError> {
        let clip = clip(&speech).ok_or_else(|| GroundError::NoSample {
            card: speech.card().name().to_owned(),
        })?;
        let package = content::packages_digest(&[&speech, &voice]);
        Ok(Weights {
            descriptor: engine::prepare(speech, voice)?,
            clip: clip.into(),
            package: package.ok_or(GroundError::NoPackage)?,
        })
    }

    fn measure(&mut self) -> Result<Measurement, GroundError> {
        // Asked twice a second: a TPM that is let go of in between is not opened for it.
        if self.kept.is_none()
            && let Some(values) = Device::look(&self.folder)?
        {
            return Ok(Measurement::new(values.digest()));
        }
        self.with(|_, device| measurement(device))
    }

    fn record_start(&mut self, packages: Digest, sandbox: SandboxLevel) -> Result<(), GroundError> {
        let version = env!("CARGO_PKG_VERSION");
        let start = Start::new(self.configuration, Some(packages), sandbox, version)
            .expect("both digests are SHA-256, and this program's version is short and printable");
        self.with(|_, device| Ok(device.measure_start(start).map(drop)?))
    }

    fn verdict(&mut self, anew: bool) -> Result<Verdict, GroundError> {
        let Some(key) = self.result_key.clone() else {
            return Ok(Verdict::Nothing);
        };
        let kept = result::kept(&self.folder)?;
        if !anew && kept == self.seen {
            return Ok(Verdict::Nothing);
        }
        let verdict = match kept {
            None => Verdict::Expired,
            Some(_) => self.with(|_, device| {
                judged(result::current(device.module(), device.folder(), &key))
            })?,
        };
        self.seen = kept;
        Ok(verdict)
    }
}

/// The certificate of the device's authority, in both of its forms.
pub struct AuthorityCertificate {
    /// For programs.
    pub der: Vec<u8>,
    /// For files.
    pub pem: String,
}

/// The models, opened. Dropping them overwrites them.
pub struct Opened {
    speech: Model,
    voice: Model,
}

/// The digest of the boot PCRs, as they are now.
fn measurement(device: &Device) -> Result<Measurement, GroundError> {
    let values = device.module().pcr_read(device.configuration().boot_pcrs)?;
    Ok(Measurement::new(values.digest()))
}

fn clip(speech: &Model) -> Option<Clip> {
    let words = speech.card().file(Role::Sample)?.transcript()?;
    Some(Clip {
        sound: speech.file(Role::Sample)?.to_vec(),
        words: words.to_owned(),
    })
}

/// What a look at the imported result comes to.
fn judged(found: Result<Option<result::LiveResult>, ResultError>) -> Result<Verdict, GroundError> {
    let live = match found {
        Ok(None) | Err(ResultError::Binding(BindingError::Elapsed { .. })) => {
            return Ok(Verdict::Expired);
        }
        Ok(Some(live)) => live,
        Err(
            error @ (ResultError::Token(_) | ResultError::Binding(_) | ResultError::NotText(_)),
        ) => return Ok(Verdict::Refused(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let standing = match live.ear.status {
        Tier::Affirming => Standing::Affirming,
        Tier::Warning => Standing::Warning,
        other => return Ok(Verdict::Refused(format!("the result says {other}"))),
    };
    Ok(Verdict::Live(FleetResult {
        remaining: live.remaining,
        standing,
    }))
}

/// Whether another try may help although nothing was mended: the TPM was away or busy.
pub fn is_passing(error: &GroundError) -> bool {
    match error {
        GroundError::Late { .. } => true,
        GroundError::Tpm(error)
        | GroundError::Result(ResultError::Tpm(error))
        | GroundError::Device(earnest_attester::DeviceError::Tpm(error))
        | GroundError::Content(ContentError::Tpm(error)) => error.is_passing(),
        _ => false,
    }
}
