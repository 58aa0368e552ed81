//! The device: its folder, its TPM, its policy, the fleet's word, and the sealed models.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use earnest_attester::content::{self, ContentError};
use earnest_attester::{Configuration, ConfigurationError, Folder, TpmChoice, keys, result};
use earnest_files::FileError;
use earnest_printable::describe;
use earnest_tpm::DeviceAddress;
use nix::unistd::{Uid, User, geteuid};

use super::configuration::{Told, in_path};
use super::finding::Finding;

/// The program of TPMs in software.
const SOFTWARE_TPM: &str = "swtpm";

/// The rights of others, and of the group, to a TPM that is one user's alone.
const NOT_THE_OWNERS: u32 = 0o077;

/// Looks at all of it.
pub(super) fn look(told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    match open(&told.device) {
        Ok((folder, configuration)) => {
            let place = folder.path().display();
            findings.push(Finding::ok("device", format!("{place} is provisioned")));
            findings.extend(tpm(&configuration.tpm, &told.user));
            findings.push(policy(&folder));
            findings.extend(told.result_key.as_deref().map(|key| verdict(&folder, key)));
        }
        Err(finding) => findings.push(finding),
    }
    findings.extend(told.packages.iter().map(|path| package(path)));
    findings.push(release_key(&told.release_key));
    findings
}

/// What shows more than this user may see.
fn as_root(about: &'static str, path: &Path) -> Finding {
    Finding::warn(
        about,
        format!("{} may not be seen by this user", path.display()),
        "sudo earnest doctor",
    )
}

/// The device's folder and what it was told about itself.
fn open(path: &Path) -> Result<(Folder, Configuration), Finding> {
    let provision = || {
        format!(
            "earnest tpm provision --device {} --tpm-real --root PEM --first-version FILE",
            path.display()
        )
    };
    let folder = Folder::open(path).map_err(|error| match denied(&error) {
        true => as_root("device", path),
        false => Finding::wrong("device", describe(&error), provision()),
    })?;
    match Configuration::load(&folder) {
        Ok(configuration) => Ok((folder, configuration)),
        Err(ConfigurationError::File(error)) if denied(&error) => Err(as_root("device", path)),
        Err(error) => Err(Finding::wrong("device", describe(&error), provision())),
    }
}

fn denied(error: &FileError) -> bool {
    match error {
        FileError::Read { error, .. } => error.kind() == ErrorKind::PermissionDenied,
        _ => false,
    }
}

fn tpm(choice: &TpmChoice, user: &str) -> Vec<Finding> {
    match choice {
        TpmChoice::At(DeviceAddress::Device(path)) => real_tpm(path, user),
        TpmChoice::Software => {
            let mut findings = vec![in_software("it is kept in the device's folder")];
            if in_path(SOFTWARE_TPM).is_none() {
                let found = format!("{SOFTWARE_TPM} is not in PATH");
                let mend = format!("apt install {SOFTWARE_TPM}");
                findings.push(Finding::wrong("TPM", found, mend));
            }
            findings
        }
        TpmChoice::At(DeviceAddress::Software { port }) => {
            vec![in_software(&format!("it is at port {port} of loopback"))]
        }
    }
}

fn in_software(place: &str) -> Finding {
    Finding::warn(
        "TPM",
        format!("a program, for development and no proof to anybody; {place}"),
        "earnest tpm provision --tpm-real, on a device",
    )
}

/// What the system says of a device's file.
#[derive(Debug, Clone, Copy)]
struct Owned {
    owner: u32,
    mode: u32,
}

fn real_tpm(path: &Path, user: &str) -> Vec<Finding> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) => {
            return vec![Finding::wrong(
                "TPM",
                format!("{}: {error}", path.display()),
                "enable the TPM in the firmware's settings; then: journalctl -k | grep -i tpm",
            )];
        }
    };
    let daemon = User::from_name(user).ok().flatten().map(|user| user.uid);
    let owned = Owned {
        owner: about.uid(),
        mode: about.mode() & 0o777,
    };
    let mut findings = vec![owner(path, owned, user, daemon)];
    // Opening sends the TPM nothing. Only who is the daemon, or root, is to be able to.
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let me = geteuid();
    findings.extend(reach(path, opened, me.is_root() || daemon == Some(me)));
    findings
}

/// Whose the TPM is.
fn owner(path: &Path, owned: Owned, user: &str, daemon: Option<Uid>) -> Finding {
    let Owned { owner, mode } = owned;
    let place = path.display();
    let mend = format!(
        "install 60-earnest-tpm.rules; until then: chown {user} {place} && chmod 600 {place}"
    );
    let Some(daemon) = daemon else {
        return Finding::wrong(
            "TPM's owner",
            format!("there is no user {user}, whose {place} is to be"),
            "systemd-sysusers earnest.conf",
        );
    };
    let found = format!("{place} belongs to uid {owner} with mode {mode:04o}");
    match (owner == daemon.as_raw(), mode & NOT_THE_OWNERS == 0) {
        (true, true) => Finding::ok("TPM's owner", format!("{found}: {user} alone")),
        (true, false) => Finding::wrong("TPM's owner", format!("{found}: others reach it"), mend),
        (false, _) => Finding::wrong("TPM's owner", format!("{found}, not to {user}"), mend),
    }
}

