//! What is unusual for each application, and what is done about it.
//!
//! A [`Watch`] is told of every request and every refusal ([`Observation`]) of every
//! [`Subject`], in numbers alone, and learns what is usual for each. What is not raises an
//! [`Alert`], and changes the subject's [`Standing`]. It does no I/O and reads no clock, and its
//! memory is bounded ([`MAX_SUBJECTS`]). Digests of payloads and shapes of sounds stay in
//! memory and are never saved ([`Baselines`]).
//!
//! # The score
//!
//! Each observation has three windows of its subject scored: the last five minutes, hour and
//! day. Each side of a window has a *surprise* in nats: about minus the logarithm of the chance
//! that what is usual for this subject brings as much ([`Surprises`]).
//!
//! **Counts** (requests in each window, requests in the busiest minute, minutes of sound in a
//! day) are compared by `x = ln(1 + count)` with a learned mean `m` and deviation `s`:
//! `z = (x - max(m, floor)) / s`, and the surprise is `z²/2 + ln(1 + z√2π)` for `z > 0`, else 0,
//! which is minus the logarithm of the normal tail within 0.8 nats. So are the hours of the day
//! over which requests spread, `e` to the entropy of the hourly counts (*around the clock*; from
//! 20 requests), and to both sides the mean logarithm of the seconds of sound (*duration*).
//!
//! **Shares** (of silent sounds, repeated payloads, near-repeated shapes, uncertain texts, short
//! sounds) are compared with a learned share `p`. `k` of `n` surprise by Chernoff's bound
//! `n' KL(k/n ‖ p)` where `k/n > p`. As requests come in bouts, `n' = (n - free) / clump`.
//!
//! **Refusals** are counted in groups: failed proofs (*guessing*), refused scopes and routes
//! (*probing*), bad requests (*faults*), requests past a limit (*overload*) and dribbled bytes
//! (*dribble*). `k` of them surprise by Poisson's `(k ln(k/λ) - k + λ) / clump`, where `λ` is the
//! day's learned number times 1/4, 1/2 and 1 for the three windows: they come in bouts, too.
//! What the device is the reason of (a closed gate, a full pool) counts for nobody.
//!
//! **Hours** are compared with a histogram of the 168 hours of the week, each smoothed with its
//! neighbours and with the same hour of other days: the surprise is the mean of `-ln` of the
//! density, at most 4, and counts in full after 14 days. **Uniform** is how alike the lengths of
//! 30 sounds and more are: `6 (1 - d/0.2)` for a deviation `d` of their logarithms.
//!
//! The sides add up to *patterns*, and the score is the highest of any window:
//!
//! | kind | score |
//! |---|---|
//! | guessing, probing | the surprise of that group |
//! | repeats, silence, low certainty | the surprise of that share |
//! | refusals | the greater of faults and overload |
//! | slow drain | the greater of dribble, and of sound + around the clock (if that is 3 or more) |
//! | extraction | v + near-repeats (≤ 12) + short (≤ 6) + uniform + around the clock, if these four come to 3 or more and v, the greater of rate and burst, to 2, and half of the payloads are new |
//! | rate, burst | that surprise |
//! | hours, duration, or whichever is greatest | rate (≤ 6) + hours (≤ 4) + duration (≤ 6) + silence (≤ 4) + low certainty (≤ 4): unlike itself in many ways at once, as a program that was taken over |
//!
//! # The response
//!
//! From 12 nats an operator is told, from 20 less is granted, from 32 nothing ([`Thresholds`]).
//! Three rules soften this:
//! - Only attacks (guessing, probing, extraction, slow drain, repeats, silence) lead into
//!   quarantine; who is merely unlike itself is throttled at worst. An attack that goes on gains
//!   4 nats an hour, so a patient one is shut out as well.
//! - An application stays in quarantine until an operator releases it; a user for an hour, and
//!   twice as long each time, up to 32; whoever is not known is throttled at worst.
//! - A level falls by one when the score has been below 0.6 of its threshold for half an hour.
//!   Evidence leaves with its window, so what a day showed is held against a subject for a day.
//!
//! # Learning
//!
//! Five minutes, hours and days that are over teach means and variances (exponentially weighted
//! over up to 200 of them, each value winsorized at 2.5 deviations), Beta counts of up to 200
//! requests, and the histogram. The weight of a lesson is `1 - score/12` at its highest score: a
//! window that alerts teaches nothing, and neither does anything else until the level has
//! fallen. Only an operator's word does ([`Watch::accept`]).
//!
//! Slow poisoning is bounded: a mean rises by 0.05 a day at most (a doubling in a fortnight), a
//! share learns from 20 requests a day, a count of refusals moves by a tenth of its prior a day
//! and to three times it at most; deviations never pass the prior's; and however long somebody
//! teaches, the count that alerts is never past one and a half times a stranger's.
//!
//! A stranger is judged by priors, which are strict on abuse and quiet on honest use:
//!
//! | what | prior | an alert on its own from |
//! |---|---|---|
//! | requests in 5 minutes, an hour, a day | 5 ×/÷ 2.3, 20 ×/÷ 2.5, 80 ×/÷ 2.0 | about 290, 1,300, 2,200 |
//! | requests in a minute | 3 ×/÷ 2.5 | about 250 |
//! | silent | 0.35, 15 free, clump 4, 6, 8 | 61, 84, 107 |
//! | repeats | 0.15, 20 free, clump 10, 21, 36 | 84, 153, 248 |
//! | near-repeats (with a volume) | 0.5, 20 free, clump 8, 20, 40 | |
//! | uncertain | 0.25, 15 free, clump 6, 10, 16 | 67, 102, 154 |
//! | failed proofs in a day | 6, clump 1.5 | 14, 18, 26 |
//! | refused scopes and routes in a day | 3, clump 1 | 9, 11, 15 |
//! | bad requests in a day | 12, clump 4 | 33, 44, 60 |
//! | requests past a limit in a day | 60, clump 10 | 108, 150, 216 |
//! | dribbled requests in a day | 3, clump 1 | 9, 11, 15 |
//!
//! The priors were set on a simulation of fifteen honest applications, so they are as honest as
//! that is; `cargo xtask bench anomalies` measures it. Of 500 months from seeds that nothing was
//! set on, three had a false alarm, and none had two. An application that runs day and night
//! from its first day alerts once, and is accepted.
//!
//! What this cannot see: a patient attacker who stays within what its application always did,
//! and asks for less than about a request every two minutes. The daily budget is the bound there.
//!
//! ```
//! use std::time::Duration;
//! use earnest_anomaly::{Observation, Options, Standing, Subject, Watch};
//! use earnest_telemetry::{AlertKind, Refusal};
//!
//! let watch = Watch::new(Options::default());
//! let stranger = Subject::Uid(1001);
//! let guess = Observation::Refused { reason: Refusal::BadToken };
//! let at = |second: u64| Duration::from_secs(1_000 + second);
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
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod subject;
#[cfg(test)]
mod tests;
mod watch;
mod week;
mod windows;

pub use alert::{Alert, Evidence, ReleaseError, Standing};
pub use observation::{Observation, Request, Subject};
pub use options::{MAX_THRESHOLD, Options, Thresholds, ThresholdsError};
pub use saved::{Baselines, ImportError, MAX_SAVED_BYTES};
pub use score::Surprises;
pub use watch::{MAX_ENDED_ALERTS, MAX_SUBJECTS, Watch};
pub use week::hour_of_the_week;
