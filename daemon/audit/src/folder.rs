//! The log's folder: which segments there are.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::Flaw;
use crate::segment::{HEADER_BYTES, MAX_SEGMENT_BYTES};

/// What a segment is called while it is made.
const UNFINISHED: &str = "audit.new";

/// A segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) path: PathBuf,
    /// Whether it was found damaged and is kept aside.
    pub(crate) is_aside: bool,
}

pub(crate) fn unfinished(folder: &Path) -> PathBuf {
    folder.join(UNFINISHED)
}

pub(crate) fn path(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("audit-{segment:08}.log"))
}

pub(crate) fn aside(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("audit-{segment:08}.damaged"))
}

/// The segments in a folder, oldest first. Other files are nobody's business.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some((segment, is_aside)) = name.and_then(parse) {
            places.push(Place {
                segment,
                path,
                is_aside,
            });
        }
    }
    places.sort_by_key(|place| (place.segment, !place.is_aside));
    Ok(places)
}

fn parse(name: &str) -> Option<(u32, bool)> {
    let (number, kind) = name.strip_prefix("audit-")?.split_once('.')?;
    let is_aside = match kind {
        "log" => false,
        "damaged" => true,
        _ => return None,
    };
    let digits = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    let segment = number.parse().ok().filter(|segment| *segment > 0)?;
    digits.then_some((segment, is_aside))
}

/// A segment's bytes; a flaw where there are more than a segment has.
pub(crate) fn read(path: &Path) -> io::Result<Result<Vec<u8>, Flaw>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    // One byte more than the limit tells that there are more.
    file.take(MAX_SEGMENT_BYTES + 1).read_to_end(&mut bytes)?;
    let too_long = bytes.len() as u64 > MAX_SEGMENT_BYTES;
    Ok(match too_long {
        true => Err(Flaw::TooLong),
        false => Ok(bytes),
    })
}

/// A segment's first bytes, as many as a header has or fewer.
pub(crate) fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(HEADER_BYTES as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns once the names in a folder are on the disk for good.
pub(crate) fn synchronise(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_listed_in_their_order_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "audit-00000002.log",
            "audit-00000001.damaged",
            "audit-00000010.log",
            "audit-00000000.log",
            "audit-3.log",
            "audit-0000000a.log",
            "audit-00000003.log.bak",
            "audit-+0000003.log",
            "audit.lock",
            "audit.new",
        ] {
            File::create(folder.path().join(name)).unwrap();
        }
        let found = list(folder.path()).unwrap();
        let found: Vec<(u32, bool)> = found
            .iter()
            .map(|one| (one.segment, one.is_aside))
            .collect();
        assert_eq!(found, [(1, true), (2, false), (10, false)]);
    }
}
