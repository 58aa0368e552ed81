//! From a card as TOML spells it to a checked one.

use super::{
    Accuracy, Card, CardError, CardFile, Dimension, Kind, Licence, MAX_ARCHIVE_BYTES,
    MAX_CARD_BYTES, MAX_FILE_BYTES, MAX_FILES, Registry, Role, Source, SpeechShape, Tensor,
    VadShape, WordCounts, raw,
};

/// The version of the card's format that is read.
const FORMAT: u32 = 1;

/// Most sources: each file could come from its own.
const MAX_SOURCES: usize = MAX_FILES;

/// Most tensors: the largest decoder has 15, with `{layer}` standing for all layers.
const MAX_TENSORS: usize = 64;

/// Most dimensions of a tensor; the graphs in use have four.
const MAX_DIMENSIONS: usize = 8;

/// Most accuracy entries: some engines on some sets.
const MAX_ACCURACY: usize = 64;

/// Largest size of a dimension or of a shape's number, a vocabulary of a million.
const MAX_SHAPE: u32 = 1 << 20;

/// A rate in a card is rounded to four places, so it may stand this far from the counts'.
const RATE_ROUNDING: f64 = 0.000_051;

pub(super) fn parse(text: &str) -> Result<Card, CardError> {
    if text.len() > MAX_CARD_BYTES {
        return Err(CardError::TooLong {
            limit: MAX_CARD_BYTES,
            found: text.len(),
        });
    }
    let raw: raw::Card = toml::from_str(text).map_err(|error| CardError::Syntax {
        reason: cut(error.message()),
    })?;
    if raw.format != FORMAT {
        return Err(CardError::Format {
            expected: FORMAT,
            found: raw.format,
        });
    }
    let kind = kind(raw.kind, raw.speech, raw.vad)?;
    let sources = sources(raw.source)?;
    let files = files(raw.file, &sources)?;
    roles_fit(&kind, &files)?;
    Ok(Card {
        text: text.to_owned(),
        name: plain_name("name", raw.name)?,
        title: line("title", raw.title)?,
        kind,
        language: token("language", raw.language, 8, |c| c.is_ascii_lowercase())?,
        licence: Licence {
            spdx: token("licence.spdx", raw.licence.spdx, 64, |c| {
                c.is_ascii_alphanumeric() || "-.+".contains(c)
            })?,
            stated: line("licence.stated", raw.licence.stated)?,
        },
        tensors: tensors(raw.tensor, &files)?,
        accuracy: accuracy(raw.accuracy)?,
        sources,
        files,
    })
}

fn kind(
    kind: raw::Kind,
    speech: Option<raw::Speech>,
    vad: Option<raw::Vad>,
) -> Result<Kind, CardError> {
    match (kind, speech, vad) {
        (raw::Kind::Speech, Some(speech), None) => speech_shape(speech).map(Kind::Speech),
        (raw::Kind::Vad, None, Some(vad)) => vad_shape(vad).map(Kind::Vad),
        (raw::Kind::Speech, ..) => Err(CardError::Shape { kind: "speech" }),
        (raw::Kind::Vad, ..) => Err(CardError::Shape { kind: "vad" }),
    }
}

fn speech_shape(raw: raw::Speech) -> Result<SpeechShape, CardError> {
    within("speech.sample_rate", raw.sample_rate, 8_000, 192_000)?;
    within(
        "speech.samples_per_frame",
        raw.samples_per_frame,
        1,
        raw.sample_rate,
    )?;
    within("speech.layers", raw.layers, 1, 64)?;
    within("speech.heads", raw.heads, 1, 64)?;
    within("speech.head_dimension", raw.head_dimension, 1, 1024)?;
    within("speech.vocabulary", raw.vocabulary, 2, MAX_SHAPE)?;
    within("speech.start_token", raw.start_token, 0, raw.vocabulary - 1)?;
    within("speech.end_token", raw.end_token, 0, raw.vocabulary - 1)?;
    if raw.start_token == raw.end_token {
        return Err(CardError::Twice {
            what: "token",
            name: raw.end_token.to_string(),
        });
    }
    let rate = f64::from(raw.max_tokens_per_second);
    within("speech.max_tokens_per_second", rate, 0.1, 100.0)?;
    Ok(SpeechShape {
        sample_rate: raw.sample_rate,
        samples_per_frame: raw.samples_per_frame,
        layers: raw.layers,
        heads: raw.heads,
        head_dimension: raw.head_dimension,
        vocabulary: raw.vocabulary,
        start_token: raw.start_token,
        end_token: raw.end_token,
        max_tokens_per_second: raw.max_tokens_per_second,
    })
}

fn vad_shape(raw: raw::Vad) -> Result<VadShape, CardError> {
    within("vad.sample_rate", raw.sample_rate, 8_000, 192_000)?;
    within("vad.frame_samples", raw.frame_samples, 1, raw.sample_rate)?;
    within(
        "vad.context_samples",
        raw.context_samples,
        0,
        raw.frame_samples,
    )?;
    Ok(VadShape {
        sample_rate: raw.sample_rate,
        frame_samples: raw.frame_samples,
        context_samples: raw.context_samples,
    })
}

