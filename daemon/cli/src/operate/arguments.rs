//! The commands of operators, auditors and listeners, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use earnest_endpoint::shapes::{ExportFormat, KeyKind};
use earnest_policy::{AppId, AppLimits, PlainName};

use super::second_factor::SecondFactor;
use super::users::UserArgument;
use crate::daemon::Place;
use crate::exit;
use crate::status::SaidAs;

/// A command to the daemon about who may do what, and about what was done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apps of this device: what each may do, and how much of it.
    ///
    /// An app that is added has exactly the scopes and the limits that it was given. A user that
    /// an added app names is served as that app alone. For operators.
    #[command(subcommand, after_help = exit::HELP)]
    App(App),
    /// Get a token for a script.
    ///
    /// Writes the token alone, or in the json format all about it. It works for this user alone
    /// and lasts some minutes. `earnest run` is better where it will
    /// do: it keeps the token fresh and takes it back. Do not show it to anybody.
    #[command(after_help = exit::HELP)]
    Token(Token),
    /// Who may do what.
    #[command(subcommand, after_help = exit::HELP)]
    Access(Access),
    /// The second factor of an operator or auditor.
    #[command(subcommand, after_help = exit::HELP)]
    Operator(Operator),
    /// The daemon's keys.
    #[command(subcommand, after_help = exit::HELP)]
    Keys(Keys),
    /// The audit log: who did what and when, and nothing of what was said. For auditors.
    #[command(subcommand, after_help = exit::HELP)]
    Audit(Audit),
    /// Unusual use: what stands, and letting whom it is about work again.
    ///
    /// Without a command it lists the alerts that stand, the gravest first. For operators and
    /// auditors; releasing is for operators.
    #[command(after_help = exit::HELP)]
    Alerts(Alerts),
    /// Lists of spoken commands, which apps with the scope `command` are held to.
    #[command(subcommand, after_help = exit::HELP)]
    Commands(Commands),
    /// The devices that sound can be taken from.
    ///
    /// `microphone.device` of the daemon's configuration takes a name, a part of one, or a pattern
    /// with `*` and `?`. For whoever may listen, operators and auditors.
    #[command(after_help = exit::HELP)]
    Devices(Seeing),
    /// The microphone: whether it is open, who listens to it, and muting.
    ///
    /// Without a command it says how the microphone is. A muted microphone is closed, whoever
    /// listens. Whoever may listen mutes it, and so do operators; unmuting is for operators alone,
    /// with the code of their authenticator.
    #[command(after_help = exit::HELP)]
    Microphone(Microphone),
    /// Get a link that lets a browser of this user see the status page, or live captions, once.
    ///
    /// The browser must trust the certificate of the device's authority, authority.pem beside the
    /// daemon's socket. The status page is for operators and auditors, with the code of their
    /// authenticator. Captions are for whoever may listen, without one.
    #[command(after_help = exit::HELP)]
    Open(Open),
    /// What this device did.
    #[command(subcommand, after_help = exit::HELP)]
    Report(Report),
}

/// The daemon, and the code that it asks of people.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) factor: SecondFactor,
}

/// The daemon, and how its answer is said.
#[derive(Debug, Args)]
pub(crate) struct Seeing {
    #[command(flatten)]
    pub(super) place: Place,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = SaidAs::Text)]
    pub(super) format: SaidAs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Add an app, or change one: what is not said is as it is by default.
    Add(AddApp),
    /// The apps that were added, revoked ones included.
    List(Seeing),
    /// All about one app.
    Show {
        /// The app.
        #[arg(value_name = "NAME")]
        name: AppId,
        #[command(flatten)]
        seeing: Seeing,
    },
    /// Take everything from an app that it may do. Its tokens and certificates end at once.
    Revoke {
        /// The app.
        #[arg(value_name = "NAME")]
        name: AppId,
        #[command(flatten)]
        acting: Acting,
    },
    /// Make a key for an app, and have the device's authority certify it.
    ///
    /// Writes key.pem, certificate.pem and authority.pem: with the first two a TLS client shows
    /// who it is, with the last it knows the daemon.
    Cert {
        /// The app.
        #[arg(value_name = "NAME")]
        name: AppId,
        /// The folder to write into, made if it is not there. No file is overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddApp {
    /// Its name: 1 to 64 of a-z, 0-9, '.', '_' and '-'.
    #[arg(value_name = "NAME")]
    pub(super) name: AppId,
    /// A user whose program it is, by id or by name. May be given several times.
    #[arg(long = "uid", required = true, value_name = "UID|USER")]
    pub(super) users: Vec<UserArgument>,
    /// Something that it may do. May be given several times.
    #[arg(long = "scope", required = true, value_enum, value_name = "SCOPE")]
    pub(super) scopes: Vec<WorkScope>,
    /// Requests a minute, as 30 or 30/min [default: `apps.per_minute`].
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) rate: Option<u32>,
    /// Requests in a row that may go beyond the rate [default: `apps.burst`].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(bounds(&AppLimits::BURST)))]
    pub(super) burst: Option<u32>,
    /// Minutes of sound within 24 hours [default: `apps.daily_minutes`].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(bounds(&AppLimits::DAILY_SOUND_MINUTES)))]
    pub(super) daily_minutes: Option<u32>,
    /// Requests at once [default: `apps.at_once`].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(bounds(&AppLimits::AT_ONCE)))]
    pub(super) at_once: Option<u32>,
    /// The list of commands that it is held to (`earnest commands put`), for the scope command.
    #[arg(long, value_name = "LIST")]
    pub(super) commands: Option<PlainName>,
    #[command(flatten)]
    pub(super) acting: Acting,
    /// How to say what it is now.
    #[arg(long, value_enum, default_value_t = SaidAs::Text)]
    pub(super) format: SaidAs,
}

