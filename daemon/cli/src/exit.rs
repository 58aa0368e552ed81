//! Exit codes: each kind of failure has its own, so that a script can tell them apart.
//!
//! The numbers are part of the command's interface: they are documented in `--help` and in
//! README.md, and none of them changes its meaning.

use std::process::ExitCode;

use earnest_package::PackageError;
use earnest_sound::SoundError;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Every file was transcribed to its end.
    Success = 0,
    /// Something failed that is no fault of the input: a mistake in this program or a
    /// machine out of memory.
    Internal = 1,
    /// The command line asks for nothing that can be done. (clap ends with the same.)
    Usage = 2,
    /// Several files failed, and not all for the same reason.
    Mixed = 3,
    /// A file is missing or may not be opened.
    NotOpened = 10,
    /// A file could be opened and not be read.
    NotRead = 11,
    /// A file holds no byte, or no sound behind its header.
    Empty = 12,
    /// A file is not sound.
    NotSound = 13,
    /// A file is sound in a format or codec that is not read.
    Unsupported = 14,
    /// A file's header breaks its own format.
    Malformed = 15,
    /// A file ends before its end. What there was is transcribed.
    Truncated = 16,
    /// A file's header states another length than the file has. All of it is transcribed.
    HeaderLength = 17,
    /// A file's sample rate is zero or absurd.
    SampleRate = 18,
    /// A file has no channels or too many.
    Channels = 19,
    /// A sample is not a finite number.
    NotFinite = 20,
    /// The coded sound is damaged.
    Damaged = 21,
    /// A model's files are not there.
    ModelMissing = 30,
    /// A model's files are there and could not be read.
    ModelNotRead = 31,
    /// A model's files are not those that its card names: not one byte may differ.
    ModelDiffers = 32,
    /// A model's files are the right ones and could not be loaded.
    ModelNotLoaded = 33,
    /// The transcript could not be written.
    NotWritten = 40,
    /// The device is not provisioned, is so already, or its files cannot be used.
    Device = 50,
    /// The TPM is out of reach.
    Tpm = 51,
    /// The TPM refuses, or has nothing to go on.
    TpmRefuses = 52,
    /// The seal does not open in the state that the device is in.
    Sealed = 53,
    /// A sealed model is damaged, another's, or too old.
    PackageRefused = 54,
    /// A result does not hold for this device now.
    ResultRefused = 55,
    /// A file for or from the fleet cannot be read or written, or is none.
    FleetFile = 56,
    /// No daemon answers.
    NoDaemon = 60,
    /// The daemon does not let this user ask it.
    NotAllowed = 61,
    /// The daemon's gate is closed: the device has not proven itself.
    GateClosed = 62,
    /// All the daemon's workers are busy.
    Busy = 63,
    /// The daemon cannot read the sound.
    SoundRefused = 64,
    /// The daemon broke off, or answers otherwise than it should.
    DaemonFailed = 65,
    /// `earnest doctor` found something wrong.
    NotWell = 66,
    /// What was asked takes a second factor, and there is none or it is not taken.
    SecondFactor = 67,
    /// More was asked than the daemon grants now.
    Limited = 68,
    /// The daemon holds all requests until an operator has looked at them.
    Quarantined = 69,
    /// The daemon knows nothing of this name or number.
    Unknown = 70,
    /// The daemon does not take what it was given, or not as things stand.
    Declined = 71,
    /// The daemon cannot write down, save or sign what was asked, and so has not done it.
    NotKept = 72,
    /// The audit log is not whole, or is not the one that the TPM holds the device to.
    AuditDamaged = 73,
    /// A file for the daemon, or from it, cannot be read or written, or is none.
    OperatorFile = 74,
    /// The daemon's configuration lets nobody listen to the microphone.
    MicrophoneDisabled = 75,
    /// The guard beside the microphone does not answer, is not this device's, or does not take its
    /// key.
    Unguarded = 76,
    /// The command that was to be run cannot be executed. (Shells use the same number.)
    NotExecutable = 126,
    /// The command that was to be run is not there. (Shells use the same number.)
    NotFound = 127,
    /// The command was interrupted.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The exit of a run over several files: the reason that all failures share, if they do.
    pub(crate) fn and(self, next: Exit) -> Exit {
        match (self, next) {
            (Exit::Success, other) | (other, Exit::Success) => other,
            (first, second) if first == second => first,
            _ => Exit::Mixed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

impl From<&SoundError> for Exit {
    fn from(error: &SoundError) -> Exit {
        match error {
            SoundError::Open { .. } => Exit::NotOpened,
            SoundError::Read(_) => Exit::NotRead,
            SoundError::Empty | SoundError::NoSamples { .. } | SoundError::NoAudioTrack { .. } => {
                Exit::Empty
            }
            SoundError::NotSound { .. } => Exit::NotSound,
            SoundError::UnsupportedFormat { .. }
            | SoundError::UnsupportedCodec { .. }
            | SoundError::NotStreamable { .. } => Exit::Unsupported,
            SoundError::Malformed { .. } => Exit::Malformed,
            SoundError::Truncated { .. } => Exit::Truncated,
            SoundError::HeaderLength { .. } => Exit::HeaderLength,
            SoundError::SampleRate { .. } => Exit::SampleRate,
            SoundError::Channels { .. } => Exit::Channels,
            SoundError::NotFinite { .. } => Exit::NotFinite,
            SoundError::Decode { .. } | SoundError::Panicked { .. } => Exit::Damaged,
        }
    }
}

impl From<&PackageError> for Exit {
    fn from(error: &PackageError) -> Exit {
        match error {
            PackageError::Missing { .. } => Exit::ModelMissing,
            PackageError::WrongSize { .. } | PackageError::WrongDigest { .. } => Exit::ModelDiffers,
            _ => Exit::ModelNotRead,
        }
    }
}

/// The end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  every file was transcribed to its end
   1  an internal failure
   2  bad usage
   3  several files failed, for different reasons
  10  a file is missing or cannot be opened
  11  a file cannot be read
  12  a file is empty, or holds no sound
  13  a file is not sound
  14  a format or codec is not supported
  15  a header is broken
  16  a file is truncated (what there was is transcribed)
  17  a header lies about the length (all there was is transcribed)
  18  a sample rate is zero or absurd
  19  a number of channels is zero or absurd
  20  a sample is NaN or infinite
  21  the coded sound is damaged
  30  the model is missing
  31  the model cannot be read
  32  the model's bytes are not the ones its card names
  33  the model cannot be loaded
  40  the output cannot be written
  50  the device is not provisioned, or its files cannot be used
  51  the TPM is out of reach
  52  the TPM refuses what was asked of it
  53  the seal does not open in the state that the device is in
  54  a sealed model is damaged, another's, or too old
  55  a result does not hold for this device now
  56  a file for or from the fleet cannot be used
  60  no daemon answers
  61  the daemon does not let this user ask it
  62  the daemon's gate is closed: the device has not proven itself
  63  all the daemon's workers are busy
  64  the daemon cannot read the sound
  65  the daemon broke off, or answers otherwise than it should
  66  the doctor found something wrong
  67  a second factor is missing, or is not taken
  68  more was asked than the daemon grants now
  69  the daemon holds all requests until an operator has looked at them
  70  the daemon knows nothing of this name or number
  71  the daemon does not take what it was given, or not as things stand
  72  the daemon cannot write down, save or sign what was asked, and has not done it
  73  the audit log is not whole, or not the one that the TPM holds the device to
  74  a file for the daemon or from it cannot be used
  75  the daemon's configuration lets nobody listen to the microphone
  76  the guard beside the microphone is not there, or not this device's
 126  the command that was to be run cannot be executed
 127  the command that was to be run is not there
 130  interrupted

A reader that closes the pipe (as head does) ends the command quietly with 0.";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 48] = [
        Exit::Success,
        Exit::Internal,
        Exit::Usage,
        Exit::Mixed,
        Exit::NotOpened,
        Exit::NotRead,
        Exit::Empty,
        Exit::NotSound,
        Exit::Unsupported,
        Exit::Malformed,
        Exit::Truncated,
        Exit::HeaderLength,
        Exit::SampleRate,
        Exit::Channels,
        Exit::NotFinite,
        Exit::Damaged,
        Exit::ModelMissing,
        Exit::ModelNotRead,
        Exit::ModelDiffers,
        Exit::ModelNotLoaded,
        Exit::NotWritten,
        Exit::Device,
        Exit::Tpm,
        Exit::TpmRefuses,
        Exit::Sealed,
        Exit::PackageRefused,
        Exit::ResultRefused,
        Exit::FleetFile,
        Exit::NoDaemon,
        Exit::NotAllowed,
        Exit::GateClosed,
        Exit::Busy,
        Exit::SoundRefused,
        Exit::DaemonFailed,
        Exit::NotWell,
        Exit::SecondFactor,
        Exit::Limited,
        Exit::Quarantined,
        Exit::Unknown,
        Exit::Declined,
        Exit::NotKept,
        Exit::AuditDamaged,
        Exit::OperatorFile,
        Exit::MicrophoneDisabled,
        Exit::Unguarded,
        Exit::NotExecutable,
        Exit::NotFound,
        Exit::Interrupted,
    ];

    #[test]
    fn the_help_lists_every_code() {
        let listed: Vec<u8> = HELP
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        let numbers: Vec<u8> = ALL.iter().map(|e| e.number()).collect();
        assert_eq!(listed, numbers);
    }

    #[test]
    fn a_shared_reason_is_kept_and_different_ones_are_told() {
        let check = |exits: &[Exit], expected| {
            let all = exits.iter().copied().fold(Exit::Success, Exit::and);
            assert_eq!(all, expected, "{exits:?}");
        };
        check(&[], Exit::Success);
        check(&[Exit::Success, Exit::Empty, Exit::Success], Exit::Empty);
        check(&[Exit::Empty, Exit::Empty], Exit::Empty);
        check(&[Exit::Empty, Exit::NotSound], Exit::Mixed);
        check(&[Exit::Empty, Exit::NotSound, Exit::Empty], Exit::Mixed);
    }
}
