//! A device in software: keys in memory, a boot log, starts of the daemon, and the evidence that
//! a TPM would make of them. What somebody wants wrong, they change.
//!
//! It is for tests, benches and demonstrations, and compiled for those alone (the feature
//! `simulation`). What it makes proves nothing: its keys are in memory, and one is in its source.

mod rsa_key;

use crate::appraisal::appraise;
use crate::ear::{ResultKey, ResultVerifier};
use crate::enrolment::Enrolment;
use crate::freshness::{FreshNonce, FreshnessError, NonceRecord};
use crate::policy::Policy;
use crate::reference::ReferenceValues;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use earnest_evidence::measured::{MeasuredLog, SandboxLevel, Start};
use earnest_evidence::tpm::{
    Attest, Attested, Buffer, ClockInfo, Curve, EccParameters, Name, ObjectAttributes, Parameters,
    PcrSelection, PcrValues, Public, RsaParameters, Scheme, Signature, Symmetric,
};
use earnest_evidence::{Digest, Evidence, HashAlgorithm, Nonce, hex};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{self, EcdsaKeyPair, KeyPair};

/// When everything happens, in seconds since 1970.
pub const NOW: i64 = 1_800_000_000;
/// The nonce of every test.
pub const NONCE: Nonce = Nonce::from_bytes([0x5a; 32]);
/// The name of every device.
pub const DEVICE: &str = "kitchen-1";

/// `EV_IPL`.
pub const IPL: u32 = 0x0d;
/// `EV_SEPARATOR`.
pub const SEPARATOR: u32 = 0x04;
/// `EV_NO_ACTION`.
const NO_ACTION: u32 = 0x03;

/// What an attestation key must be.
pub const RESTRICTED: ObjectAttributes = ObjectAttributes::FIXED_TPM
    .union(ObjectAttributes::FIXED_PARENT)
    .union(ObjectAttributes::SENSITIVE_DATA_ORIGIN)
    .union(ObjectAttributes::USER_WITH_AUTH)
    .union(ObjectAttributes::NO_DA)
    .union(ObjectAttributes::RESTRICTED)
    .union(ObjectAttributes::SIGN);

/// A TPM's key, in memory.
pub enum Key {
    /// RSA-2048.
    Rsa {
        /// The key.
        pair: Box<RsaKeyPair>,
        /// Whether it signs by RSAPSS and not RSASSA.
        pss: bool,
    },
    /// ECC P-256.
    Ecc(Box<EcdsaKeyPair>),
}

impl Key {
    /// RSA-2048, always the same, signing by RSASSA or RSAPSS.
    pub fn rsa(pss: bool) -> Key {
        let document = STANDARD.decode(rsa_key::RSA_KEY).expect("it is Base64");
        let pair = RsaKeyPair::from_pkcs8(&document).expect("it is an RSA key");
        Key::Rsa {
            pair: Box::new(pair),
            pss,
        }
    }

    /// ECC P-256, a new one each time.
    pub fn ecc() -> Key {
        let (algorithm, random) = (
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            SystemRandom::new(),
        );
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key is made");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
        Key::Ecc(Box::new(pair.expect("it was made just now")))
    }

    /// The public area of the key with these attributes.
    pub fn public(&self, attributes: ObjectAttributes) -> Public {
        let parameters = match self {
            Key::Rsa { pair, pss } => {
                let components: ring::rsa::PublicKeyComponents<Vec<u8>> =
                    ring::rsa::PublicKeyComponents::from(pair.public_key());
                Parameters::Rsa(RsaParameters {
                    symmetric: Symmetric::Null,
                    scheme: match pss {
                        true => Scheme::RSAPSS_SHA256,
                        false => Scheme::RSASSA_SHA256,
                    },
                    key_bits: 2048,
                    exponent: 0,
                    modulus: Buffer::new(&components.n).expect("it has 256 bytes"),
                })
            }
            Key::Ecc(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                Parameters::Ecc(EccParameters {
                    symmetric: Symmetric::Null,
                    scheme: Scheme::ECDSA_SHA256,
                    curve_id: Curve::P256.id(),
                    x: Buffer::new(x).expect("it has 32 bytes"),
                    y: Buffer::new(y).expect("it has 32 bytes"),
                })
            }
        };
        Public {
            name_algorithm: HashAlgorithm::Sha256,
            attributes,
            auth_policy: Buffer::default(),
            parameters,
        }
    }

