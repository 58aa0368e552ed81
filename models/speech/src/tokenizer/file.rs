//! The parts of `tokenizer.json` that decoding takes, checked.
//!
//! The format is that of the `tokenizers` library: `model.vocab` maps pieces to ids,
//! `added_tokens` overrides ids, and `decoder` lists the steps from pieces to text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// Token ids are below this: 32 times what any speech model here has.
pub const MAX_VOCABULARY: usize = 1 << 20;

/// The longest piece of text that a token may stand for.
pub const MAX_TOKEN_BYTES: usize = 256;

/// A byte token is written `<0xHH>`.
const BYTE_TOKEN_LENGTH: usize = 6;

/// Why a `tokenizer.json` could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Not JSON, or not of the shape of a `tokenizer.json` within the bounds; a kind of
    /// decoder that this reader has never heard of is among these.
    #[error("the tokenizer is not a tokenizer.json: {0}")]
    Json(#[from] serde_json::Error),
    /// The vocabulary is of another kind.
    #[error("the tokenizer's model is {found:?}, expected \"BPE\"")]
    Model {
        /// The `type` in the file.
        found: String,
    },
    /// Two tokens claim one id.
    #[error("the tokenizer gives id {id} to two tokens")]
    Duplicate {
        /// The id.
        id: u32,
    },
    /// A token stands for more text than [`MAX_TOKEN_BYTES`] after replacement.
    #[error("a token stands for {found} bytes of text, expected at most {MAX_TOKEN_BYTES}")]
    Long {
        /// Bytes of its text.
        found: usize,
    },
    /// The decoder section does other than this reader.
    #[error("the tokenizer's decoder has {found}, expected {expected}")]
    Decoder {
        /// The step that was expected.
        expected: &'static str,
        /// What the file has in its place.
        found: String,
    },
}

/// What decoding takes from the file.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Indexed by id; `None` for special tokens and for ids that no token has.
    pub(super) tokens: Vec<Option<Token>>,
    /// Leading spaces to drop from a whole text.
    pub(super) strip: usize,
}

/// A token that is (part of) text.
#[derive(Debug)]
pub(super) enum Token {
    Text(String),
    Byte(u8),
}

/// Reads and checks the file.
pub(super) fn parse(json: &[u8]) -> Result<Parsed, TokenizerError> {
    let raw: RawFile<'_> = serde_json::from_slice(json)?;
    if raw.model.kind != "BPE" {
        return Err(TokenizerError::Model {
            found: raw.model.kind,
        });
    }
    let decoder = Decoder::check(raw.decoder)?;

    let size = raw
        .model
        .vocab
        .0
        .iter()
        .map(|(_, id)| id.0)
        .chain(raw.added_tokens.0.iter().map(|token| token.id.0))
        .max()
        .map_or(0, |largest| largest as usize + 1);
    let mut tokens: Vec<Option<Token>> = Vec::new();
    tokens.resize_with(size, || None);
    for (piece, id) in &raw.model.vocab.0 {
        let slot = &mut tokens[id.0 as usize];
        if slot.is_some() {
            return Err(TokenizerError::Duplicate { id: id.0 });
        }
        *slot = Some(decoder.token(piece)?);
    }
    let mut added = vec![false; size];
    for token in &raw.added_tokens.0 {
        let id = token.id.0;
        if std::mem::replace(&mut added[id as usize], true) {
            return Err(TokenizerError::Duplicate { id });
        }
        // The file repeats in `added_tokens` those of the vocabulary that are special.
        tokens[id as usize] = match token.special {
            true => None,
            false => Some(decoder.token(&token.content.0)?),
        };
    }
    Ok(Parsed {
        tokens,
        strip: decoder.strip,
    })
}

/// The steps of the `decoder` section: replace, decode bytes, join, strip. Any other list,
/// and any other order, is refused.
#[derive(Debug)]
struct Decoder {
    pattern: String,
    content: String,
    strip: usize,
}

