//! A device and a fleet, each a command with a folder; between them are files alone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The two sides of one test. The device's software TPM ends with them.
pub(crate) struct Sides {
    home: TempDir,
    /// What every program is started by: nothing, or what enters another network.
    through: Vec<String>,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Answer {
    fn of(output: Output) -> Answer {
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a command that ended well.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Standard error of a command that ended with `code`.
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.stderr
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output();
    Answer::of(output.unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

impl Sides {
    /// A fleet with its keys, and nothing else yet.
    pub(crate) fn new() -> Sides {
        let sides = Sides::empty();
        let (keys, first) = (sides.text("keys"), sides.text("first-version"));
        sides.fleet(&["keys", "init", "--keys", &keys]).success();
        let allow = ["policy", "allow-version", "--first", "--version", "1"];
        let place = ["--keys", &keys, "--out", &first];
        sides.fleet(&[&allow[..], &place].concat()).success();
        sides
    }

    /// Nothing yet.
    fn empty() -> Sides {
        Sides {
            home: tempfile::tempdir().expect("there is room for a folder"),
            through: Vec::new(),
        }
    }

    /// The same two sides as in the folder `from`, at which nothing may run: device and fleet
    /// have their keys and know each other.
    pub(crate) fn copy_of(from: &Path, through: &[String]) -> Sides {
        let mut sides = Sides::empty();
        sides.through = through.to_vec();
        copy(from, sides.home.path());
        sides
    }

    /// Leaves a copy in the folder `to`, which must not be there.
    pub(crate) fn copy_to(&self, to: &Path) {
        copy(self.home.path(), to);
    }

    /// The program of this name, with nothing on its standard input.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut line = self.through.iter().map(OsStr::new);
        let mut command = match line.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(line).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.stdin(Stdio::null());
        command
    }

    /// A path of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Runs `earnest` for the device in the folder `device`.
    pub(crate) fn device_in(&self, device: &str, arguments: &[&str]) -> Answer {
        run(self
            .command(crate::support::program("earnest"))
            .args(arguments)
            .env("EARNEST_DEVICE", self.path(device))
            .env("EARNEST_MODELS", crate::support::models()))
    }

    /// Runs `earnest` for the device.
    pub(crate) fn device(&self, arguments: &[&str]) -> Answer {
        self.device_in("device", arguments)
    }

    /// Runs `earnest-fleet`.
    pub(crate) fn fleet(&self, arguments: &[&str]) -> Answer {
        run(Command::new(crate::support::program("earnest-fleet")).args(arguments))
    }

    /// Provisions the device in a folder.
    pub(crate) fn provision(&self, device: &str, options: &[&str]) {
        self.try_to_provision(device, options).success();
    }

    /// Tries to provision the device in a folder.
    pub(crate) fn try_to_provision(&self, device: &str, options: &[&str]) -> Answer {
        let (root, first) = (self.text("keys/root.pub.pem"), self.text("first-version"));
        let provision = [
            "tpm",
            "provision",
            "--root",
            &root,
            "--first-version",
            &first,
        ];
        self.device_in(device, &[&provision[..], options].concat())
    }

    /// Enrols the device in a folder under its folder's name, in a policy that takes software.
    pub(crate) fn enrol(&self, device: &str) {
        let state = self.text("state");
        if !self.path("state").exists() {
            self.policy(device, &["--allow-software-tpm"]).success();
        }
        let file = |name: &str| self.text(&format!("{device}-{name}"));
        let (request, challenge, answer) = (file("request"), file("challenge"), file("answer"));
        let ask = ["tpm", "enroll", "--name", device, "--out", &request];
        self.device_in(device, &ask).success();
        let check = ["enroll", "challenge", "--device", &request];
        let place = ["--state", &state, "--out", &challenge];
        self.fleet(&[&check[..], &place].concat()).success();
        let activate = ["tpm", "activate", &challenge, "--out", &answer];
        self.device_in(device, &activate).success();
        let finish = ["enroll", "finish", "--answer", &answer, "--state", &state];
        self.fleet(&finish).success();
    }

    /// Writes a policy of verification that knows the authority of a device's TPM.
    pub(crate) fn policy(&self, device: &str, options: &[&str]) -> Answer {
        let (state, authority) = (
            self.text("state"),
            format!("{device}/software-tpm/authority"),
        );
        let root = self.text(&format!("{authority}/swtpm-localca-rootca-cert.pem"));
        let issuer = self.text(&format!("{authority}/issuercert.pem"));
        let kind = match options.contains(&"--allow-software-tpm") {
            true => "--software-anchor",
            false => "--anchor",
        };
        let new = ["policy", "new", "--name", "test", "--state", &state];
        let anchors = [kind, &root, kind, &issuer];
        self.fleet(&[&new[..], &anchors, options].concat())
    }

    /// A nonce that the device may answer.
    pub(crate) fn nonce(&self, device: &str) -> String {
        let state = self.text("state");
        let issued = self.fleet(&["challenge", "--device", device, "--state", &state]);
        issued.success().trim().to_owned()
    }

    /// Evidence for a nonce, in the folder `out`.
    pub(crate) fn attest(&self, device: &str, nonce: &str, out: &str) -> Answer {
        let out = self.text(out);
        self.device_in(device, &["attest", "--nonce", nonce, "--out", &out])
    }

    /// Evidence for a nonce of the fleet, in the folder `out`.
    pub(crate) fn prove(&self, device: &str, out: &str) {
        self.attest(device, &self.nonce(device), out).success();
    }

    /// Verifies the evidence in the folder `out` against `reference`, with a result.
    pub(crate) fn verify(&self, out: &str, reference: &str, ear: &str) -> Answer {
        let evidence = self.text(&format!("{out}/evidence.cbor"));
        let (state, keys) = (self.text("state"), self.text("keys"));
        let (reference, ear) = (self.text(reference), self.text(ear));
        let verify = ["verify", &evidence, "--reference", &reference];
        let place = ["--state", &state, "--keys", &keys, "--ear", &ear];
        self.fleet(&[&verify[..], &place].concat())
    }

    /// Reference values of the evidence in the folder `out`.
    pub(crate) fn reference(&self, out: &str, reference: &str) {
        let evidence = self.text(&format!("{out}/evidence.cbor"));
        let (state, reference) = (self.text("state"), self.text(reference));
        let make = ["reference", "from-evidence", &evidence, "--name", "good"];
        let place = ["--state", &state, "--out", &reference];
        self.fleet(&[&make[..], &place].concat()).success();
    }

    /// Signs a policy that opens the seal in the state of the evidence in the folder `out`, and
    /// gives it to the device.
    pub(crate) fn approve(&self, device: &str, out: &str, version: &str) -> Answer {
        let evidence = self.text(&format!("{out}/evidence.cbor"));
        let (keys, state, policy) = (self.text("keys"), self.text("state"), self.text("policy"));
        let sign = [
            "policy",
            "sign",
            "--version",
            version,
            "--evidence",
            &evidence,
        ];
        let place = ["--keys", &keys, "--state", &state, "--out", &policy];
        self.fleet(&[&sign[..], &place].concat()).success();
        self.device_in(device, &["tpm", "policy", &policy])
    }

    /// Seals the tiny model for the device, into the folder `sealed`.
    pub(crate) fn seal(&self, device: &str) -> String {
        let (key, sealed) = (self.text("keys/release-1.key.pem"), self.text("sealed"));
        let seal = ["model", "seal", "--release-key", &key, "--out", &sealed];
        self.device_in(device, &seal).success()
    }

    /// Opens the sealed model.
    pub(crate) fn unseal_check(&self, device: &str) -> Answer {
        let (key, sealed) = (self.text("keys/release-1.pub.pem"), self.text("sealed"));
        let check = ["model", "unseal-check", &sealed, "--release-key", &key];
        self.device_in(device, &check)
    }

    /// Ends a device's software TPM; its next start is another boot.
    pub(crate) fn power_off(&self, device: &str) {
        self.device_in(device, &["tpm", "stop"]).success();
    }

    /// Copies a device's folder, its TPM left out.
    pub(crate) fn copy_disk(&self, from: &str, to: &str) {
        for entry in std::fs::read_dir(self.path(from)).expect("the device has a folder") {
            let entry = entry.expect("the device's folder is readable");
            if entry.path().is_file() {
                let target = self.path(to).join(entry.file_name());
                std::fs::copy(entry.path(), target).expect("a file of the device is readable");
            }
        }
    }
}

/// Copies a folder and all in it, into one that may be there.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("there is room for a folder");
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("the folder is readable");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                std::fs::copy(entry.path(), target).expect("the file is readable");
            }
        }
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        let Ok(entries) = std::fs::read_dir(self.home.path()) else {
            return;
        };
        for entry in entries.flatten() {
            let is_device = Path::join(&entry.path(), "software-tpm").exists();
            if is_device && let Some(name) = entry.file_name().to_str() {
                let _ = self.device_in(name, &["tpm", "stop"]);
            }
        }
    }
}
