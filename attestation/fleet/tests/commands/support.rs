//! A fleet in a temporary folder, and devices of it.

use std::fs;
use std::path::{Path, PathBuf};

use earnest_evidence::{Evidence, HashAlgorithm};
use earnest_fleet::Exit;
use earnest_verifier::simulation::{Device, Key, NOW, quote_of};
use serde_json::Value;
use tempfile::TempDir;

/// What a run left.
pub(crate) struct Run {
    pub(crate) exit: Exit,
    /// Standard output.
    pub(crate) data: String,
    /// Standard error.
    pub(crate) talk: String,
}

impl Run {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("the output is JSON")
    }

    /// The run, which ended so.
    #[track_caller]
    pub(crate) fn ends(self, exit: Exit) -> Run {
        assert_eq!(self.exit, exit, "{}{}", self.data, self.talk);
        self
    }

    /// The run, which said this to a person.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Run {
        assert!(
            self.talk.contains(words),
            "{words:?} is not in {:?}",
            self.talk
        );
        self
    }
}

/// A fleet: a state with a policy and keys.
pub(crate) struct Fleet {
    folder: TempDir,
    pub(crate) now: i64,
}

impl Fleet {
    /// A fleet that asks for what simulated devices have.
    pub(crate) fn new() -> Fleet {
        let fleet = Fleet::without_keys();
        fleet
            .run(&["keys", "init", "--state", "state"])
            .ends(Exit::Success);
        fleet
    }

    /// A fleet with a policy alone.
    pub(crate) fn without_keys() -> Fleet {
        let fleet = Fleet::empty();
        let anchor = fixture("root.pem");
        fleet
            .run(&[
                "policy",
                "new",
                "--name",
                "production",
                "--state",
                "state",
                "--anchor",
                &anchor,
            ])
            .ends(Exit::Success);
        fleet
    }

    /// Nothing yet.
    pub(crate) fn empty() -> Fleet {
        Fleet {
            folder: tempfile::tempdir().expect("a folder can be made"),
            now: NOW,
        }
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    /// Runs the command. Words that name files stand for files of the fleet's folder: all that
    /// are no options, follow an option or hold a dot.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut all = vec!["earnest-fleet".into()];
        let mut before = "";
        for argument in arguments {
            let is_file = FILES.contains(&before) || argument.contains('.');
            all.push(
                match is_file && *argument != "-" && !argument.starts_with('/') {
                    true => self.path(argument).into_os_string(),
                    false => argument.into(),
                },
            );
            before = argument;
        }
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let exit = earnest_fleet::run(all, self.now, &mut data, &mut talk);
        Run {
            exit,
            data: String::from_utf8(data).expect("output is text"),
            talk: String::from_utf8(talk).expect("output is text"),
        }
    }

    /// Records a simulated device, as an enrolment would.
    pub(crate) fn enrol(&self, device: &Device, software: bool) {
        let enrolment = device.enrolment(software);
        let state = earnest_fleet::state::State::open(&self.path("state"));
        let state = state.expect("the state is there");
        let labels = earnest_fleet::state::Labels::default();
        let enrolled = state.enrol(&enrolment, &labels, true);
        enrolled.expect("the device can be recorded");
    }

    /// A nonce that any device may answer.
    pub(crate) fn nonce(&self) -> earnest_evidence::Nonce {
        let run = self
            .run(&["challenge", "--state", "state"])
            .ends(Exit::Success);
        run.data.trim_end().parse().expect("it is a nonce")
    }

    /// Evidence of `device` for a new nonce, in the file `name`.
    pub(crate) fn attest(&self, device: &Device, name: &str) -> Evidence {
        let evidence = answer(device, self.nonce());
        self.write(name, evidence.to_cbor().expect("no part is too long"));
        evidence
    }

    /// Reference values of the device, in the file `reference.json`.
    pub(crate) fn reference(&self, device: &Device) {
        self.write("reference.json", device.reference().to_json());
    }

    /// Signs a least version, into the file `version`.
    pub(crate) fn allow_version(&self, more: &[&str]) -> Run {
        let mut arguments = vec![
            "policy",
            "allow-version",
            "--state",
            "state",
            "--out",
            "version",
        ];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// Verifies the file `name`.
    pub(crate) fn verify(&self, name: &str, more: &[&str]) -> Run {
        let mut arguments = vec![
            "verify",
            name,
            "--reference",
            "reference.json",
            "--state",
            "state",
        ];
        arguments.extend(more);
        self.run(&arguments)
    }
}

/// Options whose values are files or folders.
const FILES: &[&str] = &[
    "--state",
    "--keys",
    "--out",
    "--ear",
    "--root-key",
    "--answer",
    "--device-file",
];

/// Evidence of a device for a nonce.
pub(crate) fn answer(device: &Device, nonce: earnest_evidence::Nonce) -> Evidence {
    let values = device.values();
    let mut evidence = device.quote(quote_of(&values, nonce.as_bytes()), values);
    evidence.nonce = nonce;
    evidence
}

/// A simulated device.
pub(crate) fn device() -> Device {
    Device::new(Key::ecc())
}

/// A certificate of the verifier's tests.
pub(crate) fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/tests/chains");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not there", path.display());
    path.to_str().expect("the path is plain").to_owned()
}

/// SHA-256 of these bytes, as the state writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    HashAlgorithm::Sha256.digest(bytes).to_string()
}
