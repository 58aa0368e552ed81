//! Holds the tree to ARCHITECTURE.md: the layers, the owners of foreign APIs, the homes of
//! unsafe code, the lints, and the size of files.
//!
//! The checks are pure functions over what was read ([`graph`], [`sources`]); the tests here
//! give them the tree as it is, and the tests beside the functions show that each can fail.
//! Whoever adds a crate adds its line to [`LAYERS`].

mod graph;
#[path = "../support/repository.rs"]
mod repository;
mod sources;

use graph::{Foreign, Layer};
use repository::root;

/// Every crate of the workspace and the layer it stands on. A crate imports only crates of a
/// strictly lower layer.
const LAYERS: &[Layer] = &[
    Layer(0, "earnest-evidence"),
    Layer(0, "earnest-files"),
    Layer(0, "earnest-printable"),
    Layer(0, "earnest-wire"),
    Layer(1, "earnest-guard"),
    Layer(1, "earnest-kernels"),
    Layer(1, "earnest-listen"),
    Layer(1, "earnest-package"),
    Layer(1, "earnest-policy"),
    Layer(1, "earnest-sandbox"),
    Layer(1, "earnest-sound"),
    Layer(1, "earnest-telemetry"),
    Layer(1, "earnest-transcript"),
    Layer(1, "earnest-vault"),
    Layer(1, "earnest-verifier"),
    Layer(1, "earnest-wyoming"),
    Layer(2, "earnest-anomaly"),
    Layer(2, "earnest-audio"),
    Layer(2, "earnest-audit"),
    Layer(2, "earnest-channel"),
    Layer(2, "earnest-gate"),
    Layer(2, "earnest-guardian"),
    Layer(2, "earnest-sim"),
    Layer(2, "earnest-speech"),
    Layer(2, "earnest-tpm"),
    Layer(2, "earnest-traces"),
    Layer(3, "earnest-attester"),
    Layer(3, "earnest-fleet"),
    Layer(3, "earnest-fuzz-faces"),
    Layer(3, "earnest-pool"),
    Layer(3, "earnest-worker"),
    Layer(4, "earnest-live"),
    Layer(5, "earnest-endpoint"),
    Layer(6, "earnest-cli"),
    Layer(6, "earnestd"),
    Layer(7, "earnest-benches"),
    Layer(7, "earnest-tests"),
    Layer(7, "xtask"),
];

/// Foreign worlds, and the crates that may name them. A name stands for its whole family:
/// `tract` is also `tract-onnx`. Owners that are still to come are listed already, so that
/// nobody else gets there first.
const FOREIGN: &[Foreign] = &[
    Foreign("tract", &["earnest-speech"]),
    Foreign("symphonia", &["earnest-sound"]),
    Foreign("rubato", &["earnest-sound"]),
    // Digests, signatures and encryption. Benches and xtask check what they fetch with it.
    Foreign(
        "ring",
        &[
            "earnest-package",
            "earnest-evidence",
            "earnest-verifier",
            "earnest-policy",
            "earnest-tpm",
            "earnest-vault",
            "earnest-audit",
            "earnest-anomaly",
            "earnest-guardian",
            "earnest-fleet",
            "earnest-benches",
            "xtask",
        ],
    ),
    // The engine that the benches compare with.
    Foreign("ort", &["earnest-benches"]),
    Foreign("cpal", &["earnest-audio"]),
    Foreign("tss-esapi", &["earnest-tpm"]),
    Foreign("hyper", &["earnest-endpoint", "earnest-uplink"]),
    Foreign("axum", &["earnest-endpoint"]),
    // MACs of the guard's line, where ring does not fit.
    Foreign("hmac", &["earnest-wire"]),
    Foreign("sha2", &["earnest-wire"]),
    // A microcontroller's time and pins.
    Foreign(
        "embassy",
        &["earnest-guard", "earnest-guardian", "earnest-sim"],
    ),
    Foreign("embedded-hal", &["earnest-guard", "earnest-sim"]),
    // The audit log's public key.
    Foreign("hpke", &["earnest-audit"]),
    // Rates.
    Foreign("governor", &["earnest-policy"]),
    // Spans as OpenTelemetry writes them.
    Foreign("opentelemetry", &["earnest-traces"]),
    Foreign("prost", &["earnest-traces"]),
    Foreign("landlock", &["earnest-sandbox"]),
    Foreign("seccompiler", &["earnest-sandbox"]),
    // The tests of the listeners and of the endpoint have certificates of their own.
    Foreign(
        "rcgen",
        &["earnest-attester", "earnest-endpoint", "earnest-listen"],
    ),
    // The verifier takes its web PKI alone, for chains of certificates; so do the attester's
    // tests, as a client would.
    Foreign(
        "rustls",
        &[
            "earnest-listen",
            "earnest-uplink",
            "earnest-verifier",
            "earnest-attester",
        ],
    ),
];

/// What xtask may import of the workspace: it must be built before anything is said.
const LIGHT: (&str, &[&str]) = ("xtask", &["earnest-package"]);

/// The crates that hold unsafe code, by folder, and one test, whose allocator ends it where a sound
/// callback allocates. All others are denied it.
const UNSAFE: &[&str] = &[
    "models/kernels",
    "attestation/tpm",
    "daemon/audio/tests/callback",
    "firmware/board",
];

/// What runs on a microcontroller beside the microphone forbids it to itself.
const FORBIDDEN: &[&str] = &["firmware/wire", "firmware/guard"];

/// The most lines of a source file; what grows past it is split by idea.
const MOST_LINES: usize = 600;

/// Fails with one finding a line.
fn nothing_found(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn every_crate_stands_on_a_layer_and_imports_only_lower_ones() {
    nothing_found(graph::check_layers(LAYERS, &graph::read(root())));
}

#[test]
fn each_foreign_api_has_its_owners_alone() {
    nothing_found(graph::check_owners(FOREIGN, &graph::read(root())));
}

#[test]
fn xtask_stays_light() {
    let (name, allowed) = LIGHT;
    nothing_found(graph::check_light(name, allowed, &graph::read(root())));
}

#[test]
fn unsafe_code_lives_in_the_listed_crates_alone() {
    nothing_found(sources::check_unsafe(UNSAFE, &sources::read()));
}

#[test]
fn what_decides_at_the_guard_forbids_unsafe_code() {
    nothing_found(sources::check_forbidden(FORBIDDEN, &sources::read()));
}

#[test]
fn no_source_file_is_too_long() {
    nothing_found(sources::check_lengths(MOST_LINES, &sources::read()));
}

#[test]
fn no_source_file_opts_out_of_the_workspace_lints() {
    nothing_found(sources::check_lints(&sources::read()));
}

#[test]
fn every_manifest_inherits_the_workspace_lints() {
    let manifests = graph::read(root())
        .into_iter()
        .map(|member| (member.name, sources::manifest(&member.manifest)))
        .collect::<Vec<_>>();
    nothing_found(sources::check_manifests(&manifests));
}

#[test]
fn the_workspace_denies_unsafe_code() {
    let manifest = sources::manifest(&root().join("Cargo.toml"));
    nothing_found(sources::check_workspace_lints(&manifest));
}
