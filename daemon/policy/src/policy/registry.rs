//! Changes to the book. Each takes an operator's permit, and is saved before it is
//! acknowledged.

use std::time::Duration;

use super::{Changed, Policy, State};
use crate::{
    AppId, AppRecord, Book, ChangeError, Command, CommandList, Fingerprint, NewApp, Operate,
    Permit, PinnedCertificate, PlainName,
};

/// What registering did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Whether the application is new; else it was changed.
    pub added: bool,
    /// What is to be saved.
    pub changed: Changed,
}

/// What revoking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Live tokens that died.
    pub tokens: usize,
    /// What is to be saved.
    pub changed: Changed,
}

impl Policy {
    /// Registers an application, or changes the one of that name. Tokens that are live are good
    /// for no more than the application may do from now on.
    ///
    /// # Errors
    ///
    /// When the book is sealed, and as [`Book::register`].
    pub fn register(
        &self,
        _operator: &Permit<Operate>,
        app: NewApp,
        wall: Duration,
    ) -> Result<Registered, ChangeError> {
        let mut state = self.state();
        let added = state.unsealed()?.register(app, wall.as_secs())?;
        Ok(Registered {
            added,
            changed: state.change(),
        })
    }

    /// Revokes an application, with its tokens and certificates.
    ///
    /// # Errors
    ///
    /// When the book is sealed, and as [`Book::revoke`].
    pub fn revoke_app(
        &self,
        _operator: &Permit<Operate>,
        name: &AppId,
        now: Duration,
    ) -> Result<Revoked, ChangeError> {
        let mut state = self.state();
        state.unsealed()?.revoke(name)?;
        Ok(Revoked {
            tokens: state.tokens.revoke_app(name, now),
            changed: state.change(),
        })
    }

    /// Takes the record of a revoked application out.
    ///
    /// # Errors
    ///
    /// When the book is sealed, and as [`Book::remove`].
    pub fn remove_app(
        &self,
        _operator: &Permit<Operate>,
        name: &AppId,
    ) -> Result<Changed, ChangeError> {
        let mut state = self.state();
        state.unsealed()?.remove(name)?;
        Ok(state.change())
    }

    /// Pins a certificate to an application.
    ///
    /// # Errors
    ///
    /// When the book is sealed, and as [`Book::certify`].
    pub fn certify(
        &self,
        _operator: &Permit<Operate>,
        name: &AppId,
        certificate: PinnedCertificate,
        wall: Duration,
    ) -> Result<Changed, ChangeError> {
        let mut state = self.state();
        let book = state.unsealed()?;
        book.certify(name, certificate, wall.as_secs())?;
        Ok(state.change())
    }

    /// Takes a certificate of an application back, and says whether there was one.
    ///
    /// # Errors
    ///
    /// When the book is sealed, or there is no such application.
    pub fn unpin(
        &self,
        _operator: &Permit<Operate>,
        name: &AppId,
        fingerprint: Fingerprint,
    ) -> Result<Option<Changed>, ChangeError> {
        let mut state = self.state();
        let there = state.unsealed()?.unpin(name, fingerprint)?;
        Ok(there.then(|| state.change()))
    }

    /// Writes a command list, in the place of the one of that name.
    ///
    /// # Errors
    ///
    /// When the book is sealed, and as [`Book::put_commands`].
    pub fn put_commands(
        &self,
        _operator: &Permit<Operate>,
        list: CommandList,
    ) -> Result<Registered, ChangeError> {
        let mut state = self.state();
        let added = state.unsealed()?.put_commands(list)?;
        Ok(Registered {
            added,
            changed: state.change(),
        })
    }

    /// Takes a command list out.
    ///
    /// # Errors
    ///
    /// When the book is sealed, and as [`Book::remove_commands`].
    pub fn remove_commands(
        &self,
        _operator: &Permit<Operate>,
        name: &PlainName,
    ) -> Result<Changed, ChangeError> {
        let mut state = self.state();
        state.unsealed()?.remove_commands(name)?;
        Ok(state.change())
    }

    /// The command list that the application of this permit is about, if it is about one.
    pub fn commands_of(&self, permit: &Permit<Command>) -> Option<CommandList> {
        let state = self.state();
        let book = state.book.as_ref()?;
        let record = book.app(permit.app())?;
        book.command_list(record.commands.as_ref()?).cloned()
    }

    /// The registered applications, by name; none while the book is sealed.
    pub fn apps(&self) -> Vec<AppRecord> {
        let state = self.state();
        let book = state.book.as_ref();
        book.map_or_else(Vec::new, |book| book.apps().cloned().collect())
    }

    /// The registered application of this name.
    pub fn app_record(&self, name: &AppId) -> Option<AppRecord> {
        self.state().book.as_ref()?.app(name).cloned()
    }
}

impl State {
    fn unsealed(&mut self) -> Result<&mut Book, ChangeError> {
        self.book.as_mut().ok_or(ChangeError::Sealed)
    }
}
