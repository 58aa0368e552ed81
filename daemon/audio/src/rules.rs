//! What a capturing process may say when. Pure: time is brought.

use std::time::{Duration, Instant};

use crate::Loss;
use crate::arguments::Request;
use crate::protocol::{FromCapture, VERSION};

/// Sound that may come at once: what the pipe and the ring hold where the opening itself was read
/// late, at the lowest rate, and what a sound server kept.
const BURST: Duration = Duration::from_secs(10);

/// How many times faster than its rate says sound may come on the whole: clocks are not that
/// wrong.
const HASTE: f64 = 1.5;

/// Where a child is in what it says.
#[derive(Debug)]
pub(crate) struct Rules {
    stage: Stage,
    /// Whether sound comes at the pace of its reader.
    lossless: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was said yet.
    Started,
    /// The device is being opened.
    Opening,
    /// Devices are being looked for.
    Looking,
    /// The device is open.
    Open {
        rate: u32,
        since: Instant,
        samples: u64,
    },
    /// The last word was said.
    Over,
}

impl Rules {
    pub(crate) fn new(request: &Request) -> Rules {
        Rules {
            stage: Stage::Started,
            lossless: matches!(request, Request::Capture(options) if options.lossless),
        }
    }

    /// Whether the device is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Judges a message of a child that was asked `request`.
    ///
    /// # Errors
    /// [`Loss::Broken`] for one out of turn, [`Loss::TooFast`] for sound that outruns time.
    pub(crate) fn judge(
        &mut self,
        request: &Request,
        message: &FromCapture,
        now: Instant,
    ) -> Result<(), Loss> {
        self.stage = match (self.stage, message) {
            (Stage::Started, FromCapture::Hello { version: VERSION }) => match request {
                Request::Devices => Stage::Looking,
                Request::Capture(_) => Stage::Opening,
            },
            (Stage::Looking, FromCapture::Devices(_)) => Stage::Over,
            (Stage::Opening, FromCapture::Opened { rate, .. }) => {
                // Another rate than the wished one is not what was asked for.
                let wished = match request {
                    Request::Capture(options) => options.rate,
                    Request::Devices => None,
                };
                if wished.is_some_and(|wished| wished != *rate) {
                    return Err(Loss::Broken);
                }
                Stage::Open {
                    rate: *rate,
                    since: now,
                    samples: 0,
                }
            }
            (
                Stage::Open {
                    rate,
                    since,
                    samples,
                },
                FromCapture::Sound(pcm),
            ) => {
                let samples = samples.saturating_add(pcm.len() as u64 / 2);
                if !self.lossless && outruns(samples, rate, now.saturating_duration_since(since)) {
                    return Err(Loss::TooFast);
                }
                Stage::Open {
                    rate,
                    since,
                    samples,
                }
            }
            (Stage::Open { .. }, FromCapture::Overrun { .. }) => self.stage,
            (Stage::Opening | Stage::Looking | Stage::Open { .. }, FromCapture::Alive) => {
                self.stage
            }
            (Stage::Opening | Stage::Looking | Stage::Open { .. }, FromCapture::Lost(_)) => {
                Stage::Over
            }
            _ => return Err(Loss::Broken),
        };
        Ok(())
    }
}

fn outruns(samples: u64, rate: u32, elapsed: Duration) -> bool {
    let most = (elapsed.as_secs_f64() * HASTE + BURST.as_secs_f64()) * f64::from(rate);
    samples as f64 > most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, MicrophoneOptions};

    fn opened(rate: u32) -> FromCapture {
        FromCapture::Opened {
            device: "mic".to_owned(),
            rate,
        }
    }

    fn sound(samples: usize) -> FromCapture {
        FromCapture::Sound(vec![0; samples * 2])
    }

    const HELLO: FromCapture = FromCapture::Hello { version: VERSION };

    /// What is thought of the last message, after the others were let through.
    fn check(request: &Request, messages: &[FromCapture], expected: Result<(), Loss>) {
        let mut rules = Rules::new(request);
        let now = Instant::now();
        let (last, before) = messages.split_last().unwrap();
        for message in before {
            assert_eq!(rules.judge(request, message, now), Ok(()), "{message:?}");
        }
        assert_eq!(rules.judge(request, last, now), expected, "{messages:?}");
    }

    fn capture() -> Request {
        Request::Capture(MicrophoneOptions::default())
    }

    #[test]
    fn a_child_says_what_it_is_then_what_is_open_and_then_sound() {
        let request = capture();
        let (alive, over) = (FromCapture::Alive, FromCapture::Overrun { frames: 1 });
        let lost = FromCapture::Lost(Loss::Silent);
        let whole = [
            HELLO,
            alive.clone(),
            opened(16_000),
            over.clone(),
            sound(320),
            alive.clone(),
            lost.clone(),
        ];
        check(&request, &whole, Ok(()));
        check(&request, &[HELLO, lost.clone()], Ok(()));
        for out_of_turn in [
            &[alive.clone()][..],
            &[opened(16_000)],
            &[FromCapture::Hello { version: 2 }],
            &[HELLO, HELLO],
            &[HELLO, sound(320)],
            &[HELLO, over],
            &[HELLO, opened(16_000), opened(16_000)],
            &[HELLO, opened(16_000), HELLO],
            &[HELLO, opened(16_000), FromCapture::Devices(Vec::new())],
            &[HELLO, FromCapture::Devices(Vec::new())],
            &[HELLO, lost.clone(), alive],
            &[HELLO, lost, opened(16_000)],
        ] {
            check(&request, out_of_turn, Err(Loss::Broken));
        }
    }

    #[test]
    fn who_is_asked_for_devices_tells_devices() {
        let devices = FromCapture::Devices(Vec::<Device>::new());
        check(&Request::Devices, &[HELLO, devices], Ok(()));
        check(
            &Request::Devices,
            &[HELLO, opened(16_000)],
            Err(Loss::Broken),
        );
    }

    #[test]
    fn another_rate_than_the_wished_one_is_refused() {
        let request = Request::Capture(MicrophoneOptions {
            rate: Some(48_000),
            ..MicrophoneOptions::default()
        });
        check(&request, &[HELLO, opened(48_000)], Ok(()));
        check(&request, &[HELLO, opened(16_000)], Err(Loss::Broken));
    }

    #[test]
    fn sound_that_outruns_time_is_refused_unless_its_reader_sets_the_pace() {
        let flood: Vec<FromCapture> = [HELLO, opened(16_000)]
            .into_iter()
            .chain((0..11).map(|_| sound(16_000)))
            .collect();
        check(&capture(), &flood, Err(Loss::TooFast));
        let lossless = Request::Capture(MicrophoneOptions {
            lossless: true,
            ..MicrophoneOptions::default()
        });
        check(&lossless, &flood, Ok(()));
    }

    #[test]
    fn a_clock_that_is_a_little_fast_is_let_be() {
        let hour = Duration::from_secs(3_600);
        assert!(!outruns(3_610 * 48_000, 48_000, hour));
        assert!(outruns(2 * 3_600 * 48_000, 48_000, hour));
    }
}
