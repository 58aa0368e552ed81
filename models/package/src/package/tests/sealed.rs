//! What the sealed form promises, and what must be refused, each with its own error.

mod mixed;

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::package::format::SealHead;
use crate::package::seal::TAG_BYTES;
use crate::package::write::SealedForm;
use crate::{ContentKey, DIGEST_BYTES, KeyError, ReleaseSigningKey, ReleaseVerifyingKey};

/// A package sealed once by this program, the key that signed it, and what it was sealed
/// with: against these every later program is held.
const GOLDEN: &[u8] = include_bytes!("../../../testdata/small.sealed");
const GOLDEN_SIGNER: &[u8] = include_bytes!("../../../testdata/release.spki");
const GOLDEN_DIGEST: &str = "cbba5fa21d92c348451d0c5382f255a6536d6f55fde1e3975dc9ab6ee104ef61";
const GOLDEN_ID: PackageId = PackageId::from_bytes(*b"a golden package");
const GOLDEN_VERSION: u64 = 7;

const BLOCK_BYTES: usize = DIGEST_BYTES + 64;

fn content_key(fill: u8) -> ContentKey {
    ContentKey::from_slice(&[fill; 32]).unwrap()
}

fn signer() -> ReleaseSigningKey {
    ReleaseSigningKey::generate().unwrap().0
}

/// Who seals, and who opens what was sealed.
struct Keys {
    content: ContentKey,
    release: ReleaseSigningKey,
}

impl Keys {
    fn new() -> Keys {
        Keys {
            content: ContentKey::generate().unwrap(),
            release: signer(),
        }
    }

    fn seal(&self, model: &Model, version: u64) -> (Vec<u8>, PackageSummary) {
        let mut bytes = Vec::new();
        let sealing = Sealing {
            content_key: &self.content,
            release_key: &self.release,
            version,
        };
        let summary = model.seal_package(&sealing, &mut bytes).unwrap();
        (bytes, summary)
    }

    fn open(&self, bytes: &[u8]) -> Result<Model, UnpackError> {
        open(bytes, &self.content, &self.release.public(), 0)
    }

    fn refused(&self, bytes: &[u8]) -> UnpackError {
        self.open(bytes).expect_err("must be refused")
    }
}

fn open(
    bytes: &[u8],
    content_key: &ContentKey,
    release_key: &ReleaseVerifyingKey,
    least_version: u64,
) -> Result<Model, UnpackError> {
    let unsealing = Unsealing {
        content_key,
        release_key,
        least_version,
    };
    Model::open_sealed_package(bytes, &unsealing)
}

/// Where the parts of a whole sealed package are.
struct Parts {
    manifest: Range<usize>,
    key: Range<usize>,
    signature: Range<usize>,
    /// Each with its label.
    chunks: Vec<Range<usize>>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Parts {
        let length = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
        let manifest = HEADER_BYTES..HEADER_BYTES + length;
        let summary = Model::inspect_package(
            bytes,
            Trust::Manifest(Digest::from_bytes(bytes[20..52].try_into().unwrap())),
        );
        let key = manifest.end..manifest.end + DIGEST_BYTES;
        let mut at = manifest.end + BLOCK_BYTES;
        let mut chunks = Vec::new();
        for (_, size) in summary.unwrap().members() {
            let mut left = *size as usize;
            while left > 0 {
                let plain = left.min(CHUNK_BYTES);
                let stored = LABEL_BYTES + plain + TAG_BYTES;
                chunks.push(at..at + stored);
                at += stored;
                left -= plain;
            }
        }
        assert_eq!(at, bytes.len());
        Parts {
            signature: key.end..manifest.end + BLOCK_BYTES,
            manifest,
            key,
            chunks,
        }
    }
}

/// A model whose encoder has two whole chunks and a short one; the others have one each.
fn long_model(fill: u8) -> Model {
    let encoder: Vec<u8> = (0..2 * CHUNK_BYTES + 5)
        .map(|at| fill ^ at as u8 ^ (at >> 16) as u8)
        .collect();
    let files: [(Role, &str, &[u8]); 3] = [
        (Role::Encoder, "encoder.onnx", &encoder),
        (Role::Decoder, "decoder.onnx", b"decoder"),
        (Role::Tokenizer, "tokenizer.json", b"{}"),
    ];
    let given = files.map(|(role, _, bytes)| (role, bytes.to_vec()));
    Model::from_files(&card_of(&files), given).unwrap()
}

fn assert_same(opened: &Model, model: &Model) {
    assert_eq!(opened.card(), model.card());
    for role in Role::ALL {
        assert_eq!(opened.file(role), model.file(role), "{role}");
    }
}

