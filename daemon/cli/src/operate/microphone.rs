//! `earnest microphone` and `earnest devices`: how the microphone is, who listens, whether it is
//! muted, and what else there is to take sound from.

use std::time::Duration;

use earnest_endpoint::shapes::{DeviceEntry, ListenerEntry, MicrophoneReport, StateLine};
use earnest_printable::printable;

use super::arguments::{Microphone, MicrophoneCommand, Seeing};
use super::failure::OperateError;
use super::table::table;
use super::{daemon, guard_line, say};
use crate::console::Console;
use crate::exit::Exit;
use crate::explain;
use crate::listen::loss;
use crate::output;

pub(super) fn run(microphone: &Microphone, console: &Console) -> Result<Exit, OperateError> {
    let said = match &microphone.command {
        None => {
            let seeing = &microphone.seeing;
            let daemon = daemon(&seeing.place)?;
            let report = daemon.ask_into_listener(daemon.client().microphone())?;
            return say(&report, seeing.format, text, console);
        }
        Some(MicrophoneCommand::Mute { app, place }) => {
            let daemon = daemon(place)?.into_listener(app.as_ref())?;
            daemon.ask_into_listener(daemon.client().mute(true))?;
            "the microphone is muted\n"
        }
        Some(MicrophoneCommand::Unmute { acting }) => {
            let daemon = acting.daemon()?;
            daemon.ask(daemon.client().mute(false))?;
            "the microphone is muted no more\n"
        }
    };
    Ok(output::say(said, console))
}

pub(super) fn devices(seeing: &Seeing, console: &Console) -> Result<Exit, OperateError> {
    let daemon = daemon(&seeing.place)?;
    let devices = daemon.ask_into_listener(daemon.client().devices())?;
    say(&devices, seeing.format, |found| rows(found), console)
}

fn text(report: &MicrophoneReport) -> String {
    let mut said: String = lines(report)
        .iter()
        .map(|line| format!("{}\n", printable(line)))
        .collect();
    for (count, what) in [
        (report.overruns, "sound was lost"),
        (report.losses, "the device was lost"),
    ] {
        if count > 0 {
            said.push_str(&format!("{what} {count} times since the daemon started\n"));
        }
    }
    said
}

/// What is heard, and then who hears it, a line each.
pub(crate) fn lines(report: &MicrophoneReport) -> Vec<String> {
    let listener = |listener: &ListenerEntry| {
        let ListenerEntry {
            app,
            uid,
            for_seconds,
            what,
        } = listener;
        let what = match what.as_str() {
            "commands" => "is told its commands",
            "text" => "reads all that is said",
            other => other,
        };
        let user = uid.map(|uid| format!(" of uid {uid}")).unwrap_or_default();
        let since = explain::span(Duration::from_secs(*for_seconds));
        format!("{app}{user} {what}, for {since}")
    };
    let mut lines = vec![heard(report)];
    lines.extend(report.guard.as_ref().map(guard_line));
    lines.extend(report.listeners.iter().map(listener));
    lines
}

fn heard(report: &MicrophoneReport) -> String {
    if !report.enabled {
        return "nothing: the configuration lets nobody listen to the microphone".to_owned();
    }
    let guard = report.guard.as_ref();
    if guard.is_some_and(|guard| guard.state == "muted") {
        return "nothing: the microphone is muted by the switch beside it".to_owned();
    }
    if report.muted {
        return "nothing: the microphone is muted, until `earnest microphone unmute`".to_owned();
    }
    let StateLine {
        state,
        device,
        rate,
        why,
        for_seconds,
    } = &report.state;
    let device = device.as_deref().unwrap_or("a device without a name");
    let at = rate
        .map(|rate| format!(" at {rate} Hz"))
        .unwrap_or_default();
    match state.as_str() {
        "withheld" => "nothing: the microphone is closed, as its guard does not agree".to_owned(),
        "off" => "nothing: the microphone is closed, as nobody listens".to_owned(),
        "warm" => "the microphone is OPEN, though nobody listens (`microphone.warm`)".to_owned(),
        "opening" => "nothing yet: the microphone is being opened".to_owned(),
        "open" => format!("the microphone is OPEN: {device}{at}"),
        "lost" => {
            let since = for_seconds.map(|seconds| explain::span(Duration::from_secs(seconds)));
            let since = since
                .map(|span| format!(", for {span}"))
                .unwrap_or_default();
            let why = loss(why.as_deref().unwrap_or_default());
            format!("nothing: {why}{since}; the daemon keeps trying")
        }
        other => format!("the microphone is {other}"),
    }
}

