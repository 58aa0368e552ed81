//! `earnest open`: a way in with a browser, once.

use std::process::{Command, Stdio};

use earnest_endpoint::shapes::LinkAnswer;
use earnest_printable::{is_printable, printable};

use super::arguments::Open;
use super::daemon;
use super::failure::OperateError;
use crate::console::Console;
use crate::exit::Exit;
use crate::output;

/// What links begin with that lead to this machine.
const HERE: [&str; 3] = ["https://127.0.0.1:", "https://[::1]:", "https://localhost:"];

pub(super) fn open(open: &Open, console: &Console) -> Result<Exit, OperateError> {
    let link = match open.captions {
        true => {
            let daemon = daemon(&open.acting.place)?.into_listener(open.app.as_ref())?;
            daemon.ask_into_listener(daemon.client().captions_link())?
        }
        false => {
            let daemon = open.acting.daemon()?;
            daemon.ask(daemon.client().browser_link())?
        }
    };
    console.say(&note(&link));
    let said = output::say(&format!("{}\n", printable(&link.url)), console);
    if open.launch {
        launch(&link.url)?;
    }
    Ok(said)
}

fn note(link: &LinkAnswer) -> String {
    format!(
        "earnest: the link works once, for {} s, and for this user's browser alone",
        link.expires_in
    )
}

/// Hands the link to the desktop. Other users may see it among the processes, and it lets none of
/// them in: the daemon looks at whose browser it is.
fn launch(url: &str) -> Result<(), OperateError> {
    if !is_here(url) {
        return Err(OperateError::Link);
    }
    let browser = Command::new("xdg-open")
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // It goes on for as long as it likes, and nobody waits for it.
    browser.map(drop).map_err(OperateError::Launch)
}

/// Whether a link leads to this machine, and is nothing but a link.
fn is_here(url: &str) -> bool {
    let plain = |character: char| is_printable(character) && !character.is_whitespace();
    HERE.iter().any(|start| url.starts_with(start)) && url.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_this_machine_alone() {
        for right in ["https://127.0.0.1:8473/open?code=a", "https://[::1]:1/open"] {
            assert!(is_here(right), "{right}");
        }
        for wrong in [
            "",
            "http://127.0.0.1:8473/open",
            "https://127.0.0.1.example:1/",
            "https://example.org/",
            "--help",
            "file:///etc/passwd",
            "https://127.0.0.1:1/ a",
            "https://127.0.0.1:1/\u{1b}",
        ] {
            assert!(!is_here(wrong), "{wrong}");
        }
    }
}
