//! The sections of the page, in the order of their risk.

use std::cmp::Reverse;
use std::time::Duration;

use earnest_gate::{ModeName, Standing};
use earnest_telemetry::{AlertLevel, GateState};

use super::html::Html;
use super::verdict::is_whole;
use super::words::{Coarse, Count, Grouped, Spaced, Span};
use super::{AlertState, AppState, MOST_ALERTS, MOST_APPS, MOST_EVENTS, PageState};

/// Who behaves unusually, and what is done about it.
pub(crate) fn alerts(html: &mut Html, state: &PageState) {
    html.markup("<section class=\"wide\">\n<h2>Alerts</h2>\n");
    if state.alerts.is_empty() {
        html.markup("<p class=\"quiet\">None. Nobody is throttled or quarantined.</p>\n");
    } else {
        let mut alerts: Vec<&AlertState> = state.alerts.iter().collect();
        alerts.sort_by_key(|alert| (Reverse(alert.level), alert.since));
        html.markup("<ul class=\"alerts\">\n");
        for alert in alerts.iter().take(MOST_ALERTS) {
            one_alert(html, alert);
        }
        html.markup("</ul>\n");
        more(html, alerts.len(), MOST_ALERTS, ["alert", "alerts"]);
    }
    html.markup("</section>\n");
}

fn one_alert(html: &mut Html, alert: &AlertState) {
    html.markup("<li>").markup(badge(alert.level));
    html.element(" <b class=\"data\">", &alert.subject, "</b> <span>")
        .text(Spaced(alert.kind.name()))
        .markup("</span> <span class=\"quiet\">")
        .text(Coarse(alert.since))
        .markup(" ago, after ")
        .text(Count(alert.requests, ["request", "requests"]))
        .markup("</span> <code>earnest alerts release ")
        .text(alert.id)
        .markup("</code></li>\n");
}

const fn badge(level: AlertLevel) -> &'static str {
    match level {
        AlertLevel::Quarantine => "<span class=\"badge bad\">Quarantined</span>",
        AlertLevel::Throttle => "<span class=\"badge warn\">Throttled</span>",
        AlertLevel::Alert => "<span class=\"badge note\">Watched</span>",
    }
}

/// Who was turned away within the hour, by reason.
pub(crate) fn refusals(html: &mut Html, state: &PageState) {
    let refusals = &state.hour.refusals;
    let all: u64 = refusals.iter().map(|(_, count)| count).sum();
    html.markup("<section>\n<h2>Refused in the last hour <span class=\"sum\">")
        .text(Grouped(all))
        .markup("</span></h2>\n");
    if refusals.is_empty() {
        html.markup("<p class=\"quiet\">Nobody was turned away.</p>\n");
    } else {
        let most = refusals.iter().map(|(_, count)| *count).max();
        let most = most.unwrap_or(1).max(1);
        html.markup("<table class=\"bars\">\n");
        for (reason, count) in refusals {
            html.markup("<tr><th scope=\"row\">")
                .text(Spaced(reason.name()))
                .markup("</th><td class=\"number\">")
                .text(Grouped(*count))
                .markup("</td><td class=\"bar\">");
            bar(
                html,
                *count as f64 / most as f64,
                match reason.is_of_identity() {
                    true => "<svg class=\"bad\"",
                    false => "<svg class=\"note\"",
                },
            );
            html.markup("</td></tr>\n");
        }
        html.markup("</table>\n");
        if refusals.iter().any(|(reason, _)| reason.is_of_identity()) {
            html.markup(
                "<p class=\"quiet\"><span class=\"key bad\"></span> not believed to be who they \
                 say they are</p>\n",
            );
        }
    }
    html.markup("</section>\n");
}

