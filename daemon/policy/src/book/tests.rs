//! The book: its bounds, its one spelling, and what changes do to it.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::{AppLimits, Audience, PlainName, ScopeSet};

/// A book with one of everything, as it was first written in this format.
const GOLDEN: &str = include_str!("golden.json");

fn name(name: &str) -> AppId {
    name.parse().unwrap()
}

fn app(name: &str) -> NewApp {
    NewApp {
        name: name.parse().unwrap(),
        uids: vec![1001, 1000, 1001],
        scopes: ScopeSet::NONE
            .with(ScopeName::Command)
            .with(ScopeName::Transcribe),
        limits: AppLimits::default(),
        commands: None,
        audience: None,
    }
}

fn certificate(number: usize, not_after: u64) -> PinnedCertificate {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    PinnedCertificate {
        fingerprint: Fingerprint(bytes),
        not_after,
    }
}

fn lights() -> CommandList {
    CommandList::new("lights", [("on", "lights on"), ("off", "everything dark")]).unwrap()
}

/// A book with one of everything but a second factor, which is random.
fn full() -> Book {
    let mut book = Book::default();
    book.put_commands(lights()).unwrap();
    let commands: PlainName = "lights".parse().unwrap();
    let new = NewApp {
        commands: Some(commands),
        audience: Some("earnest:kitchen".parse::<Audience>().unwrap()),
        ..app("switch")
    };
    book.register(new, 1_800_000_000).unwrap();
    book.register(app("notes"), 1_800_000_000).unwrap();
    let notes = name("notes");
    book.certify(&notes, certificate(1, 1_900_000_000), 0)
        .unwrap();
    book.note_use(&notes, ScopeName::Transcribe, 1_800_003_000);
    book.revoke(&name("switch")).unwrap();
    book
}

fn text(book: &Book) -> String {
    String::from_utf8(book.encode().to_vec()).unwrap()
}

/// The book's text with something else in it.
fn changed(from: &str, to: &str) -> Result<Book, BookError> {
    let text = text(&full());
    let other = text.replacen(from, to, 1);
    assert_ne!(other, text, "{from} is not in the book");
    Book::parse(other.as_bytes())
}

#[test]
fn the_format_stays_as_it_is() {
    let mut book = Book::parse(GOLDEN.trim_end().as_bytes()).unwrap();
    assert_eq!(text(&book), GOLDEN.trim_end());
    let person = book.person(900).unwrap();
    assert_eq!(person.second_factor.failures(), 2);
    assert_eq!(person.last_used, Some(1_800_000_000));
    assert!(book.forget_person(900));
    assert_eq!(book, full());
}

