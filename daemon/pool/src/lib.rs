//! The daemon's side of its workers: started warm, one for each application, bounded, ended.
//!
//! A worker decodes strangers' sound in a process of its own. This crate starts such
//! processes, hands them jobs, and believes nothing that they say: each answer is held to
//! what the daemon sent ([`earnest_channel::Exchange`]), the sandbox that a worker claims is
//! compared with what the kernel says of it, and every wait has its end. A worker that
//! crashes, hangs, floods or talks nonsense is killed with SIGKILL and reaped. It costs the
//! one request that it was at; the others do not notice.
//!
//! - A worker that had a job of an application has no job of another one, ever. It takes one
//!   job at a time, and is ended when it had none for [`PoolOptions::idle`].
//! - [`PoolOptions::warm`] workers are ready before anybody asks.
//! - [`PoolOptions::most`] jobs are at work at most, [`PoolOptions::most_of_one`] of the same
//!   application. Who finds no place waits in its application's queue, for
//!   [`PoolOptions::patience`] at most. A place that becomes free goes to the application with
//!   the fewest jobs at work, and among equals to the one whose last turn is the longest ago:
//!   who floods its own queue takes nothing from anybody else's. Who finds that queue full
//!   ([`PoolOptions::queue`], [`PoolOptions::queue_all`]) is told at once when to come again.
//! - The microphone's sound has a worker of its own, besides those places: one at a time.
//! - Of a live job no text comes that was not wanted when it was heard, and none is taken back
//!   that was called stable: a worker that does either is ended.
//! - No job begins without a live [`Open`](earnest_gate::Open), and nothing of a job is handed
//!   out once that is dead. [`Pool::end_all`] kills every worker and drops the weights.
//!
//! A worker gets three files and nothing else: fd 0, the sealed memfd of weights; fd 1, its
//! end of a socket that frames of `earnest-channel` cross; fd 2, `/dev/null`. Its environment
//! is empty and its folder `/`.
//!
//! ```no_run
//! # use std::os::fd::OwnedFd;
//! # use std::sync::Arc;
//! # use earnest_channel::{Job, SoundKind, Task};
//! # use earnest_gate::Open;
//! # use earnest_policy::{Permit, Transcribe};
//! # use earnest_pool::{Event, Pool, PoolOptions};
//! # use earnest_telemetry::Telemetry;
//! # async fn example(
//! #     weights: Arc<OwnedFd>,
//! #     telemetry: Telemetry,
//! #     open: Open,
//! #     permit: Permit<Transcribe>,
//! #     clip: bytes::Bytes,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let options = PoolOptions::new("/usr/bin/earnestd", ["worker"], weights);
//! let pool = Pool::start(options, telemetry)?;
//! let task = Task::Transcribe { words: false };
//! let job = Job { kind: SoundKind::Container, task };
//! let (mut sound, mut events) = pool.begin(&open, &permit, job).await?.split();
//! // Sound and events run side by side: see `Session`.
//! tokio::spawn(async move {
//!     if sound.send(clip).await.is_ok() {
//!         let _ = sound.end().await;
//!     }
//! });
//! while let Some(event) = events.next().await {
//!     if let Event::Segment(segment) = event? {
//!         println!("{}", segment.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod error;
mod handshake;
mod keeper;
mod limits;
mod options;
mod pace;
mod pool;
mod session;
mod spawn;
mod stable;
mod state;
mod status;
mod work;

pub use error::{BeginError, Misdeed, PoolError, SessionError, StartError};
pub use limits::JobLimits;
pub use options::PoolOptions;
pub use pool::Pool;
pub use session::{Event, Events, Session, SessionOver, SoundSender, TuneError};
pub use status::PoolStatus;