    /// Its signature of `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let (random, hash) = (SystemRandom::new(), HashAlgorithm::Sha256);
        match self {
            Key::Rsa { pair, pss } => {
                let mut bytes = vec![0; 256];
                let padding: &'static dyn signature::RsaEncoding = match pss {
                    true => &signature::RSA_PSS_SHA256,
                    false => &signature::RSA_PKCS1_SHA256,
                };
                pair.sign(padding, &random, message, &mut bytes)
                    .expect("the buffer is as long as the modulus");
                let signature = Buffer::new(&bytes).expect("it has 256 bytes");
                match pss {
                    true => Signature::RsaPss { hash, signature },
                    false => Signature::RsaSsa { hash, signature },
                }
            }
            Key::Ecc(pair) => {
                let fixed = pair.sign(&random, message).expect("there is randomness");
                Signature::from_ecdsa_fixed(hash, fixed.as_ref()).expect("it has two halves")
            }
        }
    }
}

/// One event of the boot.
#[derive(Debug, Clone)]
pub struct BootEvent {
    /// The PCR that it is extended into.
    pub pcr: u32,
    /// Its type.
    pub kind: u32,
    /// Its data, whose digest is extended.
    pub data: Vec<u8>,
}

/// An event of this text.
pub fn event(pcr: u32, kind: u32, data: &str) -> BootEvent {
    BootEvent {
        pcr,
        kind,
        data: data.as_bytes().to_vec(),
    }
}

/// A device.
pub struct Device {
    /// Its attestation key.
    pub key: Key,
    /// The attributes of that key.
    pub attributes: ObjectAttributes,
    /// What was measured at boot.
    pub boot: Vec<BootEvent>,
    /// The starts of the daemon since.
    pub starts: MeasuredLog,
    /// The PCRs that it quotes.
    pub quoted: Vec<u8>,
    /// The bank of those PCRs.
    pub bank: HashAlgorithm,
}

impl Device {
    /// An honest device that booted and started the daemon once.
    pub fn new(key: Key) -> Device {
        let mut starts = MeasuredLog::new();
        starts.append(start("0.1.0")).expect("it is the first");
        Device {
            key,
            attributes: RESTRICTED,
            boot: vec![
                event(0, 0x08, "firmware 1"),
                event(7, 0x8000_0001, "SecureBoot"),
                event(7, SEPARATOR, "\0\0\0\0"),
                event(4, 0x8000_0007, "Calling EFI Application from Boot Option"),
                event(4, SEPARATOR, "\0\0\0\0"),
                event(4, 0x8000_0003, "boot loader"),
                event(11, IPL, "kernel"),
                event(11, IPL, "initial RAM disk"),
            ],
            starts,
            quoted: vec![4, 7, 11, 14],
            bank: HashAlgorithm::Sha256,
        }
    }

    /// The public area of its attestation key.
    pub fn public(&self) -> Public {
        self.key.public(self.attributes)
    }

    /// The boot log in the crypto-agile form, with digests of SHA-1 and SHA-256.
    pub fn log(&self) -> Vec<u8> {
        log_of(&self.boot)
    }

