//! A log to try things with.

use std::fs::{self, File};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use earnest_telemetry::{App, Clock, Door, Event, Refusal, Telemetry, WallClock};
use tempfile::TempDir;

use crate::disk::{Disk, System};
use crate::*;

/// A disk that fails when it is told to.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    pub(super) full: Arc<AtomicBool>,
    pub(super) no_write: Arc<AtomicBool>,
    pub(super) no_synchronise: Arc<AtomicBool>,
    pub(super) no_cut: Arc<AtomicBool>,
}

impl Disk for Faults {
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => System.allocate(file, bytes),
        }
    }

    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.no_write.load(Ordering::SeqCst) {
            // Half of it is there all the same.
            System.write(file, &bytes[..bytes.len() / 2], at)?;
            return Err(io::Error::other("a broken disk"));
        }
        System.write(file, bytes, at)
    }

    fn synchronise(&self, file: &File) -> io::Result<()> {
        match self.no_synchronise.load(Ordering::SeqCst) {
            true => Err(io::Error::other("a broken disk")),
            false => System.synchronise(file),
        }
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        match self.no_cut.load(Ordering::SeqCst) {
            true => Err(io::Error::other("a broken disk")),
            false => System.cut(file, bytes),
        }
    }
}

/// A folder, clocks, and what the log is opened with.
pub(super) struct Kit {
    pub(super) folder: TempDir,
    pub(super) clock: Clock,
    pub(super) wall: WallClock,
    pub(super) telemetry: Telemetry,
    pub(super) faults: Faults,
    pub(super) options: Options,
}

/// Seconds since 1970 at which the wall clock of a kit starts.
pub(super) const BEGIN: u64 = 1_700_000_000;

/// A folder in memory, where there is such: what is tried here is not the disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.or_else(|_| tempfile::tempdir())
        .expect("there is room for a folder")
}

/// The key of this number, 7 or 8.
pub(super) fn secret(number: u8) -> SecretKey {
    static KEYS: OnceLock<[SecretKey; 2]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| [7, 8].map(|number| SecretKey::from_bytes(&[number; 32])));
    keys[usize::from(number - 7)].clone()
}

impl Kit {
    pub(super) fn new() -> Kit {
        let clock = Clock::simulated(Duration::from_secs(100));
        Kit {
            folder: folder(),
            wall: WallClock::simulated(Duration::from_secs(BEGIN)),
            telemetry: Telemetry::new(clock.clone()),
            clock,
            faults: Faults::default(),
            options: Options {
                segment_bytes: 128 << 10,
                most_bytes: 1 << 20,
                ..Options::default()
            },
        }
    }

    /// Another one with the same segments.
    pub(super) fn copy(&self) -> Kit {
        let kit = Kit::new();
        for path in self.files() {
            let name = path.file_name().unwrap_or_default();
            fs::copy(&path, kit.path().join(name)).expect("there is room");
        }
        kit
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn open(&self) -> (Log, Recovered) {
        self.try_open().expect("the log opens")
    }

    pub(super) fn try_open(&self) -> Result<(Log, Recovered), OpenError> {
        Log::open_on(
            Box::new(self.faults.clone()),
            self.path(),
            self.options,
            secret(7).public(),
            &self.telemetry,
            self.wall.clone(),
        )
    }

    /// Opens the log, appends so many entries to it, and closes it.
    pub(super) fn fill(&self, entries: u64) -> Head {
        let (log, _) = self.open();
        for _ in 0..entries {
            append(&log, Event::Started).expect("there is room");
        }
        log.close();
        log.head()
    }

    /// Time passes on both clocks.
    pub(super) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.wall.set(self.wall.now() + time);
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let reader =
            Reader::open(self.path(), &[secret(7), secret(8)]).expect("the folder is there");
        let entries: Result<Vec<Entry>, ReadError> = reader.after(0).collect();
        entries.expect("all entries are read")
    }

    /// The events of all entries, in words.
    pub(super) fn lines(&self) -> Vec<String> {
        self.entries().iter().map(line).collect()
    }

    /// The files of segments, in their order.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(self.path()).expect("the folder is there");
        let mut files: Vec<PathBuf> = listed
            .map(|entry| entry.expect("it can be listed").path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("audit-")
            })
            .collect();
        files.sort();
        files
    }

    pub(super) fn verify(&self, anchor: Option<Head>) -> Result<Verified, VerifyError> {
        verify(self.path(), anchor)
    }

    /// What a verification finds.
    pub(super) fn damage(&self, anchor: Option<Head>) -> Damage {
        match self.verify(anchor) {
            Err(VerifyError::Damaged(damage)) => *damage,
            other => panic!("no damage: {other:?}"),
        }
    }
}

pub(super) fn line(entry: &Entry) -> String {
    match entry.times {
        1 => entry.event.to_string(),
        times => format!("{} x{times}", entry.event),
    }
}

pub(super) fn append(log: &Log, note: impl Into<Note>) -> Result<Receipt, AppendError> {
    wait(log.append(note))
}

pub(super) fn refused(uid: u32, reason: Refusal) -> Event {
    Event::Refused {
        app: Some(App::new("notes")),
        uid: Some(uid),
        scope: None,
        door: Door::Unix,
        reason,
    }
}

/// Waits for a future without a runtime.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
