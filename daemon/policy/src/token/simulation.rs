//! Tokens that are signed rightly, whatever they say: for tests and fuzzers, and compiled for
//! those alone (the feature `simulation`).

use std::time::Duration;

use super::{Fingerprint, Order, Tokens, jws};
use crate::{AppId, Audience, ScopeSet, Token};

/// What was made of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it was signed by our key, spelt rightly, and live.
    pub genuine: bool,
}

/// A ring of one key, and one token that it signed.
#[derive(Debug)]
pub struct Signer {
    tokens: Tokens,
    token: Token,
}

impl Signer {
    /// A new key, and a token of `uid-1000.notes` that lives for a minute from zero.
    ///
    /// # Panics
    ///
    /// When the system has no random numbers.
    pub fn new() -> Signer {
        let mut tokens = Tokens::default();
        let name = "notes".parse().expect("a name");
        let order = Order {
            app: AppId::unregistered(1000, &name).expect("a short name"),
            uid: 1000,
            certificate: Some(Fingerprint([7; 32])),
            scopes: ScopeSet::BLANKET,
            audience: Audience::default(),
        };
        let minute = Duration::from_secs(60);
        let issued = tokens.issue(order, minute, Duration::ZERO, Duration::ZERO);
        let token = issued.expect("random numbers").token;
        Signer { tokens, token }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token.expose()
    }

    /// A token of this header and these claims, signed by the key. `KEY` in the header stands for
    /// the key's name, and `JTI` in the claims for the name of the token that is live.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let (key, id) = self.names();
        let header = jws::encode(&header.replace("KEY", &key));
        let claims = jws::encode(&claims.replace("JTI", &id));
        let token = self.tokens.keys.sign_any(&header, &claims);
        token.map_or_else(String::new, |token| token.to_string())
    }

    /// The header and the claims of the token, with the same words for the names.
    pub fn plain(&self) -> (String, String) {
        let (key, id) = self.names();
        let [header, claims] = self.decoded();
        (header.replace(&key, "KEY"), claims.replace(&id, "JTI"))
    }

    /// What becomes of a token that somebody shows.
    pub fn judge(&self, token: &str, now: Duration) -> Verdict {
        let shown = self.tokens.judge(token, now);
        Verdict {
            genuine: shown.genuine,
        }
    }

    fn decoded(&self) -> [String; 2] {
        let mut parts = self.token.expose().split('.');
        [(); 2].map(|()| jws::decode(parts.next().unwrap_or_default()))
    }

    fn names(&self) -> (String, String) {
        let text = |json: &str, member: &str| {
            let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
            value[member].as_str().unwrap_or_default().to_owned()
        };
        let [header, claims] = self.decoded();
        (text(&header, "kid"), text(&claims, "jti"))
    }
}

impl Default for Signer {
    fn default() -> Signer {
        Signer::new()
    }
}
