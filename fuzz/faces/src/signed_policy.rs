//! Signed policies and versions.

use earnest_evidence::sealing::{PolicyKey, SignedPolicy, SignedVersion};

/// Reads `data` as a signed policy, as a signed version and as a policy key. What can be read
/// has one spelling, and holds under no root: nobody who fuzzes has a root's private key.
pub fn signed_policy(data: &[u8]) {
    match SignedPolicy::parse(data) {
        Ok(policy) => {
            assert!(policy.encode() == data, "the policy has two spellings");
            assert!(!policy.pcrs().is_empty(), "the policy is bound to nothing");
            // Its own key is the most likely one to be taken for a root.
            let refused = policy.verify(&policy.grant().key);
            drop(refused.expect_err("is signed by nobody").to_string());
        }
        Err(error) => drop(error.to_string()),
    }
    match SignedVersion::parse(data) {
        Ok(version) => {
            assert!(version.encode() == data, "the version has two spellings");
            let refused = version.verify(&version.grant().key);
            drop(refused.expect_err("is signed by nobody").to_string());
        }
        Err(error) => drop(error.to_string()),
    }
    if let Ok(key) = PolicyKey::from_spki_der(data) {
        assert!(key.to_spki_der() == data, "the key has two spellings");
    }
    if let Ok(key) = PolicyKey::from_point(data) {
        assert!(key.as_bytes()[..] == data[1..], "the key has two spellings");
    }
}
