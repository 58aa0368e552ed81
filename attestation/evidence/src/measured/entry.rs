//! One start of the daemon, as it is logged.

use std::fmt;

use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;

use super::{EntryError, StartError};
use crate::{Digest, HashAlgorithm};

/// Most bytes of an entry: two digests, a version and a few numbers take 150.
pub const MAX_ENTRY_BYTES: usize = 256;

/// Most characters of a version.
pub const MAX_VERSION_BYTES: usize = 64;

/// The version of the format.
const FORMAT: u64 = 1;

/// Fields of an entry.
const FIELDS: u64 = 6;

/// How far a start got in locking itself and its workers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SandboxLevel {
    /// Not at all.
    None,
    /// Some of what is asked for; this kernel lacks the rest.
    Partial,
    /// All of it.
    Full,
}

impl SandboxLevel {
    /// Every level, ascending.
    pub const ALL: [SandboxLevel; 3] = [
        SandboxLevel::None,
        SandboxLevel::Partial,
        SandboxLevel::Full,
    ];

    /// Its number in the log.
    pub const fn number(self) -> u8 {
        match self {
            SandboxLevel::None => 0,
            SandboxLevel::Partial => 1,
            SandboxLevel::Full => 2,
        }
    }

    /// The level of this number, if there is one.
    pub fn from_number(number: u64) -> Option<SandboxLevel> {
        let mut levels = SandboxLevel::ALL.into_iter();
        levels.find(|level| u64::from(level.number()) == number)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            SandboxLevel::None => "none",
            SandboxLevel::Partial => "partial",
            SandboxLevel::Full => "full",
        }
    }
}

impl fmt::Display for SandboxLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What a start of the daemon is told by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    configuration: Digest,
    model: Option<Digest>,
    sandbox: SandboxLevel,
    version: String,
}

impl Start {
    /// A start with this configuration and model package, so far sandboxed, of this version.
    ///
    /// # Errors
    ///
    /// When a digest is not SHA-256, or the version is not 1 to [`MAX_VERSION_BYTES`]
    /// printable ASCII characters.
    pub fn new(
        configuration: Digest,
        model: Option<Digest>,
        sandbox: SandboxLevel,
        version: &str,
    ) -> Result<Start, StartError> {
        for digest in [Some(configuration), model].into_iter().flatten() {
            if digest.algorithm() != HashAlgorithm::Sha256 {
                return Err(StartError::Algorithm {
                    found: digest.algorithm(),
                });
            }
        }
        if !is_version(version) {
            return Err(StartError::Version {
                limit: MAX_VERSION_BYTES,
                found: version.chars().take(MAX_VERSION_BYTES).collect(),
            });
        }
        Ok(Start {
            configuration,
            model,
            sandbox,
            version: version.to_owned(),
        })
    }

    /// SHA-256 of the configuration.
    pub const fn configuration(&self) -> &Digest {
        &self.configuration
    }

    /// SHA-256 of the model package's manifest; nothing for a start without a model.
    pub const fn model(&self) -> Option<&Digest> {
        self.model.as_ref()
    }

    /// The sandbox level reached.
    pub const fn sandbox(&self) -> SandboxLevel {
        self.sandbox
    }

    /// The version of the software.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Whether this is a version: 1 to [`MAX_VERSION_BYTES`] printable ASCII characters.
pub(crate) fn is_version(text: &str) -> bool {
    let printable = |byte: u8| (0x21..=0x7e).contains(&byte);
    (1..=MAX_VERSION_BYTES).contains(&text.len()) && text.bytes().all(printable)
}

/// One entry of the log: a start and its number since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    number: u32,
    start: Start,
}

impl Entry {
    pub(super) const fn new(number: u32, start: Start) -> Entry {
        Entry { number, start }
    }

    /// Its number since boot, from 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The start.
    pub const fn start(&self) -> &Start {
        &self.start
    }

