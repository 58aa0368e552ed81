//! The book: registered applications, people's second factors and command lists, as one file.
//!
//! It is JSON of one format and one spelling: what [`Book::parse`] reads, [`Book::encode`] writes
//! again byte for byte. Whatever is unknown, out of its bounds, out of order or there twice is
//! refused. On disk it lies encrypted under a key that the TPM seals.
//!
//! ```
//! use earnest_policy::{AppLimits, Book, NewApp, ScopeName, ScopeSet};
//! let mut book = Book::default();
//! let added = book.register(
//!     NewApp {
//!         name: "notes".parse()?,
//!         uids: vec![1000],
//!         scopes: ScopeSet::NONE.with(ScopeName::Transcribe),
//!         limits: AppLimits::default(),
//!         commands: None,
//!         audience: None,
//!     },
//!     1_800_000_000,
//! )?;
//! assert!(added);
//! assert_eq!(Book::parse(&book.encode())?, book);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod record;
#[cfg(test)]
mod tests;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use subtle::ConstantTimeEq;

pub use error::{BookError, ChangeError, RecordError};
pub use record::{
    AppRecord, AppState, MAX_CERTIFICATES, MAX_UIDS, NewApp, Person, PinnedCertificate,
};
pub use written::{FORMAT, MAX_BOOK_BYTES};

use crate::{AppId, CommandList, Fingerprint, MAX_APP_BYTES, PlainName, ScopeName, SecondFactor};

/// Most applications of a book, revoked ones included. All of them are looked at for each
/// request that shows a token or a certificate, which takes some 30 microseconds.
pub const MAX_APPS: usize = 256;

/// Most people of a book.
pub const MAX_PEOPLE: usize = 64;

/// Most command lists of a book.
pub const MAX_COMMAND_LISTS: usize = 64;

/// Registered applications, people's second factors and command lists. What stands in it has
/// been checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    apps: BTreeMap<AppId, AppRecord>,
    people: BTreeMap<u32, Person>,
    lists: BTreeMap<PlainName, CommandList>,
}

impl Book {
    /// The applications, by name.
    pub fn apps(&self) -> impl ExactSizeIterator<Item = &AppRecord> {
        self.apps.values()
    }

    /// The application of this name. All names are compared in whole, so that the time this
    /// takes does not say which names there are.
    pub fn app(&self, name: &AppId) -> Option<&AppRecord> {
        let shown = padded(name);
        let mut found = None;
        for record in self.apps.values() {
            if padded(&record.name).ct_eq(&shown).into() {
                found = Some(record);
            }
        }
        found
    }

    /// Whose certificate this is. All are compared in whole.
    pub fn app_of_certificate(
        &self,
        certificate: &[u8; 32],
    ) -> Option<(&AppRecord, PinnedCertificate)> {
        let mut found = None;
        for record in self.apps.values() {
            for pinned in &record.certificates {
                if pinned.fingerprint.same(certificate).into() {
                    found = Some((record, *pinned));
                }
            }
        }
        found
    }

    /// The applications that name this user, revoked ones included.
    pub fn apps_of(&self, uid: u32) -> impl Iterator<Item = &AppRecord> {
        let apps = self.apps.values();
        apps.filter(move |record| record.uids.binary_search(&uid).is_ok())
    }

    /// The users that applications name, revoked ones included: for them the blanket list does
    /// not hold.
    pub fn users(&self) -> BTreeSet<u32> {
        let apps = self.apps.values();
        apps.flat_map(|record| record.uids.iter().copied())
            .collect()
    }

    /// Registers an application, or changes the one of that name, and says whether it is new.
    /// One that was revoked is new: nothing of it comes back, certificates least of all.
    ///
    /// # Errors
    ///
    /// When there are too many, or the record would be wrong.
    pub fn register(&mut self, app: NewApp, wall: u64) -> Result<bool, ChangeError> {
        let mut record = AppRecord::new(app, wall);
        let former = self.apps.get(&record.name);
        let kept = former.filter(|former| former.is_active());
        if former.is_none() {
            room("applications", self.apps.len(), MAX_APPS)?;
        }
        let added = kept.is_none();
        if let Some(former) = kept {
            record.certificates.clone_from(&former.certificates);
            record.created = former.created;
            record.used.clone_from(&former.used);
        }
        self.check_record(&record)?;
        self.apps.insert(record.name.clone(), record);
        Ok(added)
    }

    /// Revokes an application for good. Its record stays, so that what its users may do does not
    /// widen to what the blanket list allows.
    ///
    /// # Errors
    ///
    /// When there is none, or it is revoked already.
    pub fn revoke(&mut self, name: &AppId) -> Result<(), ChangeError> {
        self.active(name)?.state = AppState::Revoked;
        Ok(())
    }

    /// Takes the record of a revoked application out. If no other names its users, the blanket
    /// list holds for them again.
    ///
    /// # Errors
    ///
    /// When there is none, or it is active.
    pub fn remove(&mut self, name: &AppId) -> Result<(), ChangeError> {
        let app = || name.clone();
        let record = self.apps.get(name);
        match record.ok_or_else(|| ChangeError::UnknownApp { app: app() })? {
            record if record.is_active() => Err(ChangeError::Active { app: app() }),
            _ => {
                self.apps.remove(name);
                Ok(())
            }
        }
    }

