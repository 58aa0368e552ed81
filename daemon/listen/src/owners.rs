//! Whose a TCP connection is: the kernel's tables of sockets, `/proc/net/tcp` and `tcp6`
//! (`proc(5)`; the columns are those of `tcp4_seq_show` and `tcp6_seq_show`).
//!
//! The tables show each connection on loopback twice, once from each end. A peer's line is the
//! one whose local address is the peer's and whose remote address is ours.
//!
//! A line counts only where it names an inode. The kernel shows a socket that no process holds
//! any more (one that was closed and still says goodbye) with inode 0 and user 0: whoever
//! connects, sends a request and closes would pass for root.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most bytes of a table that are read. A line has about 150, so this is some 200,000
/// sockets; a machine with more tells no owner to whoever is beyond, who is then nobody known.
const MAX_TABLE_BYTES: u64 = 32 << 20;

/// Where the tables are. `self` is the network that this process is in. They stay readable to a
/// process that may not be dumped, and where `/proc` shows processes alone (`subset=pid`).
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

/// The user that the peer's socket belongs to: `peer` is its end of the connection, `local` is
/// ours. Which table has the peer's end is the peer's choice, as a socket of IPv6 speaks IPv4,
/// too.
pub(crate) fn owner_of_peer(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    TABLES.iter().find_map(|table| {
        let table = BufReader::with_capacity(64 << 10, File::open(table).ok()?);
        find_owner(table, peer, local).ok().flatten()
    })
}

/// Finds in a table the user of the socket whose own address is `own` and whose other end is
/// `other`. Lines that cannot be read are passed over.
///
/// # Errors
///
/// When the table cannot be read.
fn find_owner(table: impl BufRead, own: SocketAddr, other: SocketAddr) -> io::Result<Option<u32>> {
    let wanted = (canonical(own), canonical(other));
    let mut table = table.take(MAX_TABLE_BYTES);
    let mut line = Vec::new();
    loop {
        line.clear();
        if table.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        match Entry::parse(&line) {
            Some(entry) if (entry.own, entry.other) == wanted && entry.inode != 0 => {
                return Ok(Some(entry.uid));
            }
            _ => {}
        }
    }
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// A line of a table, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    own: (IpAddr, u16),
    other: (IpAddr, u16),
    uid: u32,
    inode: u64,
}

impl Entry {
    /// The columns: number, own address, other address, state, queues, timer, retransmits,
    /// user, time-outs, inode. Nothing where a line has others, as the heading has.
    fn parse(line: &[u8]) -> Option<Entry> {
        let line = std::str::from_utf8(line).ok()?;
        let mut columns = line.split_ascii_whitespace();
        columns.next()?.strip_suffix(':')?;
        let own = end(columns.next()?)?;
        let other = end(columns.next()?)?;
        let uid = columns.nth(4)?.parse().ok()?;
        let inode = columns.nth(1)?.parse().ok()?;
        Some(Entry {
            own,
            other,
            uid,
            inode,
        })
    }
}

