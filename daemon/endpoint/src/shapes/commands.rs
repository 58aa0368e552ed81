//! What the scopes below transcription give, and the lists behind commands.

use serde::{Deserialize, Serialize};

/// `POST /v1/audio/activity`: when somebody speaks, and nothing of what is said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ActivityAnswer {
    /// Stretches of speech, in order.
    pub segments: Vec<ActivityEntry>,
    /// Seconds of sound that were read.
    pub duration: f64,
}

/// A stretch of speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ActivityEntry {
    /// Seconds from the start of the sound to its beginning.
    pub start: f64,
    /// Seconds to its end.
    pub end: f64,
}

/// `POST /v1/commands`: which phrase of the application's list was spoken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// The phrase's id; nothing where it was none of them, or not certainly one.
    pub command: Option<String>,
}

/// `GET /v1/command-lists`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommandListsAnswer {
    /// All lists, by name.
    pub lists: Vec<CommandListEntry>,
}

/// A list of phrases that an operator enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandListEntry {
    /// Its name.
    pub name: String,
    /// Its phrases.
    pub phrases: Vec<PhraseEntry>,
}

/// `PUT /v1/command-lists/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandListRequest {
    /// All phrases of the list; what stood there before is gone.
    pub phrases: Vec<PhraseEntry>,
}

/// A phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhraseEntry {
    /// What applications are told: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
    pub id: String,
    /// What is spoken.
    pub phrase: String,
}
