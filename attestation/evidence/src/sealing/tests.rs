use std::convert::Infallible;
use std::sync::LazyLock;

use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::*;
use crate::tpm::{PcrSet, SelectionError};

/// A signing key for these tests alone.
struct Signer {
    pair: EcdsaKeyPair,
    key: PolicyKey,
}

impl Signer {
    fn new() -> Signer {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let key = PolicyKey::from_point(pair.public_key().as_ref()).unwrap();
        Signer { pair, key }
    }

    fn sign(&self, message: &[u8]) -> Result<SignatureBytes, Infallible> {
        let signature = self.pair.sign(&SystemRandom::new(), message).unwrap();
        Ok(signature.as_ref().try_into().unwrap())
    }
}

static ROOT: LazyLock<Signer> = LazyLock::new(Signer::new);
static POLICY: LazyLock<Signer> = LazyLock::new(Signer::new);
static STRANGER: LazyLock<Signer> = LazyLock::new(Signer::new);
static SIGNED: LazyLock<SignedPolicy> = LazyLock::new(|| {
    let states = [[1; 32], [2; 32], [1; 32]];
    policy(grant(&ROOT, 3), &states)
});
static VERSION: LazyLock<SignedVersion> = LazyLock::new(|| version(false));

fn grant(root: &Signer, generation: u64) -> KeyGrant {
    KeyGrant::sign(&ROOT.key, POLICY.key, generation, |message| {
        root.sign(message)
    })
    .unwrap()
}

fn policy(grant: KeyGrant, states: &[[u8; 32]]) -> SignedPolicy {
    let pcrs = PcrSet::of(&[4, 7, 11]).unwrap();
    SignedPolicy::sign(&ROOT.key, grant, pcrs, 9, states, |message| {
        POLICY.sign(message)
    })
    .unwrap()
}

fn version(first: bool) -> SignedVersion {
    let least = LeastVersion {
        version: 5,
        generation: 2,
    };
    SignedVersion::sign(&ROOT.key, grant(&ROOT, 3), first, least, |message| {
        POLICY.sign(message)
    })
    .unwrap()
}

#[test]
fn a_signed_policy_is_read_as_it_was_written_and_holds() {
    let read = SignedPolicy::parse(&SIGNED.encode()).unwrap();
    assert_eq!(read, *SIGNED);
    assert_eq!(read.verify(&ROOT.key), Ok(()));
    assert_eq!(read.approvals().len(), 2, "a state stands in it once");
    assert!(read.approval(&[2; 32]).is_some());
    assert_eq!(read.approval(&[3; 32]), None);
}

#[test]
fn a_signed_version_is_read_as_it_was_written_and_holds() {
    for first in [false, true] {
        let signed = version(first);
        let bytes = signed.encode();
        assert_eq!(bytes.len(), SIGNED_VERSION_BYTES);
        let read = SignedVersion::parse(&bytes).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.verify(&ROOT.key), Ok(()));
    }
}

#[test]
fn a_grant_by_another_root_is_refused() {
    let forged = policy(grant(&STRANGER, 3), &[[1; 32]]);
    let error = forged.verify(&ROOT.key).unwrap_err();
    assert!(matches!(error, SignedPolicyError::Grant(_)), "{error}");
    let error = SIGNED.verify(&STRANGER.key).unwrap_err();
    assert!(matches!(error, SignedPolicyError::Grant(_)), "{error}");
}

#[test]
fn a_state_signed_by_another_key_is_refused() {
    let pcrs = PcrSet::of(&[4]).unwrap();
    let granted = grant(&ROOT, 3);
    let sign = |message: &[u8]| STRANGER.sign(message);
    let forged = SignedPolicy::sign(&ROOT.key, granted, pcrs, 9, &[[1; 32]], sign).unwrap();
    let error = forged.verify(&ROOT.key).unwrap_err();
    assert!(
        matches!(error, SignedPolicyError::State { place: 0, .. }),
        "{error}"
    );
}

#[test]
fn a_permission_for_a_first_write_is_none_for_another() {
    let mut bytes = version(true).encode();
    bytes[8 + GRANT_BYTES] = 0;
    let error = SignedVersion::parse(&bytes)
        .unwrap()
        .verify(&ROOT.key)
        .unwrap_err();
    assert!(matches!(error, SignedVersionError::Signature(_)), "{error}");
}

#[test]
fn no_state_and_too_many_are_refused() {
    let pcrs = PcrSet::of(&[4]).unwrap();
    for states in [vec![], vec![[0; 32]; MAX_APPROVALS + 1]] {
        let sign = |message: &[u8]| POLICY.sign(message);
        let error = SignedPolicy::sign(&ROOT.key, grant(&ROOT, 3), pcrs, 9, &states, sign);
        let found = states.len();
        assert_eq!(error, Err(SignPolicyError::Count { found }));
    }
    let mut bytes = SIGNED.encode();
    let count = 8 + GRANT_BYTES + 12;
    bytes[count + 1] = 0;
    let error = SignedPolicy::parse(&bytes).unwrap_err();
    assert_eq!(error, SignedPolicyError::Count { found: 0 });
}

