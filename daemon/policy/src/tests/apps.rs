//! Registered applications: what they may do, and whom they shut out.

use super::*;

/// Two applications of one user each, and one of both.
fn registered() -> Policy {
    let policy = policy();
    let mut book = Book::default();
    let notes = ScopeSet::NONE.with(ScopeName::Transcribe);
    for (name, uids, scopes) in [
        ("notes", vec![USER], notes),
        (
            "switch",
            vec![HOME],
            ScopeSet::NONE.with(ScopeName::Command),
        ),
        (
            "ears",
            vec![HOME, SHARED],
            ScopeSet::NONE.with(ScopeName::Vad),
        ),
    ] {
        book.register(app(name, &uids, scopes), 0).unwrap();
    }
    for (name, byte) in [("notes", 1), ("ears", 2)] {
        book.certify(&name.parse().unwrap(), certificate(byte), 0)
            .unwrap();
    }
    policy.load(book);
    policy
}

/// Users whom only registered applications name.
const HOME: u32 = 2000;
const SHARED: u32 = 2001;

fn app(name: &str, uids: &[u32], scopes: ScopeSet) -> NewApp {
    NewApp {
        name: name.parse().unwrap(),
        uids: uids.to_vec(),
        scopes,
        limits: AppLimits::default().with_per_minute(7).unwrap(),
        commands: None,
        audience: None,
    }
}

fn certificate(byte: u8) -> PinnedCertificate {
    PinnedCertificate {
        fingerprint: Fingerprint([byte; 32]),
        not_after: wall(1000).as_secs(),
    }
}

fn name(name: &str) -> AppId {
    name.parse().unwrap()
}

fn insufficient(app: &str, scope: &'static str) -> Denial {
    let app = name(app);
    Denial::InsufficientScope { app, scope }
}

/// Asks over loopback, with a certificate and perhaps a token.
fn over_tls<S: Scope>(
    policy: &Policy,
    uid: u32,
    certificate: Option<u8>,
    bearer: Option<&str>,
    second: u64,
) -> Result<Permit<S>, Denial> {
    policy.permit(&Applicant {
        bearer,
        certificate: certificate.map(|byte| [byte; 32]),
        ..Applicant::new(loopback(uid), at(second), wall(second))
    })
}

fn issue<S: OfApps>(policy: &Policy, permit: &Permit<S>, wish: Wish) -> Result<Token, IssueError> {
    let issued = policy.issue(permit, wish, at(0), wall(0));
    issued.map(|issued| issued.token)
}

fn tokens(policy: &Policy, uid: u32) -> Permit<Tokens> {
    ask(policy, unix(uid), None, 0).expect("the user has an application")
}

#[test]
fn a_registered_application_has_its_scopes_and_nothing_else() {
    let policy = registered();
    let permit = transcribe(&policy, unix(USER), None, 1).unwrap();
    assert_eq!(permit.app(), &name("notes"));
    assert!(permit.is_registered());
    assert_eq!(permit.limits().per_minute(), 7);
    // The blanket list would have allowed this one.
    let denial = ask::<Vad>(&policy, unix(USER), None, 1).unwrap_err();
    assert_eq!(denial, insufficient("notes", "vad"));
    assert_eq!(denial.face(), Face::Scope);
    let denial = ask::<Listen>(&policy, unix(USER), None, 1).unwrap_err();
    assert_eq!(denial, insufficient("notes", "listen"));
    // Whom no application names, the blanket list goes on naming.
    assert!(ask::<Vad>(&policy, unix(OTHER), None, 1).is_ok());
    let denial = ask::<Command>(&policy, unix(OTHER), None, 1).unwrap_err();
    assert_eq!(denial, insufficient("uid-1001", "command"));
}

