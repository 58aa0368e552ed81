//! The thread that writes.
//!
//! What waits is written together and synchronised once. A segment's room is set aside when it
//! is begun, so a full disk shows there and not in the middle of an entry; a little of each
//! segment is kept for the last words.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use earnest_telemetry::{ChainDigest, Event};

use crate::PublicKey;
use crate::disk::{Disk, is_full};
use crate::entry::{Draft, Head, MAX_ENTRY_BYTES, Note, milliseconds};
use crate::error::AppendError;
use crate::folder;
use crate::key::SegmentKey;
use crate::log::{Item, Options, Receipt, Reply, Shared};
use crate::purge::{Age, Purge, WallTrust};
use crate::recover::{Kept, State};
use crate::segment::{
    FIRST_WRITE, HEADER_BYTES, Header, MAX_RECORD_BYTES, MAX_WRITE_BYTES, RecordHead, TAG_BYTES,
    about, push, record_bytes,
};

/// Entries that are written together: the most whose longest forms fit in one write.
const MOST_TOGETHER: usize = MAX_WRITE_BYTES / MAX_RECORD_BYTES;

/// How often the log looks at the time by itself.
const TICK: Duration = Duration::from_secs(60);

/// What is kept of each segment for its last words, which are one short entry.
const LAST_WORDS_BYTES: u64 = 512;

/// Milliseconds of an hour.
const HOUR: u64 = 60 * 60 * 1000;

/// A segment that is written to.
#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    header: Header,
    key: SegmentKey,
    /// Where the next record goes.
    at: u64,
    chain: ChainDigest,
    write: u32,
    has_entries: bool,
}

/// Everything that the thread has.
#[derive(Debug)]
pub(crate) struct Writer {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    options: Options,
    recipient: PublicKey,
    shared: Arc<Shared>,
    kept: VecDeque<Kept>,
    current: Option<Current>,
    /// A segment whose last write failed, and where its whole entries end. Nothing goes on
    /// before it is cut there.
    broken: Option<(File, u64)>,
    /// The newest entry on the disk.
    head: Head,
    /// The number of the next entry.
    next: u64,
    next_segment: u32,
    damaged: u32,
    age: Age,
    trust: WallTrust,
    is_available: bool,
}

/// An entry, and who waits for it.
type Waiting = (Draft, Option<Reply>);

/// Writes until the log is closed.
pub(crate) fn run(mut writer: Writer, shared: &Shared) {
    let _ending = Ending(shared);
    loop {
        let (items, waiting, is_closing) = {
            let mut queue = shared.wait(TICK);
            let now = shared.telemetry.clock().now();
            let due = match queue.is_closing && queue.items.is_empty() {
                true => queue.refusals.drain(),
                false => queue.refusals.due(now),
            };
            let due = due.into_iter().map(|draft| Item::Write(draft, None));
            queue.items.extend(due);
            let many = queue.items.len().min(MOST_TOGETHER);
            let items: Vec<Item> = queue.items.drain(..many).collect();
            let appends = items
                .iter()
                .filter(|item| matches!(item, Item::Write(_, Some(_))));
            queue.appends = queue.appends.saturating_sub(appends.count());
            (items, queue.items.len(), queue.is_closing)
        };
        let is_over = is_closing && waiting == 0 && items.is_empty();
        writer.work(items);
        if is_over {
            writer.close();
            return;
        }
    }
}

/// Whoever waits for a thread that has ended, be it by a panic, is told so.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_closing = true;
        queue.status.available = false;
        queue.items.clear();
    }
}

impl Writer {
    pub(crate) fn new(
        disk: Box<dyn Disk>,
        folder: &Path,
        options: Options,
        recipient: PublicKey,
        state: State,
        shared: &Arc<Shared>,
    ) -> Writer {
        let boot = shared.telemetry.clock().now();
        Writer {
            disk,
            folder: folder.to_owned(),
            options,
            recipient,
            shared: Arc::clone(shared),
            kept: state.kept.into(),
            current: None,
            broken: None,
            head: state.recovered.head,
            next: state.sequence.saturating_add(1),
            next_segment: state.next_segment,
            damaged: state.damaged,
            age: Age::since(state.elapsed, state.boot, milliseconds(boot)),
            trust: WallTrust::new(shared.wall.now(), boot),
            is_available: true,
        }
    }