/// A bar of a share from 0 to 1. Its width is an attribute, as the page's policy allows no style
/// in it.
fn bar(html: &mut Html, share: f64, open: &'static str) {
    // What is there is seen, be it ever so little.
    let width = match share {
        share if share.is_nan() || share <= 0.0 => 0.0,
        share => (share * 100.0).clamp(1.0, 100.0),
    };
    html.markup(open)
        .markup(
            " viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect class=\"ground\" width=\"100\" height=\"10\"/><rect width=\"",
        )
        .text(format_args!("{width:.0}"))
        .markup("\" height=\"10\"/></svg>");
}

/// Where the gate stands, what is proved, and until when.
pub(crate) fn gate(html: &mut Html, state: &PageState) {
    let gate = &state.gate;
    html.markup("<section class=\"tall\">\n<h2>Gate and proof</h2>\n<dl>\n");
    let tone = match gate.state {
        GateState::Attested => Tone::Good,
        GateState::Grace | GateState::Unsealed | GateState::Sealed => Tone::Warn,
        GateState::Closed => Tone::Bad,
    };
    row(
        html,
        "State",
        tone,
        format_args!(
            "{}, {} for {}",
            gate.state,
            Spaced(gate.reason.name()),
            Span(Duration::from_secs(gate.for_seconds))
        ),
    );
    let mode = match gate.mode {
        ModeName::Local => "local: the TPM's own unsealing is the proof",
        ModeName::Fleet => "fleet: a verifier has to vouch for this device",
    };
    row(html, "Mode", Tone::Plain, mode);
    let tpm = match state.software_tpm {
        true => (Tone::Warn, "software TPM, for development alone"),
        false => (Tone::Plain, "the machine's own"),
    };
    row(html, "TPM", tpm.0, tpm.1);
    proved(html, state);
    match state.self_test {
        Some(test) if test.passed => row(
            html,
            "Self-test",
            Tone::Good,
            format_args!("passed {} ago", Span(test.ago)),
        ),
        Some(test) => row(
            html,
            "Self-test",
            Tone::Bad,
            format_args!("failed {} ago", Span(test.ago)),
        ),
        None => row(html, "Self-test", Tone::Warn, "not yet"),
    }
    match state.sandbox.as_deref() {
        Some(level) if is_whole(level) => row(html, "Sandbox", Tone::Good, level),
        Some(level) => row(html, "Sandbox", Tone::Warn, level),
        None => row(html, "Sandbox", Tone::Plain, "no worker ran yet"),
    }
    audit(html, state);
    html.markup("</dl>\n</section>\n");
}

/// What the gate has been shown.
fn proved(html: &mut Html, state: &PageState) {
    let gate = &state.gate;
    match &gate.package {
        Some(digest) => {
            row(
                html,
                "Boot",
                Tone::Good,
                "approved: the TPM unsealed the model",
            );
            row(html, "Model", Tone::Plain, Short(digest));
        }
        None => row(html, "Boot", Tone::Warn, "nothing is unsealed"),
    }
    if gate.mode != ModeName::Fleet {
        return;
    }
    let left = gate
        .seconds_left
        .map(|left| Span(Duration::from_secs(left)));
    match (gate.standing, left) {
        (Some(standing), Some(left)) => row(
            html,
            "Verifier",
            match (gate.state, standing) {
                (GateState::Attested, Standing::Affirming) => Tone::Good,
                _ => Tone::Warn,
            },
            match (gate.state, standing) {
                (GateState::Grace, _) => format!("its word has expired; {left} of grace left"),
                (_, Standing::Affirming) => format!("vouches for {left} more"),
                (_, Standing::Warning) => format!("vouches with a warning for {left} more"),
            },
        ),
        _ => row(html, "Verifier", Tone::Warn, "has not vouched"),
    }
}

fn audit(html: &mut Html, state: &PageState) {
    let audit = &state.audit;
    let entries = Count(audit.entries, ["entry", "entries"]);
    match (audit.writable, audit.lost) {
        (false, _) => row(html, "Audit log", Tone::Bad, "cannot be written"),
        (true, 0) => row(
            html,
            "Audit log",
            Tone::Good,
            format_args!("written, {entries}"),
        ),
        (true, lost) => row(
            html,
            "Audit log",
            Tone::Warn,
            format_args!("written, {entries}, {} missing", Grouped(lost)),
        ),
    }
    match audit.anchored_ago {
        Some(ago) => row(
            html,
            "Its anchor",
            Tone::Plain,
            format_args!("in the TPM {} ago", Span(ago)),
        ),
        None => row(html, "Its anchor", Tone::Plain, "not yet in the TPM"),
    }
}