#[test]
fn users_of_several_applications_say_which_one_asks() {
    let policy = registered();
    let denial = ask::<Vad>(&policy, unix(HOME), None, 1).unwrap_err();
    assert_eq!(
        denial,
        Denial::AppNotNamed {
            uid: HOME,
            count: 2
        }
    );
    let permit = tokens(&policy, HOME);
    let mut shown = Vec::new();
    for app in ["ears", "switch"] {
        shown.push(issue(&policy, &permit, name(app).into()).unwrap());
    }
    let (ears, switch) = (shown[0].expose(), shown[1].expose());
    for origin in [unix(HOME), loopback(HOME)] {
        let permit = ask::<Vad>(&policy, origin, Some(ears), 1).unwrap();
        assert_eq!(permit.app(), &name("ears"));
        assert!(ask::<Command>(&policy, origin, Some(switch), 1).is_ok());
        let denial = ask::<Vad>(&policy, origin, Some(switch), 1).unwrap_err();
        assert_eq!(denial, insufficient("switch", "vad"));
    }
    // And none that is not theirs.
    for other in ["notes", "uid-2000", "new", "uid-1000"] {
        let refused = issue(&policy, &permit, name(other).into()).unwrap_err();
        let (app, uid) = (name(other), HOME);
        assert_eq!(refused, IssueError::NotYours { app, uid });
    }
    // A name of one's own does not stand in for a registered one.
    let other = peer(&policy, OTHER);
    let refused = issue(&policy, &other, name("notes").into()).unwrap_err();
    let (app, uid) = (name("notes"), OTHER);
    assert_eq!(refused, IssueError::NotYours { app, uid });
}

#[test]
fn a_token_is_good_for_what_was_asked_and_no_more_than_its_application() {
    let policy = registered();
    let permit = peer(&policy, USER);
    let wish = |scopes: ScopeSet| Wish {
        scopes: Some(scopes),
        ..Wish::default()
    };
    let refused = |found| {
        Err(IssueError::Scopes {
            app: name("notes"),
            expected: ScopeSet::NONE.with(ScopeName::Transcribe),
            found,
        })
    };
    let listen = ScopeSet::NONE.with(ScopeName::Listen);
    for scopes in [ScopeSet::NONE, ScopeSet::BLANKET, listen, ScopeSet::WORK] {
        let issued = issue(&policy, &permit, wish(scopes)).map(|_| ());
        assert_eq!(issued, refused(scopes));
    }
    // A user on the blanket list asks for less than there is.
    let vad = ScopeSet::NONE.with(ScopeName::Vad);
    let narrow = issue(&policy, &peer(&policy, OTHER), wish(vad)).unwrap();
    let shown = Some(narrow.expose());
    assert!(ask::<Vad>(&policy, loopback(OTHER), shown, 1).is_ok());
    let denial = transcribe(&policy, loopback(OTHER), shown, 1).unwrap_err();
    assert_eq!(denial, insufficient("uid-1001", "transcribe"));
    // An application that has less from now on has less with its tokens, too.
    let token = issue(&policy, &permit, Wish::default()).unwrap();
    let operator = operator(&policy);
    let changed = policy.register(&operator, app("notes", &[USER], vad), wall(0));
    assert!(!changed.unwrap().added);
    let denial = transcribe(&policy, loopback(USER), Some(token.expose()), 1).unwrap_err();
    assert_eq!(denial, insufficient("notes", "transcribe"));
    let denial = ask::<Vad>(&policy, loopback(USER), Some(token.expose()), 1).unwrap_err();
    assert_eq!(denial, insufficient("notes", "vad"));
}

