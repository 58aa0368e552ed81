//! What the daemon is installed with: the unit keeps its walls, and systemd understands the
//! files. Needs systemd's own tools, which `systemd` of Debian brings; nothing is started.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most that `systemd-analyze security` may count against the unit, in tenths.
/// daemon/earnestd/dist/README.md says what it is made of.
const MOST_EXPOSURE: &str = "16";

/// Lines that each take something from the daemon. What is weakened here is weakened knowingly.
const WALLS: &[&str] = &[
    "Type=notify",
    "KillMode=mixed",
    "Restart=on-failure",
    "OOMPolicy=continue",
    "User=earnest",
    "Group=earnest",
    "UMask=0077",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "MemorySwapMax=0",
    "LimitMEMLOCK=infinity",
    "LimitCORE=0",
    "IPAddressDeny=any",
    "IPAddressAllow=localhost",
    "RestrictNetworkInterfaces=lo",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateMounts=yes",
    "StateDirectoryMode=0700",
    "NoExecPaths=/",
    "DevicePolicy=closed",
    "DeviceAllow=/dev/tpmrm0 rw",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
];

/// Settings that would break what the daemon is for; the unit says how.
const TRAPS: &[&str] = &[
    "PrivateNetwork",
    "PrivateUsers",
    "PrivateDevices",
    "ProtectProc=invisible",
    "ProtectProc=noaccess",
    "ProtectProc=ptraceable",
];

type Outcome = Result<(), Box<dyn Error>>;

fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/earnestd/dist")
}

/// A file's lines that say something.
fn lines(name: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let text = fs::read_to_string(dist().join(name))?;
    let said = text.lines().map(str::trim).filter(|line| {
        let comment = line.starts_with('#');
        !line.is_empty() && !comment
    });
    Ok(said.map(str::to_owned).collect())
}

/// The values of a key, in their order.
fn values(lines: &[String], key: &str) -> Vec<String> {
    let found = lines.iter().filter_map(|line| line.split_once('='));
    found
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// Runs a tool of systemd's and fails with what it says. It must say nothing where it is well.
fn systemd(program: &str, arguments: &[&str], folder: &Path, quiet: bool) -> Outcome {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}; Debian's `systemd` has it"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() && (said.trim().is_empty() || !quiet) {
        true => Ok(()),
        false => {
            let more = String::from_utf8_lossy(&output.stdout).into_owned();
            Err(format!("{program} {arguments:?}: {}\n{said}\n{more}", output.status).into())
        }
    }
}

/// The units in a folder of their own, with a program that is there.
fn units() -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for name in ["earnestd.service", "earnestd.socket"] {
        let text = fs::read_to_string(dist().join(name))?;
        // systemd looks whether the program is there, which only a device has.
        let text = text.replace("/usr/bin/earnestd", "/usr/bin/true");
        fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

#[test]
fn systemd_understands_the_units() -> Outcome {
    let folder = units()?;
    let names = ["./earnestd.service", "./earnestd.socket"];
    let arguments = ["verify", "--man=no", names[0], names[1]];
    systemd("systemd-analyze", &arguments, folder.path(), true)
}

#[test]
fn the_service_is_no_more_exposed_than_it_was() -> Outcome {
    let folder = units()?;
    let most = format!("--threshold={MOST_EXPOSURE}");
    let arguments = ["security", "--offline=true", &most, "./earnestd.service"];
    systemd("systemd-analyze", &arguments, folder.path(), false)
}

#[test]
fn the_unit_keeps_its_walls_and_stays_out_of_traps() -> Outcome {
    let service = lines("earnestd.service")?;
    for wall in WALLS {
        assert!(service.iter().any(|line| line == wall), "{wall} is gone");
    }
    for trap in TRAPS {
        let found = service.iter().find(|line| line.starts_with(trap));
        assert_eq!(found, None);
    }
    Ok(())
}

#[test]
fn workers_may_still_lock_themselves_in() -> Outcome {
    let filters = values(&lines("earnestd.service")?, "SystemCallFilter");
    let needed = [
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
        "seccomp",
        "capset",
    ];
    // A later line counts more than an earlier one.
    for call in needed {
        let names_it = |filter: &&String| filter.split([' ', '~']).any(|word| word == call);
        let last = filters.iter().rev().find(names_it);
        assert!(
            last.is_some_and(|filter| !filter.starts_with('~')),
            "{call}"
        );
    }
    Ok(())
}

#[test]
fn every_socket_is_loopback_or_the_groups() -> Outcome {
    let socket = lines("earnestd.socket")?;
    let expected = ["127.0.0.1:8473", "[::1]:8473", "/run/earnest/earnest.sock"];
    assert_eq!(values(&socket, "ListenStream"), expected);
    // Where clients look without a service manager, they look with one.
    let configuration = lines("earnestd.toml")?.join("\n");
    for place in expected {
        assert!(configuration.contains(&format!("\"{place}\"")), "{place}");
    }
    for other in [
        "ListenDatagram",
        "ListenSequentialPacket",
        "ListenFIFO",
        "Accept",
    ] {
        assert!(values(&socket, other).is_empty(), "{other}");
    }
    assert_eq!(values(&socket, "SocketMode"), ["0660"]);
    assert_eq!(values(&socket, "SocketGroup"), ["earnest"]);
    assert_eq!(values(&socket, "FileDescriptorName"), ["earnest"]);
    Ok(())
}

#[test]
fn the_tpm_is_the_daemons_alone_for_good() -> Outcome {
    let rules = lines("60-earnest-tpm.rules")?;
    let [managed, raw] = rules.as_slice() else {
        return Err(format!("expected are two rules: {rules:?}").into());
    };
    for final_assignment in ["OWNER:=\"earnest\"", "GROUP:=\"earnest\"", "MODE:=\"0600\""] {
        assert!(managed.contains(final_assignment), "{managed}");
    }
    assert!(managed.starts_with("SUBSYSTEM==\"tpmrm\""), "{managed}");
    for final_assignment in ["OWNER:=\"root\"", "GROUP:=\"root\"", "MODE:=\"0600\""] {
        assert!(raw.contains(final_assignment), "{raw}");
    }
    assert!(raw.starts_with("SUBSYSTEM==\"tpm\""), "{raw}");
    Ok(())
}

#[test]
fn systemd_makes_the_user_and_the_folders() -> Outcome {
    let root = tempfile::tempdir()?;
    let root_argument = format!("--root={}", root.path().display());
    fs::create_dir(root.path().join("etc"))?;
    let users = dist().join("earnest.sysusers");
    let users = users.to_str().ok_or("the path is text")?;
    let arguments = [root_argument.as_str(), "--dry-run", users];
    systemd("systemd-sysusers", &arguments, root.path(), false)?;

    // The folders need the user, which only root could make: as this process it will do.
    let folders = fs::read_to_string(dist().join("earnest.tmpfiles"))?;
    let folders = folders.replace("earnest earnest", "-       -");
    let folders = folders.replace("root    root", "-       -");
    let copy = root.path().join("folders.conf");
    fs::write(&copy, folders)?;
    let copy = copy.to_str().ok_or("the path is text")?;
    let arguments = [root_argument.as_str(), "--create", copy];
    systemd("systemd-tmpfiles", &arguments, root.path(), false)?;
    for folder in ["etc/earnest", "run/earnest", "var/lib/earnest"] {
        assert!(root.path().join(folder).is_dir(), "{folder}");
    }
    Ok(())
}
