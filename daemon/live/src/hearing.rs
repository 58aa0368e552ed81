//! What a listener is told.

use std::fmt;
use std::time::Duration;

use earnest_audio::{Level, Loss};
use earnest_policy::PlainName;
use earnest_transcript::{Milliseconds, Segment};

use crate::Withheld;

/// What a listener is told.
///
/// Times are milliseconds since the microphone was opened first for those who listen now. They
/// never run backwards, whatever becomes of the device and of workers.
#[derive(Clone, PartialEq)]
pub enum Hearing {
    /// How the microphone is: first of all, and at each change. Told again as it was where a
    /// worker died: what was being said is not going to be ended by a final.
    State(MicrophoneState),
    /// Somebody began to speak.
    SpeechStarted {
        /// When.
        at: Milliseconds,
    },
    /// What is heard of the utterance under way.
    Partial(Partial),
    /// What was said. Its text begins with the last stable text of its utterance.
    Final(Segment),
    /// The utterance is over; its final came before this, if it had one.
    SpeechStopped {
        /// When its speech ended.
        at: Milliseconds,
    },
    /// The listener's wake phrase was said. The text of its utterance follows, and that of the
    /// next one, if it comes soon ([`AWAKE`](crate::AWAKE)).
    Woken {
        /// When.
        at: Milliseconds,
    },
    /// A phrase of the listener's command list was said.
    Command {
        /// Which: all that is told of it.
        id: PlainName,
        /// When.
        at: Milliseconds,
    },
    /// How loud it is, about ten times a second.
    Level(Level),
    /// The device is gone. It is tried again.
    DeviceLost {
        /// Why.
        why: Loss,
    },
    /// A device is there again.
    DeviceBack {
        /// Its name.
        device: String,
    },
    /// The microphone was muted, here or by the guard's switch, and is closed.
    Muted,
    /// It is muted no more.
    Unmuted,
    /// Sound was lost, as nobody took it in time. It has no place in the times that follow.
    Overrun {
        /// Samples, at the rate of the last [`MicrophoneState::Open`].
        frames: u64,
    },
    /// Listening has ended: the last that is told.
    Ended(Ending),
}

/// What is heard of an utterance under way.
#[derive(Clone, PartialEq, Eq)]
pub struct Partial {
    /// Where the utterance began, as its [`Hearing::SpeechStarted`].
    pub start: Milliseconds,
    /// How far the sound was heard for this.
    pub at: Milliseconds,
    /// All of the utterance that is not taken back any more.
    pub stable: String,
    /// What may follow it and may change, with the space that parts the two.
    pub tentative: String,
}

/// How the microphone is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MicrophoneState {
    /// Closed: nobody listens, or it is muted or disabled.
    Off,
    /// Open while nobody listens. Nothing is kept but the pre-roll.
    Warm,
    /// It is being opened.
    Opening,
    /// Open, and somebody listens.
    Open {
        /// The device's name.
        device: String,
        /// Its samples a second.
        rate: u32,
    },
    /// The device is gone, and is tried again.
    Lost {
        /// Why.
        why: Loss,
        /// Since when, on CLOCK_BOOTTIME.
        since: Duration,
    },
    /// Closed, as the guard does not agree that sound is taken. It is opened when that agrees.
    Withheld {
        /// Why.
        why: Withheld,
    },
}

/// Why somebody listens no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The gate closed.
    GateClosed,
    /// The listener did not take what it was told: [`MOST_WAITING`](crate::MOST_WAITING) waited.
    TooSlow,
    /// Its leave was taken back: [`Live::end_of`](crate::Live::end_of).
    Revoked,
    /// Workers do not start, or die at once, for minutes.
    Unavailable,
    /// The daemon ends.
    Stopping,
}

/// Without what was said, and without which command it was.
impl fmt::Debug for Hearing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hearing::State(state) => formatter.debug_tuple("State").field(state).finish(),
            Hearing::SpeechStarted { at } => write!(formatter, "SpeechStarted({})", at.0),
            Hearing::Partial(partial) => partial.fmt(formatter),
            Hearing::Final(segment) => {
                write!(formatter, "Final({}..{})", segment.start.0, segment.end.0)
            }
            Hearing::SpeechStopped { at } => write!(formatter, "SpeechStopped({})", at.0),
            Hearing::Woken { at } => write!(formatter, "Woken({})", at.0),
            Hearing::Command { at, .. } => write!(formatter, "Command({})", at.0),
            Hearing::Level(level) => level.fmt(formatter),
            Hearing::DeviceLost { why } => write!(formatter, "DeviceLost({})", why.name()),
            Hearing::DeviceBack { .. } => formatter.write_str("DeviceBack"),
            Hearing::Muted => formatter.write_str("Muted"),
            Hearing::Unmuted => formatter.write_str("Unmuted"),
            Hearing::Overrun { frames } => write!(formatter, "Overrun({frames} frames)"),
            Hearing::Ended(ending) => write!(formatter, "Ended({ending:?})"),
        }
    }
}

/// Without what was said.
impl fmt::Debug for Partial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Partial({}..{})", self.start.0, self.at.0)
    }
}
