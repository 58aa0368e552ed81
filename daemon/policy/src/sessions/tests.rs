//! Links and sessions, on simulated time.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const USER: u32 = 1000;
const OTHER: u32 = 1001;
const SEE: Purpose = Purpose::Seeing;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn open(sessions: &mut BrowserSessions, uid: u32, now: Duration) -> BrowserSecret {
    let link = sessions.link(uid, SEE, now).unwrap();
    sessions.open(link.code.expose(), uid, now).unwrap().cookie
}

fn why(opened: Result<BrowserSession, SessionError>) -> SessionError {
    opened.map(|_| ()).unwrap_err()
}

#[test]
fn a_link_opens_once() {
    let mut sessions = BrowserSessions::default();
    let link = sessions.link(USER, SEE, at(10)).unwrap();
    assert_eq!(link.until, at(10) + LINK_LIFETIME);
    let session = sessions.open(link.code.expose(), USER, at(11)).unwrap();
    assert_eq!(session.until, at(11) + SESSION_LIFETIME);
    assert_ne!(session.cookie.expose(), link.code.expose());
    let again = sessions.open(link.code.expose(), USER, at(12));
    assert_eq!(why(again), SessionError::NoLink);
    // What opens is no session, and what is a session opens nothing.
    assert_eq!(sessions.touch(link.code.expose(), USER, at(12)), None);
    let opened = sessions.open(session.cookie.expose(), USER, at(12));
    assert_eq!(why(opened), SessionError::NoLink);
    assert_eq!(
        sessions.touch(session.cookie.expose(), USER, at(12)),
        Some(&SEE)
    );
}

#[test]
fn a_link_ends() {
    let mut sessions = BrowserSessions::default();
    let link = sessions.link(USER, SEE, at(10)).unwrap();
    let late = sessions.open(link.code.expose(), USER, at(10) + LINK_LIFETIME);
    assert_eq!(why(late), SessionError::NoLink);
    let link = sessions.link(USER, SEE, at(100)).unwrap();
    let last = link.until - at(1);
    assert!(sessions.open(link.code.expose(), USER, last).is_ok());
}

#[test]
fn a_link_in_other_hands_is_burnt() {
    let mut sessions = BrowserSessions::default();
    let link = sessions.link(USER, SEE, at(10)).unwrap();
    let stolen = sessions.open(link.code.expose(), OTHER, at(11));
    let expected = SessionError::OtherOwner {
        owner: USER,
        found: OTHER,
    };
    assert_eq!(why(stolen), expected);
    let own = sessions.open(link.code.expose(), USER, at(12));
    assert_eq!(why(own), SessionError::NoLink);
}

#[test]
fn a_session_is_its_users_alone() {
    let mut sessions = BrowserSessions::default();
    let cookie = open(&mut sessions, USER, at(10));
    assert_eq!(sessions.touch(cookie.expose(), OTHER, at(11)), None);
    assert!(!sessions.end(cookie.expose(), OTHER));
    assert_eq!(sessions.touch(cookie.expose(), USER, at(12)), Some(&SEE));
    assert!(sessions.end(cookie.expose(), USER));
    assert_eq!(sessions.touch(cookie.expose(), USER, at(13)), None);
    assert!(!sessions.end(cookie.expose(), USER));
}

#[test]
fn a_session_ends_when_it_rests() {
    let mut sessions = BrowserSessions::default();
    let cookie = open(&mut sessions, USER, at(0));
    let almost = SESSION_IDLE - at(1);
    let mut now = at(0);
    for _ in 0..3 {
        now += almost;
        assert_eq!(sessions.touch(cookie.expose(), USER, now), Some(&SEE));
    }
    // Another user's attempt is no use of it.
    assert_eq!(sessions.touch(cookie.expose(), OTHER, now + almost), None);
    assert_eq!(
        sessions.touch(cookie.expose(), USER, now + SESSION_IDLE),
        None
    );
    assert_eq!(sessions.live(now), 0);
}

#[test]
fn a_session_ends_after_its_life_however_busy_it_is() {
    let mut sessions = BrowserSessions::default();
    let cookie = open(&mut sessions, USER, at(0));
    for second in (0..SESSION_LIFETIME.as_secs()).step_by(60) {
        assert_eq!(
            sessions.touch(cookie.expose(), USER, at(second)),
            Some(&SEE)
        );
    }
    assert_eq!(
        sessions.touch(cookie.expose(), USER, SESSION_LIFETIME),
        None
    );
}

