//! Where the models of this machine are, the recording that they bring along, and the programs
//! under test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use earnest_package::{Card, Model, Role, models_folder};

/// What a test says that has no models. It fails: a test that is passed over proves nothing.
#[allow(dead_code)]
pub(crate) const FETCH: &str =
    "the models are missing or not the cards': run `cargo xtask models fetch`";

/// The folder with one folder a card.
#[allow(dead_code)]
pub(crate) fn models() -> PathBuf {
    models_folder().expect(FETCH)
}

/// The model of the card called `name`.
#[allow(dead_code)]
#[cfg(test)]
pub(crate) fn model(name: &str) -> Model {
    let card = Card::named(name).unwrap();
    Model::open_directory(card, &models().join(name)).expect(FETCH)
}

/// What is said in the sample, as the model writes it.
#[allow(dead_code)]
pub(crate) const SAID: &str =
    "Ever tried, ever failed, no matter try again, fail again, fail better.";

/// The file of the sample recording: 16 kHz, mono, 16 bits, behind a header of 44 bytes.
#[allow(dead_code)]
pub(crate) fn sample_file() -> PathBuf {
    let card = Card::named("moonshine-tiny-en-int8").expect("the card is built in");
    let file = card.file(Role::Sample).expect("tiny brings a sample");
    // Its bytes are the card's.
    file.read(&models().join(card.name())).expect(FETCH);
    models().join(card.name()).join(file.name())
}

/// The sample's samples as bytes, without the header.
#[allow(dead_code)]
pub(crate) fn sample_pcm() -> Vec<u8> {
    std::fs::read(sample_file()).expect(FETCH).split_off(44)
}

/// The sample's samples, each within -1 to 1.
#[allow(dead_code)]
#[cfg(test)]
pub(crate) fn sample() -> Vec<f32> {
    let bytes = sample_pcm();
    let (samples, _) = bytes.as_chunks::<2>();
    samples
        .iter()
        .map(|&bytes| f32::from(i16::from_le_bytes(bytes)) / 32_768.0)
        .collect()
}

/// A program of the profile that this test was built in; all are built once.
#[allow(dead_code)]
#[cfg(test)]
pub(crate) fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        // This test is TARGET/PROFILE/deps/NAME-HASH.
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).expect("tests are built into deps");
        build(folder);
        folder.to_owned()
    });
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[allow(dead_code)]
#[cfg(test)]
fn build(profile: &Path) {
    let target = profile.parent().expect("a profile has a target folder");
    let name = match profile.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("{} is no profile", profile.display()),
    };
    // The same selection as the tests' own build: crates that only tests use turn on features of
    // others, and without them those would be built a second time.
    let mut command = Command::new(env!("CARGO"));
    // What cargo says of this very package must not reach the next cargo: build scripts look at
    // it (ring's do), and would be run again, with all that stands on them.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&variable);
        }
    }
    let status = command
        .args(["build", "--quiet", "--workspace", "--bins", "--tests"])
        .args(["--profile", name, "--target-dir"])
        .arg(target)
        .status()
        .unwrap();
    assert!(status.success(), "the programs do not build");
}
