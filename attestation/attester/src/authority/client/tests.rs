//! With a TPM in software, and other people's readers of certificates.

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, UnixTime};
use tempfile::TempDir;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::super::CERTIFICATE_FILE;
use super::*;
use crate::testing::{Machine, fake, folder};

/// 2026-01-01, when these tests happen.
const NOW: u64 = 1_767_225_600;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Requests as OpenSSL writes them: the first asks for a name, a host and an authority's power.
const P256: &str = include_str!("../../../../verifier/tests/requests/p256.pem");
const ED25519: &str = include_str!("../../../../verifier/tests/requests/ed25519.pem");
const RSA: &str = include_str!("../../../../verifier/tests/requests/rsa.pem");

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// Whether the web PKI takes this certificate under this authority for that use.
fn accepted(authority: &[u8], leaf: &[u8], at: u64, usage: KeyUsage) -> Result<(), webpki::Error> {
    let authority = CertificateDer::from(authority);
    let anchor = anchor_from_trusted_cert(&authority)?;
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf)?;
    let algorithms = [webpki::ring::ECDSA_P256_SHA256];
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
    leaf.verify_for_usage(&algorithms, &[anchor], &[], at, usage, None, None)?;
    Ok(())
}

/// What `openssl` says of a certificate, and whether it succeeds; nothing where there is none.
fn openssl(place: &Path, pem: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let file = place.join("client.pem");
    std::fs::write(&file, pem).unwrap();
    let output = Command::new("openssl").args(arguments).arg(&file).output();
    let Ok(output) = output else {
        println!("skipped: there is no openssl here");
        return None;
    };
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some((output.status.success(), said))
}

fn verify<'a>(authority: &'a str, purpose: &'a str, at: &'a str) -> [&'a str; 10] {
    [
        "verify",
        "-no-CApath",
        "-no-CAstore",
        "-x509_strict",
        "-purpose",
        purpose,
        "-attime",
        at,
        "-CAfile",
        authority,
    ]
}

#[test]
fn a_certificate_is_good_for_clients_of_tls_alone_and_while_it_lives() {
    let machine = Machine::new();
    let (place, folder) = folder();
    let authority = Authority::open(&machine.tpm, &folder).unwrap();
    let path = place.path().join(CERTIFICATE_FILE);
    let path = path.to_str().unwrap();
    let (_, ours) = client_request().unwrap();
    for request in [P256, ED25519, &ours] {
        let made = authority.certify_client(request.as_bytes(), "lamp", now(), DAY);
        let made = made.unwrap();
        let at = |at, usage| accepted(authority.certificate(), &made.der, at, usage);
        for moment in [NOW - 3600, NOW, NOW + DAY.as_secs()] {
            at(moment, KeyUsage::client_auth()).unwrap();
        }
        for moment in [NOW - 3601, NOW + DAY.as_secs() + 1] {
            assert!(at(moment, KeyUsage::client_auth()).is_err());
        }
        let refused = at(NOW, KeyUsage::server_auth()).unwrap_err();
        assert!(
            matches!(refused, webpki::Error::RequiredEkuNotFoundContext(_)),
            "{refused}"
        );
        assert_eq!(made.not_after, now() + DAY);
        let moment = NOW.to_string();
        for (purpose, taken) in [("sslclient", true), ("sslserver", false)] {
            let arguments = verify(path, purpose, &moment);
            if let Some((success, said)) = openssl(place.path(), &made.pem, &arguments) {
                assert_eq!(success, taken, "{purpose}: {said}");
            }
        }
    }
}

#[test]
fn of_a_request_the_key_alone_is_taken() {
    let machine = Machine::new();
    let (place, folder) = folder();
    let authority = Authority::open(&machine.tpm, &folder).unwrap();
    let made = authority
        .certify_client(P256.as_bytes(), "living-room.lamp_1", now(), DAY)
        .unwrap();
    let text = ["x509", "-noout", "-text", "-in"];
    if let Some((_, said)) = openssl(place.path(), &made.pem, &text) {
        for expected in [
            "Subject: CN = app:living-room.lamp_1\n",
            "CA:FALSE",
            "TLS Web Client Authentication\n",
            "Digital Signature\n",
            "X509v3 Authority Key Identifier",
            "04:d6:2c:d8:4f:68:c5:c5",
        ] {
            assert!(said.contains(expected), "{expected} is not in\n{said}");
        }
        for other in ["anybody", "example.com", "Alternative", "CA:TRUE", "Server"] {
            assert!(!said.contains(other), "{other} is in\n{said}");
        }
    }
    let fingerprint = ["x509", "-noout", "-fingerprint", "-sha256", "-in"];
    if let Some((_, said)) = openssl(place.path(), &made.pem, &fingerprint) {
        let found = said.trim().rsplit('=').next().unwrap().replace(':', "");
        let ours = earnest_evidence::hex::encode(&made.fingerprint);
        assert_eq!(found.to_lowercase(), ours);
    }
}

