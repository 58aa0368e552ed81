//! From segment to segment: whether each goes on where the one before ended.

use crate::Head;
use crate::error::Flaw;
use crate::segment::{Header, Rest, Walk};

/// How a log stands to a head that was kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchored {
    /// No head was given.
    Unknown,
    /// The head's entry is in the log.
    Held,
    /// The log was purged past the head's entry.
    Purged,
    /// The log ends before the head's entry: its end was cut, or it was rolled back.
    Missing,
    /// The entry with that number is another one: the log was rewritten.
    Other,
}

/// What was found in one segment.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What it says of itself, where that can be read.
    pub(crate) header: Option<Header>,
    /// What is wrong inside of it.
    pub(crate) flaw: Option<Flaw>,
    /// Whether it does not go on from what stands before it.
    pub(crate) link: Option<Flaw>,
    /// Where its whole entries end in the file.
    pub(crate) end: u64,
    /// Where the last byte ends that is not zero.
    pub(crate) used: u64,
    /// What stands after the entries.
    pub(crate) rest: Rest,
    /// Whole hours that had passed when the last of them was written.
    pub(crate) hours: Option<u32>,
}

/// Goes through segments in their order. It needs no key.
#[derive(Debug)]
pub(crate) struct Checker {
    anchor: Option<Head>,
    pub(crate) anchored: Anchored,
    /// The segment before, and where the chain stood after it.
    before: Option<(u32, Head)>,
    /// Whether that one had something wrong inside.
    was_damaged: bool,
    /// The number of the first entry that is kept.
    pub(crate) first: Option<u64>,
    pub(crate) segments: u32,
    pub(crate) entries: u64,
}

impl Checker {
    pub(crate) fn new(anchor: Option<Head>) -> Checker {
        Checker {
            anchored: match anchor {
                None => Anchored::Unknown,
                Some(anchor) if anchor.sequence == 0 => Anchored::Held,
                Some(_) => Anchored::Missing,
            },
            anchor,
            before: None,
            was_damaged: false,
            first: None,
            segments: 0,
            entries: 0,
        }
    }

    /// The newest entry so far.
    pub(crate) fn head(&self) -> Head {
        self.before.map_or(Head::START, |(_, head)| head)
    }

    /// Looks at the next segment's bytes.
    pub(crate) fn segment(&mut self, number: u32, bytes: Result<&[u8], Flaw>) -> Seen {
        self.segments = self.segments.saturating_add(1);
        let parsed = bytes.and_then(|bytes| {
            let header = Header::parse(bytes)?;
            let found = header.segment;
            match found == number {
                true => Ok((header, bytes)),
                false => Err(Flaw::Number { found }),
            }
        });
        let (header, bytes) = match parsed {
            Ok(parsed) => parsed,
            Err(flaw) => {
                self.was_damaged = true;
                self.before = self.before.map(|(_, head)| (number, head));
                return Seen {
                    header: None,
                    flaw: Some(flaw),
                    link: None,
                    end: 0,
                    used: 0,
                    rest: Rest::Damaged(flaw),
                    hours: None,
                };
            }
        };
        let link = self.link(&header);
        self.meet(&header);
        let mut walk = Walk::new(&header, bytes);
        let mut entries = 0;
        while let Some(record) = walk.next() {
            entries += 1;
            if self
                .anchor
                .is_some_and(|anchor| anchor.sequence == record.sequence)
            {
                self.anchored = match self.anchor.map(|anchor| anchor.digest) {
                    Some(digest) if digest == record.after => Anchored::Held,
                    _ => Anchored::Other,
                };
            }
        }
        let rest = walk.rest();
        let flaw = match rest {
            Rest::Damaged(flaw) => Some(flaw),
            Rest::Nothing | Rest::Zeros | Rest::Torn => None,
        };
        self.was_damaged = flaw.is_some();
        self.entries = self.entries.saturating_add(entries);
        let head = Head {
            sequence: walk.sequence() - 1,
            digest: walk.digest(),
        };
        self.before = Some((number, head));
        Seen {
            header: Some(header),
            flaw,
            link,
            end: walk.at() as u64,
            used: walk.used() as u64,
            rest,
            hours: walk.hours(),
        }
    }

    /// A segment that follows on a torn one cannot be: the write was then promised.
    pub(crate) fn torn_inside(&mut self) {
        self.was_damaged = true;
    }

    /// Whether a segment goes on from the one before.
    fn link(&self, header: &Header) -> Option<Flaw> {
        let Some((number, head)) = self.before else {
            // The first that is kept: the oldest of all, or one that was purged up to.
            if header.segment != 1 {
                return None;
            }
            if header.previous != Head::START.digest {
                return Some(Flaw::Link);
            }
            // A log that was deleted goes on behind the number in the device's evidence.
            let (expected, found) = (1, header.first);
            return (found != expected).then_some(Flaw::Gap { expected, found });
        };
        let expected = head.sequence.saturating_add(1);
        if header.segment != number.saturating_add(1) {
            return Some(Flaw::Gap {
                expected,
                found: header.first,
            });
        }
        if self.was_damaged {
            // What is lost there may have had numbers of its own.
            let names_it = header.damaged == number && header.previous == head.digest;
            let goes_on = header.first >= expected && (header.damaged == 0 || names_it);
            return (!goes_on).then_some(Flaw::Link);
        }
        if header.previous != head.digest {
            return Some(Flaw::Link);
        }
        let found = header.first;
        (found != expected).then_some(Flaw::Gap { expected, found })
    }

    /// Compares the first header with the anchor, whose entry may be purged.
    fn meet(&mut self, header: &Header) {
        if self.first.is_some() {
            return;
        }
        self.first = Some(header.first);
        let Some(anchor) = self.anchor.filter(|anchor| anchor.sequence > 0) else {
            return;
        };
        let before = header.first - 1;
        if anchor.sequence < before {
            self.anchored = Anchored::Purged;
        } else if anchor.sequence == before {
            self.anchored = match anchor.digest == header.previous {
                true => Anchored::Held,
                false => Anchored::Other,
            };
        }
    }
}
