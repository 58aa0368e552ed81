//! A segment's bytes: a header, then one record an entry, then nothing but zeros.
//!
//! All numbers are little-endian. The header:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `EARNAUDT` |
//! | 4 | version, 1 |
//! | 4 | the segment's number, from 1 |
//! | 8 | the number of its first entry |
//! | 32 | the chain's digest before that |
//! | 8 | the short name of the public key |
//! | 32 | the encapsulated key |
//! | 8, 8 | when it was begun: milliseconds since 1970, and of CLOCK_BOOTTIME |
//! | 8 | milliseconds that have passed for certain since the log was begun |
//! | 4 | the number of a damaged segment that this one goes on after; 0 where there is none |
//! | 4 | zero |
//! | 32 | SHA-256 of all that |
//!
//! A record: the length of the encrypted entry (2), flags (2), the number of the write that it
//! came with (4), whole hours that have passed for certain since the log was begun (4), the
//! encrypted entry, and the chain's digest after it (32). The chain starts anew in each segment
//! from the SHA-256 in its header, which is also of the digest of all before; each record's digest is
//! SHA-256 of the digest before, the record's head and the encrypted entry. All of that, and the
//! numbers of segment and entry, is what the entry's encryption is bound to.

use earnest_telemetry::ChainDigest;
use ring::digest::{Context, SHA256, digest};

use crate::entry::MAX_ENTRY_BYTES;
use crate::error::Flaw;
use crate::key::{ENCAPSULATED_BYTES, KeyId};

const MAGIC: &[u8; 8] = b"EARNAUDT";

const VERSION: u32 = 1;

/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = FIELDS_BYTES + DIGEST_BYTES;

/// Bytes of a header before its digest.
const FIELDS_BYTES: usize = 128;

/// Bytes of a record before the encrypted entry.
const HEAD_BYTES: usize = 12;

/// Bytes of a digest.
const DIGEST_BYTES: usize = 32;

/// Bytes that encryption adds.
pub(crate) const TAG_BYTES: usize = 16;

/// Most bytes of an encrypted entry.
const MAX_SEALED_BYTES: usize = MAX_ENTRY_BYTES + TAG_BYTES;

/// Most bytes of a record.
pub(crate) const MAX_RECORD_BYTES: usize = HEAD_BYTES + MAX_SEALED_BYTES + DIGEST_BYTES;

/// Most bytes of a segment, which are read at once.
pub const MAX_SEGMENT_BYTES: u64 = 64 << 20;

/// The flag of a record that is the last of its write.
const LAST: u16 = 1;

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) segment: u32,
    pub(crate) first: u64,
    pub(crate) previous: ChainDigest,
    pub(crate) key: KeyId,
    pub(crate) encapsulated: [u8; ENCAPSULATED_BYTES],
    pub(crate) wall: u64,
    pub(crate) boot: u64,
    pub(crate) elapsed: u64,
    pub(crate) damaged: u32,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let fields = self.fields();
        let mut bytes = [0; HEADER_BYTES];
        bytes[..FIELDS_BYTES].copy_from_slice(&fields);
        bytes[FIELDS_BYTES..].copy_from_slice(&sha256(&[&fields]).0);
        bytes
    }

    fn fields(&self) -> [u8; FIELDS_BYTES] {
        let parts: [&[u8]; 12] = [
            MAGIC,
            &VERSION.to_le_bytes(),
            &self.segment.to_le_bytes(),
            &self.first.to_le_bytes(),
            &self.previous.0,
            &self.key.0,
            &self.encapsulated,
            &self.wall.to_le_bytes(),
            &self.boot.to_le_bytes(),
            &self.elapsed.to_le_bytes(),
            &self.damaged.to_le_bytes(),
            &[0; 4],
        ];
        let mut bytes = [0; FIELDS_BYTES];
        let mut at = 0;
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        bytes
    }

    /// The header that these bytes begin with.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Header, Flaw> {
        let mut fields = Fields(bytes.get(..HEADER_BYTES).ok_or(Flaw::Header)?);
        if fields.take::<8>() != *MAGIC {
            return Err(Flaw::Header);
        }
        let found = u32::from_le_bytes(fields.take());
        if found != VERSION {
            let expected = VERSION;
            return Err(Flaw::Version { expected, found });
        }
        let header = Header {
            segment: u32::from_le_bytes(fields.take()),
            first: u64::from_le_bytes(fields.take()),
            previous: ChainDigest(fields.take()),
            key: KeyId(fields.take()),
            encapsulated: fields.take(),
            wall: u64::from_le_bytes(fields.take()),
            boot: u64::from_le_bytes(fields.take()),
            elapsed: u64::from_le_bytes(fields.take()),
            damaged: u32::from_le_bytes(fields.take()),
        };
        let is_sound = header.segment > 0 && header.first > 0 && fields.take() == [0; 4];
        match is_sound && fields.take() == header.chain().0 {
            true => Ok(header),
            false => Err(Flaw::Header),
        }
    }

    /// The digest that the segment's chain starts with.
    pub(crate) fn chain(&self) -> ChainDigest {
        sha256(&[&self.fields()])
    }
}

