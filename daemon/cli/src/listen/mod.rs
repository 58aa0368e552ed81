//! `earnest listen`: what the microphone hears, as it is said.
//!
//! The daemon has the microphone and the model; this command asks for the words, shows them, and
//! asks again when the daemon starts anew or its gate was closed for a while. What it shows is a
//! function of what it is told ([`teller`]), so that it is tested without a daemon and without a
//! terminal.

mod patience;
mod screen;
mod session;
mod strip;
mod teller;
mod view;

use std::io::IsTerminal as _;

use clap::Args;
use earnest_endpoint::client::ListenFor;
use earnest_policy::AppId;
use earnest_printable::describe;

use crate::console::Console;
use crate::daemon::{Daemon, DaemonError, Place};
use crate::exit::Exit;
use crate::output::WriteError;
use crate::status::SaidAs;
use session::Session;
use teller::Teller;

pub(crate) use view::loss;

/// What `earnest listen` was asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Write nothing down until this is said, and then what follows it.
    #[arg(long, value_name = "PHRASE", conflicts_with = "commands")]
    wake: Option<String>,

    /// Write down which phrases of the app's list of commands are said, by their ids, and
    /// nothing else. For apps with the scope command.
    #[arg(long)]
    commands: bool,

    /// How to write it: text, or every event as one JSON object a line.
    #[arg(long, value_enum, default_value_t = SaidAs::Text)]
    format: SaidAs,

    /// The app that listens, where this user has several.
    #[arg(long, value_name = "NAME")]
    app: Option<AppId>,

    /// End when the daemon goes away or its gate closes, and do not wait for it.
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    place: Place,
}

/// Why nothing is heard any more.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    /// The daemon does not let this command listen, or is not there.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// It cannot be written down.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The system tells of no signals.
    #[error("the system tells of no signals")]
    Signals(#[source] std::io::Error),
}

impl ListenError {
    fn exit(&self) -> Exit {
        match self {
            ListenError::Daemon(error) => error.exit(),
            // Who has closed the output wants no more of it.
            ListenError::Write(WriteError::Closed) => Exit::Success,
            ListenError::Write(_) => Exit::NotWritten,
            ListenError::Signals(_) => Exit::Internal,
        }
    }
}

/// Listens until a person has enough.
pub(crate) fn listen(arguments: &Arguments, console: &Console) -> Exit {
    let error = match listened(arguments, console) {
        Ok(()) => return Exit::Success,
        Err(error) => error,
    };
    let exit = error.exit();
    if exit != Exit::Success {
        console.say(&format!("earnest: {}", describe(&error)));
    }
    if exit == Exit::NotAllowed && !arguments.commands {
        console.say("earnest: an app that has the scope command alone hears by --commands");
    }
    exit
}

fn listened(arguments: &Arguments, console: &Console) -> Result<(), ListenError> {
    let daemon = Daemon::at(arguments.place.path())?;
    let session = Session {
        client: daemon.client(),
        what: arguments.what(),
        app: arguments.app.as_ref(),
        once: arguments.once,
        console,
    };
    daemon.wait(session.run(arguments.teller()))
}

impl Arguments {
    fn what(&self) -> ListenFor {
        match &self.wake {
            _ if self.commands => ListenFor::Commands,
            Some(phrase) => ListenFor::TextAfter(phrase.clone()),
            None => ListenFor::Text,
        }
    }

    fn teller(&self) -> Teller {
        if self.format == SaidAs::Json {
            return Teller::events();
        }
        match is_lively() {
            true => Teller::terminal(&self.quiet()),
            false => Teller::lines(),
        }
    }

    /// What is shown while nobody speaks.
    fn quiet(&self) -> String {
        match &self.wake {
            _ if self.commands => "listening for commands".to_owned(),
            Some(phrase) => format!("listening for \"{phrase}\""),
            None => "listening".to_owned(),
        }
    }
}

