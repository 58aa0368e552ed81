//! The command line: read raw by clap, then turned into a job that can be done.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use earnest_transcript::FormatName;

use crate::daemon::Place;
use crate::device;
use crate::doctor;
use crate::exit::{self, Exit};
use crate::listen;
use crate::operate;
use crate::run;
use crate::status;

/// More threads than this help no model that is loaded here.
const MAX_THREADS: u64 = 64;

/// The threads that are used unless told otherwise, where the machine has as many: the
/// models' products are too small to gain from more.
const DEFAULT_THREADS: usize = 4;

/// The formats by the names that `--format` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum WrittenAs {
    /// The words alone, one line a file, written as they are read.
    Text,
    /// One object a file with its text.
    Json,
    /// One object a file in the shape of OpenAI's verbose_json.
    VerboseJson,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
}

impl From<WrittenAs> for FormatName {
    fn from(written: WrittenAs) -> FormatName {
        match written {
            WrittenAs::Text => FormatName::Text,
            WrittenAs::Json => FormatName::Json,
            WrittenAs::VerboseJson => FormatName::VerboseJson,
            WrittenAs::Srt => FormatName::Srt,
            WrittenAs::Vtt => FormatName::Vtt,
        }
    }
}

/// Private speech recognition: sound in, text out, and nothing leaves the machine.
#[derive(Debug, Parser)]
#[command(name = "earnest", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Raw,
}

#[derive(Debug, Subcommand)]
enum Raw {
    /// Write down what is said in recordings.
    ///
    /// The transcript alone goes to standard output; progress, warnings and errors go to
    /// standard error. Files may be of any length: text is written as it is read.
    ///
    /// Where Earnest's daemon runs, it reads; elsewhere, or with --local, this command does,
    /// with models of its own. Both write the same, but the daemon tells less of how sure it is:
    /// in verbose-json avg_logprob, compression_ratio and no_speech_prob come in steps of 0.25,
    /// tokens are left out, and the probability of every word is 0. A daemon that runs and
    /// refuses is not gone around: the command says why, and ends.
    #[command(after_help = exit::HELP)]
    Transcribe(RawTranscribe),
    /// Write down what the microphone hears, as it is said.
    ///
    /// The daemon has the microphone, which is open only while somebody listens. On a terminal,
    /// what was said stands in lines, and below them is what is being said: bright what stays so,
    /// dim what may still change. Elsewhere there are the finished lines alone.
    ///
    /// For apps with the scope listen (`earnest app add`). Goes on until Ctrl-C, and then ends
    /// with 0. A daemon that starts anew, or whose gate is closed, is waited for.
    #[command(after_help = exit::HELP)]
    Listen(listen::Arguments),
    /// How the daemon fares: its gate, what is proven, its workers and how they are locked in.
    ///
    /// For users that `allow.operators` of the daemon's configuration lists. Ends with 0 when
    /// the daemon has said how it fares, be its gate open or closed.
    #[command(after_help = exit::HELP)]
    Status(status::Arguments),
    /// What is wrong on this machine, and what to do about it.
    ///
    /// One line a finding: ok, warn (it works, and not as it should) or wrong, with the command
    /// that mends it. It needs no daemon and changes nothing. Some files are the daemon's alone:
    /// as root, or as its user, more is seen. Ends with 0 when nothing is wrong.
    #[command(after_help = exit::HELP)]
    Doctor(doctor::Arguments),
    /// Start a program whose client for OpenAI finds this device instead.
    ///
    /// The command gets a token of its own, and in its environment all that an unmodified client
    /// needs: OPENAI_BASE_URL, OPENAI_API_KEY, and the certificate of the device's authority in
    /// SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and NODE_EXTRA_CA_CERTS; besides,
    /// EARNEST_SOCKET and EARNEST_APP. NO_PROXY names this machine, so that no proxy is asked.
    /// The token is kept fresh while the command runs and taken back when it ends.
    ///
    /// These, and SSL_CERT_DIR, take the place of the system's certificates, so the command
    /// trusts no other TLS server, which suits a program that is to call nobody else.
    /// --keep-system-roots lets it trust both.
    ///
    /// Ends as the command does: with its exit code, or with 128 and the number of the signal
    /// that ended it.
    #[command(after_help = run::HELP)]
    Run(run::Arguments),
    #[command(flatten)]
    Operate(operate::Command),
    #[command(flatten)]
    Device(device::Command),
}

