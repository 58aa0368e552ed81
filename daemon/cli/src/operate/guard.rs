//! `earnest guard status`: the guard beside the microphone, as the daemon knows it.

use earnest_endpoint::shapes::{GuardCounts, GuardEntry};
use earnest_printable::printable;

use super::arguments::Seeing;
use super::failure::OperateError;
use super::{daemon, say};
use crate::console::Console;
use crate::exit::Exit;

pub(super) fn status(seeing: &Seeing, console: &Console) -> Result<Exit, OperateError> {
    let daemon = daemon(&seeing.place)?;
    let report = daemon.ask_into_listener(daemon.client().microphone())?;
    let exit = match &report.guard {
        Some(guard) if is_there(&guard.state) => Exit::Success,
        _ => Exit::Unguarded,
    };
    let said = say(
        &report.guard,
        seeing.format,
        |guard| text(guard.as_ref()),
        console,
    )?;
    Ok(said.and(exit))
}

/// Whether a guard in this state has proved itself.
pub(crate) fn is_there(state: &str) -> bool {
    !matches!(state, "absent" | "unpaired" | "connecting")
}

fn text(guard: Option<&GuardEntry>) -> String {
    let Some(guard) = guard else {
        return "the configuration names no guard (`guard.device`)\n".to_owned();
    };
    let mut said = format!("{}\n", line(guard));
    if let Some(identity) = &guard.identity {
        said.push_str(&format!("it is {}\n", printable(identity)));
    }
    said.extend(guard.counts.iter().flat_map(counts));
    said
}

/// How it is, in one line.
pub(crate) fn line(guard: &GuardEntry) -> String {
    let light = match guard.light {
        true => "the light is on",
        false => "the light is off",
    };
    let told = match (guard.state.as_str(), guard.why.as_deref()) {
        ("absent", _) => return "the guard does NOT ANSWER".to_owned(),
        ("unpaired", _) => {
            return "the guard does NOT KNOW this device: `earnest guard pair`, with the daemon stopped"
                .to_owned();
        }
        ("connecting", _) => return "the guard is being asked who it is".to_owned(),
        ("muted", _) => "the guard's switch is at mute",
        ("idle", _) => "the guard keeps the microphone off, as nobody listens",
        ("live", _) => "the guard lets sound flow",
        ("cut", Some("announcing")) => "the guard is being told that somebody listens",
        ("cut", Some("watchdog")) => {
            "the guard has CUT the microphone: the daemon was not heard of in time"
        }
        ("cut", Some("contradiction")) => {
            "the microphone's supply is NOT AS THE GUARD HAS IT: a fault, or somebody's hand"
        }
        ("cut", Some("memory")) => "the guard's memory is BROKEN, so it gives no power",
        ("cut", Some("refused")) => "the guard takes no announcement for a moment",
        (other, _) => return format!("the guard is {}; {light}", printable(other)),
    };
    format!("{told}; {light}")
}

/// What happened to it, where anything did.
fn counts(counts: &GuardCounts) -> Vec<String> {
    let since = [
        (
            counts.trips,
            "it cut the microphone as the daemon was silent",
        ),
        (counts.noise, "what came from it was no frame"),
        (counts.forged, "what came from there was NOT ITS OWN"),
        (counts.replayed, "what came from there had been said before"),
        (counts.lost, "a frame of its was lost"),
    ];
    let ever = [
        (
            counts.trips_ever,
            "it cut the microphone as its host was silent",
        ),
        (
            counts.contradictions_ever,
            "its supply was NOT AS IT HAD IT",
        ),
        (counts.forged_ever, "what came to it was NOT ITS HOST'S"),
        (counts.replayed_ever, "what came to it had been said before"),
    ];
    let since = since
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what} {count} times since the daemon started\n"));
    let ever = ever
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what} {count} times ever\n"));
    let starts = format!(
        "it has started {} times, and was met {} times since the daemon started\n",
        counts.boots, counts.sessions
    );
    std::iter::once(starts).chain(since).chain(ever).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(state: &str, why: Option<&str>) -> GuardEntry {
        GuardEntry {
            state: state.to_owned(),
            why: why.map(str::to_owned),
            light: state == "live",
            ..GuardEntry::default()
        }
    }

    #[test]
    fn what_keeps_sound_from_flowing_stands_out() {
        let check = |state, why, expected: &str| {
            let said = line(&guard(state, why));
            assert!(said.contains(expected), "{said}");
        };
        check("live", None, "lets sound flow; the light is on");
        check("idle", Some("idle"), "as nobody listens; the light is off");
        check("muted", None, "switch is at mute; the light is off");
        check("absent", None, "NOT ANSWER");
        check("unpaired", None, "earnest guard pair");
        check("cut", Some("watchdog"), "CUT the microphone");
        check("cut", Some("contradiction"), "NOT AS THE GUARD HAS IT");
        check("later\u{1b}", None, "the guard is later\u{fffd}");
    }

    #[test]
    fn what_happened_is_counted() {
        assert!(text(None).contains("guard.device"));
        let told = GuardEntry {
            identity: Some("0011223344556677".to_owned()),
            counts: Some(GuardCounts {
                boots: 3,
                sessions: 2,
                trips: 1,
                forged_ever: 9,
                ..GuardCounts::default()
            }),
            ..guard("live", None)
        };
        let expected = "the guard lets sound flow; the light is on\n\
                        it is 0011223344556677\n\
                        it has started 3 times, and was met 2 times since the daemon started\n\
                        it cut the microphone as the daemon was silent 1 times since the daemon \
                        started\n\
                        what came to it was NOT ITS HOST'S 9 times ever\n";
        assert_eq!(text(Some(&told)), expected);
    }
}