#[test]
fn a_certificate_proves_its_application_to_its_users_until_it_ends() {
    let policy = registered();
    let permit = over_tls::<Transcribe>(&policy, USER, Some(1), None, 1).unwrap();
    assert_eq!(
        (permit.app(), permit.proof()),
        (&name("notes"), Proof::Certificate)
    );
    let denied = |uid, certificate, second| {
        over_tls::<Vad>(&policy, uid, certificate, None, second).unwrap_err()
    };
    let (app, uid) = (name("ears"), USER);
    assert_eq!(denied(USER, Some(2), 1), Denial::NotOfApp { app, uid });
    assert_eq!(denied(USER, Some(3), 1), Denial::UnknownCertificate);
    assert_eq!(denied(USER, Some(0), 1), Denial::UnknownCertificate);
    assert_eq!(denied(USER, None, 1), Denial::NoToken);
    let app = name("ears");
    assert_eq!(
        denied(SHARED, Some(2), 1000),
        Denial::CertificateEnded { app }
    );
    assert!(over_tls::<Vad>(&policy, SHARED, Some(2), None, 999).is_ok());
    // Clients made for other services always send something.
    assert!(over_tls::<Vad>(&policy, SHARED, Some(2), Some("sk-none"), 1).is_ok());
    let nobody = Applicant {
        certificate: Some([2; 32]),
        ..Applicant::new(Origin::Loopback { uid: None }, at(1), wall(1))
    };
    let denial = policy.permit::<Vad>(&nobody).unwrap_err();
    assert_eq!(denial, Denial::UnknownPeer);
}

#[test]
fn a_token_that_a_certificate_asked_for_is_nothing_without_it() {
    let policy = registered();
    let permit = over_tls::<Tokens>(&policy, SHARED, Some(2), None, 0).unwrap();
    let token = issue(&policy, &permit, Wish::default()).unwrap();
    let shown = Some(token.expose());
    let asked = |uid, certificate| over_tls::<Vad>(&policy, uid, certificate, shown, 1);
    let permit = asked(SHARED, Some(2)).unwrap();
    assert_eq!(permit.proof(), Proof::Certificate);
    let app = || name("ears");
    let denied = |uid, certificate| asked(uid, certificate).unwrap_err();
    assert_eq!(denied(SHARED, None), Denial::NoCertificate { app: app() });
    for other in [0, 1, 3] {
        let denial = denied(SHARED, Some(other));
        assert_eq!(denial, Denial::OtherCertificate { app: app() });
    }
    // Another user of the same application, with the certificate.
    let stolen = Denial::OtherOwner {
        expected: SHARED,
        found: HOME,
    };
    assert_eq!(denied(HOME, Some(2)), stolen);
    // The Unix socket has no certificates.
    let denial = ask::<Vad>(&policy, unix(SHARED), shown, 1).unwrap_err();
    assert_eq!(denial, Denial::NoCertificate { app: app() });
    // It is renewed by who shows the certificate, and by nobody else.
    assert_eq!(policy.renew(&permit, token.expose(), at(100)), Ok(at(400)));
    let peer = ask::<Vad>(&policy, unix(SHARED), None, 1).unwrap();
    let refused = policy.renew(&peer, token.expose(), at(100));
    assert_eq!(refused, Err(RenewError::BadToken));
    // A certificate speaks for its own application.
    let notes = over_tls::<Transcribe>(&policy, USER, Some(1), None, 1).unwrap();
    let refused = issue(&policy, &notes, name("ears").into());
    assert!(matches!(refused, Err(IssueError::NotYours { .. })));
}

#[test]
fn what_is_revoked_stays_out() {
    let policy = registered();
    let token = issue(&policy, &peer(&policy, USER), Wish::default()).unwrap();
    let works = || transcribe(&policy, loopback(USER), Some(token.expose()), 1).map(|_| ());
    assert_eq!(works(), Ok(()));
    let operator = operator(&policy);
    let revoked = policy.revoke_app(&operator, &name("notes"), at(1)).unwrap();
    assert_eq!((revoked.tokens, policy.unsaved()), (1, Unsaved::Changes));
    assert_eq!(works(), Err(Denial::BadToken));
    // Neither the blanket list nor the certificate brings it back.
    let app = || name("notes");
    let denial = transcribe(&policy, unix(USER), None, 1).unwrap_err();
    assert_eq!(denial, Denial::Revoked { app: app() });
    let denial = over_tls::<Transcribe>(&policy, USER, Some(1), None, 1).unwrap_err();
    assert_eq!(denial, Denial::Revoked { app: app() });
    let denial = ask::<Tokens>(&policy, unix(USER), None, 1).unwrap_err();
    assert_eq!(denial, Denial::Revoked { app: app() });
    let again = policy.revoke_app(&operator, &name("notes"), at(1));
    assert_eq!(again, Err(ChangeError::Revoked { app: app() }));
    // Registered anew, it is another one: the certificate does not come back.
    let scopes = ScopeSet::NONE.with(ScopeName::Transcribe);
    let new = policy.register(
        &operator,
        super::apps::app("notes", &[USER], scopes),
        wall(2),
    );
    assert!(new.unwrap().added);
    assert!(transcribe(&policy, unix(USER), None, 2).is_ok());
    let denial = over_tls::<Transcribe>(&policy, USER, Some(1), None, 1).unwrap_err();
    assert_eq!(denial, Denial::UnknownCertificate);
}

