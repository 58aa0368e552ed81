//! Packets out of containers: this crate's own reader for WAV and AIFF, symphonia's for the rest.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, CODEC_ID_NULL_AUDIO};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, ReadBytes};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::formats::{AdtsReader, FlacReader, IsoMp4Reader, MpaReader, OggReader};

use crate::chunks::Chunks;
use crate::container::{Container, flac_metadata_length};
use crate::error::{SoundError, check_rate};
use crate::input::{Input, Media, Watch};
use crate::movie::{self, Movie};

/// Packets of other tracks (a video's) between two of the sound's. An hour of video has 200,000;
/// the bound is there because a packet need not hold a byte.
const MAXIMUM_FOREIGN_PACKETS: usize = 1 << 20;

/// How the packets ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Where the container says.
    Complete,
    /// Before: bytes are missing.
    Short,
    /// Elsewhere than the header says, though no byte is missing.
    Lie,
}

/// One step through the container.
pub(crate) enum Next {
    Packet(Packet),
    /// Something unreadable was passed over.
    Damaged(&'static str),
    /// Another stream follows, with parameters of its own (chained Ogg).
    Restart,
    End(Ending),
}

enum Reader {
    Chunks(Chunks),
    Symphonia(Box<dyn FormatReader>),
}

/// The packets of a file's first audio track.
pub(crate) struct Demuxer {
    reader: Reader,
    pub(crate) container: Container,
    track: u32,
    pub(crate) parameters: AudioCodecParameters,
    /// Frames that the container promises, where it does.
    pub(crate) declared: Option<u64>,
    /// Frames at the start that are the encoder's run-in.
    pub(crate) run_in: u64,
    /// Frames of padding that the encoder put at the end.
    pub(crate) padding: u64,
    /// Whether packet times count frames.
    pub(crate) times_are_frames: bool,
    /// Bytes of the packets so far, and where the first one starts, where that is known.
    packet_bytes: u64,
    first_packet: Option<u64>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) total_bytes: Option<u64>,
}

impl Demuxer {
    pub(crate) fn open(mut input: Input, container: Container) -> Result<Demuxer, SoundError> {
        let watch = input.watch();
        let total_bytes = input.length();
        let mut movie = Movie::default();
        let mut first_packet = None;
        match container {
            Container::Mp4 => movie = movie::examine(&mut input)?,
            Container::Flac => {
                first_packet = flac_metadata_length(&mut input).map_err(SoundError::Read)?;
            }
            _ => {}
        }
        let can_seek = input.can_seek();
        // MP3 must not look ahead: its reader would estimate a length from the bit rate of the first
        // frame and drop what lies beyond. FLAC and ADTS have no use for it.
        let seek = match container {
            Container::Ogg => true,
            Container::Mp4 => !movie.cut,
            _ => false,
        };
        let reader = open_reader(input, container, seek)?;
        let mut demuxer = Demuxer {
            reader,
            container,
            track: 0,
            parameters: AudioCodecParameters::new(),
            declared: None,
            run_in: movie.run_in,
            padding: 0,
            times_are_frames: true,
            packet_bytes: 0,
            first_packet,
            watch,
            total_bytes,
        };
        demuxer.choose_track().map_err(|error| match error {
            SoundError::NoAudioTrack { format } if container == Container::Mp4 && !can_seek => {
                SoundError::NotStreamable { format }
            }
            error => error,
        })?;
        Ok(demuxer)
    }

    /// Takes up the first audio track; anew at each [`Next::Restart`].
    pub(crate) fn choose_track(&mut self) -> Result<(), SoundError> {
        let reader = match &self.reader {
            Reader::Chunks(chunks) => {
                self.parameters = chunk_parameters(chunks);
                self.declared = chunks.declared;
                return Ok(());
            }
            Reader::Symphonia(reader) => reader,
        };
        let found = reader.tracks().iter().find_map(|track| {
            let parameters = track.codec_params.as_ref()?.audio()?;
            (parameters.codec != CODEC_ID_NULL_AUDIO).then_some((track, parameters))
        });
        let Some((track, parameters)) = found else {
            return Err(match reader.tracks().first() {
                Some(track) if !matches!(track.codec_params, Some(CodecParameters::Video(_))) => {
                    SoundError::UnsupportedCodec {
                        format: self.container.name(),
                        codec: "that is unknown".to_owned(),
                    }
                }
                _ => SoundError::NoAudioTrack {
                    format: self.container.name(),
                },
            });
        };
        if let Some(rate) = parameters.sample_rate {
            check_rate(rate)?;
            self.times_are_frames = track
                .time_base
                .is_none_or(|base| base.numer.get() == 1 && base.denom.get() == rate);
        }
        self.track = track.id;
        self.parameters = parameters.clone();
        self.declared = track.num_frames.filter(|&frames| frames > 0);
        self.padding = track.padding.map_or(0, u64::from);
        Ok(())
    }