#[test]
fn the_sealed_format_has_not_changed() {
    let (content_key, release_key) = (content_key(0x5e), signer());
    let form = SealedForm {
        head: SealHead {
            id: GOLDEN_ID,
            version: GOLDEN_VERSION,
        },
        sealing: Sealing {
            content_key: &content_key,
            release_key: &release_key,
            version: GOLDEN_VERSION,
        },
    };
    let members = SMALL_FILES.map(|(role, _, bytes)| (role, bytes));
    let mut bytes = Vec::new();
    let header = write(small_card().text(), &members, Some(&form), &mut bytes).unwrap();
    assert_eq!(header.manifest_digest.to_string(), GOLDEN_DIGEST);
    // Signatures are random, and whose they are is not what is fixed.
    let parts = Parts::of(GOLDEN);
    bytes[parts.key.start..parts.signature.end]
        .copy_from_slice(&GOLDEN[parts.key.start..parts.signature.end]);
    assert!(
        bytes == GOLDEN,
        "version 1 of the format is fixed: what changes it is a new version"
    );
}

#[test]
fn the_golden_package_opens_and_says_what_it_is() {
    let signer = ReleaseVerifyingKey::from_spki(GOLDEN_SIGNER).unwrap();
    let model = open(GOLDEN, &content_key(0x5e), &signer, GOLDEN_VERSION).unwrap();
    assert_same(&model, &small_model());
    let summary = model.package().unwrap();
    assert_eq!(summary.digest().to_string(), GOLDEN_DIGEST);
    assert_eq!(summary.card(), small_card().digest());
    assert_eq!(summary.card_name(), "small");
    let sizes = SMALL_FILES.map(|(role, _, bytes)| (role, bytes.len() as u64));
    assert_eq!(summary.members(), sizes);
    assert_eq!(
        summary.seal(),
        Some(&SealSummary {
            id: GOLDEN_ID,
            version: GOLDEN_VERSION,
            release_key: signer.id(),
        })
    );
}

/// Whether `error` is what a flipped bit at `at` of the golden package must be refused by.
fn names_the_place(at: usize, error: &UnpackError, parts: &Parts) -> bool {
    use UnpackError as E;
    if let Some(number) = parts.chunks.iter().position(|chunk| chunk.contains(&at)) {
        let place = at - parts.chunks[number].start;
        return match error {
            E::ForeignChunk { number: found, .. } => place < 8 && *found as usize == number,
            E::ChunkOrder { expected, .. } => {
                (8..LABEL_BYTES).contains(&place) && *expected as usize == number
            }
            E::WrongChunk { number: found, .. } => {
                place >= LABEL_BYTES && *found as usize == number
            }
            _ => false,
        };
    }
    match at {
        0..8 => matches!(error, E::NotAPackage { .. }),
        8..10 => matches!(error, E::Version { .. }),
        10..12 => matches!(error, E::SuitePair { .. } | E::Protection { .. }),
        12..14 => matches!(error, E::SuitePair { .. } | E::Signature { .. }),
        14..16 => matches!(error, E::Reserved { .. }),
        // A shorter manifest has another digest, a longer one runs past the end or the bound.
        16..20 => matches!(
            error,
            E::ManifestDigest { .. } | E::Truncated { .. } | E::ManifestTooLong { .. }
        ),
        _ if parts.key.contains(&at) => matches!(error, E::OtherReleaseKey { .. }),
        _ if parts.signature.contains(&at) => matches!(error, E::WrongSignature { .. }),
        _ => matches!(error, E::ManifestDigest { .. }),
    }
}