#[test]
fn a_clock_that_goes_back_shortens_no_rest() {
    let mut sessions = BrowserSessions::default();
    let cookie = open(&mut sessions, USER, at(5000));
    assert_eq!(sessions.touch(cookie.expose(), USER, at(1)), Some(&SEE));
    assert_eq!(sessions.touch(cookie.expose(), USER, at(5001)), Some(&SEE));
    assert_eq!(sessions.touch(cookie.expose(), USER, Duration::MAX), None);
    let link = sessions.link(USER, SEE, Duration::MAX).unwrap();
    assert!(
        sessions
            .open(link.code.expose(), USER, Duration::MAX)
            .is_err()
    );
}

#[test]
fn a_users_newest_replaces_the_oldest() {
    let mut sessions = BrowserSessions::default();
    let now = at(10);
    let links: Vec<Link> = (0..3)
        .map(|later| sessions.link(USER, SEE, now + at(later)).unwrap())
        .collect();
    let mut opened = links.iter();
    let mut opened = || {
        let code = opened.next().unwrap().code.expose().to_owned();
        sessions.open(&code, USER, now + at(5)).is_ok()
    };
    assert_eq!([opened(), opened(), opened()], [false, true, true]);

    let mut sessions = BrowserSessions::default();
    let most = MAX_SESSIONS_OF_A_USER as u64;
    let cookies: Vec<BrowserSecret> = (0..most)
        .map(|later| open(&mut sessions, USER, now + at(later)))
        .collect();
    // The first one is used, so that the second one rested longest.
    assert_eq!(
        sessions.touch(cookies[0].expose(), USER, now + at(most)),
        Some(&SEE)
    );
    let newest = open(&mut sessions, USER, now + at(most + 1));
    let live = |cookie: &BrowserSecret| {
        let place = find(&sessions.sessions, |live| &live.cookie, cookie.expose());
        place.is_some()
    };
    assert!(live(&cookies[0]) && !live(&cookies[1]) && live(&newest));
}

#[test]
fn nobody_takes_another_users_place() {
    let mut sessions = BrowserSessions::default();
    let now = at(10);
    for uid in 0..MAX_LINKS as u32 {
        sessions.link(uid, SEE, now).unwrap();
    }
    let full = SessionError::TooMany {
        expected: MAX_LINKS,
        found: MAX_LINKS,
    };
    let one_more = sessions.link(99, SEE, now).map(|_| ());
    assert_eq!(one_more, Err(full));
    // Who has one may have another in its place.
    sessions.link(0, SEE, now).unwrap();
    assert_eq!(sessions.links.len(), MAX_LINKS);
    sessions.link(99, SEE, now + LINK_LIFETIME).unwrap();

    let mut sessions = BrowserSessions::default();
    for uid in 0..MAX_SESSIONS as u32 {
        open(&mut sessions, uid, now);
    }
    let link = sessions.link(99, SEE, now).unwrap();
    let refused = sessions.open(link.code.expose(), 99, now);
    let full = SessionError::TooMany {
        expected: MAX_SESSIONS,
        found: MAX_SESSIONS,
    };
    assert_eq!(why(refused), full);
    assert_eq!(sessions.live(now), MAX_SESSIONS);
    assert_eq!(sessions.live(now + SESSION_IDLE), 0);
    open(&mut sessions, 99, now + SESSION_IDLE);
}

#[test]
fn all_of_a_user_and_all_of_everybody_end() {
    let mut sessions = BrowserSessions::default();
    let now = at(10);
    let (own, others) = (
        open(&mut sessions, USER, now),
        open(&mut sessions, OTHER, now),
    );
    let link = sessions.link(USER, SEE, now).unwrap();
    assert_eq!(sessions.end_of(USER), 1);
    assert_eq!(sessions.touch(own.expose(), USER, now), None);
    assert!(sessions.open(link.code.expose(), USER, now).is_err());
    assert_eq!(sessions.touch(others.expose(), OTHER, now), Some(&SEE));
    let link = sessions.link(USER, SEE, now).unwrap();
    assert_eq!(sessions.end_all(), 1);
    assert_eq!(sessions.touch(others.expose(), OTHER, now), None);
    assert!(sessions.open(link.code.expose(), USER, now).is_err());
}