    /// The next packet of the chosen track; `decoded` counts the frames so far.
    pub(crate) fn next_packet(&mut self, decoded: u64) -> Result<Next, SoundError> {
        match &mut self.reader {
            Reader::Chunks(chunks) => Ok(match chunks.next_packet(decoded)? {
                Ok(bytes) => {
                    let frames = bytes.len() as u64 / u64::from(chunks.coding.block_bytes)
                        * u64::from(chunks.coding.block_frames);
                    let time = i64::try_from(decoded).unwrap_or(i64::MAX);
                    Next::Packet(Packet::new(
                        self.track,
                        Timestamp::new(time),
                        Duration::new(frames),
                        bytes,
                    ))
                }
                Err(ending) => Next::End(ending),
            }),
            Reader::Symphonia(reader) => {
                for _ in 0..MAXIMUM_FOREIGN_PACKETS {
                    let next = match reader.next_packet() {
                        Ok(Some(packet)) if packet.track_id != self.track => continue,
                        Ok(Some(packet)) => {
                            self.packet_bytes += packet.data.len() as u64;
                            Next::Packet(packet)
                        }
                        Ok(None) => Next::End(Ending::Complete),
                        Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                            Next::End(Ending::Short)
                        }
                        Err(Error::ResetRequired) => Next::Restart,
                        Err(Error::DecodeError(reason)) => Next::Damaged(reason),
                        Err(Error::IoError(error)) => {
                            return Err(SoundError::Read(
                                self.watch.take_failure().unwrap_or(error),
                            ));
                        }
                        Err(error) => {
                            return Err(SoundError::Decode {
                                frame: decoded,
                                reason: error.to_string(),
                            });
                        }
                    };
                    return Ok(next);
                }
                Err(SoundError::Decode {
                    frame: decoded,
                    reason: format!("{MAXIMUM_FOREIGN_PACKETS} packets without sound"),
                })
            }
        }
    }

    /// Whether every byte behind the metadata was part of a packet, where that can be told.
    pub(crate) fn packets_fill_file(&self) -> bool {
        match (self.first_packet, self.total_bytes) {
            (Some(first), Some(total)) => first + self.packet_bytes == total,
            _ => false,
        }
    }
}

fn open_reader(input: Input, container: Container, seek: bool) -> Result<Reader, SoundError> {
    let watch = input.watch();
    let can_seek = input.can_seek();
    let stream =
        |input| MediaSourceStream::new(Box::new(Media::new(input, seek)), Default::default());
    let options = FormatOptions::default();
    let reader: symphonia::core::errors::Result<Box<dyn FormatReader>> = match container {
        Container::Wave => return Chunks::wave(input).map(Reader::Chunks),
        Container::Aiff => return Chunks::aiff(input).map(Reader::Chunks),
        Container::Flac => {
            FlacReader::try_new(stream(input), options).map(|r| Box::new(r) as Box<_>)
        }
        Container::Mp3 => MpaReader::try_new(stream(input), options).map(|r| Box::new(r) as Box<_>),
        Container::Ogg => OggReader::try_new(stream(input), options).map(|r| Box::new(r) as Box<_>),
        Container::Adts => {
            AdtsReader::try_new(stream(input), options).map(|r| Box::new(r) as Box<_>)
        }
        Container::Mp4 => {
            let mut stream = stream(input);
            // The reader expects to stand behind the first box's size, where a prober leaves it.
            stream
                .ignore_bytes(4)
                .map_err(Error::from)
                .and_then(|()| IsoMp4Reader::try_new(stream, options))
                .map(|r| Box::new(r) as Box<_>)
        }
    };
    match (reader, watch.take_failure()) {
        (_, Some(failure)) => Err(SoundError::Read(failure)),
        (Ok(reader), None) => Ok(Reader::Symphonia(reader)),
        (Err(Error::Unsupported(_)), None) if container == Container::Mp4 && !can_seek => {
            Err(SoundError::NotStreamable {
                format: container.name(),
            })
        }
        (Err(error), None) => Err(open_error(container, &error)),
    }
}

/// The error for a container, or a codec's set-up data, that symphonia refuses.
pub(crate) fn open_error(container: Container, error: &Error) -> SoundError {
    let format = container.name();
    match error {
        Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => SoundError::Truncated {
            declared: None,
            decoded: 0,
        },
        Error::IoError(e) => SoundError::Read(io::Error::new(e.kind(), e.to_string())),
        Error::Unsupported(what) => SoundError::UnsupportedCodec {
            format,
            codec: (*what).to_owned(),
        },
        error => SoundError::Malformed {
            format,
            reason: error.to_string(),
        },
    }
}

fn chunk_parameters(chunks: &Chunks) -> AudioCodecParameters {
    let coding = &chunks.coding;
    let mut parameters = AudioCodecParameters::new();
    let channels = u16::try_from(coding.channels).unwrap_or(u16::MAX);
    parameters
        .for_codec(coding.codec)
        .with_sample_rate(coding.rate)
        .with_channels(Channels::Discrete(channels))
        .with_max_frames_per_packet(u64::from(coding.packet_frames()))
        .with_frames_per_block(u64::from(coding.block_frames));
    parameters
}

/// A codec's name for people, for codecs that have no decoder here.
pub(crate) fn codec_name(codec: AudioCodecId) -> String {
    let name = match codec {
        id::CODEC_ID_OPUS => "Opus",
        id::CODEC_ID_SPEEX => "Speex",
        id::CODEC_ID_MP1 => "MPEG layer I",
        id::CODEC_ID_MP2 => "MPEG layer II",
        id::CODEC_ID_AC3 => "AC-3",
        id::CODEC_ID_EAC3 => "E-AC-3",
        id::CODEC_ID_DCA => "DTS",
        id::CODEC_ID_WMA => "WMA",
        other => return format!("number {other}"),
    };
    name.to_owned()
}