/// Whether standard output is a terminal that can draw a line anew.
fn is_lively() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb" || kind.is_empty());
    std::io::stdout().is_terminal() && !is_dumb
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::scripted::{Scripted, refusal};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn exit(daemon: &Scripted, words: &[&str]) -> Exit {
        let socket = daemon.socket();
        let place = ["--socket", socket.to_str().unwrap()];
        let words: Vec<&str> = words.iter().chain(&place).copied().collect();
        listen(&parse(&words).unwrap(), &Console::without_bar())
    }

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = ["listen"].iter().chain(words);
        Line::try_parse_from(words).map(|line| line.arguments)
    }

    #[test]
    fn what_does_not_pass_ends_the_command() {
        let check = |words: &[&str], status: u16, code: &str, expected: Exit| {
            let daemon = Scripted::new(vec![(status, refusal(code))]);
            assert_eq!(exit(&daemon, words), expected, "{words:?}");
            let asked = daemon.asked();
            let headers = asked.headers;
            let lines = "accept: application/x-ndjson".to_owned();
            assert!(headers.contains(&lines), "{headers:?}");
            asked.line
        };
        let line = check(&[], 403, "insufficient_scope", Exit::NotAllowed);
        assert_eq!(line, "GET /v1/listen HTTP/1.1");
        check(&[], 409, "microphone_disabled", Exit::MicrophoneDisabled);
        let wake = ["--wake", "a b"];
        let line = check(&wake, 400, "invalid_value", Exit::Declined);
        assert_eq!(line, "GET /v1/listen?wake=a%20b HTTP/1.1");
        let once = ["--commands", "--once"];
        let line = check(&once, 503, "device_not_proven", Exit::GateClosed);
        assert_eq!(line, "GET /v1/listen/commands HTTP/1.1");
        let nowhere = parse(&["--socket", "/nonexistent/s"]).unwrap();
        assert_eq!(listen(&nowhere, &Console::without_bar()), Exit::NoDaemon);
    }

    #[test]
    fn a_daemon_that_goes_away_is_asked_again() {
        let heard = || {
            let state = "{\"type\":\"state\",\"state\":\"open\"}\n";
            (
                200,
                format!("{state}\n{{\"type\":\"of a later version\"}}\n"),
            )
        };
        let ended = |code: &str| {
            let error = json!({ "type": "error", "error": refusal(code)["error"] });
            (200, format!("{error}\n"))
        };
        let closed = (503, refusal("device_not_proven").to_string());
        let revoked = ended("insufficient_scope");
        let answers = [
            heard(),
            closed,
            ended("device_not_proven"),
            heard(),
            revoked,
        ];
        let daemon = Scripted::of(answers);
        assert_eq!(exit(&daemon, &["--format", "json"]), Exit::NotAllowed);
        for _ in 0..5 {
            assert_eq!(daemon.asked().line, "GET /v1/listen HTTP/1.1");
        }
        assert!(!daemon.was_asked());
        let daemon = Scripted::of([heard()]);
        assert_eq!(exit(&daemon, &["--once"]), Exit::DaemonFailed);
    }

    #[test]
    fn an_app_that_is_named_listens_with_a_token_of_its_own() {
        let token = json!({ "token": "a.b.c", "app": "notes", "expires_in": 300 });
        let daemon = Scripted::new(vec![
            (200, token),
            (403, refusal("insufficient_scope")),
            (200, json!({})),
        ]);
        assert_eq!(exit(&daemon, &["--app", "notes"]), Exit::NotAllowed);
        let asked = daemon.asked();
        assert_eq!(asked.line, "POST /v1/token HTTP/1.1");
        let expected = json!({ "app": "notes", "scopes": ["listen"] });
        assert_eq!(asked.json(), expected);
        let bearer = "authorization: bearer a.b.c".to_owned();
        assert!(daemon.asked().headers.contains(&bearer));
        let asked = daemon.asked();
        assert_eq!(asked.line, "DELETE /v1/token HTTP/1.1");
        assert!(asked.headers.contains(&bearer));
    }

    #[test]
    fn one_thing_is_listened_for() {
        let what = |words: &[&str]| parse(words).unwrap().what();
        assert_eq!(what(&[]), ListenFor::Text);
        assert_eq!(what(&["--commands"]), ListenFor::Commands);
        assert_eq!(
            what(&["--wake", "hey earnest"]),
            ListenFor::TextAfter("hey earnest".to_owned())
        );
        for wrong in [
            &["--wake", "hey earnest", "--commands"][..],
            &["--wake"],
            &["--app", "No Name"],
            &["--format", "srt"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
