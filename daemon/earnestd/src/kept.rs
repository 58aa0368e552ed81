//! What the daemon keeps between openings of the gate: who may do what, what is usual for whom,
//! and when which key was made. All of it lies encrypted on the disk, under a key that the TPM
//! gives in an approved state alone; it is in memory only while the gate may open.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use earnest_anomaly::{Baselines, ImportError, Watch, hour_of_the_week};
use earnest_endpoint::SaveError;
use earnest_files::FileError;
use earnest_policy::{Book, BookError, Policy, Unsaved};
use earnest_telemetry::{Clock, WallClock};
use earnest_tpm::Secret;
use earnest_vault::{FileFault, Vault};
use tokio::sync::Mutex as Turn;
use tokio::task::spawn_blocking;

use crate::calendar::{Calendar, CalendarError};

#[cfg(test)]
mod tests;

/// Who may do what.
const BOOK: &str = "book.vault";

/// What is usual for whom.
const BASELINES: &str = "baselines.vault";

/// When which key was made.
const CALENDAR: &str = "calendar.vault";

/// The files, all of which are closed anew under a new key.
const FILES: [&str; 3] = [BOOK, BASELINES, CALENDAR];

/// What the daemon keeps.
pub struct Kept {
    folder: PathBuf,
    policy: Arc<Policy>,
    watch: Watch,
    clock: Clock,
    held: Mutex<Option<Held>>,
    /// One writes at a time, and each sees what those before it changed.
    turn: Turn<()>,
}

/// What is in memory while the state is open.
struct Held {
    vault: Arc<Vault>,
    calendar: Calendar,
}

