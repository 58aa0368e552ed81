//! What is wrong with a book, or with a change to one.

use crate::{AppId, Fingerprint, PlainName, ScopeName, ScopeSet};

/// Why a record cannot stand in a book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The name is one that users have without registration.
    #[error("{app} is the name of a user, and no application's")]
    ReservedName {
        /// The application.
        app: AppId,
    },
    /// Too few or too many.
    #[error("{app} has {least} to {most} {what}, not {found}")]
    Count {
        /// The application.
        app: AppId,
        /// Of what.
        what: &'static str,
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// The users are not in order, each once.
    #[error("the users of {app} are not in order, each once")]
    UidOrder {
        /// The application.
        app: AppId,
    },
    /// No scope, or one that is for people.
    #[error("{app} has at least one of vad, command, transcribe and listen, not {found}")]
    Scopes {
        /// The application.
        app: AppId,
        /// What it was to have.
        found: ScopeSet,
    },
    /// A use of what no application has.
    #[error("{app} cannot have used {scope}")]
    Use {
        /// The application.
        app: AppId,
        /// The scope.
        scope: ScopeName,
    },
    /// The command list is not there.
    #[error("{app} is about the command list {list}, which is not there")]
    UnknownList {
        /// The application.
        app: AppId,
        /// The list.
        list: PlainName,
    },
    /// The certificate is pinned already: it would prove two applications.
    #[error("the certificate {fingerprint} is pinned to {app} already")]
    CertificateTaken {
        /// Whose it is.
        app: AppId,
        /// The certificate.
        fingerprint: Fingerprint,
    },
}

/// Why bytes are no book. It holds nothing of what they say, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Too long.
    #[error("a book has at most {expected} bytes, not {found}")]
    Length {
        /// Most bytes.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// Not the JSON of a book.
    #[error("the book cannot be read at line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The format of another version.
    #[error("the book's format is {expected}, not {found}")]
    Format {
        /// The format that is read.
        expected: u32,
        /// The format that it says.
        found: u32,
    },
    /// Too many.
    #[error("a book has at most {expected} {what}, not {found}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Entries are not in order, each once.
    #[error("the {what} of the book are not in order, each once")]
    Order {
        /// Which entries.
        what: &'static str,
    },
    /// A record is wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It says what a book says, in other words than a book does.
    #[error("the book is not spelt as books are")]
    Spelling,
}

/// Why a book was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The book is sealed, as the gate is closed.
    #[error("the book is sealed")]
    Sealed,
    /// There is no such application.
    #[error("there is no application {app}")]
    UnknownApp {
        /// The name.
        app: AppId,
    },
    /// The application is revoked, and can only be registered anew.
    #[error("{app} is revoked")]
    Revoked {
        /// The name.
        app: AppId,
    },
    /// An active application is not removed: it is revoked first.
    #[error("{app} is active")]
    Active {
        /// The name.
        app: AppId,
    },
    /// The book is full.
    #[error("there are {found} {what}, of at most {expected}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// There is no such command list.
    #[error("there is no command list {list}")]
    UnknownList {
        /// The name.
        list: PlainName,
    },
    /// An application is about the list.
    #[error("the command list {list} is that of {app}")]
    ListInUse {
        /// The name.
        list: PlainName,
        /// Whose it is.
        app: AppId,
    },
    /// The record would be wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
}
