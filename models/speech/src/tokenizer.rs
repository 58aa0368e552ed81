//! Token ids to text, from a Hugging Face `tokenizer.json`.
//!
//! Only decoding is needed, so this reads the three parts of the file that decoding takes
//! (the vocabulary, the added tokens, the `decoder` section) and folds them at load time
//! into one table of pieces. A decoder section that says anything but what [`Tokenizer`]
//! does is refused, rather than decoded into slightly wrong text.
//!
//! What comes out is text and nothing else: special tokens are dropped, and so are control
//! and invisible formatting characters (a vocabulary made from web text holds many), so a
//! transcript cannot move a terminal's cursor or turn a line around. Tabs and line breaks
//! become spaces.
//!
//! ```
//! let json = br#"{
//!   "model": {"type": "BPE", "vocab": {"<s>": 0, "\u2581Hi": 1, "\u2581there": 2}},
//!   "added_tokens": [{"id": 0, "content": "<s>", "special": true}],
//!   "decoder": {"type": "Sequence", "decoders": [
//!     {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
//!     {"type": "ByteFallback"},
//!     {"type": "Fuse"},
//!     {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
//! }"#;
//! let tokenizer = earnest_speech::Tokenizer::from_json(json)?;
//! assert_eq!(tokenizer.decode(&[0, 1, 2]), "Hi there");
//! # Ok::<(), earnest_speech::TokenizerError>(())
//! ```

mod file;

use serde::{Deserialize, Serialize};

pub use file::{MAX_TOKEN_BYTES, MAX_VOCABULARY, TokenizerError};

/// A run of byte tokens longer than this is decoded as if it had ended, which bounds what a
/// [`TextStream`] holds back. No character takes more than four bytes.
const MAX_BYTE_RUN: usize = 256;

/// The text side of a model's vocabulary.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tokenizer {
    /// Indexed by token id.
    pieces: Vec<Stored>,
    /// The text of every [`Stored::Text`], end to end.
    text: String,
    /// How many leading spaces of a whole text are dropped.
    strip: usize,
}

/// What one token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text, with spaces as spaces and without control characters; it may be empty.
    Text(&'a str),
    /// One byte of a UTF-8 character that the vocabulary has no piece for.
    Byte(u8),
    /// Start, end, or another token that is not text; also every id outside the vocabulary.
    Special,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Stored {
    Text { start: u32, end: u32 },
    Byte(u8),
    Special,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`TokenizerError`] for what is not such a file, and for one that is larger or decodes
    /// otherwise than this reader bears.
    pub fn from_json(json: &[u8]) -> Result<Tokenizer, TokenizerError> {
        let parsed = file::parse(json)?;
        let mut tokenizer = Tokenizer {
            pieces: vec![Stored::Special; parsed.tokens.len()],
            text: String::new(),
            strip: parsed.strip,
        };
        for (stored, token) in tokenizer.pieces.iter_mut().zip(parsed.tokens) {
            *stored = match token {
                None => Stored::Special,
                Some(file::Token::Byte(byte)) => Stored::Byte(byte),
                Some(file::Token::Text(text)) => {
                    // The bounds of the file keep this below 2^28.
                    let start = tokenizer.text.len() as u32;
                    tokenizer.text.extend(text.chars().filter_map(printable));
                    let end = tokenizer.text.len() as u32;
                    Stored::Text { start, end }
                }
            };
        }
        Ok(tokenizer)
    }

    /// One more than the largest token id.
    pub fn vocabulary_size(&self) -> usize {
        self.pieces.len()
    }

    /// What `token` stands for.
    pub fn piece(&self, token: u32) -> Piece<'_> {
        match self.pieces.get(token as usize) {
            Some(Stored::Text { start, end }) => {
                Piece::Text(&self.text[*start as usize..*end as usize])
            }
            Some(Stored::Byte(byte)) => Piece::Byte(*byte),
            Some(Stored::Special) | None => Piece::Special,
        }
    }

    /// The text of `tokens`. A run of byte tokens that is not UTF-8 becomes one replacement
    /// character a byte.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut stream = self.stream();
        let mut text = String::new();
        for &token in tokens {
            stream.push(token, &mut text);
        }
        stream.finish(&mut text);
        text
    }

    /// Decodes token by token; what it appends adds up to [`Self::decode`] of all of them.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream {
            tokenizer: self,
            strip: self.strip,
            run: Vec::new(),
        }
    }
}

/// Text as the tokens come: only ever appends, and holds byte tokens back until their run
/// ends, so that no half character is shown.
#[derive(Debug, Clone)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// Leading spaces still to drop.
    strip: usize,
    /// Byte tokens since the last other one, at most [`MAX_BYTE_RUN`].
    run: Vec<u8>,
}

impl TextStream<'_> {
    /// Appends to `text` what is settled by one more token.
    pub fn push(&mut self, token: u32, text: &mut String) {
        match self.tokenizer.piece(token) {
            Piece::Special => {}
            Piece::Byte(byte) => {
                self.run.push(byte);
                if self.run.len() == MAX_BYTE_RUN {
                    self.end_run(text);
                }
            }
            Piece::Text(piece) => {
                self.end_run(text);
                self.append(piece.chars(), text);
            }
        }
    }

    /// Appends what was held back.
    pub fn finish(mut self, text: &mut String) {
        self.end_run(text);
    }

    fn end_run(&mut self, text: &mut String) {
        let run = std::mem::take(&mut self.run);
        match std::str::from_utf8(&run) {
            Ok(run) => self.append(run.chars().filter_map(printable), text),
            Err(_) => self.append(run.iter().map(|_| char::REPLACEMENT_CHARACTER), text),
        }
    }

    fn append(&mut self, characters: impl Iterator<Item = char>, text: &mut String) {
        for character in characters {
            if self.strip > 0 && character == ' ' {
                self.strip -= 1;
                continue;
            }
            self.strip = 0;
            text.push(character);
        }
    }
}

/// `character` as it may be shown, or nothing. White space that moves the cursor becomes a
/// space; control characters and those of Unicode's category Cf (bidirectional overrides,
/// zero-width marks, tags) are dropped.
fn printable(character: char) -> Option<char> {
    match character {
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}' => None,
        other if other.is_control() => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests;
