//! The endpoint with workers that follow a script instead of a model, for trying clients and
//! checkers of interfaces: `cargo run -p earnest-endpoint --example scripted -- PORT`.
//!
//! It listens in clear text and with TLS on loopback and on Unix sockets, prints how to reach
//! them, and takes commands from its standard input, whose end ends it: see [`HELP`]. What is
//! uploaded is a script: see `tests/house/worker.rs`. The microphone says what it is told to.

#[path = "../tests/house/mod.rs"]
mod house;

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use earnest_audio::{Loss, Sounding};
use earnest_live::LiveSettings;
use earnest_policy::{AppLimits, Book, NewApp, ScopeName, ScopeSet};
use house::microphone::{RATE, Script};
use house::{Daemon, Setting};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::interval;

/// What it takes.
const HELP: &str = "close          closes the gate
events         shows what was recorded
captions       gives a link to the page of captions
speak NUMBER   has somebody say so many words
lose           has the microphone's device go
find           has it come back
mute, unmute   what they say
opened         tells how often the microphone is open";

/// The one application that there is.
const APP: &str = "scripted";

/// One application of this user, which may do whatever applications may.
fn book() -> Result<Book, Box<dyn std::error::Error>> {
    let scopes = [ScopeName::Vad, ScopeName::Transcribe, ScopeName::Listen];
    let mut book = Book::default();
    let app = NewApp {
        name: APP.parse()?,
        uids: vec![nix::unistd::geteuid().as_raw()],
        scopes: scopes.into_iter().collect::<ScopeSet>(),
        limits: AppLimits::default()
            .with_per_minute(6_000)?
            .with_burst(1_000)?
            .with_at_once(16)?,
        commands: None,
        audience: None,
    };
    book.register(app, 1_700_000_000)?;
    Ok(book)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("worker") {
        let stream = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        house::worker::work(&stream, &stream);
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let mut setting = Setting::new((program, vec!["worker".into()]));
    setting.port = first.map_or(Ok(0), |port| port.parse())?;
    setting.stall = Duration::from_secs(3);
    setting.tls = true;
    setting.book = book()?;
    let script = Script::new();
    // The script has no clock.
    let lossless = LiveSettings {
        lossless: true,
        ..LiveSettings::default()
    };
    setting.microphone = Some((script.clone(), lossless));
    let mut daemon = Daemon::start(setting).await;
    let token = daemon.client().issue_token(APP).await?;
    println!("OPENAI_BASE_URL=http://{}/v1", daemon.address);
    println!("OPENAI_API_KEY={}", token.token);
    println!("SOCKET={}", daemon.socket().display());
    println!("WYOMING=unix://{}", daemon.wyoming_socket().display());
    println!("WYOMING_TCP=tcp://{}", daemon.wyoming);
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let mut renewing = interval(Duration::from_secs(60));
    loop {
        let command = tokio::select! {
            command = commands.next_line() => command?,
            _ = renewing.tick() => {
                daemon.client().renew_token(&token.token).await?;
                continue;
            }
        };
        match command.as_deref() {
            Some("close") => daemon.house.tamper().await,
            Some("events") => println!("{:#?}\n{:?}", daemon.events(), daemon.telemetry.counters()),
            Some("captions") => println!("{}", daemon.client().captions_link().await?.url),
            Some(command) => microphone(command, &daemon, &script).await,
            None => break,
        }
    }
    daemon.stop();
    println!("{:?}", daemon.ended().await);
    Ok(())
}

/// Commands of the microphone.
async fn microphone(command: &str, daemon: &Daemon, script: &Script) {
    let live = daemon.live.as_ref();
    match (command.split_once(' '), command, live) {
        (Some(("speak", words)), ..) => match words.parse() {
            Ok(words) => script.speak(words),
            Err(error) => println!("{error}"),
        },
        (_, "lose", _) => script.say(Sounding::Lost {
            why: Loss::Vanished,
            again_in: Duration::from_secs(1),
        }),
        (_, "find", _) => script.say(Sounding::Opened {
            device: "another".to_owned(),
            rate: RATE,
        }),
        (_, "mute", Some(live)) => println!("{}", live.mute().await),
        (_, "unmute", Some(live)) => println!("{}", live.unmute().await),
        (_, "opened", _) => println!("{}", script.open()),
        _ => println!("{HELP}"),
    }
}
