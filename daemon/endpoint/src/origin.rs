//! Who sent a request to this device: a program of it, or a page from elsewhere.
//!
//! A page that a person has open can make their browser send requests to loopback. The browser
//! says so, in headers that no script can forge: `Origin` and `Sec-Fetch-Site` (Fetch standard,
//! "Metadata"). And a page whose name was made to point to loopback (DNS rebinding) sends that
//! name as `Host`. So the host must be this device's own name for itself, no origin may be given
//! but those that an operator listed, and no page of another site gets in. There is no answer
//! that lets a page of another origin read it: no CORS header is ever sent. The daemon's own
//! pages, which come with TLS alone, are of the origin that `Host` names with its port; a page
//! of another port is of another origin, though browsers send it the same cookies.

use std::net::IpAddr;

use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Uri};

use crate::refusal::Refusal;

/// Sent by browsers with every request: how page and target are related.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How a request reached this device, as far as it matters to its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// A Unix socket, which no page can reach.
    Unix,
    /// A port on loopback.
    Port {
        /// Its number.
        number: u16,
        /// Whether it speaks TLS.
        tls: bool,
    },
    /// A place of the Wyoming protocol, which no request of HTTP comes through.
    Wyoming,
}

impl Door {
    /// The port that a host without one means.
    fn implied(self) -> Option<u16> {
        match self {
            Door::Unix | Door::Wyoming => None,
            Door::Port { tls: true, .. } => Some(443),
            Door::Port { tls: false, .. } => Some(80),
        }
    }
}

/// Whether the request may come in by its head.
///
/// # Errors
///
/// When it names another host, or comes from a page that is not in `allowed`.
pub(crate) fn check(
    door: Door,
    uri: &Uri,
    headers: &HeaderMap,
    allowed: &[String],
) -> Result<(), Refusal> {
    check_host(door, uri, headers)?;
    check_origin(door, headers, allowed)
}

fn check_host(door: Door, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    // A request has exactly one host (RFC 9112, section 3.2). On a Unix socket clients write
    // what they like, for there is no name to it.
    let host = match (first, second) {
        (Some(host), None) => host.to_str().map_err(|_| Refusal::ForeignHost)?,
        (None, _) if door == Door::Unix => return Ok(()),
        _ => return Err(Refusal::ForeignHost),
    };
    // The absolute form of a target has a host of its own.
    let target = uri.authority().map(|authority| authority.as_str());
    let names_us = |name: &str| door == Door::Unix || is_own(name, door);
    match names_us(host) && target.is_none_or(names_us) {
        true => Ok(()),
        false => Err(Refusal::ForeignHost),
    }
}

/// Whether `host`, with its port, is one of this device's names for this door.
fn is_own(host: &str, door: Door) -> bool {
    let Door::Port { number, .. } = door else {
        return false;
    };
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok(),
        None if port.is_empty() => door.implied(),
        None => None,
    };
    let is_name = name.eq_ignore_ascii_case("localhost");
    let is_address = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    (is_name || is_address) && port == Some(number)
}

fn check_origin(door: Door, headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    let own = own_origin(door, headers);
    let mut listed = false;
    for origin in headers.get_all(ORIGIN) {
        let is = |known: &String| known.as_bytes() == origin.as_bytes();
        match allowed.iter().any(is) {
            true => listed = true,
            false if own.as_ref().is_some_and(is) => {}
            false => return Err(Refusal::ForeignOrigin),
        }
    }
    // An image or a form of another site sends no origin with a GET, and this header still.
    for site in headers.get_all(SEC_FETCH_SITE) {
        let is_near = matches!(site.as_bytes(), b"none" | b"same-origin");
        if !is_near && !listed {
            return Err(Refusal::ForeignOrigin);
        }
    }
    Ok(())
}

