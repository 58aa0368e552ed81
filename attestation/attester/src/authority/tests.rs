//! With a module in memory where nobody checks what it signs, and with a TPM in software where
//! other people's verifiers do.

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::*;
use crate::testing::{Machine, fake, folder};

/// 2026-01-01, when these tests happen.
const NOW: u64 = 1_767_225_600;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// Whether the web PKI takes this certificate under this authority, for this name.
fn accepted(authority: &[u8], leaf: &[u8], at: u64, name: &str) -> Result<(), webpki::Error> {
    let authority = CertificateDer::from(authority);
    let anchor = anchor_from_trusted_cert(&authority)?;
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf)?;
    let algorithms = [webpki::ring::ECDSA_P256_SHA256];
    let usage = KeyUsage::server_auth();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
    leaf.verify_for_usage(&algorithms, &[anchor], &[], at, usage, None, None)?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    leaf.verify_is_valid_for_subject_name(&name)
}

/// A leaf that the authority would not make: for this name.
fn stolen(authority: &Authority<'_>, name: SanType) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let signer = Signer::new(authority.module, &authority.point);
    let issuer = parameters_of(&authority.point).unwrap();
    let mut leaf = leaf_parameters(NOW, NOW + 60).unwrap();
    leaf.subject_alt_names = vec![name];
    let issuer = Issuer::from_params(&issuer, &signer);
    leaf.signed_by(&key, &issuer).unwrap().der().to_vec()
}

#[test]
fn clients_take_a_leaf_for_this_machine_and_while_it_lives() {
    let machine = Machine::new();
    let (_place, folder) = folder();
    let authority = Authority::open(&machine.tpm, &folder).unwrap();
    let leaf = authority.issue(now(), DEFAULT_LIFE).unwrap();
    let [shown] = leaf.chain() else {
        panic!("a leaf alone")
    };
    let check = |at: u64, name: &str| accepted(authority.certificate(), shown, at, name);
    for name in ["localhost", "127.0.0.1", "::1"] {
        check(NOW, name).unwrap();
    }
    for name in ["example.com", "127.0.0.2", "::2", "a.localhost"] {
        let refused = check(NOW, name).unwrap_err();
        let expected = matches!(refused, webpki::Error::CertNotValidForName(_));
        assert!(expected, "{name}: {refused}");
    }
    let day = DEFAULT_LIFE.as_secs();
    check(NOW - 3600, "localhost").unwrap();
    check(NOW + day, "localhost").unwrap();
    assert!(check(NOW - 3601, "localhost").is_err());
    assert!(check(NOW + day + 1, "localhost").is_err());
    let ends = leaf.valid_until().duration_since(now()).unwrap();
    assert_eq!(ends, DEFAULT_LIFE);
    let key = KeyPair::try_from(leaf.key()).unwrap();
    assert!(contains(shown, key.der_bytes()), "the key is the leaf's");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn who_trusts_the_authority_trusts_it_for_this_machine_alone() {
    let machine = Machine::new();
    let (place, folder) = folder();
    let authority = Authority::open(&machine.tpm, &folder).unwrap();
    let ip = |text: &str| SanType::IpAddress(text.parse().unwrap());
    let dns = |text: &str| SanType::DnsName(text.try_into().unwrap());
    for (name, text, ours) in [
        (dns("localhost"), "localhost", true),
        (ip("127.9.9.9"), "127.9.9.9", true),
        (dns("example.com"), "example.com", false),
        (dns("localhost.example.com"), "localhost.example.com", false),
        (ip("128.0.0.1"), "128.0.0.1", false),
        (ip("192.168.0.1"), "192.168.0.1", false),
        (ip("::2"), "::2", false),
    ] {
        let leaf = stolen(&authority, name);
        match accepted(authority.certificate(), &leaf, NOW, text) {
            Ok(()) => assert!(ours, "{text}"),
            Err(webpki::Error::NameConstraintViolation) => assert!(!ours, "{text}"),
            Err(other) => panic!("{text}: {other}"),
        }
        if let Some((taken, said)) = openssl_takes(place.path(), &authority, &leaf) {
            assert_eq!(taken, ours, "{text}: {said}");
            assert_eq!(
                said.contains("permitted subtree violation"),
                !ours,
                "{said}"
            );
        }
    }
}

/// Whether `openssl verify -x509_strict` takes a leaf, and what it says; nothing where there is
/// no openssl.
fn openssl_takes(place: &Path, authority: &Authority<'_>, leaf: &[u8]) -> Option<(bool, String)> {
    let file = place.join("leaf.pem");
    std::fs::write(&file, in_pem(leaf)).unwrap();
    let output = Command::new("openssl")
        .args(["verify", "-no-CApath", "-no-CAstore", "-x509_strict"])
        .args(["-purpose", "sslserver", "-attime", &NOW.to_string()])
        .arg("-CAfile")
        .arg(place.join(CERTIFICATE_FILE))
        .arg(&file)
        .output();
    let Ok(output) = output else {
        println!("skipped: there is no openssl here");
        return None;
    };
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(
        earnest_files::read(&place.join(CERTIFICATE_FILE), 10_000).unwrap(),
        authority.certificate_pem().as_bytes()
    );
    Some((output.status.success(), said))
}

#[test]
fn openssl_takes_a_leaf_at_its_strictest() {
    let machine = Machine::new();
    let (place, folder) = folder();
    let authority = Authority::open(&machine.tpm, &folder).unwrap();
    let leaf = authority.issue(now(), LEAST_LIFE).unwrap();
    if let Some((taken, said)) = openssl_takes(place.path(), &authority, &leaf.chain()[0]) {
        assert!(taken, "{said}");
    }
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(place.path().join(CERTIFICATE_FILE))
        .output();
    let Ok(shown) = shown else { return };
    let shown = String::from_utf8_lossy(&shown.stdout);
    for expected in [
        "CN = Earnest device authority ",
        "Not Before: Jan  1 00:00:00 1970 GMT",
        "Not After : Dec 31 23:59:59 9999 GMT",
        "CA:TRUE, pathlen:0",
        "Certificate Sign",
        "X509v3 Name Constraints: critical",
        "DNS:localhost",
        "IP:127.0.0.0/255.0.0.0",
        "X509v3 Subject Key Identifier",
    ] {
        assert!(shown.contains(expected), "{expected} is not in\n{shown}");
    }
}

#[test]
fn its_certificate_is_made_once_and_again_where_it_is_damaged_or_anothers() {
    let machine = Machine::new();
    let (_place, folder) = folder();
    let open = || Authority::open(&machine.tpm, &folder).unwrap();
    let first = open();
    assert_eq!(open().certificate(), first.certificate());
    assert_eq!(open().fingerprint(), first.fingerprint());
    let kept = first.certificate();
    let mut ends = kept.to_vec();
    *ends.last_mut().unwrap() ^= 1;
    let damaged = [
        Vec::new(),
        b"no PEM".to_vec(),
        vec![b'x'; MAX_CERTIFICATE_BYTES + 1],
        in_pem(&ends).into_bytes(),
        in_pem(&kept[..kept.len() - 1]).into_bytes(),
        in_pem(&[kept, &[0]].concat()).into_bytes(),
        in_pem(&flipped(kept, kept.len() / 2)).into_bytes(),
        in_pem(&flipped(kept, 3)).into_bytes(),
    ];
    for bytes in damaged {
        folder.write(CERTIFICATE_FILE, &bytes).unwrap();
        let again = open();
        assert_ne!(again.certificate(), kept);
        assert_eq!(open().certificate(), again.certificate());
    }
    let other = Machine::new();
    let others = Authority::open(&other.tpm, &folder).unwrap();
    assert_ne!(others.point, first.point);
    let leaf = others.issue(now(), LEAST_LIFE).unwrap();
    let leaf = &leaf.chain()[0];
    accepted(others.certificate(), leaf, NOW, "localhost").unwrap();
    assert!(accepted(kept, leaf, NOW, "localhost").is_err());
}

fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 0x20;
    bytes
}

