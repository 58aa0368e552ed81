//! Decisions, by who asks, from where, with what, and when.

mod apps;
mod people;
mod random;
mod tokens;

use std::time::Duration;

use ring::hmac;

use crate::*;

const USER: u32 = 1000;
const OTHER: u32 = 1001;
const OPERATOR: u32 = 900;
const AUDITOR: u32 = 901;
const STRANGER: u32 = 4000;

/// Two users whose applications may ask, and an operator.
fn policy() -> Policy {
    Policy::new(AllowList {
        apps: vec![USER, OTHER],
        operators: vec![OPERATOR],
        auditors: vec![AUDITOR],
    })
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The wall clock, this long after the start of the machine.
fn wall(seconds: u64) -> Duration {
    at(1_800_000_000 + seconds)
}

fn unix(uid: u32) -> Origin {
    Origin::Unix {
        uid,
        gid: uid,
        pid: Some(7),
    }
}

fn loopback(uid: u32) -> Origin {
    Origin::Loopback { uid: Some(uid) }
}

fn ask<S: Scope>(
    policy: &Policy,
    origin: Origin,
    bearer: Option<&str>,
    second: u64,
) -> Result<Permit<S>, Denial> {
    policy.permit(&Applicant {
        bearer,
        ..Applicant::new(origin, at(second), wall(second))
    })
}

fn transcribe(
    policy: &Policy,
    origin: Origin,
    bearer: Option<&str>,
    second: u64,
) -> Result<Permit<Transcribe>, Denial> {
    ask(policy, origin, bearer, second)
}

/// A permit by the kernel's word.
fn peer(policy: &Policy, uid: u32) -> Permit<Transcribe> {
    transcribe(policy, unix(uid), None, 0).expect("the user is listed")
}

/// The code that an authenticator shows which was given this secret in base32.
fn code(secret: &str, wall: Duration) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret
        .chars()
        .map(|c| format!("{:05b}", ALPHABET.find(c).expect("base32")))
        .collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let step = wall.as_secs() / STEP.as_secs();
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let place = usize::from(tag.as_ref()[19] & 15);
    let word: [u8; 4] = tag.as_ref()[place..place + 4].try_into().unwrap();
    format!(
        "{:06}",
        (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
    )
}

/// A second factor that was confirmed at `wall`, and its secret in base32.
pub(crate) fn factor(wall: u64) -> (SecondFactor, String) {
    let (mut pending, shown) = SecondFactor::enrol("uid-900", at(0)).expect("random numbers");
    let code = code(shown.secret(), at(wall));
    let factor = pending.confirm(&code, at(wall), at(0)).expect("its code");
    (factor, shown.secret().to_owned())
}

/// An operator's leave, by a second factor that is put into the book.
fn operator(policy: &Policy) -> Permit<Operate> {
    let (factor, secret) = factor(wall(0).as_secs());
    let mut book = policy.book().expect("there is a book");
    book.enrol(OPERATOR, factor).expect("there is room");
    policy.load(book);
    let shown = code(&secret, wall(60));
    let leave = policy.permit(&Applicant {
        second_factor: Some(&shown),
        ..Applicant::new(unix(OPERATOR), at(60), wall(60))
    });
    leave.expect("an operator with its code")
}

/// A token for the application `notes` of this user, given out at this second.
fn token(policy: &Policy, uid: u32, second: u64) -> Token {
    let app: AppId = "notes".parse().expect("a name");
    let issued = policy.issue(&peer(policy, uid), app, at(second), wall(second));
    issued.expect("there is room").token
}

#[test]
fn the_lists_decide_on_the_unix_socket() {
    let policy = policy();
    let permit = transcribe(&policy, unix(USER), None, 1).unwrap();
    assert_eq!(permit.app(), &AppId::of_uid(USER));
    assert_eq!((permit.uid(), permit.proof()), (USER, Proof::Peer));
    assert!(ask::<Vad>(&policy, unix(USER), None, 1).is_ok());

    for (uid, scope) in [
        (STRANGER, "transcribe"),
        (OPERATOR, "transcribe"),
        (0, "transcribe"),
    ] {
        let denial = transcribe(&policy, unix(uid), None, 1).unwrap_err();
        assert_eq!(denial, Denial::NotListed { uid, scope });
    }
    for uid in [STRANGER, USER, 0] {
        let denial = ask::<Operate>(&policy, unix(uid), None, 1).unwrap_err();
        let scope = "operate";
        assert_eq!(denial, Denial::NotListed { uid, scope });
    }
}

#[test]
fn empty_lists_let_nobody_in() {
    let policy = Policy::new(AllowList::default());
    for uid in [0, USER, u32::MAX] {
        assert!(transcribe(&policy, unix(uid), None, 1).is_err());
        assert!(ask::<Operate>(&policy, unix(uid), None, 1).is_err());
    }
}

#[test]
fn loopback_wants_a_live_token_from_its_owner() {
    let policy = policy();
    let token = token(&policy, USER, 0);
    let shown = Some(token.expose());
    let permit = transcribe(&policy, loopback(USER), shown, 299).unwrap();
    assert_eq!(
        (permit.app().as_str(), permit.uid()),
        ("uid-1000.notes", USER)
    );
    assert_eq!(permit.proof(), Proof::Token);

    let denied = |origin, bearer, second| transcribe(&policy, origin, bearer, second).unwrap_err();
    assert_eq!(denied(loopback(USER), None, 1), Denial::NoToken);
    assert_eq!(denied(loopback(USER), Some(""), 1), Denial::BadToken);
    assert_eq!(denied(loopback(USER), Some("sk-none"), 1), Denial::BadToken);
    assert_eq!(denied(loopback(USER), shown, 300), Denial::BadToken);
    let nobody = Origin::Loopback { uid: None };
    assert_eq!(denied(nobody, shown, 1), Denial::UnknownPeer);
    let other = Denial::OtherOwner {
        expected: USER,
        found: OTHER,
    };
    assert_eq!(denied(loopback(OTHER), shown, 1), other);
}

#[test]
fn where_a_protocol_knows_no_tokens_the_user_decides_and_no_person_gets_in() {
    let policy = policy();
    let bare = |uid| Origin::Bare { uid };
    let permit = transcribe(&policy, bare(Some(USER)), None, 1).unwrap();
    assert_eq!((permit.app().as_str(), permit.uid()), ("uid-1000", USER));
    assert_eq!(permit.proof(), Proof::Peer);
    let denied = |uid| transcribe(&policy, bare(uid), None, 1).unwrap_err();
    assert_eq!(denied(None), Denial::UnknownPeer);
    assert!(matches!(denied(Some(STRANGER)), Denial::NotListed { .. }));
    let see = ask::<See>(&policy, bare(Some(OPERATOR)), None, 1).unwrap_err();
    assert_eq!(see, Denial::WrongDoor { scope: See::NAME });
    let operate = ask::<Operate>(&policy, bare(Some(OPERATOR)), None, 1).unwrap_err();
    assert!(matches!(operate, Denial::WrongDoor { .. }));
}

#[test]
fn a_token_names_the_application_on_the_unix_socket_and_adds_nothing() {
    let policy = policy();
    let token = token(&policy, USER, 0);
    let shown = Some(token.expose());
    let app = |bearer, second| {
        let permit = transcribe(&policy, unix(USER), bearer, second).unwrap();
        assert_eq!(permit.proof(), Proof::Peer);
        permit.app().to_string()
    };
    assert_eq!(app(shown, 1), "uid-1000.notes");
    // Clients made for other services always send something.
    assert_eq!(app(Some("sk-none"), 1), "uid-1000");
    assert_eq!(app(shown, 300), "uid-1000");
    let denial = transcribe(&policy, unix(STRANGER), shown, 1).unwrap_err();
    let other = Denial::OtherOwner {
        expected: USER,
        found: STRANGER,
    };
    assert_eq!(denial, other);
}

#[test]
fn a_token_gives_birth_to_none_and_does_not_prolong_itself() {
    let policy = policy();
    let token = token(&policy, USER, 0);
    let permit = transcribe(&policy, loopback(USER), Some(token.expose()), 1).unwrap();
    let app = AppId::of_uid(USER);
    let refused = policy.issue(&permit, app, at(1), wall(1)).unwrap_err();
    assert_eq!(refused, IssueError::NotByPeer);
    let refused = policy.renew(&permit, token.expose(), at(1)).unwrap_err();
    assert_eq!(refused, RenewError::NotByPeer);
}

#[test]
fn a_renewed_token_lasts_longer_while_it_is_live_and_its_owners() {
    let policy = policy();
    let token = token(&policy, USER, 0);
    let (user, other) = (peer(&policy, USER), peer(&policy, OTHER));
    let renew = |permit, second| policy.renew(permit, token.expose(), at(second));
    assert_eq!(renew(&user, 200), Ok(at(500)));
    assert!(transcribe(&policy, loopback(USER), Some(token.expose()), 499).is_ok());
    assert_eq!(renew(&other, 210), Err(RenewError::BadToken));
    // An earlier time does not shorten it.
    assert_eq!(renew(&user, 100), Ok(at(500)));
    assert_eq!(renew(&user, 500), Err(RenewError::BadToken));
    let unknown = policy.renew(&user, "sk-none", at(1));
    assert_eq!(unknown, Err(RenewError::BadToken));
}

#[test]
fn tokens_can_be_taken_back_by_their_owner() {
    let policy = policy();
    let (kept, revoked) = (token(&policy, USER, 0), token(&policy, USER, 0));
    let revoke = |uid, token: &Token| policy.revoke(&peer(&policy, uid), token.expose(), at(1));
    assert!(!revoke(OTHER, &revoked));
    assert!(revoke(USER, &revoked));
    assert!(!revoke(USER, &revoked));
    let works = |token: &Token| transcribe(&policy, loopback(USER), Some(token.expose()), 1);
    assert_eq!(works(&revoked).unwrap_err(), Denial::BadToken);
    assert!(works(&kept).is_ok());
    assert_eq!((policy.forget_all(), policy.live_tokens(at(1))), (1, 0));
    assert_eq!(works(&kept).unwrap_err(), Denial::BadToken);
}

#[test]
fn no_user_takes_all_tokens_and_all_users_do_not_take_more() {
    let users: Vec<u32> = (0..20).collect();
    let policy = Policy::new(AllowList {
        apps: users.clone(),
        ..AllowList::default()
    });
    let issue = |uid, second| {
        let app = AppId::of_uid(uid);
        policy
            .issue(&peer(&policy, uid), app, at(second), wall(second))
            .map(|_| ())
    };
    let full = |expected| {
        Err(IssueError::TooMany {
            expected,
            found: expected,
        })
    };
    for _ in 0..MAX_TOKENS_OF_A_USER {
        assert_eq!(issue(0, 0), Ok(()));
    }
    assert_eq!(issue(0, 0), full(MAX_TOKENS_OF_A_USER));
    let rest = MAX_TOKENS - MAX_TOKENS_OF_A_USER;
    for place in 0..rest {
        assert_eq!(issue(users[1 + place % 19], 0), Ok(()));
    }
    assert_eq!(issue(1, 0), full(MAX_TOKENS));
    assert_eq!(policy.live_tokens(at(299)), MAX_TOKENS);
    // What has expired makes room.
    assert_eq!(issue(0, 300), Ok(()));
    assert_eq!(policy.live_tokens(at(300)), 1);
}

#[test]
fn lifetimes_have_bounds() {
    let error = |lifetime| policy().with_lifetime(lifetime).map(|_| ()).unwrap_err();
    let refused = |found| LifetimeError {
        least: MIN_LIFETIME,
        most: MAX_LIFETIME,
        found,
    };
    for lifetime in [Duration::ZERO, at(9), at(24 * 60 * 60 + 1), Duration::MAX] {
        assert_eq!(error(lifetime), refused(lifetime));
    }
    let policy = policy().with_lifetime(at(60)).unwrap();
    assert_eq!(policy.lifetime(), at(60));
    let token = token(&policy, USER, 0);
    let works = |second| transcribe(&policy, loopback(USER), Some(token.expose()), second);
    assert!(works(59).is_ok() && works(60).is_err());
}
