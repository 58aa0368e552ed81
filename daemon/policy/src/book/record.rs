//! What is written of each application and each person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RecordError;
use crate::{
    AppId, AppLimits, Audience, Fingerprint, PlainName, ScopeName, ScopeSet, SecondFactor,
};

/// Most users of one application.
pub const MAX_UIDS: usize = 16;

/// Most certificates of one application: a device or two, and those that take over from them.
pub const MAX_CERTIFICATES: usize = 8;

/// Seconds of an hour, to which times of use are kept: enough for a review, too little for a
/// diary.
const HOUR: u64 = 60 * 60;

/// An application to register, or what a registered one is to be from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApp {
    /// The name, which does not begin as those of users do (`uid-`).
    pub name: AppId,
    /// The users whose programs it is, in any order: 1 to [`MAX_UIDS`].
    pub uids: Vec<u32>,
    /// What it may do: scopes of applications, at least one.
    pub scopes: ScopeSet,
    /// How much of it.
    pub limits: AppLimits,
    /// The command list that the scope `command` is about.
    pub commands: Option<PlainName>,
    /// For whom its tokens are, where that is not the device's own.
    pub audience: Option<Audience>,
}

/// A registered application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRecord {
    /// The name.
    pub name: AppId,
    /// The users whose programs it is, in order.
    pub uids: Vec<u32>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// How much of it.
    pub limits: AppLimits,
    /// The command list that the scope `command` is about.
    pub commands: Option<PlainName>,
    /// For whom its tokens are, where that is not the device's own.
    pub audience: Option<Audience>,
    /// The certificates that prove it.
    pub certificates: Vec<PinnedCertificate>,
    /// Whether it may do anything at all.
    pub state: AppState,
    /// When it was registered, in seconds since 1970.
    pub created: u64,
    /// When each scope was last used, in seconds since 1970, by the hour.
    pub used: BTreeMap<ScopeName, u64>,
}

/// Whether an application may do anything at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppState {
    /// It may.
    Active,
    /// It may not, and its users' other programs are kept from taking its place: the record
    /// goes on narrowing what the blanket list allows.
    Revoked,
}

/// A certificate that proves an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedCertificate {
    /// The SHA-256 of its DER.
    pub fingerprint: Fingerprint,
    /// When it ends, in seconds since 1970.
    pub not_after: u64,
}

/// What is written of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The user.
    pub uid: u32,
    /// The second factor.
    pub second_factor: SecondFactor,
    /// When it was last used, in seconds since 1970, by the hour.
    pub last_used: Option<u64>,
}

impl AppRecord {
    pub(super) fn new(app: NewApp, created: u64) -> AppRecord {
        let NewApp {
            name,
            mut uids,
            scopes,
            limits,
            commands,
            audience,
        } = app;
        uids.sort_unstable();
        uids.dedup();
        AppRecord {
            name,
            uids,
            scopes,
            limits,
            commands,
            audience,
            certificates: Vec::new(),
            state: AppState::Active,
            created,
            used: BTreeMap::new(),
        }
    }

    /// Whether it may do anything at all.
    pub fn is_active(&self) -> bool {
        self.state == AppState::Active
    }

    /// When it was last used, in seconds since 1970, by the hour.
    pub fn last_used(&self) -> Option<u64> {
        self.used.values().copied().max()
    }

    /// Notes a use, and says whether that is new.
    pub(super) fn note_use(&mut self, scope: ScopeName, wall: u64) -> bool {
        let hour = hour(wall);
        self.used.insert(scope, hour) != Some(hour)
    }

    pub(super) fn check(&self) -> Result<(), RecordError> {
        let app = || self.name.clone();
        if self.name.is_of_a_uid() {
            return Err(RecordError::ReservedName { app: app() });
        }
        let bounds = [
            ("users", self.uids.len(), 1, MAX_UIDS),
            ("certificates", self.certificates.len(), 0, MAX_CERTIFICATES),
        ];
        for (what, found, least, most) in bounds {
            if !(least..=most).contains(&found) {
                return Err(RecordError::Count {
                    app: app(),
                    what,
                    least,
                    most,
                    found,
                });
            }
        }
        if !self.uids.is_sorted_by(|one, next| one < next) {
            return Err(RecordError::UidOrder { app: app() });
        }
        if self.scopes.is_empty() || !ScopeSet::WORK.holds_all(self.scopes) {
            return Err(RecordError::Scopes {
                app: app(),
                found: self.scopes,
            });
        }
        if let Some(scope) = self.used.keys().find(|scope| !scope.is_work()) {
            return Err(RecordError::Use {
                app: app(),
                scope: *scope,
            });
        }
        Ok(())
    }
}

/// The hour that a time is in.
pub(super) fn hour(wall: u64) -> u64 {
    wall - wall % HOUR
}
