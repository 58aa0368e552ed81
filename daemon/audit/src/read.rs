//! Reading, with the secret keys.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::vec;

use crate::entry::{self, Entry};
use crate::error::{Flaw, ReadError};
use crate::folder::{self, Place};
use crate::key::{SecretKey, SegmentKey};
use crate::segment::{self, Header, Rest, Walk};

/// Reads a log, which may be written to meanwhile: what was on the disk at the time is seen.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    keys: Vec<SecretKey>,
}

impl Reader {
    /// The log in this folder, read with these keys. Segments of other keys are told of as they
    /// are come by.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn open(folder: &Path, keys: &[SecretKey]) -> Result<Reader, ReadError> {
        folder::list(folder).map_err(|error| failed(folder, error))?;
        Ok(Reader {
            folder: folder.to_owned(),
            keys: keys.to_vec(),
        })
    }

    /// The entries after the one with this number, oldest first. One segment at a time is in
    /// memory. What cannot be read is an error in its place, and the entries after it follow.
    pub fn after(&self, sequence: u64) -> Entries {
        let (places, error) = match folder::list(&self.folder) {
            Ok(places) => (VecDeque::from(places), None),
            Err(error) => (VecDeque::new(), Some(failed(&self.folder, error))),
        };
        Entries {
            keys: self.keys.clone(),
            after: sequence,
            places,
            at_hand: Vec::new().into_iter(),
            error,
        }
    }
}

/// Entries of a log, or what kept one from being read.
#[derive(Debug)]
pub struct Entries {
    keys: Vec<SecretKey>,
    after: u64,
    places: VecDeque<Place>,
    at_hand: vec::IntoIter<Entry>,
    /// What is wrong after the entries at hand.
    error: Option<ReadError>,
}

impl Iterator for Entries {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Result<Entry, ReadError>> {
        loop {
            if let Some(entry) = self.at_hand.next() {
                return Some(Ok(entry));
            }
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            let place = self.places.pop_front()?;
            self.load(&place);
        }
    }
}

impl Entries {
    fn load(&mut self, place: &Place) {
        if self.next_tells_enough() {
            return;
        }
        let is_last = self.places.is_empty();
        let bytes = match folder::read(&place.path) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(flaw)) => {
                let segment = place.segment;
                self.error = Some(ReadError::Segment { segment, flaw });
                return;
            }
            // It was purged since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => {
                self.error = Some(failed(&place.path, error));
                return;
            }
        };
        let (entries, error) = segment_entries(&bytes, place.segment, &self.keys, self.after);
        let torn = matches!(
            error,
            Some(ReadError::Damaged {
                flaw: Flaw::Torn,
                ..
            })
        );
        self.at_hand = entries.into_iter();
        // The newest entry may be on its way to the disk.
        self.error = error.filter(|_| !(is_last && torn));
    }

    /// Whether the segment after this one begins early enough for all that is asked for.
    fn next_tells_enough(&self) -> bool {
        let Some(next) = self.places.front() else {
            return false;
        };
        let header = folder::read_header(&next.path).ok();
        let header = header.and_then(|bytes| Header::parse(&bytes).ok());
        header.is_some_and(|header| {
            header.segment == next.segment && header.first <= self.after.saturating_add(1)
        })
    }
}

/// The entries of one segment, and what is wrong after them, or with them.
///
/// For whoever has the bytes of a segment and no folder.
pub fn read_segment(bytes: &[u8], keys: &[SecretKey]) -> (Vec<Entry>, Option<ReadError>) {
    let segment = Header::parse(bytes).map_or(0, |header| header.segment);
    segment_entries(bytes, segment, keys, 0)
}

fn segment_entries(
    bytes: &[u8],
    segment: u32,
    keys: &[SecretKey],
    after: u64,
) -> (Vec<Entry>, Option<ReadError>) {
    let header = match Header::parse(bytes) {
        Ok(header) if header.segment == segment => header,
        Ok(header) => {
            let found = header.segment;
            let flaw = Flaw::Number { found };
            return (Vec::new(), Some(ReadError::Segment { segment, flaw }));
        }
        Err(flaw) => return (Vec::new(), Some(ReadError::Segment { segment, flaw })),
    };
    let Some(key) = segment_key(&header, keys) else {
        let key = header.key;
        return (Vec::new(), Some(ReadError::NoKey { segment, key }));
    };
    let mut walk = Walk::new(&header, bytes);
    let (mut entries, mut error) = (Vec::new(), None);
    while let Some(record) = walk.next() {
        let sequence = record.sequence;
        if sequence <= after {
            continue;
        }
        let about = segment::about(record.before, segment, sequence, record.head);
        let mut sealed = record.sealed.to_vec();
        let opened = key.open(sequence, &about, &mut sealed);
        match opened.and_then(|bytes| entry::decode(sequence, bytes)) {
            Some(entry) => entries.push(entry),
            None => {
                error.get_or_insert(ReadError::Entry { segment, sequence });
            }
        }
    }
    let flaw = match walk.rest() {
        Rest::Nothing | Rest::Zeros => None,
        Rest::Torn => Some(Flaw::Torn),
        Rest::Damaged(flaw) => Some(flaw),
    };
    let after = walk.sequence() - 1;
    let damaged = flaw.map(|flaw| ReadError::Damaged {
        segment,
        after,
        flaw,
    });
    (entries, error.or(damaged))
}

fn segment_key(header: &Header, keys: &[SecretKey]) -> Option<SegmentKey> {
    let key = keys.iter().find(|key| key.public().id() == header.key)?;
    key.decapsulate(&header.encapsulated).ok()
}

fn failed(path: &Path, error: std::io::Error) -> ReadError {
    let path = path.to_owned();
    ReadError::Read { path, error }
}
