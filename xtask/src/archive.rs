//! Listed members out of a registry's archive, and nothing else.
//!
//! An archive is hostile until its digest is known, and is read carefully even then: members
//! are matched by their full name and read into memory, so that no path of the archive ever
//! reaches the file system, and each is bounded by the length that the caller expects of it.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use anyhow::{Context, Result, bail};

/// A member that the caller wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    /// Its full name in the archive, for example `package/dist/model.onnx`.
    pub(crate) member: String,
    /// The most bytes it may hold: what a lying archive can make us read.
    pub(crate) limit: u64,
}

/// What packs the members together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A tar file under gzip: what npm packs.
    TarGzip,
    /// A zip file: what a Python wheel is.
    Zip,
}

/// Entries looked at in one archive before giving up; the largest archive in use has a few
/// hundred, a wheel of a big library a few thousand.
const MOST_ENTRIES: usize = 20_000;

/// Reads the wanted members. Fails when one is missing, is no plain file, or is longer than
/// its limit.
pub(crate) fn members(
    reader: impl Read + Seek,
    format: Format,
    wanted: &[Wanted],
) -> Result<BTreeMap<String, Vec<u8>>> {
    let found = match format {
        Format::TarGzip => tar_members(reader, wanted)?,
        Format::Zip => zip_members(reader, wanted)?,
    };
    for Wanted { member, .. } in wanted {
        if !found.contains_key(member) {
            bail!("the archive has no member `{member}`");
        }
    }
    Ok(found)
}

fn tar_members(reader: impl Read, wanted: &[Wanted]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(reader));
    for (count, entry) in archive.entries()?.enumerate() {
        if count == MOST_ENTRIES {
            bail!("the archive has more than {MOST_ENTRIES} entries");
        }
        let mut entry = entry.context("the archive cannot be read")?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(member) = wanted.iter().find(|wanted| wanted.member == name) else {
            continue;
        };
        if !entry.header().entry_type().is_file() {
            bail!("`{name}` is no plain file");
        }
        let bytes = bounded(&mut entry, member)?;
        found.insert(name, bytes);
    }
    Ok(found)
}

fn zip_members(reader: impl Read + Seek, wanted: &[Wanted]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut archive = zip::ZipArchive::new(reader).context("the archive cannot be read")?;
    if archive.len() > MOST_ENTRIES {
        bail!("the archive has more than {MOST_ENTRIES} entries");
    }
    for member in wanted {
        let Some(index) = archive.index_for_name(&member.member) else {
            continue;
        };
        let mut entry = archive.by_index(index)?;
        if !entry.is_file() {
            bail!("`{}` is no plain file", member.member);
        }
        let bytes = bounded(&mut entry, member)?;
        found.insert(member.member.clone(), bytes);
    }
    Ok(found)
}

/// Reads to the end or to one byte past the limit, whatever the archive's headers say.
fn bounded(reader: &mut impl Read, wanted: &Wanted) -> Result<Vec<u8>> {
    let Wanted { member, limit } = wanted;
    let mut bytes = Vec::new();
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| format!("`{member}` cannot be read"))?;
    if bytes.len() as u64 > *limit {
        bail!("`{member}` is longer than the {limit} bytes expected");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn tarball(entries: &[(&str, &[u8])]) -> Cursor<Vec<u8>> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        for (name, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            // Written by hand: the library refuses the hostile names that this test needs.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        Cursor::new(builder.into_inner().unwrap().finish().unwrap())
    }

    fn zipped(entries: &[(&str, &[u8])]) -> Cursor<Vec<u8>> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn wanted(member: &str, limit: u64) -> Vec<Wanted> {
        vec![Wanted {
            member: member.to_owned(),
            limit,
        }]
    }

    /// Both formats, packed alike.
    fn both(entries: &[(&str, &[u8])]) -> [(Format, Cursor<Vec<u8>>); 2] {
        [
            (Format::TarGzip, tarball(entries)),
            (Format::Zip, zipped(entries)),
        ]
    }

    #[test]
    fn only_the_wanted_members_come_out() {
        for (format, archive) in both(&[("p/a", b"one"), ("../../b", b"two"), ("p/c", b"three")]) {
            let found = members(archive, format, &wanted("p/c", 5)).unwrap();
            assert_eq!(
                found,
                BTreeMap::from([("p/c".to_owned(), b"three".to_vec())])
            );
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        for (format, archive) in both(&[("p/a", b"one")]) {
            let error = members(archive, format, &wanted("p/b", 5)).unwrap_err();
            assert!(error.to_string().contains("p/b"), "{error}");
        }
    }

    #[test]
    fn a_member_longer_than_expected_is_refused() {
        for (format, archive) in both(&[("p/a", &[0; 6])]) {
            let error = members(archive, format, &wanted("p/a", 5)).unwrap_err();
            assert!(error.to_string().contains("longer"), "{error}");
        }
    }

    #[test]
    fn a_link_in_a_members_place_is_refused() {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder
            .append_link(&mut header, "p/a", "/etc/hostname")
            .unwrap();
        let archive = Cursor::new(builder.into_inner().unwrap().finish().unwrap());
        let error = members(archive, Format::TarGzip, &wanted("p/a", 5)).unwrap_err();
        assert!(error.to_string().contains("no plain file"), "{error}");
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let payload = [7; 4_000];
        for (format, archive) in both(&[("p/a", &payload)]) {
            let whole = archive.into_inner();
            let half = Cursor::new(whole[..whole.len() / 2].to_vec());
            assert!(members(half, format, &wanted("p/a", 4_000)).is_err());
        }
    }
}
