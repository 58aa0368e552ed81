//! Writing a package.

use std::io::Write;

use super::format::{self, Header, Member};
use super::{CHUNK_BYTES, MAX_MANIFEST_BYTES, WriteError};
use crate::{Digest, Model, Role};

impl Model {
    /// Writes this model as one file, and returns the manifest digest that names it. The
    /// same model gives the same bytes, always.
    pub fn write_package(&self, writer: impl Write) -> Result<Digest, WriteError> {
        let mut members = Vec::with_capacity(Role::ALL.len());
        for role in Role::ALL {
            let required = role.is_required() && self.card().file(role).is_some();
            match self.file(role) {
                Some(bytes) => members.push((role, bytes)),
                None if required => return Err(WriteError::Taken { role }),
                None => {}
            }
        }
        write(self.card().text(), &members, writer)
    }
}

/// Writes the package of a card and members in ascending order of role. It does not ask
/// whether they fit, so that tests can write what must be refused.
pub(super) fn write(
    card: &str,
    members: &[(Role, &[u8])],
    mut writer: impl Write,
) -> Result<Digest, WriteError> {
    let listed: Vec<Member> = members
        .iter()
        .map(|(role, bytes)| Member::of(*role, bytes))
        .collect();
    let manifest = format::manifest(card, &listed);
    if manifest.len() > MAX_MANIFEST_BYTES {
        return Err(WriteError::ManifestTooLong {
            limit: MAX_MANIFEST_BYTES,
            found: manifest.len(),
        });
    }
    let header = Header::of(&manifest);
    let mut put = |bytes: &[u8]| writer.write_all(bytes).map_err(WriteError::Unwritable);
    put(&header.prefix)?;
    put(header.manifest_digest.as_bytes())?;
    put(&manifest)?;
    let chunks = members
        .iter()
        .flat_map(|(_, bytes)| bytes.chunks(CHUNK_BYTES));
    // The manifest's bound keeps the number of chunks far below 2^32.
    for (number, chunk) in (0..).zip(chunks) {
        put(&header.label(number))?;
        put(chunk)?;
    }
    writer.flush().map_err(WriteError::Unwritable)?;
    Ok(header.manifest_digest)
}