/// How a value is coloured. Its words say the same.
#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

fn row(html: &mut Html, name: &'static str, tone: Tone, value: impl std::fmt::Display) {
    html.markup("<div><dt>").markup(name).markup(match tone {
        Tone::Plain => "</dt><dd>",
        Tone::Good => "</dt><dd class=\"good\">",
        Tone::Warn => "</dt><dd class=\"warn\">",
        Tone::Bad => "</dt><dd class=\"bad\">",
    });
    html.text(value).markup("</dd></div>\n");
}

/// The beginning of a digest, which is enough to compare by eye.
struct Short<'a>(&'a str);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: String = self.0.chars().take(16).collect();
        write!(formatter, "package {shown}…")
    }
}

/// How busy it is.
pub(crate) fn load(html: &mut Html, state: &PageState) {
    html.markup("<section>\n<h2>Load</h2>\n");
    let hour = &state.hour;
    match &state.load {
        Some(load) => {
            html.markup("<p class=\"figure\"><b>")
                .text(load.working)
                .markup("</b> of ")
                .text(load.most)
                .markup(" workers at work</p>\n<p class=\"bar\">");
            let full = load.working >= load.most;
            bar(
                html,
                load.working as f64 / load.most.max(1) as f64,
                match full {
                    true => "<svg class=\"warn\"",
                    false => "<svg class=\"good\"",
                },
            );
            html.markup("</p>\n<dl>\n");
            let tone = match load.waiting {
                0 => Tone::Plain,
                _ => Tone::Warn,
            };
            row(html, "Waiting", tone, Grouped(load.waiting as u64));
            row(
                html,
                "Processes",
                Tone::Plain,
                Grouped(load.processes as u64),
            );
        }
        None => {
            html.markup("<p class=\"quiet\">There are no workers while the gate is closed.</p>\n");
            html.markup("<dl>\n");
        }
    }
    let all: u64 = hour.requests.iter().map(|count| u64::from(*count)).sum();
    let last = hour.requests.iter().rev().nth(1).copied().unwrap_or(0);
    row(
        html,
        "Requests, last minute",
        Tone::Plain,
        Grouped(u64::from(last)),
    );
    row(html, "Requests, last hour", Tone::Plain, Grouped(all));
    row(html, "Sound, last hour", Tone::Plain, Span(hour.sound));
    html.markup("</dl>\n");
    minutes(html, &hour.requests);
    html.markup("</section>\n");
}

/// The requests of the last hour, a column a minute.
fn minutes(html: &mut Html, requests: &[u32]) {
    let most = requests.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return;
    }
    html.markup("<svg class=\"minutes\" viewBox=\"0 0 120 24\" preserveAspectRatio=\"none\" ")
        .markup("role=\"img\" aria-label=\"Requests by minute, at most ")
        .text(most)
        .markup("\">");
    for (place, count) in requests.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (24.0 * f64::from(*count) / f64::from(most)).max(0.5);
        html.markup("<rect x=\"")
            .text(2 * place)
            .markup("\" y=\"")
            .text(format_args!("{:.1}", 24.0 - height))
            .markup("\" width=\"1.6\" height=\"")
            .text(format_args!("{height:.1}"))
            .markup("\"/>");
    }
    html.markup("</svg>\n<p class=\"quiet\">Requests by minute; the highest column has ")
        .text(Grouped(u64::from(most)))
        .markup(".</p>\n");
}

