//! Replays the fuzzers' committed corpora through the same faces that the fuzzers use, so
//! that a finding once mended stays mended, without a fuzzer and on the pinned compiler.

use std::fs;
use std::path::{Path, PathBuf};

/// What a fuzz target does with its bytes.
type Face = fn(&[u8]);

/// Every target and its face. A target is added here and in `fuzz/Cargo.toml`.
const FACES: [(&str, Face); 24] = [
    ("attest", earnest_fuzz_faces::attest),
    ("audit", earnest_fuzz_faces::audit),
    ("baselines", earnest_fuzz_faces::baselines),
    ("book", earnest_fuzz_faces::book),
    ("capture", earnest_fuzz_faces::capture),
    ("card", earnest_fuzz_faces::card),
    ("channel", earnest_fuzz_faces::channel),
    ("ear_token", earnest_fuzz_faces::ear_token),
    ("ek_chain", earnest_fuzz_faces::ek_chain),
    ("enrolment", earnest_fuzz_faces::enrolment),
    ("envelope", earnest_fuzz_faces::envelope),
    ("eventlog", earnest_fuzz_faces::eventlog),
    ("measured", earnest_fuzz_faces::measured),
    ("package", earnest_fuzz_faces::package),
    ("reference", earnest_fuzz_faces::reference),
    ("request", earnest_fuzz_faces::request),
    ("signed_policy", earnest_fuzz_faces::signed_policy),
    ("sound", earnest_fuzz_faces::sound),
    ("token", earnest_fuzz_faces::token),
    ("traceparent", earnest_fuzz_faces::traceparent),
    ("vault", earnest_fuzz_faces::vault),
    ("wire_to_guard", earnest_fuzz_faces::wire_to_guard),
    ("wire_to_host", earnest_fuzz_faces::wire_to_host),
    ("wyoming", earnest_fuzz_faces::wyoming),
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is part of the repository");
    let mut names: Vec<String> = entries
        .map(|entry| {
            let name = entry.expect("the folder can be listed").file_name();
            name.into_string().expect("names are plain")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn every_input_in_the_corpora_is_survived() {
    for (target, face) in FACES {
        let folder = fuzz().join("corpus").join(target);
        let inputs = names(&folder);
        assert!(!inputs.is_empty(), "the corpus of {target} is empty");
        for input in inputs {
            // The test's captured output then ends with the input that broke a promise.
            println!("{target}/{input}");
            face(&fs::read(folder.join(input)).expect("an input can be read"));
        }
    }
}

#[test]
fn every_fuzz_target_has_its_corpus_replayed() {
    let faces: Vec<String> = FACES.map(|(target, _)| target.to_owned()).to_vec();
    assert_eq!(names(&fuzz().join("corpus")), faces);
    let targets: Vec<String> = faces.iter().map(|face| format!("{face}.rs")).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), targets);
}

#[test]
fn each_corpus_is_small_enough_to_be_committed_and_replayed_often() {
    for (target, _) in FACES {
        let folder = fuzz().join("corpus").join(target);
        let bytes: u64 = names(&folder)
            .iter()
            .map(|name| fs::metadata(folder.join(name)).expect("is there").len())
            .sum();
        assert!(bytes < 4 << 20, "the corpus of {target} has {bytes} bytes");
    }
}