#[test]
fn a_record_that_is_taken_out_gives_its_users_back_to_the_list() {
    let policy = registered();
    let operator = operator(&policy);
    let app = name("notes");
    let early = policy.remove_app(&operator, &app);
    assert_eq!(early, Err(ChangeError::Active { app: app.clone() }));
    policy.revoke_app(&operator, &app, at(1)).unwrap();
    let _ = policy.remove_app(&operator, &app).unwrap();
    assert!(ask::<Vad>(&policy, unix(USER), None, 1).is_ok());
    let gone = policy.remove_app(&operator, &app);
    assert_eq!(gone, Err(ChangeError::UnknownApp { app }));
}

#[test]
fn an_audience_is_checked() {
    let policy = registered();
    let kitchen: Audience = "earnest:kitchen".parse().unwrap();
    let wish = Wish {
        audience: Some(kitchen.clone()),
        ..Wish::default()
    };
    let token = issue(&policy, &peer(&policy, USER), wish).unwrap();
    let denial = transcribe(&policy, loopback(USER), Some(token.expose()), 1).unwrap_err();
    assert_eq!(denial, Denial::WrongAudience { app: name("notes") });
    // An application may have an audience of its own; what was for another is over, then.
    let ours = issue(&policy, &peer(&policy, USER), Wish::default()).unwrap();
    let own = NewApp {
        audience: Some(kitchen),
        ..app("notes", &[USER], ScopeSet::NONE.with(ScopeName::Transcribe))
    };
    policy.register(&operator(&policy), own, wall(0)).unwrap();
    let works = |token: &Token| transcribe(&policy, loopback(USER), Some(token.expose()), 1);
    assert!(works(&token).is_ok());
    let denial = works(&ours).unwrap_err();
    assert_eq!(denial, Denial::WrongAudience { app: name("notes") });
}

#[test]
fn a_sealed_book_narrows_and_widens_nothing() {
    let policy = registered();
    let token = issue(&policy, &peer(&policy, USER), Wish::default()).unwrap();
    assert!(policy.forget());
    assert!(!policy.forget() && !policy.book_loaded());
    for denial in [
        transcribe(&policy, unix(USER), None, 1).unwrap_err(),
        ask::<Vad>(&policy, unix(HOME), None, 1).unwrap_err(),
        transcribe(&policy, loopback(USER), Some(token.expose()), 1).unwrap_err(),
        over_tls::<Transcribe>(&policy, USER, Some(1), None, 1).unwrap_err(),
    ] {
        assert_eq!(
            (denial.face(), &denial),
            (Face::Sealed, &Denial::BookSealed)
        );
    }
    // Whom no application names is served as the configuration says.
    assert!(transcribe(&policy, unix(OTHER), None, 1).is_ok());
    assert!(policy.apps().is_empty() && policy.book().is_none());
}