#[test]
fn captions_and_seeing_take_no_place_from_each_other() {
    let captions = || Purpose::Captions {
        app: "notes".parse().unwrap(),
    };
    let mut sessions = BrowserSessions::default();
    let now = at(10);
    let own = open(&mut sessions, USER, now);
    let mut cookies = Vec::new();
    for _ in 0..MAX_SESSIONS_OF_A_USER {
        let link = sessions.link(USER, captions(), now).unwrap();
        let session = sessions.open(link.code.expose(), USER, now).unwrap();
        assert_eq!(session.purpose, captions());
        cookies.push(session.cookie);
    }
    for uid in 2_000..2_000 + MAX_SESSIONS as u32 - 4 {
        let link = sessions.link(uid, captions(), now).unwrap();
        sessions.open(link.code.expose(), uid, now).unwrap();
    }
    let full = sessions.link(OTHER, captions(), now).unwrap();
    let refused = sessions.open(full.code.expose(), OTHER, now);
    assert!(matches!(why(refused), SessionError::TooMany { .. }));
    open(&mut sessions, OTHER, now);
    assert_eq!(sessions.touch(own.expose(), USER, now), Some(&SEE));
    // A page of captions makes one request that lasts for hours.
    let late = now + SESSION_LIFETIME - at(1);
    let last = cookies.last().unwrap().expose();
    assert_eq!(sessions.touch(last, USER, late), Some(&captions()));
    assert_eq!(sessions.touch(own.expose(), USER, late), None);
    assert_eq!(sessions.touch(last, USER, late + at(1)), None);
}

#[test]
fn secrets_are_long_differ_and_are_not_printed_or_kept() {
    let mut sessions = BrowserSessions::default();
    let mut secrets = BTreeSet::new();
    for _ in 0..16 {
        let link = sessions.link(USER, SEE, at(10)).unwrap();
        let code = link.code.expose().to_owned();
        // 256 bits in base64.
        assert_eq!(code.len(), 43);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        assert!(code.bytes().all(plain));
        let session = sessions.open(&code, USER, at(10)).unwrap();
        let cookie = session.cookie.expose().to_owned();
        let printed = format!("{sessions:?} {link:?} {session:?}");
        assert!(!printed.contains(&code) && !printed.contains(&cookie));
        secrets.extend([code, cookie]);
    }
    assert_eq!(secrets.len(), 32);
}

proptest! {
    #[test]
    fn no_made_up_text_gets_in(text in "\\PC{0,60}", code in "[A-Za-z0-9_-]{43}") {
        let mut sessions = BrowserSessions::default();
        open(&mut sessions, USER, at(1));
        let link = sessions.link(USER, SEE, at(1)).unwrap();
        let cut = &link.code.expose()[1..];
        for shown in [text.as_str(), &code, cut, &format!("{}=", link.code.expose())] {
            prop_assert_eq!(sessions.touch(shown, USER, at(2)), None);
            prop_assert!(sessions.open(shown, USER, at(2)).is_err());
        }
        prop_assert!(sessions.open(link.code.expose(), USER, at(2)).is_ok());
    }

    #[test]
    fn the_tables_keep_their_bounds(
        steps in prop::collection::vec((0_u32..12, any::<bool>(), 0_u64..200), 1..120),
    ) {
        let mut sessions = BrowserSessions::default();
        let mut now = at(0);
        for (uid, opens, seconds) in steps {
            now += at(seconds);
            if let Ok(link) = sessions.link(uid, SEE, now)
                && opens
            {
                let _ = sessions.open(link.code.expose(), uid, now);
            }
            prop_assert!(sessions.links.len() <= MAX_LINKS);
            prop_assert!(sessions.sessions.len() <= MAX_SESSIONS);
            for uid in 0..12 {
                let own = sessions.sessions.iter().filter(|session| session.uid == uid);
                prop_assert!(own.count() <= MAX_SESSIONS_OF_A_USER);
                let own = sessions.links.iter().filter(|link| link.uid == uid);
                prop_assert!(own.count() <= MAX_LINKS_OF_A_USER);
            }
        }
    }
}
