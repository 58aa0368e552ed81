//! Operators and auditors: roles, second factors, browsers.

use super::*;

fn show<S: Scope>(
    policy: &Policy,
    origin: Origin,
    code: Option<&str>,
    second: u64,
) -> Result<Permit<S>, Denial> {
    policy.permit(&Applicant {
        second_factor: code,
        ..Applicant::new(origin, at(second), wall(second))
    })
}

fn see(policy: &Policy, uid: u32) -> Permit<See> {
    show(policy, unix(uid), None, 0).expect("the user is listed")
}

/// Enrols a person at second 0, and gives the secret.
fn enrol(policy: &Policy, uid: u32) -> String {
    let permit = see(policy, uid);
    let shown = policy
        .enrol(&permit, &Applicant::new(unix(uid), at(0), wall(0)))
        .unwrap();
    let code = code(shown.secret(), wall(0));
    let _ = policy.confirm(&permit, &code, at(0), wall(0)).unwrap();
    shown.secret().to_owned()
}

/// A policy with an empty book and two people, and their secrets.
fn people() -> (Policy, String, String) {
    let policy = policy();
    policy.load(Book::default());
    let (operator, auditor) = (enrol(&policy, OPERATOR), enrol(&policy, AUDITOR));
    (policy, operator, auditor)
}

#[test]
fn actions_take_a_role_and_a_code() {
    let (policy, operator, auditor) = people();
    let right = code(&operator, wall(60));
    let permit = show::<Operate>(&policy, unix(OPERATOR), Some(&right), 60).unwrap();
    assert_eq!((permit.uid(), permit.proof()), (OPERATOR, Proof::Peer));
    let read = code(&auditor, wall(60));
    assert!(show::<Audit>(&policy, unix(AUDITOR), Some(&read), 60).is_ok());

    let scope = "operate";
    for uid in [AUDITOR, USER, STRANGER, 0] {
        let denial = show::<Operate>(&policy, unix(uid), Some(&right), 120).unwrap_err();
        assert_eq!(denial, Denial::NotListed { uid, scope });
    }
    let denial = show::<Audit>(&policy, unix(OPERATOR), Some(&right), 120).unwrap_err();
    assert_eq!(denial.face(), Face::Credentials);
    let denial = show::<Operate>(&policy, loopback(OPERATOR), Some(&right), 120).unwrap_err();
    assert_eq!(denial, Denial::WrongDoor { scope });
    let denial = show::<Operate>(&policy, unix(OPERATOR), None, 120).unwrap_err();
    assert_eq!(denial, Denial::NoSecondFactor { uid: OPERATOR });
    assert_eq!(denial.face(), Face::SecondFactorRequired);
    // Who has none is asked for one.
    let bare = super::policy();
    bare.load(Book::default());
    let denial = show::<Operate>(&bare, unix(OPERATOR), Some(&right), 120).unwrap_err();
    assert_eq!(denial, Denial::NotEnrolled { uid: OPERATOR });
    assert_eq!(denial.face(), Face::SecondFactorRequired);
}

#[test]
fn a_code_is_good_once_whatever_the_action() {
    let (policy, operator, _) = people();
    let right = code(&operator, wall(60));
    assert!(show::<Browse>(&policy, unix(OPERATOR), Some(&right), 60).is_ok());
    let again = show::<Operate>(&policy, unix(OPERATOR), Some(&right), 61).unwrap_err();
    let wrong = show::<Operate>(&policy, unix(OPERATOR), Some("1"), 62).unwrap_err();
    // The log tells them apart, and nobody else does.
    assert_ne!(again, wrong);
    assert_eq!(again.face(), Face::SecondFactorRefused);
    assert_eq!(wrong.face(), Face::SecondFactorRefused);
    // Nor does it work after the book went through the disk.
    let book = Book::parse(&policy.book().unwrap().encode()).unwrap();
    let next = super::policy();
    next.load(book);
    let again = show::<Operate>(&next, unix(OPERATOR), Some(&right), 60).unwrap_err();
    let why = SecondFactorRefused::Replayed;
    assert_eq!(again, Denial::SecondFactor { uid: OPERATOR, why });
}

