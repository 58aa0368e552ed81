//! Packets into interleaved samples, with damage passed over inside bounds.

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::packet::Packet;

use crate::container::Container;
use crate::demux::{Demuxer, Ending, Next, codec_name, open_error};
use crate::error::{SoundError, check_channels, check_rate};
use crate::input::Input;

/// Damaged or empty packets in a row after which a file is given up: 1.7 s of MP3, more than any
/// scratch, and what ends a stream of rubbish or one that makes no progress.
const MAXIMUM_BAD_RUN: u32 = 64;

/// Streams chained in one file (a radio recording has one a song), which bounds the work of
/// setting decoders up again.
const MAXIMUM_RESTARTS: u32 = 1024;

/// The longest silence put in place of one damaged packet: FLAC's longest block.
const MAXIMUM_FILL: u64 = 65_536;

/// Samples of silence put in place of lost packets at once: 10 s of 48 kHz stereo, or 4 MB. A
/// longer hole is taken for a broken number.
const MAXIMUM_GAP_SAMPLES: u64 = 1 << 20;

/// Frames by which an MP3's or MP4's stated length may differ from what comes out, for the run-in
/// and padding that files state in more than one way.
const LENGTH_TOLERANCE: u64 = 4096;

/// What a block of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) rate: u32,
    pub(crate) channels: u32,
}

/// Decodes one file block by block.
pub(crate) struct Decoding {
    pub(crate) demuxer: Demuxer,
    decoder: Box<dyn AudioDecoder>,
    /// The samples of the last block, interleaved.
    pub(crate) interleaved: Vec<f32>,
    shape: Option<Shape>,
    /// Frames given out.
    pub(crate) frames: u64,
    /// Damaged packets passed over.
    pub(crate) skipped: u64,
    /// Frames still to drop at the start.
    run_in: u64,
    bad_run: u32,
    restarts: u32,
    /// Frames of padding still to drop at an MP3's end.
    padding: u64,
    /// Where the next packet starts, in frames, if none is lost between.
    expected: Option<i64>,
}

impl Decoding {
    pub(crate) fn open(input: Input, container: Container) -> Result<Decoding, SoundError> {
        let demuxer = Demuxer::open(input, container)?;
        Ok(Decoding {
            decoder: make_decoder(&demuxer)?,
            run_in: demuxer.run_in,
            padding: demuxer.padding,
            demuxer,
            expected: None,
            interleaved: Vec::new(),
            shape: None,
            frames: 0,
            skipped: 0,
            bad_run: 0,
            restarts: 0,
        })
    }