#[test]
fn without_the_tpm_there_is_no_leaf_and_the_reason_is_the_tpms() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    assert!(authority.issue(now(), DEFAULT_LIFE).is_ok());
    module.set_gone(true);
    let refused = authority.issue(now(), DEFAULT_LIFE).unwrap_err();
    assert!(matches!(refused, AuthorityError::Tpm(error) if error.is_passing()));
    folder.remove(CERTIFICATE_FILE).unwrap();
    let refused = Authority::open(&module, &folder).unwrap_err();
    assert!(matches!(refused, AuthorityError::Tpm(_)), "{refused}");
    assert_eq!(folder.read(CERTIFICATE_FILE, 10_000).unwrap(), None);
}

#[test]
fn a_leaf_lives_neither_too_short_nor_too_long() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let second = Duration::from_secs(1);
    for life in [Duration::ZERO, LEAST_LIFE - second, MOST_LIFE + second] {
        let refused = authority.issue(now(), life).unwrap_err();
        let expected = matches!(refused, AuthorityError::Life { found, .. } if found == life);
        assert!(expected, "{refused}");
    }
    for life in [LEAST_LIFE, MOST_LIFE] {
        assert!(authority.issue(now(), life).is_ok());
    }
}

#[test]
fn no_clock_is_so_wrong_that_there_is_no_leaf() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let epoch = SystemTime::UNIX_EPOCH;
    let far = Duration::from_secs(END_OF_TIME + 1_000_000);
    for now in [epoch, epoch - far, epoch + far] {
        let leaf = authority.issue(now, MOST_LIFE).unwrap();
        assert!(leaf.from < leaf.until && leaf.until <= END_OF_TIME);
    }
}

#[test]
fn a_leaf_is_due_at_half_its_life_and_when_the_clock_jumps() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let leaf = authority.issue(now(), DEFAULT_LIFE).unwrap();
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let half = DEFAULT_LIFE.as_secs() / 2;
    assert!(!leaf.is_due(at(NOW)));
    assert!(!leaf.is_due(at(NOW - 3600)));
    assert!(!leaf.is_due(at(NOW + half - 1)));
    assert!(leaf.is_due(at(NOW + half)));
    assert!(leaf.is_due(at(NOW - 3601)));
    assert!(leaf.is_due(at(0)));
}

#[test]
fn a_leaf_tells_nobody_its_key() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let leaf = authority.issue(now(), DEFAULT_LIFE).unwrap();
    let shown = format!("{leaf:?}");
    assert_eq!(
        shown,
        format!("Leaf {{ from: {}, until: {}, .. }}", leaf.from, leaf.until)
    );
}

proptest! {
    #[test]
    fn signatures_go_there_and_back(r in any::<[u8; 32]>(), s in any::<[u8; 32]>(), zeros in 0_usize..32) {
        let mut signature = EcdsaSignature { r, s };
        signature.r[..zeros].fill(0);
        prop_assert_eq!(fixed(&signature.to_der()), Some(signature.to_fixed()));
    }

    #[test]
    fn no_bytes_are_too_odd(start in any::<[u8; 4]>(), bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = fixed(&bytes);
        let _ = signature_behind(&bytes, &[&start[..], &bytes, &ECDSA_WITH_SHA256, &bytes].concat());
        let _ = signature_behind(b"", &bytes);
    }
}
