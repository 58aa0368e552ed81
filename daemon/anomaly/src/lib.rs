//! What is unusual for each application, and what is done about it.
//!
//! A [`Watch`] is told of every request and every refusal ([`Observation`]) of every
//! [`Subject`], in numbers alone, and learns what is usual for each. What is not raises an
//! [`Alert`], and changes the subject's [`Standing`]. It does no I/O and reads no clock.
//!
//! ```
//! use std::time::Duration;
//! use earnest_anomaly::{Observation, Options, Standing, Subject, Watch};
//! use earnest_telemetry::{AlertKind, Refusal};
//!
//! let watch = Watch::new(Options::default());
//! let stranger = Subject::Uid(1001);
//! let guess = Observation::Refused { reason: Refusal::BadToken };
//! let at = |second| Duration::from_secs(1_000 + second);
//! let alerts: Vec<_> = (0..60)
//!     .filter_map(|second| watch.observe(&stranger, &guess, at(second), 9))
//!     .collect();
//! assert_eq!(alerts[0].kind, AlertKind::Guessing);
//! let standing = watch.standing(&stranger, at(60));
//! assert!(matches!(standing, Standing::Quarantined { until: Some(_) }));
//! ```

mod alert;
mod baseline;
mod estimate;
mod observation;
mod options;
mod response;
mod saved;
mod score;
#[cfg(feature = "simulation")]
pub mod simulation;
mod subject;
mod watch;
mod windows;

pub use alert::{Alert, Evidence, ReleaseError, Standing};
pub use observation::{Observation, Request, Subject};
pub use options::{Options, Thresholds, ThresholdsError};
pub use saved::{Baselines, ImportError, MAX_SAVED_BYTES};
pub use score::Surprises;
pub use watch::{MAX_ENDED_ALERTS, MAX_SUBJECTS, Watch};