    /// Pins a certificate to an application. Those that have ended at `wall` make room.
    ///
    /// # Errors
    ///
    /// When there is no such application, it is revoked, or has too many certificates, or the
    /// certificate is pinned already.
    pub fn certify(
        &mut self,
        name: &AppId,
        certificate: PinnedCertificate,
        wall: u64,
    ) -> Result<(), ChangeError> {
        if let Some((owner, _)) = self.app_of_certificate(&certificate.fingerprint.0) {
            return Err(ChangeError::Record(RecordError::CertificateTaken {
                app: owner.name.clone(),
                fingerprint: certificate.fingerprint,
            }));
        }
        let record = self.active(name)?;
        let live = |pinned: &PinnedCertificate| wall < pinned.not_after;
        let count = record.certificates.iter().filter(|it| live(it)).count();
        room("certificates", count, MAX_CERTIFICATES)?;
        record.certificates.retain(live);
        record.certificates.push(certificate);
        Ok(())
    }

    /// Takes a certificate of an application back, and says whether there was one.
    ///
    /// # Errors
    ///
    /// When there is no such application.
    pub fn unpin(&mut self, name: &AppId, fingerprint: Fingerprint) -> Result<bool, ChangeError> {
        let record = self.apps.get_mut(name);
        let record = record.ok_or_else(|| ChangeError::UnknownApp { app: name.clone() })?;
        let before = record.certificates.len();
        let other = |pinned: &PinnedCertificate| pinned.fingerprint != fingerprint;
        record.certificates.retain(other);
        Ok(record.certificates.len() < before)
    }

    /// The people with second factors, by number.
    pub fn people(&self) -> impl ExactSizeIterator<Item = &Person> {
        self.people.values()
    }

    /// What is written of this person.
    pub fn person(&self, uid: u32) -> Option<&Person> {
        self.people.get(&uid)
    }

    /// Gives a person a second factor, in the place of the one before.
    ///
    /// # Errors
    ///
    /// When there are too many people.
    pub fn enrol(&mut self, uid: u32, second_factor: SecondFactor) -> Result<(), ChangeError> {
        if !self.people.contains_key(&uid) {
            room("people", self.people.len(), MAX_PEOPLE)?;
        }
        let person = Person {
            uid,
            second_factor,
            last_used: None,
        };
        self.people.insert(uid, person);
        Ok(())
    }

    /// Takes a person's second factor away, and says whether there was one.
    pub fn forget_person(&mut self, uid: u32) -> bool {
        self.people.remove(&uid).is_some()
    }

    /// The command lists, by name.
    pub fn command_lists(&self) -> impl ExactSizeIterator<Item = &CommandList> {
        self.lists.values()
    }

    /// The command list of this name.
    pub fn command_list(&self, name: &PlainName) -> Option<&CommandList> {
        self.lists.get(name)
    }

    /// Writes a command list, in the place of the one of that name, and says whether it is new.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn put_commands(&mut self, list: CommandList) -> Result<bool, ChangeError> {
        if !self.lists.contains_key(list.name()) {
            room("command lists", self.lists.len(), MAX_COMMAND_LISTS)?;
        }
        Ok(self.lists.insert(list.name().clone(), list).is_none())
    }

    /// Takes a command list out.
    ///
    /// # Errors
    ///
    /// When there is none, or an application is about it.
    pub fn remove_commands(&mut self, name: &PlainName) -> Result<(), ChangeError> {
        let list = || name.clone();
        let mut apps = self.apps.values();
        if let Some(user) = apps.find(|record| record.commands.as_ref() == Some(name)) {
            return Err(ChangeError::ListInUse {
                list: list(),
                app: user.name.clone(),
            });
        }
        match self.lists.remove(name) {
            Some(_) => Ok(()),
            None => Err(ChangeError::UnknownList { list: list() }),
        }
    }

    /// Becomes an earlier book again, but for what became of codes since.
    pub(crate) fn restore(&mut self, mut before: Book) {
        for (uid, person) in &mut before.people {
            let now = self.people.remove(uid);
            if let Some(now) = now
                && now.second_factor.has_secret_of(&person.second_factor)
            {
                *person = now;
            }
        }
        *self = before;
    }

    /// Notes the use of a scope, and says whether that is new within the hour.
    pub(crate) fn note_use(&mut self, name: &AppId, scope: ScopeName, wall: u64) -> bool {
        let record = self.apps.get_mut(name);
        record.is_some_and(|record| record.note_use(scope, wall))
    }

    pub(crate) fn person_mut(&mut self, uid: u32) -> Option<&mut Person> {
        self.people.get_mut(&uid)
    }

    fn active(&mut self, name: &AppId) -> Result<&mut AppRecord, ChangeError> {
        match self.apps.get_mut(name) {
            None => Err(ChangeError::UnknownApp { app: name.clone() }),
            Some(record) if !record.is_active() => Err(ChangeError::Revoked { app: name.clone() }),
            Some(record) => Ok(record),
        }
    }

    fn check_record(&self, record: &AppRecord) -> Result<(), RecordError> {
        record.check()?;
        match &record.commands {
            Some(list) if !self.lists.contains_key(list) => Err(RecordError::UnknownList {
                app: record.name.clone(),
                list: list.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl Person {
    /// Notes a use, and says whether that is new within the hour.
    pub(crate) fn note_use(&mut self, wall: u64) -> bool {
        let hour = Some(record::hour(wall));
        std::mem::replace(&mut self.last_used, hour) != hour
    }
}

/// A name with zeros behind it, so that all are equally long.
fn padded(name: &AppId) -> [u8; MAX_APP_BYTES] {
    let mut bytes = [0; MAX_APP_BYTES];
    for (to, from) in bytes.iter_mut().zip(name.as_str().bytes()) {
        *to = from;
    }
    bytes
}

fn room(what: &'static str, found: usize, expected: usize) -> Result<(), ChangeError> {
    match found < expected {
        true => Ok(()),
        false => Err(ChangeError::TooMany {
            what,
            expected,
            found,
        }),
    }
}
