//! `earnest app`: what each application may do.

use earnest_endpoint::shapes::{AppEntry, AppRequest, LimitsWish};

use super::arguments::{AddApp, App};
use super::calendar::{last_used, minute};
use super::failure::OperateError;
use super::table::{list, table};
use super::{certificate, daemon, say};
use crate::console::Console;
use crate::daemon::DaemonError;
use crate::exit::Exit;
use crate::output;

/// What an app without certificates, or without a list, has.
const NONE: &str = "none";

pub(super) fn run(command: &App, console: &Console) -> Result<Exit, OperateError> {
    match command {
        App::Add(add) => {
            let daemon = add.acting.daemon()?;
            let request = request(add);
            let entry = daemon.ask(daemon.client().add_app(&request))?;
            say(&entry, add.format, one, console)
        }
        App::List(seeing) => {
            let daemon = daemon(&seeing.place)?;
            let apps = daemon.ask(daemon.client().apps())?;
            say(&apps, seeing.format, |apps| all(apps), console)
        }
        App::Show { name, seeing } => {
            let daemon = daemon(&seeing.place)?;
            let apps = daemon.ask(daemon.client().apps())?;
            let found = apps.iter().find(|app| app.name == name.as_str());
            let found = found.ok_or(DaemonError::Unknown {
                what: "app",
                list: "`earnest app list`",
            })?;
            say(found, seeing.format, one, console)
        }
        App::Revoke { name, acting } => {
            let daemon = acting.daemon()?;
            daemon.ask(daemon.client().revoke_app(name.as_str()))?;
            let said = format!("{name} is revoked: its tokens and certificates have ended\n");
            Ok(output::say(&said, console))
        }
        App::Cert { name, out, acting } => certificate::certify(name, out, acting, console),
    }
}

fn request(add: &AddApp) -> AppRequest {
    let mut uids: Vec<u32> = add.users.iter().map(|user| user.0).collect();
    uids.sort_unstable();
    uids.dedup();
    AppRequest {
        name: add.name.to_string(),
        uids,
        scopes: add
            .scopes
            .iter()
            .map(|scope| scope.name().to_owned())
            .collect(),
        limits: LimitsWish {
            per_minute: add.rate,
            burst: add.burst,
            daily_sound_minutes: add.daily_minutes,
            at_once: add.at_once,
        },
        commands: add.commands.as_ref().map(ToString::to_string),
    }
}

/// All apps, a line each.
fn all(apps: &[AppEntry]) -> String {
    if apps.is_empty() {
        return "no app was added; `earnest app add` adds one\n".to_owned();
    }
    let row = |app: &AppEntry| {
        [
            app.name.clone(),
            app.state.clone(),
            numbers(&app.uids),
            app.scopes.join(" "),
            format!("{}/min", app.limits.per_minute),
            last_used(app.last_used),
        ]
    };
    let heads = ["NAME", "STATE", "USERS", "SCOPES", "RATE", "LAST USED"];
    table(heads, apps.iter().map(row))
}

/// All about one app.
fn one(app: &AppEntry) -> String {
    let limits = &app.limits;
    let mut lines = vec![
        ("name", app.name.clone()),
        ("state", app.state.clone()),
        ("users", numbers(&app.uids)),
        ("scopes", app.scopes.join(" ")),
        (
            "rate",
            format!(
                "{} requests a minute, {} in a row beyond it, {} at once",
                limits.per_minute, limits.burst, limits.at_once
            ),
        ),
        (
            "budget",
            format!("{} minutes of sound a day", limits.daily_sound_minutes),
        ),
        (
            "commands",
            app.commands.clone().unwrap_or_else(|| NONE.to_owned()),
        ),
        ("added", minute(app.created)),
        ("last used", last_used(app.last_used)),
    ];
    let mut name = "certificates";
    for certificate in &app.certificates {
        let end = minute(certificate.not_after);
        lines.push((name, format!("{}, until {end}", certificate.fingerprint)));
        name = "";
    }
    if app.certificates.is_empty() {
        lines.push((name, NONE.to_owned()));
    }
    list(lines)
}

/// Numbers in a row.
pub(super) fn numbers(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    numbers.join(" ")
}

#[cfg(test)]
mod tests {
    use earnest_endpoint::shapes::{AppLimitsEntry, CertificateEntry};

    use super::*;

    fn entry() -> AppEntry {
        AppEntry {
            name: "notes".to_owned(),
            uids: vec![1000, 1001],
            scopes: vec!["vad".to_owned(), "transcribe".to_owned()],
            limits: AppLimitsEntry {
                per_minute: 30,
                burst: 5,
                daily_sound_minutes: 60,
                at_once: 1,
            },
            commands: None,
            certificates: Vec::new(),
            state: "active".to_owned(),
            created: 1_709_210_096,
            last_used: None,
        }
    }

    #[test]
    fn an_app_is_told_with_all_that_it_may_do() {
        let said = one(&entry());
        for expected in [
            "users         1000 1001\n",
            "scopes        vad transcribe\n",
            "rate          30 requests a minute, 5 in a row beyond it, 1 at once\n",
            "budget        60 minutes of sound a day\n",
            "commands      none\n",
            "added         2024-02-29 12:34 UTC\n",
            "last used     never\n",
            "certificates  none\n",
        ] {
            assert!(said.contains(expected), "no {expected:?} in:\n{said}");
        }
        let certified = AppEntry {
            certificates: vec![CertificateEntry {
                fingerprint: "ab".repeat(32),
                not_after: 0,
            }],
            ..entry()
        };
        let said = one(&certified);
        assert!(said.contains("abab, until 1970-01-01 00:00 UTC"), "{said}");
    }

    #[test]
    fn apps_are_listed_a_line_each() {
        let said = all(&[entry(), entry()]);
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(said.contains("notes  active  1000 1001  vad transcribe  30/min  never"));
        assert!(all(&[]).contains("earnest app add"));
    }

    #[test]
    fn nothing_of_an_app_moves_a_terminal() {
        let strange = AppEntry {
            state: "a\u{1b}[2J\n".to_owned(),
            commands: Some("\u{9b}".to_owned()),
            ..entry()
        };
        for said in [one(&strange), all(std::slice::from_ref(&strange))] {
            assert!(!said.contains(['\u{1b}', '\u{9b}']), "{said}");
        }
    }
}
