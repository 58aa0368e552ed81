//! The models that are served, by all their names.

use serde::Serialize;

/// Names that unmodified clients ask for. They mean the model that is served.
/// `gpt-4o-transcribe-diarize` is none of them, because nobody here tells speakers apart.
pub(crate) const ALIASES: &[&str] = &[
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
];

/// The model that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedModel {
    /// Its name: `moonshine-tiny-en`, say.
    pub id: String,
    /// Who made it.
    pub owner: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
}

impl ServedModel {
    /// Whether `name` means this model.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        name == self.id || ALIASES.contains(&name)
    }

    /// All names, the model's own first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(ALIASES.iter().copied())
    }

    /// OpenAI's object for one of its names.
    pub(crate) fn object<'a>(&'a self, name: &'a str) -> ModelObject<'a> {
        ModelObject {
            id: name,
            object: "model",
            created: self.created,
            owned_by: &self.owner,
        }
    }

    /// OpenAI's list of them all.
    pub(crate) fn list(&self) -> ModelList<'_> {
        ModelList {
            object: "list",
            data: self.names().map(|name| self.object(name)).collect(),
        }
    }
}

/// OpenAI's model object.
#[derive(Debug, Serialize)]
pub(crate) struct ModelObject<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

/// OpenAI's list of models.
#[derive(Debug, Serialize)]
pub(crate) struct ModelList<'a> {
    object: &'static str,
    data: Vec<ModelObject<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_answers_to_its_name_and_the_aliases_alone() {
        let model = ServedModel {
            id: "moonshine-tiny-en".to_owned(),
            owner: "useful-sensors".to_owned(),
            created: 0,
        };
        for name in ["moonshine-tiny-en", "whisper-1", "gpt-4o-transcribe"] {
            assert!(model.answers_to(name), "{name}");
        }
        for name in [
            "",
            "Whisper-1",
            "moonshine-base-en",
            "gpt-4o-transcribe-diarize",
        ] {
            assert!(!model.answers_to(name), "{name}");
        }
        assert_eq!(model.names().count(), ALIASES.len() + 1);
    }
}