fn sources(raw: Vec<raw::Source>) -> Result<Vec<Source>, CardError> {
    at_most("source", MAX_SOURCES, raw.len())?;
    let mut sources: Vec<Source> = Vec::with_capacity(raw.len());
    for source in raw {
        let name = source_name(source.registry, source.name)?;
        if sources.iter().any(|other| other.name == name) {
            return Err(CardError::Twice {
                what: "source",
                name,
            });
        }
        within(
            "source.size",
            source.size as f64,
            1.0,
            MAX_ARCHIVE_BYTES as f64,
        )?;
        sources.push(Source {
            registry: source.registry,
            name,
            version: version(source.version)?,
            archive: file_name("source.archive", source.archive)?,
            size: source.size,
            sha256: source.sha256,
        });
    }
    Ok(sources)
}

fn files(raw: Vec<raw::File>, sources: &[Source]) -> Result<Vec<CardFile>, CardError> {
    at_most("file", MAX_FILES, raw.len())?;
    let mut files: Vec<CardFile> = Vec::with_capacity(raw.len());
    for file in raw {
        let name = plain_name("file.name", file.name)?;
        if files.iter().any(|other| other.name == name) {
            return Err(CardError::Twice { what: "file", name });
        }
        if files.iter().any(|other| other.role == file.role) {
            return Err(CardError::Twice {
                what: "role",
                name: file.role.to_string(),
            });
        }
        if !sources.iter().any(|source| source.name == file.source) {
            return Err(CardError::NoSuchSource {
                file: name,
                found: cut(&file.source),
            });
        }
        if file.transcript.is_some() != (file.role == Role::Sample) {
            return Err(CardError::Transcript {
                file: name,
                role: file.role,
            });
        }
        within("file.size", file.size as f64, 1.0, MAX_FILE_BYTES as f64)?;
        files.push(CardFile {
            role: file.role,
            name,
            source: file.source,
            path: archive_path(file.path)?,
            size: file.size,
            sha256: file.sha256,
            transcript: match file.transcript {
                Some(transcript) => Some(line("file.transcript", transcript)?),
                None => None,
            },
        });
    }
    for source in sources {
        if !files.iter().any(|file| file.source == source.name) {
            return Err(CardError::IdleSource {
                name: source.name.clone(),
            });
        }
    }
    Ok(files)
}

/// A speech model has exactly the speech graphs and a tokenizer, a detector exactly its
/// graph; either may have a sample.
fn roles_fit(kind: &Kind, files: &[CardFile]) -> Result<(), CardError> {
    let (kind, needed): (_, &[Role]) = match kind {
        Kind::Speech(_) => ("speech", &[Role::Encoder, Role::Decoder, Role::Tokenizer]),
        Kind::Vad(_) => ("vad", &[Role::Vad]),
    };
    for &expected in needed {
        if !files.iter().any(|file| file.role == expected) {
            return Err(CardError::NoSuchRole { kind, expected });
        }
    }
    match files
        .iter()
        .find(|file| file.role.is_required() && !needed.contains(&file.role))
    {
        Some(file) => Err(CardError::StrayRole {
            kind,
            found: file.role,
        }),
        None => Ok(()),
    }
}

fn tensors(raw: Vec<raw::Tensor>, files: &[CardFile]) -> Result<Vec<Tensor>, CardError> {
    at_most("tensor", MAX_TENSORS, raw.len())?;
    let mut tensors: Vec<Tensor> = Vec::with_capacity(raw.len());
    for tensor in raw {
        let name = token("tensor.name", tensor.name, 128, |c| c.is_ascii_graphic())?;
        let graph = matches!(tensor.file, Role::Encoder | Role::Decoder | Role::Vad);
        if !graph || !files.iter().any(|file| file.role == tensor.file) {
            return Err(CardError::StrayTensor {
                file: tensor.file,
                direction: tensor.direction,
                name,
            });
        }
        if tensors.iter().any(|other| {
            (other.file, other.direction) == (tensor.file, tensor.direction) && other.name == name
        }) {
            return Err(CardError::Twice {
                what: "tensor",
                name,
            });
        }
        at_most("tensor.shape", MAX_DIMENSIONS, tensor.shape.len())?;
        let shape = tensor.shape.into_iter().map(dimension);
        tensors.push(Tensor {
            file: tensor.file,
            direction: tensor.direction,
            name,
            element: tensor.element,
            shape: shape.collect::<Result<_, _>>()?,
        });
    }
    Ok(tensors)
}

fn dimension(raw: raw::Dimension) -> Result<Dimension, CardError> {
    match raw {
        raw::Dimension::Fixed(length) => {
            within("tensor.shape", length, 1, MAX_SHAPE)?;
            Ok(Dimension::Fixed(length))
        }
        raw::Dimension::Symbol(name) => {
            Ok(Dimension::Symbol(token("tensor.shape", name, 64, |c| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || "_ +".contains(c)
            })?))
        }
    }
}

