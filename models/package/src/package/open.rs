//! Opening a package: the one place where the format meets a reader.

use std::io::Read;

use super::format::{self, Header, LABEL_BYTES, Member};
use super::{PackagePart, UnpackError};
use crate::{Card, Digest, Model, Role};

/// Why a package may be used.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Because its card is one of [`Card::builtin`], byte for byte.
    Builtin,
    /// Because its card is this one, byte for byte.
    Card(&'a Card),
    /// Because its manifest digest is this one, known from elsewhere.
    Manifest(Digest),
}

impl Model {
    /// Opens a package. Header and manifest are checked before the card is looked at, the
    /// card's right to be trusted before anything else of the manifest is read, each chunk
    /// as it comes, and each whole file against the card at the end; there is a model only
    /// when all of it holds and nothing follows.
    ///
    /// What is allocated is bounded by [`super::MAX_MANIFEST_BYTES`] until the card is
    /// trusted, and from then on by the card.
    pub fn open_package(mut reader: impl Read, trust: Trust<'_>) -> Result<Model, UnpackError> {
        let header = Header::parse(&array(&mut reader, PackagePart::Header)?)?;
        let mut manifest = Vec::new();
        append(
            &mut reader,
            PackagePart::Manifest,
            header.manifest_bytes,
            &mut manifest,
        )?;
        header.check(&manifest)?;
        let (card, rest) = trusted_card(&header, &manifest, trust)?;
        let members = format::members(&card, rest)?;
        let files = chunks(&mut reader, &header, &members)?;
        let mut after = [0; 1];
        match read_up_to(&mut reader, &mut after)? {
            0 => Model::from_files(&card, files).map_err(UnpackError::Model),
            _ => Err(UnpackError::TrailingBytes),
        }
    }
}

/// The card of the manifest, if `trust` covers it, and what follows it. A stranger's card is
/// never parsed: it is compared as text, or covered by the trusted digest.
fn trusted_card<'m>(
    header: &Header,
    manifest: &'m [u8],
    trust: Trust<'_>,
) -> Result<(Card, &'m [u8]), UnpackError> {
    if let Trust::Manifest(expected) = trust
        && header.manifest_digest != expected
    {
        return Err(UnpackError::UntrustedManifest {
            expected,
            found: header.manifest_digest,
        });
    }
    let (text, rest) = format::card_text(manifest)?;
    let known = match trust {
        Trust::Manifest(_) => return Ok((Card::parse(text).map_err(UnpackError::Card)?, rest)),
        Trust::Builtin => Card::builtin().iter().find(|card| card.text() == text),
        Trust::Card(card) => Some(card).filter(|card| card.text() == text),
    };
    match known {
        Some(card) => Ok((card.clone(), rest)),
        None => Err(UnpackError::UntrustedCard {
            found: Digest::of(text.as_bytes()),
        }),
    }
}

/// The members' bytes, each chunk checked before the next is read.
fn chunks(
    reader: &mut impl Read,
    header: &Header,
    members: &[Member],
) -> Result<Vec<(Role, Vec<u8>)>, UnpackError> {
    let mut number = 0;
    let mut files = Vec::with_capacity(members.len());
    for member in members {
        let mut bytes = Vec::with_capacity(member.size as usize);
        for (place, &expected) in member.chunks.iter().enumerate() {
            let part = PackagePart::Chunk(number);
            let label: [u8; LABEL_BYTES] = array(reader, part)?;
            header.check_label(&label, number)?;
            let start = bytes.len();
            append(reader, part, member.chunk_bytes(place), &mut bytes)?;
            let found = Digest::of(&bytes[start..]);
            if found != expected {
                return Err(UnpackError::WrongChunk {
                    number,
                    role: member.role,
                    expected,
                    found,
                });
            }
            number += 1;
        }
        files.push((member.role, bytes));
    }
    Ok(files)
}

fn array<const N: usize>(
    reader: &mut impl Read,
    part: PackagePart,
) -> Result<[u8; N], UnpackError> {
    let mut bytes = [0; N];
    let found = read_up_to(reader, &mut bytes)?;
    whole(part, N, found)?;
    Ok(bytes)
}

/// Appends `expected` bytes. The buffer grows with what comes, not with what was announced.
fn append(
    reader: &mut impl Read,
    part: PackagePart,
    expected: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), UnpackError> {
    let found = reader
        .take(expected as u64)
        .read_to_end(bytes)
        .map_err(UnpackError::Unreadable)?;
    whole(part, expected, found)
}

fn whole(part: PackagePart, expected: usize, found: usize) -> Result<(), UnpackError> {
    if found < expected {
        return Err(UnpackError::Truncated {
            part,
            expected,
            found,
        });
    }
    Ok(())
}

/// Fills `bytes` as far as the reader goes, and says how far.
fn read_up_to(reader: &mut impl Read, bytes: &mut [u8]) -> Result<usize, UnpackError> {
    let mut found = 0;
    while found < bytes.len() {
        match reader.read(&mut bytes[found..]) {
            Ok(0) => break,
            Ok(count) => found += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(UnpackError::Unreadable(error)),
        }
    }
    Ok(found)
}
