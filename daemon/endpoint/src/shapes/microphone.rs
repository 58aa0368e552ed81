//! The microphone, as whoever may listen or see knows it.

use serde::{Deserialize, Serialize};

use super::listen::{LevelLine, StateLine};

/// `GET /v1/microphone`, and a part of `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MicrophoneReport {
    /// Whether the configuration lets anybody listen.
    pub enabled: bool,
    /// How its device is.
    #[serde(flatten)]
    pub state: StateLine,
    /// Whether it is muted, by the daemon or by its switch: it is closed then, whoever listens.
    pub muted: bool,
    /// The guard beside it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardEntry>,
    /// Who listens, the longest first.
    pub listeners: Vec<ListenerEntry>,
    /// How loud it is, where it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LevelLine>,
    /// How often sound was dropped since the daemon started.
    #[serde(default)]
    pub overruns: u64,
    /// How often its device was lost since the daemon started.
    #[serde(default)]
    pub losses: u64,
}

/// The guard beside the microphone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuardEntry {
    /// `absent`, `unpaired`, `connecting`, `muted` by its switch, `idle`, `cut` or `live`.
    pub state: String,
    /// Why it cuts the microphone, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether its light is on, as it says.
    pub light: bool,
    /// Which it is, once it has proved that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How it fares, for operators and auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<GuardCounts>,
}

/// How the guard fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuardCounts {
    /// How often it has started since it left the factory.
    pub boots: u32,
    /// Sessions since the daemon started.
    pub sessions: u64,
    /// How often it cut the microphone as the daemon was not heard of, since that started.
    pub trips: u64,
    /// What came over the line and was no frame.
    pub noise: u64,
    /// Frames and proofs that came and were not made with the key.
    pub forged: u64,
    /// Frames that came again, or too late.
    pub replayed: u64,
    /// Frames that never came.
    pub lost: u64,
    /// How often it ever cut the microphone as no host was heard of.
    pub trips_ever: u32,
    /// How often its rail was ever not what it commanded.
    pub contradictions_ever: u32,
    /// Frames and proofs that came to it and were not made with the key.
    pub forged_ever: u32,
    /// Frames that came to it again, or too late.
    pub replayed_ever: u32,
}

/// Somebody who listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerEntry {
    /// Its application.
    pub app: String,
    /// Its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Seconds since it began.
    pub for_seconds: u64,
    /// What it is told: `text` or `commands`.
    pub what: String,
}

/// `PUT /v1/microphone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MuteRequest {
    /// Whether it is to be muted. Unmuting is for operators, with a second factor.
    pub muted: bool,
}

/// `GET /v1/microphone/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DevicesAnswer {
    /// All devices that sound can be taken from.
    pub devices: Vec<DeviceEntry>,
}

/// A device that sound can be taken from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceEntry {
    /// Its name, by which it is configured.
    pub name: String,
    /// What it is, in words of the system.
    #[serde(default)]
    pub description: String,
    /// Whether it is the one that is taken unless told otherwise.
    #[serde(default)]
    pub is_default: bool,
    /// Usual rates that it has, in Hz.
    #[serde(default)]
    pub rates: Vec<u32>,
    /// Numbers of channels that it has.
    #[serde(default)]
    pub channels: Vec<u16>,
}
