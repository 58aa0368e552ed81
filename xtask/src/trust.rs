//! The demo's round trip of trust: a device, a fleet, and nothing between them but files.
//!
//! The device is the command `earnest` with its folder, the fleet is `earnest-fleet` with
//! another. Every step is a command that a person can run alone; `--print` lists them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::setup::Mode;
use crate::shell::{self, Program};

/// Which TPM the demo's device has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tpm {
    /// A new one in software.
    Software,
    /// The machine's own, known by these certificates of its maker.
    Real(Vec<PathBuf>),
}

/// The device and the fleet of the demo.
#[derive(Debug)]
pub(crate) struct Trust {
    mode: Mode,
    tpm: Tpm,
    /// Holds a folder for each side.
    home: PathBuf,
}

impl Trust {
    /// The two sides in a folder of the demo's own.
    pub(crate) fn new(mode: Mode, tpm: Tpm) -> Trust {
        let name = match tpm {
            Tpm::Software => "software",
            Tpm::Real(_) => "real",
        };
        Trust {
            mode,
            tpm,
            home: shell::target_directory().join("demo").join(name),
        }
    }

    fn path(&self, name: &str) -> String {
        self.home.join(name).to_string_lossy().into_owned()
    }

    fn program(name: &str) -> Program {
        let path = shell::target_directory().join("debug").join(name);
        Program::new(path.to_string_lossy())
    }

    /// The device's command.
    pub(crate) fn earnest(&self) -> Program {
        Trust::program("earnest").env("EARNEST_DEVICE", self.path("device"))
    }

    /// The daemon's.
    pub(crate) fn earnestd(&self) -> Program {
        Trust::program("earnestd")
    }

    /// The device's folder.
    pub(crate) fn device(&self) -> String {
        self.path("device")
    }

    /// Whether the device's TPM is software, which nobody's machine hangs on.
    pub(crate) fn is_software(&self) -> bool {
        self.tpm == Tpm::Software
    }

    /// Where the software TPM takes commands, as the TCG's tools want to be told.
    pub(crate) fn software_tpm(&self) -> Result<String> {
        let address = fs::read_to_string(self.software_tpm_file());
        let address = address.context("the software TPM does not run")?;
        Ok(address.trim().to_owned())
    }

    /// The file that says so.
    pub(crate) fn software_tpm_file(&self) -> PathBuf {
        self.home.join("device/software-tpm/address")
    }

    fn fleet(&self) -> Program {
        Trust::program("earnest-fleet")
    }

    /// Runs a step without its words, or prints it.
    fn run(&self, step: &Program) -> Result<String> {
        match self.mode {
            Mode::Act => step.output_quietly(),
            Mode::Print => {
                println!("{step}");
                Ok(String::new())
            }
        }
    }

    /// The folder of the sealed models, and the key that must have signed them.
    pub(crate) fn sealed(&self) -> [String; 2] {
        [
            self.path("sealed"),
            self.path("fleet/keys/release-1.pub.pem"),
        ]
    }

    /// The fleet's keys, then the device's.
    pub(crate) fn provision(&self) -> Result<()> {
        if self.mode == Mode::Act && !self.begin()? {
            eprintln!("  the device is provisioned already");
            return Ok(());
        }
        let keys = self.path("fleet/keys");
        self.run(&self.fleet().args(["keys", "init", "--keys", &keys]))?;
        let first = self.path("fleet/first-version");
        let allow = ["policy", "allow-version", "--first", "--version", "1"];
        let place = ["--keys", &keys, "--out", &first];
        self.run(&self.fleet().args(allow).args(place))?;
        let root = self.path("fleet/keys/root.pub.pem");
        let mut provision = self.earnest().args([
            "tpm",
            "provision",
            "--root",
            &root,
            "--first-version",
            &first,
        ]);
        if self.tpm != Tpm::Software {
            let recovery = self.path("recovery");
            provision = provision.args(["--tpm-real", "--recovery", &recovery]);
        }
        show(&self.run(&provision)?, &["TPM", "attestation key"]);
        Ok(())
    }

    /// A software TPM of an earlier demo ends and everything begins anew; a person's own TPM
    /// is provisioned once. Says whether there is something to do.
    fn begin(&self) -> Result<bool> {
        let device = self.home.join("device");
        match self.tpm {
            Tpm::Real(_) => return Ok(!device.exists()),
            Tpm::Software if device.exists() => {
                self.earnest().args(["tpm", "stop"]).output_quietly()?;
            }
            Tpm::Software => {}
        }
        if self.home.exists() {
            fs::remove_dir_all(&self.home).context("the earlier demo's folder stays")?;
        }
        fs::create_dir_all(self.home.join("fleet"))?;
        Ok(true)
    }

