//! Chains of endorsement certificates: what is taken, what is refused and why, and that
//! `openssl verify` says the same of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use earnest_evidence::tpm::PublicKey;
use earnest_verifier::endorsement::{
    self, AnchorError, EkChainError, EndorsementKey, TrustAnchor, certificates_from_pem,
};

/// 2026-01-01, within the time of all that did not expire.
const NOW: i64 = 1_767_225_600;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/chains")
        .join(format!("{name}.pem"))
}

fn der(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(path(name)).expect("the certificate is part of the tests");
    let mut certificates = certificates_from_pem(&text).expect("it is one in PEM");
    certificates.remove(0)
}

fn anchor(name: &str) -> TrustAnchor {
    TrustAnchor::new(name, &der(name), name == "software-root").expect("it is an authority's")
}

fn verify_at(
    leaf: &str,
    between: &[&str],
    anchors: &[&str],
    now: i64,
) -> Result<EndorsementKey, EkChainError> {
    let between: Vec<Vec<u8>> = between.iter().map(|name| der(name)).collect();
    let anchors: Vec<TrustAnchor> = anchors.iter().map(|name| anchor(name)).collect();
    endorsement::verify_chain(&der(leaf), &between, &anchors, now)
}

fn verify(leaf: &str, between: &[&str], anchors: &[&str]) -> Result<EndorsementKey, EkChainError> {
    verify_at(leaf, between, anchors, NOW)
}

#[test]
fn keys_of_each_kind_are_taken_from_a_known_authority() {
    let check = |leaf: &str, bits: usize| {
        let key = verify(leaf, &["intermediate"], &["other-root", "root"]).expect("is right");
        assert_eq!(key.public().bits(), bits);
        assert_eq!(key.anchor(), "root");
        assert!(!key.is_software());
        assert_eq!(key.tpm().manufacturer, "id:4D414B45");
        assert_eq!(key.tpm().model, "Chip 1");
        assert_eq!(key.tpm().version, "id:00010002");
    };
    check("ek", 2048);
    check("ek-ecc", 256);
    check("ek-p384", 384);
}

#[test]
fn an_authority_between_can_be_the_anchor() {
    let key = verify("ek", &[], &["intermediate"]).expect("is right");
    assert_eq!(key.anchor(), "intermediate");
}

#[test]
fn a_chain_to_an_unknown_authority_is_refused() {
    let trusted = vec!["other-root".to_owned()];
    let unknown = Err(EkChainError::UnknownAuthority { trusted });
    assert_eq!(verify("ek", &["intermediate"], &["other-root"]), unknown);
    let trusted = vec!["root".to_owned()];
    let unknown = Err(EkChainError::UnknownAuthority { trusted });
    assert_eq!(verify("ek", &[], &["root"]), unknown);
    // What the device sends along is no anchor.
    let own_root = verify("ek", &["intermediate", "root"], &[]);
    assert!(matches!(
        own_root,
        Err(EkChainError::UnknownAuthority { .. })
    ));
}

#[test]
fn an_expired_certificate_is_refused_wherever_it_stands() {
    let not_after = 1_609_459_200;
    let expired = Err(EkChainError::Expired {
        not_after,
        now: NOW,
    });
    assert_eq!(verify("ek-expired", &["intermediate"], &["root"]), expired);
    let between = verify("ek-under-expired", &["intermediate-expired"], &["root"]);
    assert_eq!(between, expired);
    let root = verify("ek-under-expired-root", &[], &["root-expired"]);
    let not_before = 1_577_836_800;
    let expected = EkChainError::AnchorOutOfTime {
        anchor: "root-expired".to_owned(),
        not_before,
        not_after,
        now: NOW,
    };
    assert_eq!(root, Err(expected));
    // At their time they were right.
    let then = NOW - 6 * 365 * 86_400;
    assert!(verify_at("ek-expired", &["intermediate"], &["root"], then).is_ok());
    assert!(verify_at("ek-under-expired-root", &[], &["root-expired"], then).is_ok());
    let now = not_before - 1;
    let early = verify_at("ek", &["intermediate"], &["root"], now);
    assert_eq!(early, Err(EkChainError::NotYetValid { not_before, now }));
}

