//! Results, as a JWT library of another language reads them.

use std::fs;
use std::process::Command;

use earnest_evidence::measured::Head;
use earnest_evidence::tpm::Name;
use earnest_evidence::{HashAlgorithm, Nonce};
use earnest_verifier::ear::{
    AttesterClaims, CheckClaim, DeviceAppraisal, Ear, Outcome, PROFILE, ResultKey, Submodules,
    Tier, TpmClaim, TrustVector, VerifierClaims, VerifierId,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

/// The system's own Python has its packages, whichever stands first in the path.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// Reads the token with the key, as anybody would, and prints its claims; then shows that it is
/// refused with another key, as another algorithm's, and with a claim changed.
const READER: &str = r#"
import base64, json, sys
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

token, pem, jwk = (open(name).read() for name in sys.argv[1:4])
key = load_pem_public_key(pem.encode())
required = {"require": ["exp", "iat", "nbf"]}
claims = jwt.decode(token, key, algorithms=["ES256"], options=required)
assert claims == jwt.decode(token, jwt.PyJWK(json.loads(jwk), "ES256").key, algorithms=["ES256"])
header = jwt.get_unverified_header(token)
assert header["alg"] == "ES256" and header["typ"] == "eat+jwt", header

def refused(token, key, algorithms):
    try:
        jwt.decode(token, key, algorithms=algorithms)
    except jwt.InvalidTokenError:
        return True
    return False

other = ec.generate_private_key(ec.SECP256R1()).public_key()
assert refused(token, other, ["ES256"])
assert refused(token, key, ["ES384"])
head, body, signature = token.split(".")
changed = json.loads(base64.urlsafe_b64decode(body + "=="))
changed["ear_status"] = "warning"
changed = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
assert refused(".".join([head, changed, signature]), key, ["ES256"])
print(json.dumps(claims))
"#;

fn ear(now: i64) -> Ear {
    let nonce = Nonce::from_bytes([7; 32]);
    let digest = HashAlgorithm::Sha256.digest(b"key");
    let claim = CheckClaim::new("quote", Outcome::Passed);
    Ear {
        profile: PROFILE.to_owned(),
        issued_at: now,
        not_before: now,
        expires_at: now + 300,
        verifier: VerifierId::this(),
        nonce,
        status: Tier::Affirming,
        submodules: Submodules {
            device: DeviceAppraisal {
                status: Tier::Affirming,
                trust_vector: TrustVector {
                    instance_identity: 2,
                    configuration: 2,
                    executables: 2,
                    hardware: 2,
                },
                policies: vec!["production".to_owned()],
                nonce,
                attester: Some(AttesterClaims {
                    tpm_reset_count: 7,
                    tpm_restart_count: 0,
                    tpm_clock: 123_456,
                    tpm_clock_safe: true,
                    tpm_firmware_version: "2019102300163636".to_owned(),
                }),
                verifier: VerifierClaims {
                    device: "kitchen-1".to_owned(),
                    ak_name: Name::of_digest(&digest),
                    tpm: TpmClaim {
                        manufacturer: "id:4D414B45".to_owned(),
                        model: "Chip 1".to_owned(),
                        version: "id:00010002".to_owned(),
                        software: false,
                    },
                    audit_head: Some(Head::new(7, [0xab; 32])),
                    checks: vec![claim],
                },
            },
        },
    }
}

#[test]
fn pyjwt_verifies_a_result_and_refuses_changed_ones() {
    let has_packages = |python: &&'static str| {
        let mut probe = Command::new(python);
        probe.args(["-c", "import jwt, cryptography"]);
        probe.output().is_ok_and(|output| output.status.success())
    };
    let Some(python) = PYTHONS.into_iter().find(has_packages) else {
        println!("skipped: no Python here has PyJWT and cryptography");
        return;
    };
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key is made");
    let key = ResultKey::from_pkcs8(document.as_ref(), &random).expect("it is one");
    // PyJWT looks at the clock by itself.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is past 1970");
    let ear = ear(i64::try_from(now.as_secs()).expect("it is before the end of time"));
    let token = ear.sign(&key, &random).expect("it is short");

    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the folder takes files");
        path
    };
    let public = key.verifier().public_key().expect("it has one");
    let output = Command::new(python)
        .args(["-c", READER])
        .arg(write("token", &token))
        .arg(write("key.pem", &public.to_pem()))
        .arg(write("key.jwk", &key.verifier().to_jwk()))
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let theirs: Ear = serde_json::from_slice(&output.stdout).expect("it prints the claims");
    assert_eq!(theirs, ear);
}