fn accuracy(raw: Vec<raw::Accuracy>) -> Result<Vec<Accuracy>, CardError> {
    at_most("accuracy", MAX_ACCURACY, raw.len())?;
    raw.into_iter().map(one_accuracy).collect()
}

fn one_accuracy(raw: raw::Accuracy) -> Result<Accuracy, CardError> {
    within("accuracy.rate", raw.rate, 0.0, 10.0)?;
    within("accuracy.clips", raw.clips, 1, u32::MAX)?;
    let set = line("accuracy.set", raw.set)?;
    let counts = match (raw.words, raw.errors) {
        (None, None) => None,
        (Some(words), Some(errors)) if words > 0 => Some(WordCounts { words, errors }),
        _ => {
            return Err(CardError::Counts {
                set,
                rate: raw.rate,
            });
        }
    };
    let fits = |counts: WordCounts| {
        let rate = f64::from(counts.errors) / f64::from(counts.words);
        (rate - raw.rate).abs() <= RATE_ROUNDING
    };
    if !counts.is_none_or(fits) {
        return Err(CardError::Counts {
            set,
            rate: raw.rate,
        });
    }
    Ok(Accuracy {
        set,
        engine: line("accuracy.engine", raw.engine)?,
        clips: raw.clips,
        counts,
        rate: raw.rate,
    })
}

/// A name that is safe as a file or a folder on any system: nothing in it separates paths,
/// and it is neither hidden nor `.` nor `..` nor an option.
fn plain_name(field: &'static str, text: String) -> Result<String, CardError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let good = (1..=64).contains(&text.len())
        && text.chars().all(allowed)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rule = "1 to 64 of a-z 0-9 . _ -, the first a letter or digit";
    checked(field, rule, text, good)
}

/// An archive's file name, as registries spell it.
fn file_name(field: &'static str, text: String) -> Result<String, CardError> {
    let good = (1..=128).contains(&text.len())
        && text.chars().all(package_character)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rule = "1 to 128 of A-Z a-z 0-9 . _ + -, the first a letter or digit";
    checked(field, rule, text, good)
}

/// A package's name: for npm it may have a scope, `@scope/name`.
fn source_name(registry: Registry, text: String) -> Result<String, CardError> {
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(package_character)
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    let good = match (registry, text.strip_prefix('@')) {
        (Registry::Npm, Some(scoped)) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        _ => part(&text),
    };
    let good = good && text.len() <= 128;
    let rule = "a package's name of at most 128 characters, with a scope only on npm";
    checked("source.name", rule, text, good)
}

fn version(text: String) -> Result<String, CardError> {
    let good = text.len() <= 64
        && text.chars().all(package_character)
        && text.starts_with(|c: char| c.is_ascii_digit());
    let rule = "1 to 64 of A-Z a-z 0-9 . _ + -, the first a digit";
    checked("source.version", rule, text, good)
}

/// A path inside an archive.
fn archive_path(text: String) -> Result<String, CardError> {
    let good = (1..=256).contains(&text.len())
        && text.split('/').all(|part| {
            !matches!(part, "" | "." | "..")
                && part.chars().all(|c| package_character(c) || c == '@')
        });
    let rule = "a relative path of at most 256 characters, without . and ..";
    checked("file.path", rule, text, good)
}

fn package_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._+-".contains(c)
}

/// A line for people: it ends up on terminals and in logs, so it has no control characters.
fn line(field: &'static str, text: String) -> Result<String, CardError> {
    let good = (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
    let rule = "1 to 256 bytes on one line";
    checked(field, rule, text, good)
}

fn token(
    field: &'static str,
    text: String,
    most: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<String, CardError> {
    let good = (1..=most).contains(&text.len()) && text.chars().all(allowed);
    checked(
        field,
        "short, of the characters that this field has",
        text,
        good,
    )
}

fn checked(
    field: &'static str,
    rule: &'static str,
    text: String,
    good: bool,
) -> Result<String, CardError> {
    if good {
        return Ok(text);
    }
    Err(CardError::Text {
        field,
        rule,
        found: cut(&text),
    })
}

/// A text cut short, so that an error never carries a whole hostile card.
fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

fn at_most(what: &'static str, limit: usize, found: usize) -> Result<(), CardError> {
    if found > limit {
        return Err(CardError::TooMany { what, limit, found });
    }
    Ok(())
}

/// Whether `least <= found <= most`; not a number is not.
fn within<N: Into<f64> + PartialOrd + Copy>(
    field: &'static str,
    found: N,
    least: N,
    most: N,
) -> Result<(), CardError> {
    if least <= found && found <= most {
        return Ok(());
    }
    Err(CardError::Number {
        field,
        least: least.into(),
        most: most.into(),
        found: found.into(),
    })
}