    pub(crate) fn codec(&self) -> &'static str {
        self.decoder.codec_info().short_name
    }

    /// Decodes the next block that holds a frame into `interleaved`; `None` at the proper end.
    pub(crate) fn next_block(&mut self) -> Result<Option<Shape>, SoundError> {
        // Each round counts a bad packet, sets a decoder up, drops run-in, or ends the loop; the
        // first two have bounds and the third is 8,192 frames at most.
        loop {
            self.interleaved.clear();
            match self.demuxer.next_packet(self.frames)? {
                Next::Packet(packet) => {
                    if let Some(shape) = self.decode(&packet)? {
                        self.frames += self.interleaved.len() as u64 / u64::from(shape.channels);
                        return Ok(Some(shape));
                    }
                }
                Next::Damaged(reason) => self.bad(reason)?,
                Next::Restart => self.restart()?,
                Next::End(ending) => return self.verdict(ending).map_or(Ok(None), Err),
            }
        }
    }

    fn decode(&mut self, packet: &Packet) -> Result<Option<Shape>, SoundError> {
        let decoded = match self.decoder.decode(packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(reason)) => return self.damaged(packet, reason),
            Err(Error::IoError(_)) => {
                return self.damaged(packet, "the packet ends before its contents");
            }
            Err(Error::ResetRequired) => {
                self.restart()?;
                return Ok(None);
            }
            Err(error) => {
                return Err(SoundError::Decode {
                    frame: self.frames,
                    reason: error.to_string(),
                });
            }
        };
        let channels = u32::try_from(decoded.spec().channels().count()).unwrap_or(u32::MAX);
        let shape = Shape {
            rate: decoded.spec().rate(),
            channels,
        };
        check_rate(shape.rate)?;
        check_channels(shape.channels)?;
        decoded.copy_to_vec_interleaved(&mut self.interleaved);
        self.shape = Some(shape);
        self.trim(packet, channels as usize);
        self.fill_gap(packet, shape);
        if self.interleaved.is_empty() {
            // Ogg and MP4 start with packets that only prime the decoder: no damage, no progress.
            self.count_bad("packets without samples")?;
            return Ok(None);
        }
        self.bad_run = 0;
        Ok(Some(shape))
    }

    /// Takes the encoder's run-in and padding off.
    fn trim(&mut self, packet: &Packet, channels: usize) {
        let frames = (self.interleaved.len() / channels) as u64;
        let (mut start, mut end) = (0, 0);
        if self.demuxer.container == Container::Mp3 {
            start = packet.trim_start.get().min(frames);
            // What lies behind the stated end is padding while padding is left, and else sound
            // that the header does not count.
            end = packet.trim_end.get().min(frames - start).min(self.padding);
            self.padding -= end;
        }
        let run_in = self.run_in.min(frames - start - end);
        self.run_in -= run_in;
        let kept = (start + run_in) as usize * channels;
        self.interleaved
            .truncate((frames - end) as usize * channels);
        self.interleaved.drain(..kept.min(self.interleaved.len()));
    }

    /// FLAC and Ogg number their frames: puts silence where some are missing, so that what follows
    /// keeps its time.
    fn fill_gap(&mut self, packet: &Packet, shape: Shape) {
        if !matches!(
            self.demuxer.container,
            Container::Flac | Container::Ogg if self.demuxer.times_are_frames
        ) {
            return;
        }
        let start = packet.pts.get();
        let length = i64::try_from(packet.dur.get()).unwrap_or(i64::MAX);
        let expected = self.expected.replace(start.saturating_add(length));
        let gap = start
            .saturating_sub(expected.unwrap_or(start))
            .max(0)
            .unsigned_abs();
        let samples = gap.saturating_mul(u64::from(shape.channels));
        // Ogg's first packets overlap by some hundred frames that are never heard; a page that was
        // lost holds thousands.
        let least = match self.demuxer.container {
            Container::Flac => 1,
            _ => 1024,
        };
        if gap < least || samples > MAXIMUM_GAP_SAMPLES {
            return;
        }
        self.skipped += 1;
        let silence = std::iter::repeat_n(0.0, samples as usize);
        self.interleaved.splice(..0, silence);
    }

    /// Silence in place of a packet that could not be decoded, so that what follows keeps its
    /// time.
    fn damaged(
        &mut self,
        packet: &Packet,
        reason: &'static str,
    ) -> Result<Option<Shape>, SoundError> {
        self.bad(reason)?;
        let frames = packet.dur.get().min(MAXIMUM_FILL) as usize;
        let Some(shape) = self.shape else {
            return Ok(None);
        };
        self.interleaved.clear();
        if !self.demuxer.times_are_frames || frames == 0 {
            return Ok(None);
        }
        self.interleaved
            .resize(frames * shape.channels as usize, 0.0);
        self.fill_gap(packet, shape);
        Ok(Some(shape))
    }

    fn bad(&mut self, reason: &'static str) -> Result<(), SoundError> {
        self.skipped += 1;
        self.count_bad(reason)
    }

    fn count_bad(&mut self, reason: &'static str) -> Result<(), SoundError> {
        self.bad_run += 1;
        if self.bad_run <= MAXIMUM_BAD_RUN {
            return Ok(());
        }
        Err(SoundError::Decode {
            frame: self.frames,
            reason: format!("{reason} (and {MAXIMUM_BAD_RUN} packets before)"),
        })
    }

    fn restart(&mut self) -> Result<(), SoundError> {
        self.restarts += 1;
        if self.restarts > MAXIMUM_RESTARTS {
            return Err(SoundError::Decode {
                frame: self.frames,
                reason: format!("more than {MAXIMUM_RESTARTS} streams in one file"),
            });
        }
        self.demuxer.choose_track()?;
        self.expected = None;
        self.decoder = make_decoder(&self.demuxer)?;
        Ok(())
    }

    /// What there is to say about the length, now that the end was met.
    fn verdict(&mut self, ending: Ending) -> Option<SoundError> {
        // Some readers take a failure of the system for the end.
        if let Some(failure) = self.demuxer.watch.take_failure() {
            return Some(SoundError::Read(failure));
        }
        let decoded = self.frames;
        // The length of one stream says nothing of a chain's.
        let declared = self.demuxer.declared.filter(|_| self.restarts == 0);
        let truncated = Some(SoundError::Truncated { declared, decoded });
        let lies = declared.map(|declared| SoundError::HeaderLength { declared, decoded });
        match (ending, self.demuxer.container, declared) {
            (Ending::Lie, ..) => return lies,
            // All bytes belong to frames, and the frames are too few: nothing was cut off.
            (Ending::Short, Container::Flac, Some(_))
                if self.skipped == 0 && self.demuxer.packets_fill_file() =>
            {
                return lies;
            }
            (Ending::Short, ..) => return truncated,
            (Ending::Complete, Container::Flac, Some(declared)) if decoded > declared => {
                return lies;
            }
            (Ending::Complete, Container::Mp3, Some(declared)) => {
                if decoded + LENGTH_TOLERANCE < declared {
                    return truncated;
                }
                if decoded > declared + LENGTH_TOLERANCE {
                    return lies;
                }
            }
            (Ending::Complete, Container::Mp4, Some(declared))
                if self.times_match() && decoded.abs_diff(declared) > LENGTH_TOLERANCE =>
            {
                return lies;
            }
            _ => {}
        }
        (decoded == 0).then_some(SoundError::NoSamples {
            format: self.demuxer.container.name(),
        })
    }

    /// Whether the container counted in the frames that the decoder made (HE-AAC doubles them).
    fn times_match(&self) -> bool {
        self.demuxer.times_are_frames
            && self.shape.map(|shape| shape.rate) == self.demuxer.parameters.sample_rate
    }
}

fn make_decoder(demuxer: &Demuxer) -> Result<Box<dyn AudioDecoder>, SoundError> {
    // An MP3's padding is taken off here, because the decoder would drop all that lies behind
    // the stated end as well.
    let gapless = demuxer.container != Container::Mp3;
    let options = AudioDecoderOptions::default().gapless(gapless);
    let codecs = symphonia::default::get_codecs();
    let codec = demuxer.parameters.codec;
    if codecs.get_audio_decoder(codec).is_none() {
        return Err(SoundError::UnsupportedCodec {
            format: demuxer.container.name(),
            codec: codec_name(codec),
        });
    }
    codecs
        .make_audio_decoder(&demuxer.parameters, &options)
        .map_err(|error| open_error(demuxer.container, &error))
}
