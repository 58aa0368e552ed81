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

/// Where the tables are. `self` is the network that this process is in.
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
