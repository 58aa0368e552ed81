//! What the daemon goes by and what it keeps: who can change it, and whether there is room.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{User, geteuid};

use super::configuration::Told;
use super::finding::Finding;

const RIGHTS: &str = "rights";
const STATE: &str = "state";
const ROOM: &str = "audit room";
const COLLECTOR: &str = "collector";

/// What lets others than the owner change a file or a folder.
const CHANGEABLE: u32 = 0o022;

/// In a folder with this bit, like /tmp, nobody replaces what is another's.
const STICKY: u32 = 0o1000;

/// What lets others than the owner see a folder.
const VISIBLE: u32 = 0o077;

/// The audit log's folder in that of the daemon's state.
const AUDIT_FOLDER: &str = "audit";

/// Most files of the audit log that are counted. At its usual size it has far fewer.
const MOST_FILES: usize = 4096;

/// Bytes below which the log is about to take nothing more, which stops all work.
const LEAST_ROOM: u64 = 8 << 20;

/// Looks at all of it.
pub(super) fn look(configuration: &Path, told: &Told) -> Vec<Finding> {
    let mut findings: Vec<Finding> = rights(configuration, &told.user).into_iter().collect();
    findings.push(state(&told.state, &told.user));
    findings.extend(room(&told.state, told.audit_megabytes << 20));
    findings.push(collector(told.collector.as_deref()));
    findings
}

/// The daemon's user, where there is one.
fn id_of(user: &str) -> Option<u32> {
    let user = User::from_name(user).ok().flatten();
    user.map(|user| user.uid.as_raw())
}

/// Whether root and the daemon alone have a say in the configuration. That it is there, the
/// configuration's own finding says.
fn rights(configuration: &Path, user: &str) -> Option<Finding> {
    let path = fs::canonicalize(configuration).ok()?;
    let owners = [Some(0), id_of(user), Some(geteuid().as_raw())];
    for place in path.ancestors() {
        let about = match fs::metadata(place) {
            Ok(about) => about,
            Err(error) => return Some(unseen(RIGHTS, place, &error)),
        };
        if let Some(finding) = foreign(place, &about, &owners) {
            return Some(finding);
        }
    }
    let found = format!(
        "nobody but root and its own user can change {}",
        path.display()
    );
    Some(Finding::ok(RIGHTS, found))
}

/// Whether somebody else has a say in a place.
fn foreign(place: &Path, about: &Metadata, owners: &[Option<u32>]) -> Option<Finding> {
    let (owner, mode) = (about.uid(), about.mode() & 0o7777);
    let path = place.display();
    if !owners.contains(&Some(owner)) {
        return Some(Finding::wrong(
            RIGHTS,
            format!("{path} belongs to uid {owner}, who so decides whom the daemon serves"),
            format!("sudo chown root {path}"),
        ));
    }
    let shared = about.is_dir() && mode & STICKY != 0;
    if shared || mode & CHANGEABLE == 0 {
        return None;
    }
    Some(Finding::wrong(
        RIGHTS,
        format!("{path} has mode {mode:04o}: others decide whom the daemon serves"),
        format!("sudo chmod go-w {path}"),
    ))
}

fn unseen(about: &'static str, path: &Path, error: &io::Error) -> Finding {
    match error.kind() {
        ErrorKind::PermissionDenied => Finding::warn(
            about,
            format!("{} may not be seen by this user", path.display()),
            "sudo earnest doctor",
        ),
        _ => Finding::wrong(
            about,
            format!("{}: {error}", path.display()),
            format!("ls -ld {}", path.display()),
        ),
    }
}

/// The folder of what the daemon keeps.
fn state(folder: &Path, user: &str) -> Finding {
    let path = folder.display();
    match fs::metadata(folder) {
        Ok(about) if !about.is_dir() => {
            let found = format!("{path} is no folder");
            Finding::wrong(STATE, found, format!("mv {path} elsewhere"))
        }
        Ok(about) => private(folder, about.uid(), about.mode() & 0o777, id_of(user)),
        Err(error) if error.kind() == ErrorKind::NotFound => Finding::warn(
            STATE,
            format!("{path} is not there yet: the daemon makes it when it starts"),
            "systemctl start earnestd",
        ),
        Err(error) => unseen(STATE, folder, &error),
    }
}

/// Whose a folder is that is to be the daemon's alone. Where the system has no such user, the
/// daemon is whoever started it.
fn private(folder: &Path, owner: u32, mode: u32, daemon: Option<u32>) -> Finding {
    let path = folder.display();
    let found = format!("{path} belongs to uid {owner} with mode {mode:04o}");
    let me = geteuid().as_raw();
    if daemon.is_some_and(|daemon| owner != daemon && owner != me && owner != 0) {
        let mend = format!("sudo chown -R earnest {path}, or name another as `state.folder`");
        return Finding::wrong(STATE, format!("{found}, who is not the daemon"), mend);
    }
    match mode & VISIBLE {
        0 => Finding::ok(STATE, found),
        _ => Finding::warn(
            STATE,
            format!("{found}: it is encrypted, and others need not see it at all"),
            format!("sudo chmod 700 {path}"),
        ),
    }
}