    /// What the PCR of this bank is extended with: the digest of the entry's bytes.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Digest {
        algorithm.digest(&self.encode())
    }

    /// The entry's bytes, at most [`MAX_ENTRY_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::with_capacity(MAX_ENTRY_BYTES));
        let written: Result<(), minicbor::encode::Error<std::convert::Infallible>> = (|| {
            encoder.map(FIELDS)?.u8(0)?.u64(FORMAT)?;
            encoder.u8(1)?.u32(self.number)?;
            encoder.u8(2)?.bytes(self.start.configuration.as_bytes())?;
            encoder.u8(3)?;
            match &self.start.model {
                Some(model) => encoder.bytes(model.as_bytes())?,
                None => encoder.null()?,
            };
            encoder.u8(4)?.u8(self.start.sandbox.number())?;
            encoder.u8(5)?.str(&self.start.version)?;
            Ok(())
        })();
        debug_assert!(written.is_ok(), "a vector takes every byte");
        encoder.into_writer()
    }

    /// Reads the entry at the front of `bytes`, which must have this number, and says how many
    /// bytes it takes.
    pub(super) fn read(bytes: &[u8], number: u32) -> Result<(Entry, usize), EntryError> {
        let bytes = bytes.get(..MAX_ENTRY_BYTES).unwrap_or(bytes);
        let mut decoder = Decoder::new(bytes);
        let fields = decoder.map().map_err(cbor("the entry"))?;
        same("the number of fields", FIELDS, fields.unwrap_or(0))?;
        key(&mut decoder, 0)?;
        let format = decoder.u64().map_err(cbor("the format"))?;
        same("the version of the format", FORMAT, format)?;
        key(&mut decoder, 1)?;
        let found = decoder.u64().map_err(cbor("the entry's number"))?;
        same("the entry's number", number.into(), found)?;
        key(&mut decoder, 2)?;
        let configuration = digest(&mut decoder, "the configuration's digest")?;
        key(&mut decoder, 3)?;
        let model = match decoder.datatype() {
            Ok(minicbor::data::Type::Null) => {
                decoder.null().map_err(cbor("the model"))?;
                None
            }
            _ => Some(digest(&mut decoder, "the model's digest")?),
        };
        key(&mut decoder, 4)?;
        let level = decoder.u64().map_err(cbor("the sandbox level"))?;
        let sandbox =
            SandboxLevel::from_number(level).ok_or(EntryError::SandboxLevel { found: level })?;
        key(&mut decoder, 5)?;
        let version = decoder.str().map_err(cbor("the version"))?;
        let start = Start::new(configuration, model, sandbox, version)?;
        let entry = Entry { number, start };
        // The digest is over the bytes, so there must be one way only to say a thing.
        let read = bytes.get(..decoder.position());
        match read == Some(entry.encode().as_slice()) {
            true => Ok((entry, decoder.position())),
            false => Err(EntryError::Encoding),
        }
    }
}

/// What the CBOR reader says, with what was being read.
fn cbor(field: &'static str) -> impl FnOnce(Error) -> EntryError {
    move |error| EntryError::Cbor {
        field,
        reason: error.to_string(),
    }
}

fn same(field: &'static str, expected: u64, found: u64) -> Result<(), EntryError> {
    match expected == found {
        true => Ok(()),
        false => Err(EntryError::Number {
            field,
            expected,
            found,
        }),
    }
}

fn key(decoder: &mut Decoder<'_>, expected: u64) -> Result<(), EntryError> {
    let found = decoder.u64().map_err(cbor("a key"))?;
    same("a key", expected, found)
}

fn digest(decoder: &mut Decoder<'_>, field: &'static str) -> Result<Digest, EntryError> {
    let bytes = decoder.bytes().map_err(cbor(field))?;
    Digest::from_bytes(HashAlgorithm::Sha256, bytes).map_err(|_| EntryError::DigestLength {
        field,
        expected: HashAlgorithm::Sha256.digest_bytes(),
        found: bytes.len(),
    })
}
