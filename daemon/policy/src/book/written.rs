//! The book as bytes.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    AppRecord, Book, BookError, MAX_APPS, MAX_COMMAND_LISTS, MAX_PEOPLE, Person, RecordError,
};
use crate::CommandList;

/// The format of a book.
pub const FORMAT: u32 = 1;

/// Most bytes of a book: what all entries take at their largest is less.
pub const MAX_BOOK_BYTES: usize = 8 << 20;

/// What is read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    format: u32,
    apps: Vec<AppRecord>,
    people: Vec<Person>,
    command_lists: Vec<CommandList>,
}

/// What is written.
#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    apps: Vec<&'a AppRecord>,
    people: Vec<&'a Person>,
    command_lists: Vec<&'a CommandList>,
}

impl Book {
    /// Reads a book.
    ///
    /// # Errors
    ///
    /// When the bytes are anything else than [`Book::encode`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Book, BookError> {
        if bytes.len() > MAX_BOOK_BYTES {
            return Err(BookError::Length {
                expected: MAX_BOOK_BYTES,
                found: bytes.len(),
            });
        }
        // What is wrong is not told: it may be a secret.
        let read: Read = serde_json::from_slice(bytes).map_err(|error| BookError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let book = Book::checked(read)?;
        match *book.encode() == bytes {
            true => Ok(book),
            false => Err(BookError::Spelling),
        }
    }

    /// Writes the book. Memory forgets what was written when it is dropped.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            format: FORMAT,
            apps: self.apps.values().collect(),
            people: self.people.values().collect(),
            command_lists: self.lists.values().collect(),
        };
        // Sized beforehand, so that no half of it stays behind in a smaller allocation.
        let mut count = Count(0);
        write(&mut count, &written);
        let mut bytes = Zeroizing::new(Vec::with_capacity(count.0));
        write(&mut *bytes, &written);
        bytes
    }

    fn checked(read: Read) -> Result<Book, BookError> {
        if read.format != FORMAT {
            return Err(BookError::Format {
                expected: FORMAT,
                found: read.format,
            });
        }
        let lists = read.command_lists;
        bounded("applications", &read.apps, MAX_APPS, |app| &app.name)?;
        bounded("people", &read.people, MAX_PEOPLE, |person| &person.uid)?;
        bounded(
            "command lists",
            &lists,
            MAX_COMMAND_LISTS,
            CommandList::name,
        )?;
        let mut book = Book::default();
        for list in lists {
            book.lists.insert(list.name().clone(), list);
        }
        let mut pinned = BTreeSet::new();
        for record in read.apps {
            book.check_record(&record)?;
            for certificate in &record.certificates {
                if !pinned.insert(certificate.fingerprint) {
                    return Err(BookError::Record(RecordError::CertificateTaken {
                        app: record.name,
                        fingerprint: certificate.fingerprint,
                    }));
                }
            }
            book.apps.insert(record.name.clone(), record);
        }
        for person in read.people {
            book.people.insert(person.uid, person);
        }
        Ok(book)
    }
}

fn bounded<T, K: Ord>(
    what: &'static str,
    entries: &[T],
    expected: usize,
    key: impl Fn(&T) -> &K,
) -> Result<(), BookError> {
    if entries.len() > expected {
        return Err(BookError::TooMany {
            what,
            expected,
            found: entries.len(),
        });
    }
    match entries.is_sorted_by(|one, next| key(one) < key(next)) {
        true => Ok(()),
        false => Err(BookError::Order { what }),
    }
}

fn write(to: impl Write, written: &Written<'_>) {
    // Neither memory nor a count refuses, and every key is a text.
    serde_json::to_writer(to, written).expect("a checked book can be written");
}

/// Counts what is written.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