    /// Does what waited, in its order.
    fn work(&mut self, items: Vec<Item>) {
        let mut together: Vec<Waiting> = Vec::new();
        for item in items {
            match item {
                Item::Write(draft, reply) => together.push((draft, reply)),
                Item::Rotate(recipient, reply) => {
                    self.write(std::mem::take(&mut together));
                    self.recipient = recipient;
                    // Whoever asked may have gone.
                    let _ = reply.send(self.renew());
                }
                Item::Tend(reply) => {
                    self.write(std::mem::take(&mut together));
                    self.tend();
                    let _ = reply.send(());
                }
            }
        }
        self.write(together);
        self.tend();
        self.tell();
    }

    /// What time asks for: an old segment is ended, so that it can go when its time comes, and
    /// those whose time has come are purged.
    fn tend(&mut self) {
        let (wall, boot) = self.now();
        self.trust.look(wall, boot);
        let elapsed = self.age.at(milliseconds(boot));
        let longest = milliseconds(self.options.keep / 8).clamp(HOUR, 24 * HOUR);
        let is_old = |current: &Current| {
            current.has_entries && elapsed.saturating_sub(current.header.elapsed) >= longest
        };
        if self.current.as_ref().is_some_and(is_old) && self.begin().is_err() {
            // The next entry tries again, and tells.
            return;
        }
        self.purge();
    }

    /// Writes entries together, and tells whoever waits for them.
    fn write(&mut self, together: Vec<Waiting>) {
        if together.is_empty() {
            return;
        }
        let drafts = together.iter().map(|(draft, _)| draft.clone()).collect();
        let lost: u64 = together
            .iter()
            .filter(|(_, reply)| reply.is_none())
            .map(|(draft, _)| u64::from(draft.times))
            .sum();
        let written = self.put(drafts);
        if written.is_err() {
            self.shared.queue().lose(lost);
        }
        self.tell();
        for (index, (_, reply)) in together.into_iter().enumerate() {
            let Some(reply) = reply else { continue };
            let receipt = written.map(|first| Receipt {
                sequence: first + index as u64,
            });
            // Whoever asked may have gone.
            let _ = reply.send(receipt);
        }
    }

    /// Writes entries, in a new segment where this one has no room, and gives the first one's
    /// number.
    fn put(&mut self, drafts: Vec<Draft>) -> Result<u64, AppendError> {
        let entries: Vec<Vec<u8>> = drafts.into_iter().map(Draft::encode).collect();
        let bytes: usize = entries.iter().map(|entry| record_bytes(entry.len())).sum();
        // A segment in which the last words were said is left as it is.
        if !self.is_available || !self.has_room(bytes as u64 + LAST_WORDS_BYTES) {
            self.renew()?;
        }
        let lost = std::mem::take(&mut self.shared.queue().lost);
        if lost > 0 {
            let event = Event::AuditLost { events: lost };
            match self.write_entries(&[self.own(event.clone()).encode()]) {
                Ok(_) => self.shared.telemetry.record(event),
                Err(error) => {
                    self.shared.queue().lost += lost;
                    return Err(self.fail(&error));
                }
            }
        }
        let written = self.write_entries(&entries);
        written.map_err(|error| self.fail(&error))
    }

    fn has_room(&self, bytes: u64) -> bool {
        let all = self.options.segment_bytes;
        let fits = |current: &Current| current.at.saturating_add(bytes) <= all;
        self.current.as_ref().is_some_and(fits)
    }

