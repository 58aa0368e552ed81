//! Bearer tokens.

use std::time::Duration;

use earnest_policy::simulation::Signer;

/// Reads `data` as a token, in the way that its first byte says:
///
/// - `c`: the rest is the claims of a token that is signed rightly (`JTI` in it is the name of
///   one that is live);
/// - `h`: the rest is the header of one (`KEY` in it is the key's name), over claims that are
///   right;
/// - anything else: all of it is a token, as a stranger would send it.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let signer = Signer::new();
    let (header, claims) = signer.plain();
    let genuine = |token: &str| signer.judge(token, Duration::from_secs(1)).genuine;
    match text.split_at_checked(1) {
        Some(("c", other)) => {
            if genuine(&signer.sign(&header, other)) {
                spelt(other);
            }
        }
        Some(("h", other)) => {
            let right = other == header;
            assert_eq!(genuine(&signer.sign(other, &claims)), right, "{other}");
        }
        _ => assert!(!genuine(text), "nobody signed it"),
    }
}

/// Claims that are genuine are about the token that was given out, in its own words.
fn spelt(claims: &str) {
    assert!(claims.starts_with(r#"{"iss":"earnest","aud":"earnest"#));
    for part in [
        r#","sub":"uid-1000.notes","scope":""#,
        r#","jti":"JTI","cnf":{"uid":1000"#,
    ] {
        assert_eq!(claims.matches(part).count(), 1, "{claims}");
    }
}
