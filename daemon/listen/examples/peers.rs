//! What it costs to find out who is at the other end of a loopback connection, beside none, a
//! thousand and four thousand other connections of the machine.
//!
//! ```sh
//! cargo run --release -p earnest-listen --example peers
//! ```

use std::error::Error;
use std::net::{TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use earnest_listen::{Listener, Listeners, LoopbackAddress, Place, Plan, TlsIdentity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpStream;

/// Other connections of the machine; each has two ends here.
const OTHERS: [usize; 3] = [0, 1000, 4000];

/// Connections that are timed, of which the median is told.
const ROUNDS: usize = 101;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    let identity = TlsIdentity::new(&[leaf.der().to_vec()], &key.serialize_der())?;
    let plan = Plan {
        clear: vec![LoopbackAddress::v4(0)],
        ..Plan::default()
    };
    let most = NonZeroUsize::new(8).ok_or("8 is more than none")?;
    let listeners = Listeners::bind(&plan)?.open(&identity, most)?;
    let listener = listeners.first().ok_or("one place was planned")?;
    let other = StdTcpListener::bind("127.0.0.1:0")?;
    let mut held = Vec::new();
    for others in OTHERS {
        while held.len() < others {
            held.push((StdTcpStream::connect(other.local_addr()?)?, other.accept()?));
        }
        let time = median(listener).await?;
        println!("{others:5} other connections: {time:?}");
    }
    Ok(())
}

async fn median(listener: &Listener) -> Result<Duration, Box<dyn Error>> {
    let Place::Clear(address) = listener.place() else {
        return Err("clear text was planned".into());
    };
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let _client = TcpStream::connect(address.socket()).await?;
        let incoming = listener.accept().await?;
        let start = Instant::now();
        let connection = incoming.establish().await?;
        times.push(start.elapsed());
        connection.peer().uid().ok_or("the peer is this process")?;
    }
    times.sort_unstable();
    Ok(times[ROUNDS / 2])
}
