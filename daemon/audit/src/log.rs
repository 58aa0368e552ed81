//! The log, as its writers see it.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use earnest_telemetry::{Event, Recorded, Telemetry, WallClock};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::coalesce::Coalescer;
use crate::disk::{Disk, System};
use crate::entry::Draft;
use crate::error::{AppendError, OpenError};
use crate::recover::{self, Recovered};
use crate::segment::MAX_SEGMENT_BYTES;
use crate::writer::{self, Writer};
use crate::{Head, Note, PublicKey};

/// Entries that may wait for the disk, of those that nobody waits for: half a second's worth
/// of a flood. What comes beyond is counted.
const MOST_NOTES: usize = 4096;

/// Entries that may wait for the disk while a request waits for each: more than there are
/// requests at once.
const MOST_APPENDS: usize = 1024;

/// How long an ending daemon may hold the log after its successor has begun.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The smallest segment: room for the longest write, and as much again.
const MIN_SEGMENT_BYTES: u64 = 128 << 10;

/// The bounds of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment, which are set aside when it is begun.
    pub segment_bytes: u64,
    /// Most bytes of the whole log. The oldest segments go first.
    pub most_bytes: u64,
    /// How long entries are kept.
    pub keep: Duration,
    /// What stands in the device's evidence. Where the log does not reach it, numbers go on
    /// after it all the same, so that none is used twice.
    pub anchor: Option<Head>,
}

impl Default for Options {
    /// Segments of a mebibyte, 64 MiB in all, 30 days, no anchor.
    fn default() -> Options {
        Options {
            segment_bytes: 1 << 20,
            most_bytes: 64 << 20,
            keep: Duration::from_secs(30 * 24 * 60 * 60),
            anchor: None,
        }
    }
}

/// An entry is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number.
    pub sequence: u64,
}

/// How the log fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// Whether entries are taken.
    pub available: bool,
    /// The newest entry that is on the disk.
    pub head: Head,
    /// Segments that are kept.
    pub segments: u32,
    /// Bytes that they take.
    pub bytes: u64,
    /// The most that they may take.
    pub most_bytes: u64,
    /// Events that are missing, since the daemon started.
    pub lost: u64,
}

/// The audit log of this device. Clones write the same log, which is closed when the last of
/// them is dropped: what waits is written first.
#[derive(Debug, Clone)]
pub struct Log(Arc<Keeper>);

/// Ends the thread with the last handle.
#[derive(Debug)]
struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What handles and the thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    pub(crate) telemetry: Telemetry,
    pub(crate) wall: WallClock,
}

/// What waits for the disk.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) items: std::collections::VecDeque<Item>,
    pub(crate) appends: usize,
    pub(crate) lost: u64,
    pub(crate) refusals: Coalescer,
    pub(crate) is_closing: bool,
    pub(crate) status: LogStatus,
}

/// Something for the thread to do.
#[derive(Debug)]
pub(crate) enum Item {
    /// Write this, and tell whoever waits for it.
    Write(Draft, Option<Reply>),
    /// Encrypt to this key from now on.
    Rotate(PublicKey, oneshot::Sender<Result<(), AppendError>>),
    /// Do what time asks for.
    Tend(oneshot::Sender<()>),
}

pub(crate) type Reply = oneshot::Sender<Result<Receipt, AppendError>>;

impl Log {
    /// Opens the log in this folder, which is made if it is not there, and tells what was found.
    /// It is one thread's work, and reads all that is kept: some tenths of a second. Each opening
    /// begins a new segment with its first entry.
    ///
    /// # Errors
    ///
    /// When the bounds contradict each other, another process writes the log, or the folder
    /// cannot be read. Damage is no error, and neither is a full disk.
    pub fn open(
        folder: &Path,
        options: Options,
        recipient: PublicKey,
        telemetry: &Telemetry,
        wall: WallClock,
    ) -> Result<(Log, Recovered), OpenError> {
        Log::open_on(
            Box::new(System),
            folder,
            options,
            recipient,
            telemetry,
            wall,
        )
    }