    /// What the PCRs hold after boot and starts.
    pub fn value(&self, pcr: u8) -> Digest {
        let boot = self
            .boot
            .iter()
            .filter(|event| event.pcr == u32::from(pcr) && event.kind != NO_ACTION)
            .map(|event| self.bank.digest(&event.data))
            .fold(self.bank.zero(), |value, digest| value.extended_by(&digest));
        match pcr {
            14 => self.starts.replay(&boot),
            _ => boot,
        }
    }

    /// What the quoted PCRs hold.
    pub fn values(&self) -> PcrValues {
        let mut values = PcrValues::new();
        for pcr in &self.quoted {
            values
                .insert(*pcr, self.value(*pcr))
                .expect("each stands once");
        }
        values
    }

    /// Evidence as the device makes it.
    pub fn evidence(&self) -> Evidence {
        let values = self.values();
        self.quote(quote_of(&values, NONCE.as_bytes()), values)
    }

    /// Evidence with this attestation, signed by the device's key.
    pub fn quote(&self, attest: Attest, pcrs: PcrValues) -> Evidence {
        Evidence {
            nonce: NONCE,
            software: "0.1.0".to_owned(),
            signature: self.key.sign(&attest.marshal()),
            attest,
            ak_public: self.public(),
            pcrs,
            firmware_log: self.log(),
            measured_log: self.starts.encode(),
            authority: None,
        }
    }

    /// The device's enrolment, with a TPM that is a program or is not.
    pub fn enrolment(&self, software: bool) -> Enrolment {
        let public = self.public();
        let (bytes, name) = (hex::encode(&public.marshal()), public.name());
        let certificate = HashAlgorithm::Sha256.digest(b"certificate");
        let (manufacturer, model) = match software {
            true => ("id:00001014", "swtpm"),
            false => ("id:4D414B45", "Chip 1"),
        };
        let json = format!(
            r#"{{"format": "earnest-enrolment/1", "device": "{DEVICE}", "ak_public": "{bytes}",
                "ak_name": "{name}", "endorsement_certificate": "{certificate}",
                "anchor": "maker", "tpm": {{"manufacturer": "{manufacturer}",
                "model": "{model}", "version": "id:00010002", "software": {software}}},
                "enrolled_at": {NOW}}}"#
        );
        Enrolment::from_json(&json).expect("it is as enrolments are written")
    }

    /// Reference values of just this device.
    pub fn reference(&self) -> ReferenceValues {
        ReferenceValues::from_evidence("image 1", &self.evidence(), &policy(""))
            .expect("its evidence is whole")
    }
}

/// A quote of these values.
pub fn quote_of(values: &PcrValues, nonce: &[u8]) -> Attest {
    attest(
        nonce,
        Attested::Quote {
            selection: values.selection(),
            pcr_digest: Buffer::from(&values.digest(HashAlgorithm::Sha256)),
        },
    )
}

/// An attestation of anything.
pub fn attest(nonce: &[u8], attested: Attested) -> Attest {
    Attest {
        qualified_signer: Name::of_digest(&HashAlgorithm::Sha256.digest(b"signer")),
        extra_data: Buffer::new(nonce).expect("it is short"),
        clock_info: ClockInfo {
            clock: 123_456,
            reset_count: 7,
            restart_count: 1,
            safe: true,
        },
        firmware_version: 0x2019_1023_0016_3636,
        attested,
    }
}

/// A selection of one bank's PCRs.
pub fn selection(bank: HashAlgorithm, pcrs: &[u8]) -> PcrSelection {
    PcrSelection::of(bank, pcrs).expect("they exist")
}

/// A start of this version.
pub fn start(version: &str) -> Start {
    let configuration = HashAlgorithm::Sha256.digest(b"configuration");
    let model = HashAlgorithm::Sha256.digest(b"model");
    Start::new(configuration, Some(model), SandboxLevel::Full, version).expect("it is one")
}

