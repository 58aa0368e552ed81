//! Why a text is no card.

use super::{Direction, Role};

/// Why a text is no card.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CardError {
    /// Longer than [`super::MAX_CARD_BYTES`].
    #[error("the card has {found} bytes, more than {limit}")]
    TooLong {
        /// Most bytes that a card may have.
        limit: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// Not TOML, or not the fields of a card.
    #[error("the card is not what a card's TOML must be: {reason}")]
    Syntax {
        /// What the TOML reader says.
        reason: String,
    },
    /// A version of the card's format that this program does not know.
    #[error("the card has format {found}; this program reads format {expected}")]
    Format {
        /// The format that is read.
        expected: u32,
        /// The format that the card names.
        found: u32,
    },
    /// A text is empty, too long, or has characters that its field may not have.
    #[error("{field} is {found:?}, but must be {rule}")]
    Text {
        /// Which field.
        field: &'static str,
        /// What a text there must be.
        rule: &'static str,
        /// The text, cut to 80 characters.
        found: String,
    },
    /// A number is outside its bounds.
    #[error("{field} is {found}, but must be {least} to {most}")]
    Number {
        /// Which field.
        field: &'static str,
        /// The least value allowed.
        least: f64,
        /// The greatest value allowed.
        most: f64,
        /// The value in the card.
        found: f64,
    },
    /// More entries of a kind than allowed.
    #[error("the card has {found} {what} entries, more than {limit}")]
    TooMany {
        /// Which entries.
        what: &'static str,
        /// Most entries allowed.
        limit: usize,
        /// Entries in the card.
        found: usize,
    },
    /// The same thing stands twice.
    #[error("{what} {name:?} stands in the card twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A file names a source that the card does not have.
    #[error("file {file:?} names the source {found:?}, which the card does not have")]
    NoSuchSource {
        /// The file.
        file: String,
        /// The source that it names.
        found: String,
    },
    /// A source that no file names: a fetch for nothing.
    #[error("no file comes from the source {name:?}")]
    IdleSource {
        /// The source.
        name: String,
    },
    /// A file that this kind of model must have is not there.
    #[error("a {kind} model must have a file of role {expected}")]
    NoSuchRole {
        /// The kind of model.
        kind: &'static str,
        /// The role that is missing.
        expected: Role,
    },
    /// A file that this kind of model has no use for.
    #[error("a {kind} model has no file of role {found}")]
    StrayRole {
        /// The kind of model.
        kind: &'static str,
        /// The role that is too much.
        found: Role,
    },
    /// The table of shapes of this kind is missing, or the other kind's stands there.
    #[error("a {kind} model must have a [{kind}] table and no other kind's")]
    Shape {
        /// The kind of model.
        kind: &'static str,
    },
    /// A tensor of a file that the card does not have, or that holds no graph.
    #[error("{direction:?} {name:?} belongs to the {file}, which is no graph of this card")]
    StrayTensor {
        /// The role named as its file.
        file: Role,
        /// Whether it goes in or comes out.
        direction: Direction,
        /// Its name.
        name: String,
    },
    /// A sample without a transcript, or a transcript of something else.
    #[error("file {file:?} of role {role}: a sample has a transcript, and nothing else does")]
    Transcript {
        /// The file.
        file: String,
        /// Its role.
        role: Role,
    },
    /// Only one of words and errors, or a rate that is not errors over words.
    #[error("accuracy on {set:?}: words, errors and rate {rate} do not fit one another")]
    Counts {
        /// The set of clips.
        set: String,
        /// The rate in the card.
        rate: f64,
    },
}
