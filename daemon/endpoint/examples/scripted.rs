//! The endpoint with workers that follow a script instead of a model, for trying clients and
//! checkers of interfaces: `cargo run -p earnest-endpoint --example scripted -- PORT`.
//!
//! It listens in clear text on loopback and on a Unix socket, prints how to reach both, and takes
//! commands from its standard input: `close` closes the gate, `events` shows what was recorded,
//! and its end ends it. What is uploaded is a script: see `tests/house/worker.rs`.

#[path = "../tests/house/mod.rs"]
mod house;

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use house::{Daemon, Setting};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::interval;

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
    let mut daemon = Daemon::start(setting).await;
    let token = daemon.client().issue_token("scripted").await?;
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
            Some(_) => println!("close, events, or end the input"),
            None => break,
        }
    }
    daemon.stop();
    println!("{:?}", daemon.ended().await);
    Ok(())
}
