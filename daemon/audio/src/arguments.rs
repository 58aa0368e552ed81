//! The child's arguments, as both sides write and read them.

use std::ffi::OsString;
use std::time::Duration;

#[cfg(any(feature = "capture", test))]
use crate::PatternError;
#[cfg(any(feature = "capture", test))]
use crate::protocol::{MAX_RATE, MIN_RATE};
use crate::{DeviceWish, MicrophoneOptions};

/// The shortest piece that a device is asked for: less is all waking up.
const MIN_BUFFER: Duration = Duration::from_millis(5);

/// The longest: more is late text.
const MAX_BUFFER: Duration = Duration::from_millis(500);

/// What the child is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// To say which devices there are.
    Devices,
    /// To capture.
    Capture(MicrophoneOptions),
}

impl Request {
    /// The arguments that say so.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let options = match self {
            Request::Devices => return vec!["--devices".into()],
            Request::Capture(options) => options,
        };
        let buffer = options.buffer.clamp(MIN_BUFFER, MAX_BUFFER).as_millis();
        let mut arguments = vec![format!("--buffer-milliseconds={buffer}")];
        if let DeviceWish::Named(pattern) = &options.device {
            arguments.push(format!("--device={pattern}"));
        }
        if let Some(rate) = options.rate {
            arguments.push(format!("--rate={rate}"));
        }
        if options.lossless {
            arguments.push("--lossless".to_owned());
        }
        arguments.into_iter().map(OsString::from).collect()
    }

    /// What the arguments say.
    #[cfg(any(feature = "capture", test))]
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Request, ArgumentError> {
        let mut options = MicrophoneOptions::default();
        let mut request = None;
        for argument in arguments {
            let Some(argument) = argument.to_str() else {
                return Err(ArgumentError::Unknown);
            };
            match argument.split_once('=') {
                None if argument == "--devices" => request = Some(Request::Devices),
                None if argument == "--lossless" => options.lossless = true,
                Some(("--device", name)) => {
                    options.device = DeviceWish::Named(name.parse()?);
                }
                Some(("--rate", rate)) => {
                    let rate = number(rate, MIN_RATE, MAX_RATE).ok_or(ArgumentError::Rate)?;
                    options.rate = Some(rate);
                }
                Some(("--buffer-milliseconds", buffer)) => {
                    let (least, most) = (MIN_BUFFER.as_millis(), MAX_BUFFER.as_millis());
                    let buffer = number(buffer, least as u32, most as u32);
                    let buffer = buffer.ok_or(ArgumentError::Buffer)?;
                    options.buffer = Duration::from_millis(u64::from(buffer));
                }
                _ => return Err(ArgumentError::Unknown),
            }
        }
        Ok(request.unwrap_or(Request::Capture(options)))
    }
}

#[cfg(any(feature = "capture", test))]
fn number(text: &str, least: u32, most: u32) -> Option<u32> {
    let number = text.parse().ok()?;
    (least..=most).contains(&number).then_some(number)
}

/// Arguments that are none.
#[cfg(any(feature = "capture", test))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// One that there is not.
    #[error(
        "expected --devices, or any of --device=PATTERN, --rate=HERTZ, \
         --buffer-milliseconds=NUMBER and --lossless"
    )]
    Unknown,
    /// A rate that is none, or out of bounds.
    #[error("expected a rate from {MIN_RATE} to {MAX_RATE}")]
    Rate,
    /// A buffer that is none, or out of bounds.
    #[error("expected a buffer of {MIN_BUFFER:?} to {MAX_BUFFER:?}")]
    Buffer,
    /// A device's name that is none.
    #[error(transparent)]
    Device(#[from] PatternError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Request, ArgumentError> {
        Request::read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let options = MicrophoneOptions {
            device: "USB = *, --lossless".parse().unwrap(),
            rate: Some(44_100),
            buffer: Duration::from_millis(20),
            lossless: true,
        };
        for request in [
            Request::Devices,
            Request::Capture(MicrophoneOptions::default()),
            Request::Capture(options),
        ] {
            assert_eq!(Request::read(request.arguments()), Ok(request));
        }
    }

    #[test]
    fn a_buffer_is_kept_to_its_bounds() {
        for (asked, given) in [(0, 5), (40, 40), (60_000, 500)] {
            let options = MicrophoneOptions {
                buffer: Duration::from_millis(asked),
                ..MicrophoneOptions::default()
            };
            let read = Request::read(Request::Capture(options).arguments());
            let Ok(Request::Capture(read)) = read else {
                panic!("{read:?}");
            };
            assert_eq!(read.buffer, Duration::from_millis(given));
        }
    }

    #[test]
    fn what_is_no_argument_is_refused() {
        assert_eq!(read(&["--help"]), Err(ArgumentError::Unknown));
        assert_eq!(read(&["--rate=7999"]), Err(ArgumentError::Rate));
        assert_eq!(read(&["--rate=4294967296"]), Err(ArgumentError::Rate));
        assert_eq!(
            read(&["--buffer-milliseconds=4"]),
            Err(ArgumentError::Buffer)
        );
        assert_eq!(
            read(&["--device="]),
            Err(ArgumentError::Device(PatternError::Empty))
        );
    }
}
