//! Model packages.

use std::sync::LazyLock;

use earnest_package::{
    CHUNK_BYTES, Card, ContentKey, Digest, Model, ReleaseSigningKey, Role, Sealing, Trust,
    UnpackError, Unsealing,
};

/// Start of a package up to its suites: magic and version 1.
const START: [u8; 10] = *b"\x89EARN\r\n\x1a\x01\0";

/// Suites and zero of a plain and of a sealed package.
const PLAIN: [u8; 6] = [0; 6];
const SEALED: [u8; 6] = [1, 0, 1, 0, 0, 0];

/// Bytes in front of the manifest.
const HEADER_BYTES: usize = 52;

/// Bytes of a signer's id and its signature.
const SIGNATURE_BYTES: usize = 96;

/// Keys made anew in each process: no behaviour may depend on which they are.
static CONTENT_KEY: LazyLock<ContentKey> =
    LazyLock::new(|| ContentKey::generate().expect("the system has random numbers"));
static RELEASE_KEY: LazyLock<ReleaseSigningKey> = LazyLock::new(|| {
    let (key, _) = ReleaseSigningKey::generate().expect("the system has random numbers");
    key
});

/// Reads `data` as a model package, in the way that its first byte says:
///
/// - `m`: the rest is a plain package's manifest; a header with the right digest is put
///   before it, so that the fuzzer need not find SHA-256 collisions to get past it.
/// - `s`: the same of a sealed package, with a signature that is none.
/// - `b`: the rest says how to build a whole plain package and what to damage in it, see
///   `Recipe`.
/// - `e`: the same of a sealed package.
/// - anything else: all of it is a package, as a stranger would send it.
pub fn package(data: &[u8]) {
    match data.split_first() {
        Some((b'm', manifest)) => {
            if let Some((package, digest)) = enclosed(PLAIN, manifest) {
                canonical(&package, digest);
            }
        }
        Some((b's', manifest)) => {
            if let Some((mut package, digest)) = enclosed(SEALED, manifest) {
                package.extend([0; SIGNATURE_BYTES]);
                inspected(&package, digest);
            }
        }
        Some((b'b', recipe)) => {
            if let Some(recipe) = Recipe::read(recipe) {
                damaged_plain(&recipe);
            }
        }
        Some((b'e', recipe)) => {
            if let Some(recipe) = Recipe::read(recipe) {
                damaged_sealed(&recipe);
            }
        }
        _ => stranger(data),
    }
}

/// Nobody can make a package of a builtin card without that model's bytes, nor a sealed one
/// without the release key; whoever trusts the digest that a package names gets what that
/// package says, or an error.
fn stranger(bytes: &[u8]) {
    let refused = Model::open_package(bytes, Trust::Builtin).expect_err("has no model's bytes");
    drop(refused.to_string());
    let refused = open_sealed(bytes).expect_err("is signed by nobody");
    drop(refused.to_string());
    if let Some(digest) = bytes.get(20..HEADER_BYTES) {
        let digest = Digest::from_bytes(digest.try_into().expect("is 32 bytes long"));
        canonical(bytes, digest);
        inspected(bytes, digest);
    }
}

/// Header and manifest of these suites, and the manifest digest.
fn enclosed(suites: [u8; 6], manifest: &[u8]) -> Option<(Vec<u8>, Digest)> {
    let length = u32::try_from(manifest.len()).ok()?;
    let prefix = [&START[..], &suites, &length.to_le_bytes()].concat();
    let digest = Digest::of(&[&prefix, manifest].concat());
    let package = [&prefix, &digest.as_bytes()[..], manifest].concat();
    Some((package, digest))
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

/// What a package says of itself agrees with its card and its form.
fn inspected(bytes: &[u8], digest: Digest) {
    match Model::inspect_package(bytes, Trust::Manifest(digest)) {
        Ok(summary) => {
            assert_eq!(summary.digest(), digest);
            assert_eq!(summary.seal().is_some(), bytes[10] == 1);
            assert!(summary.members().is_sorted_by(|one, next| one.0 < next.0));
        }
        Err(error) => drop(error.to_string()),
    }
}

fn open_sealed(bytes: &[u8]) -> Result<Model, UnpackError> {
    let unsealing = Unsealing {
        content_key: &CONTENT_KEY,
        release_key: &RELEASE_KEY.public(),
        least_version: 1,
    };
    Model::open_sealed_package(bytes, &unsealing)
}

/// How to build a package of a small model, and what to damage in it: lengths of the three
/// files (2 bytes each, see [`length`]), how to damage (1 byte), where and by what (4 bytes
/// and 1 byte), and then the bytes of which the files are made.
struct Recipe {
    model: Model,
    how: u8,
    place: usize,
    value: u8,
}

impl Recipe {
    fn read(recipe: &[u8]) -> Option<Recipe> {
        let (head, filling) = recipe.split_at_checked(12)?;
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
        Some(Recipe {
            model: Model::from_files(&card, files).expect("the card was made of these files"),
            how: head[6],
            place: u32::from_le_bytes([head[7], head[8], head[9], head[10]]) as usize,
            value: head[11],
        })
    }

    /// Holds what came of opening `package` against what it was made of.
    fn judge(&self, whole: &[u8], package: &[u8], opened: Result<Model, UnpackError>) {
        match opened {
            Ok(opened) => {
                assert!(package == whole, "a damaged package was opened");
                for role in Role::ALL {
                    assert_eq!(opened.file(role), self.model.file(role));
                }
            }
            Err(error) => {
                assert!(package != whole, "a whole package was refused: {error}");
                // The other way round does not hold: a damaged length can run past the end.
                if whole.starts_with(package) {
                    assert!(matches!(error, UnpackError::Truncated { .. }), "{error}");
                }
                let longer = package.starts_with(whole);
                assert_eq!(
                    longer,
                    matches!(error, UnpackError::TrailingBytes),
                    "{error}"
                );
            }
        }
    }
}

fn damaged_plain(recipe: &Recipe) {
    let mut whole = Vec::new();
    let written = recipe.model.write_package(&mut whole);
    let digest = written.expect("memory takes all that is written");
    let mut package = whole.clone();
    damage(&mut package, recipe.how, recipe.place, recipe.value);
    for trust in [Trust::Card(recipe.model.card()), Trust::Manifest(digest)] {
        let opened = Model::open_package(&package[..], trust);
        recipe.judge(&whole, &package, opened);
    }
}

/// What is damaged may, besides, be continued with another sealing of the same model under
/// the same keys.
fn damaged_sealed(recipe: &Recipe) {
    let seal = || {
        let sealing = Sealing {
            content_key: &CONTENT_KEY,
            release_key: &RELEASE_KEY,
            version: 1,
        };
        let mut package = Vec::new();
        let sealed = recipe.model.seal_package(&sealing, &mut package);
        sealed.expect("memory takes all that is written");
        package
    };
    let (mut whole, other) = (seal(), seal());
    let mut package = whole.clone();
    match recipe.how % 5 {
        4 => {
            let at = recipe.place % whole.len();
            package[at..].copy_from_slice(&other[at..]);
            // Near the start it is the other one that is whole.
            if package == other {
                whole = other;
            }
        }
        how => damage(&mut package, how, recipe.place, recipe.value),
    }
    recipe.judge(&whole, &package, open_sealed(&package));
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
