//! The book of applications, people and command lists.

use earnest_policy::{AllowList, Book, MAX_APPS, MAX_BOOK_BYTES, MAX_PEOPLE, Policy};
use std::time::Duration;

/// Reads `data` as a book. What can be read has one spelling and keeps its bounds, and nothing
/// of what cannot is in the reason.
pub fn book(data: &[u8]) {
    let book = match Book::parse(data) {
        Ok(book) => book,
        Err(error) => return drop(error.to_string()),
    };
    assert!(*book.encode() == data, "the book has two spellings");
    assert!(data.len() <= MAX_BOOK_BYTES);
    assert!(book.apps().len() <= MAX_APPS && book.people().len() <= MAX_PEOPLE);
    for record in book.apps() {
        let found = book.app(&record.name).map(|found| &found.name);
        assert_eq!(found, Some(&record.name), "an application is not found");
        for pinned in &record.certificates {
            let owner = book.app_of_certificate(&pinned.fingerprint.0);
            let owner = owner.map(|(owner, _)| &owner.name);
            assert_eq!(owner, Some(&record.name), "a certificate proves two");
        }
    }
    let policy = Policy::new(AllowList::default());
    policy.load(book);
    for finding in policy.review(Duration::from_secs(1_800_000_000)).findings {
        drop(finding.to_string());
    }
}
