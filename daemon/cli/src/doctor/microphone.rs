//! The microphone: whether sound can reach the daemon at all, and whether the device is there
//! that the configuration wishes for.
//!
//! No device is opened here: the daemon is asked, where this user may ask it.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use earnest_audio::DeviceWish;
use earnest_endpoint::shapes::{DeviceEntry, GuardEntry, MicrophoneReport};
use earnest_printable::describe;
use nix::unistd::{Group, User, getgrouplist};

use super::configuration::Told;
use super::finding::Finding;
use crate::daemon::{Daemon, DaemonError};
use crate::listen::loss;
use crate::operate::guard_line;

const ABOUT: &str = "microphone";
const SOUND: &str = "sound";
const GROUP: &str = "audio group";

/// Where ALSA's own configuration is, without which it opens no device.
const ALSA: &str = "/usr/share/alsa/alsa.conf";

/// Where the kernel puts sound devices.
const DEVICES: &str = "/dev/snd";

/// The group that sound devices belong to.
const AUDIO: &str = "audio";

/// Where units are that start the daemon.
const UNITS: [&str; 3] = [
    "/etc/systemd/system/earnestd.service",
    "/usr/lib/systemd/system/earnestd.service",
    "/lib/systemd/system/earnestd.service",
];

/// Longer than any unit.
const MAX_UNIT_BYTES: usize = 64 << 10;

/// What does without a microphone.
const WITHOUT: &str = "if it is to have none: enabled = false in [microphone] of the configuration";

/// Looks at what there is without the daemon.
pub(super) fn look(told: &Told) -> Vec<Finding> {
    if !told.microphone {
        let found = "off: the configuration lets nobody listen";
        return vec![Finding::ok(ABOUT, found)];
    }
    let devices = fs::read_dir(DEVICES)
        .map(drop)
        .map_err(|error| error.kind());
    vec![
        alsa(Path::new(ALSA)),
        sound(devices),
        group(&told.user, is_given_by_a_unit() || is_member(&told.user)),
    ]
}

/// Looks at what the daemon says of it.
pub(super) fn ask(daemon: &Daemon, told: &Told, report: Option<&MicrophoneReport>) -> Vec<Finding> {
    let Some(report) = report.filter(|report| report.enabled) else {
        return Vec::new();
    };
    let devices = daemon.ask(daemon.client().devices());
    let mut found = vec![state(report), device(&told.microphone_device, devices)];
    found.extend(report.guard.as_ref().map(guard));
    found
}

fn alsa(configuration: &Path) -> Finding {
    let place = configuration.display();
    match configuration.is_file() {
        true => Finding::ok(SOUND, format!("ALSA is here ({place})")),
        false => Finding::wrong(
            SOUND,
            format!("{place} is not there, and without it ALSA opens no device"),
            "apt-get install libasound2-data",
        ),
    }
}

fn sound(devices: Result<(), ErrorKind>) -> Finding {
    match devices {
        Ok(()) => Finding::ok(SOUND, format!("the kernel has sound devices ({DEVICES})")),
        Err(ErrorKind::NotFound) => Finding::warn(
            SOUND,
            format!("the kernel has no sound device ({DEVICES} is not there)"),
            format!("plug a microphone in; {WITHOUT}"),
        ),
        Err(error) => Finding::warn(
            SOUND,
            format!("{DEVICES} cannot be seen: {error}"),
            "sudo earnest doctor",
        ),
    }
}

/// Whether the daemon may open sound devices.
fn group(user: &str, may: bool) -> Finding {
    match may {
        true => Finding::ok(GROUP, format!("{user} may open sound devices")),
        false => Finding::warn(
            GROUP,
            format!("{user} is not in the group {AUDIO}, to which sound devices belong"),
            format!(
                "SupplementaryGroups={AUDIO} in earnestd.service; or: usermod -aG {AUDIO} {user}"
            ),
        ),
    }
}

fn is_given_by_a_unit() -> bool {
    let read = |path| earnest_files::read(Path::new(path), MAX_UNIT_BYTES).ok();
    UNITS.into_iter().filter_map(read).any(|unit| {
        let unit = String::from_utf8_lossy(&unit).into_owned();
        gives(&unit)
    })
}

/// Whether a unit puts its daemon into the group.
fn gives(unit: &str) -> bool {
    let groups = unit
        .lines()
        .filter_map(|line| line.trim().strip_prefix("SupplementaryGroups="));
    groups
        .flat_map(str::split_whitespace)
        .any(|group| group == AUDIO)
}

/// Whether a user is in the group, or is root, who needs none.
fn is_member(user: &str) -> bool {
    let Some(user) = User::from_name(user).ok().flatten() else {
        return false;
    };
    if user.uid.is_root() {
        return true;
    }
    let audio = Group::from_name(AUDIO).ok().flatten();
    let name = CString::new(user.name).ok();
    let groups = name.and_then(|name| getgrouplist(&name, user.gid).ok());
    let groups = groups.unwrap_or_default();
    audio.is_some_and(|audio| groups.contains(&audio.gid))
}

/// How the daemon has it.
fn state(report: &MicrophoneReport) -> Finding {
    if report.muted {
        let found = "muted, so that nothing is heard";
        return Finding::warn(ABOUT, found, "earnest microphone unmute");
    }
    match report.state.state.as_str() {
        "withheld" => Finding::warn(
            ABOUT,
            "closed, as its guard does not agree",
            "earnest guard status",
        ),
        "lost" => Finding::wrong(
            ABOUT,
            loss(report.state.why.as_deref().unwrap_or_default()),
            "earnest devices; then: journalctl -u earnestd",
        ),
        _ => Finding::ok(
            ABOUT,
            format!(
                "{}, and {} listen",
                report.state.state,
                report.listeners.len()
            ),
        ),
    }
}