/// What apps may do, by the names that `--scope` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorkScope {
    /// Times of speech, and nothing of what is said.
    Vad,
    /// Which of its phrases was spoken, or none.
    Command,
    /// Text of sound that it brings.
    Transcribe,
    /// Text of what the microphone hears.
    Listen,
}

impl WorkScope {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            WorkScope::Vad => "vad",
            WorkScope::Command => "command",
            WorkScope::Transcribe => "transcribe",
            WorkScope::Listen => "listen",
        }
    }
}

/// The bounds of a limit, as clap takes them.
fn bounds(limit: &std::ops::RangeInclusive<u32>) -> std::ops::RangeInclusive<i64> {
    i64::from(*limit.start())..=i64::from(*limit.end())
}

/// Requests a minute: a number, alone or before `/min`.
fn rate(told: &str) -> Result<u32, String> {
    let range = AppLimits::PER_MINUTE;
    let number = told.strip_suffix("/min").unwrap_or(told).parse().ok();
    number.filter(|rate| range.contains(rate)).ok_or(format!(
        "a rate is {} to {} requests a minute, as in 30/min",
        range.start(),
        range.end()
    ))
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The app that it is for.
    #[arg(long, value_name = "NAME")]
    pub(super) app: AppId,
    /// Something that it is to be good for [default: all that the app may do]. May be given
    /// several times.
    #[arg(long = "scope", value_enum, value_name = "SCOPE")]
    pub(super) scopes: Vec<WorkScope>,
    /// Whom it is to be shown to [default: the daemon].
    #[arg(long, value_name = "AUDIENCE")]
    pub(super) audience: Option<String>,
    #[command(flatten)]
    pub(super) seeing: Seeing,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Access {
    /// Who may do what, when it was last used, and what to revoke. For operators and auditors.
    Review(Seeing),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Take a second factor, or another one.
    ///
    /// Shows a secret for an authenticator, as a picture to scan and as text to type, and asks
    /// for a code of it. Whoever has one already needs a code of the earlier one. Where standard
    /// input is no terminal, the code is read from its next line.
    Enrol(Asking),
}

/// The daemon, the code that it asks of people, and how its answer is said.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    pub(super) acting: Acting,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = SaidAs::Text)]
    pub(super) format: SaidAs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Replace keys now. Each is replaced on a schedule, too. For operators.
    Rotate {
        /// Which.
        #[arg(long, value_name = "KEY", default_value_t = KeyKind::All)]
        which: KeyKind,
        /// End at once what the earlier keys vouched for: all tokens do.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// The log's entries, oldest first; in the json format one object a line.
    Show {
        /// Only those after the entry of this number.
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        #[command(flatten)]
        asking: Asking,
    },
    /// Whether the log is whole, and is the one that the TPM holds the device to.
    Verify(Asking),
    /// The log for an incident process, one event a line, with pseudonyms in the place of the
    /// apps' names.
    Export {
        /// The form: ocsf or cef.
        #[arg(long, value_name = "FORM")]
        format: ExportFormat,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    pub(super) command: Option<AlertCommand>,
    #[command(flatten)]
    pub(super) seeing: Seeing,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Let whom an alert is about work again.
    Release {
        /// The alert's number.
        #[arg(value_name = "ID")]
        id: u64,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Enrol a list, in the place of one of that name.
    ///
    /// The file has a table `[[phrases]]` for each phrase, with its `id` and the `phrase`. Apps are told ids alone.
    Put {
        /// The list's name.
        #[arg(value_name = "LIST")]
        name: PlainName,
        /// Its phrases, in TOML; `-` is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        acting: Acting,
    },
    /// All lists with their phrases.
    List(Seeing),
    /// Remove a list that no app is held to.
    Remove {
        /// The list's name.
        #[arg(value_name = "LIST")]
        name: PlainName,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Open {
    #[command(flatten)]
    pub(super) acting: Acting,
    /// Open it in this user's browser, too.
    #[arg(long)]
    pub(super) launch: bool,
    /// For a page with what the microphone hears, as it is said, and not for the status.
    #[arg(long, conflicts_with_all = ["code", "code_file"])]
    pub(super) captions: bool,
    /// With --captions: the app that listens, where this user has several.
    #[arg(long, value_name = "NAME", requires = "captions")]
    pub(super) app: Option<AppId>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Microphone {
    #[command(subcommand)]
    pub(super) command: Option<MicrophoneCommand>,
    #[command(flatten)]
    pub(super) seeing: Seeing,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MicrophoneCommand {
    /// Close the microphone, whoever listens, until it is unmuted.
    Mute {
        /// The app that may listen, where this user has several and is no operator.
        #[arg(long, value_name = "NAME")]
        app: Option<AppId>,
        #[command(flatten)]
        place: Place,
    },
    /// Let it be listened to again. For operators.
    Unmute {
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// What this device did, in counts, and for nobody in particular: for publishing.
    Transparency {
        #[command(flatten)]
        place: Place,
        /// How to write it.
        #[arg(long, value_enum, default_value_t = WrittenAs::Text)]
        format: WrittenAs,
    },
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WrittenAs {
    /// In plain words.
    #[value(alias = "plain")]
    Text,
    /// As one JSON object.
    Json,
    /// As Markdown, with a table of days.
    Markdown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_requests_a_minute_within_bounds() {
        assert_eq!(rate("30"), Ok(30));
        assert_eq!(rate("30/min"), Ok(30));
        for wrong in [
            "",
            "0",
            "0/min",
            "-1",
            "30/s",
            "7000",
            "99999999999",
            "30 /min",
        ] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