#[test]
fn uses_are_noted_by_the_hour_and_saved_when_there_is_time() {
    let policy = registered();
    let hour = |second| wall(second).as_secs() / 3600 * 3600;
    assert_eq!(policy.unsaved(), Unsaved::Nothing);
    transcribe(&policy, unix(USER), None, 1).unwrap();
    assert_eq!(policy.unsaved(), Unsaved::Uses);
    let snapshot = policy.snapshot().unwrap();
    let record = snapshot.book.app(&name("notes")).unwrap();
    assert_eq!(record.used[&ScopeName::Transcribe], hour(1));
    assert_eq!(record.last_used(), Some(hour(1)));
    policy.saved(snapshot.revision);
    // The same hour again is nothing new, and neither is what was refused.
    transcribe(&policy, unix(USER), None, 2).unwrap();
    ask::<Vad>(&policy, unix(USER), None, 2).unwrap_err();
    assert!(!policy.is_dirty());
    transcribe(&policy, unix(USER), None, 3601).unwrap();
    assert!(policy.is_dirty());
    // A clock that was set back is believed.
    transcribe(&policy, unix(USER), None, 1).unwrap();
    let record = policy.app_record(&name("notes")).unwrap();
    assert_eq!(record.last_used(), Some(hour(1)));
}

#[test]
fn a_page_of_captions_listens_as_its_application_and_does_nothing_else() {
    let policy = registered();
    let listen = ScopeSet::NONE.with(ScopeName::Listen);
    let both = listen.with(ScopeName::Transcribe);
    let operator = operator(&policy);
    let register = |scopes| {
        let changed = policy.register(&operator, app("notes", &[USER], scopes), wall(0));
        changed.unwrap();
    };
    register(both);
    let by_peer = ask::<Listen>(&policy, unix(USER), None, 1).unwrap();
    let open = |uid| {
        let link = policy.captions_link(&by_peer, at(1)).unwrap();
        policy.open_link(link.code.expose(), loopback(uid), at(2))
    };
    assert!(open(OTHER).is_err() && open(OPERATOR).is_err());
    let session = open(USER).unwrap();
    let applicant = |uid: Option<u32>, second| Applicant {
        session: Some(session.cookie.expose()),
        ..Applicant::new(Origin::Loopback { uid }, at(second), wall(second))
    };
    let listens = |uid, second| policy.permit::<Listen>(&applicant(uid, second));

    let permit = listens(Some(USER), 3).unwrap();
    assert_eq!((permit.app(), permit.uid()), (&name("notes"), USER));
    assert_eq!((permit.proof(), permit.scopes()), (Proof::Session, listen));
    // It makes no other link, and reaches nothing else, of applications or of people.
    let link = policy.captions_link(&permit, at(3)).map(|_| ());
    assert_eq!(link, Err(SessionError::NotByPeer));
    let denied = policy.permit::<Transcribe>(&applicant(Some(USER), 3));
    assert_eq!(denied.unwrap_err(), Denial::NoToken);
    let denied = policy.permit::<Tokens>(&applicant(Some(USER), 3));
    assert_eq!(denied.unwrap_err(), Denial::NoToken);
    let denied = policy.permit::<See>(&applicant(Some(USER), 3));
    assert_eq!(denied.unwrap_err(), Denial::BadSession);
    assert_eq!(listens(Some(OTHER), 3).unwrap_err(), Denial::BadSession);
    assert_eq!(listens(None, 3).unwrap_err(), Denial::UnknownPeer);
    // A page that says what it is to a server is no page of captions.
    let token = Applicant {
        bearer: Some("sk-anything"),
        ..applicant(Some(USER), 3)
    };
    let denied = policy.permit::<Listen>(&token).unwrap_err();
    assert_eq!(denied, Denial::BadToken);

    // What the application may no more, its page may no more.
    register(ScopeSet::NONE.with(ScopeName::Transcribe));
    assert_eq!(
        listens(Some(USER), 4).unwrap_err(),
        insufficient("notes", "listen")
    );
    register(both);
    assert!(listens(Some(USER), 5).is_ok());
    policy.forget();
    assert_eq!(listens(Some(USER), 6).unwrap_err(), Denial::BookSealed);
}
