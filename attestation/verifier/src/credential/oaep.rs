//! RSA encryption with OAEP padding (RFC 8017, 7.1.1), with the TPM's label.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use earnest_evidence::HashAlgorithm;

use super::{CredentialError, Secret};

/// The label, whose zero byte belongs to it (TPM 2.0 Library, Part 1, B.4).
const LABEL: &[u8] = b"IDENTITY\0";

/// Encrypts `message`, at most a digest long, to the key of this modulus (big-endian, without
/// leading zeros) and exponent. `seed` is random and one digest long.
pub(super) fn encrypt(
    hash: HashAlgorithm,
    modulus: &[u8],
    exponent: u32,
    message: &Secret,
    seed: &Secret,
) -> Result<Vec<u8>, CredentialError> {
    let padded = pad(hash, modulus.len(), message, seed);
    let bits = modulus.len() as u32 * 8;
    let number =
        |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).map_err(|_| CredentialError::Key);
    // An even exponent or one of 1 makes no RSA key.
    if exponent < 3 || exponent.is_multiple_of(2) {
        return Err(CredentialError::Key);
    }
    let modulus_number: Option<Odd<BoxedUint>> = Odd::new(number(modulus)?).into();
    let parameters = BoxedMontyParams::new(modulus_number.ok_or(CredentialError::Key)?);
    // The padded message starts with a zero byte, so that it is less than the modulus.
    let base = BoxedMontyForm::new(number(&padded.0)?, &parameters);
    let power = base.pow_bounded_exp(&BoxedUint::from(exponent), u32::BITS);
    Ok(power.retrieve().to_be_bytes().into_vec())
}

/// The encoded message, as long as the modulus: a zero byte, the masked seed, the masked block.
fn pad(hash: HashAlgorithm, length: usize, message: &Secret, seed: &Secret) -> Secret {
    let digest = hash.digest_bytes();
    // The label's digest, zeros, a one, the message: to the end. A modulus of 2048 bits and more
    // has room for them: 256 bytes hold 2 * 32 + 2 + 32, and 384 hold 2 * 48 + 2 + 48.
    let mut block = Secret(hash.digest(LABEL).as_bytes().to_vec());
    block.0.resize(length - digest - 2 - message.0.len(), 0);
    block.0.push(1);
    block.0.extend(&message.0);
    mask(hash, &seed.0, &mut block.0);
    let mut masked_seed = Secret(seed.0.clone());
    mask(hash, &block.0, &mut masked_seed.0);
    Secret([&[0], masked_seed.0.as_slice(), &block.0].concat())
}

/// Masks `bytes` with MGF1 of `seed` (RFC 8017, B.2.1).
fn mask(hash: HashAlgorithm, seed: &[u8], bytes: &mut [u8]) {
    for (counter, chunk) in bytes.chunks_mut(hash.digest_bytes()).enumerate() {
        let stream = hash.digest_parts(&[seed, &(counter as u32).to_be_bytes()]);
        for (byte, mask) in chunk.iter_mut().zip(stream.as_bytes()) {
            *byte ^= mask;
        }
    }
}
