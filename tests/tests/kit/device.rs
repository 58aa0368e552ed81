//! A provisioned device with sealed models, made once and copied for each test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::sides::Sides;
use crate::support::program;

/// The device's name in its fleet and its folder's.
pub(crate) const DEVICE: &str = "device";

/// A PCR that the firmware extends at boot, and the seal is bound to.
pub(crate) const BOOT_PCR: u8 = 7;

/// Two sides of which the device is enrolled, sealed and approved. Its TPM runs: it was booted by
/// `earnest`, because the pretended boot measures the program that finds a new TPM first.
pub(crate) fn sealed_device(through: &[String]) -> Sides {
    let sides = Sides::copy_of(&prepared(), through);
    sides.device(&["tpm", "status"]).success();
    sides
}

/// Where the device's TPM takes commands.
fn tpm_port(sides: &Sides) -> String {
    let path = sides.path(DEVICE).join("software-tpm/address");
    let address = std::fs::read_to_string(path).expect("it runs");
    let digits = address.trim().rsplit(['=', ':']).next();
    digits.expect("an address ends with its port").to_owned()
}

/// Measures something more into a PCR, as a stranger's tool does.
pub(crate) fn extend(sides: &Sides, pcr: u8) {
    let tpm = format!("swtpm:host=127.0.0.1,port={}", tpm_port(sides));
    let event = format!("{pcr}:sha256={}", "5a".repeat(32));
    let mut command = sides.command("tpm2_pcrextend");
    crate::sides::run(command.args(["--tcti", &tpm, &event])).success();
}

/// The folder that is copied. Tests that run as processes of their own share it, and it is made
/// anew for other programs, in which the seal would not open.
fn prepared() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("devices");
    fs::create_dir_all(&home).expect("there is room for a folder");
    let lock = File::create(home.join("lock")).expect("there is room for a file");
    lock.lock().expect("the file can be locked");
    let folder = home.join(key(&[program("earnest"), program("earnest-fleet")]));
    if folder.exists() {
        return folder;
    }
    // Devices of earlier programs serve nobody any more.
    for old in fs::read_dir(&home)
        .expect("the folder is readable")
        .flatten()
    {
        if old.path().is_dir() {
            fs::remove_dir_all(old.path()).expect("nobody else removes it");
        }
    }
    let sides = make();
    let new = home.join("new");
    sides.copy_to(&new);
    fs::rename(&new, &folder).expect("nobody else makes it");
    folder
}

fn make() -> Sides {
    let sides = Sides::new();
    sides.provision(DEVICE, &[]);
    sides.enrol(DEVICE);
    sides.seal(DEVICE);
    sides.prove(DEVICE, "approved");
    sides.approve(DEVICE, "approved", "1").success();
    sides.power_off(DEVICE);
    sides
}

/// A name for what these programs make: by their sizes and times, which a build changes.
fn key(programs: &[PathBuf]) -> String {
    let parts = programs.iter().map(|program| {
        let about = fs::metadata(program).expect("the program is built");
        let time = about.modified().expect("this system keeps times");
        let time = time.duration_since(UNIX_EPOCH).expect("is after 1970");
        format!("{:x}-{:x}", about.len(), time.as_nanos())
    });
    parts.collect::<Vec<_>>().join("-")
}
