//! A configuration that others may change.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::sys::signal::Signal;

use crate::sides::run;
use crate::trial::Trial;

/// How the daemon ends for a configuration that it does not take (`earnestd --help`).
const CONFIGURATION: i32 = 2;

#[test]
fn a_configuration_that_others_may_write_is_not_read() {
    let mut trial = Trial::usual();
    trial.daemon.signal(Signal::SIGTERM);
    assert!(trial.daemon.wait().success());
    let path = trial.daemon.sides.path("earnestd.toml");
    let mode = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    for others in [0o666, 0o606, 0o662, 0o777] {
        mode(others);
        for arguments in [&["--check"][..], &[]] {
            let said = run(trial.daemon.command().args(arguments)).failure(CONFIGURATION);
            assert!(said.contains("earnestd.toml"), "{others:o}: {said}");
            assert!(
                said.contains("others") || said.contains("writ"),
                "{others:o}: {said}"
            );
        }
    }
    mode(0o600);
    // Nor is one that a link leads to, which somebody else may own.
    let real = trial.daemon.sides.path("real.toml");
    fs::rename(&path, &real).unwrap();
    fs::set_permissions(&real, Permissions::from_mode(0o666)).unwrap();
    symlink(&real, &path).unwrap();
    run(trial.daemon.command().arg("--check")).failure(CONFIGURATION);
    fs::remove_file(&path).unwrap();
    fs::rename(&real, &path).unwrap();
    mode(0o600);
    trial.daemon.run_again();
    trial.is_well();
    // The doctor tells a person, while the daemon runs on what it has read.
    mode(0o666);
    let configuration = trial.daemon.sides.text("earnestd.toml");
    let examine = ["doctor", "--config", &configuration];
    let said = run(trial.daemon.earnest().args(examine));
    assert_eq!(said.code, 66, "{said:?}");
    assert!(said.stdout.contains("earnestd.toml"), "{said:?}");
    trial.is_well();
}