fn rows(devices: &[DeviceEntry]) -> String {
    if devices.is_empty() {
        return "this machine has no device that sound can be taken from\n".to_owned();
    }
    let numbers = |numbers: Vec<String>| match numbers.is_empty() {
        true => "not told".to_owned(),
        false => numbers.join(", "),
    };
    let row = |device: &DeviceEntry| {
        let mark = if device.is_default { "yes" } else { "" };
        [
            device.name.clone(),
            mark.to_owned(),
            numbers(device.rates.iter().map(u32::to_string).collect()),
            numbers(device.channels.iter().map(u16::to_string).collect()),
            device.description.clone(),
        ]
    };
    table(
        ["name", "default", "rates in Hz", "channels", "description"],
        devices.iter().map(row),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(changes: Value) -> MicrophoneReport {
        let mut report = json!({
            "enabled": true, "state": "open", "device": "USB Desk Mic", "rate": 16_000,
            "muted": false, "overruns": 0, "losses": 2,
            "listeners": [
                { "app": "notes", "uid": 1000, "for_seconds": 125, "what": "text" },
                { "app": "lamp", "uid": 1001, "for_seconds": 5, "what": "commands" },
            ],
        });
        let changes = changes.as_object().unwrap().clone();
        report.as_object_mut().unwrap().extend(changes);
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn it_is_told_what_is_heard_and_by_whom() {
        let said = text(&report(json!({})));
        let expected = "the microphone is OPEN: USB Desk Mic at 16000 Hz\n\
                        notes of uid 1000 reads all that is said, for 2 min 5 s\n\
                        lamp of uid 1001 is told its commands, for 5 s\n\
                        the device was lost 2 times since the daemon started\n";
        assert_eq!(said, expected);
    }

    #[test]
    fn a_microphone_that_hears_nothing_says_why() {
        let check = |changes: Value, expected: &str| {
            let line = heard(&report(changes));
            assert!(
                line.starts_with("nothing") && line.contains(expected),
                "{line}"
            );
        };
        check(json!({ "state": "off" }), "as nobody listens");
        check(json!({ "muted": true }), "earnest microphone unmute");
        check(
            json!({ "muted": true, "guard": { "state": "muted", "light": false } }),
            "by the switch beside it",
        );
        check(
            json!({ "state": "withheld", "why": "guard_absent" }),
            "guard does not agree",
        );
        check(json!({ "enabled": false }), "lets nobody listen");
        check(
            json!({ "state": "lost", "why": "vanished", "for_seconds": 61 }),
            "the microphone is gone, for 1 min 1 s",
        );
        let warm = heard(&report(json!({ "state": "warm" })));
        assert!(warm.contains("OPEN, though nobody listens"), "{warm}");
        assert_eq!(
            heard(&report(json!({ "state": "later" }))),
            "the microphone is later"
        );
    }

    #[test]
    fn devices_are_rows_that_move_no_terminal() {
        let devices = [
            DeviceEntry {
                name: "hw:0".to_owned(),
                description: "A\u{1b}[2J".to_owned(),
                is_default: true,
                rates: vec![16_000, 48_000],
                channels: vec![1, 2],
            },
            DeviceEntry {
                name: "null".to_owned(),
                ..DeviceEntry::default()
            },
        ];
        let said = rows(&devices);
        let expected = "name  default  rates in Hz   channels  description\n\
                        hw:0  yes      16000, 48000  1, 2      A\u{fffd}[2J\n\
                        null           not told      not told\n";
        assert_eq!(said, expected);
        assert!(rows(&[]).contains("no device"));
    }
}
