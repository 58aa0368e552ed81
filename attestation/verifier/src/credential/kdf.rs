//! The TPM's key derivation functions (TPM 2.0 Library, Part 1, 11.4.10.2 and 11.4.10.3).

use earnest_evidence::HashAlgorithm;
use ring::hmac;

use super::Secret;

/// KDFa: HMAC in counter mode. `length` is in bytes and at most one digest, so that the counter
/// stays at one; the second context is empty wherever credentials use it.
pub(super) fn kdfa(
    algorithm: hmac::Algorithm,
    key: &[u8],
    label: &[u8],
    context: &[u8],
    length: usize,
) -> Secret {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    mac.update(&1_u32.to_be_bytes());
    mac.update(label);
    mac.update(&[0]);
    mac.update(context);
    mac.update(&bits(length));
    let tag = mac.sign();
    Secret(tag.as_ref().iter().copied().take(length).collect())
}

/// KDFe: a digest in counter mode, for what two keys agreed on. It gives one digest, so that the
/// counter stays at one, and no bits have to be masked.
pub(super) fn kdfe(
    hash: HashAlgorithm,
    shared_x: &[u8],
    label: &[u8],
    party_u: &[u8],
    party_v: &[u8],
) -> Secret {
    let digest = hash.digest_parts(&[
        &1_u32.to_be_bytes(),
        shared_x,
        label,
        &[0],
        party_u,
        party_v,
    ]);
    Secret(digest.as_bytes().to_vec())
}

/// A length in bits, as KDFa counts it.
fn bits(bytes: usize) -> [u8; 4] {
    (bytes as u32 * 8).to_be_bytes()
}
