//! Why a microphone is not open.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a microphone is not open: a closed list, so that nothing that a sound library says gets
/// any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// There is no device that could capture.
    NoDevice,
    /// No device has a name like the one that is wished for.
    NotFound,
    /// Another program has the device.
    Busy,
    /// The daemon may not open the device.
    Denied,
    /// The device has no rate, channels or format that could be used, or not the wished rate.
    Unsupported,
    /// The device is gone: unplugged, or its sound server ended.
    Vanished,
    /// The device gave no sound for a while, though it was open.
    Silent,
    /// The device gives sound faster than time passes, as those without a clock do.
    TooFast,
    /// The device could not be opened for another reason: no sound server answers, for one.
    Failed,
    /// The process that captures ended.
    Died,
    /// The process that captures said nothing any more, and was killed.
    Stalled,
    /// The process that captures said what it may not say, and was killed.
    Broken,
    /// The process that captures could not be started.
    Unstartable,
}

impl Loss {
    /// The name in answers and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Loss::NoDevice => "no_device",
            Loss::NotFound => "not_found",
            Loss::Busy => "busy",
            Loss::Denied => "denied",
            Loss::Unsupported => "unsupported",
            Loss::Vanished => "vanished",
            Loss::Silent => "silent",
            Loss::TooFast => "too_fast",
            Loss::Failed => "failed",
            Loss::Died => "died",
            Loss::Stalled => "stalled",
            Loss::Broken => "broken",
            Loss::Unstartable => "unstartable",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Loss::NoDevice => "there is no microphone",
            Loss::NotFound => "no microphone has the name that is configured",
            Loss::Busy => "another program has the microphone",
            Loss::Denied => "the daemon may not open the microphone",
            Loss::Unsupported => "the microphone has no format that could be used",
            Loss::Vanished => "the microphone is gone",
            Loss::Silent => "the microphone gives no sound any more",
            Loss::TooFast => "the microphone has no clock",
            Loss::Failed => "the microphone could not be opened",
            Loss::Died => "the process that captures ended",
            Loss::Stalled => "the process that captures did not answer",
            Loss::Broken => "the process that captures spoke out of turn",
            Loss::Unstartable => "the process that captures could not be started",
        })
    }
}
