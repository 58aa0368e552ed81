//! What an opening finds.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use earnest_telemetry::Event;

use crate::Head;
use crate::chain::{Anchored, Checker};
use crate::error::{Flaw, OpenError};
use crate::folder::{self, Place};
use crate::log::LogStatus;
use crate::segment::{Header, Rest};

/// Damaged segments that are told of one by one. There are hardly ever more, and what stands
/// aside can be listed.
const MOST_TOLD: usize = 16;

/// Milliseconds of an hour.
const HOUR: u64 = 60 * 60 * 1000;

/// What an opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Segments that are kept.
    pub segments: u32,
    /// Entries in them that are whole.
    pub entries: u64,
    /// The newest entry.
    pub head: Head,
    /// The write that was cut short, whose entries nobody had been promised.
    pub cut: Option<Cut>,
    /// Segments that are not as they were written, and are kept aside from now on.
    pub damaged: Vec<(u32, Flaw)>,
    /// How the log stands to the head in the device's evidence.
    pub anchored: Anchored,
}

/// A write that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The segment that it was in.
    pub segment: u32,
    /// Bytes that were removed.
    pub bytes: u64,
}

impl Recovered {
    /// What the log notes about it.
    pub(crate) fn events(&self) -> Vec<Event> {
        let cut = self.cut.map(|cut| Event::AuditCut { bytes: cut.bytes });
        let damaged = self.damaged.iter();
        let damaged = damaged.map(|(segment, _)| Event::AuditDamaged { segment: *segment });
        // What the device's evidence has is gone: the end of the last segment that there is.
        let is_behind = matches!(self.anchored, Anchored::Missing | Anchored::Other);
        let behind = (is_behind && self.damaged.is_empty()).then_some(Event::AuditDamaged {
            segment: self.segments,
        });
        cut.into_iter().chain(damaged).chain(behind).collect()
    }
}

/// A segment that is written to its end.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// The log after its last entry.
    pub(crate) end: Head,
    /// When it ended, or later: in milliseconds since 1970, and that had passed for certain
    /// since the log was begun.
    pub(crate) wall: u64,
    pub(crate) elapsed: u64,
}

/// What the writer goes on from.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) recovered: Recovered,
    pub(crate) kept: Vec<Kept>,
    pub(crate) next_segment: u32,
    /// The number after which numbers go on.
    pub(crate) sequence: u64,
    /// A damaged segment at the end, which the next one names.
    pub(crate) damaged: u32,
    /// Milliseconds that had passed for certain since the log was begun, and CLOCK_BOOTTIME then.
    pub(crate) elapsed: u64,
    pub(crate) boot: u64,
}

impl State {
    pub(crate) fn status(&self, most_bytes: u64) -> LogStatus {
        LogStatus {
            available: true,
            head: self.recovered.head,
            segments: self.recovered.segments,
            bytes: self.kept.iter().map(|kept| kept.bytes).sum(),
            most_bytes,
            lost: 0,
        }
    }
}

/// Goes through all segments, cuts off what nobody was promised, and puts what is damaged aside.
pub(crate) fn recover(folder: &Path, anchor: Option<Head>) -> Result<State, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Read { path, error }
    };
    // It never had an entry.
    earnest_files::remove(&folder::unfinished(folder)).map_err(OpenError::Folder)?;
    let places = folder::list(folder).map_err(failed(folder))?;
    let mut search = Search {
        checker: Checker::new(anchor),
        kept: Vec::new(),
        cut: None,
        damaged: Vec::new(),
        named: 0,
        elapsed: 0,
        boot: 0,
    };
    for (index, place) in places.iter().enumerate() {
        let bytes = folder::read(&place.path).map_err(failed(&place.path))?;
        let is_last = index + 1 == places.len();
        search
            .segment(folder, place, bytes, is_last)
            .map_err(failed(&place.path))?;
    }
    let next = places.last().map_or(0, |place| place.segment);
    Ok(search.finish(next.saturating_add(1), anchor))
}

/// What is known after the segments so far.
struct Search {
    checker: Checker,
    kept: Vec<Kept>,
    cut: Option<Cut>,
    damaged: Vec<(u32, Flaw)>,
    /// The last segment, if it is damaged.
    named: u32,
    elapsed: u64,
    boot: u64,
}

impl Search {
    fn segment(
        &mut self,
        folder: &Path,
        place: &Place,
        bytes: Result<Vec<u8>, Flaw>,
        is_last: bool,
    ) -> io::Result<()> {
        let length = match &bytes {
            Ok(bytes) => bytes.len() as u64,
            Err(_) => place.path.metadata()?.len(),
        };
        let seen = self
            .checker
            .segment(place.segment, bytes.as_deref().map_err(|flaw| *flaw));
        let mut flaw = seen.flaw;
        if seen.rest == Rest::Torn && !is_last {
            // Something was written after it, so it was whole once.
            self.checker.torn_inside();
            flaw = Some(Flaw::Torn);
        }
        let mut kept = Kept {
            path: place.path.clone(),
            bytes: length,
            end: self.checker.head(),
            wall: 0,
            elapsed: self.elapsed,
        };
        if let Some(header) = &seen.header {
            self.begin(header);
            let hours = seen.hours.map_or(0, |hours| u64::from(hours) * HOUR);
            let end = header.elapsed.max(hours);
            kept.wall = header.wall.saturating_add(end - header.elapsed);
            kept.elapsed = end;
            self.boot = header.boot.saturating_add(end - header.elapsed);
            self.elapsed = end;
        }
        if let Some(link) = seen.link {
            self.tell(place.segment, link);
        }
        self.named = 0;
        if let Some(flaw) = flaw {
            self.named = place.segment;
            if !place.is_aside {
                self.tell(place.segment, flaw);
                kept.path = folder::aside(folder, place.segment);
                fs::rename(&place.path, &kept.path)?;
                folder::synchronise(folder)?;
            }
        } else if length > seen.end {
            if seen.rest == Rest::Torn {
                let bytes = seen.used.saturating_sub(seen.end);
                let segment = place.segment;
                self.cut = Some(Cut { segment, bytes });
            }
            let file = File::options().write(true).open(&place.path)?;
            file.set_len(seen.end)?;
            file.sync_all()?;
            kept.bytes = seen.end;
        }
        self.kept.push(kept);
        Ok(())
    }

    /// The segment before ended no later than this one was begun.
    fn begin(&mut self, header: &Header) {
        if let Some(before) = self.kept.last_mut() {
            before.wall = header.wall;
            before.elapsed = header.elapsed.max(before.elapsed);
        }
    }

    fn tell(&mut self, segment: u32, flaw: Flaw) {
        if self.damaged.len() < MOST_TOLD {
            self.damaged.push((segment, flaw));
        }
    }

    fn finish(self, next_segment: u32, anchor: Option<Head>) -> State {
        let head = self.checker.head();
        let anchored = anchor.map_or(0, |anchor| anchor.sequence);
        State {
            recovered: Recovered {
                segments: self.checker.segments,
                entries: self.checker.entries,
                head,
                cut: self.cut,
                damaged: self.damaged,
                anchored: self.checker.anchored,
            },
            kept: self.kept,
            next_segment,
            // What was lost had numbers, too.
            sequence: head.sequence.max(anchored),
            damaged: self.named,
            elapsed: self.elapsed,
            boot: self.boot,
        }
    }
}
