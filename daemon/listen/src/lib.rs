//! Listeners on loopback and Unix sockets alone, TLS, and who is at the other end.
//!
//! - [`LoopbackAddress`] and [`UnixPath`] are the places where Earnest may listen. Another one
//!   cannot be constructed, so nothing that takes a [`Plan`] listens elsewhere.
//! - [`WyomingPlace`] is one of those places where the Wyoming protocol is spoken, and not HTTP.
//! - [`Listeners`] are sockets that are bound ([`Listeners::bind`]) or that the service manager
//!   bound before ([`Listeners::inherited`]), each of them checked; [`Listeners::open`] makes a
//!   [`Listener`] of each.
//! - [`Listener::accept`] gives an [`Incoming`], and [`Incoming::establish`] a [`Connection`]:
//!   the TLS handshake is done and the [`Peer`] is known. [`Incoming::identify`] tells the peer's
//!   user before there is a handshake.
//! - [`TlsIdentity`] is the certificate that TLS listeners show, and the authority whose
//!   certificates clients may show. Both are replaced while they run.
//!
//! Being near is no authentication: every user of a machine reaches its loopback. This crate says
//! who is at the other end, as the kernel knows it, and leaves to others what that one may do.
//!
//! What it holds to, whatever is configured: TLS 1.3 alone and with HTTP/1.1 alone, no tickets
//! and no resumption, so that no secret outlives a connection; so many connections a listener,
//! and whoever comes then waits; so long for a handshake and no longer.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//!
//! use earnest_listen::{Listeners, Plan, TlsIdentity};
//!
//! # async fn example(chain: &[Vec<u8>], key: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let plan = Plan {
//!     tls: vec!["127.0.0.1:8473".parse()?, "[::1]:8473".parse()?],
//!     ..Plan::default()
//! };
//! let listeners = match Listeners::inherited()? {
//!     Some(inherited) => inherited,
//!     None => Listeners::bind(&plan)?,
//! };
//! let identity = TlsIdentity::new(chain, key)?;
//! let most = NonZeroUsize::new(64).expect("64 is more than none");
//! for listener in listeners.open(&identity, most)? {
//!     tokio::spawn(async move {
//!         while let Ok(incoming) = listener.accept().await {
//!             tokio::spawn(async move {
//!                 if let Ok(connection) = incoming.establish().await {
//!                     println!("{:?} at {}", connection.peer(), connection.place());
//!                 }
//!             });
//!         }
//!     });
//! }
//! # Ok(())
//! # }
//! ```

mod accept;
mod activation;
mod address;
mod bind;
mod owners;
mod peer;
mod place;
mod stream;
mod tls;

pub use accept::{AcceptError, EstablishError, HANDSHAKE_LIMIT, Identified, Incoming, Listener};
pub use activation::{ActivationError, InheritedError};
pub use address::{AddressError, LoopbackAddress};
pub use bind::{BindError, Listeners, OpenError, Plan, UnixPlan, WyomingPlan};
pub use peer::{Fingerprint, Peer};
pub use place::{Place, UnixPath, UnixPathError, WyomingPlace, WyomingPlaceError};
pub use stream::Connection;
pub use tls::{IdentityError, TlsIdentity};
