//! Who listens to the microphone: the one thing that everybody in the room has a right to know.

use std::time::Duration;

use super::PageState;
use super::html::Html;
use super::words::{Count, Grouped, Spaced, Span};
use crate::shapes::{ListenerEntry, MicrophoneReport};

/// Most listeners that are shown: as many as a microphone usually has at once.
const MOST_LISTENERS: usize = 16;

/// The section of the microphone, where the daemon has one.
pub(crate) fn microphone(html: &mut Html, state: &PageState) {
    let Some(microphone) = &state.microphone else {
        return;
    };
    html.markup("<section class=\"wide\">\n<h2>Microphone ");
    let (tone, words) = standing(microphone);
    html.markup("<span class=\"badge ")
        .markup(tone)
        .markup("\">")
        .text(words)
        .markup("</span></h2>\n");
    if let (Some(device), Some(rate)) = (&microphone.state.device, microphone.state.rate) {
        html.markup("<p class=\"quiet\"><span class=\"data\">")
            .text(device)
            .markup("</span>, ")
            .text(Grouped(u64::from(rate)))
            .markup(" Hz</p>\n");
    }
    if let (Some(why), Some(seconds)) = (&microphone.state.why, microphone.state.for_seconds) {
        html.markup("<p class=\"warn\">Its device is lost (")
            .text(Spaced(why))
            .markup(") for ")
            .text(Span(Duration::from_secs(seconds)))
            .markup(" and is looked for.</p>\n");
    }
    listeners(html, &microphone.listeners);
    counts(html, microphone);
    html.markup("</section>\n");
}

/// How it stands: a class of the style, and words.
fn standing(microphone: &MicrophoneReport) -> (&'static str, &'static str) {
    match (microphone.enabled, microphone.muted) {
        (false, _) => ("note", "Turned off"),
        (true, true) => ("bad", "Muted"),
        (true, false) => match microphone.state.state.as_str() {
            "open" => ("warn", "Open"),
            "warm" => ("warn", "Open, and nobody listens"),
            "opening" => ("warn", "Being opened"),
            "lost" => ("warn", "Lost"),
            "withheld" => ("bad", "Cut by its guard"),
            _ => ("note", "Closed"),
        },
    }
}

fn listeners(html: &mut Html, listeners: &[ListenerEntry]) {
    if listeners.is_empty() {
        html.markup("<p class=\"quiet\">Nobody listens.</p>\n");
        return;
    }
    html.markup("<dl>\n");
    for listener in listeners.iter().take(MOST_LISTENERS) {
        html.markup("<div><dt><span class=\"data\">")
            .text(&listener.app)
            .markup("</span></dt><dd>");
        html.markup(match listener.what.as_str() {
            "commands" => "its commands alone, for ",
            _ => "all that is said, for ",
        });
        html.text(Span(Duration::from_secs(listener.for_seconds)))
            .markup("</dd></div>\n");
    }
    html.markup("</dl>\n");
    if let Some(rest @ 1..) = listeners.len().checked_sub(MOST_LISTENERS) {
        html.markup("<p class=\"quiet\">And ")
            .text(Count(rest as u64, ["listener", "listeners"]))
            .markup(" more.</p>\n");
    }
}

fn counts(html: &mut Html, microphone: &MicrophoneReport) {
    if microphone.overruns > 0 {
        html.markup("<p class=\"warn\">Sound was lost ")
            .text(Count(microphone.overruns, ["time", "times"]))
            .markup(", because the machine was too busy.</p>\n");
    }
    if microphone.losses > 0 {
        html.markup("<p class=\"quiet\">Its device was lost ")
            .text(Count(microphone.losses, ["time", "times"]))
            .markup(" since the daemon started.</p>\n");
    }
}
