//! Opening a package: the one place where the format meets a reader.

use std::io::Read;

use zeroize::Zeroizing;

use super::format::{self, Form, Header, LABEL_BYTES, Member, SealHead};
use super::seal::{ChunkCipher, TAG_BYTES, Unsealing, release_message};
use super::{PackagePart, PackageSummary, SealSummary, UnpackError};
use crate::keys::SIGNATURE_BYTES;
use crate::model::Files;
use crate::{Card, ContentKey, DIGEST_BYTES, Digest, Model, ReleaseVerifyingKey};

/// Why a package may be used.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Because its card is one of [`Card::builtin`], byte for byte.
    Builtin,
    /// Because its card is this one, byte for byte.
    Card(&'a Card),
    /// Because its manifest digest is this one, known from elsewhere.
    Manifest(Digest),
    /// Because this key signed its manifest.
    Release(&'a ReleaseVerifyingKey),
}

impl Model {
    /// Opens a plain package. Header and manifest are checked before the card is looked at,
    /// the card's right to be trusted before anything else of the manifest is read, each
    /// chunk as it comes, and each whole file against the card at the end; there is a model
    /// only when all of it holds and nothing follows.
    ///
    /// What is allocated is bounded by [`super::MAX_MANIFEST_BYTES`] until the card is
    /// trusted, and from then on by the card.
    pub fn open_package(mut reader: impl Read, trust: Trust<'_>) -> Result<Model, UnpackError> {
        let header = Header::parse(&array(&mut reader, PackagePart::Header)?)?;
        match header.form {
            Form::Plain => Front::read(header, &mut reader, trust)?.model(&mut reader, None),
            Form::Sealed => Err(UnpackError::Sealed),
        }
    }

    /// Opens a sealed package, in the same order and within the same bounds as
    /// [`Model::open_package`]: the release key's signature is checked before the card is
    /// parsed, the version before a chunk is read, each chunk's stored bytes before they are
    /// decrypted, and there is no model, and so no plaintext, before the last byte was
    /// checked. A plain package is refused.
    ///
    /// Besides the model's own bytes the manifest alone is held: chunks are decrypted where
    /// they come to lie.
    pub fn open_sealed_package(
        mut reader: impl Read,
        unsealing: &Unsealing<'_>,
    ) -> Result<Model, UnpackError> {
        let header = Header::parse(&array(&mut reader, PackagePart::Header)?)?;
        if header.form == Form::Plain {
            return Err(UnpackError::NotSealed);
        }
        let front = Front::read(header, &mut reader, Trust::Release(unsealing.release_key))?;
        match front.seal {
            Some(seal) if seal.version < unsealing.least_version => Err(UnpackError::Rollback {
                least: unsealing.least_version,
                found: seal.version,
            }),
            _ => front.model(&mut reader, Some(unsealing.content_key)),
        }
    }

    /// Tells what a package is, without its content key and without reading its chunks. The
    /// chunks may still turn out damaged: [`Model::package`] tells the same of a package
    /// that was opened.
    pub fn inspect_package(
        mut reader: impl Read,
        trust: Trust<'_>,
    ) -> Result<PackageSummary, UnpackError> {
        let header = Header::parse(&array(&mut reader, PackagePart::Header)?)?;
        Ok(Front::read(header, &mut reader, trust)?.summary())
    }
}

/// Bytes of a signer's id and its signature.
const SIGNATURE_BLOCK_BYTES: usize = DIGEST_BYTES + SIGNATURE_BYTES;

/// Who claims to have signed a package, and the signature.
struct SignatureBlock {
    key: Digest,
    signature: [u8; SIGNATURE_BYTES],
}

/// What stands in front of the chunks, checked and trusted.
struct Front {
    header: Header,
    /// The digest of everything in front of the chunk digests.
    head: Digest,
    seal: Option<SealHead>,
    /// The signer's id, as the package gives it.
    release_key: Option<Digest>,
    card: Card,
    members: Vec<Member>,
    digests: Vec<Digest>,
}

impl Front {
    fn read(
        header: Header,
        reader: &mut impl Read,
        trust: Trust<'_>,
    ) -> Result<Front, UnpackError> {
        let mut manifest = Vec::new();
        append(
            reader,
            PackagePart::Manifest,
            header.manifest_bytes,
            &mut manifest,
        )?;
        header.check(&manifest)?;
        let signature = match header.form {
            Form::Plain => None,
            Form::Sealed => Some(signature_block(reader)?),
        };
        check_digest_and_signature(&header, signature.as_ref(), trust)?;
        let (seal, rest) = match header.form {
            Form::Plain => (None, &manifest[..]),
            Form::Sealed => {
                let (seal, rest) = format::seal_head(&manifest)?;
                (Some(seal), rest)
            }
        };
        let (card, rest) = trusted_card(rest, trust)?;
        let (members, digests) = format::members(&card, rest)?;
        let digest_bytes = digests.len() * DIGEST_BYTES;
        let head = &manifest[..manifest.len() - digest_bytes];
        Ok(Front {
            head: Digest::of_parts(&[&header.prefix, head]),
            header,
            seal,
            release_key: signature.map(|signature| signature.key),
            card,
            members,
            digests: digests.iter().copied().map(Digest::from_bytes).collect(),
        })
    }

    fn summary(&self) -> PackageSummary {
        let members = self.members.iter().map(|member| (member.role, member.size));
        let seal = self.seal.zip(self.release_key);
        PackageSummary {
            digest: self.header.manifest_digest,
            card: self.card.digest(),
            card_name: self.card.name().to_owned(),
            members: members.collect(),
            seal: seal.map(|(seal, release_key)| SealSummary {
                id: seal.id,
                version: seal.version,
                release_key,
            }),
        }
    }

    /// Reads the chunks to the end of the file, and makes the model of them.
    fn model(
        self,
        reader: &mut impl Read,
        content_key: Option<&ContentKey>,
    ) -> Result<Model, UnpackError> {
        let cipher = match (self.seal, content_key) {
            (None, _) => None,
            (Some(seal), Some(key)) => Some(ChunkCipher::new(key, seal.id, self.head)),
            (Some(_), None) => return Err(UnpackError::Sealed),
        };
        let files = self.chunks(reader, cipher.as_ref())?;
        let mut after = [0; 1];
        match read_up_to(reader, &mut after)? {
            0 => {
                let model = Model::from_files(&self.card, files).map_err(UnpackError::Model)?;
                Ok(model.out_of(self.summary()))
            }
            _ => Err(UnpackError::TrailingBytes),
        }
    }

    /// The members' bytes, each chunk checked before the next is read.
    fn chunks(
        &self,
        reader: &mut impl Read,
        cipher: Option<&ChunkCipher>,
    ) -> Result<Files, UnpackError> {
        let overhead = cipher.map_or(0, |_| TAG_BYTES);
        let mut chunks = format::chunks(&self.members).zip(&self.digests);
        let mut files = Vec::with_capacity(self.members.len());
        for member in &self.members {
            // All of it at once, by the size that the card gives, so that the buffer is never
            // moved and leaves no copy of its plaintext behind.
            let size = member.size as usize + overhead;
            let mut bytes = Zeroizing::new(Vec::with_capacity(size));
            for (chunk, &expected) in chunks.by_ref().take(member.chunk_count() as usize) {
                let part = PackagePart::Chunk(chunk.number);
                let label: [u8; LABEL_BYTES] = array(reader, part)?;
                self.header.check_label(&label, chunk.number)?;
                let start = bytes.len();
                bytes.resize(start + chunk.bytes + overhead, 0);
                let stored = &mut bytes[start..];
                let came = read_up_to(reader, stored)?;
                whole(part, stored.len(), came)?;
                let found = Digest::of(stored);
                if found != expected {
                    return Err(UnpackError::WrongChunk {
                        number: chunk.number,
                        role: chunk.role,
                        expected,
                        found,
                    });
                }
                if cipher.is_some_and(|cipher| !cipher.open(&chunk, stored)) {
                    return Err(UnpackError::WrongContentKey {
                        number: chunk.number,
                        role: chunk.role,
                    });
                }
                bytes.truncate(start + chunk.bytes);
            }
            files.push((member.role, bytes));
        }
        Ok(files)
    }
}

/// Whether the package is the trusted one, where trust names a digest or a key. Whether its
/// card is, comes after.
fn check_digest_and_signature(
    header: &Header,
    signed: Option<&SignatureBlock>,
    trust: Trust<'_>,
) -> Result<(), UnpackError> {
    let found = header.manifest_digest;
    match (trust, signed) {
        (Trust::Manifest(expected), _) if found != expected => {
            Err(UnpackError::UntrustedManifest { expected, found })
        }
        (Trust::Release(key), None) => Err(UnpackError::Unsigned { expected: key.id() }),
        (Trust::Release(key), Some(signed)) => {
            let expected = key.id();
            if signed.key != expected {
                return Err(UnpackError::OtherReleaseKey {
                    expected,
                    found: signed.key,
                });
            }
            match key.verifies(&release_message(&found), &signed.signature) {
                true => Ok(()),
                false => Err(UnpackError::WrongSignature {
                    key: expected,
                    manifest: found,
                }),
            }
        }
        (Trust::Builtin | Trust::Card(_) | Trust::Manifest(_), _) => Ok(()),
    }
}

/// The card at the head of `manifest`, if `trust` covers it, and what follows it. A
/// stranger's card is never parsed: it is compared as text, or covered by the trusted digest
/// or signature.
fn trusted_card<'m>(manifest: &'m [u8], trust: Trust<'_>) -> Result<(Card, &'m [u8]), UnpackError> {
    let (text, rest) = format::card_text(manifest)?;
    let known = match trust {
        Trust::Manifest(_) | Trust::Release(_) => {
            return Ok((Card::parse(text).map_err(UnpackError::Card)?, rest));
        }
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

/// The signer's id and the signature, which follow the manifest of a sealed package.
fn signature_block(reader: &mut impl Read) -> Result<SignatureBlock, UnpackError> {
    let block: [u8; SIGNATURE_BLOCK_BYTES] = array(reader, PackagePart::Signature)?;
    let mut key = [0; DIGEST_BYTES];
    let mut signature = [0; SIGNATURE_BYTES];
    let (front, back) = block.split_at(DIGEST_BYTES);
    key.copy_from_slice(front);
    signature.copy_from_slice(back);
    Ok(SignatureBlock {
        key: Digest::from_bytes(key),
        signature,
    })
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