/// Whether the audit log has the room that it was given.
fn room(folder: &Path, most: u64) -> Option<Finding> {
    // Before the daemon's first start it is the folder above that will hold it.
    let there = folder.ancestors().find(|place| place.exists())?;
    let system = match statvfs(there) {
        Ok(system) => system,
        Err(error) => return Some(unseen(ROOM, there, &error.into())),
    };
    let block = system.fragment_size();
    let free = system.blocks_available().saturating_mul(block);
    let written = written(&folder.join(AUDIT_FOLDER));
    Some(enough(folder, free, most.saturating_sub(written)))
}

/// What the log has already. Nothing where this user may not look.
fn written(folder: &Path) -> u64 {
    let Ok(files) = fs::read_dir(folder) else {
        return 0;
    };
    let files = files.take(MOST_FILES).filter_map(Result::ok);
    let lengths = files.filter_map(|file| Some(file.metadata().ok()?.len()));
    lengths.fold(0, u64::saturating_add)
}

fn enough(folder: &Path, free: u64, wanted: u64) -> Finding {
    let path = folder.display();
    let found = format!(
        "{} MiB are free for {path}, and the audit log may take {} MiB more",
        free >> 20,
        wanted >> 20
    );
    let mend = format!("make room on the disk of {path}, or lower `audit.megabytes`");
    match (free < LEAST_ROOM, free < wanted) {
        (true, _) => Finding::wrong(
            ROOM,
            format!("{found}: what cannot be written down is not done"),
            mend,
        ),
        (false, true) => Finding::warn(ROOM, found, mend),
        (false, false) => Finding::ok(ROOM, found),
    }
}

/// Whether spans stay on this machine.
fn collector(told: Option<&str>) -> Finding {
    let Some(told) = told else {
        return Finding::ok(COLLECTOR, "none: no span leaves the daemon");
    };
    let mend = "name a loopback address as `traces.collector`, as 127.0.0.1:4318";
    match told.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => {
            Finding::ok(COLLECTOR, format!("{told} is of this machine"))
        }
        Ok(_) => Finding::wrong(COLLECTOR, format!("{told} is not of this machine"), mend),
        Err(_) => Finding::wrong(COLLECTOR, format!("{told} is no address"), mend),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::finding::Grade;
    use super::*;

    #[test]
    fn a_configuration_that_others_can_change_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("earnestd.toml");
        fs::write(&file, "").unwrap();
        let check = |path: &Path, mode: u32, expected: bool| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            let finding = rights(&file, "no such user here").unwrap();
            let named = finding.found.starts_with(&path.display().to_string());
            assert_eq!(
                finding.grade == Grade::Wrong && named,
                expected,
                "{finding}"
            );
        };
        check(&file, 0o644, false);
        check(&file, 0o666, true);
        check(&file, 0o620, true);
        check(&file, 0o600, false);
        check(folder.path(), 0o777, true);
        check(folder.path(), 0o1777, false);
        check(folder.path(), 0o700, false);
        assert_eq!(rights(&folder.path().join("none"), "root"), None);
        let about = fs::metadata(&file).unwrap();
        let finding = foreign(&file, &about, &[Some(about.uid().wrapping_add(1))]);
        assert_eq!(finding.unwrap().grade, Grade::Wrong);
    }

    #[test]
    fn the_state_is_the_daemons_alone() {
        let folder = tempfile::tempdir().unwrap();
        let grade = |mode: u32, daemon| {
            let me = geteuid().as_raw();
            private(folder.path(), me, mode, daemon).grade
        };
        assert_eq!(grade(0o700, None), Grade::Ok);
        assert_eq!(grade(0o755, None), Grade::Warn);
        let stranger = private(folder.path(), 4_000_000, 0o700, Some(4_000_001));
        assert_eq!(stranger.grade, Grade::Wrong);
        assert_eq!(state(&folder.path().join("none"), "u").grade, Grade::Warn);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(state(&file, "u").grade, Grade::Wrong);
    }

    #[test]
    fn the_audit_log_needs_its_room() {
        let grade =
            |free: u64, wanted: u64| enough(Path::new("/s"), free << 20, wanted << 20).grade;
        assert_eq!(grade(100, 64), Grade::Ok);
        assert_eq!(grade(32, 64), Grade::Warn);
        assert_eq!(grade(4, 64), Grade::Wrong);
        assert_eq!(grade(4, 0), Grade::Wrong);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1"), [0; 100]).unwrap();
        fs::write(folder.path().join("2"), [0; 50]).unwrap();
        assert_eq!(written(folder.path()), 150);
        assert_eq!(written(&folder.path().join("none")), 0);
        assert!(room(&folder.path().join("none/at/all"), 1).is_some());
    }

    #[test]
    fn spans_stay_on_this_machine() {
        let grade = |told| collector(told).grade;
        assert_eq!(grade(None), Grade::Ok);
        assert_eq!(grade(Some("127.0.0.1:4318")), Grade::Ok);
        assert_eq!(grade(Some("[::1]:4318")), Grade::Ok);
        assert_eq!(grade(Some("192.0.2.1:4318")), Grade::Wrong);
        assert_eq!(grade(Some("collector.example:4318")), Grade::Wrong);
    }
}
