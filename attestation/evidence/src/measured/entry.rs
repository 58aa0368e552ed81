//! One entry of the log: a start of the daemon, or a head of the audit log.

use std::fmt;

use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;

use super::{EntryError, Head, StartError};
use crate::{Digest, HashAlgorithm};

/// Most bytes of an entry: a start's two digests, version and few numbers take 150.
pub const MAX_ENTRY_BYTES: usize = 256;

/// Most bytes of an entry that tells a head: a digest and three numbers take 54.
pub const MAX_HEAD_BYTES: usize = 64;

/// Most characters of a version.
pub const MAX_VERSION_BYTES: usize = 64;

/// The format of a start, and its fields.
const START: (u64, u64) = (1, 6);

/// The format of a head, and its fields.
const HEAD: (u64, u64) = (2, 4);

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

    /// Writes the fields behind the entry's number.
    fn write<W: minicbor::encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.u8(2)?.bytes(self.configuration.as_bytes())?;
        encoder.u8(3)?;
        match &self.model {
            Some(model) => encoder.bytes(model.as_bytes())?,
            None => encoder.null()?,
        };
        encoder.u8(4)?.u8(self.sandbox.number())?;
        encoder.u8(5)?.str(&self.version)?;
        Ok(())
    }

    /// Reads the fields behind the entry's number.
    fn read(decoder: &mut Decoder<'_>) -> Result<Start, EntryError> {
        key(decoder, 2)?;
        let configuration = digest(decoder, "the configuration's digest")?;
        key(decoder, 3)?;
        let model = match decoder.datatype() {
            Ok(minicbor::data::Type::Null) => {
                decoder.null().map_err(cbor("the model"))?;
                None
            }
            _ => Some(digest(decoder, "the model's digest")?),
        };
        key(decoder, 4)?;
        let level = decoder.u64().map_err(cbor("the sandbox level"))?;
        let sandbox =
            SandboxLevel::from_number(level).ok_or(EntryError::SandboxLevel { found: level })?;
        key(decoder, 5)?;
        let version = decoder.str().map_err(cbor("the version"))?;
        Ok(Start::new(configuration, model, sandbox, version)?)
    }
}

/// Whether this is a version: 1 to [`MAX_VERSION_BYTES`] printable ASCII characters.
pub(crate) fn is_version(text: &str) -> bool {
    let printable = |byte: u8| (0x21..=0x7e).contains(&byte);
    (1..=MAX_VERSION_BYTES).contains(&text.len()) && text.bytes().all(printable)
}

/// The kinds of entries. Each has a bound of its own, so that neither crowds out the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A start of the daemon.
    Start,
    /// A head of the audit log.
    Head,
}

impl fmt::Display for EntryKind {
    /// Its name, of several.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            EntryKind::Start => "starts",
            EntryKind::Head => "heads of the audit log",
        })
    }
}

/// What an entry tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measured {
    /// A start of the daemon.
    Start(Start),
    /// Where the audit log stood.
    Head(Head),
}

impl From<Start> for Measured {
    fn from(start: Start) -> Measured {
        Measured::Start(start)
    }
}

impl From<Head> for Measured {
    fn from(head: Head) -> Measured {
        Measured::Head(head)
    }
}

/// One entry of the log, and its number since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    number: u32,
    measured: Measured,
}

impl Entry {
    pub(super) const fn new(number: u32, measured: Measured) -> Entry {
        Entry { number, measured }
    }

    /// Its number since boot, from 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Which kind it is of.
    pub const fn kind(&self) -> EntryKind {
        match self.measured {
            Measured::Start(_) => EntryKind::Start,
            Measured::Head(_) => EntryKind::Head,
        }
    }

    /// The start, if it tells of one.
    pub const fn start(&self) -> Option<&Start> {
        match &self.measured {
            Measured::Start(start) => Some(start),
            Measured::Head(_) => None,
        }
    }

    /// The head of the audit log, if it tells one.
    pub const fn head(&self) -> Option<&Head> {
        match &self.measured {
            Measured::Start(_) => None,
            Measured::Head(head) => Some(head),
        }
    }

    /// What the PCR of this bank is extended with: the digest of the entry's bytes.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Digest {
        algorithm.digest(&self.encode())
    }

    /// The entry's bytes, at most [`MAX_ENTRY_BYTES`], or [`MAX_HEAD_BYTES`] of a head.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::with_capacity(MAX_ENTRY_BYTES));
        let (format, fields) = match self.kind() {
            EntryKind::Start => START,
            EntryKind::Head => HEAD,
        };
        let written: Result<(), minicbor::encode::Error<std::convert::Infallible>> = (|| {
            encoder.map(fields)?.u8(0)?.u64(format)?;
            encoder.u8(1)?.u32(self.number)?;
            match &self.measured {
                Measured::Start(start) => start.write(&mut encoder),
                Measured::Head(head) => head.write(&mut encoder),
            }
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
        key(&mut decoder, 0)?;
        let format = decoder.u64().map_err(cbor("the format"))?;
        let (kind, expected) = match format {
            format if format == START.0 => (EntryKind::Start, START.1),
            format if format == HEAD.0 => (EntryKind::Head, HEAD.1),
            found => return Err(EntryError::Format { found }),
        };
        same("the number of fields", expected, fields.unwrap_or(0))?;
        key(&mut decoder, 1)?;
        let found = decoder.u64().map_err(cbor("the entry's number"))?;
        same("the entry's number", number.into(), found)?;
        let measured = match kind {
            EntryKind::Start => Measured::Start(Start::read(&mut decoder)?),
            EntryKind::Head => Measured::Head(Head::read(&mut decoder)?),
        };
        let entry = Entry { number, measured };
        // The digest is over the bytes, so there must be one way only to say a thing.
        let read = bytes.get(..decoder.position());
        match read == Some(entry.encode().as_slice()) {
            true => Ok((entry, decoder.position())),
            false => Err(EntryError::Encoding),
        }
    }
}

/// What the CBOR reader says, with what was being read.
pub(super) fn cbor(field: &'static str) -> impl FnOnce(Error) -> EntryError {
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

pub(super) fn key(decoder: &mut Decoder<'_>, expected: u64) -> Result<(), EntryError> {
    let found = decoder.u64().map_err(cbor("a key"))?;
    same("a key", expected, found)
}

pub(super) fn digest(decoder: &mut Decoder<'_>, field: &'static str) -> Result<Digest, EntryError> {
    let bytes = decoder.bytes().map_err(cbor(field))?;
    Digest::from_bytes(HashAlgorithm::Sha256, bytes).map_err(|_| EntryError::DigestLength {
        field,
        expected: HashAlgorithm::Sha256.digest_bytes(),
        found: bytes.len(),
    })
}
