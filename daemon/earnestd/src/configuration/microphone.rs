//! From what the file says of the microphone to what the daemon does.

use std::time::Duration;

use earnest_audio::DeviceWish;
use earnest_channel::{MAX_LIVE_SILENCE, MIN_LIVE_SILENCE};
use earnest_guardian::GuardPlace;

use super::check::Range;
use super::{ConfigurationError, raw};

/// The microphone, and how it is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrophoneSettings {
    /// Whether anybody may listen at all.
    pub enabled: bool,
    /// The device.
    pub device: DeviceWish,
    /// Samples a second; none where the device may choose.
    pub rate: Option<u32>,
    /// How much sound the device hands over at once.
    pub buffer: Duration,
    /// How much silence ends an utterance.
    pub silence: Duration,
    /// Whether the microphone stays open while nobody listens.
    pub warm: bool,
    /// How much sound before the first listener came is heard, where the microphone was open.
    pub pre_roll: Duration,
    /// Listeners at once.
    pub listeners: usize,
    /// Whether it is muted when the daemon starts.
    pub muted: bool,
    /// Whether the device waits for its reader, because it has no clock of its own.
    pub lossless: bool,
}

/// The guard beside the microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// Where it is.
    pub place: GuardPlace,
    /// Whether sound is taken only while it agrees.
    pub required: bool,
    /// Whether anything is served while it is not there.
    pub uploads: bool,
}

pub(super) fn guard(raw: &raw::Guard) -> Result<Option<GuardSettings>, ConfigurationError> {
    if raw.device.is_empty() {
        let idle = |key| ConfigurationError::Idle {
            key,
            because: "`guard.device` names no guard",
        };
        return match (raw.required, raw.uploads) {
            (false, _) => Err(idle("guard.required")),
            (true, false) => Err(idle("guard.uploads")),
            (true, true) => Ok(None),
        };
    }
    let place = raw.device.parse();
    Ok(Some(GuardSettings {
        place: place.map_err(|reason| ConfigurationError::Guard {
            key: "guard.device",
            reason,
        })?,
        required: raw.required,
        uploads: raw.uploads,
    }))
}

pub(super) fn microphone(raw: raw::Microphone) -> Result<MicrophoneSettings, ConfigurationError> {
    let rate = Range {
        key: "microphone.rate_hz",
        least: 8_000,
        most: 192_000,
        reason: "speech needs 8 kHz, and no microphone has more than 192",
    };
    let buffer = Range {
        key: "microphone.buffer_milliseconds",
        least: 5,
        most: 500,
        reason: "a shorter one wakes the processor all the time, a longer one makes text late",
    };
    let silence = Range {
        key: "microphone.silence_milliseconds",
        least: u64::from(MIN_LIVE_SILENCE),
        most: u64::from(MAX_LIVE_SILENCE),
        reason: "words have pauses of their own, and who has spoken waits for the text",
    };
    let pre_roll = Range {
        key: "microphone.pre_roll_milliseconds",
        least: 0,
        most: 2_000,
        reason: "more than the first word would be listening before anybody asked",
    };
    let listeners = Range {
        key: "microphone.listeners",
        least: 1,
        most: 256,
        reason: "each has a connection and a queue of its own",
    };
    let device = raw.device.parse();
    let device = device.map_err(|reason| ConfigurationError::Device {
        key: "microphone.device",
        reason,
    })?;
    let hertz = raw.rate_hz.map(|told| rate.check(told)).transpose()?;
    Ok(MicrophoneSettings {
        enabled: raw.enabled,
        device,
        rate: hertz.and_then(|hertz| u32::try_from(hertz).ok()),
        buffer: Duration::from_millis(buffer.check(raw.buffer_milliseconds)?),
        silence: Duration::from_millis(silence.check(raw.silence_milliseconds)?),
        warm: raw.warm,
        pre_roll: Duration::from_millis(pre_roll.check(raw.pre_roll_milliseconds)?),
        listeners: listeners.count(raw.listeners)?,
        muted: raw.muted,
        lossless: raw.lossless,
    })
}