/// Fields of a fixed width, one after the other. What is asked for beyond the end is zero, which
/// a header of the right length never asks for.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        if let Some((taken, rest)) = self.0.split_at_checked(N) {
            field.copy_from_slice(taken);
            self.0 = rest;
        }
        field
    }
}

/// What a record says in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub(crate) length: u16,
    pub(crate) is_last: bool,
    pub(crate) write: u32,
    pub(crate) hours: u32,
}

impl RecordHead {
    fn encode(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..2].copy_from_slice(&self.length.to_le_bytes());
        bytes[2..4].copy_from_slice(&u16::from(self.is_last).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.write.to_le_bytes());
        bytes[8..].copy_from_slice(&self.hours.to_le_bytes());
        bytes
    }

    /// The head that these bytes begin with, where it may be one.
    fn parse(bytes: &[u8]) -> Option<RecordHead> {
        let mut fields = Fields(bytes.get(..HEAD_BYTES)?);
        let length = u16::from_le_bytes(fields.take());
        let flags = u16::from_le_bytes(fields.take());
        let sizes = TAG_BYTES + 1..=MAX_SEALED_BYTES;
        let may_be = sizes.contains(&usize::from(length)) && flags <= LAST;
        may_be.then(|| RecordHead {
            length,
            is_last: flags == LAST,
            write: u32::from_le_bytes(fields.take()),
            hours: u32::from_le_bytes(fields.take()),
        })
    }

    /// Bytes of the whole record.
    fn size(self) -> usize {
        HEAD_BYTES + usize::from(self.length) + DIGEST_BYTES
    }
}

/// What an entry's encryption is bound to.
pub(crate) fn about(before: ChainDigest, segment: u32, sequence: u64, head: RecordHead) -> Vec<u8> {
    [
        &before.0[..],
        &segment.to_le_bytes(),
        &sequence.to_le_bytes(),
        &head.encode(),
    ]
    .concat()
}

/// Appends a record to `bytes`, and gives the chain's digest after it.
pub(crate) fn push(
    bytes: &mut Vec<u8>,
    before: ChainDigest,
    head: RecordHead,
    sealed: &[u8],
) -> ChainDigest {
    let head = head.encode();
    let after = sha256(&[&before.0, &head, sealed]);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(sealed);
    bytes.extend_from_slice(&after.0);
    after
}

/// Bytes of the record of an entry of so many bytes.
pub(crate) fn record_bytes(entry: usize) -> usize {
    HEAD_BYTES + entry + TAG_BYTES + DIGEST_BYTES
}

/// A record, whose digest is right.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) sequence: u64,
    pub(crate) head: RecordHead,
    pub(crate) sealed: &'a [u8],
    pub(crate) before: ChainDigest,
    pub(crate) after: ChainDigest,
}

/// Goes through a segment's records as long as they are right.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the next record begins.
    at: usize,
    /// Where the last byte that is not zero ends.
    end: usize,
    chain: ChainDigest,
    sequence: u64,
    /// The head of the last record that was right.
    last: Option<RecordHead>,
    previous: ChainDigest,
}

impl<'a> Walk<'a> {
    /// From the first record of these bytes, which begin with this header.
    pub(crate) fn new(header: &Header, bytes: &'a [u8]) -> Walk<'a> {
        let end = bytes.iter().rposition(|byte| *byte != 0);
        Walk {
            bytes,
            at: HEADER_BYTES.min(bytes.len()),
            end: end.map_or(0, |last| last + 1),
            chain: header.chain(),
            sequence: header.first,
            last: None,
            previous: header.previous,
        }
    }

    /// The next record; none at the end, or where what follows is not right.
    pub(crate) fn next(&mut self) -> Option<Record<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let head = RecordHead::parse(rest)?;
        let record = rest.get(..head.size())?;
        let (record, digest) = record.split_at(record.len() - DIGEST_BYTES);
        let before = self.chain;
        let after = sha256(&[&before.0, record]);
        if after.0 != *digest {
            return None;
        }
        // No log lives to the end of these numbers.
        let following = self.sequence.checked_add(1)?;
        let found = Record {
            sequence: self.sequence,
            head,
            sealed: &record[HEAD_BYTES..],
            before,
            after,
        };
        self.at += head.size();
        self.chain = after;
        self.sequence = following;
        self.last = Some(head);
        Some(found)
    }

    /// The number of the next entry.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The chain's digest after the last entry.
    pub(crate) fn digest(&self) -> ChainDigest {
        match self.last {
            Some(_) => self.chain,
            None => self.previous,
        }
    }

    /// Where the last record ends.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Where the last byte ends that is not zero.
    pub(crate) fn used(&self) -> usize {
        self.end
    }

