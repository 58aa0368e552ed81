//! Tokens: what is one, and what is none.

use proptest::prelude::*;

use super::*;
use crate::simulation::Signer;

const LIVE: Duration = Duration::from_secs(1);

#[test]
fn a_token_is_a_jws_that_says_who_may_do_what() {
    let policy = policy();
    let permit = peer(&policy, USER);
    let name: AppId = "notes".parse().unwrap();
    let issued = policy.issue(&permit, name, at(0), wall(0)).unwrap();
    assert_eq!(issued.scopes, ScopeSet::BLANKET);
    assert_eq!(
        (issued.until, issued.audience),
        (at(300), Audience::default())
    );
    let signer = Signer::new();
    let (header, claims) = signer.plain();
    assert_eq!(header, r#"{"alg":"HS256","kid":"KEY","typ":"JWT"}"#);
    let certificate = Fingerprint([7; 32]);
    assert_eq!(
        claims,
        format!(
            concat!(
                r#"{{"iss":"earnest","aud":"earnest","sub":"uid-1000.notes","#,
                r#""scope":"vad transcribe","iat":0,"exp":2592000,"jti":"JTI","#,
                r#""cnf":{{"uid":1000,"x5t#S256":"{}"}}}}"#
            ),
            certificate
        )
    );
    assert!(signer.judge(&signer.sign(&header, &claims), LIVE).genuine);
    assert!(!signer.judge(&signer.sign(&header, &claims), at(60)).genuine);
}

#[test]
fn what_is_spelt_otherwise_is_no_token() {
    let signer = Signer::new();
    let (header, claims) = signer.plain();
    let genuine = |token: &str| signer.judge(token, LIVE).genuine;
    for other in [
        r#"{"alg":"none","kid":"KEY","typ":"JWT"}"#,
        r#"{"alg":"None","kid":"KEY","typ":"JWT"}"#,
        r#"{"alg":"HS512","kid":"KEY","typ":"JWT"}"#,
        r#"{"alg":"RS256","kid":"KEY","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"KEY"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"kid":"KEY","alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256", "kid":"KEY","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"KEY","typ":"JWT","crit":[]}"#,
        r#"{"alg":"HS256","kid":"KEY","typ":"JWT","jwk":{}}"#,
        r#"{"alg":"HS256","alg":"HS256","kid":"KEY","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"AAAAAAAA","typ":"JWT"}"#,
        "{}",
        "",
    ] {
        assert!(!genuine(&signer.sign(other, &claims)), "{other}");
    }
    for (from, to) in [
        (r#""iss":"earnest""#, r#""iss":"other""#),
        (r#","aud""#, r#", "aud""#),
        (r#""scope":"vad transcribe""#, r#""scope":"transcribe vad""#),
        (
            r#""scope":"vad transcribe""#,
            r#""scope":"vad  transcribe""#,
        ),
        (r#""scope":"vad transcribe""#, r#""scope":"""#),
        (
            r#""scope":"vad transcribe""#,
            r#""scope":["vad","transcribe"]"#,
        ),
        (
            r#""sub":"uid-1000.notes""#,
            r#""sub":"uid-1000.notes","sub":"uid-1000.notes""#,
        ),
        (
            r#""sub":"uid-1000.notes""#,
            r#""sub":"uid-1000.\u006eotes""#,
        ),
        (r#""sub":"uid-1000.notes""#, r#""sub":"""#),
        // Signed, and not what was given out under this name.
        (r#""sub":"uid-1000.notes""#, r#""sub":"other""#),
        (r#""uid":1000"#, r#""uid":1001"#),
        (r#""uid":1000"#, r#""uid":1000.0"#),
        (r#""uid":1000"#, r#""uid":-1"#),
        (r#""iat":0"#, r#""iat":0e0"#),
        (r#""jti":"JTI""#, r#""jti":"AAAAAAAAAAAAAAAAAAAAAA""#),
        (r#""jti":"JTI""#, r#""jti":"JTI=""#),
        (r#""jti":"JTI""#, r#""jti":"JTI","nbf":0"#),
        (r#"{"iss"#, r#" {"iss"#),
    ] {
        let other = claims.replacen(from, to, 1);
        assert_ne!(other, claims, "{from}");
        assert!(!genuine(&signer.sign(&header, &other)), "{other}");
    }
}

#[test]
fn a_text_that_is_nearly_a_token_is_none() {
    let signer = Signer::new();
    let token = signer.token();
    assert!(signer.judge(token, LIVE).genuine);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let last = token.chars().last().unwrap();
    // Two bits of the last character are beyond the last byte.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let beside = alphabet.chars().nth(place ^ 1).unwrap();
    for other in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{signed}."),
        format!("{signed}.="),
        format!("{token}="),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{claims}.{header}.{signature}"),
        format!("{}{beside}", &token[..token.len() - 1]),
        format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES)),
        token.to_uppercase(),
    ] {
        assert!(!signer.judge(&other, LIVE).genuine, "{other}");
    }
    assert!(!Signer::new().judge(token, LIVE).genuine);
}

#[test]
fn tokens_are_random_and_kept_out_of_sight() {
    let policy = policy();
    let (one, other) = (token(&policy, USER, 0), token(&policy, USER, 0));
    assert_ne!(one.expose(), other.expose());
    for token in [&one, &other] {
        assert!(token.expose().len() <= MAX_TOKEN_BYTES);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        assert!(token.expose().chars().all(plain));
        let applicant = Applicant {
            bearer: Some(token.expose()),
            session: Some(token.expose()),
            second_factor: Some(token.expose()),
            ..Applicant::new(unix(USER), at(0), wall(0))
        };
        let (_, signature) = token.expose().rsplit_once('.').unwrap();
        for shown in [
            format!("{token:?}"),
            format!("{policy:?}"),
            format!("{applicant:?}"),
        ] {
            assert!(!shown.contains(signature), "{shown}");
        }
    }
}

#[test]
fn the_longest_names_fit_into_a_token() {
    let policy = policy();
    let longest = "a".repeat(MAX_APP_BYTES);
    let mut book = Book::default();
    let app = NewApp {
        name: longest.parse().unwrap(),
        uids: vec![u32::MAX],
        scopes: ScopeSet::WORK,
        limits: AppLimits::default(),
        commands: None,
        audience: Some(format!("earnest:{longest}").parse().unwrap()),
    };
    book.register(app, 0).unwrap();
    let certificate = PinnedCertificate {
        fingerprint: Fingerprint([0xff; 32]),
        not_after: u64::MAX,
    };
    book.certify(&longest.parse().unwrap(), certificate, 0)
        .unwrap();
    policy.load(book);
    let far = Duration::from_secs(u64::MAX);
    let applicant = Applicant {
        certificate: Some([0xff; 32]),
        ..Applicant::new(loopback(u32::MAX), at(0), wall(0))
    };
    let permit = policy.permit::<Tokens>(&applicant).unwrap();
    let issued = policy.issue(&permit, Wish::default(), at(0), far).unwrap();
    let bytes = issued.token.expose().len();
    assert!(bytes <= MAX_TOKEN_BYTES * 3 / 4, "{bytes}");
    let shown = Applicant {
        bearer: Some(issued.token.expose()),
        ..applicant
    };
    assert!(policy.permit::<Listen>(&shown).is_ok());
}

#[test]
fn keys_rotate_and_earlier_ones_die_with_their_tokens() {
    let policy = policy();
    let works = |token: &Token, second| {
        transcribe(&policy, loopback(USER), Some(token.expose()), second).is_ok()
    };
    let first = token(&policy, USER, 0);
    policy.rotate(at(1)).unwrap();
    let second = token(&policy, USER, 1);
    assert!(works(&first, 2) && works(&second, 2));
    assert_eq!(policy.signing_keys(), 2);
    // No token of the first is live any more.
    policy.rotate(at(300)).unwrap();
    assert_eq!(policy.signing_keys(), 2);
    assert!(!works(&first, 300) && works(&second, 300));
    assert!(works(&second, 300));
    assert_eq!(policy.rotate_at_once(at(300)), Ok(1));
    assert!(!works(&second, 300));
    assert_eq!((policy.signing_keys(), policy.live_tokens(at(300))), (1, 0));
}

#[test]
fn keys_are_bounded_and_the_oldest_goes_first() {
    let policy = policy().with_lifetime(MAX_LIFETIME).unwrap();
    let mut given = Vec::new();
    for round in 0..MAX_KEYS as u64 + 3 {
        given.push(token(&policy, [USER, OTHER][round as usize % 2], round));
        policy.rotate(at(round)).unwrap();
        assert!(policy.signing_keys() <= MAX_KEYS);
    }
    let works = |place: usize| {
        let uid = [USER, OTHER][place % 2];
        let shown = Some(given[place].expose());
        transcribe(&policy, loopback(uid), shown, 100).is_ok()
    };
    let live: Vec<usize> = (0..given.len()).filter(|place| works(*place)).collect();
    assert_eq!(
        live,
        (given.len() - (MAX_KEYS - 1)..given.len()).collect::<Vec<_>>()
    );
    assert_eq!(policy.live_tokens(at(100)), live.len());
}

#[test]
fn no_token_is_renewed_for_ever() {
    let policy = policy().with_lifetime(MAX_LIFETIME).unwrap();
    let token = token(&policy, USER, 0);
    let permit = peer(&policy, USER);
    let mut now = Duration::ZERO;
    while let Ok(until) = policy.renew(&permit, token.expose(), now) {
        assert!(until <= MAX_AGE);
        now += MAX_LIFETIME / 2;
        assert!(now <= MAX_AGE);
    }
    assert_eq!(now, MAX_AGE);
}

proptest! {
    #[test]
    fn any_other_claims_are_no_token(place: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let signer = Signer::new();
        let (header, claims) = signer.plain();
        let place = place.index(claims.len());
        let mut other = claims.clone().into_bytes();
        other[place] = byte;
        let other = String::from_utf8(other).unwrap();
        let genuine = signer.judge(&signer.sign(&header, &other), LIVE).genuine;
        // What is said for readers alone, and what the policy looks at later, may differ.
        let told = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
        if genuine {
            let (mut one, mut two) = (told(&claims), told(&other));
            for claims in [&mut one, &mut two] {
                let claims = claims.as_object_mut().unwrap();
                for member in ["aud", "scope", "iat", "exp"] {
                    claims.remove(member);
                }
                claims["cnf"].as_object_mut().unwrap().remove("x5t#S256");
            }
            prop_assert_eq!(one, two);
        }
    }

    #[test]
    fn any_bytes_are_judged(token in "[ -~]{0,400}", dots in 0_usize..4) {
        let signer = Signer::new();
        let mut text = token;
        for _ in 0..dots {
            text.insert(text.len() / 2, '.');
        }
        prop_assert!(!signer.judge(&text, LIVE).genuine);
    }
}