#[test]
fn what_became_of_a_code_is_saved_before_anybody_is_answered() {
    let (policy, operator, _) = people();
    let save = |policy: &Policy| {
        let pressing = policy.unsaved();
        policy.saved(policy.snapshot().unwrap().revision);
        assert_eq!(policy.unsaved(), Unsaved::Nothing);
        pressing
    };
    assert_eq!(save(&policy), Unsaved::Changes);
    let right = code(&operator, wall(60));
    assert!(show::<Operate>(&policy, unix(OPERATOR), Some(&right), 60).is_ok());
    assert_eq!(save(&policy), Unsaved::Changes);
    for _ in 0..FREE_FAILURES {
        show::<Operate>(&policy, unix(OPERATOR), Some("000000"), 61).unwrap_err();
        assert_eq!(save(&policy), Unsaved::Changes);
    }
    // From then on guesses are not judged, and the disk has nothing to do with them.
    let locked = show::<Operate>(&policy, unix(OPERATOR), Some("000000"), 62).unwrap_err();
    assert!(matches!(locked.face(), Face::Locked { .. }), "{locked}");
    assert_eq!(policy.unsaved(), Unsaved::Nothing);
    // The earlier revision does not cover a later change.
    let earlier = policy.snapshot().unwrap().revision;
    let right = code(&operator, wall(120));
    assert!(show::<Operate>(&policy, unix(OPERATOR), Some(&right), 120).is_ok());
    policy.saved(earlier);
    assert_eq!(policy.unsaved(), Unsaved::Changes);
}

#[test]
fn nobody_acts_while_the_book_is_sealed() {
    let (policy, operator, _) = people();
    policy.forget();
    let right = code(&operator, wall(60));
    let denial = show::<Operate>(&policy, unix(OPERATOR), Some(&right), 60).unwrap_err();
    assert_eq!(denial.face(), Face::Sealed);
    let permit = see(&policy, OPERATOR);
    let applicant = Applicant::new(unix(OPERATOR), at(60), wall(60));
    let refused = policy.enrol(&permit, &applicant).unwrap_err();
    assert_eq!(refused, EnrolError::Sealed);
    let refused = policy.confirm(&permit, &right, at(60), wall(60));
    assert_eq!(refused, Err(EnrolError::Sealed));
}

#[test]
fn another_second_factor_takes_a_code_of_the_one_before() {
    let (policy, first, _) = people();
    let permit = see(&policy, OPERATOR);
    let enrol = |code: Option<&str>, second| {
        let applicant = Applicant {
            second_factor: code,
            ..Applicant::new(unix(OPERATOR), at(second), wall(second))
        };
        policy.enrol(&permit, &applicant)
    };
    let refused = enrol(None, 60).unwrap_err();
    let uid = OPERATOR;
    assert_eq!(refused, EnrolError::Denied(Denial::NoSecondFactor { uid }));
    assert!(enrol(Some("000000"), 60).is_err());
    let shown = enrol(Some(&code(&first, wall(60))), 60).unwrap();
    // Until it is confirmed, the first one counts.
    let right = code(&first, wall(120));
    assert!(show::<Operate>(&policy, unix(uid), Some(&right), 120).is_ok());
    let second = code(shown.secret(), wall(150));
    let _ = policy
        .confirm(&permit, &second, at(150), wall(150))
        .unwrap();
    let old = code(&first, wall(180));
    assert!(show::<Operate>(&policy, unix(uid), Some(&old), 180).is_err());
    let new = code(shown.secret(), wall(180));
    assert!(show::<Operate>(&policy, unix(uid), Some(&new), 180).is_ok());
    let again = policy.confirm(&permit, &new, at(180), wall(180));
    assert_eq!(again, Err(EnrolError::NothingPending));
}

#[test]
fn an_operator_takes_the_second_factor_of_somebody_who_lost_it() {
    let (policy, operator, auditor) = people();
    let operator = code(&operator, wall(60));
    let operator = show::<Operate>(&policy, unix(OPERATOR), Some(&operator), 60).unwrap();
    assert!(policy.forget_person(&operator, AUDITOR).unwrap().is_some());
    assert!(policy.forget_person(&operator, AUDITOR).unwrap().is_none());
    let read = code(&auditor, wall(60));
    let denial = show::<Audit>(&policy, unix(AUDITOR), Some(&read), 60).unwrap_err();
    assert_eq!(denial, Denial::NotEnrolled { uid: AUDITOR });
}