/// How the guard beside it is.
fn guard(guard: &GuardEntry) -> Finding {
    const ABOUT: &str = "guard";
    let found = guard_line(guard);
    match (guard.state.as_str(), guard.why.as_deref()) {
        ("absent", _) => Finding::wrong(
            ABOUT,
            found,
            "plug it in; `guard.device` names its line, to which the daemon's user needs access",
        ),
        ("unpaired", _) => {
            Finding::wrong(ABOUT, found, "systemctl stop earnestd; earnest guard pair")
        }
        ("cut", Some("contradiction" | "memory")) => Finding::wrong(
            ABOUT,
            found,
            "have its board looked at; take no sound with it",
        ),
        ("connecting" | "cut", _) => Finding::warn(ABOUT, found, "earnest guard status"),
        _ => Finding::ok(ABOUT, found),
    }
}

/// Whether the device is there that is wished for.
fn device(wish: &str, devices: Result<Vec<DeviceEntry>, DaemonError>) -> Finding {
    const ABOUT: &str = "sound device";
    let devices = match devices {
        Ok(devices) => devices,
        Err(error) => return Finding::warn(ABOUT, describe(&error), "earnest devices"),
    };
    let pattern = match wish.parse() {
        Ok(DeviceWish::Named(pattern)) => pattern,
        Ok(DeviceWish::Default) => {
            return match devices.iter().find(|device| device.is_default) {
                Some(device) => Finding::ok(ABOUT, format!("{} is the default", device.name)),
                None => Finding::warn(
                    ABOUT,
                    "this machine has no default to take sound from",
                    format!("plug a microphone in; {WITHOUT}"),
                ),
            };
        }
        // The daemon takes no such configuration, and says so.
        Err(error) => return Finding::wrong(ABOUT, describe(&error), "earnest devices"),
    };
    let ranks = devices
        .iter()
        .filter_map(|device| Some((pattern.rank(&device.name, &device.description)?, device)));
    match ranks.min_by_key(|(rank, _)| *rank) {
        Some((_, device)) => Finding::ok(ABOUT, format!("{} is there", device.name)),
        None => Finding::wrong(
            ABOUT,
            format!("none has a name like {wish:?}, which `microphone.device` wishes for"),
            "earnest devices; then mend `microphone.device`, or plug it in",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;

    fn devices() -> Vec<DeviceEntry> {
        ["null", "USB Desk Mic"]
            .map(|name| DeviceEntry {
                name: name.to_owned(),
                is_default: name == "null",
                ..DeviceEntry::default()
            })
            .into()
    }

    #[test]
    fn the_device_that_is_wished_for_is_looked_for() {
        let check = |wish: &str, grade: Grade, found: &str| {
            let finding = device(wish, Ok(devices()));
            assert_eq!(finding.grade, grade, "{finding}");
            assert!(finding.found.contains(found), "{finding}");
        };
        check("", Grade::Ok, "null is the default");
        check("usb*", Grade::Ok, "USB Desk Mic is there");
        check("desk", Grade::Ok, "USB Desk Mic is there");
        check("other", Grade::Wrong, "like \"other\"");
        check("\u{1b}", Grade::Wrong, "cannot be printed");
        assert_eq!(device("", Ok(Vec::new())).grade, Grade::Warn);
        let busy = Err(DaemonError::Busy { after: None });
        assert_eq!(device("", busy).grade, Grade::Warn);
    }

    #[test]
    fn a_machine_without_sound_is_warned_of_and_without_alsa_it_is_wrong() {
        assert_eq!(sound(Ok(())).grade, Grade::Ok);
        assert_eq!(sound(Err(ErrorKind::NotFound)).grade, Grade::Warn);
        assert_eq!(sound(Err(ErrorKind::PermissionDenied)).grade, Grade::Warn);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alsa.conf");
        assert_eq!(alsa(&file).grade, Grade::Wrong);
        fs::write(&file, "").unwrap();
        assert_eq!(alsa(&file).grade, Grade::Ok);
    }

    #[test]
    fn the_daemon_is_in_the_group_by_its_unit_or_for_good() {
        assert!(gives("[Service]\nSupplementaryGroups=tss audio\n"));
        assert!(!gives(
            "[Service]\n# SupplementaryGroups=audio\nGroup=audio"
        ));
        assert!(is_member("root") && !is_member("no such user"));
        assert_eq!(group("earnest", true).grade, Grade::Ok);
        let finding = group("earnest", false);
        assert!(finding.mend.unwrap().contains("usermod -aG audio earnest"));
    }

    #[test]
    fn a_lost_device_is_wrong_and_a_muted_one_is_warned_of() {
        let report = |state: &str, muted| MicrophoneReport {
            enabled: true,
            muted,
            state: earnest_endpoint::shapes::StateLine {
                state: state.to_owned(),
                why: Some("denied".to_owned()),
                ..Default::default()
            },
            ..MicrophoneReport::default()
        };
        assert_eq!(state(&report("off", false)).grade, Grade::Ok);
        assert_eq!(state(&report("off", true)).grade, Grade::Warn);
        assert_eq!(state(&report("withheld", false)).grade, Grade::Warn);
        let lost = state(&report("lost", false));
        assert_eq!(lost.grade, Grade::Wrong);
        assert_eq!(lost.found, "the daemon may not open the microphone");
    }

    #[test]
    fn what_is_turned_off_is_not_looked_for() {
        let told = Told {
            microphone: false,
            ..Told::usual()
        };
        let findings = look(&told);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].grade, Grade::Ok);
    }
}
