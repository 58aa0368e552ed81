//! What the service manager is told (`sd_notify(3)`). Without one, nobody is told anything.

use sd_notify::NotifyState;

/// Longest status that is sent.
const MAX_STATUS_BYTES: usize = 200;

/// The daemon serves.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(cut(status))]);
}

/// The daemon serves no longer.
pub fn stopping() {
    send(&[
        NotifyState::Stopping,
        NotifyState::Status("letting requests end"),
    ]);
}

/// How the daemon stands, in a line.
pub fn status(status: &str) {
    send(&[NotifyState::Status(cut(status))]);
}

fn cut(status: &str) -> &str {
    let line = status.lines().next().unwrap_or_default();
    match line.char_indices().find(|(at, _)| *at >= MAX_STATUS_BYTES) {
        Some((at, _)) => &line[..at],
        None => line,
    }
}

fn send(states: &[NotifyState<'_>]) {
    // A manager that does not listen changes nothing for those who ask the daemon.
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_of_bounded_length() {
        assert_eq!(cut("open\nMAINPID=1"), "open");
        assert_eq!(cut(""), "");
        let long = "é".repeat(300);
        assert!(cut(&long).len() <= MAX_STATUS_BYTES);
    }
}