#[test]
fn a_request_is_ours_and_everybodys() {
    let (key, request) = client_request().unwrap();
    let place = TempDir::new().unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    assert_ne!(client_request().unwrap().1, request);
    let checked = ["req", "-verify", "-noout", "-subject", "-in"];
    if let Some((success, said)) = openssl(place.path(), &request, &checked) {
        assert!(
            success && said.to_lowercase().contains("verify ok"),
            "{said}"
        );
    }
    let public = ["req", "-noout", "-pubkey", "-in"];
    let of_request = openssl(place.path(), &request, &public);
    let of_key = openssl(place.path(), &key, &["pkey", "-pubout", "-in"]);
    assert_eq!(of_request, of_key);
    let pair = KeyPair::try_from(&*pem::parse(&*key).unwrap().into_contents()).unwrap();
    let requested = requested_key(pem::parse(&request).unwrap().contents()).unwrap();
    assert_eq!(requested.as_bytes(), pair.der_bytes());
}

#[test]
fn a_request_is_taken_in_pem_and_in_der() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let certify = |request: &[u8]| authority.certify_client(request, "lamp", now(), DAY);
    let der = pem::parse(P256).unwrap().into_contents();
    let older = P256.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    for request in [P256.as_bytes(), &der, older.as_bytes()] {
        certify(request).unwrap();
    }
    let other = P256.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    for request in [other.as_bytes(), b"", b"lamp", &P256.as_bytes()[..100]] {
        let refused = certify(request).unwrap_err();
        assert!(matches!(refused, CertifyError::NotPem), "{refused}");
    }
    let refused = certify(&vec![b'-'; MAX_PEM_BYTES + 1]).unwrap_err();
    let too_long = matches!(refused, CertifyError::Request(RequestError::TooLong { .. }));
    assert!(too_long, "{refused}");
    let mut others = der.clone();
    *others.last_mut().unwrap() ^= 1;
    let refused = certify(&others).unwrap_err();
    let signature = matches!(refused, CertifyError::Request(RequestError::Signature));
    assert!(signature, "{refused}");
    let refused = certify(RSA.as_bytes()).unwrap_err();
    let kind = matches!(refused, CertifyError::Request(RequestError::Key));
    assert!(kind, "{refused}");
}

#[test]
fn a_key_that_is_certified_again_gets_another_certificate() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let certify = || authority.certify_client(P256.as_bytes(), "lamp", now(), DAY);
    let (first, second) = (certify().unwrap(), certify().unwrap());
    assert_ne!(first.fingerprint, second.fingerprint);
    let serial = |certificate: &ClientCertificate| {
        // Certificate, tbsCertificate, version, and then the serial number.
        let start = certificate
            .der
            .windows(2)
            .position(|window| window == [0x02, SERIAL_BYTES as u8]);
        certificate.der[start.unwrap() + 2..][..SERIAL_BYTES].to_vec()
    };
    assert_ne!(serial(&first), serial(&second));
    assert!((0x40..0x80).contains(&serial(&first)[0]));
}

#[test]
fn names_that_are_no_apps_and_lives_too_short_or_long_are_refused() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let certify = |app: &str, life| authority.certify_client(P256.as_bytes(), app, now(), life);
    for app in ["", "Lamp", "a b", "a,CN=b", "lämp", "a\n", &"a".repeat(61)] {
        let refused = certify(app, DAY).unwrap_err();
        assert!(matches!(refused, CertifyError::App { .. }), "{app:?}");
    }
    for app in ["a", "uid-1000", "a.b_c-9", &"a".repeat(MAX_APP_BYTES)] {
        certify(app, DAY).unwrap();
    }
    let second = Duration::from_secs(1);
    for life in [
        Duration::ZERO,
        LEAST_CLIENT_LIFE - second,
        MOST_CLIENT_LIFE + second,
    ] {
        let refused = certify("lamp", life).unwrap_err();
        let told = matches!(refused, CertifyError::Life { found, .. } if found == life);
        assert!(told, "{refused}");
    }
    for life in [LEAST_CLIENT_LIFE, MOST_CLIENT_LIFE] {
        certify("lamp", life).unwrap();
    }
}

#[test]
fn without_the_tpm_nobody_is_certified_and_the_reason_is_the_tpms() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    module.set_gone(true);
    let refused = authority.certify_client(P256.as_bytes(), "lamp", now(), DAY);
    let refused = refused.unwrap_err();
    let tpm = matches!(
        &refused,
        CertifyError::Authority(AuthorityError::Tpm(error)) if error.is_passing()
    );
    assert!(tpm, "{refused}");
}

#[test]
fn no_clock_is_so_wrong_that_nobody_is_certified() {
    let (_place, folder) = folder();
    let module = fake();
    let authority = Authority::open(&module, &folder).unwrap();
    let epoch = SystemTime::UNIX_EPOCH;
    let far = Duration::from_secs(300_000_000_000);
    for now in [epoch, epoch - far, epoch + far] {
        let request = P256.as_bytes();
        let made = authority.certify_client(request, "lamp", now, MOST_CLIENT_LIFE);
        assert!(made.unwrap().not_after > epoch);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd_for_a_request(
        label in "[A-Z -]{0,30}",
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(der) = in_der(&bytes) {
            prop_assert!(bytes.is_empty() || requested_key(&der).is_err());
        }
        let text = [b"-----BEGIN ", label.as_bytes(), b"-----\n", &bytes[..]].concat();
        prop_assert!(in_der(&text).is_err() || requested_key(&in_der(&text).unwrap()).is_err());
    }
}