#[test]
fn every_flipped_bit_is_refused_by_the_error_of_its_place() {
    let signer = ReleaseVerifyingKey::from_spki(GOLDEN_SIGNER).unwrap();
    let (parts, key) = (Parts::of(GOLDEN), content_key(0x5e));
    let mut bytes = GOLDEN.to_vec();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = open(&bytes, &key, &signer, 0).expect_err("must be refused");
        assert!(names_the_place(bit / 8, &error, &parts), "{bit}: {error}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(bytes, GOLDEN);
}

#[test]
fn every_truncation_is_refused_as_one_of_its_part() {
    let signer = ReleaseVerifyingKey::from_spki(GOLDEN_SIGNER).unwrap();
    let (parts, key) = (Parts::of(GOLDEN), content_key(0x5e));
    for length in 0..GOLDEN.len() {
        let chunk = parts
            .chunks
            .iter()
            .position(|chunk| chunk.contains(&length));
        let place = match length {
            _ if length < HEADER_BYTES => PackagePart::Header,
            _ if length < parts.manifest.end => PackagePart::Manifest,
            _ if length < parts.signature.end => PackagePart::Signature,
            _ => PackagePart::Chunk(chunk.unwrap() as u32),
        };
        let error = open(&GOLDEN[..length], &key, &signer, 0).expect_err("must be refused");
        assert!(
            matches!(error, UnpackError::Truncated { part, expected, found }
                if part == place && found < expected),
            "{length}: {error}"
        );
    }
    let longer = [GOLDEN, b"\0"].concat();
    let error = open(&longer, &key, &signer, 0).expect_err("must be refused");
    assert!(matches!(error, UnpackError::TrailingBytes), "{error}");
}

#[test]
fn another_content_key_opens_nothing() {
    let keys = Keys::new();
    let (bytes, _) = keys.seal(&small_model(), 1);
    let other = ContentKey::generate().unwrap();
    assert!(matches!(
        open(&bytes, &other, &keys.release.public(), 0),
        Err(UnpackError::WrongContentKey {
            number: 0,
            role: Role::Encoder
        })
    ));
}

#[test]
fn another_release_key_is_refused_under_its_own_name_and_under_ours() {
    let (keys, stranger) = (Keys::new(), signer());
    let ours = keys.release.public();
    let forger = Keys {
        content: ContentKey::from_slice(keys.content.expose()).unwrap(),
        release: stranger,
    };
    let (mut bytes, _) = forger.seal(&small_model(), 1);
    assert!(matches!(
        keys.refused(&bytes),
        UnpackError::OtherReleaseKey { expected, found }
            if expected == ours.id() && found == forger.release.public().id()
    ));
    let parts = Parts::of(&bytes);
    bytes[parts.key].copy_from_slice(ours.id().as_bytes());
    assert!(matches!(
        keys.refused(&bytes),
        UnpackError::WrongSignature { key, .. } if key == ours.id()
    ));
}

#[test]
fn an_older_version_than_the_least_is_refused_as_a_rollback() {
    let keys = Keys::new();
    let (bytes, summary) = keys.seal(&small_model(), 41);
    assert_eq!(summary.seal().unwrap().version, 41);
    let at_least = |least| open(&bytes, &keys.content, &keys.release.public(), least);
    for least in [0, 40, 41] {
        let model = at_least(least).unwrap();
        assert_eq!(model.package(), Some(&summary));
    }
    for refused in [42, u64::MAX] {
        assert!(matches!(
            at_least(refused),
            Err(UnpackError::Rollback { least, found: 41 }) if least == refused
        ));
    }
}

#[test]
fn neither_form_passes_for_the_other() {
    let keys = Keys::new();
    let model = small_model();
    let (sealed, summary) = keys.seal(&model, 1);
    let (plain, digest) = packed(&model);
    let public = keys.release.public();
    assert!(matches!(keys.refused(&plain), UnpackError::NotSealed));
    for trust in [
        Trust::Builtin,
        Trust::Card(&small_card()),
        Trust::Manifest(summary.digest()),
        Trust::Release(&public),
    ] {
        assert!(matches!(
            Model::open_package(&sealed[..], trust),
            Err(UnpackError::Sealed)
        ));
    }
    assert!(matches!(
        Model::open_package(&plain[..], Trust::Release(&public)),
        Err(UnpackError::Unsigned { expected }) if expected == public.id()
    ));
    for (protection, signature) in [(0, 1), (1, 0)] {
        let mut mixed = sealed.clone();
        (mixed[10], mixed[12]) = (protection, signature);
        assert!(matches!(
            keys.refused(&mixed),
            UnpackError::SuitePair { protection: p, signature: s }
                if p == u16::from(protection) && s == u16::from(signature)
        ));
    }
    // What opened says which it was.
    let opened = Model::open_package(&plain[..], Trust::Manifest(digest)).unwrap();
    let package = opened.package().unwrap();
    assert_eq!((package.digest(), package.seal()), (digest, None));
    assert_eq!(model.package(), None);
}

#[test]
fn a_package_is_inspected_without_its_content_key_on_each_ground_of_trust() {
    let keys = Keys::new();
    let (bytes, summary) = keys.seal(&small_model(), 9);
    let (card, public) = (small_card(), keys.release.public());
    // Its chunks are not read.
    let front = &bytes[..Parts::of(&bytes).signature.end];
    for trust in [
        Trust::Card(&card),
        Trust::Manifest(summary.digest()),
        Trust::Release(&public),
    ] {
        assert_eq!(Model::inspect_package(front, trust).unwrap(), summary);
    }
    assert_eq!(keys.open(&bytes).unwrap().package(), Some(&summary));
    assert!(matches!(
        Model::inspect_package(front, Trust::Builtin),
        Err(UnpackError::UntrustedCard { .. })
    ));
    assert!(matches!(
        Model::inspect_package(front, Trust::Release(&signer().public())),
        Err(UnpackError::OtherReleaseKey { .. })
    ));
    assert!(matches!(
        Model::inspect_package(front, Trust::Manifest(Digest::of(b"other"))),
        Err(UnpackError::UntrustedManifest { .. })
    ));
}

#[test]
fn a_sealed_file_holds_none_of_the_plaintext() {
    let model = long_model(3);
    let (bytes, _) = Keys::new().seal(&model, 1);
    let stored = &bytes[Parts::of(&bytes).signature.end..];
    let plain = model.file(Role::Encoder).unwrap();
    let start = &plain[..16];
    assert!(!stored.windows(start.len()).any(|window| window == start));
}

#[test]
fn an_opened_file_was_never_moved_while_it_grew() {
    let keys = Keys::new();
    let (bytes, _) = keys.seal(&long_model(3), 1);
    let mut opened = keys.open(&bytes).unwrap();
    let size = 2 * CHUNK_BYTES + 5;
    assert_eq!(
        opened.take(Role::Encoder).unwrap().capacity(),
        size + TAG_BYTES
    );
}

#[test]
fn an_id_drawn_twice_still_gives_other_files_another_key() {
    use crate::package::format;
    use crate::package::seal::ChunkCipher;
    let member = format::Member {
        role: Role::Vad,
        size: 32,
    };
    let chunk = format::chunks(&[member]).next().unwrap();
    let sealed = |head: &[u8]| {
        let cipher = ChunkCipher::new(&content_key(1), GOLDEN_ID, Digest::of(head));
        let mut bytes = [0; 32];
        cipher.seal(&chunk, &mut bytes);
        bytes
    };
    // Of zeros, what comes out is the key stream.
    assert_eq!(sealed(b"one"), sealed(b"one"));
    assert_ne!(sealed(b"one"), sealed(b"two"));
}

#[test]
fn a_model_whose_file_was_taken_is_not_sealed() {
    let keys = Keys::new();
    let mut model = small_model();
    model.take(Role::Decoder).unwrap();
    let sealing = Sealing {
        content_key: &keys.content,
        release_key: &keys.release,
        version: 1,
    };
    assert!(matches!(
        model.seal_package(&sealing, std::io::sink()),
        Err(WriteError::Taken {
            role: Role::Decoder
        })
    ));
}

#[test]
fn a_signer_whose_point_is_not_on_the_curve_vouches_for_nothing() -> Result<(), KeyError> {
    let keys = Keys::new();
    let (mut bytes, _) = keys.seal(&small_model(), 1);
    let mut point = [1; 65];
    point[0] = 4;
    let odd = ReleaseVerifyingKey::from_point(&point)?;
    let parts = Parts::of(&bytes);
    bytes[parts.key].copy_from_slice(odd.id().as_bytes());
    assert!(matches!(
        open(&bytes, &keys.content, &odd, 0),
        Err(UnpackError::WrongSignature { .. })
    ));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_opens_as_it_was_and_no_flip_cut_or_splice_does(
        files in (bytes(), bytes(), bytes()),
        place in any::<prop::sample::Index>(),
        bit in 0..8u32,
        version in any::<u64>(),
    ) {
        let files: [(Role, &str, &[u8]); 3] = [
            (Role::Encoder, "encoder.onnx", &files.0),
            (Role::Decoder, "decoder.onnx", &files.1),
            (Role::Tokenizer, "tokenizer.json", &files.2),
        ];
        let given = files.map(|(role, _, bytes)| (role, bytes.to_vec()));
        let model = Model::from_files(&card_of(&files), given).unwrap();
        let keys = Keys::new();
        let (mut package, summary) = keys.seal(&model, version);
        let (other, _) = keys.seal(&model, version);
        let opened = keys.open(&package).unwrap();
        for (role, _, bytes) in files {
            prop_assert_eq!(opened.file(role), Some(bytes));
        }
        prop_assert_eq!(opened.package(), Some(&summary));
        let place = place.index(package.len());
        let cut = keys.refused(&package[..place]);
        prop_assert!(matches!(cut, UnpackError::Truncated { .. }), "{cut}");
        // Near either end the two may be alike, and then this is one of them and no splice.
        let spliced = [&package[..place], &other[place..]].concat();
        if spliced != package && spliced != other {
            prop_assert!(keys.open(&spliced).is_err());
        }
        package[place] ^= 1 << bit;
        prop_assert!(keys.open(&package).is_err());
    }

    #[test]
    fn any_bytes_behind_the_magic_and_the_suites_are_refused_without_a_panic(
        rest in vec(any::<u8>(), 0..400),
    ) {
        let start = Header::prefix(Form::Sealed, rest.len().saturating_sub(DIGEST_BYTES));
        let bytes = [&start[..], &rest].concat();
        prop_assert!(Keys::new().open(&bytes).is_err());
    }
}
