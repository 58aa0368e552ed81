//! Header, manifest and chunk labels: bytes in, checked values out, and back.

use super::seal::PACKAGE_ID_BYTES;
use super::{CHUNK_BYTES, MAX_MANIFEST_BYTES, PackageId, UnpackError};
use crate::{Card, DIGEST_BYTES, Digest, MAX_CARD_BYTES, MAX_FILES, Role};

pub(super) const MAGIC: [u8; 8] = *b"\x89EARN\r\n\x1a";
pub(super) const VERSION: u16 = 1;

/// Bytes of the header that the manifest digest covers.
pub(super) const PREFIX_BYTES: usize = 20;
pub(super) const HEADER_BYTES: usize = PREFIX_BYTES + DIGEST_BYTES;

/// Bytes of a package's tag: enough to tell two packages apart by mistake, which is all that
/// it is for.
const TAG_BYTES: usize = 8;
pub(super) const LABEL_BYTES: usize = TAG_BYTES + 4;

/// The two forms of a package. The header names a suite for the chunks and one for the
/// signature; of the four pairs these two exist, so that nothing is encrypted unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Suites 0 and 0: readable by all, signed by nobody.
    Plain,
    /// Suites 1 and 1: ChaCha20-Poly1305 (RFC 8439) under a key by HKDF-SHA256 (RFC 5869),
    /// and ECDSA on P-256 with SHA-256 (FIPS 186-5).
    Sealed,
}

impl Form {
    fn suites(self) -> u16 {
        match self {
            Form::Plain => 0,
            Form::Sealed => 1,
        }
    }

    fn of(protection: u16, signature: u16) -> Result<Form, UnpackError> {
        match (protection, signature) {
            (0, 0) => Ok(Form::Plain),
            (1, 1) => Ok(Form::Sealed),
            (0 | 1, 0 | 1) => Err(UnpackError::SuitePair {
                protection,
                signature,
            }),
            (0 | 1, found) => Err(UnpackError::Signature { found }),
            (found, _) => Err(UnpackError::Protection { found }),
        }
    }
}

/// The fixed head of a package.
pub(super) struct Header {
    pub(super) form: Form,
    pub(super) prefix: [u8; PREFIX_BYTES],
    pub(super) manifest_bytes: usize,
    pub(super) manifest_digest: Digest,
}

