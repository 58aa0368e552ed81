//! Why a package is not opened, or cannot be written.

use std::fmt;
use std::io;

use crate::{CardError, Digest, PackageError, Role};

/// A part of a package that can be cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackagePart {
    /// The fixed head.
    Header,
    /// The manifest.
    Manifest,
    /// The signature of a sealed package.
    Signature,
    /// The chunk of this number, its label included.
    Chunk(u32),
}

impl fmt::Display for PackagePart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackagePart::Header => formatter.write_str("header"),
            PackagePart::Manifest => formatter.write_str("manifest"),
            PackagePart::Signature => formatter.write_str("signature"),
            PackagePart::Chunk(number) => write!(formatter, "chunk {number}"),
        }
    }
}

/// Why a package is not opened.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The package cannot be read.
    #[error("the package cannot be read")]
    Unreadable(#[source] io::Error),
    /// The file ends too early.
    #[error("the package ends in its {part}: {expected} bytes were to come, {found} came")]
    Truncated {
        /// Where it ends.
        part: PackagePart,
        /// Bytes of that part.
        expected: usize,
        /// Bytes of it that are there.
        found: usize,
    },
    /// The file goes on after the last chunk.
    #[error("bytes follow the last chunk of the package")]
    TrailingBytes,
    /// The file does not start as a package does.
    #[error("this is no model package: it starts with {found:02x?}")]
    NotAPackage {
        /// The bytes in the place of the magic.
        found: [u8; 8],
    },
    /// A version that this program does not know.
    #[error("the package has format version {found}; this program reads {expected}")]
    Version {
        /// The version that is read.
        expected: u16,
        /// The version of the package.
        found: u16,
    },
    /// A protection suite that this program does not know.
    #[error("the package has protection suite {found}; this program knows 0 and 1")]
    Protection {
        /// The suite of the package.
        found: u16,
    },
    /// A signature suite that this program does not know.
    #[error("the package has signature suite {found}; this program knows 0 and 1")]
    Signature {
        /// The suite of the package.
        found: u16,
    },
    /// Encrypted but not signed, or signed but not encrypted: neither exists.
    #[error(
        "the package has protection suite {protection} with signature suite {signature}; \
         the two must be the same"
    )]
    SuitePair {
        /// The protection suite.
        protection: u16,
        /// The signature suite.
        signature: u16,
    },
    /// The package is sealed, and opens only with a content key.
    #[error("the package is sealed: it opens only with its content key")]
    Sealed,
    /// A sealed package was called for, and this one is plain.
    #[error("the package is plain; only a sealed one is taken here")]
    NotSealed,
    /// The header's zero bytes are not zero.
    #[error("the package header has {found:#06x} where zero must stand")]
    Reserved {
        /// What stands there.
        found: u16,
    },
    /// The manifest is longer than allowed.
    #[error("the package manifest has {found} bytes, more than {limit}")]
    ManifestTooLong {
        /// Most bytes allowed.
        limit: usize,
        /// Bytes by the header.
        found: u32,
    },
    /// Header and manifest do not have the digest that the header gives: they were damaged.
    #[error("the package manifest has the digest {found}, but its header says {expected}")]
    ManifestDigest {
        /// The digest by the header.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
    /// The package is whole, but not the one that the caller trusts.
    #[error("the package has the manifest digest {found}; trusted is {expected}")]
    UntrustedManifest {
        /// The trusted digest.
        expected: Digest,
        /// The package's digest.
        found: Digest,
    },
    /// A signature was called for, and the package has none.
    #[error("the package is not signed; the release key {expected} must have signed it")]
    Unsigned {
        /// The id of the release key.
        expected: Digest,
    },
    /// The package names another release key as its signer.
    #[error("the package names the release key {found} as its signer; trusted is {expected}")]
    OtherReleaseKey {
        /// The id of the trusted key.
        expected: Digest,
        /// The id in the package.
        found: Digest,
    },
    /// The signature is not the release key's over this manifest.
    #[error("the signature is not the release key's ({key}) over the manifest {manifest}")]
    WrongSignature {
        /// The id of the release key.
        key: Digest,
        /// The manifest digest that would have to be signed.
        manifest: Digest,
    },
    /// The package is older than what is still allowed.
    #[error("the package has version {found}; the least that is still allowed is {least}")]
    Rollback {
        /// The least version allowed.
        least: u64,
        /// The package's version.
        found: u64,
    },
    /// The package is whole, but nobody vouches for its card.
    #[error("the package carries a card that is not trusted, with SHA-256 {found}")]
    UntrustedCard {
        /// The digest of the card's text.
        found: Digest,
    },
    /// The manifest ends within one of its fields.
    #[error("the manifest has {found} bytes where {field} takes {expected}")]
    ManifestField {
        /// Which field.
        field: &'static str,
        /// Bytes that it takes.
        expected: u64,
        /// Bytes that are there.
        found: usize,
    },
    /// Bytes follow the last chunk digest.
    #[error("{found} bytes follow the last field of the manifest")]
    ManifestTrailing {
        /// How many.
        found: usize,
    },
    /// The card's text is not UTF-8.
    #[error("the card in the package is not UTF-8")]
    CardText(#[source] std::str::Utf8Error),
    /// The card is none.
    #[error("the card in the package is not valid")]
    Card(#[source] CardError),
    /// A role code that this program does not know.
    #[error("the package has a member of role code {found}, which is unknown")]
    UnknownRole {
        /// The code.
        found: u8,
    },
    /// Members are not in ascending order of role, each once.
    #[error("the member {found} stands in the package behind {before}")]
    MemberOrder {
        /// The member in front.
        before: Role,
        /// The member behind it.
        found: Role,
    },
    /// A member that the card does not have.
    #[error("the package has a member {found}, which its card does not have")]
    StrayMember {
        /// Its role.
        found: Role,
    },
    /// A member has another size than the card says.
    #[error("the member {role} has {found} bytes, but the card says {expected}")]
    MemberSize {
        /// Its role.
        role: Role,
        /// Bytes by the card.
        expected: u64,
        /// Bytes by the manifest.
        found: u64,
    },
    /// A file that the card requires is not in the package.
    #[error("the package lacks the {role}, which its card requires")]
    MissingMember {
        /// The file's role.
        role: Role,
    },
    /// A chunk of another package stands among this one's.
    #[error(
        "chunk {number} belongs to another package: its tag is {found:02x?}, not {expected:02x?}"
    )]
    ForeignChunk {
        /// The place, counted over the package.
        number: u32,
        /// This package's tag.
        expected: [u8; 8],
        /// The chunk's tag.
        found: [u8; 8],
    },
    /// Chunks were reordered, left out or repeated.
    #[error("chunk {found} stands in the place of chunk {expected}")]
    ChunkOrder {
        /// The chunk that belongs there.
        expected: u32,
        /// The chunk that is there.
        found: u32,
    },
    /// A chunk's bytes, as they are stored, are not the manifest's.
    #[error("chunk {number}, in the {role}, has the SHA-256 {found}; the manifest says {expected}")]
    WrongChunk {
        /// The chunk, counted over the package.
        number: u32,
        /// The member that it belongs to.
        role: Role,
        /// The digest by the manifest.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
    /// A chunk is what the release key signed, but the content key does not open it: it is
    /// the key of other packages, or a chunk of another place was signed.
    #[error("chunk {number}, in the {role}, is not encrypted under this content key")]
    WrongContentKey {
        /// The chunk, counted over the package.
        number: u32,
        /// The member that it belongs to.
        role: Role,
    },
    /// The members are the manifest's, but not the card's.
    #[error("the package does not hold the model of its card")]
    Model(#[source] PackageError),
}

/// Why a package cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file was taken out of the model.
    #[error("the {role} was taken out of the model, so it cannot be packed")]
    Taken {
        /// The file's role.
        role: Role,
    },
    /// The manifest would be longer than a reader takes.
    #[error("the manifest would have {found} bytes, more than {limit}")]
    ManifestTooLong {
        /// Most bytes allowed.
        limit: usize,
        /// Bytes that it would have.
        found: usize,
    },
    /// The system gives no random numbers, of which the package's id and its signature are
    /// made.
    #[error("the system gives no random numbers to seal the package with")]
    NoRandomness,
    /// The package cannot be written.
    #[error("the package cannot be written")]
    Unwritable(#[source] io::Error),
}