#[test]
fn a_change_that_is_taken_back_brings_no_code_to_life() {
    let (policy, operator, auditor) = people();
    let before = policy.book().unwrap();
    let right = code(&operator, wall(60));
    let permit = show::<Operate>(&policy, unix(OPERATOR), Some(&right), 60).unwrap();
    assert!(policy.forget_person(&permit, AUDITOR).unwrap().is_some());
    let app = NewApp {
        name: "notes".parse().unwrap(),
        uids: vec![USER],
        scopes: ScopeSet::WORK,
        limits: AppLimits::default(),
        commands: None,
        audience: None,
    };
    policy.register(&permit, app, wall(60)).unwrap();
    policy.saved(policy.snapshot().unwrap().revision);
    policy.restore(before);
    assert_eq!(policy.unsaved(), Unsaved::Changes);
    // The application is gone, and narrows nothing; the auditor is back.
    assert!(policy.apps().is_empty());
    assert!(
        !transcribe(&policy, unix(USER), None, 61)
            .unwrap()
            .is_registered()
    );
    let read = code(&auditor, wall(60));
    assert!(show::<Audit>(&policy, unix(AUDITOR), Some(&read), 60).is_ok());
    let again = show::<Operate>(&policy, unix(OPERATOR), Some(&right), 60).unwrap_err();
    assert_eq!(again.face(), Face::SecondFactorRefused);
    // What is sealed is not brought back.
    let book = policy.book().unwrap();
    policy.forget();
    policy.restore(book);
    assert!(!policy.book_loaded());
}

#[test]
fn a_browser_sees_by_a_session_and_does_nothing_else() {
    let (policy, operator, _) = people();
    let code = code(&operator, wall(60));
    let permit = show::<Browse>(&policy, unix(OPERATOR), Some(&code), 60).unwrap();
    let open = |uid, second| {
        let link = policy.link(&permit, at(60)).unwrap();
        policy.open_link(link.code.expose(), loopback(uid), at(second))
    };
    // In other hands a link is used up and opens nothing.
    assert!(open(AUDITOR, 61).is_err() && open(STRANGER, 61).is_err());
    assert!(open(OPERATOR, 120).is_err());
    let session = open(OPERATOR, 61).unwrap();
    let ask = |uid: Option<u32>, cookie: Option<&str>, second| {
        policy.permit::<See>(&Applicant {
            session: cookie,
            ..Applicant::new(Origin::Loopback { uid }, at(second), wall(second))
        })
    };
    let cookie = Some(session.cookie.expose());
    let seen = ask(Some(OPERATOR), cookie, 62).unwrap();
    assert_eq!((seen.uid(), seen.proof()), (OPERATOR, Proof::Session));
    assert_eq!(
        ask(Some(AUDITOR), cookie, 62).unwrap_err(),
        Denial::BadSession
    );
    assert_eq!(
        ask(Some(OPERATOR), None, 62).unwrap_err(),
        Denial::NoSession
    );
    assert_eq!(
        ask(Some(OPERATOR), Some(""), 62).unwrap_err(),
        Denial::BadSession
    );
    assert_eq!(ask(None, cookie, 62).unwrap_err(), Denial::UnknownPeer);
    // It is no page of captions.
    let listens = policy.permit::<Listen>(&Applicant {
        session: cookie,
        ..Applicant::new(loopback(OPERATOR), at(62), wall(62))
    });
    assert_eq!(listens.unwrap_err(), Denial::BadSession);
    // It is no second factor's door.
    let applicant = Applicant::new(loopback(OPERATOR), at(62), wall(62));
    assert_eq!(
        policy.enrol(&seen, &applicant).unwrap_err(),
        EnrolError::NotByPeer
    );
    assert_eq!(policy.live_sessions(at(62)), 1);
    assert!(!policy.end_session(session.cookie.expose(), loopback(AUDITOR)));
    assert!(policy.end_session(session.cookie.expose(), loopback(OPERATOR)));
    assert_eq!(
        ask(Some(OPERATOR), cookie, 62).unwrap_err(),
        Denial::BadSession
    );
}

#[test]
fn whoever_has_a_role_sees_and_nobody_else() {
    let policy = policy();
    for uid in [OPERATOR, AUDITOR] {
        assert_eq!(see(&policy, uid).app(), &AppId::of_uid(uid));
    }
    for uid in [USER, STRANGER, 0] {
        let denial = show::<See>(&policy, unix(uid), None, 0).unwrap_err();
        assert_eq!(denial, Denial::NotListed { uid, scope: "see" });
    }
    // An application's token is nothing here.
    let token = token(&policy, USER, 0);
    let denial = ask::<See>(&policy, loopback(USER), Some(token.expose()), 1).unwrap_err();
    assert_eq!(denial, Denial::NoSession);
}