    /// Opens it on a disk that tests make fail.
    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        folder: &Path,
        options: Options,
        recipient: PublicKey,
        telemetry: &Telemetry,
        wall: WallClock,
    ) -> Result<(Log, Recovered), OpenError> {
        let (segment, most) = (options.segment_bytes, options.most_bytes);
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&segment) || most / 4 < segment {
            return Err(OpenError::Bounds { segment, most });
        }
        earnest_files::create_folder(folder).map_err(OpenError::Folder)?;
        let lock = earnest_files::lock(&folder.join("audit.lock"), LOCK_PATIENCE);
        let lock = lock.map_err(OpenError::Held)?;
        let kept = recover::recover(folder, options.anchor)?;
        let recovered = kept.recovered.clone();
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                items: std::collections::VecDeque::new(),
                appends: 0,
                lost: 0,
                refusals: Coalescer::new(),
                is_closing: false,
                status: kept.status(most),
            }),
            arrived: Condvar::new(),
            telemetry: telemetry.clone(),
            wall,
        });
        let log = Log(Arc::new(Keeper {
            shared: Arc::clone(&shared),
            thread: Mutex::new(None),
        }));
        for event in recovered.events() {
            telemetry.record(event.clone());
            log.note(event);
        }
        let writer = Writer::new(disk, folder, options, recipient, kept, &shared);
        let thread = thread::Builder::new().name("audit".to_owned());
        let thread = thread.spawn(move || {
            writer::run(writer, &shared);
            drop(lock);
        });
        let thread = thread.map_err(OpenError::Thread)?;
        *lock_of(&log.0.thread) = Some(thread);
        Ok((log, recovered))
    }

    /// Writes an entry, and returns once it is on the disk for good.
    ///
    /// # Errors
    ///
    /// When it is not. What it was to record must not happen then.
    pub async fn append(&self, note: impl Into<Note>) -> Result<Receipt, AppendError> {
        let (reply, answer) = oneshot::channel();
        let draft = self.draft(note.into());
        {
            let mut queue = self.0.shared.queue();
            if queue.is_closing {
                return Err(AppendError::Closed);
            }
            if queue.appends >= MOST_APPENDS {
                return Err(AppendError::Busy);
            }
            queue.appends += 1;
            queue.items.push_back(Item::Write(draft, Some(reply)));
        }
        self.0.shared.arrived.notify_one();
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    /// Has an entry written, and does not wait for it. What finds no room is counted, and the
    /// number is written once there is. Refusals that are alike are counted together when they
    /// come often, so that no flood of them fills the log.
    pub fn note(&self, note: impl Into<Note>) {
        let mut draft = self.draft(note.into());
        {
            let mut queue = self.0.shared.queue();
            if let Event::Refused { .. } = draft.note.event {
                match queue.refusals.take(draft) {
                    Some(due) => draft = due,
                    None => return,
                }
            }
            if queue.items.len() >= MOST_NOTES {
                queue.lose(u64::from(draft.times));
                return;
            }
            queue.items.push_back(Item::Write(draft, None));
        }
        self.0.shared.arrived.notify_one();
    }

    /// Notes what telemetry shows, for [`Telemetry::attach`]: all that nobody else appends.
    /// Requests, refusals and operators' actions are left to whoever knows the request's number
    /// and waits for them, and what the log says of itself it has written already. Telemetry then
    /// keeps a handle of the log, which is therefore to be [closed](Log::close) in the end.
    pub fn observe(&self, recorded: &Recorded) {
        match &recorded.event {
            Event::RequestBegun { .. }
            | Event::RequestEnded { .. }
            | Event::Refused { .. }
            | Event::OperatorAction { .. }
            | Event::AuditPurged { .. }
            | Event::AuditLost { .. }
            | Event::AuditCut { .. }
            | Event::AuditDamaged { .. }
            | Event::AuditUnavailable
            | Event::AuditRestored => {}
            event => self.note(event.clone()),
        }
    }

    /// Encrypts to another key from the next entry on, which begins a new segment.
    ///
    /// # Errors
    ///
    /// When the new segment could not be begun; entries are then refused until it can.
    pub async fn rotate(&self, recipient: PublicKey) -> Result<(), AppendError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Item::Rotate(recipient, reply))?;
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    /// Does what time asks for: counts of refusals are written, old segments purged. The log does
    /// so by itself every minute.
    pub async fn tend(&self) {
        let (reply, answer) = oneshot::channel();
        if self.enqueue(Item::Tend(reply)).is_ok() {
            // A log that is closing has been tended.
            let _ = answer.await;
        }
    }

    /// The newest entry that is on the disk.
    pub fn head(&self) -> Head {
        self.status().head
    }

    /// How the log fares.
    pub fn status(&self) -> LogStatus {
        self.0.shared.queue().status
    }

    /// Writes what waits and closes the log, also for the other handles.
    pub fn close(&self) {
        self.0.close();
    }

    fn draft(&self, note: Note) -> Draft {
        Draft {
            wall: self.0.shared.wall.now(),
            boot: self.0.shared.telemetry.clock().now(),
            times: 1,
            note,
        }
    }

    fn enqueue(&self, item: Item) -> Result<(), AppendError> {
        let mut queue = self.0.shared.queue();
        if queue.is_closing {
            return Err(AppendError::Closed);
        }
        if queue.items.len() >= MOST_NOTES + MOST_APPENDS {
            return Err(AppendError::Busy);
        }
        queue.items.push_back(item);
        drop(queue);
        self.0.shared.arrived.notify_one();
        Ok(())
    }
}

impl Keeper {
    fn close(&self) {
        self.shared.queue().is_closing = true;
        self.shared.arrived.notify_one();
        let thread = lock_of(&self.thread).take();
        if let Some(thread) = thread {
            // A thread that panicked has closed, too.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock_of(&self.queue)
    }

    /// Waits for something to do, or for so long.
    pub(crate) fn wait(&self, most: Duration) -> MutexGuard<'_, Queue> {
        let idle = |queue: &mut Queue| queue.items.is_empty() && !queue.is_closing;
        let waited = self.arrived.wait_timeout_while(self.queue(), most, idle);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Queue {
    /// So many events will be missing.
    pub(crate) fn lose(&mut self, events: u64) {
        self.lost = self.lost.saturating_add(events);
        self.status.lost = self.status.lost.saturating_add(events);
    }
}

/// Whole items and numbers are all there is, so what somebody panicked over is still good.
fn lock_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
