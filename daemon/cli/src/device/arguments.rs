//! The commands about the device's own trust, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use earnest_guardian::GuardPlace;

use crate::arguments::Size;
use crate::exit;
use crate::operate::Seeing;

/// Names the device's folder in the environment.
pub(crate) const DEVICE_VARIABLE: &str = "EARNEST_DEVICE";

/// Where the device is.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Place {
    /// The device's folder [default: $EARNEST_DEVICE, else earnest/device in the user's data
    /// folder].
    #[arg(long = "device", value_name = "DIR", global = true)]
    pub(crate) folder: Option<PathBuf>,
}

/// A command about the device's trust.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The device's TPM: provision it, enrol it with a fleet, take the fleet's policies.
    #[command(subcommand, after_help = exit::HELP)]
    Tpm(Tpm),
    /// Prove the device's state: evidence for a nonce, with a quote by the TPM.
    ///
    /// Writes evidence.cbor and evidence.json (the same envelope in two forms), and
    /// quote.attest, quote.signature, quote.pcrs and ak.pem, which tpm2_checkquote takes.
    #[command(after_help = exit::HELP)]
    Attest(Attest),
    /// What the fleet's verifier said of this device.
    #[command(subcommand, after_help = exit::HELP)]
    Result(Verdict),
    /// The guard beside the microphone: make it known to this device, and see how it is.
    #[command(subcommand, after_help = exit::HELP)]
    Guard(Guard),
    /// The model at rest: seal it, and see whether the device may open it.
    #[command(subcommand, after_help = exit::HELP)]
    Model(Model),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tpm {
    /// Make a device of a TPM that nobody owns.
    ///
    /// Unless told otherwise, this is a TPM in software that is kept in the device's folder:
    /// good for development, and no proof to anybody.
    Provision(Provision),
    /// Write a request to be enrolled with a fleet.
    Enroll(Enroll),
    /// Answer the fleet's challenge, which proves that the attestation key is in this TPM.
    Activate(Activate),
    /// Take the policy that says in which states the model opens.
    Policy {
        #[command(flatten)]
        place: Place,
        /// The policy, as `earnest-fleet policy sign` writes it.
        file: PathBuf,
    },
    /// Raise the least version that is still allowed: what is older opens nothing any more.
    Raise {
        #[command(flatten)]
        place: Place,
        /// The permission, as `earnest-fleet policy allow-version` writes it.
        file: PathBuf,
    },
    /// Say what the device is and holds.
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// End the TPM in software. Its next start is another boot.
    Stop {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Provision {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The fleet's root key, a public key in PEM.
    #[arg(long, value_name = "PEM")]
    pub(crate) root: PathBuf,
    /// The fleet's permission for the first least version.
    #[arg(long, value_name = "FILE")]
    pub(crate) first_version: PathBuf,
    /// Use this machine's own TPM, /dev/tpmrm0.
    #[arg(long, conflicts_with = "tpm")]
    pub(crate) tpm_real: bool,
    /// Use the TPM at this address: /dev/tpmrm0, or swtpm:host=127.0.0.1,port=2321.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) tpm: Option<String>,
    /// The kind of attestation key.
    #[arg(long, value_enum, default_value_t = Ak::EccP256)]
    pub(crate) ak: Ak,
    /// Where to write the owner's and the lockout's secret, which nothing on the device needs
    /// again. Keep the file elsewhere. Without it they are forgotten, and only clearing the
    /// TPM makes it anybody's again.
    #[arg(long, value_name = "FILE")]
    pub(crate) recovery: Option<PathBuf>,
}

/// The kinds of attestation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ak {
    /// ECDSA on P-256.
    EccP256,
    /// RSASSA with 2,048 bits.
    Rsa2048,
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The name that people know the device by.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where to write the request.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Activate {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The fleet's challenge.
    pub(crate) challenge: PathBuf,
    /// Where to write the answer.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The verifier's nonce: 64 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub(crate) nonce: String,
    /// The folder to write into, made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verdict {
    /// Check a result against the fleet's key and against the device as it is now, and keep it.
    Import {
        #[command(flatten)]
        place: Place,
        /// The result, as `earnest-fleet verify --ear` writes it.
        file: PathBuf,
        /// The key of the fleet's results, a public key in PEM.
        #[arg(long, value_name = "PEM")]
        key: PathBuf,
    },
    /// Say what the kept result says, and for how much longer it holds.
    Show {
        #[command(flatten)]
        place: Place,
        /// The key of the fleet's results, a public key in PEM.
        #[arg(long, value_name = "PEM")]
        key: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Guard {
    /// Give a new guard the key by which it and this device know each other.
    ///
    /// The daemon is to be stopped, and the guard's switch at mute, which takes a person's hand. The
    /// key goes over the line in the clear, once: do this where nobody else has the line.
    Pair {
        #[command(flatten)]
        place: Place,
        /// Where the guard is, as `guard.device` in the daemon's configuration: a serial device.
        #[arg(long, value_name = "PATH")]
        line: GuardPlace,
        /// Take a new key, so that the guard of before is no longer this device's.
        #[arg(long = "new-key")]
        anew: bool,
    },
    /// Say how the guard is, as the daemon knows it.
    Status(Seeing),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Turn the plain models into sealed files: encrypted, signed, their keys in the TPM.
    ///
    /// Writes the speech model and the voice detector, each as one file.
    Seal(Seal),
    /// Open sealed models and say whether they opened; nothing is written.
    UnsealCheck(UnsealCheck),
}

#[derive(Debug, Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The speech model.
    #[arg(long, value_enum, default_value_t = Size::Tiny)]
    pub(crate) model: Size,
    /// Where the plain models are [default: $EARNEST_MODELS, else earnest/models in the
    /// user's data folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) models: Option<PathBuf>,
    /// The release key, a private key in PEM.
    #[arg(long, value_name = "PEM")]
    pub(crate) release_key: PathBuf,
    /// The version of the packages. One below the device's least version does not open.
    #[arg(long, default_value_t = 1)]
    pub(crate) version: u64,
    /// The folder to write into, made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct UnsealCheck {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The speech model.
    #[arg(long, value_enum, default_value_t = Size::Tiny)]
    pub(crate) model: Size,
    /// The folder of the sealed models.
    pub(crate) sealed: PathBuf,
    /// The fleet's release key, a public key in PEM.
    #[arg(long, value_name = "PEM")]
    pub(crate) release_key: PathBuf,
}