#[test]
fn a_book_comes_back_with_its_people() {
    let mut book = full();
    let (factor, _) = crate::tests::factor(1_800_000_000);
    book.enrol(900, factor).unwrap();
    book.person_mut(900).unwrap().note_use(1_800_000_000);
    assert_eq!(Book::parse(&book.encode()).unwrap(), book);
    let shown = format!("{book:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn what_is_no_book_is_refused_with_a_reason() {
    let unreadable = |result: Result<Book, BookError>| {
        assert!(matches!(result, Err(BookError::Json { .. })), "{result:?}");
    };
    for nothing in ["", "{}", "[]", "null", "\0"] {
        unreadable(Book::parse(nothing.as_bytes()));
    }
    unreadable(changed(r#""format":1"#, r#""format":1,"more":2"#));
    unreadable(changed(r#""format":1"#, r#""format":1,"format":1"#));
    unreadable(changed(r#""state":"active""#, r#""state":"asleep""#));
    unreadable(changed(r#""name":"notes""#, r#""name":"No Tes""#));
    unreadable(changed(r#""scopes":["#, r#""scopes":["transcribe","#));
    unreadable(changed(r#""per_minute":120"#, r#""per_minute":0"#));
    unreadable(changed(r#""burst":20,"#, ""));
    unreadable(changed(r#""uids":[1000"#, r#""uids":[-1"#));
    let format = BookError::Format {
        expected: 1,
        found: 2,
    };
    assert_eq!(changed(r#""format":1"#, r#""format":2"#), Err(format));
    assert_eq!(changed(r#""apps""#, r#" "apps""#), Err(BookError::Spelling));
    assert_eq!(changed("notes", "n\\u006ftes"), Err(BookError::Spelling));
    let order = BookError::Order {
        what: "applications",
    };
    assert_eq!(
        changed(r#""name":"notes""#, r#""name":"zebra""#),
        Err(order)
    );
    let record = |error| Err(BookError::Record(error));
    let notes = || name("notes");
    let found = changed(r#""uids":[1000,1001]"#, r#""uids":[1001,1000]"#);
    assert_eq!(found, record(RecordError::UidOrder { app: notes() }));
    let found = changed(r#"["command","transcribe"]"#, r#"["command","operate"]"#);
    let scopes = ScopeSet::NONE
        .with(ScopeName::Command)
        .with(ScopeName::Operate);
    let (app, found_scopes) = (notes(), scopes);
    let expected = RecordError::Scopes {
        app,
        found: found_scopes,
    };
    assert_eq!(found, record(expected));
    let found = changed(r#""name":"notes""#, r#""name":"uid-7""#);
    assert!(matches!(found, Err(BookError::Order { .. })), "{found:?}");
    let found = changed(r#""used":{"transcribe""#, r#""used":{"audit""#);
    let (app, scope) = (notes(), ScopeName::Audit);
    assert_eq!(found, record(RecordError::Use { app, scope }));
    let found = changed(r#""commands":"lights""#, r#""commands":"doors""#);
    let (app, list) = (name("switch"), "doors".parse().unwrap());
    assert_eq!(found, record(RecordError::UnknownList { app, list }));
    let long = vec![b' '; MAX_BOOK_BYTES + 1];
    let length = BookError::Length {
        expected: MAX_BOOK_BYTES,
        found: MAX_BOOK_BYTES + 1,
    };
    assert_eq!(Book::parse(&long), Err(length));
}

#[test]
fn an_error_tells_nothing_of_what_was_read() {
    let error = changed(r#""people":[]"#, r#""people":["a secret"]"#).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
}

#[test]
fn applications_have_bounds() {
    let mut book = Book::default();
    let mut refused = |change: fn(&mut NewApp), expected: &str| {
        let mut new = app("notes");
        change(&mut new);
        let error = book.register(new, 0).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    refused(|it| it.uids.clear(), "notes has 1 to 16 users, not 0");
    refused(
        |it| it.uids = (0..17).collect(),
        "notes has 1 to 16 users, not 17",
    );
    refused(
        |it| it.name = AppId::of_uid(1000),
        "uid-1000 is the name of a user, and no application's",
    );
    let scopes = "notes has at least one of vad, command, transcribe and listen, not";
    refused(|it| it.scopes = ScopeSet::NONE, &format!("{scopes} "));
    refused(
        |it| it.scopes = it.scopes.with(ScopeName::See),
        &format!("{scopes} command transcribe see"),
    );
    refused(
        |it| it.commands = "doors".parse().ok(),
        "notes is about the command list doors, which is not there",
    );
    assert_eq!(book, Book::default());
}

#[test]
fn a_book_is_full_at_its_bounds() {
    let mut book = Book::default();
    for number in 0..MAX_APPS {
        assert_eq!(book.register(app(&format!("app-{number}")), 0), Ok(true));
    }
    let too_many = |what, most| {
        Err(ChangeError::TooMany {
            what,
            expected: most,
            found: most,
        })
    };
    let one_more = book.register(app("one-more"), 0);
    assert_eq!(one_more, too_many("applications", MAX_APPS));
    // A change is no addition.
    assert_eq!(book.register(app("app-0"), 0), Ok(false));
    let first = name("app-0");
    for number in 0..MAX_CERTIFICATES {
        let certificate = certificate(number, 100 + number as u64);
        book.certify(&first, certificate, 0).unwrap();
    }
    let ninth = book.certify(&first, certificate(99, 1000), 99);
    assert_eq!(
        ninth,
        too_many("certificates", MAX_CERTIFICATES).map(|_: bool| ())
    );
    // What has ended makes room.
    book.certify(&first, certificate(99, 1000), 101).unwrap();
    assert_eq!(
        book.app(&first).unwrap().certificates.len(),
        MAX_CERTIFICATES - 1
    );
    for uid in 0..MAX_PEOPLE {
        let (factor, _) = crate::tests::factor(1_800_000_000);
        book.enrol(u32::try_from(uid).unwrap(), factor).unwrap();
    }
    let (factor, _) = crate::tests::factor(1_800_000_000);
    let one_more = book.enrol(u32::MAX, factor.clone());
    assert_eq!(one_more, too_many("people", MAX_PEOPLE).map(|_: bool| ()));
    book.enrol(0, factor).unwrap();
    for number in 0..MAX_COMMAND_LISTS {
        let list = CommandList::new(&format!("list-{number}"), [("on", "lights on")]);
        assert_eq!(book.put_commands(list.unwrap()), Ok(true));
    }
    let one_more = book.put_commands(lights());
    assert_eq!(one_more, too_many("command lists", MAX_COMMAND_LISTS));
    assert!(book.encode().len() < MAX_BOOK_BYTES / 4);
    assert_eq!(Book::parse(&book.encode()).unwrap(), book);
}

#[test]
fn a_certificate_proves_one_application() {
    let mut book = full();
    let again = book.certify(&name("notes"), certificate(1, 5), 0);
    let (app, fingerprint) = (name("notes"), certificate(1, 5).fingerprint);
    let taken = RecordError::CertificateTaken { app, fingerprint };
    assert_eq!(again, Err(ChangeError::Record(taken.clone())));
    book.register(super::tests::app("other"), 0).unwrap();
    assert_eq!(
        book.certify(&name("other"), certificate(1, 5), 0),
        Err(ChangeError::Record(taken))
    );
    let revoked = book.certify(&name("switch"), certificate(2, 5), 0);
    let app = name("switch");
    assert_eq!(revoked, Err(ChangeError::Revoked { app }));
    assert_eq!(book.unpin(&name("notes"), fingerprint), Ok(true));
    assert_eq!(book.unpin(&name("notes"), fingerprint), Ok(false));
    book.certify(&name("other"), certificate(1, 5), 0).unwrap();
    assert_eq!(
        book.app_of_certificate(&fingerprint.0).unwrap().0.name,
        name("other")
    );
    // Nor does it come in by the file.
    let text = text(&full());
    let pinned = r#""certificates":[]"#;
    let start = text.find(r#""certificates":[{"#).unwrap();
    let end = start + text[start..].find(']').unwrap() + 1;
    let twice = text.replacen(pinned, &text[start..end], 1);
    assert!(matches!(
        Book::parse(twice.as_bytes()),
        Err(BookError::Record(RecordError::CertificateTaken { .. }))
    ));
}

#[test]
fn a_change_keeps_what_was_known_of_an_application() {
    let mut book = full();
    let vad = NewApp {
        scopes: ScopeSet::NONE.with(ScopeName::Vad),
        ..app("notes")
    };
    assert_eq!(book.register(vad, 1_900_000_000), Ok(false));
    let record = book.app(&name("notes")).unwrap();
    assert_eq!(record.created, 1_800_000_000);
    assert_eq!(record.certificates.len(), 1);
    assert_eq!(record.last_used(), Some(1_800_000_000));
    assert_eq!(Book::parse(&book.encode()).unwrap(), book);
}

#[test]
fn a_list_that_is_used_stays() {
    let mut book = full();
    let list = lights().name().clone();
    let used = book.remove_commands(&list);
    let app = name("switch");
    let in_use = ChangeError::ListInUse {
        list: list.clone(),
        app: app.clone(),
    };
    assert_eq!(used, Err(in_use));
    book.remove(&app).unwrap();
    book.remove_commands(&list).unwrap();
    let gone = book.remove_commands(&list);
    assert_eq!(gone, Err(ChangeError::UnknownList { list }));
}

#[derive(Debug, Clone)]
enum Act {
    Register(usize, Vec<u32>, u8),
    Revoke(usize),
    Remove(usize),
    Certify(usize, usize, u64),
    Unpin(usize, usize),
    Use(usize, ScopeName, u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let uids = subsequence((1..20_u32).collect::<Vec<_>>(), 0..20);
    let act = prop_oneof![
        3 => (0..5_usize, uids, 0..16_u8).prop_map(|(app, uids, bits)| Act::Register(app, uids, bits)),
        1 => (0..5_usize).prop_map(Act::Revoke),
        1 => (0..5_usize).prop_map(Act::Remove),
        3 => (0..5_usize, 0..20_usize, 0..9_u64).prop_map(|(app, number, end)| Act::Certify(app, number, end)),
        1 => (0..5_usize, 0..20_usize).prop_map(|(app, number)| Act::Unpin(app, number)),
        2 => (0..5_usize, 0..4_usize, any::<u64>())
            .prop_map(|(app, scope, wall)| Act::Use(app, ScopeName::ALL[scope], wall)),
    ];
    prop::collection::vec(act, 0..60)
}

proptest! {
    #[test]
    fn whatever_is_done_to_a_book_it_can_be_written_and_read(acts in acts()) {
        let mut book = Book::default();
        let named = |app: usize| name(&format!("app-{app}"));
        for (now, act) in acts.into_iter().enumerate() {
            let before = book.clone();
            let refused = match act {
                Act::Register(app, uids, bits) => {
                    let scopes = ScopeName::ALL.into_iter().filter(|it| bits & 1 << *it as u8 != 0);
                    let new = NewApp { uids, scopes: scopes.collect(), ..super::tests::app(named(app).as_str()) };
                    book.register(new, now as u64).is_err()
                }
                Act::Revoke(app) => book.revoke(&named(app)).is_err(),
                Act::Remove(app) => book.remove(&named(app)).is_err(),
                Act::Certify(app, number, end) => {
                    let pinned = certificate(number, now as u64 / 8 + end);
                    book.certify(&named(app), pinned, now as u64 / 8).is_err()
                }
                Act::Unpin(app, number) => {
                    book.unpin(&named(app), certificate(number, 0).fingerprint).is_err()
                }
                Act::Use(app, scope, wall) => !book.note_use(&named(app), scope, wall),
            };
            // A refusal changes nothing.
            prop_assert!(!refused || book == before);
            let read = Book::parse(&book.encode());
            prop_assert_eq!(read.as_ref(), Ok(&book));
        }
    }

    #[test]
    fn any_bytes_are_a_book_or_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Book::parse(&bytes).is_err());
    }

    #[test]
    fn one_byte_more_or_less_or_other_is_another_book(place: prop::sample::Index, byte: u8, how in 0..3) {
        let whole = full();
        let mut bytes = whole.encode().to_vec();
        let place = place.index(bytes.len());
        match how {
            0 => drop(bytes.remove(place)),
            1 => bytes.insert(place, byte),
            _ => bytes[place] = byte,
        }
        let same = bytes == *whole.encode();
        match Book::parse(&bytes) {
            Ok(book) => {
                prop_assert_eq!(book == whole, same);
                prop_assert_eq!(&*book.encode(), &bytes);
            }
            Err(error) => drop(error.to_string()),
        }
    }
}