/// What this process was called for.
#[derive(Debug)]
pub(crate) enum Job {
    /// Sound to text.
    Transcribe(Transcribe),
    /// What the microphone hears.
    Listen(listen::Arguments),
    /// How the daemon fares.
    Status(status::Arguments),
    /// What is wrong.
    Doctor(doctor::Arguments),
    /// A client of the daemon.
    Run(run::Arguments),
    /// Something about who may do what, or about what was done.
    Operate(operate::Command),
    /// Something about the device's own trust.
    Device(device::Command),
}

#[derive(Debug, Args)]
struct RawTranscribe {
    /// Recordings in WAV, AIFF, FLAC, MP3, Ogg Vorbis, M4A or AAC, of any rate; `-` is
    /// standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Read here, whether a daemon runs or not.
    #[arg(long, conflicts_with_all = ["daemon", "socket"])]
    local: bool,

    /// Have the daemon read, and fail where none runs. --socket means the same.
    #[arg(long, conflicts_with_all = ["models", "sealed"])]
    daemon: bool,

    #[command(flatten)]
    place: Place,

    /// The model: base makes fewer errors, tiny is faster [default: the daemon's; here, tiny].
    #[arg(long, value_enum)]
    model: Option<Size>,

    /// Where the models are [default: $EARNEST_MODELS, else earnest/models in the user's
    /// data folder]. Means --local.
    #[arg(long, value_name = "DIR", conflicts_with = "socket")]
    models: Option<PathBuf>,

    /// Read with the sealed models of this folder, which open only in an approved state. Means
    /// --local.
    #[arg(
        long,
        value_name = "DIR",
        requires = "release_key",
        conflicts_with_all = ["models", "socket"]
    )]
    sealed: Option<PathBuf>,

    /// The fleet's release key, a public key in PEM, which must have signed the sealed models.
    #[arg(long, value_name = "PEM", requires = "sealed")]
    release_key: Option<PathBuf>,

    /// The device's folder [default: $EARNEST_DEVICE, else earnest/device in the user's data
    /// folder].
    #[arg(long, value_name = "DIR", requires = "sealed")]
    device: Option<PathBuf>,

    /// How to write the transcript. Of several files, the json formats give one object a
    /// line, text one line each, and srt and vtt follow one another.
    #[arg(long, value_enum, default_value_t = WrittenAs::Text)]
    format: WrittenAs,

    /// When each word was said, too: as words[] in verbose-json.
    #[arg(long)]
    words: bool,

    /// Threads to compute on here [default: those of the machine, at most 4]. The daemon has its
    /// own.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_THREADS))]
    threads: Option<u64>,

    /// Write to FILE, which appears whole or not at all, and not to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Standard input is raw signed 16-bit little-endian PCM of this many samples a second.
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,

    /// Interleaved channels of raw standard input [default: 1].
    #[arg(long, value_name = "N", requires = "rate")]
    channels: Option<u32>,
}

/// The sizes of model by the names that `--model` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// Moonshine tiny.
    Tiny,
    /// Moonshine base.
    Base,
}

impl Size {
    /// The name of the model's card.
    pub(crate) fn card(self) -> &'static str {
        match self {
            Size::Tiny => "moonshine-tiny-en-int8",
            Size::Base => "moonshine-base-en-int8",
        }
    }

    /// The name that a daemon serves it by.
    pub(crate) fn served(self) -> &'static str {
        match self {
            Size::Tiny => "moonshine-tiny-en",
            Size::Base => "moonshine-base-en",
        }
    }
}

/// Who is to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// The daemon at this socket, if there is one, else this process.
    Either(PathBuf),
    /// The daemon at this socket.
    Daemon(PathBuf),
    /// This process.
    Here,
}

/// One place that sound comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input, of a format that its first bytes tell.
    Standard,
    /// Standard input of raw samples.
    Raw {
        /// Samples a second.
        rate: u32,
        /// Interleaved channels.
        channels: u32,
    },
}

impl Input {
    /// What people know it by.
    pub(crate) fn name(&self) -> String {
        match self {
            Input::File(path) => path.to_string_lossy().into_owned(),
            Input::Standard | Input::Raw { .. } => "-".to_owned(),
        }
    }
}

