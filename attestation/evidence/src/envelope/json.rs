//! The envelope in JSON (RFC 8259), values in base64url without padding.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::part::{LABELS, Label, Parts, check_type};
use super::{COLLECTION_TYPE, EVIDENCE, EnvelopeError, TYPE_KEY};

/// Most members of the object: every label, and the collection's type.
const MAX_MEMBERS: usize = LABELS.len() + 1;

pub(super) fn encode(parts: &Parts) -> String {
    // Labels, types and base64url hold nothing that JSON escapes.
    let mut out = format!("{{\n  \"{TYPE_KEY}\": \"{COLLECTION_TYPE}\"");
    for (label, value) in parts.iter() {
        let (name, media_type) = (label.name, label.media_type);
        out.push_str(&format!(",\n  \"{name}\": [\"{media_type}\", \""));
        URL_SAFE_NO_PAD.encode_string(value, &mut out);
        out.push_str(&format!("\", {EVIDENCE}]"));
    }
    out.push_str("\n}\n");
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Parts, EnvelopeError> {
    let collection: Collection<'_> =
        serde_json::from_slice(bytes).map_err(|error| EnvelopeError::Json {
            reason: error.to_string(),
        })?;
    check_type(collection.found_type.as_deref())?;
    let mut parts = Parts::default();
    for (name, record) in &collection.records {
        parts.take(name, &record.media_type, record.indicator, |label| {
            value_of(label, &record.value)
        })?;
    }
    Ok(parts)
}

fn value_of(label: &'static Label, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    // Four characters are three bytes; a few more do no harm before they are counted.
    if text.len() / 4 > label.limit.div_ceil(3) {
        return Err(EnvelopeError::PartTooLong {
            label: label.name,
            limit: label.limit,
            found: text.len() / 4 * 3,
        });
    }
    let value = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| EnvelopeError::Base64 { label: label.name })?;
    match value.len() {
        found if found > label.limit => Err(EnvelopeError::PartTooLong {
            label: label.name,
            limit: label.limit,
            found,
        }),
        _ => Ok(value),
    }
}

/// The object, before labels are looked at. What a member holds is never kept as a tree: only
/// three kinds of thing can stand there.
struct Collection<'b> {
    found_type: Option<Cow<'b, str>>,
    records: Vec<(Cow<'b, str>, Record<'b>)>,
}

struct Record<'b> {
    media_type: Cow<'b, str>,
    value: Cow<'b, str>,
    indicator: Option<u64>,
}

/// A string, borrowed where it has no escapes.
struct Text<'b>(Cow<'b, str>);

impl<'de: 'b, 'b> Deserialize<'de> for Text<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'b>, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for Record<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Record<'b>, D::Error> {
        struct RecordVisitor;
        impl<'de> Visitor<'de> for RecordVisitor {
            type Value = Record<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a record of type, value and perhaps indicator")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Record<'de>, A::Error> {
                let mut text = |place| {
                    let text = fields.next_element::<Text<'de>>()?;
                    text.ok_or_else(|| Error::invalid_length(place, &"2 or 3 fields"))
                };
                let (media_type, value) = (text(0)?.0, text(1)?.0);
                let indicator = fields.next_element()?;
                if fields.next_element::<IgnoredAny>()?.is_some() {
                    return Err(Error::invalid_length(4, &"2 or 3 fields"));
                }
                Ok(Record {
                    media_type,
                    value,
                    indicator,
                })
            }
        }
        deserializer.deserialize_seq(RecordVisitor)
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for Collection<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Collection<'b>, D::Error> {
        struct CollectionVisitor;
        impl<'de> Visitor<'de> for CollectionVisitor {
            type Value = Collection<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a collection of records")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut members: A,
            ) -> Result<Collection<'de>, A::Error> {
                let mut found_type = None;
                let mut records = Vec::new();
                while let Some(Text(name)) = members.next_key()? {
                    if records.len() == MAX_MEMBERS {
                        return Err(Error::invalid_length(MAX_MEMBERS + 1, &"fewer members"));
                    }
                    if name != TYPE_KEY {
                        records.push((name, members.next_value()?));
                    } else if found_type.is_some() {
                        return Err(Error::duplicate_field(TYPE_KEY));
                    } else {
                        found_type = Some(members.next_value::<Text<'de>>()?.0);
                    }
                }
                Ok(Collection {
                    found_type,
                    records,
                })
            }
        }
        deserializer.deserialize_map(CollectionVisitor)
    }
}