impl Header {
    /// The bytes in front of the manifest digest, for a manifest of this length, which must
    /// not be above [`MAX_MANIFEST_BYTES`].
    pub(super) fn prefix(form: Form, manifest_bytes: usize) -> [u8; PREFIX_BYTES] {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..8].copy_from_slice(&MAGIC);
        prefix[8..10].copy_from_slice(&VERSION.to_le_bytes());
        prefix[10..12].copy_from_slice(&form.suites().to_le_bytes());
        prefix[12..14].copy_from_slice(&form.suites().to_le_bytes());
        prefix[16..20].copy_from_slice(&(manifest_bytes as u32).to_le_bytes());
        prefix
    }

    /// The header of this manifest, which must not be longer than [`MAX_MANIFEST_BYTES`].
    pub(super) fn of(form: Form, manifest: &[u8]) -> Header {
        let prefix = Header::prefix(form, manifest.len());
        Header {
            form,
            prefix,
            manifest_bytes: manifest.len(),
            manifest_digest: Digest::of_parts(&[&prefix, manifest]),
        }
    }

    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header, UnpackError> {
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.array("the magic")?;
        if magic != MAGIC {
            return Err(UnpackError::NotAPackage { found: magic });
        }
        match u16::from_le_bytes(fields.array("the version")?) {
            VERSION => {}
            found => {
                return Err(UnpackError::Version {
                    expected: VERSION,
                    found,
                });
            }
        }
        let protection = u16::from_le_bytes(fields.array("the protection suite")?);
        let signature = u16::from_le_bytes(fields.array("the signature suite")?);
        let form = Form::of(protection, signature)?;
        match u16::from_le_bytes(fields.array("the reserved bytes")?) {
            0 => {}
            found => return Err(UnpackError::Reserved { found }),
        }
        let found = u32::from_le_bytes(fields.array("the manifest's length")?);
        if found as usize > MAX_MANIFEST_BYTES {
            return Err(UnpackError::ManifestTooLong {
                limit: MAX_MANIFEST_BYTES,
                found,
            });
        }
        let mut prefix = [0; PREFIX_BYTES];
        prefix.copy_from_slice(&bytes[..PREFIX_BYTES]);
        Ok(Header {
            form,
            prefix,
            manifest_bytes: found as usize,
            manifest_digest: Digest::from_bytes(fields.array("the manifest's digest")?),
        })
    }

    /// Whether header and manifest are as they were written.
    pub(super) fn check(&self, manifest: &[u8]) -> Result<(), UnpackError> {
        let found = Digest::of_parts(&[&self.prefix, manifest]);
        if found != self.manifest_digest {
            return Err(UnpackError::ManifestDigest {
                expected: self.manifest_digest,
                found,
            });
        }
        Ok(())
    }

    /// The label of the chunk of this number.
    pub(super) fn label(&self, number: u32) -> [u8; LABEL_BYTES] {
        let mut label = [0; LABEL_BYTES];
        label[..TAG_BYTES].copy_from_slice(&self.tag());
        label[TAG_BYTES..].copy_from_slice(&number.to_le_bytes());
        label
    }

    /// Whether `label` is that of the chunk of this number.
    pub(super) fn check_label(
        &self,
        label: &[u8; LABEL_BYTES],
        number: u32,
    ) -> Result<(), UnpackError> {
        let mut fields = Fields(label);
        let tag: [u8; TAG_BYTES] = fields.array("the tag")?;
        if tag != self.tag() {
            return Err(UnpackError::ForeignChunk {
                number,
                expected: self.tag(),
                found: tag,
            });
        }
        let found = u32::from_le_bytes(fields.array("the number")?);
        if found != number {
            return Err(UnpackError::ChunkOrder {
                expected: number,
                found,
            });
        }
        Ok(())
    }

    fn tag(&self) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&self.manifest_digest.as_bytes()[..TAG_BYTES]);
        tag
    }
}

/// What a sealed package's manifest starts with.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealHead {
    pub(super) id: PackageId,
    pub(super) version: u64,
}

/// The head of a sealed package's manifest, and what follows it.
pub(super) fn seal_head(manifest: &[u8]) -> Result<(SealHead, &[u8]), UnpackError> {
    let mut fields = Fields(manifest);
    let id: [u8; PACKAGE_ID_BYTES] = fields.array("the package's id")?;
    let head = SealHead {
        id: PackageId::from_bytes(id),
        version: u64::from_le_bytes(fields.array("the package's version")?),
    };
    Ok((head, fields.0))
}

/// The card's text at the head of a manifest, and what follows it. Nothing else of the
/// manifest is read before somebody vouches for that card.
pub(super) fn card_text(manifest: &[u8]) -> Result<(&str, &[u8]), UnpackError> {
    let mut fields = Fields(manifest);
    let length = u32::from_le_bytes(fields.array("the card's length")?) as usize;
    if length > MAX_CARD_BYTES {
        return Err(UnpackError::Card(crate::CardError::TooLong {
            limit: MAX_CARD_BYTES,
            found: length,
        }));
    }
    let text = std::str::from_utf8(fields.slice("the card", length)?);
    Ok((text.map_err(UnpackError::CardText)?, fields.0))
}

/// A member as the manifest lists it: its role, and its plain size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) role: Role,
    pub(super) size: u64,
}

impl Member {
    /// How many chunks it is cut into.
    pub(super) fn chunk_count(&self) -> u64 {
        self.size.div_ceil(CHUNK_BYTES as u64)
    }
}

/// A chunk's place in its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Counted over the package, from zero.
    pub(super) number: u32,
    /// The member that it is cut from.
    pub(super) role: Role,
    /// Counted over the member, from zero.
    pub(super) place: u32,
    /// Its plain bytes.
    pub(super) bytes: usize,
    /// Whether its member ends with it.
    pub(super) last_of_member: bool,
    /// Whether the package ends with it.
    pub(super) last: bool,
}