/// Where models come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Models {
    /// Plain files in this folder, or in the user's.
    Plain(Option<PathBuf>),
    /// Sealed files.
    Sealed {
        /// Their folder.
        folder: PathBuf,
        /// The public key that must have signed them.
        release_key: PathBuf,
        /// The device's folder, if told.
        device: Option<PathBuf>,
    },
}

/// What `earnest transcribe` was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transcribe {
    /// Where sound comes from; at least one.
    pub(crate) inputs: Vec<Input>,
    /// Who reads it.
    pub(crate) by: By,
    /// Which model reads it, if told.
    pub(crate) size: Option<Size>,
    /// Where the models are.
    pub(crate) models: Models,
    /// How transcripts are written.
    pub(crate) format: FormatName,
    /// Whether times of words were asked for.
    pub(crate) words: bool,
    /// Threads to compute on.
    pub(crate) threads: usize,
    /// Where transcripts go; standard output if nowhere else.
    pub(crate) output: Option<PathBuf>,
}

impl Transcribe {
    /// Whether standard output gets lines that are not finished.
    pub(crate) fn streams_words(&self) -> bool {
        self.format == FormatName::Text && self.output.is_none()
    }

    /// The model that reads here.
    pub(crate) fn size(&self) -> Size {
        self.size.unwrap_or(Size::Tiny)
    }

    /// Whether the times of words are needed: subtitles are cut at words.
    pub(crate) fn needs_words(&self) -> bool {
        self.words || self.format.is_subtitles()
    }
}

/// Reads the command line of this process. Where it holds no job, says why (or gives the help
/// that was asked for) and how the process ends.
pub(crate) fn read() -> Result<Job, Exit> {
    let told = |error: clap::Error| {
        // A standard error that is closed is no reason for anything.
        let _ = error.print();
        match error.use_stderr() {
            true => Exit::Usage,
            false => Exit::Success,
        }
    };
    let raw = match CommandLine::try_parse().map_err(told)?.command {
        Raw::Transcribe(raw) => raw,
        Raw::Listen(arguments) => return Ok(Job::Listen(arguments)),
        Raw::Status(arguments) => return Ok(Job::Status(arguments)),
        Raw::Doctor(arguments) => return Ok(Job::Doctor(arguments)),
        Raw::Run(arguments) => return Ok(Job::Run(arguments)),
        Raw::Operate(command) => return Ok(Job::Operate(command)),
        Raw::Device(command) => return Ok(Job::Device(command)),
    };
    check(raw).map(Job::Transcribe).map_err(|reason| {
        let mut command = CommandLine::command();
        told(command.error(ErrorKind::ArgumentConflict, reason))
    })
}

/// Turns what clap understood into a job, or says why there is none.
fn check(raw: RawTranscribe) -> Result<Transcribe, String> {
    let is_standard = |file: &&PathBuf| file.as_os_str() == OsStr::new("-");
    match raw.files.iter().filter(is_standard).count() {
        0 if raw.rate.is_some() => {
            return Err("--rate is for raw samples on standard input: give - as a FILE".to_owned());
        }
        0 | 1 => {}
        _ => return Err("standard input (-) can be read only once".to_owned()),
    }
    let format = FormatName::from(raw.format);
    if raw.words && !format.shows_words() {
        return Err("--words needs --format verbose-json, srt or vtt".to_owned());
    }
    if let Some(output) = &raw.output
        && raw.files.iter().any(|file| same_file(file, output))
    {
        return Err("--output would overwrite a recording".to_owned());
    }
    let by = match raw.daemon || raw.place.socket.is_some() {
        true => By::Daemon(raw.place.path()),
        // Who names models says who is to read.
        false if raw.local || raw.models.is_some() || raw.sealed.is_some() => By::Here,
        false => By::Either(raw.place.path()),
    };
    let channels = raw.channels.unwrap_or(1);
    let inputs = raw.files.into_iter().map(|file| match raw.rate {
        _ if !is_standard(&&file) => Input::File(file),
        Some(rate) => Input::Raw { rate, channels },
        None => Input::Standard,
    });
    Ok(Transcribe {
        inputs: inputs.collect(),
        by,
        size: raw.model,
        models: match (raw.sealed, raw.release_key) {
            (Some(folder), Some(release_key)) => Models::Sealed {
                folder,
                release_key,
                device: raw.device,
            },
            _ => Models::Plain(raw.models),
        },
        format,
        words: raw.words,
        threads: raw
            .threads
            .map_or_else(default_threads, |threads| threads as usize),
        output: raw.output,
    })
}

