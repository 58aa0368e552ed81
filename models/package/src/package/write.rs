//! Writing a package, plain or sealed.

use std::io::Write;

use zeroize::Zeroizing;

use super::format::{self, Chunk, Form, Header, Member, SealHead};
use super::seal::{ChunkCipher, PackageId, Sealing, TAG_BYTES, release_message};
use super::{CHUNK_BYTES, MAX_MANIFEST_BYTES, PackageSummary, SealSummary, WriteError};
use crate::{DIGEST_BYTES, Digest, Model, ReleaseSigningKey, Role};

impl Model {
    /// Writes this model as one plain file, and returns the manifest digest that names it.
    /// The same model gives the same bytes, always.
    pub fn write_package(&self, writer: impl Write) -> Result<Digest, WriteError> {
        let members = self.packed_members()?;
        let header = write(self.card().text(), &members, None, writer)?;
        Ok(header.manifest_digest)
    }

    /// Writes this model as one sealed file: encrypted, under a random id of its own, and
    /// signed. Each chunk is encrypted twice, once for its digest, which stands in front,
    /// and once for the file, so that besides the model no more than a chunk is held.
    pub fn seal_package(
        &self,
        sealing: &Sealing<'_>,
        writer: impl Write,
    ) -> Result<PackageSummary, WriteError> {
        let members = self.packed_members()?;
        let id = PackageId::generate().map_err(|_| WriteError::NoRandomness)?;
        let version = sealing.version;
        let form = SealedForm {
            head: SealHead { id, version },
            sealing: *sealing,
        };
        let header = write(self.card().text(), &members, Some(&form), writer)?;
        let sizes = members
            .iter()
            .map(|(role, bytes)| (*role, bytes.len() as u64));
        Ok(PackageSummary {
            digest: header.manifest_digest,
            card: self.card().digest(),
            card_name: self.card().name().to_owned(),
            members: sizes.collect(),
            seal: Some(SealSummary {
                id,
                version,
                release_key: sealing.release_key.public().id(),
            }),
        })
    }

    /// The files that go into a package, in ascending order of role.
    fn packed_members(&self) -> Result<Vec<(Role, &[u8])>, WriteError> {
        let mut members = Vec::with_capacity(Role::ALL.len());
        for role in Role::ALL {
            let required = role.is_required() && self.card().file(role).is_some();
            match self.file(role) {
                Some(bytes) => members.push((role, bytes)),
                None if required => return Err(WriteError::Taken { role }),
                None => {}
            }
        }
        Ok(members)
    }
}

/// What a sealed package is written with.
pub(super) struct SealedForm<'a> {
    pub(super) head: SealHead,
    pub(super) sealing: Sealing<'a>,
}

/// Writes the package of a card and members in ascending order of role. It does not ask
/// whether they fit, so that tests can write what must be refused.
pub(super) fn write(
    card: &str,
    members: &[(Role, &[u8])],
    sealed: Option<&SealedForm<'_>>,
    mut writer: impl Write,
) -> Result<Header, WriteError> {
    let listed: Vec<Member> = members
        .iter()
        .map(|(role, bytes)| Member {
            role: *role,
            size: bytes.len() as u64,
        })
        .collect();
    let mut manifest = format::manifest_head(sealed.map(|sealed| sealed.head), card, &listed);
    let length = manifest.len() + format::chunk_count(&listed) as usize * DIGEST_BYTES;
    if length > MAX_MANIFEST_BYTES {
        return Err(WriteError::ManifestTooLong {
            limit: MAX_MANIFEST_BYTES,
            found: length,
        });
    }
    let form = sealed.map_or(Form::Plain, |_| Form::Sealed);
    let prefix = Header::prefix(form, length);
    let head = Digest::of_parts(&[&prefix, &manifest]);
    let mut stored = Stored {
        cipher: sealed
            .map(|sealed| ChunkCipher::new(sealed.sealing.content_key, sealed.head.id, head)),
        buffer: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
    };
    let chunks = || {
        let bytes = members
            .iter()
            .flat_map(|(_, bytes)| bytes.chunks(CHUNK_BYTES));
        format::chunks(&listed).zip(bytes)
    };
    for (chunk, bytes) in chunks() {
        manifest.extend(Digest::of(stored.as_stored(&chunk, bytes)).as_bytes());
    }
    let header = Header::of(form, &manifest);
    let mut put = |bytes: &[u8]| writer.write_all(bytes).map_err(WriteError::Unwritable);
    put(&header.prefix)?;
    put(header.manifest_digest.as_bytes())?;
    put(&manifest)?;
    if let Some(sealed) = sealed {
        put(&signature_block(sealed.sealing.release_key, &header)?)?;
    }
    for (chunk, bytes) in chunks() {
        put(&header.label(chunk.number))?;
        put(stored.as_stored(&chunk, bytes))?;
    }
    writer.flush().map_err(WriteError::Unwritable)?;
    Ok(header)
}

/// The signer's id and its signature of the manifest.
fn signature_block(key: &ReleaseSigningKey, header: &Header) -> Result<Vec<u8>, WriteError> {
    let message = release_message(&header.manifest_digest);
    let signature = key.sign(&message).ok_or(WriteError::NoRandomness)?;
    Ok([&key.public().id().as_bytes()[..], &signature].concat())
}

/// Turns chunks into what is stored of them.
struct Stored {
    cipher: Option<ChunkCipher>,
    /// One chunk, overwritten when dropped; its capacity is never exceeded, so that no copy
    /// is left behind.
    buffer: Zeroizing<Vec<u8>>,
}

impl Stored {
    fn as_stored<'b>(&'b mut self, chunk: &Chunk, bytes: &'b [u8]) -> &'b [u8] {
        let Some(cipher) = &self.cipher else {
            return bytes;
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        let tag = cipher.seal(chunk, &mut self.buffer);
        self.buffer.extend_from_slice(&tag);
        &self.buffer
    }
}
