//! One open microphone, and all who listen to it.
//!
//! **Purpose.** A machine has one microphone and many who want its words: a page of captions, a
//! terminal, a program that waits for its commands. [`Live`] opens it when the first of them
//! comes, has one worker hear it, tells each [`Listener`] what it may know and wants to, and
//! closes it when the last one goes.
//!
//! **Constraints.**
//! - Nobody listens without a live [`Open`](earnest_gate::Open) and a permit, which is held
//!   while its owner listens. A permit for commands gets nobody text: what its owner is told has
//!   no field for it ([`Wish::Scope`]).
//! - A muted microphone is closed: no process has it open.
//! - Where there is a [`Guard`], the microphone is open while that agrees, and the state says so no
//!   sooner. A switch that is moved to mute costs the utterance that was under way: nothing of it
//!   is told any more.
//! - Sound is kept as long as it is on its way, and overwritten afterwards: the pre-roll of a warm
//!   microphone ([`MAX_PRE_ROLL`]), and what waits for a worker that is behind ([`BACKLOG`]). What
//!   does not fit is counted, and told as [`Hearing::Overrun`].
//! - A worker that dies costs the utterance that was under way; a device that is lost costs what
//!   was said meanwhile. Neither ends anybody's listening. A gate that closes ends all of it.
//! - Who does not take what it is told loses partials and levels first, and then its place
//!   ([`MOST_WAITING`]): nobody else waits for it.
//!
//! ```no_run
//! # use earnest_audio::{CaptureProgram, Microphone, MicrophoneOptions};
//! # use earnest_gate::Open;
//! # use earnest_live::{Hearing, Live, LiveSettings, Text};
//! # use earnest_policy::{Listen, Permit};
//! # use earnest_pool::Pool;
//! # use earnest_telemetry::Telemetry;
//! # async fn example(
//! #     program: CaptureProgram,
//! #     telemetry: Telemetry,
//! #     open: Open,
//! #     pool: Pool,
//! #     permit: Permit<Listen>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let make = move || Box::new(Microphone::open(program.clone(), MicrophoneOptions::default())) as _;
//! let live = Live::new(LiveSettings::default(), make, telemetry);
//! let mut listener = live.listen(&open, &pool, permit, Text::default()).await?;
//! while let Some(hearing) = listener.next().await {
//!     if let Hearing::Final(segment) = hearing {
//!         println!("{}", segment.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod audience;
mod backlog;
mod ears;
mod guard;
mod hearing;
mod hub;
mod listener;
mod live;
mod mailbox;
mod meter;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod wake;
mod wish;

use std::time::Duration;

pub use earnest_audio::{Device, DevicesError, Level, Loss};
pub use earnest_guardian::{Cut, GuardReport, GuardState};
pub use guard::{Guard, Withheld};
pub use hearing::{Ending, Hearing, MicrophoneState, Partial};
pub use listener::{Listener, MOST_WAITING};
pub use live::{ListenError, Live};
pub use settings::{LiveSettings, MAX_PRE_ROLL};
pub use status::{ListenerStatus, MicrophoneStatus, What};
pub use wish::{Commands, MAX_WAKE_BYTES, Text, Wish};

/// The sound that waits for a worker that is behind, or that is being started, at most. After
/// more than that nobody would take the words for live.
pub const BACKLOG: Duration = Duration::from_secs(10);

/// How soon after the utterance of a wake phrase the next one has to begin for its text to be
/// told.
pub const AWAKE: Duration = Duration::from_secs(8);
