//! The envelope in CBOR (RFC 8949).

use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;

use super::part::{LABELS, Parts, check_type};
use super::{COLLECTION_TYPE, EVIDENCE, EnvelopeError, TYPE_KEY};

/// Most members of the map: every label, and the collection's type.
const MAX_MEMBERS: usize = LABELS.len() + 1;

pub(super) fn encode(parts: &Parts) -> Vec<u8> {
    let bytes: usize = parts.iter().map(|(_, value)| value.len() + 128).sum();
    let mut encoder = Encoder::new(Vec::with_capacity(bytes));
    let written: Result<(), minicbor::encode::Error<std::convert::Infallible>> = (|| {
        encoder.map(parts.iter().count() as u64 + 1)?;
        encoder.str(TYPE_KEY)?.str(COLLECTION_TYPE)?;
        for (label, value) in parts.iter() {
            encoder.str(label.name)?.array(3)?;
            encoder.str(label.media_type)?.bytes(value)?.u64(EVIDENCE)?;
        }
        Ok(())
    })();
    debug_assert!(written.is_ok(), "a vector takes every byte");
    encoder.into_writer()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Parts, EnvelopeError> {
    let mut decoder = Decoder::new(bytes);
    let members = length(&mut decoder, "map", Decoder::map)?;
    if members > MAX_MEMBERS as u64 {
        return Err(EnvelopeError::TooManyMembers {
            limit: MAX_MEMBERS,
            found: members,
        });
    }
    let mut parts = Parts::default();
    let mut found_type = None;
    for _ in 0..members {
        let name = read(&mut decoder, "label", Decoder::str)?;
        if name == TYPE_KEY {
            let found = read(&mut decoder, "type of the collection", Decoder::str)?;
            if found_type.replace(found).is_some() {
                return Err(EnvelopeError::Twice { label: TYPE_KEY });
            }
            continue;
        }
        let fields = length(&mut decoder, "record", Decoder::array)?;
        if !(2..=3).contains(&fields) {
            return Err(EnvelopeError::Cbor {
                field: "record",
                offset: decoder.position(),
                reason: format!("it has {fields} fields, not 2 or 3"),
            });
        }
        let media_type = read(&mut decoder, "media type", Decoder::str)?;
        let value = read(&mut decoder, "value", Decoder::bytes)?;
        let indicator = match fields {
            3 => Some(read(&mut decoder, "indicator", Decoder::u64)?),
            _ => None,
        };
        parts.take(name, media_type, indicator, |label| match value.len() {
            found if found > label.limit => Err(EnvelopeError::PartTooLong {
                label: label.name,
                limit: label.limit,
                found,
            }),
            _ => Ok(value.to_vec()),
        })?;
    }
    match bytes.len().saturating_sub(decoder.position()) {
        0 => check_type(found_type).map(|()| parts),
        found => Err(EnvelopeError::Trailing { found }),
    }
}

/// Reads one thing, and says where it was not.
fn read<'b, T>(
    decoder: &mut Decoder<'b>,
    field: &'static str,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<T, EnvelopeError> {
    let offset = decoder.position();
    read(decoder).map_err(|error| EnvelopeError::Cbor {
        field,
        offset,
        reason: error.to_string(),
    })
}

/// Reads the head of a map or an array, which must tell its length.
fn length<'b>(
    decoder: &mut Decoder<'b>,
    field: &'static str,
    head: impl FnOnce(&mut Decoder<'b>) -> Result<Option<u64>, Error>,
) -> Result<u64, EnvelopeError> {
    let offset = decoder.position();
    read(decoder, field, head)?.ok_or_else(|| EnvelopeError::Cbor {
        field,
        offset,
        reason: "its length is not told".to_owned(),
    })
}
