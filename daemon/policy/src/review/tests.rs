//! What a review says of a book.

use std::time::Duration;

use super::*;
use crate::{AppLimits, Fingerprint, NewApp, PinnedCertificate, ScopeSet};

const NOW: u64 = 1_800_000_000;

fn app(name: &str, uids: &[u32], scopes: &[ScopeName]) -> NewApp {
    NewApp {
        name: name.parse().unwrap(),
        uids: uids.to_vec(),
        scopes: scopes.iter().copied().collect::<ScopeSet>(),
        limits: AppLimits::default(),
        commands: None,
        audience: None,
    }
}

/// An application that was registered and used so many days ago.
fn book(name: &str, scopes: &[ScopeName], created: u64, used: &[(ScopeName, u64)]) -> Book {
    let mut book = Book::default();
    book.register(app(name, &[1000], scopes), NOW - created * DAY)
        .unwrap();
    for (scope, ago) in used {
        book.note_use(&name.parse().unwrap(), *scope, NOW - ago * DAY);
    }
    book
}

fn check(book: &Book, expected: &[&str]) {
    let review = review(&AllowList::default(), Some(book), NOW);
    let found: Vec<String> = review.findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_used_is_left_alone() {
    use ScopeName::{Transcribe, Vad};
    check(&book("notes", &[Vad], 200, &[(Vad, 89)]), &[]);
    check(&book("notes", &[Vad, Transcribe], 29, &[]), &[]);
}

#[test]
fn what_is_not_used_is_named() {
    use ScopeName::{Transcribe, Vad};
    let both = [Vad, Transcribe];
    check(
        &book("notes", &both, 90, &[]),
        &["notes: not used for 90 days"],
    );
    let old = book("notes", &both, 200, &[(Vad, 120), (Transcribe, 91)]);
    // The hour that it is kept by is earlier than the time.
    check(&old, &["notes: not used for 91 days"]);
    let never = book("notes", &both, 30, &[(Vad, 1)]);
    check(&never, &["notes: never used transcribe"]);
    let stale = book("notes", &both, 200, &[(Vad, 1), (Transcribe, 91)]);
    check(&stale, &["notes: did not use transcribe for 91 days"]);
    let future = book("notes", &[Vad], 0, &[]);
    let early = review(&AllowList::default(), Some(&future), NOW - 400 * DAY);
    assert_eq!(early.findings, []);
}

#[test]
fn what_is_risky_is_named() {
    use ScopeName::{Command, Listen, Transcribe};
    let mut book = Book::default();
    for new in [
        app("ears", &[1000], &[Transcribe, Listen]),
        app("notes", &[1000, 1001], &[Transcribe]),
        app("radio", &[1001], &[Command]),
    ] {
        book.register(new, NOW).unwrap();
    }
    check(
        &book,
        &[
            "ears: shares uid 1000 with notes",
            "ears: may transcribe and listen, where one may do",
            "notes: shares uid 1000 with ears",
            "notes: shares uid 1001 with radio",
            "radio: shares uid 1001 with notes",
        ],
    );
    // Whoever is revoked shares nothing.
    book.revoke(&"notes".parse().unwrap()).unwrap();
    check(
        &book,
        &["ears: may transcribe and listen, where one may do"],
    );
}

#[test]
fn certificates_are_named_before_and_after_their_end() {
    let mut book = book("notes", &[ScopeName::Vad], 1, &[(ScopeName::Vad, 0)]);
    for (byte, days) in [(1, 14), (2, 3)] {
        let certificate = PinnedCertificate {
            fingerprint: Fingerprint([byte; 32]),
            not_after: NOW + days * DAY,
        };
        let name = "notes".parse().unwrap();
        book.certify(&name, certificate, NOW).unwrap();
    }
    let two = Fingerprint([2; 32]);
    check(
        &book,
        &[&format!("notes: certificate {two} ends in 3 days")],
    );
    let later = review(&AllowList::default(), Some(&book), NOW + 3 * DAY);
    let reasons: Vec<&str> = later.findings.iter().map(|it| it.reason.code()).collect();
    assert_eq!(reasons, ["certificate_ends", "certificate_ended"]);
}

#[test]
fn lists_and_people_are_part_of_it() {
    let mut book = book("notes", &[ScopeName::Vad], 1, &[(ScopeName::Vad, 0)]);
    for uid in [901, 902] {
        let (factor, _) = crate::tests::factor(NOW);
        book.enrol(uid, factor).unwrap();
    }
    let allowed = AllowList {
        apps: vec![1001, 1000, 1001],
        operators: vec![900, 901],
        auditors: vec![901],
    };
    let review = review(&allowed, Some(&book), NOW);
    let found: Vec<String> = review.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "uid-1000: is on the list of all programs, and registered applications count instead",
            "uid-1001: may transcribe by any program",
            "uid-900: may act, and has no second factor",
            "uid-902: has no role any more, and a second factor still",
        ]
    );
    let rights: Vec<(&str, String, Option<bool>)> = review
        .rights
        .iter()
        .map(|right| (right.who.kind(), right.who.to_string(), right.second_factor))
        .collect();
    assert_eq!(
        rights,
        [
            ("app", "notes".to_owned(), None),
            ("user", "uid-1001".to_owned(), None),
            ("operator", "uid-900".to_owned(), Some(false)),
            ("operator", "uid-901".to_owned(), Some(true)),
            ("auditor", "uid-901".to_owned(), Some(true)),
        ]
    );
}

#[test]
fn a_sealed_book_is_said_to_be_sealed() {
    let policy = Policy::new(AllowList {
        operators: vec![900],
        ..AllowList::default()
    });
    let review = policy.review(Duration::from_secs(NOW));
    assert!(review.sealed);
    assert_eq!(review.findings, []);
    policy.load(Book::default());
    assert!(!policy.review(Duration::from_secs(NOW)).sealed);
}