#[test]
fn a_wrongly_used_authority_is_refused() {
    let subject = verify(
        "ek-under-no-authority",
        &["no-authority", "intermediate"],
        &["root"],
    );
    assert_eq!(subject, Err(EkChainError::NoAuthority));
    let lists = verify(
        "ek-under-authority-without-signing",
        &["authority-without-signing"],
        &["root"],
    );
    assert_eq!(lists, Err(EkChainError::NoAuthority));
    let name = "no-authority".to_owned();
    let anchor = TrustAnchor::new(&name, &der(&name), false);
    assert_eq!(anchor, Err(AnchorError::NoAuthority { name }));
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let check = |leaf: &str, expected: EkChainError| {
        assert_eq!(verify(leaf, &["intermediate"], &["root"]), Err(expected));
    };
    check(
        "ek-for-server",
        EkChainError::Purpose {
            found: vec!["1.3.6.1.5.5.7.3.1".to_owned()],
        },
    );
    check(
        "ek-without-purpose",
        EkChainError::Purpose { found: vec![] },
    );
    check("ek-authority", EkChainError::AuthorityAsTpm);
    check(
        "ek-for-signing",
        EkChainError::KeyUsage {
            expected: "keyEncipherment",
            found: 0x80,
        },
    );
}

#[test]
fn a_forged_signature_is_refused() {
    let forged = verify("ek-wrong-signature", &["intermediate"], &["root"]);
    assert_eq!(forged, Err(EkChainError::Signature));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let (leaf, between) = (der("ek"), [der("intermediate")]);
    let anchors = [anchor("root")];
    let refused = |leaf: &[u8]| endorsement::verify_chain(leaf, &between, &anchors, NOW).is_err();
    assert!(!refused(&leaf));
    for place in 0..leaf.len() {
        assert!(refused(&leaf[..place]), "cut at {place}");
        for bit in 0..8 {
            let mut flipped = leaf.clone();
            flipped[place] ^= 1 << bit;
            assert!(refused(&flipped), "bit {bit} of byte {place}");
        }
    }
    assert!(refused(&[&leaf[..], &[0]].concat()));
}

#[test]
fn a_software_tpm_is_known_by_its_anchor_and_by_what_it_says() {
    let key = verify("ek-software", &[], &["software-root"]).expect("is right");
    assert!(key.is_software());
    let unmarked = TrustAnchor::new("unmarked", &der("software-root"), false).expect("is right");
    let key = endorsement::verify_chain(&der("ek-software"), &[], &[unmarked], NOW);
    assert!(key.expect("is right").is_software());
    let marked = TrustAnchor::new("marked", &der("root"), true).expect("is right");
    let key = endorsement::verify_chain(&der("ek"), &[der("intermediate")], &[marked], NOW);
    assert!(key.expect("is right").is_software());
}

#[test]
fn more_certificates_than_a_chain_has_are_refused() {
    let between = vec![der("intermediate"); endorsement::MAX_INTERMEDIATES + 1];
    let refused = endorsement::verify_chain(&der("ek"), &between, &[anchor("root")], NOW);
    assert!(matches!(refused, Err(EkChainError::TooLarge { .. })));
    let long = vec![0x30; endorsement::MAX_CERTIFICATE_BYTES + 1];
    let refused = endorsement::verify_chain(&long, &[], &[], NOW);
    assert!(matches!(refused, Err(EkChainError::TooLarge { .. })));
}

/// Every chain that the tests above know of, and whether it is right. Those that OpenSSL cannot
/// refuse are left out: it knows nothing of the purpose of endorsement certificates.
const CHAINS: &[(&str, &[&str], &str, bool)] = &[
    ("ek", &["intermediate"], "root", true),
    ("ek-ecc", &["intermediate"], "root", true),
    ("ek-p384", &["intermediate"], "root", true),
    ("ek-software", &[], "software-root", true),
    ("ek", &["intermediate"], "other-root", false),
    ("ek", &[], "root", false),
    ("ek-expired", &["intermediate"], "root", false),
    ("ek-under-expired", &["intermediate-expired"], "root", false),
    ("ek-under-expired-root", &[], "root-expired", false),
    (
        "ek-under-no-authority",
        &["no-authority", "intermediate"],
        "root",
        false,
    ),
    (
        "ek-under-authority-without-signing",
        &["authority-without-signing"],
        "root",
        false,
    ),
    ("ek-wrong-signature", &["intermediate"], "root", false),
];