/// The origin of this daemon's own pages, by the host that was checked before.
fn own_origin(door: Door, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    matches!(door, Door::Port { tls: true, .. }).then(|| format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TLS: Door = Door::Port {
        number: 8473,
        tls: true,
    };

    fn outcome(door: Door, headers: &[(&'static str, &str)], allowed: &[&str]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a header's value");
            map.append(*name, value);
        }
        let allowed: Vec<_> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        let refusal = check(door, &Uri::from_static("/health"), &map, &allowed).err();
        refusal.map(|refusal| refusal.code().to_owned())
    }

    #[test]
    fn only_this_devices_own_names_are_hosts() {
        let host = |door, host: &str| outcome(door, &[("host", host)], &[]).is_none();
        for own in [
            "localhost:8473",
            "LocalHost:8473",
            "127.0.0.1:8473",
            "127.0.0.2:8473",
            "[::1]:8473",
        ] {
            assert!(host(TLS, own), "{own}");
        }
        for foreign in [
            "",
            "localhost",
            "localhost:8474",
            "localhost:",
            "localhost:8473:8473",
            "localhost.:8473",
            "localhost.example.com:8473",
            "127.0.0.1.example.com:8473",
            "user@localhost:8473",
            "example.com:8473",
            "10.0.0.1:8473",
            "[::2]:8473",
            "[::1]8473",
            "[::1",
            "::1:8473",
            "0.0.0.0:8473",
        ] {
            assert!(!host(TLS, foreign), "{foreign}");
        }
        let standard = Door::Port {
            number: 443,
            tls: true,
        };
        assert!(host(standard, "localhost"));
        assert!(host(Door::Unix, "anything.example"));
    }

    #[test]
    fn a_request_has_one_host() {
        let twice = [("host", "localhost:8473"), ("host", "localhost:8473")];
        assert_eq!(
            outcome(TLS, &twice, &[]).as_deref(),
            Some("host_not_allowed")
        );
        assert_eq!(outcome(TLS, &[], &[]).as_deref(), Some("host_not_allowed"));
        assert_eq!(outcome(Door::Unix, &[], &[]), None);
    }

    #[test]
    fn an_absolute_target_is_held_to_the_same_names() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost:8473"));
        let uri = Uri::from_static("http://example.com:8473/health");
        assert!(check(TLS, &uri, &headers, &[]).is_err());
        let uri = Uri::from_static("https://127.0.0.1:8473/health");
        assert!(check(TLS, &uri, &headers, &[]).is_ok());
    }

    #[test]
    fn pages_from_elsewhere_are_refused() {
        let own = ("host", "localhost:8473");
        let page = |headers: &[(&'static str, &str)], allowed: &[&str]| {
            let mut all = vec![own];
            all.extend_from_slice(headers);
            outcome(TLS, &all, allowed).is_none()
        };
        assert!(page(&[], &[]));
        for origin in [
            "https://example.com",
            "null",
            "http://localhost:8473",
            "file://",
            "",
        ] {
            assert!(!page(&[("origin", origin)], &[]), "{origin}");
        }
        for site in ["cross-site", "same-site", "else", ""] {
            assert!(!page(&[("sec-fetch-site", site)], &[]), "{site}");
        }
        assert!(page(&[("sec-fetch-site", "none")], &[]));
        let listed = &["https://notes.example"];
        assert!(page(&[("origin", "https://notes.example")], listed));
        assert!(page(
            &[
                ("origin", "https://notes.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            listed
        ));
        assert!(!page(&[("origin", "https://notes.example.com")], listed));
        assert!(!page(
            &[
                ("origin", "https://notes.example"),
                ("origin", "https://example.com"),
            ],
            listed
        ));
    }

    #[test]
    fn the_daemons_own_pages_are_of_its_own_origin_and_port() {
        let check = |door, origin: &str, site: &str| {
            let headers = [
                ("host", "localhost:8473"),
                ("origin", origin),
                ("sec-fetch-site", site),
            ];
            outcome(door, &headers, &[]).is_none()
        };
        assert!(check(TLS, "https://localhost:8473", "same-origin"));
        for site in ["cross-site", "same-site", ""] {
            assert!(!check(TLS, "https://localhost:8473", site), "{site}");
        }
        for other in [
            "https://localhost",
            "https://localhost:8474",
            "https://127.0.0.1:8473",
            "http://localhost:8473",
            "https://localhost:8473/",
        ] {
            assert!(!check(TLS, other, "same-origin"), "{other}");
        }
        let clear = Door::Port {
            number: 8473,
            tls: false,
        };
        assert!(!check(clear, "http://localhost:8473", "same-origin"));
        assert!(!check(clear, "https://localhost:8473", "same-origin"));
        assert!(!check(Door::Unix, "https://localhost:8473", "same-origin"));
    }

    proptest! {
        #[test]
        fn no_host_without_a_loopback_name_gets_in(host in "[a-z0-9.:@\\[\\]-]{0,30}") {
            let passes = outcome(TLS, &[("host", &host)], &[]).is_none();
            let names = ["localhost:", "127.", "[::1]:", "[0"];
            if passes {
                prop_assert!(names.iter().any(|name| host.starts_with(name)), "{host}");
                prop_assert!(host.ends_with(":8473"), "{}", host);
            }
        }
    }
}
