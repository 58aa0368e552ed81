//! Model packages.

use earnest_package::{CHUNK_BYTES, Card, Digest, Model, Role, Trust, UnpackError};

/// Start of a package up to the manifest's length: magic, version 1, suites 0, zero.
const START: [u8; 16] = *b"\x89EARN\r\n\x1a\x01\0\0\0\0\0\0\0";

/// Bytes in front of the manifest.
const HEADER_BYTES: usize = 52;

/// Reads `data` as a model package, in the way that its first byte says:
///
/// - `m`: the rest is a manifest; a header with the right digest is put before it, so that
///   the fuzzer need not find SHA-256 collisions to get past it.
/// - `b`: the rest says how to build a whole package and what to damage in it, see
///   `damaged`.
/// - anything else: all of it is a package, as a stranger would send it.
pub fn package(data: &[u8]) {
    match data.split_first() {
        Some((b'm', manifest)) => sealed(manifest),
        Some((b'b', recipe)) => damaged(recipe),
        _ => stranger(data),
    }
}

/// Nobody can make a package of a builtin card without that model's bytes; whoever trusts
/// the digest that a package names gets what that package says, or an error.
fn stranger(bytes: &[u8]) {
    let refused = Model::open_package(bytes, Trust::Builtin).expect_err("has no model's bytes");
    drop(refused.to_string());
    if let Some(digest) = bytes.get(20..HEADER_BYTES) {
        let digest = Digest::from_bytes(digest.try_into().expect("is 32 bytes long"));
        canonical(bytes, digest);
    }
}

fn sealed(manifest: &[u8]) {
    let Ok(length) = u32::try_from(manifest.len()) else {
        return;
    };
    let prefix = [&START[..], &length.to_le_bytes()].concat();
    let digest = Digest::of(&[&prefix, manifest].concat());
    canonical(
        &[&prefix, &digest.as_bytes()[..], manifest].concat(),
        digest,
    );
}

/// A package that opens has one spelling: written again it is the same bytes.
fn canonical(bytes: &[u8], digest: Digest) {
    match Model::open_package(bytes, Trust::Manifest(digest)) {
        Ok(model) => {
            let mut again = Vec::new();
            let written = model.write_package(&mut again);
            assert_eq!(written.expect("nothing was taken"), digest);
            assert!(again == bytes, "the package has two spellings");
        }
        Err(error) => drop(error.to_string()),
    }
}

/// Builds a package of a small model and damages it. The recipe:
/// lengths of the three files (2 bytes each, see [`length`]), how to damage (1 byte), where
/// and by what (4 bytes and 1 byte), and then the bytes of which the files are made.
fn damaged(recipe: &[u8]) {
    let Some((head, filling)) = recipe.split_at_checked(12) else {
        return;
    };
    let file = |at: usize| {
        let length = length(u16::from_le_bytes([head[at], head[at + 1]]));
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            bytes.push(at as u8);
            let missing = length - bytes.len();
            bytes.extend(&filling[..filling.len().min(missing)]);
        }
        bytes
    };
    let files = [
        (Role::Encoder, file(0)),
        (Role::Decoder, file(2)),
        (Role::Tokenizer, file(4)),
    ];
    let card = small_card(&files);
    let model = Model::from_files(&card, files).expect("the card was made of these files");
    let mut package = Vec::new();
    let digest = model
        .write_package(&mut package)
        .expect("memory takes all that is written");

    let place = u32::from_le_bytes([head[7], head[8], head[9], head[10]]) as usize;
    let whole = package.clone();
    damage(&mut package, head[6], place, head[11]);
    for trust in [Trust::Card(&card), Trust::Manifest(digest)] {
        match Model::open_package(&package[..], trust) {
            Ok(opened) => {
                assert!(package == whole, "a damaged package was opened");
                for role in Role::ALL {
                    assert_eq!(opened.file(role), model.file(role));
                }
            }
            Err(error) => {
                assert!(package != whole, "a whole package was refused: {error}");
                // The other way round does not hold: a damaged length can run past the end.
                if whole.starts_with(&package) {
                    assert!(matches!(error, UnpackError::Truncated { .. }), "{error}");
                }
                let longer = package.starts_with(&whole);
                assert_eq!(
                    longer,
                    matches!(error, UnpackError::TrailingBytes),
                    "{error}"
                );
            }
        }
    }
}

/// Most files are short, so that the fuzzer tries many; the others end about a chunk's end.
fn length(code: u16) -> usize {
    match code % 16 {
        0 => CHUNK_BYTES - 8 + usize::from(code >> 12),
        _ => 1 + usize::from(code >> 4) % 512,
    }
}

/// Flips bits, cuts, appends or swaps.
fn damage(package: &mut Vec<u8>, how: u8, place: usize, value: u8) {
    let at = place % package.len();
    match how % 4 {
        0 => package[at] ^= value,
        1 => package.truncate(at),
        2 => package.extend(std::iter::repeat_n(value, place % 70)),
        _ => {
            // Swaps a stretch with the one behind it, such as two chunks.
            let stretch = (usize::from(value) * 259).min((package.len() - at) / 2);
            let (front, back) = package[at..at + 2 * stretch].split_at_mut(stretch);
            front.swap_with_slice(back);
        }
    }
}

/// The card of a speech model of these files.
fn small_card(files: &[(Role, Vec<u8>); 3]) -> Card {
    let mut text = String::from(include_str!("small_card.toml"));
    for (role, bytes) in files {
        let (size, digest) = (bytes.len(), Digest::of(bytes));
        text.push_str(&format!(
            "\n[[file]]\nrole = \"{role}\"\nname = \"{role}\"\nsource = \"small\"\n\
             path = \"{role}\"\nsize = {size}\nsha256 = \"{digest}\"\n"
        ));
    }
    Card::parse(&text).expect("the small card is a card")
}
