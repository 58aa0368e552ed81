//! Chunks that were reordered, repeated or left out, and packages mixed with one another.

use super::*;
use crate::package::seal::release_message;

impl Keys {
    /// `bytes` with chunk digests that fit its chunks again, and signed again: what only
    /// the holder of the release key can make.
    fn signed_again(&self, bytes: &[u8]) -> Vec<u8> {
        let parts = Parts::of(bytes);
        let mut manifest = bytes[parts.manifest.clone()].to_vec();
        let digests = manifest.len() - parts.chunks.len() * DIGEST_BYTES;
        for (number, chunk) in parts.chunks.iter().enumerate() {
            let digest = Digest::of(&bytes[chunk.start + LABEL_BYTES..chunk.end]);
            let at = digests + number * DIGEST_BYTES;
            manifest[at..at + DIGEST_BYTES].copy_from_slice(digest.as_bytes());
        }
        let header = Header::of(Form::Sealed, &manifest);
        let signature = self.release.sign(&release_message(&header.manifest_digest));
        let mut again = [
            &header.prefix[..],
            header.manifest_digest.as_bytes(),
            &manifest,
            self.release.public().id().as_bytes(),
            &signature.unwrap(),
        ]
        .concat();
        for (number, chunk) in (0..).zip(parts.chunks) {
            again.extend(header.label(number));
            again.extend(&bytes[chunk.start + LABEL_BYTES..chunk.end]);
        }
        again
    }
}

/// `bytes` with two stretches of the same length in each other's place.
fn swapped(bytes: &[u8], one: Range<usize>, other: Range<usize>) -> Vec<u8> {
    let mut swapped = bytes.to_vec();
    swapped[one.clone()].copy_from_slice(&bytes[other.clone()]);
    swapped[other].copy_from_slice(&bytes[one]);
    swapped
}

fn without_label(chunk: &Range<usize>) -> Range<usize> {
    chunk.start + LABEL_BYTES..chunk.end
}

#[test]
fn reordered_chunks_are_refused_with_their_labels_and_without() {
    let keys = Keys::new();
    let (bytes, _) = keys.seal(&long_model(3), 1);
    let parts = Parts::of(&bytes);
    let (first, second) = (&parts.chunks[0], &parts.chunks[1]);
    let moved = swapped(&bytes, first.clone(), second.clone());
    assert!(matches!(
        keys.refused(&moved),
        UnpackError::ChunkOrder {
            expected: 0,
            found: 1
        }
    ));
    let relabelled = swapped(&bytes, without_label(first), without_label(second));
    assert!(matches!(
        keys.refused(&relabelled),
        UnpackError::WrongChunk { number: 0, .. }
    ));
    // Even where the release key would sign the wrong order, the tags tell.
    assert_same(
        &keys.open(&keys.signed_again(&bytes)).unwrap(),
        &long_model(3),
    );
    assert!(matches!(
        keys.refused(&keys.signed_again(&relabelled)),
        UnpackError::WrongContentKey {
            number: 0,
            role: Role::Encoder
        }
    ));
}

#[test]
fn a_repeated_or_missing_chunk_is_refused() {
    let keys = Keys::new();
    let (bytes, _) = keys.seal(&long_model(3), 1);
    let parts = Parts::of(&bytes);
    let (first, second) = (&parts.chunks[0], &parts.chunks[1]);
    let repeated = [&bytes[..second.start], &bytes[first.start..]].concat();
    assert!(matches!(
        keys.refused(&repeated),
        UnpackError::ChunkOrder {
            expected: 1,
            found: 0
        }
    ));
    let missing = [&bytes[..first.start], &bytes[first.end..]].concat();
    assert!(matches!(
        keys.refused(&missing),
        UnpackError::ChunkOrder {
            expected: 0,
            found: 1
        }
    ));
}

#[test]
fn two_packages_of_one_model_under_the_same_keys_do_not_mix() {
    let keys = Keys::new();
    let model = long_model(3);
    let (bytes, summary) = keys.seal(&model, 1);
    let (other, other_summary) = keys.seal(&model, 1);
    assert_ne!(summary.seal().unwrap().id, other_summary.seal().unwrap().id);
    let parts = Parts::of(&bytes);
    for chunk in &parts.chunks {
        let stored = without_label(chunk);
        assert_ne!(
            bytes[stored.clone()],
            other[stored],
            "two keys, two ciphertexts"
        );
    }
    for (number, chunk) in parts.chunks.iter().enumerate() {
        let with_label = |stored: &Range<usize>| {
            let mut mixed = bytes.clone();
            mixed[stored.clone()].copy_from_slice(&other[stored.clone()]);
            mixed
        };
        assert!(matches!(
            keys.refused(&with_label(chunk)),
            UnpackError::ForeignChunk { number: found, .. } if found as usize == number
        ));
        let relabelled = with_label(&without_label(chunk));
        assert!(matches!(
            keys.refused(&relabelled),
            UnpackError::WrongChunk { number: found, .. } if found as usize == number
        ));
        assert!(matches!(
            keys.refused(&keys.signed_again(&relabelled)),
            UnpackError::WrongContentKey { number: found, .. } if found as usize == number
        ));
    }
    // The other's signature, and the other's front whole.
    let mut signature = bytes.clone();
    let block = parts.key.start..parts.signature.end;
    signature[block.clone()].copy_from_slice(&other[block]);
    assert!(matches!(
        keys.refused(&signature),
        UnpackError::WrongSignature { .. }
    ));
    let front = parts.signature.end;
    let spliced = [&other[..front], &bytes[front..]].concat();
    assert!(matches!(
        keys.refused(&spliced),
        UnpackError::ForeignChunk { number: 0, .. }
    ));
}