/// The chunks of these members, in the order in which they are stored. The manifest's bound
/// keeps their number far below 2^32.
pub(super) fn chunks(members: &[Member]) -> impl Iterator<Item = Chunk> {
    let total = chunk_count(members);
    let cut = members.iter().flat_map(|member| {
        let count = member.chunk_count();
        (0..count).map(move |place| (member, place, place + 1 == count))
    });
    (0..).zip(cut).map(move |(number, (member, place, last))| {
        let before = place * CHUNK_BYTES as u64;
        Chunk {
            number,
            role: member.role,
            place: place as u32,
            bytes: (member.size - before).min(CHUNK_BYTES as u64) as usize,
            last_of_member: last,
            last: u64::from(number) + 1 == total,
        }
    })
}

/// How many chunks these members are cut into.
pub(super) fn chunk_count(members: &[Member]) -> u64 {
    members.iter().map(Member::chunk_count).sum()
}

/// The members of a manifest and the digests of their chunks, read from what follows the
/// card's text. Each member is in the card with this very size, none stands twice, and no
/// required one is missing.
pub(super) fn members<'m>(
    card: &Card,
    rest: &'m [u8],
) -> Result<(Vec<Member>, &'m [[u8; DIGEST_BYTES]]), UnpackError> {
    let mut fields = Fields(rest);
    let [count] = fields.array("the number of members")?;
    // Roles ascend, so there cannot be more members than roles; the bound is the card's all
    // the same, so that the allocation needs no such argument.
    let mut members: Vec<Member> = Vec::with_capacity(MAX_FILES.min(count.into()));
    for _ in 0..count {
        let role = match fields.array("a member's role")? {
            [code] => role_of(code).ok_or(UnpackError::UnknownRole { found: code })?,
        };
        if let Some(before) = members.last().filter(|member| member.role >= role) {
            return Err(UnpackError::MemberOrder {
                before: before.role,
                found: role,
            });
        }
        let size = u64::from_le_bytes(fields.array("a member's size")?);
        let file = card
            .file(role)
            .ok_or(UnpackError::StrayMember { found: role })?;
        if size != file.size() {
            return Err(UnpackError::MemberSize {
                role,
                expected: file.size(),
                found: size,
            });
        }
        members.push(Member { role, size });
    }
    for file in card.files().iter().filter(|file| file.role().is_required()) {
        if members.iter().all(|member| member.role != file.role()) {
            return Err(UnpackError::MissingMember { role: file.role() });
        }
    }
    // The card bounds the sizes, so the number cannot overflow.
    let count = chunk_count(&members) as usize;
    let digests = fields.slice("the chunk digests", count * DIGEST_BYTES)?;
    match fields.0.len() {
        0 => Ok((members, digests.as_chunks().0)),
        found => Err(UnpackError::ManifestTrailing { found }),
    }
}

/// The manifest up to the chunk digests, of members in ascending order of role.
pub(super) fn manifest_head(seal: Option<SealHead>, card: &str, members: &[Member]) -> Vec<u8> {
    let mut manifest = Vec::new();
    if let Some(seal) = seal {
        manifest.extend(seal.id.as_bytes());
        manifest.extend(seal.version.to_le_bytes());
    }
    manifest.extend((card.len() as u32).to_le_bytes());
    manifest.extend(card.as_bytes());
    manifest.push(members.len() as u8);
    for member in members {
        manifest.push(code_of(member.role));
        manifest.extend(member.size.to_le_bytes());
    }
    manifest
}

/// The role's code. Codes are never given anew, and ascend as the roles do.
pub(super) fn code_of(role: Role) -> u8 {
    match role {
        Role::Encoder => 1,
        Role::Decoder => 2,
        Role::Tokenizer => 3,
        Role::Vad => 4,
        Role::Sample => 5,
    }
}

fn role_of(code: u8) -> Option<Role> {
    Role::ALL.into_iter().find(|role| code_of(*role) == code)
}

/// Bytes yet to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn slice(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], UnpackError> {
        let short = UnpackError::ManifestField {
            field,
            expected: length as u64,
            found: self.0.len(),
        };
        let (slice, rest) = self.0.split_at_checked(length).ok_or(short)?;
        self.0 = rest;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], UnpackError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(field, N)?);
        Ok(array)
    }
}