    /// Begins a new segment, or says the last words.
    fn renew(&mut self) -> Result<(), AppendError> {
        match self.begin() {
            Ok(()) => {
                if !self.is_available {
                    let restored = self.own(Event::AuditRestored).encode();
                    self.write_entries(&[restored])
                        .map_err(|error| self.fail(&error))?;
                    self.is_available = true;
                    self.shared.telemetry.record(Event::AuditRestored);
                }
                self.purge();
                Ok(())
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Notes that entries cannot be written: with the last words, where there is room for them.
    fn fail(&mut self, error: &io::Error) -> AppendError {
        if self.is_available {
            self.is_available = false;
            tracing::error!(%error, "the audit log cannot be written");
            self.shared.telemetry.record(Event::AuditUnavailable);
            let words = self.own(Event::AuditUnavailable).encode();
            if self.has_room(record_bytes(words.len()) as u64) {
                // If that fails, too, there is nothing left to say.
                let _ = self.write_entries(&[words]);
            }
        }
        match is_full(error) {
            true => AppendError::Full,
            false => AppendError::Unavailable,
        }
    }

    /// Writes records at the end of the segment and returns once they are on the disk, with the
    /// first one's number.
    fn write_entries(&mut self, entries: &[Vec<u8>]) -> io::Result<u64> {
        let hours = self.age.at(milliseconds(self.now().1)) / HOUR;
        let Some(current) = &mut self.current else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let first = self.next;
        let (mut next, mut chain) = (first, current.chain);
        let mut bytes = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let length = (entry.len() <= MAX_ENTRY_BYTES).then_some(entry.len() + TAG_BYTES);
            let length = length.and_then(|length| u16::try_from(length).ok());
            let head = RecordHead {
                length: length.ok_or(io::ErrorKind::InvalidInput)?,
                is_last: index + 1 == entries.len(),
                write: current.write,
                hours: u32::try_from(hours).unwrap_or(u32::MAX),
            };
            let about = about(chain, current.header.segment, next, head);
            let mut sealed = entry.clone();
            let done = current.key.seal(next, &about, &mut sealed);
            done.ok_or(io::ErrorKind::InvalidInput)?;
            chain = push(&mut bytes, chain, head, &sealed);
            next = next.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        }
        let written = self
            .disk
            .write(&current.file, &bytes, current.at)
            .and_then(|()| self.disk.synchronise(&current.file));
        if let Err(error) = written {
            // What stands there now is not known. No number is used twice with one key, so the
            // segment ends here.
            if let Some(current) = self.current.take() {
                self.end(&current);
                self.broken = Some((current.file, current.at));
            }
            return Err(error);
        }
        current.at += bytes.len() as u64;
        current.chain = chain;
        current.write = current.write.wrapping_add(1);
        current.has_entries = true;
        self.next = next;
        self.head = Head {
            sequence: next - 1,
            digest: chain,
        };
        Ok(first)
    }

    /// Begins a new segment. The one before is ended once the new one is there.
    fn begin(&mut self) -> io::Result<()> {
        if let Some((file, at)) = &self.broken {
            self.disk.cut(file, *at)?;
            self.broken = None;
        }
        let (wall, boot) = self.now();
        let (encapsulated, key) = self
            .recipient
            .encapsulate()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let header = Header {
            segment: self.next_segment,
            first: self.next,
            previous: self.head.digest,
            key: self.recipient.id(),
            encapsulated,
            wall: milliseconds(wall),
            boot: milliseconds(boot),
            elapsed: self.age.at(milliseconds(boot)),
            damaged: self.damaged,
        };
        let unfinished = folder::unfinished(&self.folder);
        let path = folder::path(&self.folder, self.next_segment);
        let made = self.make(&unfinished, &path, &header);
        let file = made.inspect_err(|_| {
            // The next try makes it anew.
            let _ = fs::remove_file(&unfinished);
        })?;
        if let Some(before) = self.current.take() {
            self.end(&before);
            if let Err(error) = self.disk.cut(&before.file, before.at) {
                // Zeros after the last entry say nothing, and the next opening removes them.
                tracing::warn!(%error, "a segment of the audit log keeps its spare room");
            }
        }
        self.next_segment = self.next_segment.saturating_add(1);
        self.damaged = 0;
        self.current = Some(Current {
            file,
            path,
            at: HEADER_BYTES as u64,
            chain: header.chain(),
            header,
            key,
            write: FIRST_WRITE,
            has_entries: false,
        });
        Ok(())
    }

    /// Makes a segment's file, with its room and its header, before it gets its name.
    fn make(&self, unfinished: &Path, path: &Path, header: &Header) -> io::Result<File> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(unfinished)?;
        self.disk.allocate(&file, self.options.segment_bytes)?;
        self.disk.write(&file, &header.encode(), 0)?;
        self.disk.synchronise(&file)?;
        file.sync_all()?;
        fs::rename(unfinished, path)?;
        folder::synchronise(&self.folder)?;
        Ok(file)
    }

    /// A segment is written to its end.
    fn end(&mut self, segment: &Current) {
        let (wall, boot) = self.now();
        self.kept.push_back(Kept {
            path: segment.path.clone(),
            bytes: segment.at,
            end: self.head,
            wall: milliseconds(wall),
            elapsed: self.age.at(milliseconds(boot)),
        });
    }

    /// Removes the oldest segments, as the bounds demand. It is written down first.
    fn purge(&mut self) {
        let (wall, boot) = self.now();
        let now = Purge {
            options: self.options,
            elapsed: self.age.at(milliseconds(boot)),
            wall: self.trust.believed(wall, boot).map(milliseconds),
        };
        let many = now.many(&self.kept);
        let Some(last) = many.checked_sub(1).and_then(|last| self.kept.get(last)) else {
            return;
        };
        let event = Event::AuditPurged {
            segments: u32::try_from(many).unwrap_or(u32::MAX),
            through: last.end.sequence,
            digest: last.end.digest,
        };
        let words = self.own(event.clone()).encode();
        if !self.has_room(record_bytes(words.len()) as u64 + LAST_WORDS_BYTES)
            && self.begin().is_err()
        {
            return;
        }
        if let Err(error) = self.write_entries(&[words]) {
            self.fail(&error);
            return;
        }
        self.shared.telemetry.record(event);
        for kept in self.kept.drain(..many) {
            if let Err(error) = fs::remove_file(&kept.path) {
                tracing::error!(%error, "a segment of the audit log cannot be removed");
            }
        }
        if let Err(error) = folder::synchronise(&self.folder) {
            tracing::error!(%error, "the folder of the audit log cannot be synchronised");
        }
    }

    /// Shows how the log fares.
    fn tell(&self) {
        let kept: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        let current = self
            .current
            .as_ref()
            .map_or(0, |_| self.options.segment_bytes);
        let segments = self.kept.len() + usize::from(self.current.is_some());
        let mut queue = self.shared.queue();
        queue.status.available = self.is_available;
        queue.status.head = self.head;
        queue.status.segments = u32::try_from(segments).unwrap_or(u32::MAX);
        queue.status.bytes = kept.saturating_add(current);
    }

    /// Leaves the folder as the next opening would.
    fn close(&mut self) {
        if let Some((file, at)) = self.broken.take()
            && let Err(error) = self.disk.cut(&file, at)
        {
            tracing::warn!(%error, "a segment of the audit log keeps an unfinished write");
        }
        if let Some(current) = self.current.take()
            && let Err(error) = self.disk.cut(&current.file, current.at)
        {
            tracing::warn!(%error, "a segment of the audit log keeps its spare room");
        }
    }

    /// Something that the log says of itself.
    fn own(&self, event: Event) -> Draft {
        let (wall, boot) = self.now();
        Draft {
            wall,
            boot,
            times: 1,
            note: Note::of(event),
        }
    }

    fn now(&self) -> (Duration, Duration) {
        let boot = self.shared.telemetry.clock().now();
        (self.shared.wall.now(), boot)
    }
}