impl Kept {
    /// A state that is closed, in this folder, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn new(
        folder: &Path,
        policy: Arc<Policy>,
        watch: Watch,
        clock: Clock,
    ) -> Result<Kept, FileError> {
        earnest_files::create_folder(folder)?;
        Ok(Kept {
            folder: folder.to_owned(),
            policy,
            watch,
            clock,
            held: Mutex::default(),
            turn: Turn::default(),
        })
    }

    /// The folder of it all.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the state with its keys, the newest first. Where a rotation was broken off, files of
    /// an earlier key are closed anew under the newest. A device that keeps nothing yet begins
    /// with an empty book. Blocks.
    ///
    /// # Errors
    ///
    /// When a file is damaged, or none of the keys opens it. Nothing is taken in then: a device
    /// that does not know who may do what serves nobody.
    pub fn open(&self, keys: &[Secret]) -> Result<(), KeptError> {
        let vault = vault_of(keys)?;
        vault.rotate(&self.folder, &FILES)?;
        let read = |name| vault.read_if_there(&self.folder, name);
        let book = match read(BOOK)? {
            Some(bytes) => Book::parse(&bytes)?,
            None => Book::default(),
        };
        let baselines = match read(BASELINES)? {
            Some(bytes) => Some(Baselines::parse(&bytes)?),
            None => None,
        };
        let calendar = match read(CALENDAR)? {
            Some(bytes) => Calendar::parse(&bytes)?,
            None => Calendar::new(SystemTime::now())?,
        };
        vault.write(&self.folder, CALENDAR, &calendar.encode())?;
        if let Some(baselines) = baselines {
            self.watch.import(
                baselines,
                self.clock.now(),
                hour_of_the_week(WallClock::system().now()),
            )?;
        }
        self.policy.load(book);
        *self.held() = Some(Held {
            vault: Arc::new(vault),
            calendar,
        });
        Ok(())
    }

    /// Whether the state is open.
    pub fn is_open(&self) -> bool {
        self.held().is_some()
    }

    /// Saves what is unsaved, and forgets everything. What cannot be saved is said and lost: the
    /// gate closes in any case.
    pub async fn close(&self) {
        if !self.is_open() {
            return;
        }
        if self.policy.unsaved() > Unsaved::Nothing
            && let Err(error) = self.save_book().await
        {
            tracing::warn!(%error, "times of use are lost");
        }
        self.save_baselines().await;
        *self.held() = None;
        self.policy.forget();
        self.watch.forget_all();
    }

    /// Writes the book as it stands, and returns once it is on the disk. Saves that come at once
    /// are made one after the other, each of the book as it is by then.
    ///
    /// # Errors
    ///
    /// When the state is closed, or cannot be written.
    pub async fn save_book(&self) -> Result<(), SaveError> {
        let _turn = self.turn.lock().await;
        let vault = self.vault().ok_or(SaveError::Sealed)?;
        let snapshot = self.policy.snapshot().ok_or(SaveError::Sealed)?;
        let bytes = snapshot.book.encode();
        let folder = self.folder.clone();
        let writing = spawn_blocking(move || vault.write(&folder, BOOK, &bytes));
        let written = writing
            .await
            .map_err(|broken| SaveError::Write(broken.into()))?;
        written.map_err(|error| SaveError::Write(error.into()))?;
        self.policy.saved(snapshot.revision);
        Ok(())
    }

    /// Writes what is usual for whom. It is learned anew where it is lost, so a failure is said
    /// and no more.
    pub async fn save_baselines(&self) {
        let _turn = self.turn.lock().await;
        let Some(vault) = self.vault() else {
            return;
        };
        let bytes = self.watch.export(self.clock.now()).encode();
        let folder = self.folder.clone();
        let written = spawn_blocking(move || vault.write(&folder, BASELINES, &bytes)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what is usual cannot be kept"),
            Err(error) => tracing::warn!(%error, "what is usual cannot be kept"),
        }
    }

    /// When which key was made; nothing while the state is closed.
    pub fn calendar(&self) -> Option<Calendar> {
        self.held().as_ref().map(|held| held.calendar.clone())
    }

    /// Writes another calendar.
    ///
    /// # Errors
    ///
    /// When the state is closed, or cannot be written.
    pub async fn keep_calendar(&self, calendar: Calendar) -> Result<(), KeptError> {
        let _turn = self.turn.lock().await;
        let vault = self.vault().ok_or(KeptError::NoKey)?;
        let bytes = calendar.encode();
        let folder = self.folder.clone();
        spawn_blocking(move || vault.write(&folder, CALENDAR, &bytes))
            .await
            .map_err(|_| KeptError::Broken)??;
        if let Some(held) = &mut *self.held() {
            held.calendar = calendar;
        }
        Ok(())
    }

    /// Closes everything anew under the newest of these keys, which stand in that order and of
    /// which the others are needed to open what is there.
    ///
    /// # Errors
    ///
    /// When the state is closed, or a file cannot be read or written. All keys are needed then,
    /// until it succeeds.
    pub async fn change_key(&self, keys: &[Secret]) -> Result<(), KeptError> {
        let _turn = self.turn.lock().await;
        if !self.is_open() {
            return Err(KeptError::NoKey);
        }
        let vault = Arc::new(vault_of(keys)?);
        let (folder, new) = (self.folder.clone(), Arc::clone(&vault));
        spawn_blocking(move || new.rotate(&folder, &FILES))
            .await
            .map_err(|_| KeptError::Broken)??;
        if let Some(held) = &mut *self.held() {
            held.vault = vault;
        }
        Ok(())
    }

    fn vault(&self) -> Option<Arc<Vault>> {
        self.held().as_ref().map(|held| Arc::clone(&held.vault))
    }

    /// It is replaced whole.
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What seals with the first of these keys and opens with each.
fn vault_of(keys: &[Secret]) -> Result<Vault, KeptError> {
    let (newest, earlier) = keys.split_first().ok_or(KeptError::NoKey)?;
    let newest = Vault::new(newest.clone());
    let with = |vault: Vault, key: &Secret| vault.with_earlier(key.clone());
    Ok(earlier.iter().fold(newest, with))
}

/// Why the daemon does not know what it kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The state is closed.
    #[error("the key of the state is not there")]
    NoKey,
    /// A file is damaged or closed under a key that is gone, or cannot be read or written.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The book is none.
    #[error("the book of who may do what")]
    Book(#[from] BookError),
    /// The baselines are none.
    #[error("what is usual for whom")]
    Baselines(#[from] ImportError),
    /// The calendar is none.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// Writing broke off: a mistake in this program.
    #[error("writing the state broke off")]
    Broken,
}
