//! Whether the log is as it was written. It needs no key.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::Head;
use crate::chain::{Anchored, Checker};
use crate::error::{Flaw, ReadError};
use crate::folder::{self, Place};
use crate::segment::Rest;

/// Findings that are told. Whoever damaged a log so often is told enough.
const MOST_FINDINGS: usize = 64;

/// How often a look that a purge came in the way of is begun anew.
const TRIES: usize = 3;

/// A log that is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Segments of the log.
    pub segments: u32,
    /// Entries in them.
    pub entries: u64,
    /// The number of the oldest entry; what came before was purged.
    pub first: Option<u64>,
    /// The newest entry.
    pub head: Head,
    /// How it stands to the given head: [`Anchored::Unknown`], [`Anchored::Held`] or
    /// [`Anchored::Purged`].
    pub anchored: Anchored,
}

/// Something that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The segment.
    pub segment: u32,
    /// The last entry before it that is whole.
    pub after: u64,
    /// What.
    pub flaw: Flaw,
    /// Whether the daemon has noticed it and has put the segment aside.
    pub is_known: bool,
}

/// A log that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong inside the log, oldest first, up to a bound.
    pub findings: Vec<Finding>,
    /// How it stands to the given head.
    pub anchored: Anchored,
    /// The given head.
    pub anchor: Option<Head>,
    /// The newest entry that is whole.
    pub head: Head,
    /// Segments of the log.
    pub segments: u32,
    /// Entries that are whole.
    pub entries: u64,
}

/// On one line.
impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if let Some(anchor) = self.anchor {
            match self.anchored {
                Anchored::Missing => parts.push(format!(
                    "the log ends with entry {} and not with {} or later, which the device's \
                     evidence has",
                    self.head.sequence, anchor.sequence
                )),
                Anchored::Other => parts.push(format!(
                    "entry {} is another one than in the device's evidence",
                    anchor.sequence
                )),
                Anchored::Unknown | Anchored::Held | Anchored::Purged => {}
            }
        }
        parts.extend(self.findings.iter().map(|finding| {
            let Finding {
                segment,
                after,
                flaw,
                is_known,
            } = finding;
            let known = if *is_known { " (put aside before)" } else { "" };
            format!("segment {segment}, after entry {after}: {flaw}{known}")
        }));
        formatter.write_str(&parts.join("; "))
    }
}

/// Why a log is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not as it was written.
    #[error("the audit log is damaged: {0}")]
    Damaged(Box<Damage>),
    /// It cannot be read.
    #[error(transparent)]
    Read(ReadError),
}

/// Goes through the whole log, which may be written to meanwhile. `anchor` is a head that was
/// kept elsewhere; without one, a log that was cut at its end or replaced as a whole is not told
/// from one that was not.
///
/// # Errors
///
/// When it is damaged, or cannot be read.
pub fn verify(folder: &Path, anchor: Option<Head>) -> Result<Verified, VerifyError> {
    for _ in 0..TRIES {
        match once(folder, anchor) {
            // The oldest was purged while we read: what is left is another log to look at.
            Err(VerifyError::Read(ReadError::Read { error, .. }))
                if error.kind() == ErrorKind::NotFound && folder.exists() => {}
            done => return done,
        }
    }
    once(folder, anchor)
}

fn once(folder: &Path, anchor: Option<Head>) -> Result<Verified, VerifyError> {
    let mut checker = Checker::new(anchor);
    let mut findings = Vec::new();
    let places = folder::list(folder).map_err(|error| failed(folder, error))?;
    for (index, place) in places.iter().enumerate() {
        let bytes = folder::read(&place.path).map_err(|error| failed(&place.path, error))?;
        let is_last = index + 1 == places.len();
        look(&mut checker, place, bytes, is_last, &mut findings);
    }
    let head = checker.head();
    let anchored = checker.anchored;
    let (segments, entries) = (checker.segments, checker.entries);
    if findings.is_empty() && !matches!(anchored, Anchored::Missing | Anchored::Other) {
        let first = checker.first.filter(|first| *first <= head.sequence);
        return Ok(Verified {
            segments,
            entries,
            first,
            head,
            anchored,
        });
    }
    Err(VerifyError::Damaged(Box::new(Damage {
        findings,
        anchored,
        anchor,
        head,
        segments,
        entries,
    })))
}

/// Looks at one segment, and notes what is wrong.
fn look(
    checker: &mut Checker,
    place: &Place,
    bytes: Result<Vec<u8>, Flaw>,
    is_last: bool,
    findings: &mut Vec<Finding>,
) {
    let mut found = |after, flaw| {
        if findings.len() < MOST_FINDINGS {
            findings.push(Finding {
                segment: place.segment,
                after,
                flaw,
                is_known: place.is_aside,
            });
        }
    };
    let before = checker.head().sequence;
    let seen = checker.segment(place.segment, bytes.as_deref().map_err(|flaw| *flaw));
    if let Some(link) = seen.link {
        found(before, link);
    }
    let torn = seen.rest == Rest::Torn && !is_last;
    if torn {
        checker.torn_inside();
    }
    if let Some(flaw) = seen.flaw.or(torn.then_some(Flaw::Torn)) {
        found(checker.head().sequence, flaw);
    }
}

fn failed(path: &Path, error: io::Error) -> VerifyError {
    let path = path.to_owned();
    VerifyError::Read(ReadError::Read { path, error })
}
