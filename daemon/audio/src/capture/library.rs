//! The sound library: devices, their offers, and a stream of one of them.
//!
//! A sound server whose socket the environment leads to is spoken to directly. ALSA has a plugin
//! that leads to it, too, but its descriptor says that there is something to read when there is
//! less than what is read at once, and cpal, which waits for the whole, spins. Whoever names a
//! configuration of ALSA's by `ALSA_CONFIG_PATH` gets what it says, and no server is asked.

use std::env;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, HostId, StreamConfig, SupportedBufferSize};
use earnest_printable::printable;

use super::choice::{Choice, Offer, channels, choices, rates};
use super::encoding::Encoding;
use super::intake::{Outlet, ring};
use super::pump::Troubles;
use crate::{Device, DeviceWish, Loss, MAX_DEVICES, MAX_NAME_BYTES, MicrophoneOptions};

/// Most offers of one device that are looked at: all formats, channels and rates that cpal tells
/// of, and as many again.
const MAX_OFFERS: usize = 65_536;

/// How long devices are asked for their offers before they are told without.
const TIME_TO_LOOK: Duration = Duration::from_secs(5);

/// How long the ring can hold what nobody reads, in seconds: longer than a busy machine leaves a
/// reader without its turn.
const RING_SECONDS: usize = 1;

/// What a sound server is asked for at once, over what is wished for. It keeps no more for us than
/// that and hands over half of it at a time; what it is late by more, on a busy machine, is lost
/// without a word.
const SERVER_BUFFERS: u32 = 4;

/// Names a configuration of ALSA's.
const ALSA_CONFIGURATION: &str = "ALSA_CONFIG_PATH";

/// Why a device could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// No device has the name.
    #[error("no device is called {wished:?}; there are: {}", there_are.join(", "))]
    NotFound {
        /// The pattern.
        wished: String,
        /// The names that there are.
        there_are: Vec<String>,
    },
    /// The device offers nothing that could be used.
    #[error("{device} offers nothing of use")]
    NothingOfUse {
        /// The device.
        device: String,
    },
    /// The sound library refused.
    #[error("the sound library refused")]
    Library(#[from] cpal::Error),
}

impl OpenError {
    /// What the daemon is told.
    pub(super) fn loss(&self) -> Loss {
        match self {
            OpenError::NotFound { .. } => Loss::NotFound,
            OpenError::NothingOfUse { .. } => Loss::Unsupported,
            OpenError::Library(error) => match error.kind() {
                // What never was open has not vanished: a server's socket may outlive it.
                ErrorKind::DeviceNotAvailable
                | ErrorKind::HostUnavailable
                | ErrorKind::StreamInvalidated => Loss::NoDevice,
                kind => loss(kind),
            },
        }
    }
}

/// Ours for cpal's, of a device that there was.
fn loss(kind: ErrorKind) -> Loss {
    match kind {
        ErrorKind::DeviceBusy => Loss::Busy,
        ErrorKind::PermissionDenied => Loss::Denied,
        ErrorKind::UnsupportedConfig
        | ErrorKind::UnsupportedOperation
        | ErrorKind::InvalidInput => Loss::Unsupported,
        ErrorKind::DeviceNotAvailable
        | ErrorKind::HostUnavailable
        | ErrorKind::StreamInvalidated => Loss::Vanished,
        _ => Loss::Failed,
    }
}

/// The same of a device that was open: what it does not say itself is that it is gone, as when a
/// sound server ends.
fn gone(kind: ErrorKind) -> Loss {
    match loss(kind) {
        Loss::Failed => Loss::Vanished,
        loss => loss,
    }
}

/// A device that captures.
pub(super) struct Opened {
    pub(super) device: String,
    pub(super) rate: u32,
    /// Frames that the device hands over at once.
    pub(super) buffer: u64,
    pub(super) outlet: Outlet,
    pub(super) troubles: Arc<Troubles>,
    pub(super) stream: cpal::Stream,
}

