//! How the microphone is listened to.

use std::time::Duration;

use earnest_audio::CaptureProgram;

/// How the microphone is listened to. [`LiveSettings::default`] is what a configuration without
/// a word about it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSettings {
    /// Whether anybody may listen at all.
    pub enabled: bool,
    /// How long a pause ends an utterance. Held to what a worker takes: from
    /// [`MIN_LIVE_SILENCE`](earnest_channel::MIN_LIVE_SILENCE) to
    /// [`MAX_LIVE_SILENCE`](earnest_channel::MAX_LIVE_SILENCE) milliseconds.
    pub silence: Duration,
    /// Whether the microphone is open while nobody listens, so that the first word is not missed.
    pub warm: bool,
    /// How much of the sound before the first listener came is heard, where it is warm; at most
    /// [`MAX_PRE_ROLL`].
    pub pre_roll: Duration,
    /// Most listeners at once.
    pub listeners: usize,
    /// Whether it is muted at the start.
    pub muted: bool,
    /// Whether text is told before an utterance ends, too. Where answers are held back or
    /// redacted it should not be.
    pub partials: bool,
    /// Whether the source waits while the worker is behind, rather than losing sound: for sources
    /// without a clock, in development and tests.
    pub lossless: bool,
    /// Whom to ask for the machine's devices; none where there is nobody to ask, as in tests.
    pub capture: Option<CaptureProgram>,
}

/// The longest pre-roll. What was said before anybody listened is nobody's, but for a first word.
pub const MAX_PRE_ROLL: Duration = Duration::from_secs(2);

impl Default for LiveSettings {
    fn default() -> LiveSettings {
        LiveSettings {
            enabled: true,
            silence: Duration::from_millis(700),
            warm: false,
            pre_roll: Duration::from_millis(500),
            listeners: 16,
            muted: false,
            partials: true,
            lossless: false,
            capture: None,
        }
    }
}