impl Decoder {
    fn check(raw: RawDecoder) -> Result<Decoder, TokenizerError> {
        let steps = match raw {
            RawDecoder::Sequence { decoders } => decoders,
            other => vec![other],
        };
        let mut steps = steps.into_iter();
        let mut next = |expected| match steps.next() {
            Some(step) => Ok((expected, step)),
            None => Err(TokenizerError::Decoder {
                expected,
                found: "nothing more".to_owned(),
            }),
        };

        let (pattern, content) = match next("Replace of a string that is not empty")? {
            (
                _,
                RawDecoder::Replace {
                    pattern: RawPattern::String(pattern),
                    content,
                },
            ) if !pattern.is_empty() => (pattern, content),
            other => return Err(unexpected(other)),
        };
        match next("ByteFallback")? {
            (_, RawDecoder::ByteFallback {}) => {}
            other => return Err(unexpected(other)),
        }
        match next("Fuse")? {
            (_, RawDecoder::Fuse {}) => {}
            other => return Err(unexpected(other)),
        }
        let strip = match next("Strip of spaces at the start alone")? {
            (
                _,
                RawDecoder::Strip {
                    content: ' ',
                    start,
                    stop: 0,
                },
            ) => start,
            other => return Err(unexpected(other)),
        };
        if let Some(step) = steps.next() {
            return Err(unexpected(("nothing more", step)));
        }
        Ok(Decoder {
            pattern,
            content,
            strip,
        })
    }

    /// What `piece` becomes before the pieces are joined.
    fn token(&self, piece: &str) -> Result<Token, TokenizerError> {
        let text = piece.replace(&self.pattern, &self.content);
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenizerError::Long { found: text.len() });
        }
        Ok(match byte_of(&text) {
            Some(byte) => Token::Byte(byte),
            None => Token::Text(text),
        })
    }
}

fn unexpected((expected, step): (&'static str, RawDecoder)) -> TokenizerError {
    TokenizerError::Decoder {
        expected,
        found: format!("{step:?}"),
    }
}

/// The byte that a piece of the form `<0xHH>` stands for.
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = piece.len() == BYTE_TOKEN_LENGTH && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// The file as it stands; fields that decoding does not take are skipped.
#[derive(Deserialize)]
struct RawFile<'a> {
    #[serde(borrow)]
    model: RawModel<'a>,
    #[serde(borrow, default)]
    added_tokens: AddedTokens<'a>,
    decoder: RawDecoder,
}

#[derive(Deserialize)]
struct RawModel<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    vocab: Vocabulary<'a>,
}

#[derive(Deserialize)]
struct RawAdded<'a> {
    id: Id,
    #[serde(borrow)]
    content: Text<'a>,
    #[serde(default)]
    special: bool,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum RawDecoder {
    Sequence {
        decoders: Vec<RawDecoder>,
    },
    Replace {
        pattern: RawPattern,
        content: String,
    },
    ByteFallback {},
    Fuse {},
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
}

#[derive(Debug, Deserialize)]
enum RawPattern {
    String(String),
}

/// A token id below [`MAX_VOCABULARY`].
#[derive(Debug, Clone, Copy)]
struct Id(u32);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = u32::deserialize(deserializer)?;
        if id as usize >= MAX_VOCABULARY {
            return Err(de::Error::custom(format_args!(
                "token id {id}, expected less than {MAX_VOCABULARY}"
            )));
        }
        Ok(Id(id))
    }
}

/// Text of at most [`MAX_TOKEN_BYTES`], borrowed from the file where it has no escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow, deserialize_with = "bounded_text")] Cow<'a, str>);

fn bounded_text<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Cow<'a, str>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    let text = Borrowed::deserialize(deserializer)?.0;
    if text.len() > MAX_TOKEN_BYTES {
        return Err(de::Error::custom(format_args!(
            "a token of {} bytes, expected at most {MAX_TOKEN_BYTES}",
            text.len()
        )));
    }
    Ok(text)
}

/// `model.vocab`, at most [`MAX_VOCABULARY`] entries, in the order of the file.
struct Vocabulary<'a>(Vec<(Cow<'a, str>, Id)>);

impl<'de: 'a, 'a> Deserialize<'de> for Vocabulary<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocabulary<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of tokens to ids")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((text, id)) = map.next_entry::<Text<'de>, Id>()? {
                    at_most(entries.len(), MAX_VOCABULARY)?;
                    entries.push((text.0, id));
                }
                Ok(Vocabulary(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// `added_tokens`, at most [`MAX_VOCABULARY`] of them.
#[derive(Default)]
struct AddedTokens<'a>(Vec<RawAdded<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for AddedTokens<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = AddedTokens<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of added tokens")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(token) = list.next_element()? {
                    at_most(entries.len(), MAX_VOCABULARY)?;
                    entries.push(token);
                }
                Ok(AddedTokens(entries))
            }
        }
        deserializer.deserialize_seq(Entries)
    }
}

/// Fails where a list that already has `length` entries may not grow past `bound`.
fn at_most<E: de::Error>(length: usize, bound: usize) -> Result<(), E> {
    if length >= bound {
        return Err(E::custom(format_args!("more than {bound} entries")));
    }
    Ok(())
}