/// Who may use the device.
pub(crate) fn apps(html: &mut Html, state: &PageState) {
    html.markup("<section class=\"wide\">\n<h2>Applications</h2>\n");
    if state.apps.is_empty() {
        html.markup("<p class=\"quiet\">None may use this device.</p>\n");
    } else {
        let mut apps: Vec<&AppState> = state.apps.iter().collect();
        // Who uses it most lately comes first, and who never did, last.
        apps.sort_by_key(|app| (app.revoked, app.last_used.unwrap_or(Duration::MAX)));
        html.markup(
            "<table class=\"apps\">\n<thead><tr><th scope=\"col\">Name</th>\
             <th scope=\"col\">May</th><th scope=\"col\">Last used</th>\
             <th scope=\"col\">Day's sound</th></tr></thead>\n<tbody>\n",
        );
        for app in apps.iter().take(MOST_APPS) {
            one_app(html, app, &state.alerts);
        }
        html.markup("</tbody>\n</table>\n");
        more(html, apps.len(), MOST_APPS, ["application", "applications"]);
    }
    if state.findings > 0 {
        html.markup("<p class=\"warn\">The access review has ")
            .text(Count(state.findings as u64, ["finding", "findings"]))
            .markup(": <code>earnest access review</code></p>\n");
    }
    html.markup("</section>\n");
}

fn one_app(html: &mut Html, app: &AppState, alerts: &[AlertState]) {
    html.markup("<tr><th scope=\"row\"><span class=\"data\">")
        .text(&app.name)
        .markup("</span>");
    let worst = alerts.iter().filter(|alert| alert.subject == app.name);
    match (app.revoked, worst.map(|alert| alert.level).max()) {
        (true, _) => html.markup(" <span class=\"badge note\">Revoked</span>"),
        (false, Some(level)) => html.markup(" ").markup(badge(level)),
        (false, None) => html,
    };
    html.markup("</th><td data-label=\"May\">");
    for (place, scope) in app.scopes.iter().enumerate() {
        html.markup(if place == 0 { "" } else { ", " }).text(scope);
    }
    if app.scopes.is_empty() {
        html.markup("nothing");
    }
    html.markup("</td><td data-label=\"Last used\">");
    match app.last_used {
        Some(ago) if ago < Duration::from_secs(3600) => html.markup("within the hour"),
        Some(ago) => html.text(Coarse(ago)).markup(" ago"),
        None => html.markup("never"),
    };
    html.markup("</td><td class=\"bar\" data-label=\"Day's sound\">");
    match app.budget_used {
        Some(share) => {
            bar(
                html,
                share,
                match share {
                    share if share >= 1.0 => "<svg class=\"bad\"",
                    share if share >= 0.8 => "<svg class=\"warn\"",
                    _ => "<svg class=\"good\"",
                },
            );
            let percent = (share * 100.0).clamp(0.0, 999.0);
            html.markup(" <span>")
                .text(format_args!("{percent:.0} %"))
                .markup("</span>");
        }
        None => {
            html.markup("no limit");
        }
    }
    html.markup("</td></tr>\n");
}

/// What happened last.
pub(crate) fn events(html: &mut Html, state: &PageState) {
    html.markup("<section class=\"wide\">\n<h2>Last events</h2>\n");
    if state.events.is_empty() {
        html.markup("<p class=\"quiet\">None yet.</p>\n");
    } else {
        html.markup("<ol class=\"events\">\n");
        for event in state.events.iter().take(MOST_EVENTS) {
            html.markup("<li><span class=\"quiet\">")
                .text(Coarse(event.ago))
                .markup("</span> <span class=\"data\">")
                .text(&event.text)
                .markup("</span></li>\n");
        }
        html.markup("</ol>\n");
    }
    html.markup("</section>\n");
}

/// Says how many there are beyond what is shown.
fn more(html: &mut Html, all: usize, shown: usize, what: [&'static str; 2]) {
    if let Some(rest @ 1..) = all.checked_sub(shown) {
        html.markup("<p class=\"quiet\">And ")
            .text(Count(rest as u64, what))
            .markup(" more.</p>\n");
    }
}
