//! `earnest-fleet`, the fleet manager's command: enrols devices, verifies their evidence, signs
//! policies. This is its inside, so that tests and benches can call it without a process.
//!
//! - [`keys`]: the folder of the fleet's keys (root, policy, release, result) and their rotation.
//! - [`state`]: the folder of what the fleet knows (devices, nonces, enrolments under way), one
//!   small file each in sharded folders, so that nothing costs more with more devices.
//! - [`Exit`] and [`Failure`]: how a command ends, and what it tells a person.
//!
//! There is no TPM here and no network: files come in, files go out. What is appraised, and how,
//! is the verifier's ([`earnest_verifier`]); this crate keeps the state, holds the keys and talks
//! to people. What goes to standard output is data; talk goes to standard error.
//!
//! ```
//! use earnest_fleet::state::State;
//!
//! let folder = tempfile::tempdir()?;
//! let state = State::create(&folder.path().join("state"))?;
//! assert!(state.device_by_name("kitchen")?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::time::Duration;

mod commands;
mod exit;
pub mod keys;
mod show;
pub mod state;

pub use commands::{main, run};
pub use earnest_files::FileError;
pub use exit::{Exit, Failure};

/// How long a lock of the state or the keys is waited for: whoever holds one does a few writes.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