    /// Hours that had passed when the last record was written.
    pub(crate) fn hours(&self) -> Option<u32> {
        self.last.map(|head| head.hours)
    }

    /// What stands after the last record that is right, once [`next`](Walk::next) gave none.
    pub(crate) fn rest(&self) -> Rest {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        if self.end <= self.at {
            return match rest.is_empty() {
                true => Rest::Nothing,
                false => Rest::Zeros,
            };
        }
        if self.is_torn() {
            return Rest::Torn;
        }
        match RecordHead::parse(rest) {
            None => Rest::Damaged(Flaw::Length),
            Some(_) => Rest::Damaged(Flaw::Chain),
        }
    }

    /// Whether what follows is a write that was cut short, and so one that nobody was promised:
    /// it lacks a piece, which is still zero, and nothing after it came with a later write.
    fn is_torn(&self) -> bool {
        let torn_write = match self.last {
            None => FIRST_WRITE,
            Some(last) if last.is_last => last.write.wrapping_add(1),
            Some(last) => last.write,
        };
        if self.end - self.at > MAX_WRITE_BYTES {
            return false;
        }
        let (mut at, mut lacks) = (self.at, false);
        // Each turn goes on by a record's length at least.
        while at < self.end {
            let rest = &self.bytes[at..];
            let Some(head) = RecordHead::parse(rest).filter(|head| head.write == torn_write) else {
                return self.lacks_head(at);
            };
            let record = &rest[..head.size().min(rest.len())];
            lacks |= at + head.size() > self.end || has_hole(record, at);
            if !lacks {
                // The first of them is whole, and still not right.
                return false;
            }
            at += head.size();
        }
        lacks
    }

    /// Whether there is no record's head in this place because it is what a write lacks.
    fn lacks_head(&self, at: usize) -> bool {
        if self.end - at < HEAD_BYTES {
            // The write ended within it.
            return true;
        }
        let border = (at / SECTOR + 1) * SECTOR;
        let is_zero = |from: usize, to: usize| {
            let piece = self.bytes.get(from..to.min(self.bytes.len()));
            piece.is_some_and(|piece| piece.iter().all(|byte| *byte == 0))
        };
        // Its sector, or the next one where it reaches into that.
        is_zero(at, border) || (border - at < HEAD_BYTES && is_zero(border, border + SECTOR))
    }
}

/// What stands after the last record that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    Nothing,
    /// Room that was set aside.
    Zeros,
    /// A write that was cut short.
    Torn,
    /// Something else.
    Damaged(Flaw),
}

/// What disks write whole or not at all.
const SECTOR: usize = 512;

/// Zeros that are no accident: an encrypted entry has so many in a row once in four thousand
/// million places.
const HOLE: usize = 4;

/// The number of a segment's first write.
pub(crate) const FIRST_WRITE: u32 = 1;

/// Most bytes of one write.
pub(crate) const MAX_WRITE_BYTES: usize = 64 << 10;

/// Whether a whole piece of a record is still zero: its part of some sector. `at` is its place.
fn has_hole(record: &[u8], at: usize) -> bool {
    let mut from = 0;
    while from < record.len() {
        let to = (((at + from) / SECTOR + 1) * SECTOR - at).min(record.len());
        if to - from >= HOLE && record[from..to].iter().all(|byte| *byte == 0) {
            return true;
        }
        from = to;
    }
    false
}

/// What a look at a segment's bytes tells without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// Its number.
    pub segment: u32,
    /// The number of its first entry.
    pub first: u64,
    /// Entries in it.
    pub entries: u64,
    /// The chain's digest before it.
    pub previous: ChainDigest,
    /// The chain's digest after it.
    pub digest: ChainDigest,
    /// The public key that it is encrypted to.
    pub key: KeyId,
}

/// Looks at a segment's bytes, which need not be one.
///
/// # Errors
///
/// When they are no segment, or are damaged somewhere.
pub fn examine(bytes: &[u8]) -> Result<Examined, Flaw> {
    let header = Header::parse(bytes)?;
    let mut walk = Walk::new(&header, bytes);
    let mut entries = 0;
    while walk.next().is_some() {
        entries += 1;
    }
    match walk.rest() {
        Rest::Nothing | Rest::Zeros => Ok(Examined {
            segment: header.segment,
            first: header.first,
            entries,
            previous: header.previous,
            digest: walk.digest(),
            key: header.key,
        }),
        Rest::Torn => Err(Flaw::Torn),
        Rest::Damaged(flaw) => Err(flaw),
    }
}

fn sha256(parts: &[&[u8]]) -> ChainDigest {
    let mut bytes = [0; DIGEST_BYTES];
    let value = match parts {
        [one] => digest(&SHA256, one),
        parts => {
            let mut context = Context::new(&SHA256);
            parts.iter().for_each(|part| context.update(part));
            context.finish()
        }
    };
    bytes.copy_from_slice(value.as_ref());
    ChainDigest(bytes)
}