#[test]
fn openssl_verifies_the_same_chains() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: there is no openssl here");
        return;
    }
    for (leaf, between, root, right) in CHAINS {
        assert_eq!(verify(leaf, between, &[root]).is_ok(), *right, "{leaf}");
        let mut openssl = Command::new("openssl");
        openssl
            .args(["verify", "-no-CApath", "-no-CAstore", "-attime"])
            .arg(NOW.to_string())
            // OpenSSL reads no directory names of TPMs, and would refuse a critical one.
            .arg("-ignore_critical")
            .arg("-CAfile")
            .arg(path(root));
        for name in *between {
            openssl.arg("-untrusted").arg(path(name));
        }
        let output = openssl.arg(path(leaf)).output().expect("openssl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), *right, "{leaf}: {said}");
    }
}

#[test]
fn swtpms_own_authority_is_verified_and_known_as_software() {
    let folder = tempfile::tempdir().expect("there is room");
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).display().to_string();
    for name in ["ca", "state"] {
        fs::create_dir(at(name)).expect("the folder is new");
    }
    let authority = format!(
        "statedir = {}\nsigningkey = {}\nissuercert = {}\ncertserial = {}\n",
        text("ca"),
        text("ca/key.pem"),
        text("ca/issuer.pem"),
        text("ca/serial")
    );
    fs::write(at("authority.conf"), authority).expect("the folder takes files");
    let options = "--platform-manufacturer Maker\n--platform-version 1\n--platform-model Box\n";
    fs::write(at("authority.options"), options).expect("the folder takes files");
    let setup = format!(
        "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {}\n\
         create_certs_tool_options = {}\nactive_pcr_banks = sha256\n",
        text("authority.conf"),
        text("authority.options")
    );
    fs::write(at("setup.conf"), setup).expect("the folder takes files");
    let made = Command::new("swtpm_setup")
        .args(["--tpm2", "--create-ek-cert", "--config"])
        .arg(at("setup.conf"))
        .arg("--tpm-state")
        .arg(at("state"))
        .arg("--write-ek-cert-files")
        .arg(at("state"))
        .output();
    let made = match made {
        Ok(made) => made,
        Err(error) => return println!("skipped: swtpm_setup cannot be run: {error}"),
    };
    let said = String::from_utf8_lossy(&made.stdout);
    assert!(made.status.success(), "{said}");
    let root = fs::read_to_string(at("ca/swtpm-localca-rootca-cert.pem"));
    let root = certificates_from_pem(&root.expect("swtpm_localca made it"));
    let root = TrustAnchor::new("swtpm", &root.expect("in PEM")[0], false).expect("is a root");
    let issuer = fs::read_to_string(at("ca/issuer.pem")).expect("swtpm_localca made it");
    let issuer = certificates_from_pem(&issuer).expect("in PEM");
    // Its certificates start at the present time and end with the year 9999.
    let now = 4_000_000_000;
    for (name, bits) in [("ek-rsa2048.crt", 2048), ("ek-secp384r1.crt", 384)] {
        let leaf = fs::read(at("state").join(name)).expect("swtpm_setup wrote it");
        let anchors = std::slice::from_ref(&root);
        let key = endorsement::verify_chain(&leaf, &issuer, anchors, now).expect("is right");
        assert_eq!(key.public().bits(), bits);
        assert!(key.is_software(), "{}", key.tpm());
        assert!(matches!(
            endorsement::verify_chain(&leaf, &issuer, &[anchor("root")], now),
            Err(EkChainError::UnknownAuthority { .. })
        ));
        let rsa = matches!(key.public(), PublicKey::Rsa { .. });
        assert_eq!(rsa, bits == 2048);
    }
}