    /// The fleet comes to know the device by its TPM's certificate.
    pub(crate) fn enrol(&self) -> Result<()> {
        let state = self.path("fleet/state");
        if self.home.join("fleet/state/devices").exists() {
            eprintln!("  the device is enrolled already");
            return Ok(());
        }
        let mut policy = self
            .fleet()
            .args(["policy", "new", "--name", "demo", "--state", &state]);
        match &self.tpm {
            Tpm::Software => {
                let authority = self.path("device/software-tpm/authority");
                policy = policy.arg("--allow-software-tpm");
                for file in ["swtpm-localca-rootca-cert.pem", "issuercert.pem"] {
                    policy = policy.args(["--software-anchor", &format!("{authority}/{file}")]);
                }
            }
            Tpm::Real(anchors) => {
                for file in anchors {
                    policy = policy.args(["--anchor", &file.to_string_lossy()]);
                }
            }
        }
        self.run(&policy)?;
        let [request, challenge, answer] =
            ["request.json", "challenge.json", "answer.json"].map(|name| self.path(name));
        let ask = ["tpm", "enroll", "--name", "demo", "--out", &request];
        self.run(&self.earnest().args(ask))?;
        let check = ["enroll", "challenge", "--device", &request];
        let place = ["--state", &state, "--out", &challenge];
        self.run(&self.fleet().args(check).args(place))?;
        let activate = ["tpm", "activate", &challenge, "--out", &answer];
        self.run(&self.earnest().args(activate))?;
        let finish = ["enroll", "finish", "--answer", &answer, "--state", &state];
        show(
            &self.run(&self.fleet().args(finish))?,
            &["device", "authority", "TPM"],
        );
        Ok(())
    }

    /// Evidence for a nonce of the fleet, in a folder of this name.
    fn attest(&self, name: &str) -> Result<()> {
        let challenge = ["challenge", "--device", "demo", "--state"];
        let challenge = self.fleet().args(challenge).arg(self.path("fleet/state"));
        let nonce = match self.mode {
            Mode::Act => challenge.output_quietly()?.trim().to_owned(),
            Mode::Print => format!("$({challenge})"),
        };
        let out = self.path(name);
        let attest = ["attest", "--nonce", &nonce, "--out", &out];
        self.run(&self.earnest().args(attest))?;
        Ok(())
    }

    /// The model's key into the TPM, and the fleet's policy that lets it out in this state.
    pub(crate) fn seal(&self, size: &str, models: &Path) -> Result<()> {
        let release = self.path("fleet/keys/release-1.key.pem");
        let [sealed, _] = self.sealed();
        let models = models.to_string_lossy();
        let seal = ["model", "seal", "--model", size, "--models", &models];
        let place = ["--release-key", &release, "--out", &sealed];
        show(
            &self.run(&self.earnest().args(seal).args(place))?,
            &["sealed"],
        );
        self.attest("approved")?;
        let (keys, state) = (self.path("fleet/keys"), self.path("fleet/state"));
        let (evidence, policy) = (self.path("approved/evidence.cbor"), self.path("policy"));
        let sign = ["policy", "sign", "--version", "1", "--evidence", &evidence];
        let place = ["--keys", &keys, "--state", &state, "--out", &policy];
        self.run(&self.fleet().args(sign).args(place))?;
        show(
            &self.run(&self.earnest().args(["tpm", "policy", &policy]))?,
            &[],
        );
        Ok(())
    }

