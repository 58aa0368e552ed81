//! Addresses that only this machine reaches.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address and a port on loopback: 127.0.0.0/8 or `::1`. There is no other way to make one
/// than to check it, and no listener without one.
///
/// An IPv4 address in IPv6 clothing (`::ffff:127.0.0.1`) is taken for the IPv4 address that it
/// stands for, so that each place has one name.
///
/// ```
/// use earnest_listen::LoopbackAddress;
///
/// let address: LoopbackAddress = "127.0.0.1:8473".parse().unwrap();
/// assert_eq!(address.port(), 8473);
/// assert_eq!(
///     "0.0.0.0:8473".parse::<LoopbackAddress>().unwrap_err().to_string(),
///     "0.0.0.0 is not loopback: sound and text stay on this device"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoopbackAddress {
    host: Host,
    port: u16,
}

/// The addresses of loopback. A zone or flow label of an IPv6 address says nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    /// 127, and these three.
    V4([u8; 3]),
    V6,
}

impl LoopbackAddress {
    /// The usual address of IPv4, 127.0.0.1.
    pub const fn v4(port: u16) -> LoopbackAddress {
        let host = Host::V4([0, 0, 1]);
        LoopbackAddress { host, port }
    }

    /// The address of IPv6, `::1`.
    pub const fn v6(port: u16) -> LoopbackAddress {
        let host = Host::V6;
        LoopbackAddress { host, port }
    }

    /// The port. Zero lets the system choose one when it is bound.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address alone.
    pub fn ip(&self) -> IpAddr {
        match self.host {
            Host::V4([second, third, fourth]) => {
                IpAddr::V4(Ipv4Addr::new(127, second, third, fourth))
            }
            Host::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        }
    }

    /// Address and port, as the system takes them.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip(), self.port)
    }
}

impl TryFrom<SocketAddr> for LoopbackAddress {
    type Error = AddressError;

    fn try_from(address: SocketAddr) -> Result<LoopbackAddress, AddressError> {
        let host = match address.ip().to_canonical() {
            IpAddr::V4(v4) => match v4.octets() {
                [127, rest @ ..] => Host::V4(rest),
                _ => return Err(AddressError::NotLoopback { found: v4.into() }),
            },
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Host::V6,
            IpAddr::V6(v6) => return Err(AddressError::NotLoopback { found: v6.into() }),
        };
        let port = address.port();
        Ok(LoopbackAddress { host, port })
    }
}

impl FromStr for LoopbackAddress {
    type Err = AddressError;

    /// Names are not looked up: what `localhost` is, is a matter of a file that others write.
    fn from_str(text: &str) -> Result<LoopbackAddress, AddressError> {
        let address: SocketAddr = text.parse().map_err(|_| AddressError::Malformed {
            found: text.chars().take(64).collect(),
        })?;
        LoopbackAddress::try_from(address)
    }
}

impl fmt::Display for LoopbackAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().fmt(formatter)
    }
}

/// Why an address is none to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Others than this machine may reach it.
    #[error("{found} is not loopback: sound and text stay on this device")]
    NotLoopback {
        /// The address.
        found: IpAddr,
    },
    /// It is no address with a port.
    #[error("{found:?} is not an address with a port, such as 127.0.0.1:8473 or [::1]:8473")]
    Malformed {
        /// How it begins.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = text.parse::<LoopbackAddress>();
        let found = found.map(|address| address.to_string());
        let found = found.map_err(|error| error.to_string());
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn loopback_is_taken_under_each_of_its_names() {
        check("127.0.0.1:8473", Ok("127.0.0.1:8473"));
        check("127.255.255.254:0", Ok("127.255.255.254:0"));
        check("[::1]:8473", Ok("[::1]:8473"));
        check("[::ffff:127.0.0.2]:1", Ok("127.0.0.2:1"));
        check("[::1%2]:8473", Ok("[::1]:8473"));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let refused = |text: &str, found: &str| {
            let reason = format!("{found} is not loopback: sound and text stay on this device");
            check(text, Err(&reason));
        };
        refused("0.0.0.0:8473", "0.0.0.0");
        refused("[::]:8473", "::");
        refused("192.168.1.5:8473", "192.168.1.5");
        refused("128.0.0.1:1", "128.0.0.1");
        refused("126.255.255.255:1", "126.255.255.255");
        refused("[::2]:8473", "::2");
        refused("[::ffff:0.0.0.0]:1", "0.0.0.0");
        refused("[::127.0.0.1]:1", "::7f00:1");
        refused("[fe80::1]:1", "fe80::1");
        for odd in [
            "",
            "localhost:8473",
            "127.0.0.1",
            "::1",
            "127.1:1",
            "[::1]:70000",
        ] {
            let reason = format!(
                "{odd:?} is not an address with a port, such as 127.0.0.1:8473 or [::1]:8473"
            );
            check(odd, Err(&reason));
        }
    }

    /// An address, half of them near loopback.
    fn addresses() -> impl Strategy<Value = SocketAddr> {
        let v4 = prop_oneof![
            any::<[u8; 4]>(),
            any::<[u8; 3]>().prop_map(|[a, b, c]| [127, a, b, c]),
        ];
        let mapped = v4
            .clone()
            .prop_map(|v4| Ipv4Addr::from(v4).to_ipv6_mapped());
        let v6 = prop_oneof![
            any::<u128>().prop_map(Ipv6Addr::from),
            any::<u8>().prop_map(|last| Ipv6Addr::from(u128::from(last))),
            (0..128_u32).prop_map(|bit| Ipv6Addr::from(1 | 1_u128 << bit)),
            mapped,
        ];
        let ip = prop_oneof![v4.prop_map(IpAddr::from), v6.prop_map(IpAddr::from)];
        (ip, any::<u16>()).prop_map(SocketAddr::from)
    }

    proptest! {
        #[test]
        fn exactly_loopback_is_taken_of_all_addresses(address in addresses()) {
            // Bytes are compared here, so that the standard library's notion is not asked twice.
            let loopback = match address.ip() {
                IpAddr::V4(v4) => u32::from(v4) >> 24 == 127,
                IpAddr::V6(v6) => match u128::from(v6) {
                    1 => true,
                    mapped => mapped >> 24 == 0x00ff_ff7f,
                },
            };
            let taken = LoopbackAddress::try_from(address);
            prop_assert_eq!(taken.is_ok(), loopback);
            if let Ok(taken) = taken {
                prop_assert_eq!(taken.port(), address.port());
                prop_assert!(taken.ip().is_loopback());
                prop_assert_eq!(taken.to_string().parse(), Ok(taken));
            }
        }
    }
}
