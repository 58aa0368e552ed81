//! Results as tokens.

use earnest_verifier::ear::{Ear, MAX_TOKEN_BYTES, PROFILE, TokenError};
use earnest_verifier::simulation;

/// The header of every right token.
const HEADER: &str = r#"{"alg":"ES256","kid":"KEY","typ":"eat+jwt"}"#;

/// Reads `data` as a token, in the way that its first byte says:
///
/// - `c`: the rest is the claims of a token that is signed rightly;
/// - `h`: the rest is the header of one (`KEY` in it is the key's name), over claims that are
///   none;
/// - anything else: all of it is a token, as a stranger would send it.
pub fn ear_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.split_at_checked(1) {
        Some(("c", claims)) => signed(claims),
        Some(("h", header)) => headed(header),
        _ => {
            let (_, key) = simulation::token(HEADER, "{}");
            let refused = Ear::verify_at_any_time(text, &key).expect_err("nobody signed it");
            drop(refused.to_string());
        }
    }
}

fn signed(claims: &str) {
    let (token, key) = simulation::token(HEADER, claims);
    let ear = match Ear::verify_at_any_time(&token, &key) {
        Ok(ear) => ear,
        Err(error) => {
            assert!(!matches!(error, TokenError::Signature { .. }), "{error}");
            return drop(error.to_string());
        }
    };
    assert!(token.len() <= MAX_TOKEN_BYTES);
    assert_eq!(ear.profile, PROFILE);
    let device = &ear.submodules.device;
    assert!(ear.status >= device.status && device.status >= device.trust_vector.tier());
    assert!(!ear.is_pass() || ear.binding().is_some());
    // It holds from its start until before its end, and never after.
    assert!(Ear::verify(&token, &key, ear.expires_at).is_err());
    let last = ear.expires_at - 1;
    assert_eq!(
        Ear::verify(&token, &key, last).is_ok(),
        last.saturating_add(60) >= ear.issued_at
    );
}

/// Claims that are none are reached only behind a header that is right.
fn headed(header: &str) {
    let (token, key) = simulation::token(header, "{}");
    match Ear::verify_at_any_time(&token, &key) {
        Ok(_) => panic!("no claims are no result"),
        Err(TokenError::Claims { .. }) => {
            for part in [r#""ES256""#, r#""eat+jwt""#, "KEY"] {
                assert!(
                    plain(header).contains(part) || header.contains('\\'),
                    "{header}"
                );
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

fn plain(header: &str) -> String {
    header.split_ascii_whitespace().collect()
}