    /// The device proves its state and gets its result.
    pub(crate) fn verify(&self) -> Result<()> {
        let [state, keys] = ["fleet/state", "fleet/keys"].map(|name| self.path(name));
        let [reference, ear] = ["reference.json", "result.jwt"].map(|name| self.path(name));
        self.attest("known-good")?;
        let known = self.path("known-good/evidence.cbor");
        let make = ["reference", "from-evidence", &known, "--name", "demo"];
        let place = ["--state", &state, "--out", &reference];
        self.run(&self.fleet().args(make).args(place))?;
        self.attest("evidence")?;
        let evidence = self.path("evidence/evidence.cbor");
        let verify = ["verify", &evidence, "--reference", &reference];
        let place = ["--state", &state, "--keys", &keys, "--ear", &ear];
        let verify = self.fleet().args(verify).args(place);
        let checks = ["verdict", "freshness", "attestation-key", "quote", "pcrs"];
        let logs = [
            "firmware-log",
            "boot-state",
            "measured-log",
            "authority",
            "tpm",
        ];
        show(&self.run(&verify)?, &[&checks[..], &logs].concat());
        if self.mode == Mode::Act {
            let again = ["verify", &evidence, "--reference", &reference];
            let again = self.fleet().args(again).args(["--state", &state]);
            ensure!(
                !again.succeeds(),
                "the same evidence was taken twice: a replay must be refused"
            );
            eprintln!("  the same evidence a second time: refused");
        }
        let key = self.path("fleet/keys/result-1.pub.pem");
        let import = ["result", "import", &ear, "--key", &key];
        show(&self.run(&self.earnest().args(import))?, &[]);
        Ok(())
    }

    /// What was proved, what was not, and the end of the software TPM.
    pub(crate) fn conclude(&self, size: &str) -> Result<()> {
        if self.mode == Mode::Act && self.tpm == Tpm::Software {
            self.refused_in_another_state(size)?;
        }
        if self.tpm == Tpm::Software {
            self.run(&self.earnest().args(["tpm", "stop"]))?;
        }
        if self.mode == Mode::Act {
            eprint!("{PROVED}");
            eprint!(
                "{}",
                match self.tpm {
                    Tpm::Software => NOT_PROVED,
                    Tpm::Real(_) => NOT_PROVED_BY_A_REAL_TPM,
                }
            );
        }
        Ok(())
    }

    /// A boot into something else: the software TPM starts anew, another program is measured,
    /// and the seal stays shut.
    fn refused_in_another_state(&self, size: &str) -> Result<()> {
        let [sealed, release] = self.sealed();
        self.earnest().args(["tpm", "stop"]).output_quietly()?;
        let other = self.home.join("another-earnest");
        let earnest = shell::target_directory().join("debug/earnest");
        let mut program = fs::read(&earnest)?;
        // One byte behind the end of a program changes nothing that it does, and all that a
        // measurement of it says.
        program.push(0);
        fs::write(&other, program)?;
        fs::set_permissions(&other, fs::metadata(&earnest)?.permissions())?;
        let check = ["model", "unseal-check", &sealed, "--release-key", &release];
        let check = Program::new(other.to_string_lossy())
            .env("EARNEST_DEVICE", self.path("device"))
            .args(check)
            .args(["--model", size]);
        if check.succeeds() {
            bail!("another program opened the sealed model");
        }
        fs::remove_file(&other)?;
        eprintln!("  the same device booted with another program: the seal stays shut");
        Ok(())
    }
}

/// Shows the lines of a step's answer that begin with one of these words, or all of them, a
/// little to the right.
fn show(answer: &str, words: &[&str]) {
    let wanted = |line: &&str| {
        let line = line.trim_start();
        words.is_empty() || words.iter().any(|word| line.starts_with(word))
    };
    for line in answer.lines().filter(wanted) {
        eprintln!("  {}", line.trim());
    }
}

const PROVED: &str = "
Proved:
  - The attestation key is in the TPM that the certificate is for (credential activation).
  - The quote is that key's, fresh for the fleet's nonce, and the same evidence counts once.
  - The firmware's log and Earnest's own replay to the quoted PCRs, and are what the fleet
    approved; the result is signed, and bound to this key, this boot and its time.
  - The model rests encrypted; its key came out of the TPM in the approved state alone.
  - Clients as people have them were served while that state held, and no longer.
  - An app got what an operator with a second factor gave it, and no more; what it tried
    besides stands in an audit log that is whole.
  - The microphone was open while somebody listened, the status said who, an app of commands
    was told an id and no word, and a muted microphone had no process that could hear.
";

const NOT_PROVED: &str = "\
Not proved, because this TPM is software:
  - That the keys cannot be copied: whoever reads its folder has them.
  - That anything was measured by firmware: this boot was pretended by the program itself.
  A production policy refuses it; with --tpm-real the demo uses the machine's own.
";

const NOT_PROVED_BY_A_REAL_TPM: &str = "\
Not proved:
  - That the approved state is a good one: this machine's present state was taken for it.
";
