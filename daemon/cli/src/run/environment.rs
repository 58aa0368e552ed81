//! What an unmodified client finds in its environment.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::daemon::SOCKET_VARIABLE;

/// The variables by which clients are told a file of certificates that takes the place of the
/// system's: OpenSSL and Python's ssl, Python's requests, curl.
const TRUSTED: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The variables that name hosts which no proxy is asked for. Which spelling counts depends on
/// the client.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// This machine's own names.
const OWN_NAMES: &str = "127.0.0.1,::1,localhost";

/// What a command is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Where the daemon is, with the path that OpenAI's begin with.
    pub(super) base_url: &'a str,
    /// The token.
    pub(super) token: &'a str,
    /// The application's name.
    pub(super) app: &'a str,
    /// The daemon's socket.
    pub(super) socket: &'a Path,
    /// The certificate of the device's authority.
    pub(super) authority: &'a Path,
    /// All certificates that are trusted.
    pub(super) trusted: &'a Path,
    /// Whether the system's are among them.
    pub(super) trusts_system: bool,
}

impl Surroundings<'_> {
    /// The variables to set. What `inherited` has of lists is added to.
    pub(super) fn variables(
        &self,
        inherited: impl Fn(&str) -> Option<OsString>,
    ) -> Vec<(&'static str, OsString)> {
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("OPENAI_BASE_URL", self.base_url.into()),
            // The name that clients of before 1.0 know.
            ("OPENAI_API_BASE", self.base_url.into()),
            ("OPENAI_API_KEY", self.token.into()),
            // Node adds it to its own.
            ("NODE_EXTRA_CA_CERTS", self.authority.into()),
            (SOCKET_VARIABLE, self.socket.into()),
            ("EARNEST_APP", self.app.into()),
        ];
        if let (false, Some(folder)) = (self.trusts_system, self.authority.parent()) {
            // OpenSSL looks in a folder besides, the system's unless told another. In this one
            // are no certificates by the names that it looks for.
            variables.push(("SSL_CERT_DIR", folder.into()));
        }
        variables.extend(TRUSTED.map(|name| (name, self.trusted.into())));
        variables.extend(NO_PROXY.map(|name| (name, unproxied(inherited(name)))));
        variables
    }
}

/// The hosts of before, and this machine.
fn unproxied(before: Option<OsString>) -> OsString {
    match before.filter(|before| !before.is_empty()) {
        None => OWN_NAMES.into(),
        Some(mut before) => {
            before.push(OsStr::new(","));
            before.push(OWN_NAMES);
            before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURROUNDINGS: fn() -> Surroundings<'static> = || Surroundings {
        base_url: "https://127.0.0.1:8473/v1",
        token: "secret",
        app: "notes",
        socket: Path::new("/run/earnest/earnest.sock"),
        authority: Path::new("/run/earnest/authority.pem"),
        trusted: Path::new("/tmp/joined.pem"),
        trusts_system: false,
    };

    fn check(inherited: Option<&'static str>, name: &str, expected: &str) {
        let variables = SURROUNDINGS().variables(|_| inherited.map(OsString::from));
        let found: Vec<_> = variables.iter().filter(|(one, _)| *one == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].1, OsStr::new(expected), "{name}");
    }

    #[test]
    fn a_client_finds_address_key_and_certificates() {
        check(None, "OPENAI_BASE_URL", "https://127.0.0.1:8473/v1");
        check(None, "OPENAI_API_KEY", "secret");
        check(None, "EARNEST_SOCKET", "/run/earnest/earnest.sock");
        check(None, "EARNEST_APP", "notes");
        for name in TRUSTED {
            check(None, name, "/tmp/joined.pem");
        }
        check(None, "NODE_EXTRA_CA_CERTS", "/run/earnest/authority.pem");
    }

    #[test]
    fn the_systems_folder_of_certificates_is_kept_with_its_file_alone() {
        check(None, "SSL_CERT_DIR", "/run/earnest");
        let surroundings = Surroundings {
            trusts_system: true,
            ..SURROUNDINGS()
        };
        let variables = surroundings.variables(|_| None);
        assert!(variables.iter().all(|(name, _)| *name != "SSL_CERT_DIR"));
    }

    #[test]
    fn no_proxy_is_asked_for_this_machine() {
        for name in NO_PROXY {
            check(None, name, "127.0.0.1,::1,localhost");
            check(Some(""), name, "127.0.0.1,::1,localhost");
            check(Some("corp"), name, "corp,127.0.0.1,::1,localhost");
        }
    }
}
