//! A web site with one page, whose owner means no good.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::wait::PATIENCE;

/// Longest report of a page.
const MOST_BYTES: usize = 1 << 20;

/// A site that answers while this value lives.
pub(crate) struct Site {
    address: SocketAddr,
    shared: Arc<Shared>,
    reports: Receiver<Value>,
}

struct Shared {
    files: HashMap<&'static str, (&'static str, Vec<u8>)>,
    reports: Mutex<Sender<Value>>,
    /// Where connections go once the site's name leads elsewhere.
    rebound_to: Mutex<Option<SocketAddr>>,
    ended: AtomicBool,
}

impl Site {
    /// A site at this address with these files: path, content type, bytes. Whatever is posted to
    /// `/report` is a report, and a visit to `/rebind` makes all later ones lead elsewhere, if
    /// that was asked for.
    pub(crate) fn at(
        address: (Ipv4Addr, u16),
        files: &[(&'static str, &'static str, Vec<u8>)],
        rebound_to: Option<SocketAddr>,
    ) -> Site {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().expect("it listens");
        let (sender, reports) = channel();
        let files = files.iter().cloned();
        let shared = Arc::new(Shared {
            files: files
                .map(|(path, kind, bytes)| (path, (kind, bytes)))
                .collect(),
            reports: Mutex::new(sender),
            rebound_to: Mutex::new(rebound_to),
            ended: AtomicBool::new(false),
        });
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Site {
            address,
            shared,
            reports,
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next report.
    pub(crate) fn report(&self) -> Value {
        let report = self.reports.recv_timeout(PATIENCE);
        report.expect("the page reports what it got")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the one who accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    let rebound = Arc::new(AtomicBool::new(false));
    for stream in listener.incoming().flatten() {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        let (shared, rebound) = (Arc::clone(shared), Arc::clone(&rebound));
        thread::spawn(move || {
            let target = *shared.rebound_to.lock().expect("nobody panics with it");
            match target.filter(|_| rebound.load(Ordering::Relaxed)) {
                Some(target) => splice(stream, target),
                None => answer(stream, &shared, &rebound),
            }
        });
    }
}

/// Joins a visitor with whom the name leads to now.
fn splice(visitor: TcpStream, target: SocketAddr) -> io::Result<()> {
    let other = TcpStream::connect(target)?;
    let (mut from, mut to) = (visitor.try_clone()?, other.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    io::copy(&mut &other, &mut &visitor)?;
    visitor.shutdown(Shutdown::Both)
}

/// One request and its answer.
fn answer(stream: TcpStream, shared: &Shared, rebound: &AtomicBool) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; usize::min(length, MOST_BYTES)];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let (status, kind, bytes): (_, _, &[u8]) = match (path, shared.files.get(path)) {
        (_, Some((kind, bytes))) => ("200 OK", *kind, bytes),
        ("/report", None) => {
            let report = serde_json::from_slice(&body);
            let report = report.unwrap_or_else(|error| Value::String(error.to_string()));
            let _ = shared
                .reports
                .lock()
                .expect("nobody panics with it")
                .send(report);
            ("200 OK", "text/plain", b"thanks")
        }
        ("/rebind", None) => {
            rebound.store(true, Ordering::Relaxed);
            ("200 OK", "text/plain", b"from now on I am somebody else")
        }
        _ => ("404 Not Found", "text/plain", b"no such page"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         connection: close\r\ncache-control: no-store\r\n\r\n",
        bytes.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)
}

/// An address of this machine.
pub(crate) fn local(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(address), port)
}