/// Whether both paths lead to one file that exists.
fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other && one.is_file(),
        _ => false,
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get().min(DEFAULT_THREADS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Transcribe, String> {
        let all = ["earnest", "transcribe"].iter().chain(arguments);
        let line = CommandLine::try_parse_from(all).map_err(|error| error.to_string())?;
        let Raw::Transcribe(raw) = line.command else {
            return Err("no transcription".to_owned());
        };
        check(raw)
    }

    #[test]
    fn the_declaration_holds_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_file_alone_is_transcribed_to_text_by_tiny() {
        let job = parse(&["a.wav"]).unwrap();
        assert_eq!(job.inputs, [Input::File("a.wav".into())]);
        assert_eq!(job.size(), Size::Tiny);
        assert_eq!(job.format, FormatName::Text);
        assert!((1..=DEFAULT_THREADS).contains(&job.threads));
    }

    #[test]
    fn the_daemon_reads_where_one_runs_unless_told_otherwise() {
        let by = |arguments: &[&str]| parse(arguments).unwrap().by;
        assert!(matches!(by(&["a.wav"]), By::Either(_)));
        assert!(matches!(by(&["a.wav", "--model", "base"]), By::Either(_)));
        assert!(matches!(by(&["a.wav", "--daemon"]), By::Daemon(_)));
        let there = By::Daemon("/run/x.sock".into());
        assert_eq!(by(&["a.wav", "--socket", "/run/x.sock"]), there);
        assert_eq!(by(&["a.wav", "--local"]), By::Here);
        assert_eq!(by(&["a.wav", "--models", "there"]), By::Here);
        let sealed = ["a.wav", "--sealed", "there", "--release-key", "k.pem"];
        assert_eq!(by(&sealed), By::Here);
    }

    #[test]
    fn standard_input_is_raw_when_a_rate_is_told() {
        let inputs = |arguments: &[&str]| parse(arguments).unwrap().inputs;
        assert_eq!(inputs(&["-"]), [Input::Standard]);
        assert_eq!(
            inputs(&["-", "--rate", "8000", "--channels", "2"]),
            [Input::Raw {
                rate: 8000,
                channels: 2
            }]
        );
        assert_eq!(
            inputs(&["a.wav", "-", "--rate", "16000"]),
            [
                Input::File("a.wav".into()),
                Input::Raw {
                    rate: 16_000,
                    channels: 1
                },
            ]
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let check = |arguments: &[&str], expected: &str| {
            let reason = parse(arguments).unwrap_err();
            assert!(reason.contains(expected), "{arguments:?}: {reason}");
        };
        check(&[], "FILE");
        check(&["-", "-"], "only once");
        check(&["a.wav", "--rate", "8000"], "standard input");
        check(&["-", "--channels", "2"], "--rate");
        check(&["a.wav", "--words"], "verbose-json");
        check(&["a.wav", "--words", "--format", "json"], "verbose-json");
        check(&["a.wav", "--threads", "0"], "1..=64");
        check(&["a.wav", "--model", "huge"], "huge");
        check(&["a.wav", "--format", "doc"], "doc");
        check(&["a.wav", "--sealed", "there"], "--release-key");
        check(&["a.wav", "--device", "there"], "--sealed");
        check(&["a.wav", "--local", "--daemon"], "--daemon");
        check(&["a.wav", "--local", "--socket", "there"], "--socket");
        check(&["a.wav", "--daemon", "--models", "there"], "--models");
        check(&["a.wav", "--socket", "s", "--models", "there"], "--models");
    }

    #[test]
    fn a_recording_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wav");
        std::fs::write(&file, "sound").unwrap();
        let name = file.to_str().unwrap();
        let around = format!("{}/./a.wav", folder.path().display());
        assert!(parse(&[name, "--output", &around]).is_err());
        let other = format!("{}/a.txt", folder.path().display());
        assert!(parse(&[name, "--output", &other]).is_ok());
    }
}