#[test]
fn every_truncation_and_every_further_byte_is_refused() {
    let (policy, version) = (SIGNED.encode(), VERSION.encode());
    for end in 0..policy.len() {
        assert!(SignedPolicy::parse(&policy[..end]).is_err(), "{end}");
    }
    for end in 0..version.len() {
        assert!(SignedVersion::parse(&version[..end]).is_err(), "{end}");
    }
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert_eq!(
        SignedPolicy::parse(&longer(&policy)),
        Err(SignedPolicyError::Trailing { found: 1 })
    );
    assert_eq!(
        SignedVersion::parse(&longer(&version)),
        Err(SignedVersionError::Trailing { found: 1 })
    );
}

#[test]
fn a_policy_is_bound_to_pcrs_that_exist() {
    let check = |mask: u32, expected: SelectionError| {
        let mut bytes = SIGNED.encode();
        bytes[8 + GRANT_BYTES..][..4].copy_from_slice(&mask.to_be_bytes());
        let refused = SignedPolicy::parse(&bytes);
        assert_eq!(refused, Err(SignedPolicyError::Pcrs(expected)));
    };
    check(0, SelectionError::Empty);
    check(1 << 24, SelectionError::NoSuchPcr { found: 24 });
    let sign = |message: &[u8]| POLICY.sign(message);
    let unbound = SignedPolicy::sign(
        &ROOT.key,
        grant(&ROOT, 3),
        PcrSet::EMPTY,
        9,
        &[[0; 32]],
        sign,
    );
    let expected = SignPolicyError::Pcrs(SelectionError::Empty);
    assert_eq!(unbound, Err(expected));
}

/// The digests of a trial session of a TPM (libtpms 0.9.2), asked by tpm2-tools.
#[test]
fn the_digests_are_those_of_a_tpm() {
    let check = |policy: PolicyDigest, expected: &str| {
        assert_eq!(crate::hex::encode(policy.as_bytes()), expected);
    };
    check(
        PolicyDigest::START.nv_written(false),
        "3c326323670e28ad37bd57f63b4cc34d26ab205ef22f275c58d47fab2485466e",
    );
    check(
        PolicyDigest::START.cp_hash(&[0x11; 32]),
        "e859ef1747b5f82fb1971132845d543905445696db00462f49bc7181bac31070",
    );
    check(
        PolicyDigest::START.command_code(0x137),
        "1c4f7107dcaf23ce00756448508558683104bd9e203e93749c227b451270438f",
    );
    let boot = PcrSet::of(&[4, 7, 11]).unwrap();
    let zeros = digest::sha256(&[&[0; 96]]);
    check(
        PolicyDigest::START.pcr(boot, &zeros),
        "9da3f241725c2c031202e01db83cf942ec1fcaf0f19a7d94506d89fca7aa7158",
    );
    // The generator of the curve as a key.
    let key = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
               4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let key = PolicyKey::from_bytes(crate::hex::decode_array(key).unwrap());
    assert_eq!(
        crate::hex::encode(&key.name()),
        "000b19366a7e682a0589dc1096b44aab74b7942f84b386b94eab81013d9970daf605"
    );
    check(
        PolicyDigest::authorize(&key, b"abc"),
        "f18a93ec4638d6345960a4dea8473927e68ec60cd1e4816a662b7f57599dfc32",
    );
}

#[test]
fn a_policy_key_is_read_from_what_it_is_written_as() {
    let der = POLICY.key.to_spki_der();
    assert_eq!(PolicyKey::from_spki_der(&der), Ok(POLICY.key));
    let mut other = der.clone();
    other[15] ^= 1;
    assert_eq!(
        PolicyKey::from_spki_der(&other),
        Err(PolicyKeyError::NotP256)
    );
    assert!(PolicyKey::from_spki_der(&der[1..]).is_err());
    assert!(PolicyKey::from_point(&der).is_err());
    assert!(PolicyKey::from_point(&[]).is_err());
}

#[test]
fn each_purpose_has_messages_of_its_own() {
    let granted = grant(&ROOT, 3);
    assert_ne!(granted.seal, granted.version);
    let policies = [Purpose::Seal, Purpose::Version, Purpose::FirstVersion]
        .map(|purpose| granted.policy(&ROOT.key, purpose));
    assert_ne!(policies[0], policies[1]);
    assert_ne!(policies[1], policies[2]);
    assert_ne!(policies[0], policies[2]);
}

proptest! {
    // Every case checks several signatures.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_of_a_policy_is_refused(bit in 0..SIGNED.encode().len() * 8) {
        let mut bytes = SIGNED.encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let refused = SignedPolicy::parse(&bytes)
            .and_then(|policy| policy.verify(&ROOT.key))
            .is_err();
        prop_assert!(refused);
    }

    #[test]
    fn a_flipped_bit_of_a_version_is_refused(bit in 0..SIGNED_VERSION_BYTES * 8) {
        let mut bytes = VERSION.encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let refused = SignedVersion::parse(&bytes)
            .and_then(|version| version.verify(&ROOT.key))
            .is_err();
        prop_assert!(refused);
    }

    #[test]
    fn what_is_read_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let policy = [&SIGNED.encode()[..8], &bytes].concat();
        if let Ok(read) = SignedPolicy::parse(&policy) {
            prop_assert_eq!(read.encode(), policy);
        }
        let version = [&VERSION.encode()[..8], &bytes].concat();
        if let Ok(read) = SignedVersion::parse(&version) {
            prop_assert_eq!(read.encode(), version);
        }
    }

    #[test]
    fn the_least_version_goes_into_the_index_and_back(version: u64, generation: u64) {
        let least = LeastVersion { version, generation };
        prop_assert_eq!(LeastVersion::from_bytes(least.to_bytes()), least);
    }
}
