//! Who listens, and how the microphone is.

use std::time::Duration;

use earnest_audio::Level;
use earnest_guardian::GuardReport;
use earnest_policy::AppId;

use crate::MicrophoneState;

/// How the microphone is, and who listens to it.
#[derive(Debug, Clone, PartialEq)]
pub struct MicrophoneStatus {
    /// Whether the configuration lets anybody listen.
    pub enabled: bool,
    /// How the microphone is.
    pub state: MicrophoneState,
    /// Whether it is muted, here or by the guard's switch, and so closed, whoever listens.
    pub muted: bool,
    /// The guard, where there is one.
    pub guard: Option<GuardReport>,
    /// Who listens, the longest first.
    pub listeners: Vec<ListenerStatus>,
    /// How loud it is, where somebody listens to it.
    pub level: Option<Level>,
    /// How often sound was lost since the daemon started.
    pub overruns: u64,
    /// How often the device was lost since the daemon started.
    pub losses: u64,
}

/// Somebody who listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerStatus {
    /// The application.
    pub app: AppId,
    /// Its user.
    pub uid: u32,
    /// Since when, on CLOCK_BOOTTIME.
    pub since: Duration,
    /// What it is told.
    pub what: What,
}

/// What a listener is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// What is said.
    Text,
    /// Which phrases of its command list are said, and nothing else.
    Commands,
}

impl What {
    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            What::Text => "text",
            What::Commands => "commands",
        }
    }
}
