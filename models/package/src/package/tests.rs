//! What the format promises, and what must be refused, each with its own error.

mod sealed;

use proptest::collection::vec;
use proptest::prelude::*;

use super::format::{Form, HEADER_BYTES, Header, LABEL_BYTES};
use super::write::write;
use super::*;
use crate::testing::{SMALL_FILES, card_of, small_card};
use crate::{Card, CardError, Digest, Model, PackageError, Role};

/// A package written once by this program, against which every later one is held.
const GOLDEN: &[u8] = include_bytes!("../../testdata/small.package");
const GOLDEN_DIGEST: &str = "8d5cd0cfc4d488cb1eb25a746a64d722fc0b2b5c5d364074b5eee136779fa028";

fn small_model() -> Model {
    let files = SMALL_FILES.map(|(role, _, bytes)| (role, bytes.to_vec()));
    Model::from_files(&small_card(), files).unwrap()
}

fn packed(model: &Model) -> (Vec<u8>, Digest) {
    let mut bytes = Vec::new();
    let digest = model.write_package(&mut bytes).unwrap();
    (bytes, digest)
}

/// The package of these members, fitting or not.
fn forged(card: &str, members: &[(Role, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(card, members, None, &mut bytes).unwrap();
    bytes
}

/// The error by which `bytes` are refused when the small model's card is trusted.
fn refused(bytes: &[u8]) -> UnpackError {
    Model::open_package(bytes, Trust::Card(&small_card())).expect_err("must be refused")
}

/// `bytes` with a manifest changed by `change` and a digest that fits it again: what somebody
/// could make who means harm, not what damage makes.
fn rewritten(bytes: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let length = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
    let mut manifest = bytes[HEADER_BYTES..HEADER_BYTES + length].to_vec();
    change(&mut manifest);
    let header = Header::of(Form::Plain, &manifest);
    let digest = header.manifest_digest;
    let rest = &bytes[HEADER_BYTES + length..];
    [&header.prefix, &digest.as_bytes()[..], &manifest, rest].concat()
}

#[test]
fn the_format_has_not_changed() {
    let (bytes, digest) = packed(&small_model());
    assert_eq!(digest.to_string(), GOLDEN_DIGEST);
    assert!(
        bytes == GOLDEN,
        "version 1 of the format is fixed: what changes it is a new version"
    );
}

#[test]
fn the_golden_package_opens_under_each_kind_of_trust_that_covers_it() {
    let card = small_card();
    let digest = GOLDEN_DIGEST.parse().unwrap();
    for trust in [Trust::Card(&card), Trust::Manifest(digest)] {
        let model = Model::open_package(GOLDEN, trust).unwrap();
        assert_eq!(model.card(), &card);
        for (role, _, bytes) in SMALL_FILES {
            assert_eq!(model.file(role), Some(bytes), "{role}");
        }
    }
}

#[test]
fn a_package_that_nobody_vouches_for_is_refused() {
    let found = small_card().digest();
    assert!(matches!(
        Model::open_package(GOLDEN, Trust::Builtin),
        Err(UnpackError::UntrustedCard { found: card }) if card == found
    ));
    assert!(matches!(
        Model::open_package(GOLDEN, Trust::Card(&Card::builtin()[0])),
        Err(UnpackError::UntrustedCard { .. })
    ));
    let other = Digest::of(b"another");
    assert!(matches!(
        Model::open_package(GOLDEN, Trust::Manifest(other)),
        Err(UnpackError::UntrustedManifest { expected, found })
            if expected == other && found.to_string() == GOLDEN_DIGEST
    ));
}

#[test]
fn a_builtin_card_with_other_files_is_refused_by_the_cards_own_digests() {
    // Sizes can be forged to fit; the bytes cannot.
    let card = Card::named("silero-vad-6.2").unwrap();
    let zeros = vec![0; card.file(Role::Vad).unwrap().size() as usize];
    let bytes = forged(card.text(), &[(Role::Vad, &zeros)]);
    assert!(matches!(
        Model::open_package(&bytes[..], Trust::Builtin),
        Err(UnpackError::Model(PackageError::WrongDigest { .. }))
    ));
}

#[test]
fn every_flipped_bit_is_refused_under_each_kind_of_trust() {
    let card = small_card();
    let digest = GOLDEN_DIGEST.parse().unwrap();
    let mut bytes = GOLDEN.to_vec();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        for trust in [Trust::Card(&card), Trust::Manifest(digest)] {
            assert!(Model::open_package(&bytes[..], trust).is_err(), "bit {bit}");
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(bytes, GOLDEN);
}

#[test]
fn every_truncation_is_refused_as_one() {
    for length in 0..GOLDEN.len() {
        let error = refused(&GOLDEN[..length]);
        assert!(
            matches!(error, UnpackError::Truncated { expected, found, .. } if found < expected),
            "{length}: {error}"
        );
    }
    let (label, last) = (LABEL_BYTES, SMALL_FILES[3].2.len());
    assert!(matches!(
        refused(&GOLDEN[..GOLDEN.len() - 1]),
        UnpackError::Truncated { part: PackagePart::Chunk(3), expected, found }
            if expected == last && found == last - 1
    ));
    assert!(matches!(
        refused(&GOLDEN[..GOLDEN.len() - last - 1]),
        UnpackError::Truncated { part: PackagePart::Chunk(3), expected, found }
            if expected == label && found == label - 1
    ));
}

#[test]
fn damage_to_each_field_of_the_header_has_its_own_error() {
    let damaged = |at: usize| {
        let mut bytes = GOLDEN.to_vec();
        bytes[at] ^= 0x80;
        refused(&bytes)
    };
    assert!(matches!(damaged(0), UnpackError::NotAPackage { .. }));
    assert!(matches!(
        damaged(8),
        UnpackError::Version {
            expected: 1,
            found: 0x81
        }
    ));
    assert!(matches!(
        damaged(10),
        UnpackError::Protection { found: 0x80 }
    ));
    assert!(matches!(
        damaged(12),
        UnpackError::Signature { found: 0x80 }
    ));
    assert!(matches!(damaged(14), UnpackError::Reserved { found: 0x80 }));
    assert!(matches!(damaged(19), UnpackError::ManifestTooLong { .. }));
    assert!(matches!(damaged(20), UnpackError::ManifestDigest { .. }));
    assert!(matches!(
        damaged(HEADER_BYTES),
        UnpackError::ManifestDigest { .. }
    ));
}

#[test]
fn damage_to_each_part_of_a_chunk_has_its_own_error() {
    let last = GOLDEN.len() - SMALL_FILES[3].2.len();
    let damaged = |at: usize| {
        let mut bytes = GOLDEN.to_vec();
        bytes[at] ^= 1;
        refused(&bytes)
    };
    let number = 3;
    assert!(matches!(
        damaged(last - LABEL_BYTES),
        UnpackError::ForeignChunk { number: 3, .. }
    ));
    assert!(matches!(
        damaged(last - 4),
        UnpackError::ChunkOrder {
            expected: 3,
            found: 2
        }
    ));
    match damaged(last) {
        UnpackError::WrongChunk {
            number: at,
            role,
            expected,
            found,
        } => {
            assert_eq!((at, role), (number, Role::Sample));
            assert_eq!(expected, Digest::of(SMALL_FILES[3].2));
            assert_ne!(found, expected);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let longer = [GOLDEN, b"\0"].concat();
    assert!(matches!(refused(&longer), UnpackError::TrailingBytes));
}

/// A model whose encoder has three chunks, and the place of its first chunk in the package.
fn long_package(fill: u8) -> (Card, Vec<u8>, usize) {
    let encoder = vec![fill; 2 * CHUNK_BYTES + 5];
    let files: [(Role, &str, &[u8]); 3] = [
        (Role::Encoder, "encoder.onnx", &encoder),
        (Role::Decoder, "decoder.onnx", b"decoder"),
        (Role::Tokenizer, "tokenizer.json", b"{}"),
    ];
    let card = card_of(&files);
    let model = Model::from_files(&card, files.map(|(role, _, bytes)| (role, bytes.to_vec())));
    let (bytes, _) = packed(&model.unwrap());
    let data: usize = files.iter().map(|file| file.2.len()).sum();
    let start = bytes.len() - data - 5 * LABEL_BYTES;
    (card, bytes, start)
}

#[test]
fn reordered_chunks_are_refused_as_reordered() {
    let (card, mut bytes, start) = long_package(7);
    assert!(Model::open_package(&bytes[..], Trust::Card(&card)).is_ok());
    let stored = LABEL_BYTES + CHUNK_BYTES;
    let (first, rest) = bytes[start..].split_at_mut(stored);
    first.swap_with_slice(&mut rest[..stored]);
    assert!(matches!(
        Model::open_package(&bytes[..], Trust::Card(&card)),
        Err(UnpackError::ChunkOrder {
            expected: 0,
            found: 1
        })
    ));
}

#[test]
fn a_mixture_of_two_packages_is_refused_as_one() {
    let (card, bytes, start) = long_package(7);
    let (_, other, other_start) = long_package(8);
    let mixed = [&bytes[..start], &other[other_start..]].concat();
    assert!(matches!(
        Model::open_package(&mixed[..], Trust::Card(&card)),
        Err(UnpackError::ForeignChunk { number: 0, .. })
    ));
    // With a forged label the chunk itself still gives it away.
    let (label, stored) = (start + LABEL_BYTES, LABEL_BYTES + CHUNK_BYTES);
    let other_chunk = &other[other_start + LABEL_BYTES..other_start + stored];
    let forged = [&bytes[..label], other_chunk, &bytes[start + stored..]].concat();
    assert!(matches!(
        Model::open_package(&forged[..], Trust::Card(&card)),
        Err(UnpackError::WrongChunk {
            number: 0,
            role: Role::Encoder,
            ..
        })
    ));
}

#[test]
fn members_that_do_not_fit_the_card_are_refused() {
    let card = small_card();
    let small = SMALL_FILES.map(|(role, _, bytes)| (role, bytes));
    let [encoder, decoder, tokenizer, sample] = small;
    let refused = |members: &[(Role, &[u8])]| refused(&forged(card.text(), members));

    assert!(matches!(
        refused(&[encoder, decoder, sample]),
        UnpackError::MissingMember {
            role: Role::Tokenizer
        }
    ));
    assert!(matches!(
        refused(&[encoder, tokenizer, decoder]),
        UnpackError::MemberOrder {
            before: Role::Tokenizer,
            found: Role::Decoder
        }
    ));
    assert!(matches!(
        refused(&[encoder, encoder]),
        UnpackError::MemberOrder {
            before: Role::Encoder,
            found: Role::Encoder
        }
    ));
    assert!(matches!(
        refused(&[encoder, decoder, tokenizer, (Role::Vad, b"x")]),
        UnpackError::StrayMember { found: Role::Vad }
    ));
    assert!(matches!(
        refused(&[encoder, (Role::Decoder, b"short"), tokenizer]),
        UnpackError::MemberSize {
            role: Role::Decoder,
            expected: 36,
            found: 5
        }
    ));
    let size = encoder.1.len();
    assert!(matches!(
        refused(&[(Role::Encoder, &vec![0; size]), decoder, tokenizer]),
        UnpackError::Model(PackageError::WrongDigest { .. })
    ));
}

#[test]
fn forged_manifests_are_refused() {
    let card_length = small_card().text().len();
    let refused = |change: &dyn Fn(&mut Vec<u8>)| refused(&rewritten(GOLDEN, change));
    assert!(matches!(
        refused(&|manifest| manifest.push(0)),
        UnpackError::ManifestTrailing { found: 1 }
    ));
    assert!(matches!(
        refused(&|manifest| manifest.truncate(manifest.len() - 1)),
        UnpackError::ManifestField {
            expected: 128,
            found: 127,
            ..
        }
    ));
    assert!(matches!(
        refused(&Vec::clear),
        UnpackError::ManifestField {
            expected: 4,
            found: 0,
            ..
        }
    ));
    assert!(matches!(
        refused(&|manifest| manifest[..4].fill(0xff)),
        UnpackError::Card(CardError::TooLong { .. })
    ));
    assert!(matches!(
        refused(&|manifest| manifest.truncate(4 + card_length - 1)),
        UnpackError::ManifestField {
            field: "the card",
            ..
        }
    ));
    assert!(matches!(
        refused(&|manifest| manifest[4] = 0xff),
        UnpackError::CardText(_)
    ));
    assert!(matches!(
        refused(&|manifest| manifest[4] = b'#'),
        UnpackError::UntrustedCard { .. }
    ));
    assert!(matches!(
        refused(&|manifest| manifest[4 + card_length + 1] = 6),
        UnpackError::UnknownRole { found: 6 }
    ));
    assert!(matches!(
        refused(&|manifest| manifest[4 + card_length + 2 + 7] = 0xff),
        UnpackError::MemberSize {
            role: Role::Encoder,
            ..
        }
    ));
}

#[test]
fn a_trusted_manifest_digest_still_does_not_excuse_a_card_that_is_none() {
    let bytes = rewritten(GOLDEN, |manifest| manifest[4] = b'#');
    let digest = Digest::from_bytes(bytes[20..52].try_into().unwrap());
    assert!(matches!(
        Model::open_package(&bytes[..], Trust::Manifest(digest)),
        Err(UnpackError::Card(CardError::Syntax { .. }))
    ));
}

#[test]
fn a_model_whose_file_was_taken_is_not_packed_and_a_missing_sample_is_left_out() {
    let mut model = small_model();
    model.take(Role::Sample).unwrap();
    let (bytes, digest) = packed(&model);
    let opened = Model::open_package(&bytes[..], Trust::Manifest(digest)).unwrap();
    assert_eq!(opened.file(Role::Sample), None);
    model.take(Role::Decoder).unwrap();
    assert!(matches!(
        model.write_package(std::io::sink()),
        Err(WriteError::Taken {
            role: Role::Decoder
        })
    ));
}

#[test]
fn a_reader_that_fails_is_an_error_and_one_that_trickles_is_none() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("gone"))
        }
    }
    struct Trickling(&'static [u8], bool);
    impl std::io::Read for Trickling {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(1);
            std::io::Read::read(&mut self.0, &mut buffer[..length])
        }
    }
    let card = small_card();
    let trust = Trust::Card(&card);
    assert!(matches!(
        Model::open_package(Failing, trust),
        Err(UnpackError::Unreadable(_))
    ));
    assert!(Model::open_package(Trickling(GOLDEN, false), trust).is_ok());
}

/// Lengths about the ends of chunks, where cutting goes wrong if it does.
fn length() -> impl Strategy<Value = usize> {
    let chunk = CHUNK_BYTES;
    prop_oneof![
        1..200usize,
        chunk - 2..chunk + 3,
        2 * chunk - 2..2 * chunk + 3
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Random bytes for each place would be slow to make and no better: a short pattern
    // repeated already differs from chunk to chunk, as its length divides none.
    (length(), vec(any::<u8>(), 7..=7))
        .prop_map(|(length, pattern)| pattern.into_iter().cycle().take(length).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_packed_opens_as_it_was_and_no_flip_or_cut_does(
        files in (bytes(), bytes(), bytes()),
        place in any::<prop::sample::Index>(),
        bit in 0..8u32,
    ) {
        let files: [(Role, &str, &[u8]); 3] = [
            (Role::Encoder, "encoder.onnx", &files.0),
            (Role::Decoder, "decoder.onnx", &files.1),
            (Role::Tokenizer, "tokenizer.json", &files.2),
        ];
        let card = card_of(&files);
        let given = files.map(|(role, _, bytes)| (role, bytes.to_vec()));
        let (mut package, digest) = packed(&Model::from_files(&card, given).unwrap());
        for trust in [Trust::Card(&card), Trust::Manifest(digest)] {
            let model = Model::open_package(&package[..], trust).unwrap();
            for (role, _, bytes) in files {
                prop_assert_eq!(model.file(role), Some(bytes));
            }
        }
        let place = place.index(package.len());
        let cut = Model::open_package(&package[..place], Trust::Card(&card)).unwrap_err();
        prop_assert!(matches!(cut, UnpackError::Truncated { .. }), "{cut}");
        package[place] ^= 1 << bit;
        prop_assert!(Model::open_package(&package[..], Trust::Card(&card)).is_err());
        prop_assert!(Model::open_package(&package[..], Trust::Manifest(digest)).is_err());
    }

    #[test]
    fn any_bytes_behind_the_magic_are_refused_without_a_panic(rest in vec(any::<u8>(), 0..400)) {
        let bytes = [&super::format::MAGIC[..], &rest].concat();
        prop_assert!(Model::open_package(&bytes[..], Trust::Builtin).is_err());
    }
}
