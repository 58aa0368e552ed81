//! The microphone's side.

use std::future::pending;
use std::time::Duration;

use earnest_audio::{Loss, Sounding, Source};
use earnest_telemetry::Event;
use earnest_transcript::Milliseconds;

use crate::backlog::{frames, frames_in};
use crate::hub::Hub;
use crate::meter::Meter;
use crate::{BACKLOG, Hearing, MicrophoneState};

/// The device, and the source of its sound.
#[derive(Default)]
pub(super) struct Device {
    source: Option<Box<dyn Source>>,
    found: Found,
    /// When it gave sound first, on CLOCK_BOOTTIME.
    opened: Option<Duration>,
}

/// What the source said last of the device.
#[derive(Default)]
enum Found {
    #[default]
    Nothing,
    Open {
        device: String,
        rate: u32,
    },
    Lost {
        why: Loss,
        since: Duration,
    },
}

impl Device {
    pub(super) fn is_closed(&self) -> bool {
        self.source.is_none()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.found, Found::Open { .. })
    }

    /// Samples a second, where it is open.
    pub(super) fn rate(&self) -> u32 {
        match self.found {
            Found::Open { rate, .. } => rate,
            _ => 0,
        }
    }

    pub(super) fn state(&self, somebody_listens: bool) -> MicrophoneState {
        match &self.found {
            _ if self.source.is_none() => MicrophoneState::Off,
            Found::Nothing => MicrophoneState::Opening,
            Found::Open { .. } if !somebody_listens => MicrophoneState::Warm,
            Found::Open { device, rate } => MicrophoneState::Open {
                device: device.clone(),
                rate: *rate,
            },
            Found::Lost { why, since } => MicrophoneState::Lost {
                why: *why,
                since: *since,
            },
        }
    }

    /// What the source says next; nothing where there is none.
    pub(super) async fn next(&mut self) -> Sounding {
        match &mut self.source {
            Some(source) => source.next().await,
            None => pending().await,
        }
    }
}

impl Hub {
    /// Opens the microphone, unless it is open or being opened.
    pub(super) fn open(&mut self) {
        if self.device.is_closed() {
            self.device = Device {
                source: Some((self.make)()),
                ..Device::default()
            };
            self.changed = true;
            self.tell_state();
        }
    }

    /// Closes the microphone, for certain: its source is gone when this returns. What was said
    /// until then is still written down.
    pub(super) fn close(&mut self) {
        if self.device.is_closed() {
            return;
        }
        let Device { source, opened, .. } = std::mem::take(&mut self.device);
        drop(source);
        self.changed = true;
        self.level = None;
        self.meter = Meter::default();
        self.finish();
        self.waiting.take();
        if let Some(opened) = opened {
            let open = self.telemetry.clock().now().saturating_sub(opened);
            let milliseconds = u64::try_from(open.as_millis()).unwrap_or(u64::MAX);
            self.telemetry
                .record(Event::MicrophoneClosed { milliseconds });
        }
    }

    pub(super) fn sounding(&mut self, sounding: Sounding) {
        match sounding {
            Sounding::Opened { device, rate } => self.opened(device, rate),
            Sounding::Sound(pcm) => self.sound(&pcm),
            Sounding::Overrun { frames } => self.overrun(frames),
            Sounding::Lost { why, again_in: _ } => self.lost(why),
        }
    }

    fn opened(&mut self, device: String, rate: u32) {
        let now = self.telemetry.clock().now();
        // A source that opens anew without a loss begins other sound.
        self.finish();
        let before = std::mem::replace(
            &mut self.device.found,
            Found::Open {
                device: device.clone(),
                rate,
            },
        );
        if let Found::Lost { since, .. } = before {
            let gone = now.saturating_sub(since);
            let milliseconds = u64::try_from(gone.as_millis()).unwrap_or(u64::MAX);
            self.telemetry
                .record(Event::MicrophoneBack { milliseconds });
            self.notice(Hearing::DeviceBack { device });
        }
        if self.device.opened.is_none() {
            self.device.opened = Some(now);
            self.telemetry.record(Event::MicrophoneOpened { rate });
        }
        self.tell_state();
    }

    fn lost(&mut self, why: Loss) {
        let now = self.telemetry.clock().now();
        let since = match self.device.found {
            // Tried again in vain, as expected.
            Found::Lost { why: before, .. } if before == why => return,
            Found::Lost { since, .. } => since,
            Found::Nothing | Found::Open { .. } => {
                self.losses += 1;
                self.telemetry.record(Event::MicrophoneLost);
                now
            }
        };
        // What no worker has heard yet is over with it: what comes next may have another rate.
        let unheard = self.waiting.take().frames();
        if !self.audience.is_empty() {
            self.overrun(unheard);
        }
        self.device.found = Found::Lost { why, since };
        self.level = None;
        self.finish();
        self.notice(Hearing::DeviceLost { why });
        self.tell_state();
    }

    fn sound(&mut self, pcm: &[u8]) {
        // Who speaks before the device is open, or after, is not believed.
        if !self.device.is_open() {
            return;
        }
        let rate = self.device.rate();
        if self.audience.reads()
            && let Some(level) = self.meter.measure(pcm, rate)
        {
            self.level = Some(level);
            self.audience.level(level);
        }
        if let Some(session) = &self.session {
            self.audience.heard(Milliseconds(session.end()));
        }
        let most = frames_in(BACKLOG, rate);
        let missed = match &mut self.session {
            Some(session) if !session.is_finishing() => {
                // What does not fit is not heard: what waits already comes before it.
                match session.frames() + frames(pcm.len()) <= most {
                    true => {
                        session.add(pcm);
                        0
                    }
                    false => frames(pcm.len()),
                }
            }
            _ => {
                self.waiting.add(pcm);
                self.waiting.keep(most)
            }
        };
        match self.audience.is_empty() {
            true => self.keep_pre_roll(),
            false => self.overrun(missed),
        }
    }

    /// Tells everybody how the microphone is, once the utterance under way is over.
    pub(super) fn tell_state(&mut self) {
        let state = self.microphone(true);
        self.notice(Hearing::State(state));
    }
}