/// Opens the device that is wished for, with the best that it offers.
pub(super) fn open(options: &MicrophoneOptions) -> Result<Opened, OpenError> {
    let device = find(&options.device)?;
    let name = name_of(&device);
    let by_server = device.id().is_ok_and(|id| id.host() == HostId::PulseAudio);
    let wished = match by_server {
        true => options.buffer.saturating_mul(SERVER_BUFFERS),
        false => options.buffer,
    };
    let mut refused = None;
    for choice in choices(offers(&device)?.into_iter(), options.rate) {
        let frames = frames(choice, wished);
        // A device that cannot do the buffer is asked for its own.
        for buffer in [BufferSize::Fixed(frames), BufferSize::Default] {
            match start(&device, choice, buffer, options.lossless) {
                Ok((outlet, troubles, stream)) => {
                    return Ok(Opened {
                        device: name,
                        rate: choice.rate,
                        buffer: u64::from(stream.buffer_size().unwrap_or(frames)),
                        outlet,
                        troubles,
                        stream,
                    });
                }
                Err(error) if loss(error.kind()) == Loss::Unsupported => refused = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(match refused {
        Some(error) => error.into(),
        None => OpenError::NothingOfUse { device: name },
    })
}

/// Who has devices, the first asked first. Where a sound server was there and is gone, the cards
/// that it had are not taken behind its back: it would not get them again.
fn hosts() -> Vec<HostId> {
    let server = env::var_os(ALSA_CONFIGURATION).is_none();
    let found = cpal::available_hosts().into_iter();
    let mut hosts: Vec<HostId> = found
        .filter(|host| match host {
            HostId::PulseAudio => server,
            host => *host == HostId::Alsa,
        })
        .collect();
    hosts.sort_by_key(|host| *host == HostId::Alsa);
    hosts
}

/// The default device of the first that has devices.
fn default_device() -> Result<cpal::Device, cpal::Error> {
    let none = || ErrorKind::DeviceNotAvailable.into();
    let host = cpal::host_from_id(*hosts().first().ok_or_else(none)?)?;
    host.default_input_device().ok_or_else(none)
}

/// The default, or the device whose name is the pattern, then the first whose name fits, then
/// the first whose description does, a sound server's before ALSA's and in their order.
fn find(wish: &DeviceWish) -> Result<cpal::Device, OpenError> {
    let pattern = match wish {
        DeviceWish::Default => return Ok(default_device()?),
        DeviceWish::Named(pattern) => pattern,
    };
    let devices = inputs()?;
    let ranks = devices.iter().map(|device| {
        let rank = pattern.rank(&name_of(device), &description_of(device));
        rank.unwrap_or(u8::MAX)
    });
    // The first of the lowest.
    match ranks.enumerate().min_by_key(|(_, rank)| *rank) {
        Some((index, rank)) if rank < u8::MAX => Ok(devices[index].clone()),
        _ => Err(OpenError::NotFound {
            wished: pattern.as_str().to_owned(),
            there_are: devices.iter().map(name_of).collect(),
        }),
    }
}

/// All devices that hear something.
fn inputs() -> Result<Vec<cpal::Device>, cpal::Error> {
    let mut inputs = Vec::new();
    for host in hosts() {
        let devices = cpal::host_from_id(host)?.devices()?;
        inputs.extend(
            devices
                .filter(|device| device.supports_input())
                .take(MAX_DEVICES),
        );
    }
    // One more may be the default, which is not always listed.
    inputs.truncate(MAX_DEVICES - 1);
    Ok(inputs)
}

/// Builds a stream and starts it.
fn start(
    device: &cpal::Device,
    choice: Choice,
    buffer_size: BufferSize,
    lossless: bool,
) -> Result<(Outlet, Arc<Troubles>, cpal::Stream), cpal::Error> {
    let config = StreamConfig {
        channels: choice.channels,
        sample_rate: choice.rate,
        buffer_size,
    };
    let frames = choice.rate as usize * RING_SECONDS;
    let (mut intake, outlet) = ring(frames, choice.encoding, choice.channels, lossless);
    let troubles = Arc::new(Troubles::default());
    let told = Arc::clone(&troubles);
    let stream = device.build_input_stream_raw(
        config,
        choice.encoding.format(),
        move |data, _| intake.take(data.bytes()),
        // It runs in the same thread, and does no more than the other.
        move |error| match error.kind() {
            ErrorKind::Xrun => told.overrun(),
            ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => {}
            kind => told.lost(gone(kind)),
        },
        None,
    )?;
    stream.play()?;
    Ok((outlet, troubles, stream))
}

/// Frames of a duration at the choice's rate, within what the device can do.
fn frames(choice: Choice, duration: Duration) -> u32 {
    let frames = duration.as_millis() * u128::from(choice.rate) / 1_000;
    let frames = u32::try_from(frames).unwrap_or(u32::MAX).max(1);
    match choice.buffer {
        Some((least, most)) if least <= most => frames.clamp(least, most),
        _ => frames,
    }
}

/// What a device offers, but for formats that are of no use.
fn offers(device: &cpal::Device) -> Result<Vec<Offer>, cpal::Error> {
    let offers = device.supported_input_configs()?.take(MAX_OFFERS);
    let usable = offers.filter_map(|offer| {
        Some(Offer {
            channels: offer.channels(),
            lowest: offer.min_sample_rate(),
            highest: offer.max_sample_rate(),
            encoding: Encoding::of(offer.sample_format())?,
            buffer: match *offer.buffer_size() {
                SupportedBufferSize::Range { min, max } => Some((min, max)),
                SupportedBufferSize::Unknown => None,
            },
        })
    });
    Ok(usable.collect())
}

/// The devices, with what they offer as far as they could be asked in time: some cannot be
/// opened, and some never answer.
pub(super) fn devices_in_time() -> Result<Vec<Device>, Loss> {
    let (tell, told) = mpsc::sync_channel(MAX_DEVICES);
    let look = move || look(&tell);
    thread::Builder::new()
        .name("earnest-look".to_owned())
        .spawn(look)
        .map_err(|_| Loss::Failed)?;
    let end = Instant::now() + TIME_TO_LOOK;
    let next = || told.recv_timeout(end.saturating_duration_since(Instant::now()));
    let mut devices = next().map_err(|_| Loss::Stalled)??;
    while let Ok(Ok(looked)) = next() {
        for device in looked {
            let known = devices.iter_mut().find(|known| known.name == device.name);
            if let Some(known) = known {
                *known = device;
            }
        }
    }
    devices.retain(is_worth_telling);
    Ok(devices)
}

/// ALSA lists its own plugins, too. What could not be asked is told where it belongs to a card:
/// another program may have it. `null` is a device of ALSA's that gives silence without a clock.
fn is_worth_telling(device: &Device) -> bool {
    let belongs = device.name.contains("CARD=");
    device.name != "null" && (belongs || !device.rates.is_empty())
}

/// Tells all devices, and then each again with what it offers.
fn look(tell: &mpsc::SyncSender<Result<Vec<Device>, Loss>>) {
    let found = match inputs() {
        Ok(inputs) => inputs,
        Err(error) => {
            let _ = tell.try_send(Err(loss(error.kind())));
            return;
        }
    };
    let default = default_device().ok();
    let default_name = default.as_ref().map(name_of);
    let is_default = |device: &cpal::Device| Some(name_of(device)) == default_name;
    let unlisted = default.filter(|_| !found.iter().any(is_default));
    let mut seen: Vec<cpal::Device> = unlisted.into_iter().chain(found).collect();
    seen.sort_by_key(|device| !is_default(device));
    let told = |device, offers: &[Offer]| told(device, is_default(device), offers);
    let names = seen.iter().map(|device| told(device, &[])).collect();
    if tell.try_send(Ok(names)).is_err() {
        return;
    }
    for device in &seen {
        let offers = offers(device).unwrap_or_default();
        if tell.try_send(Ok(vec![told(device, &offers)])).is_err() {
            return;
        }
    }
}

fn told(device: &cpal::Device, is_default: bool, offers: &[Offer]) -> Device {
    Device {
        is_default,
        name: name_of(device),
        description: description_of(device),
        rates: rates(offers),
        channels: channels(offers),
    }
}

/// The name that opens it.
fn name_of(device: &cpal::Device) -> String {
    let id = device.id();
    let name = id.map_or_else(|_| String::new(), |id| shown(id.id()));
    match name.is_empty() {
        true => "?".to_owned(),
        false => name,
    }
}

fn description_of(device: &cpal::Device) -> String {
    let description = device.description();
    description.map_or_else(|_| String::new(), |description| shown(description.name()))
}

/// A stranger's words, printable and within their bound.
fn shown(text: &str) -> String {
    let mut text = printable(text);
    text.truncate(text.floor_char_boundary(MAX_NAME_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(buffer: Option<(u32, u32)>) -> Choice {
        Choice {
            channels: 1,
            rate: 48_000,
            encoding: Encoding::I16,
            buffer,
        }
    }

    #[test]
    fn a_buffer_is_what_the_device_can_do() {
        let duration = Duration::from_millis(40);
        assert_eq!(frames(choice(None), duration), 1_920);
        assert_eq!(frames(choice(Some((1, 1_024))), duration), 1_024);
        assert_eq!(frames(choice(Some((4_096, 8_192))), duration), 4_096);
        assert_eq!(frames(choice(Some((9, 2))), duration), 1_920);
        assert_eq!(frames(choice(None), Duration::ZERO), 1);
    }

    #[test]
    fn names_are_printable_and_bounded() {
        assert_eq!(shown("a\u{1b}b"), "a\u{fffd}b");
        assert!(shown(&"é".repeat(500)).len() <= MAX_NAME_BYTES);
    }

    #[test]
    fn a_device_that_never_was_is_told_apart_from_one_that_went() {
        let never = OpenError::Library(ErrorKind::DeviceNotAvailable.into());
        assert_eq!(never.loss(), Loss::NoDevice);
        let refused = OpenError::Library(ErrorKind::StreamInvalidated.into());
        assert_eq!(refused.loss(), Loss::NoDevice);
        assert_eq!(loss(ErrorKind::DeviceNotAvailable), Loss::Vanished);
        assert_eq!(loss(ErrorKind::DeviceBusy), Loss::Busy);
        assert_eq!(loss(ErrorKind::BackendError), Loss::Failed);
        assert_eq!(gone(ErrorKind::BackendError), Loss::Vanished);
        assert_eq!(gone(ErrorKind::DeviceBusy), Loss::Busy);
    }
}