/// Whether it can be reached by who is to reach it.
fn reach(path: &Path, opened: std::io::Result<File>, may: bool) -> Option<Finding> {
    let place = path.display();
    match (opened, may) {
        (Ok(_), true) => Some(Finding::ok("TPM", format!("{place} opens"))),
        (Ok(_), false) => Some(Finding::wrong(
            "TPM",
            format!("{place} opens for this user, too, who is not the daemon"),
            "install 60-earnest-tpm.rules",
        )),
        (Err(error), false) if error.kind() == ErrorKind::PermissionDenied => None,
        (Err(error), _) => Some(Finding::wrong(
            "TPM",
            format!("{place}: {error}"),
            "journalctl -k | grep -i tpm",
        )),
    }
}

fn policy(folder: &Folder) -> Finding {
    match content::policy(folder) {
        Ok(policy) => Finding::ok(
            "policy",
            format!(
                "version {}: {} states open the model",
                policy.version(),
                policy.approvals().len()
            ),
        ),
        Err(ContentError::File(error)) if denied(&error) => as_root("policy", folder.path()),
        Err(error) => Finding::wrong(
            "policy",
            describe(&error),
            format!(
                "earnest tpm policy --device {} FILE",
                folder.path().display()
            ),
        ),
    }
}

/// The fleet's word. Whether it still holds only the TPM knows; the daemon says it.
fn verdict(folder: &Folder, key: &Path) -> Finding {
    let import = format!(
        "earnest result import --device {} --key {} FILE",
        folder.path().display(),
        key.display()
    );
    if let Err(error) = keys::results(key) {
        return Finding::wrong(
            "fleet's result",
            describe(&error),
            format!("put the fleet's key at {}", key.display()),
        );
    }
    match result::kept(folder) {
        Ok(Some(_)) => Finding::ok(
            "fleet's result",
            "one is here; whether it holds still, the gate says",
        ),
        Ok(None) => Finding::wrong("fleet's result", "none was imported", import),
        Err(error) if denied(&error) => as_root("fleet's result", folder.path()),
        Err(error) => Finding::wrong("fleet's result", describe(&error), import),
    }
}

fn package(path: &Path) -> Finding {
    let seal = || {
        let folder = path.parent().unwrap_or(path).display();
        format!("earnest model seal --release-key PEM --out {folder}")
    };
    match File::open(path).and_then(|file| file.metadata()) {
        Ok(about) if about.is_file() && about.len() > 0 => {
            Finding::ok("sealed model", format!("{} is there", path.display()))
        }
        Ok(_) => {
            let found = format!("{} is empty, or no file", path.display());
            Finding::wrong("sealed model", found, seal())
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => as_root("sealed model", path),
        Err(error) => {
            let found = format!("{}: {error}", path.display());
            Finding::wrong("sealed model", found, seal())
        }
    }
}

fn release_key(path: &Path) -> Finding {
    match keys::releases(path) {
        Ok(_) => Finding::ok("release key", format!("{} is one", path.display())),
        Err(keys::KeyFileError::File(error)) if denied(&error) => as_root("release key", path),
        Err(error) => Finding::wrong(
            "release key",
            describe(&error),
            format!("put the fleet's public release key at {}", path.display()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;

    #[test]
    fn the_tpm_is_the_daemons_alone() {
        let check = |owner_id, mode, daemon: Option<u32>, expected| {
            let owned = Owned {
                owner: owner_id,
                mode,
            };
            let daemon = daemon.map(Uid::from_raw);
            let found = owner(Path::new("/dev/tpmrm0"), owned, "earnest", daemon);
            assert_eq!(found.grade, expected, "{found}");
        };
        check(900, 0o600, Some(900), Grade::Ok);
        check(900, 0o660, Some(900), Grade::Wrong);
        check(900, 0o604, Some(900), Grade::Wrong);
        check(0, 0o600, Some(900), Grade::Wrong);
        check(0, 0o600, None, Grade::Wrong);
    }

    #[test]
    fn who_reaches_the_tpm_is_judged_by_who_it_is() {
        let path = Path::new("/dev/tpmrm0");
        let grade = |opened: std::io::Result<File>, may| {
            reach(path, opened, may).map(|finding| finding.grade)
        };
        let opens = || File::open("/dev/null");
        let refused = || Err(ErrorKind::PermissionDenied.into());
        assert_eq!(grade(opens(), true), Some(Grade::Ok));
        assert_eq!(grade(opens(), false), Some(Grade::Wrong));
        assert_eq!(grade(refused(), false), None);
        assert_eq!(grade(refused(), true), Some(Grade::Wrong));
        assert_eq!(
            grade(Err(ErrorKind::NotFound.into()), false),
            Some(Grade::Wrong)
        );
    }

    #[test]
    fn a_machine_that_holds_nothing_is_told_what_to_do_first() {
        let folder = tempfile::tempdir().unwrap();
        let told = Told {
            device: folder.path().join("device"),
            packages: [folder.path().join("speech"), folder.path().join("voice")],
            release_key: folder.path().join("release.pem"),
            ..Told::usual()
        };
        let findings = look(&told);
        assert!(findings.iter().all(|one| one.grade == Grade::Wrong));
        let mends: Vec<_> = findings.into_iter().filter_map(|one| one.mend).collect();
        assert!(mends[0].starts_with("earnest tpm provision --device"));
        assert_eq!(mends.len(), 4);
    }

    #[test]
    fn a_folder_without_a_device_is_not_provisioned() {
        let folder = tempfile::tempdir().unwrap();
        let refused = open(folder.path()).err().unwrap();
        assert_eq!(refused.grade, Grade::Wrong);
        assert!(refused.found.contains("provision"), "{refused}");
    }
}