/// An address as the kernel prints it: words of 32 bits in the machine's own order, each in
/// eight hexadecimal digits, and the port in four.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(digits(port, 4)?, 16).ok()?;
    let word = |digits: &str| u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes);
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(digits(address, 8)?)?)),
        _ => {
            let address = digits(address, 32)?;
            let mut bytes = [0; 16];
            for (place, quarter) in bytes.chunks_exact_mut(4).enumerate() {
                quarter.copy_from_slice(&word(address.get(place * 8..place * 8 + 8)?)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
    };
    Some((ip.to_canonical(), port))
}

/// The text, if it is so many hexadecimal digits; a sign would be none.
fn digits(text: &str, count: usize) -> Option<&str> {
    let right = text.len() == count && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    right.then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
                           retrnsmt   uid  timeout inode\n";

    /// An address as the kernel prints it.
    fn printed(ip: IpAddr) -> String {
        let word = |bytes: &[u8]| {
            let bytes = bytes.try_into().unwrap();
            format!("{:08X}", u32::from_ne_bytes(bytes))
        };
        match ip {
            IpAddr::V4(v4) => word(&v4.octets()),
            IpAddr::V6(v6) => v6.octets().chunks(4).map(word).collect(),
        }
    }

    fn line(own: SocketAddr, other: SocketAddr, uid: u32, inode: u64) -> String {
        let end = |end: SocketAddr| format!("{}:{:04X}", printed(end.ip()), end.port());
        format!(
            "   7: {} {} 01 00000000:00000000 00:00000000 00000000 {uid:5}        0 {inode} 1 \
             ffff8f0a3c3f8000 20 4 30 10 -1\n",
            end(own),
            end(other)
        )
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn check(table: &str, own: &str, other: &str, expected: Option<u32>) {
        let found = find_owner(table.as_bytes(), address(own), address(other));
        assert_eq!(found.unwrap(), expected, "{table}");
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_the_kernel_is_understood() {
        let table = "   1: 0100007F:A1B2 0100007F:2119 01 00000000:00000000 00:00000000 00000000  \
                     1000        0 31337 1 0000000000000000 20 4 30 10 -1\n";
        let table = [HEADING, table].concat();
        check(&table, "127.0.0.1:41394", "127.0.0.1:8473", Some(1000));
        check(&table, "127.0.0.1:8473", "127.0.0.1:41394", None);
        let six = "   0: 00000000000000000000000001000000:0050 \
                   00000000000000000000000001000000:0051 01 0:0 0:0 0 7 0 9 1\n";
        check(six, "[::1]:80", "[::1]:81", Some(7));
    }

    #[test]
    fn an_owner_is_of_the_peers_end_and_not_of_ours() {
        let (peer, ours) = ("127.0.0.1:50000", "127.0.0.1:8473");
        let own = line(address(ours), address(peer), 33, 1);
        let theirs = line(address(peer), address(ours), 1000, 2);
        check(&[HEADING, &own, &theirs].concat(), peer, ours, Some(1000));
        check(&[HEADING, &own].concat(), peer, ours, None);
    }

    #[test]
    fn a_socket_that_nobody_holds_any_more_is_nobodys_and_not_roots() {
        let (peer, ours) = ("127.0.0.1:50000", "127.0.0.1:8473");
        let gone = line(address(peer), address(ours), 0, 0);
        check(&gone, peer, ours, None);
        let held = line(address(peer), address(ours), 1000, 5);
        check(&[gone, held].concat(), peer, ours, Some(1000));
    }

    #[test]
    fn a_peer_with_a_socket_of_ipv6_is_found_by_its_address_of_ipv4() {
        let mapped = |text: &str| address(&format!("[::ffff:127.0.0.1]:{text}"));
        let table = line(mapped("50000"), mapped("8473"), 1000, 5);
        check(&table, "127.0.0.1:50000", "127.0.0.1:8473", Some(1000));
        let table = line(address("127.0.0.1:50000"), address("127.0.0.1:8473"), 9, 5);
        let (own, other) = (mapped("50000"), mapped("8473"));
        assert_eq!(find_owner(table.as_bytes(), own, other).unwrap(), Some(9));
    }

    #[test]
    fn odd_lines_are_passed_over() {
        let (peer, ours) = ("127.0.0.1:50000", "127.0.0.1:8473");
        let right = line(address(peer), address(ours), 1000, 5);
        let odd = [
            "\n",
            "7:\n",
            "7: 0100007F 0100007F\n",
            "7: +100007F:C350 0100007F:2119 01 0:0 0:0 0 1 0 1\n",
            "7: 0100007F:C350 0100007F:2119 01 0:0 0:0 0 -1 0 1\n",
            "7: 0100007F:C350 0100007F:2119 01 0:0 0:0 0 99999999999 0 1\n",
            "7: 0100007F:C350 0100007F:2119 01 0:0 0:0 0 1 0\n",
            "7: 0100007F0100007F:C350 0100007F:2119 01 0:0 0:0 0 1 0 1\n",
            "\u{e9}\u{e9}: \u{e9} \n",
        ];
        for odd in odd {
            check(odd, peer, ours, None);
            check(&[odd, &right].concat(), peer, ours, Some(1000));
        }
    }

    #[test]
    fn a_table_without_an_end_is_read_up_to_its_bound() {
        let (own, other) = (address("127.0.0.1:1"), address("127.0.0.1:2"));
        let endless = io::BufReader::new(io::repeat(b'x'));
        assert_eq!(find_owner(endless, own, other).unwrap(), None);
    }

    fn ends() -> impl Strategy<Value = SocketAddr> {
        let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
        let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
        (prop_oneof![v4, v6], any::<u16>()).prop_map(SocketAddr::from)
    }

    proptest! {
        #[test]
        fn every_owner_is_found_among_others(
            sockets in proptest::collection::vec((ends(), ends(), any::<u32>(), 1..u64::MAX), 1..20),
            wanted in any::<proptest::sample::Index>(),
        ) {
            let table: String = sockets
                .iter()
                .map(|(own, other, uid, inode)| line(*own, *other, *uid, *inode))
                .collect();
            let (own, other, _, _) = *wanted.get(&sockets);
            // Of two with the same ends, which no kernel has, the first is meant.
            let first = sockets.iter().find(|socket| (socket.0, socket.1) == (own, other));
            let found = find_owner(table.as_bytes(), own, other).unwrap();
            prop_assert_eq!(found, first.map(|socket| socket.2));
        }

        #[test]
        fn no_table_is_too_odd(
            table in proptest::collection::vec(any::<u8>(), 0..500),
            text in "([0-9]: )?([0-9A-F]{8}:[0-9A-F]{4} ){0,3}[ -~\n]{0,80}",
            own in ends(),
            other in ends(),
        ) {
            let _ = find_owner(&table[..], own, other).unwrap();
            let _ = find_owner(text.as_bytes(), own, other).unwrap();
        }
    }
}