/// The log of these events, in the crypto-agile form.
pub fn log_of(events: &[BootEvent]) -> Vec<u8> {
    // TCG_EfiSpecIDEvent: signature, class, version 2.0, UINTN of 8 bytes, two algorithms.
    let mut head = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
    head.extend(2_u32.to_le_bytes());
    for bank in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
        head.extend(bank.id().to_le_bytes());
        head.extend((bank.digest_bytes() as u16).to_le_bytes());
    }
    head.push(0);
    let mut log = Vec::new();
    log.extend(0_u32.to_le_bytes());
    log.extend(NO_ACTION.to_le_bytes());
    log.extend([0; 20]);
    log.extend((head.len() as u32).to_le_bytes());
    log.extend(head);
    for event in events {
        log.extend(event.pcr.to_le_bytes());
        log.extend(event.kind.to_le_bytes());
        log.extend(2_u32.to_le_bytes());
        for bank in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
            log.extend(bank.id().to_le_bytes());
            log.extend(bank.digest(&event.data).as_bytes());
        }
        log.extend((event.data.len() as u32).to_le_bytes());
        log.extend(&event.data);
    }
    log
}

/// The policy of every test, with these members besides (each with a comma in front).
pub fn policy(members: &str) -> Policy {
    policy_of(&format!(
        r#""name": "production", "bank": "sha256", "pcrs": [4, 7, 11]{members}"#
    ))
}

/// A policy of these members.
pub fn policy_of(members: &str) -> Policy {
    Policy::from_json(&format!(r#"{{"format": "earnest-policy/1", {members}}}"#))
        .expect("it is as policies are written")
}

/// A nonce that is fresh.
pub fn fresh() -> Result<FreshNonce, FreshnessError> {
    NonceRecord::issue(NONCE, Some(DEVICE), NOW - 10, 60).consume(DEVICE, NOW)
}

/// What a verifier does for one device, over and over: for benches.
pub struct Workload {
    envelope: Vec<u8>,
    events: usize,
    log_bytes: usize,
    enrolment: Enrolment,
    reference: ReferenceValues,
    policy: Policy,
}

impl Workload {
    /// A device with this key, whose firmware log has at least 30 kB.
    pub fn new(key: Key) -> Workload {
        let mut device = Device::new(key);
        while device.log().len() < 30 * 1024 {
            // Real logs have some 250 bytes of data an event; those of the filter, fewer.
            let number = device.boot.len();
            device.boot.push(event(5, IPL, &format!("{number:0>100}")));
        }
        let evidence = device.evidence();
        Workload {
            envelope: evidence.to_cbor().expect("no part is too long"),
            events: device.boot.len(),
            log_bytes: evidence.firmware_log.len(),
            enrolment: device.enrolment(false),
            reference: device.reference(),
            policy: policy(""),
        }
    }

    /// Bytes of the firmware log.
    pub fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    /// Events in it.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Decodes the envelope and appraises it once; whether it passes.
    pub fn appraise(&self) -> bool {
        let evidence = Evidence::decode(&self.envelope).expect("it was encoded here");
        let freshness = fresh();
        let (reference, policy) = (&self.reference, &self.policy);
        appraise(&evidence, &self.enrolment, reference, policy, &freshness).is_pass()
    }
}

/// The key of [`token`], drawn once: a fuzzer asks for thousands of tokens a second.
static TOKEN_KEY: LazyLock<ResultKey> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key is made");
    ResultKey::from_pkcs8(document.as_ref(), &random).expect("it was made just now")
});

/// A token of this header and these claims, and what checks its signature, which is right
/// whatever they say. `KEY` in the header stands for the key's name.
pub fn token(header: &str, claims: &str) -> (String, ResultVerifier) {
    let (key, random) = (&*TOKEN_KEY, SystemRandom::new());
    let header = header.replace("KEY", key.verifier().key_id());
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let signature = key
        .sign(signed.as_bytes(), &random)
        .expect("there is randomness");
    let signature = URL_SAFE_NO_PAD.encode(signature);
    (format!("{signed}.{signature}"), key.verifier().clone())
}
