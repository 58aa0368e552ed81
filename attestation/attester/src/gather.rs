//! Evidence of the state that the device is in: a quote, and what it vouches for.

use std::path::Path;

use earnest_evidence::envelope::{Authority, EncodeError, Evidence};
use earnest_evidence::firmware::{AllowList, EventLog, LogError};
use earnest_evidence::measured::DEFAULT_PCR;
use earnest_evidence::tpm::{
    Attest, PcrSet, PcrValues, PcrValuesError, Public, Signature, StructureError,
};
use earnest_evidence::{Digest, HashAlgorithm, Nonce};
use earnest_files::{FileError, Readers};
use earnest_tpm::{Attestation, TpmError, TrustModule};

use crate::starts::Starts;

/// The PCRs of every quote: firmware's (0 to 7), boot loaders' (8 and 9), the unified kernel
/// image's (11 to 13) and that of Earnest's own log (14). PCR 10 is IMA's, which goes on
/// changing and which dm-verity makes needless.
const QUOTED_PCRS: [u8; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, DEFAULT_PCR];

/// A start that is measured between reading the PCRs and quoting them makes the two differ.
/// Starts are rare, so the second try is the last but for very bad luck.
const TRIES: usize = 4;

/// What goes into evidence beside the quote.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The firmware's event log as the system shows it; empty where there is none.
    pub firmware_log: &'a [u8],
    /// The starts since boot.
    pub starts: &'a Starts,
    /// The version of the software.
    pub software: &'a str,
}

/// Makes evidence for this nonce. Data of firmware's events that no verifier needs, boot
/// entries and names of disks among them, is left out; digests are not.
///
/// # Errors
///
/// When the TPM is out of reach or gives what cannot be read, or the PCRs change all the time.
pub fn gather(
    module: &dyn TrustModule,
    nonce: Nonce,
    context: Context<'_>,
) -> Result<Evidence, GatherError> {
    let set = PcrSet::of(&QUOTED_PCRS).expect("the quoted PCRs exist");
    let identity = module.identity();
    let firmware_log = match context.firmware_log {
        [] => Vec::new(),
        log => EventLog::parse(log)?.filtered(&AllowList::standard()),
    };
    let authority = certified(
        &identity.authority_public,
        &module.certify_authority(nonce.as_bytes())?,
    )?;
    for _ in 0..TRIES {
        let read = module.pcr_read(set)?;
        let Attestation { attest, signature } = module.quote(nonce.as_bytes(), set)?;
        let (attest, signature) = (Attest::parse(&attest)?, Signature::parse(&signature)?);
        let mut pcrs = PcrValues::new();
        for (index, value) in read.iter() {
            let value = Digest::from_bytes(HashAlgorithm::Sha256, value);
            pcrs.insert(index, value.expect("32 bytes are a SHA-256"))?;
        }
        if attest.attested.pcr_digest(HashAlgorithm::Sha256)
            == Some(pcrs.digest(HashAlgorithm::Sha256))
        {
            return Ok(Evidence {
                nonce,
                software: context.software.to_owned(),
                attest,
                signature,
                ak_public: Public::parse(&identity.ak_public)?,
                pcrs,
                firmware_log,
                measured_log: context.starts.log.encode(),
                authority: Some(authority),
            });
        }
    }
    Err(GatherError::Unsettled { tries: TRIES })
}

fn certified(public: &[u8], certification: &Attestation) -> Result<Authority, StructureError> {
    Ok(Authority {
        public: Public::parse(public)?,
        attest: Attest::parse(&certification.attest)?,
        signature: Signature::parse(&certification.signature)?,
    })
}

/// The files that [`write_parts`] makes: the envelope in both forms, and what
/// `tpm2_checkquote` takes: message, signature, PCR values and key.
pub const PARTS: [&str; 6] = [
    "evidence.cbor",
    "evidence.json",
    "quote.attest",
    "quote.signature",
    "quote.pcrs",
    "ak.pem",
];

/// Writes the envelope and its parts into a folder, for our verifier and for other people's.
///
/// # Errors
///
/// When a part is too long, or a file cannot be written.
pub fn write_parts(evidence: &Evidence, folder: &Path) -> Result<(), WritePartsError> {
    std::fs::create_dir_all(folder).map_err(|error| FileError::Write {
        path: folder.to_owned(),
        error,
    })?;
    let key = evidence.ak_public.key()?;
    let contents: [Vec<u8>; 6] = [
        evidence.to_cbor()?,
        evidence.to_json()?.into_bytes(),
        evidence.attest.marshal(),
        evidence.signature.marshal(),
        evidence.pcrs.to_pcr_file(),
        key.to_pem().into_bytes(),
    ];
    for (name, content) in PARTS.iter().zip(&contents) {
        earnest_files::write(&folder.join(name), content, Readers::Owner)?;
    }
    Ok(())
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The TPM gave what is none of its structures.
    #[error("the TPM's answer cannot be read: {0}")]
    Structure(#[from] StructureError),
    /// The PCRs are none.
    #[error(transparent)]
    Pcrs(#[from] PcrValuesError),
    /// The firmware's log is none.
    #[error("the firmware's event log cannot be read: {0}")]
    FirmwareLog(#[from] LogError),
    /// The PCRs change faster than they are quoted.
    #[error("the PCRs changed between reading and quoting, {tries} times in a row")]
    Unsettled {
        /// How often it was tried.
        tries: usize,
    },
}

/// Why evidence cannot be written to a folder.
#[derive(Debug, thiserror::Error)]
pub enum WritePartsError {
    /// A part is longer than a reader takes.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The AK is no key of a kind that PEM is written of.
    #[error("the attestation key cannot be written as PEM: {0}")]
    Key(#[from] earnest_evidence::tpm::KeyError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}
