//! A device in one folder and a fleet in another, in this process.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use earnest_attester::{
    Configuration, Device, Folder, Provisioning, TpmChoice, enrol, keys, software, write_parts,
};
use earnest_evidence::HashAlgorithm;
use earnest_evidence::enrolment::Challenge;
use earnest_evidence::measured::{SandboxLevel, Start};
use earnest_evidence::sealing::SignedVersion;
use earnest_fleet::Exit;
use earnest_tpm::AkAlgorithm;
use serde_json::Value;
use tempfile::TempDir;

/// The version that the device says it is of.
const VERSION: &str = "0.1.0";

/// The two sides of one test. The device's TPM ends with them.
pub(crate) struct Sides {
    home: TempDir,
    said: RefCell<String>,
}

impl Sides {
    /// A fleet with its keys.
    pub(crate) fn new() -> Sides {
        earnest_tpm::quiet_library();
        let sides = Sides {
            home: tempfile::tempdir().expect("there is room for a folder"),
            said: RefCell::default(),
        };
        let (keys, first) = (sides.text("keys"), sides.text("first-version"));
        sides.fleet(&["keys", "init", "--keys", &keys], Exit::Success);
        let allow = ["policy", "allow-version", "--first", "--version", "1"];
        let place = ["--keys", &keys, "--out", &first];
        sides.fleet(&[&allow[..], &place].concat(), Exit::Success);
        sides
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file is there")
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("there is room for a file");
    }

    /// What the fleet's command said last beside its data.
    pub(crate) fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Runs the fleet's command, which ends so, and gives its data.
    #[track_caller]
    fn fleet(&self, arguments: &[&str], expected: Exit) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("it is past 1970").as_secs();
        let now = i64::try_from(now).expect("it is before the end of time");
        let all = ["earnest-fleet"].iter().chain(arguments);
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let exit = earnest_fleet::run(all.map(Into::into), now, &mut data, &mut talk);
        let data = String::from_utf8(data).expect("data is text");
        let talk = String::from_utf8(talk).expect("talk is text");
        assert_eq!(exit, expected, "{arguments:?}: {data}{talk}");
        *self.said.borrow_mut() = talk;
        data
    }

    /// A device with a TPM in software, provisioned under the fleet's root.
    pub(crate) fn provision(&self) -> Device {
        let root = keys::root(&self.path("keys/root.pub.pem"));
        let first = SignedVersion::parse(&self.read("first-version"));
        let provisioning = Provisioning {
            configuration: Configuration::with_tpm(TpmChoice::Software),
            root: root.expect("the fleet has a root"),
            first_version: first.expect("the fleet signed it"),
            ak: AkAlgorithm::EccP256,
        };
        let folder = Folder::create(&self.path("device")).expect("there is room for a folder");
        let (device, _) = Device::provision(folder, &provisioning).expect("the TPM is nobody's");
        device
    }

    /// Enrols the device under a policy that takes software.
    pub(crate) fn enrol(&self, device: &Device) {
        let state = self.text("state");
        let authority = |name: &str| self.text(&format!("device/software-tpm/authority/{name}"));
        let root = authority("swtpm-localca-rootca-cert.pem");
        let issuer = authority("issuercert.pem");
        let new = ["policy", "new", "--name", "test", "--state", &state];
        let anchors = ["--software-anchor", &root, "--software-anchor", &issuer];
        self.fleet(
            &[&new[..], &anchors, &["--allow-software-tpm"]].concat(),
            Exit::Success,
        );
        let request = enrol::request(device.module(), Some("kitchen".to_owned()));
        self.write("request", request.expect("it has a certificate").to_json());
        let [request, challenge, answer] =
            ["request", "challenge", "answer"].map(|name| self.text(name));
        let check = ["enroll", "challenge", "--device", &request];
        let place = ["--state", &state, "--out", &challenge];
        self.fleet(&[&check[..], &place].concat(), Exit::Success);
        let asked = Challenge::from_json(&self.read("challenge")).expect("the fleet wrote it");
        let opened = enrol::answer(device.module(), &asked).expect("it is for this TPM");
        self.write("answer", opened.to_json());
        let finish = ["enroll", "finish", "--answer", &answer, "--state", &state];
        self.fleet(&finish, Exit::Success);
    }

    /// Measures a start of the daemon.
    pub(crate) fn start(&self, device: &Device) {
        let configuration = HashAlgorithm::Sha256.digest(b"configuration");
        let start = Start::new(configuration, None, SandboxLevel::Full, VERSION);
        let start = start.expect("it is one");
        device.measure_start(start).expect("there is room for it");
    }

    /// Evidence for a nonce of the fleet, in the folder `evidence`.
    fn prove(&self, device: &Device) -> String {
        let issued = ["challenge", "--state", &self.text("state")];
        let nonce = self.fleet(&issued, Exit::Success);
        let nonce = nonce.trim().parse().expect("it is a nonce");
        let evidence = device.evidence(nonce, VERSION).expect("the TPM is there");
        write_parts(&evidence, &self.path("evidence")).expect("there is room for them");
        self.text("evidence/evidence.cbor")
    }

    /// Reference values of the device as it is.
    pub(crate) fn reference(&self, device: &Device) {
        let evidence = self.prove(device);
        let (state, reference) = (self.text("state"), self.text("reference"));
        let make = ["reference", "from-evidence", &evidence, "--name", "good"];
        let place = ["--state", &state, "--out", &reference];
        self.fleet(&[&make[..], &place].concat(), Exit::Success);
    }

    /// Has the fleet verify the device, which ends so, and gives its JSON.
    #[track_caller]
    pub(crate) fn verify(&self, device: &Device, expected: Exit) -> Value {
        let evidence = self.prove(device);
        let (state, reference) = (self.text("state"), self.text("reference"));
        let verify = ["verify", &evidence, "--reference", &reference];
        let place = ["--state", &state, "--json"];
        let data = self.fleet(&[&verify[..], &place].concat(), expected);
        serde_json::from_str(&data).expect("it is JSON")
    }

    /// The device after its TPM ended and booted anew.
    pub(crate) fn reboot(&self, device: Device) -> Device {
        device.close().expect("the TPM is there");
        let folder = Folder::open(&self.path("device")).expect("the device has a folder");
        assert!(software::stop(&folder).expect("it ends"), "it ran");
        Device::open(folder).expect("it boots")
    }

    /// The file of the measured log of this boot.
    fn log_file(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.path("device")).expect("the device has a folder");
        let files = entries.map(|entry| entry.expect("it is readable").path());
        let mut logs = files.filter(|path| path.extension().is_some_and(|end| end == "cbor"));
        let log = logs.next().expect("there is a log");
        assert_eq!(logs.next(), None, "there is one boot");
        log
    }

    pub(crate) fn measured_log(&self) -> Vec<u8> {
        std::fs::read(self.log_file()).expect("it is readable")
    }

    pub(crate) fn put_measured_log(&self, bytes: &[u8]) {
        std::fs::write(self.log_file(), bytes).expect("it is writable");
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        if let Ok(folder) = Folder::open(&self.path("device")) {
            let _ = software::stop(&folder);
        }
    }
}
